//! What a reviewer must not miss, before anything else; and in one sentence what will happen.

use assent_core::plan::{Change, Facts, Plan};
use assent_core::wire;

use crate::web::plan::PlanPage;
use crate::web::text::plain;

/// How many changes a line of the list leads to.
const LED_TO: usize = 4;

/// How much a line weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Something ends, or is opened.
    Grave,
    /// Nobody knows.
    Unknown,
    /// To be known.
    Note,
}

impl Weight {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Grave => "grave",
            Self::Unknown => "unknown",
            Self::Note => "note",
        }
    }

    /// What it means, for those who do not see colours.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Grave => "Risk",
            Self::Unknown => "Not known",
            Self::Note => "Note",
        }
    }
}

/// What a change says of one of the facts of its plan.
type FactOf = fn(&Change) -> Option<bool>;

/// One thing not to be missed.
pub(super) struct RiskLine {
    pub(super) weight: Weight,
    pub(super) text: String,
    /// The changes it is about: the address and where it stands.
    pub(super) links: Vec<(String, String)>,
    /// How many more there are.
    pub(super) more: usize,
}

/// What of a plan is not to be missed. `shown` says whether the change of that number is on the page of
/// its request.
pub(super) fn of_plan(plan: &Plan, request: &str, shown: impl Fn(usize) -> bool) -> Vec<RiskLine> {
    let facts = &plan.facts;
    let mut lines = Vec::new();
    let mut line = |says: bool, weight, text: String, about: &dyn Fn(&Change) -> bool| {
        if says {
            let (links, more) = links(plan, request, &shown, about);
            lines.push(RiskLine { weight, text, links, more });
        }
    };
    let nothing = |_: &Change| false;
    let errored = facts.errored == Some(true);
    line(
        errored,
        Weight::Grave,
        "Planning failed halfway: this is not the whole plan".into(),
        &nothing,
    );
    let count = |count: u64, what: &str| format!("{what} {}", resources(count));
    let ends = |change: &Change| change.does("delete") && !change.replaces();
    line(facts.deletes > 0, Weight::Grave, count(facts.deletes, "Destroys"), &ends);
    let again = |change: &Change| change.replaces();
    let text = format!("{}: each is destroyed and made anew", count(facts.replaces, "Replaces"));
    line(facts.replaces > 0, Weight::Grave, text, &again);
    let facts_of: [(Option<bool>, FactOf, &str, &str); 3] = [
        (
            facts.touches_iam,
            |c| c.touches_iam,
            "Changes who may do what",
            "it changes who may do what",
        ),
        (
            facts.public_exposure,
            |c| c.public_exposure,
            "Opens something to everybody",
            "it opens something to everybody",
        ),
        (
            facts.provisioners,
            |c| c.provisioners,
            "Can run programs (provisioners)",
            "it can run programs (provisioners)",
        ),
    ];
    for (fact, of, known, unknown) in facts_of {
        let is = move |change: &Change| change.does_something() && of(change) == Some(true);
        line(fact == Some(true), Weight::Grave, known.to_owned(), &is);
        let may_be = move |change: &Change| change.does_something() && of(change).is_none();
        line(fact.is_none(), Weight::Unknown, format!("Whether {unknown} is not known"), &may_be);
    }
    let is_targeted = facts.complete == Some(false);
    let text =
        "Leaves some of the configuration undone: made with -target, or something is put off";
    line(is_targeted, Weight::Grave, text.into(), &nothing);
    let text = "Whether it is the whole configuration is not told by this version of Terraform";
    line(facts.complete.is_none(), Weight::Unknown, text.into(), &nothing);
    let forgets = |change: &Change| change.does("forget") && !change.replaces();
    line(facts.forgets > 0, Weight::Grave, count(facts.forgets, "No longer looks after"), &forgets);
    let later = |change: &Change| change.deferred.is_some();
    line(facts.deferred > 0, Weight::Note, count(facts.deferred, "Puts off"), &later);
    let text = format!("{} changed outside of Terraform since the last apply", were(facts.drifts));
    line(facts.drifts > 0, Weight::Note, text, &nothing);
    lines.sort_by_key(|line| line.weight);
    lines
}

