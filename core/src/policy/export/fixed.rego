#
# Its input is what the same command writes with --input; its ruling is data.assent.ruling. Ask it
# with strict errors: what cannot be evaluated must not pass for unknown.
package assent

# ---- What is found in the input ----

category := word if word := policy.kinds[input.intent.kind]

else := policy.verbs[parts[count(parts) - 1]] if parts := split(input.intent.kind, ".")

groups := array.concat(
	[group | some group in input.requester.groups],
	[group | some group, people in policy.members; input.requester.id in people],
)

# What can be the same as something else. Beyond 2^53 two numbers can be read as one.
is_comparable(v) if is_string(v)

is_comparable(v) if is_boolean(v)

is_comparable(v) if {
	is_number(v)
	abs(v) < 9007199254740992
}

fits_one(text, forms) := count([1 | some form in forms; regex.match(form, text)]) > 0

# ---- Addresses ----

octet := `(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])`

ipv4 := concat(`\.`, [octet, octet, octet, octet])

ipv4_alone := concat("", ["^", ipv4, "$"])

ipv4_at_the_end := concat("", [":", ipv4, "$"])

ipv6_whole := `^[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){7}$`

ipv6_short := `^(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4})*)?::(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4})*)?$`

is_address(v) if {
	is_string(v)
	regex.match(ipv4_alone, v)
}

is_address(v) if {
	is_string(v)
	regex.match(ipv6_whole, in_groups(v))
}

is_address(v) if {
	is_string(v)
	text := in_groups(v)
	regex.match(ipv6_short, text)
	count(regex.find_n(`[^:]+`, text, -1)) <= 7
}

in_groups(text) := regex.replace(text, ipv4_at_the_end, ":0:0")

is_in(ranges, v) := count([1 | some range in ranges; net.cidr_contains(range, v)]) > 0

# IPv4-mapped IPv6 is IPv4. Engines differ on whether it is in ranges of the one or of the other, so
# those of IPv4 are given in both spellings.
is_ipv4(v) := is_in(["0.0.0.0/0", "::ffff:0:0/96"], v)

is_within(v, ipv4_ranges, _) := is_in(ipv4_ranges, v) if is_ipv4(v) == true

is_within(v, _, ipv6_ranges) := is_in(ipv6_ranges, v) if is_ipv4(v) == false

# ---- Durations and instants that free JSON spells ----

# A number of digits; some engines read none that begin with 0.
whole(digits) := to_number(regex.replace(digits, `^0+([0-9])`, "$1"))

unit := {"s": 1, "m": 60, "h": 3600, "d": 86400}

# In seconds; at most ten years.
seconds(text) := number if {
	is_string(text)
	some part in regex.find_all_string_submatch_n(`^([0-9]{1,9})([smhd])$`, text, 1)
	number := whole(part[1]) * unit[part[2]]
	number <= 316224000
}

rfc_3339 := `^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))$`

# In milliseconds since 1970, rounded towards it; offsets may go to 25:59, and second 60 is 59.
instant(text) := to_the_millisecond(thousandths, part[7]) if {
	is_string(text)
	some part in regex.find_all_string_submatch_n(rfc_3339, text, 1)
	hour := whole(part[4])
	hour <= 23
	minute := whole(part[5])
	minute <= 59
	second := whole(part[6])
	second <= 60
	day := day_number(whole(part[1]), whole(part[2]), whole(part[3]))
	minutes := (((day * 1440) + (hour * 60)) + minute) - offset(part[8], part[9], part[10])
	shown := substring(concat("", [part[7], "000"]), 0, 3)
	thousandths := (((minutes * 60) + min([second, 59])) * 1000) + whole(shown)
	thousandths <= 253402207200999
}

offset("", _, _) := 0

offset("+", hour, minute) := offset_size(hour, minute)

offset("-", hour, minute) := 0 - offset_size(hour, minute)

offset_size(hour, minute) := (whole(hour) * 60) + whole(minute) if {
	whole(hour) <= 25
	whole(minute) <= 59
}

to_the_millisecond(thousandths, fraction) := thousandths + 1 if {
	thousandths < 0
	regex.match(`^[0-9]{3}.*[1-9]`, fraction)
}

else := thousandths

# Days since 1970, of the Gregorian calendar; nothing for a date that is none.
day_number(year, month, day) := number if {
	month >= 1
	month <= 12
	day >= 1
	number := day_count(year, month, day)
	number < day_count(year, month + 1, 1)
}

# As if years began in March; month 13 is the next year's first.
day_count(year, month, day) := ((((day + floor(((153 * m) + 2) / 5)) + (365 * y)) + floor(y / 4)) - floor(y / 100)) + floor(y / 400) - 2472633 if {
	early := floor((14 - month) / 12)
	y := (year + 4800) - early
	m := (month + (12 * early)) - 3
}

# ---- The clock on the wall ----

now := instant(input.now)

now_ns := time.parse_rfc3339_ns(input.now)

date_text(date) := sprintf("%04d-%02d-%02d", date)

