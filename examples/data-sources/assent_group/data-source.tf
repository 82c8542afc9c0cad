resource "assent_group" "dba" {
  name    = "dba"
  members = ["person:bob", "person:carol"]
}

data "assent_group" "dba" {
  name = assent_group.dba.name
}

output "who_is_asked" {
  value = data.assent_group.dba.members
}
