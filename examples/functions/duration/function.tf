variable "access" {
  description = "How long the access is wanted for."
  type        = string
  default     = "45m"

  validation {
    condition     = provider::assent::duration(var.access) <= 3600
    error_message = "An hour at most."
  }
}

resource "assent_approval" "look" {
  environment = "production"
  reason      = "Look into the slow orders"
  duration    = var.access
}
