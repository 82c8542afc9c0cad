# An apply that waits for two people. `make demo` runs it against a server of its own.

terraform {
  required_version = ">= 1.11"

  required_providers {
    assent = {
      source = "assent-dev/assent"
    }
  }
}

# The server and the access token come from ASSENT_URL and ASSENT_TOKEN.
provider "assent" {
  applying = terraform.applying
}

variable "instance_class" {
  description = "Size of the orders database."
  type        = string
  default     = "large"
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

# Minted at apply from that approval, revoked when the last step that uses it is done.
# It is in neither state nor plan.
ephemeral "assent_credential" "db" {
  approval_id = assent_approval.release.id
  audience    = "orders-db"
}

# Stands for the change itself: it does nothing without a good credential.
resource "terraform_data" "orders" {
  triggers_replace = [assent_approval.release.id]

  provisioner "local-exec" {
    command = "${path.module}/resize.sh"

    environment = {
      ASSENT_CREDENTIAL = ephemeral.assent_credential.db.token
      INSTANCE_CLASS    = var.instance_class
    }
  }
}
