terraform {
  required_version = ">= 1.11"

  required_providers {
    assent = {
      source = "assent-dev/assent"
    }
  }
}

# The address and the access token come from ASSENT_URL and ASSENT_TOKEN.
provider "assent" {
  applying = terraform.applying
}

variable "storage" {
  description = "Storage of the orders database, in GiB."
  type        = number
  default     = 200
}

# Stands for the database.
resource "terraform_data" "orders" {
  input = var.storage
}

# Deleting this waits for approval, and Terraform deletes it before it touches the database.
resource "assent_gate" "orders" {
  environment = "production"
  target      = { database = "orders" }
  reason      = "Orders are taken around the clock; ask in #orders first"

  depends_on = [terraform_data.orders]

  lifecycle {
    replace_triggered_by = [terraform_data.orders]
  }
}
