package spacelift

approve if {
	count(input.reviews.current.approvals) > 1
}

reject if {
	count(input.reviews.current.rejections) > 0
}
