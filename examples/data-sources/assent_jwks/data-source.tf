# For a service that checks the authority's tokens and cannot reach the authority itself.
data "assent_jwks" "keys" {}

resource "terraform_data" "service_configuration" {
  input = {
    issuer = data.assent_jwks.keys.issuer
    jwks   = data.assent_jwks.keys.jwks
  }
}
