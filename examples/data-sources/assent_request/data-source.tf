resource "assent_approval" "release" {
  environment = "production"
  reason      = "Resize the orders database"
}

data "assent_request" "release" {
  id = assent_approval.release.id
}

output "who_said_what" {
  value = data.assent_request.release.reviews
}
