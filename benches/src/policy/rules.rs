//! The rules that every engine is given: one table, written out in three languages, so that they
//! are equal by construction.
//!
//! A test names its attribute by the path it has in all of them: `intent.environment` in our YAML,
//! `input.intent.environment` in Rego, `context.intent.environment` in Cedar.

use std::fmt::Write as _;

/// What everybody who writes policies has: refusals, people to be asked, things that just pass.
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) effect: Effect,
    pub(crate) tests: Vec<(&'static str, Demand)>,
}

/// What a rule says where all its tests hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Deny,
    /// So many approvals.
    Require(u32),
    Allow,
}

/// What is demanded of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Demand {
    Is(String),
    OneOf(Vec<&'static str>),
    Begins(String),
    Has(&'static str),
    AtLeast(u64),
    Below(u64),
    Holds(bool),
}

/// How generated rules differ from one another, and so which of them can match one intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Each for one kind, one environment and one service.
    Kinds,
    /// Each for one service, of any kind and environment.
    Services,
    /// Each for services whose names begin so: what can match is only known when it is tried.
    Prefixes,
}

impl Spread {
    pub(crate) const ALL: [Self; 3] = [Self::Kinds, Self::Services, Self::Prefixes];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kinds => "kind, environment, service",
            Self::Services => "service alone",
            Self::Prefixes => "prefix of a service: all tried",
        }
    }
}

/// Twenty rules, each of which matches for some input, and as many more as are wanted.
pub(crate) fn rules(count: usize, spread: Spread) -> Vec<Rule> {
    let mut rules = basic();
    rules.truncate(count);
    rules.extend((rules.len()..count).map(|number| generated(number, spread)));
    rules
}

