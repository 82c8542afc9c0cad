# Asked at every plan; nothing is filed and nobody is asked.
data "assent_decision" "resize" {
  environment = "production"
  target      = { database = "orders" }
}

output "what_policy_says" {
  value = data.assent_decision.resize.summary
}
