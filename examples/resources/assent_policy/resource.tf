resource "assent_group" "dba" {
  name    = "dba"
  members = ["person:bob", "person:carol"]
}

# A fault in it fails the plan, with file, line and column.
resource "assent_policy" "databases" {
  name = "databases.yaml"

  content = <<-EOT
    apiVersion: assent/v1
    kind: Policy
    metadata: {name: databases}
    rules:
      - id: database-session
        when: {intent.kind: database.session}
        require:
          stages:
            - {name: dba, approvals: 1, from: ["group:${assent_group.dba.name}"]}
          credential: {max_ttl: 15m, audiences: [orders-db]}
  EOT
}