local_date(zone) := date_text(time.date([now_ns, zone]))

local_time(zone) := sprintf("%02d:%02d", [clock[0], clock[1]]) if clock := time.clock([now_ns, zone])

local_minute(zone) := (clock[0] * 60) + clock[1] if clock := time.clock([now_ns, zone])

noon(date) := time.parse_rfc3339_ns(sprintf("%sT12:00:00Z", [date]))

weekday(date) := lower(time.weekday(noon(date)))

day_before(date) := date_text(time.date(time.add_date(noon(date), 0, 0, -1)))

is_listed(ranges, date) if {
	some range in ranges
	range[0] <= date
	date <= range[1]
}

excluded(calendar, date) if is_listed(calendar.exclude, date)

begins_on(calendar, window, date) if {
	weekday(date) in window.days
	not excluded(calendar, date)
}

is_open(calendar) if {
	date := local_date(calendar.zone)
	is_listed(calendar.include, date)
	not excluded(calendar, date)
}

# A window that begins today, until its end or midnight.
is_open(calendar) if {
	date := local_date(calendar.zone)
	minute := local_minute(calendar.zone)
	some window in calendar.windows
	window.from <= minute
	minute < end_of_day(window)
	begins_on(calendar, window, date)
}

end_of_day(window) := window.to if window.from < window.to

else := 1440

# What is left of one that began yesterday.
is_open(calendar) if {
	yesterday := day_before(local_date(calendar.zone))
	minute := local_minute(calendar.zone)
	some window in calendar.windows
	window.from > window.to
	minute < window.to
	begins_on(calendar, window, yesterday)
}

# ---- The score: the least it can be and the most, since what cannot be known may hold ----

score := [low, low + open] if {
	low := sum([policy.weights[id] | some id in factor_holds])
	unknown := (object.keys(policy.weights) - factor_holds) - factor_fails
	open := sum([policy.weights[id] | some id in unknown])
}

risk := score if count(policy.weights) > 0

else := null

factor_holds contains "" if false

factor_fails contains "" if false

# ---- What each rule says ----

settled contains "" if false

refuted contains "" if false

unsettled := (object.keys(policy.rules) - settled) - refuted

with_effect(effect) := {id | some id, rule in policy.rules; rule.effect == effect}

suspended := {id | some id in input.suspended}

permitting := (with_effect("allow") & settled) - suspended

# Rules whose engine must have been asked.
speaking := with_effect("ask") - refuted

answered := {id | some id in speaking; input.opinions[id].denies}

warning := {id | some id in answered; count(input.opinions[id].warns) > 0}

waived contains id if {
	some rule in permitting
	some id in policy.rules[rule].waives
}

waived contains id if {
	some rule in answered & settled
	input.opinions[rule].allows == true
	some id in policy.rules[rule].waives
}

# A deny that cannot be settled is never waived.
denying := ({id |
	some id in with_effect("deny") & settled
} - {id | some id in waived; policy.rules[id].waivable}) | (with_effect("deny") & unsettled)

requiring := ((with_effect("require") - refuted) - waived) | {id | some id in warning; policy.rules[id].stages}

# ---- Why it is refused ----

reasons contains {"rule": id, "message": policy.rules[id].message} if some id in denying & settled

reasons contains {"rule": "suspended", "message": "the requester, or somebody it acts for, is suspended"} if {
	"suspended" in input.requester.states
}

reasons contains reason if {
	some id in denying - settled
	reason := {
		"rule": concat(":", ["indeterminate", id]),
		"message": sprintf("`%s` cannot be settled", [id]),
	}
}

reasons contains {"rule": concat(":", ["error", id]), "message": failure(id)} if some id in speaking - answered

failure(id) := reason if reason := input.opinions[id].failed

else := "its engine was not asked"

reasons contains {"rule": id, "message": message} if {
	some id in answered
	some message in input.opinions[id].denies
}

reasons contains {"rule": id, "message": message} if {
	some id in warning - requiring
	message := sprintf("it warns, and names nobody to ask: %s", [concat("; ", input.opinions[id].warns)])
}

unmatched contains {"rule": "default-deny", "message": "no rule allows this"} if {
	count(requiring | permitting) == 0
}

# What nobody could fill is told at once.
unowned contains {"rule": one.rule, "message": message} if {
	some one in asked
	count(one.from) == 0
	message := sprintf("nobody owns the target, so nobody can fill `%s`", [one.stage.name])
}

contradiction(word) := {reason |
	words := sort(said(word, everybody))
	count(words) > 1
	reason := {
		"rule": concat(":", ["contradiction", word]),
		"message": sprintf("the rules that match disagree on the %s: `%s` and `%s`", [word, words[0], words[1]]),
	}
}

# ---- What may be minted ----

# Rules that matter for limits: what those say that cannot be settled only narrows.
stating := (requiring & settled) | permitting

everybody := (stating | requiring) | (with_effect("allow") & unsettled)

said(limit, rules) := {value | some id in rules; value := policy.rules[id].limits[limit]}

