resource "assent_approval" "release" {
  environment = "production"
  reason      = "Resize the orders database"
}

# Minted at apply, once the approval is there; revoked when the last step that uses it is done.
# By reference: `depends_on` does not make Terraform wait here.
ephemeral "assent_credential" "orders" {
  approval_id = assent_approval.release.id
  audience    = "orders-db"
  ttl         = "5m"
}

resource "terraform_data" "orders" {
  triggers_replace = [assent_approval.release.id]

  provisioner "local-exec" {
    command     = "assent credential verify --audience orders-db"
    environment = { ASSENT_CREDENTIAL = ephemeral.assent_credential.orders.token }
  }
}