fn basic() -> Vec<Rule> {
    use Demand::{AtLeast, Begins, Below, Has, Holds, OneOf};
    use Effect::{Allow, Deny, Require};

    let is = |text: &str| Demand::Is(text.to_owned());
    let production = || ("intent.environment", is("production"));
    let kind = |name: &str| ("intent.kind", is(name));
    let rule = |id: &str, effect, tests: &[(&'static str, Demand)]| Rule {
        id: id.to_owned(),
        effect,
        tests: tests.to_vec(),
    };
    vec![
        rule("open-to-everybody", Deny, &[("plan.public_exposure", Holds(true)), production()]),
        rule("mass-deletion", Deny, &[("plan.deletes", AtLeast(10)), production()]),
        rule("half-a-plan", Deny, &[("plan.errored", Holds(true))]),
        rule("incomplete", Deny, &[("plan.complete", Holds(false)), production()]),
        rule(
            "rights-by-programs",
            Deny,
            &[("plan.touches_iam", Holds(true)), ("requester.kind", is("workload"))],
        ),
        rule(
            "provisioners",
            Deny,
            &[
                ("plan.provisioners", Holds(true)),
                ("intent.environment", OneOf(vec!["production", "staging"])),
            ],
        ),
        rule("contractors", Deny, &[("requester.groups", Has("contractors")), production()]),
        rule("production", Require(2), &[kind("terraform.apply"), production()]),
        rule("rights", Require(1), &[("plan.touches_iam", Holds(true))]),
        rule("databases", Require(1), &[("plan.types", Has("aws_db_instance"))]),
        rule("large", Require(1), &[("plan.change_count", AtLeast(50))]),
        rule("replaced", Require(1), &[("plan.replaces", AtLeast(1)), production()]),
        rule("firewalls", Require(1), &[("plan.types", Has("aws_security_group_rule"))]),
        rule(
            "charts",
            Require(2),
            &[("intent.kind", OneOf(vec!["helm.upgrade", "helm.rollback"])), production()],
        ),
        rule("playground", Allow, &[("intent.environment", OneOf(vec!["development", "sandbox"]))]),
        rule("tags", Allow, &[("plan.tags_only", Holds(true)), kind("terraform.apply")]),
        rule("nothing", Allow, &[("plan.change_count", Below(1)), kind("terraform.apply")]),
        rule(
            "small-in-staging",
            Allow,
            &[
                ("intent.environment", is("staging")),
                ("plan.change_count", Below(20)),
                ("plan.deletes", Below(1)),
            ],
        ),
        rule(
            "names",
            Allow,
            &[
                ("requester.groups", Has("network")),
                ("intent.target.repository", Begins("example/dns-".to_owned())),
            ],
        ),
        rule("looking", Allow, &[kind("terraform.plan")]),
    ]
}

fn generated(number: usize, spread: Spread) -> Rule {
    let service = format!("service-{number}");
    let target = "intent.target.service";
    let tests = match spread {
        Spread::Kinds => {
            let environment = if number.is_multiple_of(4) { "production" } else { "staging" };
            vec![
                ("intent.kind", Demand::Is(format!("kind-{}.deploy", number % 20))),
                ("intent.environment", Demand::Is(environment.to_owned())),
                (target, Demand::Is(service)),
            ]
        }
        Spread::Services => vec![(target, Demand::Is(service))],
        Spread::Prefixes => vec![(target, Demand::Begins(format!("{service}-")))],
    };
    Rule { id: format!("rule-{number}"), effect: Effect::Require(1), tests }
}

/// Our own language.
pub(crate) fn yaml(rules: &[Rule]) -> String {
    let mut text = "apiVersion: assent/v1\nkind: Policy\nmetadata: {name: benchmark}\n\
        groups:\n  release-managers: [person:bob, person:carol, person:dave]\n  \
        contractors: [person:mallory]\n  network: [person:norman]\nrules:\n"
        .to_owned();
    for Rule { id, effect, tests } in rules {
        let tests: Vec<String> = tests
            .iter()
            .map(|(path, demand)| match demand {
                Demand::Is(value) => format!("{path}: {value}"),
                Demand::OneOf(values) => format!("{path}: [{}]", values.join(", ")),
                Demand::Begins(prefix) => format!("{path}: {{prefix: {prefix}}}"),
                Demand::Has(item) => format!("{path}: {{contains: {item}}}"),
                Demand::AtLeast(least) => format!("{path}: {{gte: {least}}}"),
                Demand::Below(most) => format!("{path}: {{lt: {most}}}"),
                Demand::Holds(value) => format!("{path}: {value}"),
            })
            .collect();
        let says = match effect {
            Effect::Deny => "deny: {message: this must not be}".to_owned(),
            Effect::Require(approvals) => format!(
                "require: {{stages: [{{name: release, approvals: {approvals}, \
                 from: [group:release-managers]}}]}}"
            ),
            Effect::Allow => "allow: {}".to_owned(),
        };
        let when = tests.join(", ");
        let _ = writeln!(text, "  - id: {id}\n    when: {{{when}}}\n    {says}");
    }
    text
}

/// Rego v1, weighed as we weigh: a deny refuses, else a require asks, else an allow permits.
pub(crate) fn rego(rules: &[Rule]) -> String {
    let mut text = "package assent\n\n".to_owned();
    for Rule { id, effect, tests } in rules {
        let set = match effect {
            Effect::Deny => "denies",
            Effect::Require(_) => "requires",
            Effect::Allow => "allows",
        };
        let _ = writeln!(text, "{set} contains {id:?} if {{");
        for (path, demand) in tests {
            let _ = match demand {
                Demand::Is(value) => writeln!(text, "\tinput.{path} == {value:?}"),
                Demand::OneOf(values) => writeln!(text, "\tinput.{path} in {values:?}"),
                Demand::Begins(prefix) => writeln!(text, "\tstartswith(input.{path}, {prefix:?})"),
                Demand::Has(item) => writeln!(text, "\t{item:?} in input.{path}"),
                Demand::AtLeast(least) => writeln!(text, "\tinput.{path} >= {least}"),
                Demand::Below(most) => writeln!(text, "\tinput.{path} < {most}"),
                Demand::Holds(value) => writeln!(text, "\tinput.{path} == {value}"),
            };
        }
        text.push_str("}\n\n");
    }
    text + REGO_DECISION
}

const REGO_DECISION: &str = r#"opinion := {"ruling": "refuse", "rules": denies, "reasons": denies} if {
	count(denies) > 0
} else := {"ruling": "require", "rules": requires | allows, "reasons": requires} if {
	count(requires) > 0
} else := {"ruling": "permit", "rules": allows} if {
	count(allows) > 0
} else := {"ruling": "refuse", "rules": []}
"#;
