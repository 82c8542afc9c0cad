locals {
  database = {
    name    = "orders"
    class   = "db.r6g.large"
    storage = 200
  }
}

# One text that changes whenever anything in the value does.
resource "assent_approval" "resize" {
  environment = "production"
  reason      = "Resize the orders database"
  triggers    = { database = provider::assent::digest(local.database) }
}
