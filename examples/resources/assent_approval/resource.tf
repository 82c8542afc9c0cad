variable "instance_class" {
  description = "Size of the orders database."
  type        = string
  default     = "db.r6g.large"
}

# Creating this blocks until policy is satisfied.
resource "assent_approval" "release" {
  environment = "production"
  target      = { database = "orders" }
  reason      = "Resize the orders database"

  # Whatever changes here is shown to those who approve, and asks them anew.
  triggers = { instance_class = var.instance_class }

  timeouts = { create = "30m" }
}

# Stands for what waits for the approval.
resource "terraform_data" "orders" {
  input      = var.instance_class
  depends_on = [assent_approval.release]
}
