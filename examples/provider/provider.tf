terraform {
  required_version = ">= 1.11"

  required_providers {
    assent = {
      source = "assent-dev/assent"
    }
  }
}

# The access token comes from ASSENT_TOKEN.
provider "assent" {
  url      = "https://assent.example.com"
  applying = terraform.applying
}
