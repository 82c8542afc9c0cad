# Which policy rules now, and why not a newer one.
data "assent_policy" "now" {}

output "policy" {
  value = {
    revision = data.assent_policy.now.revision
    rules    = data.assent_policy.now.rules
    problem  = data.assent_policy.now.problem
  }
}
