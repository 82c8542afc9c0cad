resource "assent_group" "dba" {
  name    = "dba"
  members = ["person:bob", "person:carol"]
}