/// The providers of a plan that are not among those of the one that was approved before it.
pub(super) fn new_providers(now: &Facts, before: Option<&Facts>) -> Option<RiskLine> {
    let before = before?;
    let fresh: Vec<_> =
        now.providers.difference(&before.providers).map(|name| plain(name)).collect();
    let text = match fresh.as_slice() {
        [] => return None,
        [one] => format!("Uses a provider that the plan approved last did not: {one}"),
        some => format!("Uses providers that the plan approved last did not: {}", some.join(", ")),
    };
    Some(RiskLine { weight: Weight::Grave, text, links: Vec::new(), more: 0 })
}

/// Nothing to say of a plan is worth saying.
pub(super) const CALM: &str = "It destroys nothing, changes nobody\u{2019}s rights, opens nothing to everybody and runs no programs.";

/// The most that is said of a plan in a list: one or two words each.
pub(super) fn marks(facts: &Facts) -> Vec<(&'static str, String)> {
    let mut marks = Vec::new();
    let mut mark = |says: bool, class: &'static str, text: String| {
        if says {
            marks.push((class, text));
        }
    };
    let is = |fact: Option<bool>| fact == Some(true);
    mark(is(facts.errored), "grave", "failed plan".into());
    mark(facts.deletes > 0, "grave", format!("destroys {}", facts.deletes));
    mark(facts.replaces > 0, "grave", format!("replaces {}", facts.replaces));
    mark(is(facts.touches_iam), "grave", "rights".into());
    mark(is(facts.public_exposure), "grave", "public".into());
    mark(is(facts.provisioners), "grave", "runs programs".into());
    mark(facts.complete == Some(false), "grave", "partial plan".into());
    let unknown = [facts.touches_iam, facts.public_exposure, facts.provisioners];
    mark(unknown.contains(&None), "unknown", "unknowns".into());
    marks
}

fn links(
    plan: &Plan,
    request: &str,
    shown: &impl Fn(usize) -> bool,
    about: &dyn Fn(&Change) -> bool,
) -> (Vec<(String, String)>, usize) {
    let numbered = plan.changes.iter().enumerate().map(|(index, change)| (index + 1, change));
    let found: Vec<_> = numbered.filter(|(_, change)| about(change)).collect();
    let link = |(number, change): &(usize, &Change)| {
        let place = match shown(*number) {
            true => format!("#change-{number}"),
            false => format!(
                "/requests/{request}/plan?page={}#change-{number}",
                PlanPage::holding(*number)
            ),
        };
        (plain(&change.address), place)
    };
    let links = found.iter().take(LED_TO).map(link).collect();
    (links, found.len().saturating_sub(LED_TO))
}

fn resources(count: u64) -> String {
    if count == 1 { "1 resource".to_owned() } else { format!("{count} resources") }
}

fn were(count: u64) -> String {
    if count == 1 { "1 resource was".to_owned() } else { format!("{count} resources were") }
}

/// What will happen, in one sentence without its end.
pub(super) fn sentence(
    intent: &wire::Intent,
    facts: Option<&Facts>,
    source: Option<&wire::Source>,
) -> String {
    let place = &intent.environment;
    match (intent.kind.as_str(), facts, source) {
        ("terraform.apply", Some(facts), _) => {
            format!("Terraform {} in {place}{}", does(facts), within(intent))
        }
        ("terraform.apply", None, _) => format!("Apply Terraform to {place}{}", within(intent)),
        (assent_core::github::DEPLOY, _, Some(source)) => {
            let commit: String = source.commit.chars().take(12).collect();
            format!("Deploy {} at commit {commit} to {place}", plain(&source.repository))
        }
        ("database.session", ..) => format!("Open a database session in {place}{}", within(intent)),
        (assent_core::policy::changes::KIND, ..) => format!("Change the policy{}", within(intent)),
        (kind, ..) => format!("{kind} in {place}{}", within(intent)),
    }
}

