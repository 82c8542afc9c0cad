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

variable "instance_class" {
  description = "Size of the orders database."
  type        = string
  default     = "db.r6g.large"
}

# Creating this blocks until policy is satisfied.
resource "assent_approval" "resize" {
  environment = "production"
  target      = { database = "orders" }
  reason      = "Resize the orders database"

  # All that the guarded resource is made of, so that no change of it goes unasked.
  triggers = { instance_class = var.instance_class }
}

# Minted from the approval at apply, good for that apply alone.
ephemeral "assent_credential" "orders" {
  approval_id = assent_approval.resize.id
  audience    = "orders-db"
}

# Stands for the guarded resource: it can do nothing without the credential.
resource "terraform_data" "orders" {
  triggers_replace = [assent_approval.resize.id]

  provisioner "local-exec" {
    command     = "assent credential verify --audience orders-db"
    environment = { ASSENT_CREDENTIAL = ephemeral.assent_credential.orders.token }
  }
}
