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

# Mints at plan, and not at apply.
provider "assent" {
  alias    = "reading"
  applying = !terraform.applying
}

variable "reading" {
  description = "Id of the request that policy allowed for this plan."
  type        = string
}

ephemeral "assent_credential" "read" {
  provider    = assent.reading
  approval_id = var.reading
  audience    = "orders-db-read"
}

resource "assent_approval" "resize" {
  environment = "production"
  target      = { database = "orders" }
  reason      = "Resize the orders database"
}

ephemeral "assent_credential" "orders" {
  approval_id = assent_approval.resize.id
  audience    = "orders-db"
}

# A provider of the database takes the one at plan and the other at apply:
#
#   token = terraform.applying ? ephemeral.assent_credential.orders.token : ephemeral.assent_credential.read.token
resource "terraform_data" "orders" {
  triggers_replace = [assent_approval.resize.id]

  provisioner "local-exec" {
    command     = "assent credential verify --audience orders-db"
    environment = { ASSENT_CREDENTIAL = ephemeral.assent_credential.orders.token }
  }
}
