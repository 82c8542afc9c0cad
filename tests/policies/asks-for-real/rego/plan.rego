package main

deny contains msg if {
	some change in input.resource_changes
	startswith(change.type, "aws_db_")
	"delete" in change.change.actions
	msg := sprintf("%s would be deleted", [change.address])
}

warn contains msg if {
	some change in input.resource_changes
	change.type == "aws_security_group"
	msg := sprintf("%s opens or closes ports", [change.address])
}
