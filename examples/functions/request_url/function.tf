resource "assent_approval" "release" {
  environment = "production"
  reason      = "Resize the orders database"
}

# Known at plan, before anything is filed: for a message to those who approve.
output "where_to_approve" {
  value = provider::assent::request_url("https://assent.example.com", assent_approval.release.intent_digest)
}
