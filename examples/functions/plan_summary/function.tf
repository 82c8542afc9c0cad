# Of another configuration: terraform show -json plan.out >plan.json
locals {
  plan = provider::assent::plan_summary(file("${path.module}/plan.json"))
}

# What people see is what the plan does, riskiest first.
resource "assent_approval" "apply" {
  environment = "production"
  reason      = "Apply the reviewed plan of the orders service"

  triggers = {
    plan    = local.plan.digest
    changes = join(", ", local.plan.changes[*].address)
  }
}