stated(limit) := min(said(limit, stating)) if count(said(limit, stating)) > 0

else := policy.defaults[limit]

least(limit) := min(said(limit, everybody - stating) | {stated(limit)})

shortest(limit) := min(said(limit, everybody)) if count(said(limit, everybody)) > 0

else := null

agreed(word) := min(said(word, everybody)) if count(said(word, everybody)) > 0

else := null

audiences := intersection({{one | some one in list} | some list in said("audiences", everybody)}) if {
	count(said("audiences", everybody)) > 0
}

else := null

default reuse_within_run := false

reuse_within_run if {
	said("reuse_within_run", stating) == {true}
	said("reuse_within_run", everybody) == {true}
}

# ---- Who is asked ----

owners contains owner if {
	some entry in policy.owners
	fitting := [key | some key, form in entry.target; regex.match(form, input.intent.target[key])]
	count(fitting) == count(entry.target)
	some owner in entry.owners
}

# Every stage of every rule, with what makes two of them the same.
asked := [one |
	some id in requiring
	stages_of := policy.rules[id].stages
	some at, stage in stages_of
	from := {who | some who in stage.from} | {who | stage.owners; some who in owners}
	exclude := {who | some who in stage.exclude}
	one := {
		"rule": id,
		"stage": stage,
		"from": from,
		"exclude": exclude,
		"same": [stage.approvals, from, exclude, object.get(stage, "after", null)],
		"alone": count(stages_of) == 1,
		"place": [count(stages_of) == 1, id, at],
	}
]

# A rule's only stage is joined to the first one of another rule that is the same.
first(same) := min({one.place | some one in asked; one.same == same})

joined(one) := [other |
	some other in asked
	other.same == one.same
	true in {other.place == one.place, other.alone}
	one.place in {other.place, first(one.same)}
]

stages contains stage if {
	some one in asked
	true in {one.alone == false, one.place == first(one.same)}
	all := joined(one)
	stage := {
		"name": one.stage.name,
		"rules": {other.rule | some other in all},
		"approvals": one.stage.approvals,
		"from": one.from,
		"exclude": one.exclude,
		"after": object.get(one.stage, "after", null),
		"login_within": soonest(all, "login_within"),
		"acr": {any | some other in all; some any in object.get(other.stage, "acr", [])},
		"amr": {any | some other in all; some any in object.get(other.stage, "amr", [])},
		"signature": signature([other.stage.signature | some other in all]),
		"expires_after": soonest(all, "expires_after"),
		"remind": soonest(all, "remind"),
		"escalate": escalation([other.stage.escalate | some other in all], count(all)),
	}
}

soonest(all, limit) := least_of([other.stage[limit] | some other in all])

least_of(numbers) := min(numbers) if count(numbers) > 0

else := null

# What meets every rule.
signature(all) := null if count(all) == 0

signature(all) := {
	"device_bound": device_bound,
	"enrolled_for": most_of([one.enrolled_for | some one in all]),
	"vouched": vouched,
} if {
	count(all) > 0
	device_bound := true in {one.device_bound | some one in all}
	vouched := true in {one.vouched | some one in all}
}

most_of(numbers) := max(numbers) if count(numbers) > 0

else := null

escalation(all, _) := null if count(all) == 0

escalation(all, rules) := {
	"after": min([one.after | some one in all]),
	"to": stepping_in(all, rules),
	"then_expire_after": least_of([one.then_expire_after | some one in all]),
} if {
	count(all) > 0
}

# Only who may step in by every rule may step in for all of them.
stepping_in(all, rules) := intersection({{who | some who in one.to} | some one in all}) if count(all) == rules

else := set()

# ---- The ruling ----

told(rules) := {who | some id in rules; some who in policy.rules[id].notify}

refusal(why) := {
	"ruling": "refuse",
	"rules": {reason.rule | some reason in why},
	"reasons": why,
	"notify": told(denying),
	"post_reviews": set(),
	"risk": risk,
}

granted := {
	"rules": requiring | permitting,
	"notify": told(requiring | permitting),
	"post_reviews": {policy.rules[id].post_review | some id in permitting},
	"risk": risk,
	"max_ttl": least("max_ttl"),
	"uses": least("uses"),
	"grant_window": least("grant_window"),
	"audiences": audiences,
	"broker": agreed("broker"),
	"role": agreed("role"),
	"heartbeat": shortest("heartbeat"),
	"reuse_within_run": reuse_within_run,
	"dpop": agreed("dpop"),
}

ruling := refusal(reasons) if count(reasons) > 0

else := refusal(unmatched) if count(unmatched) > 0

else := refusal(contradiction("broker")) if count(contradiction("broker")) > 0

else := refusal(contradiction("role")) if count(contradiction("role")) > 0

else := object.union(granted, {"ruling": "permit"}) if count(requiring) == 0

else := refusal(unowned) if count(unowned) > 0

else := object.union(granted, {
	"ruling": "require",
	"stages": stages,
	"expires_after": least("expires_after"),
})
