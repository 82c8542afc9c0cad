resource "assent_calendar" "office_hours" {
  name = "office-hours"
  zone = "Europe/Berlin"

  days = ["monday", "tuesday", "wednesday", "thursday"]
  from = "09:00"
  to   = "17:00"

  exclude = [
    { from = "2026-12-24", to = "2027-01-01" },
  ]
}
