//! By what the authority rules, as people read it: rules in sentences, who can approve by each, when
//! windows are open, and what it would say of an intent.

mod calendar;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use askama::Template;
use assent_core::membership::Membership;
use assent_core::policy::changes::KIND;
use assent_core::policy::telling::Told;
use assent_core::wire;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use crate::api::error::ApiError;
use crate::app::{AppError, Authority};
use crate::ledger::Search;
use crate::name::Name;
use crate::web::csrf::Ours;
use crate::web::people;
use crate::web::session::SignedIn;
use crate::web::text::plain;
use crate::web::view::{self, Page};
use crate::web::when;
use calendar::CalendarView;

/// How many rules a page has.
const PAGE: usize = 25;
/// How many calendars are shown day by day.
const MONTHS: usize = 5;
/// How many people of a group are named.
const NAMED: usize = 20;
/// How many groups and calendars are shown.
const MOST: usize = 40;

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PolicyQuery {
    q: String,
    after: String,
}

#[derive(Template)]
#[template(path = "policy.html")]
struct PolicyPage {
    page: Page,
    wanted: PolicyQuery,
    status: wire::PolicyStatus,
    since: String,
    changes: Vec<(String, String)>,
    rules: Vec<RuleView>,
    next: Option<String>,
    groups: Vec<GroupView>,
    more_groups: usize,
    calendars: Vec<CalendarView>,
    kept: Vec<KeptLine>,
}

struct RuleView {
    id: String,
    effect: &'static str,
    place: String,
    description: Option<String>,
    when: Vec<String>,
    then: Vec<String>,
    people: Vec<Name>,
    more: usize,
    elsewhere: Vec<String>,
}

struct GroupView {
    name: String,
    people: Vec<Name>,
    more: usize,
    whence: &'static str,
}

/// Something that came over the API.
struct KeptLine {
    name: String,
    by: Name,
    at: String,
}

impl RuleView {
    fn of(authority: &Authority, told: Told, membership: &Membership) -> Self {
        let people = membership.people(&told.approvers);
        let elsewhere = told.approvers.iter().filter_map(|approver| match approver {
            assent_core::membership::Approver::Group(group)
                if membership.is_kept_elsewhere(group) =>
            {
                Some(group.clone())
            }
            assent_core::membership::Approver::Group(_)
            | assent_core::membership::Approver::Person(_) => None,
        });
        Self {
            id: told.rule,
            effect: told.effect,
            place: plain(&told.place.to_string()),
            description: told.description.as_deref().map(plain),
            when: told.when.iter().map(|text| plain(text)).collect(),
            then: told.then.iter().map(|text| plain(text)).collect(),
            more: people.len().saturating_sub(NAMED),
            people: people.into_iter().take(NAMED).map(|who| authority.name_of(who)).collect(),
            elsewhere: elsewhere.collect(),
        }
    }

    fn holds(&self, words: &str) -> bool {
        let texts = [&self.id, &self.place].into_iter().chain(&self.description);
        let mut texts = texts.chain(&self.when).chain(&self.then);
        texts.any(|text| text.to_lowercase().contains(words))
            || self.people.iter().any(|who| who.holds(words))
    }
}

fn groups(authority: &Authority, membership: &Membership) -> Vec<GroupView> {
    let view = |name: &str| {
        let people = membership.members(name).into_iter().flatten();
        let people: Vec<_> = people.map(|who| authority.name_of(who)).collect();
        let whence = match (membership.is_vouched(name), membership.is_kept_elsewhere(name)) {
            (true, _) => "as the identity provider says",
            (false, true) => "a team at GitHub",
            (false, false) => "",
        };
        let more = people.len().saturating_sub(NAMED);
        let people = people.into_iter().take(NAMED).collect();
        GroupView { name: name.to_owned(), people, more, whence }
    };
    membership.names().map(view).collect()
}

