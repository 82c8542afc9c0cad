package main

deny contains msg if {
	some change in input.resource_changes
	startswith(change.type, "aws_db_")
	"delete" in change.change.actions
	msg := sprintf("%s would be deleted", [change.address])
}

warn contains msg if {
	count(input.resource_changes) > 50
	msg := "more than fifty changes"
}
