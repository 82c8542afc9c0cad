# By the id of a request that was approved.
terraform import assent_approval.release req_01KA4SBK2N3F8Q0V5W7X9Y1Z2A