pub(super) async fn page(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Query(wanted): Query<PolicyQuery>,
) -> Response {
    let (status, policy) = (authority.policy_status(Some(&me.caller)), authority.policy());
    let (membership, now) = (authority.membership(), authority.clock().now());
    let kept = match authority.kept(&me.caller).await {
        Ok(kept) => kept,
        Err(error) => return view::fault(error),
    };
    let open = Search {
        kind: Some(KIND.to_owned()),
        states: vec!["pending", "approved"],
        limit: 10,
        ..Search::default()
    };
    let changes = match authority.search(&me.caller, open).await {
        Ok(found) => found.lines,
        Err(error) => return view::fault(error),
    };
    let words = wanted.q.trim().to_lowercase();
    let told = policy
        .told(|one| people::approver(&authority, one))
        .filter(|told| told.rule > wanted.after);
    let mut rules: Vec<_> = told
        .map(|told| RuleView::of(&authority, told, &membership))
        .filter(|rule| rule.holds(&words))
        .take(PAGE + 1)
        .collect();
    let is_full = rules.len() > PAGE;
    rules.truncate(PAGE);
    let next = rules.last().filter(|_| is_full).map(|rule| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("q", &wanted.q).append_pair("after", &rule.id);
        query.finish()
    });
    let mut groups = groups(&authority, &membership);
    let more_groups = groups.len().saturating_sub(MOST);
    groups.truncate(MOST);
    let calendars = policy.calendars().take(MOST);
    view::html(&PolicyPage {
        page: me.page("Policy").at("/policy"),
        since: when::clock_of(&status.loaded_at),
        changes: changes
            .iter()
            .map(|listed| (listed.id.to_string(), plain(&listed.reason)))
            .collect(),
        rules,
        next,
        groups,
        more_groups,
        calendars: calendars
            .enumerate()
            .map(|(place, (name, calendar))| CalendarView::of(name, calendar, now, place < MONTHS))
            .collect(),
        kept: kept
            .into_iter()
            .map(|kept| KeptLine {
                name: plain(&kept.name),
                by: authority.name_read(&kept.by),
                at: when::clock(kept.at),
            })
            .collect(),
        status,
        wanted,
    })
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct TryForm {
    kind: String,
    environment: String,
    target: String,
    reason: String,
    plan: String,
    context: String,
    json: String,
}

#[derive(Template)]
#[template(path = "try.html")]
struct TryPage {
    page: Page,
    form: TryForm,
    kinds: Vec<String>,
    environments: Vec<String>,
    fault: Option<String>,
    faults: Vec<String>,
    verdict: Option<Verdict>,
}

/// What policy would say, and why.
struct Verdict {
    sentence: String,
    word: &'static str,
    says: &'static str,
    reasons: Vec<String>,
    stages: Vec<String>,
    decided: Vec<AccountView>,
    others: Vec<AccountView>,
    risk: Option<String>,
}

struct AccountView {
    rule: String,
    effect: String,
    result: String,
    mark: &'static str,
    note: String,
    conditions: Vec<ConditionLine>,
}

struct ConditionLine {
    depth: usize,
    demand: String,
    found: String,
    result: String,
    decides: bool,
}

fn conditions(accounts: &[wire::ConditionAccount], depth: usize, lines: &mut Vec<ConditionLine>) {
    for account in accounts {
        lines.push(ConditionLine {
            depth: depth.min(4),
            demand: plain(&account.demand),
            found: plain(&account.found),
            result: account.result.clone(),
            decides: account.decides,
        });
        conditions(&account.within, depth + 1, lines);
    }
}

impl AccountView {
    fn of(account: &wire::Account) -> Self {
        let mut lines = Vec::new();
        conditions(&account.conditions, 0, &mut lines);
        let opinion = account.opinion.as_ref().map(|opinion| match opinion {
            wire::Opinion::Answered { denies, warns, .. } => {
                let said: Vec<_> = denies.iter().chain(warns).map(String::as_str).collect();
                plain(&format!("its engine answered {}", said.join("; ")))
            }
            wire::Opinion::Failed { reason } => plain(&format!("its engine failed: {reason}")),
        });
        let waived = account.waived.then(|| "waived by another rule".to_owned());
        let suspended =
            account.suspended.then(|| "suspended: a later review is overdue".to_owned());
        let notes: Vec<_> = waived.into_iter().chain(suspended).chain(opinion).collect();
        Self {
            rule: account.rule.clone(),
            effect: account.effect.clone(),
            mark: match account.result.as_str() {
                "matched" => "yes",
                "not matched" => "meta",
                _ => "no",
            },
            result: account.result.clone(),
            note: notes.join("; "),
            conditions: lines,
        }
    }
}

impl Verdict {
    fn of(authority: &Authority, intent: &wire::Intent, decision: &wire::Decision) -> Self {
        let ruling = &decision.ruling;
        let (word, says) = match ruling.outcome {
            wire::Said::Permit => ("approved", "It would be granted at once; nobody is asked."),
            wire::Said::Require => ("pending", "People would be asked."),
            wire::Said::Refuse => ("denied", "It would be refused."),
        };
        let stage = |stage: &wire::Stage| {
            let count = if stage.approvals == 1 { "one person" } else { "people" };
            let from: Vec<_> =
                stage.from.iter().map(|one| people::approver_text(authority, one)).collect();
            let from = from.join(", ");
            match stage.approvals {
                1 => plain(&format!("{count} of {from}")),
                many => plain(&format!("{many} {count} of {from}")),
            }
        };
        let reason =
            |reason: &wire::RefusalReason| plain(&format!("{} ({})", reason.message, reason.rule));
        let accounts = decision.explanation.iter().map(AccountView::of);
        let (decided, others) = accounts.partition(|account| account.result != "not matched");
        Self {
            sentence: view::sentence(intent),
            word,
            says,
            reasons: ruling.reasons.iter().map(reason).collect(),
            stages: ruling.stages.iter().map(stage).collect(),
            decided,
            others,
            risk: ruling.risk.map(|risk| match risk.least == risk.most {
                true => risk.least.to_string(),
                false => format!("{} to {}", risk.least, risk.most),
            }),
        }
    }
}

