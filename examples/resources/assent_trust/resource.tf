# Jobs of one repository, on its main branch, in the environment that GitHub protects.
resource "assent_trust" "deploy" {
  name     = "github-deploy"
  issuer   = "https://token.actions.githubusercontent.com"
  audience = "https://assent.example.com"
  shape    = "github-actions"

  claims = {
    repository_id       = ["123456"]
    repository_owner_id = ["7890"]
    ref                 = ["refs/heads/main"]
    environment         = ["production"]
  }

  may_ask = {
    kinds        = ["terraform.apply"]
    environments = ["production"]
  }
}