fn within(intent: &wire::Intent) -> String {
    let target = intent.target.iter().map(|(key, value)| format!("{key} {}", plain(value)));
    let target: Vec<_> = target.collect();
    if target.is_empty() { String::new() } else { format!(": {}", target.join(", ")) }
}

/// `destroys 2, replaces 1 and creates 5 resources`.
fn does(facts: &Facts) -> String {
    let counts = [
        (facts.deletes, "destroys"),
        (facts.replaces, "replaces"),
        (facts.forgets, "forgets"),
        (facts.updates, "changes"),
        (facts.creates, "creates"),
    ];
    let mut said: Vec<_> = counts.iter().filter(|(count, _)| *count > 0).collect();
    let Some((count, verb)) = said.pop() else { return "changes no resource".to_owned() };
    let last = format!("{verb} {}", resources(*count));
    match said.as_slice() {
        [] => last,
        some => {
            let some: Vec<_> = some.iter().map(|(count, verb)| format!("{verb} {count}")).collect();
            format!("{} and {last}", some.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use assent_core::plan::Limits;

    use super::*;

    fn facts(deletes: u64, updates: u64, creates: u64) -> Facts {
        Facts { deletes, updates, creates, ..Facts::default() }
    }

    fn intent(kind: &str) -> wire::Intent {
        wire::Intent {
            kind: kind.to_owned(),
            environment: "production".to_owned(),
            target: [("workspace".to_owned(), "orders".to_owned())].into(),
            ..wire::Intent::default()
        }
    }

    #[test]
    fn one_sentence_says_what_will_happen() {
        let told = |facts: &Facts| sentence(&intent("terraform.apply"), Some(facts), None);
        assert_eq!(
            told(&facts(2, 1, 5)),
            "Terraform destroys 2, changes 1 and creates 5 resources in production: workspace orders"
        );
        assert_eq!(
            told(&facts(1, 0, 0)),
            "Terraform destroys 1 resource in production: workspace orders"
        );
        assert!(told(&facts(0, 0, 0)).contains("changes no resource"));
        let other = sentence(&intent("cache.flush"), None, None);
        assert_eq!(other, "cache.flush in production: workspace orders");
    }

    #[test]
    fn t38_what_ends_stands_first_and_leads_to_its_change() {
        let bytes = include_bytes!("../../../tests/plans/own/made-many.json");
        let plan = Plan::parse(bytes, &Limits::default()).unwrap();
        let lines = of_plan(&plan, "req_1", |number| number == 1);
        let first = lines.first().unwrap();
        assert_eq!((first.weight, first.text.as_str()), (Weight::Grave, "Destroys 1 resource"));
        assert_eq!(first.links, [("terraform_data.gone".to_owned(), "#change-1".to_owned())]);
        let replaced = lines.iter().find(|line| line.text.starts_with("Replaces")).unwrap();
        assert_eq!(replaced.links[0].1, "/requests/req_1/plan?page=1#change-2");
        assert!(lines.is_sorted_by_key(|line| line.weight));
    }

    #[test]
    fn a_provider_that_was_not_there_before_is_told_of() {
        let with = |names: &[&str]| Facts {
            providers: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Facts::default()
        };
        let told =
            |now: &Facts, before: Option<&Facts>| new_providers(now, before).map(|line| line.text);
        assert_eq!(told(&with(&["aws"]), Some(&with(&["aws", "tls"]))), None);
        let fresh = told(&with(&["aws", "evil"]), Some(&with(&["aws"]))).unwrap();
        assert!(fresh.ends_with("did not: evil"), "{fresh}");
        assert_eq!(told(&with(&["aws"]), None), None, "nothing is known of what was before");
    }
}
