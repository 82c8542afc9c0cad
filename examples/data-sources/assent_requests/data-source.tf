# What waits for approval now, so that nothing is changed under a colleague's feet.
data "assent_requests" "open" {
  state       = "pending"
  environment = "production"
  target      = { database = "orders" }
}

output "open_requests" {
  value = [for request in data.assent_requests.open.requests : request.url]
}
