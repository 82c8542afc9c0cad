//! How what the rules said becomes one ruling, in Rego: the mirror of `combine`.

use serde_json::{Map, Value, json};

use crate::policy::Requiring;
use crate::policy::document::Limits;
use crate::time::Span;

/// A rule's stages as the module holds them.
pub(super) fn stages(what: &Requiring) -> Value {
    let stage = |stage: &crate::policy::ruling::Stage| {
        json!({
            "name": stage.name,
            "approvals": stage.approvals,
            "from": stage.from.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "exclude": stage.exclude.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "after": stage.after,
            "owners": what.owners.contains(&stage.name),
        })
    };
    what.stages.iter().map(stage).collect()
}

/// What a rule says of limits; what it leaves out is not there.
pub(super) fn limits(limits: &Limits, expires_after: Option<Span>) -> Value {
    let mut said = Map::new();
    let mut span = |name: &str, span: Option<Span>| {
        said.extend(span.map(|span| (name.to_owned(), json!(span.as_seconds()))));
    };
    span("max_ttl", limits.max_ttl);
    span("grant_window", limits.grant_window);
    span("expires_after", expires_after);
    said.extend(limits.uses.map(|uses| ("uses".to_owned(), json!(uses))));
    said.extend(limits.audiences.as_ref().map(|all| ("audiences".to_owned(), json!(all))));
    said.extend(limits.broker.as_ref().map(|word| ("broker".to_owned(), json!(word))));
    said.extend(limits.role.as_ref().map(|word| ("role".to_owned(), json!(word))));
    Value::Object(said)
}

/// Everything below reads the constants and the statuses above it.
pub(super) const MODULE: &str = r##"
settled contains id if {
	some id, truth in status
	truth == "true"
}

refuted contains id if {
	some id, truth in status
	truth == "false"
}

all_rules := (((object.keys(denies) | object.keys(requires)) | object.keys(allows)) | object.keys(asks))

unsettled := (all_rules - settled) - refuted

suspended := {id | some id in input.suspended}

permitting := (settled & object.keys(allows)) - suspended

speaking := (all_rules - refuted) & object.keys(asks)

answered contains id if {
	some id in speaking
	input.opinions[id].denies
}

waived contains id if {
	some allow in permitting
	some id in allows[allow]
}

waived contains id if {
	some ask in speaking & settled
	input.opinions[ask].allows == true
	some id in asks[ask].waives
}

reasons contains id if {
	some id in settled & object.keys(denies)
	denies[id].waivable == false
}

reasons contains id if {
	some id in (settled & object.keys(denies)) - waived
}

reasons contains sprintf("indeterminate:%s", [id]) if {
	some id in unsettled & object.keys(denies)
}

reasons contains sprintf("error:%s", [id]) if some id in speaking - answered

reasons contains id if {
	some id in answered
	count(input.opinions[id].denies) > 0
}

warning contains id if {
	some id in answered
	count(input.opinions[id].warns) > 0
}

reasons contains id if {
	some id in warning
	count(asks[id].stages) == 0
}

asking := (((all_rules - refuted) & object.keys(requires)) - waived) | {id |
	some id in warning - waived
	count(asks[id].stages) > 0
}

stages_of(id) := requires[id]

stages_of(id) := asks[id].stages

stated := (asking & settled) | permitting

hints := (asking & unsettled) | (unsettled & object.keys(allows))

stated_values(key) := [value | some id in stated; value := limits[id][key]]

hint_values(key) := [value | some id in hints; value := limits[id][key]]

base(key) := min(stated_values(key)) if count(stated_values(key)) > 0

base(key) := defaults[key] if count(stated_values(key)) == 0

least(key) := min(array.concat(hint_values(key), [base(key)]))

words(key) := {value | some value in array.concat(stated_values(key), hint_values(key))}

word(key) := value if {
	count(words(key)) == 1
	some value in words(key)
}

word(key) := null if count(words(key)) == 0

listed := [{audience | some audience in list} |
	some list in array.concat(stated_values("audiences"), hint_values("audiences"))
]

audiences := null if count(listed) == 0

audiences := intersection({set | some set in listed}) if count(listed) > 0

owner_names contains owner if {
	some entry in ownership
	fitting := [key | some key, form in entry.target; regex.match(form, input.intent.target[key])]
	count(fitting) == count(entry.target)
	some owner in entry.owners
}

from_of(stage) := {who | some who in stage.from} if stage.owners == false

from_of(stage) := {who | some who in stage.from} | owner_names if stage.owners == true

unowned contains id if {
	some id in asking
	some stage in stages_of(id)
	count(from_of(stage)) == 0
}

stages contains shown if {
	some id in asking
	some stage in stages_of(id)
	shown := {
		"approvals": stage.approvals,
		"from": from_of(stage),
		"exclude": {who | some who in stage.exclude},
		"after": stage.after,
	}
}

told_of_grant := {who | some id in permitting | asking; some who in told[id]}

told_of_refusal := {who |
	some id in ((settled & object.keys(denies)) - waived_denies) | (unsettled & object.keys(denies))
	some who in told[id]
}

waived_denies := {id | some id in waived; denies[id].waivable == true}

post_reviews contains id if {
	some id in permitting
	looked_at[id]
}

granted := {
	"max_ttl": least("max_ttl"),
	"uses": least("uses"),
	"grant_window": least("grant_window"),
	"audiences": audiences,
	"broker": word("broker"),
	"role": word("role"),
	"post_reviews": post_reviews,
}

refusal(rules) := {"ruling": "refuse", "rules": rules, "notify": told_of_refusal, "risk": score}

ruling := refusal(reasons) if {
	count(reasons) > 0
} else := refusal({"default-deny"}) if {
	count(asking) == 0
	count(permitting) == 0
} else := refusal({"contradiction:broker"}) if {
	count(words("broker")) > 1
} else := refusal({"contradiction:role"}) if {
	count(words("role")) > 1
} else := object.union(granted, {
	"ruling": "permit",
	"rules": permitting,
	"notify": told_of_grant,
	"risk": score,
}) if {
	count(asking) == 0
} else := refusal(unowned) if {
	count(unowned) > 0
} else := object.union(granted, {
	"ruling": "require",
	"rules": asking | permitting,
	"stages": stages,
	"expires_after": least("expires_after"),
	"notify": told_of_grant,
	"risk": score,
})
"##;