fn tried(
    authority: &Authority,
    me: &SignedIn,
    form: TryForm,
    outcome: Option<Result<Verdict, AppError>>,
) -> Response {
    let policy = authority.policy();
    let (verdict, error) = match outcome {
        Some(Ok(verdict)) => (Some(verdict), None),
        Some(Err(error)) => (None, Some(ApiError::from(error))),
        None => (None, None),
    };
    if let Some(error) = &error {
        error.log();
    }
    let faults = error.iter().flat_map(ApiError::faults).map(|text| plain(&text));
    view::html(&TryPage {
        page: me.page("Try an intent").at("/policy"),
        kinds: policy.kinds().into_iter().take(MOST).map(str::to_owned).collect(),
        environments: policy.environments().take(MOST).map(str::to_owned).collect(),
        faults: faults.collect(),
        fault: error.as_ref().map(|error| plain(error.detail())),
        verdict,
        form,
    })
}

pub(super) async fn form(State(authority): State<Arc<Authority>>, me: SignedIn) -> Response {
    tried(&authority, &me, TryForm::default(), None)
}

/// What policy would say of this intent, filed by whoever asks. Nothing is stored.
pub(super) async fn attempt(
    State(authority): State<Arc<Authority>>,
    Ours { me, form }: Ours<TryForm>,
) -> Response {
    let outcome = match intent(&form) {
        Ok(intent) => match authority.decide(&me.caller, intent.clone()).await {
            Ok(decision) => Ok(Verdict::of(&authority, &intent, &decision)),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    tried(&authority, &me, form, Some(outcome))
}

/// The intent of the form; pasted JSON, an intent or a filing with one, before its fields.
fn intent(form: &TryForm) -> Result<wire::Intent, AppError> {
    let bad = |field, problem: String| AppError::Field { field, problem };
    let json = |field, text: &str| {
        assent_core::canonical::parse(text.as_bytes())
            .map_err(|error| bad(field, error.to_string()))
    };
    if !form.json.trim().is_empty() {
        let value = json("json", form.json.trim())?;
        let value = value.get("intent").cloned().unwrap_or(value);
        return serde_json::from_value(value).map_err(|error| bad("json", error.to_string()));
    }
    let context = match form.context.trim() {
        "" => serde_json::Map::new(),
        text => {
            let serde_json::Value::Object(context) = json("context", text)? else {
                return Err(bad("context", "expected a JSON object".to_owned()));
            };
            context
        }
    };
    let mut target = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for line in form.target.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let Some((key, value)) = line.split_once('=') else {
            return Err(bad("target", format!("write `{line}` as key=value")));
        };
        if !seen.insert(key.trim().to_owned()) {
            return Err(bad("target", format!("`{}` stands there twice", key.trim())));
        }
        target.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    let named = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    Ok(wire::Intent {
        kind: form.kind.trim().to_owned(),
        environment: form.environment.trim().to_owned(),
        target,
        plan: named(&form.plan),
        context,
        reason: named(&form.reason).unwrap_or_else(|| "to see what policy says".to_owned()),
        ..wire::Intent::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(target: &str, context: &str, json: &str) -> TryForm {
        TryForm {
            kind: "k".to_owned(),
            environment: "e".to_owned(),
            target: target.to_owned(),
            context: context.to_owned(),
            json: json.to_owned(),
            ..TryForm::default()
        }
    }

    #[test]
    fn fields_and_pasted_json_make_the_same_intent() {
        let typed = intent(&form("a = b\r\nc=d=e\n", "{\"n\": 1}", "")).unwrap();
        assert_eq!(typed.target["c"], "d=e");
        let pasted = serde_json::json!({"intent": typed}).to_string();
        assert_eq!(intent(&form("", "", &pasted)).unwrap(), typed);
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_field() {
        let field = |form: TryForm| match intent(&form) {
            Err(AppError::Field { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(form("a", "", "")), "target");
        assert_eq!(field(form("a=1\na=2", "", "")), "target");
        assert_eq!(field(form("", "[]", "")), "context");
        assert_eq!(field(form("", "", "{\"kind\": 1}")), "json");
        assert_eq!(field(form("", "", "{\"a\": 1, \"a\": 2}")), "json");
    }
}
