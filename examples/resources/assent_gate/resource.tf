variable "instance_class" {
  description = "Size of the orders database."
  type        = string
  default     = "db.r6g.large"
}

# Stands for what is guarded.
resource "terraform_data" "orders" {
  input = var.instance_class
}

# Terraform deletes this before it changes, replaces or destroys what is guarded, and deleting it
# waits for approval. Creating it asks nobody.
resource "assent_gate" "orders" {
  environment = "production"
  target      = { database = "orders" }
  reason      = "Orders are taken around the clock"

  timeouts = { delete = "1h" }

  depends_on = [terraform_data.orders]

  lifecycle {
    replace_triggered_by = [terraform_data.orders]
  }
}
