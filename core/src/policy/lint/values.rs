//! Values that an attribute never has: a weekday with a slip of the pen, a kind in capital letters.

use crate::digest::Digest;
use crate::intent;
use crate::policy::attribute::{Attribute, PlanFact};
use crate::policy::calendar::Weekday;
use crate::policy::condition::{Condition, Constant, Test};
use crate::policy::document::{Place, nearest};
use crate::policy::lint::satisfy::{conflict, is_count};
use crate::policy::lint::{Context, Findings};
use crate::policy::record::Category;
use crate::signal::Concern;

/// What `plan.actions` can hold.
const ACTIONS: [&str; 9] =
    ["create", "read", "update", "delete", "forget", "replace", "import", "move", "defer"];

/// Each value that can never be met, in rules and factors that can be met by others.
pub(super) fn look(context: &Context<'_>, findings: &mut Findings) {
    for rule in context.rules {
        look_in(context, &rule.when, &rule.place, findings);
    }
    for factor in &context.written.factors {
        look_in(context, &factor.value.when, &factor.place, findings);
    }
}

fn look_in(context: &Context<'_>, when: &[Condition], place: &Place, findings: &mut Findings) {
    if conflict(context, &[when]).is_some() {
        return; // It never matches at all, which was said.
    }
    for condition in when {
        condition.each_test(&mut |attribute, test| {
            let (Test::In(constants) | Test::Contains { items: constants, .. }) = test else {
                return;
            };
            for constant in constants {
                if let Some(Impossible { text, .. }) = impossible(context, attribute, constant) {
                    findings.warning("impossible-value", place, text);
                }
            }
        });
    }
}

/// Why an attribute is never this.
pub(super) struct Impossible {
    pub(super) text: String,
    /// Whether the documents alone prove it.
    pub(super) certain: bool,
}

/// Why this attribute never has this value, or never holds it, if that is known.
pub(super) fn impossible(
    context: &Context<'_>,
    attribute: &Attribute,
    value: &Constant,
) -> Option<Impossible> {
    if let (Constant::Number(number), true) = (value, is_whole(attribute)) {
        let is_count = number.fract() == 0.0 && *number >= 0.0;
        let text = format!("`{attribute}` is a whole number of 0 or more, never {number}");
        return (!is_count).then_some(Impossible { text, certain: true });
    }
    let Constant::Text(text) = value else { return None };
    let among = |known: &[&str]| {
        let hint = nearest(text, known.iter().copied());
        let message =
            format!("`{attribute}` is never `{text}`{hint}; it is one of {}", known.join(", "));
        (!known.contains(&text.as_str())).then_some(message)
    };
    let unless = |possible: bool, why: &str| {
        (!possible).then(|| format!("`{attribute}` is never `{text}`: {why}"))
    };
    let certain = |text: Option<String>| text.map(|text| Impossible { text, certain: true });
    match attribute {
        Attribute::Category => certain(among(&Category::ALL.map(|(word, _)| word))),
        Attribute::RequesterKind => certain(among(&["person", "workload"])),
        Attribute::Weekday => certain(among(&Weekday::ALL.map(Weekday::name))),
        Attribute::Kind => {
            certain(unless(intent::is_dotted(text), "a kind is a dotted name in lower case"))
        }
        Attribute::Environment => certain(unless(
            intent::is_label(text),
            "an environment is a name of letters, digits, `-`, `_`, `.` and `/`",
        )),
        Attribute::Target(_) => {
            certain(unless(!text.is_empty() && text.len() <= 512, "a target has 1 to 512 bytes"))
        }
        Attribute::Reason => certain(unless(!text.trim().is_empty(), "a reason says something")),
        Attribute::Digest => certain(unless(
            text.parse::<Digest>().is_ok_and(|digest| digest.to_string() == *text),
            "a digest is sha256: and 64 small hex digits",
        )),
        Attribute::NetworkCountry => certain(unless(
            text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()),
            "a country is two capital letters (ISO 3166-1)",
        )),
        Attribute::Tier | Attribute::Label(_) => on_file(context, attribute, text),
        Attribute::RequesterStates => certain(among(&words(Concern::of_principals()))),
        Attribute::EnvironmentStates => certain(among(&words(Concern::of_environments()))),
        Attribute::Plan(PlanFact::Actions) => certain(among(&ACTIONS)),
        Attribute::Duration
        | Attribute::RequesterIss
        | Attribute::RequesterSub
        | Attribute::RequesterGroups
        | Attribute::Claim(_)
        | Attribute::NetworkIp
        | Attribute::Plan(_)
        | Attribute::Now
        | Attribute::Date
        | Attribute::Time
        | Attribute::Signal(_)
        | Attribute::Context(_)
        | Attribute::Risk
        | Attribute::Member(_) => None,
    }
}

fn words(concerns: impl Iterator<Item = (&'static str, Concern)>) -> Vec<&'static str> {
    concerns.map(|(word, _)| word).collect()
}

fn is_whole(attribute: &Attribute) -> bool {
    *attribute == Attribute::Risk || is_count(attribute)
}

/// Tiers and labels come from `environments` alone.
fn on_file(context: &Context<'_>, attribute: &Attribute, text: &str) -> Option<Impossible> {
    let environments = context.records.environments.values();
    let known: Vec<&str> = environments
        .filter_map(|environment| {
            if let Attribute::Label(key) = attribute {
                return environment.labels.get(key).map(String::as_str);
            }
            environment.tier.as_deref()
        })
        .collect();
    if known.contains(&text) {
        return None;
    }
    let hint = nearest(text, known.iter().copied());
    let text = format!("no environment has the {attribute} `{text}`{hint}; `environments` says");
    Some(Impossible { text, certain: false })
}
