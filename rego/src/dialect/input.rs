//! The inputs that other products give their policies, as far as a request here has them.
//!
//! A member whose value is not known is left out, never guessed.

use serde_json::{Map, Value, json};

use super::Dialect;
use crate::question::{Party, Question, Review};

/// The input of a dialect.
pub(super) fn of(dialect: Dialect, question: &Question) -> Result<Value, String> {
    match dialect {
        Dialect::Assent => Ok(own(question)),
        Dialect::Conftest => plan(question).cloned(),
        Dialect::HcpTerraform => hcp_terraform(question),
        Dialect::SpaceliftPlan => spacelift_plan(question),
        Dialect::SpaceliftApproval => Ok(spacelift_approval(question)),
        Dialect::Env0 => env0(question),
        Dialect::Gatekeeper => gatekeeper(question),
    }
}

fn plan(question: &Question) -> Result<&Value, String> {
    question
        .plan
        .as_ref()
        .ok_or_else(|| "the policy reads a plan, and the request has none".to_owned())
}

/// An object of those members that are there.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
}

/// A member of the intent, or of its target.
fn intent<'a>(question: &'a Question, path: &str) -> Option<&'a Value> {
    question.intent.pointer(path)
}

fn target(question: &Question, name: &str) -> Option<Value> {
    question.intent.get("target")?.get(name).cloned()
}

fn text(text: &Option<String>) -> Option<Value> {
    text.clone().map(Value::String)
}

fn nanoseconds(ms: i64) -> Value {
    json!(ms.saturating_mul(1_000_000))
}

fn own(question: &Question) -> Value {
    object([
        ("request", text(&question.request)),
        ("intent", Some(question.intent.clone())),
        ("requester", Some(party(&question.requester))),
        ("environment", Some(question.environment.clone())),
        ("plan", question.facts.clone()),
        ("terraform", question.plan.clone()),
        ("reviews", Some(question.reviews.iter().map(review).collect())),
        ("signals", Some(question.signals.clone())),
        ("now", Some(json!({"ms": question.now_ms, "ns": nanoseconds(question.now_ms)}))),
    ])
}

fn party(party: &Party) -> Value {
    object([
        ("iss", Some(json!(party.issuer))),
        ("sub", Some(json!(party.subject))),
        ("kind", Some(json!(party.kind))),
        ("name", text(&party.name)),
        ("email", text(&party.email)),
        ("groups", Some(json!(party.groups))),
        ("ip", text(&party.address)),
    ])
}

fn review(review: &Review) -> Value {
    let verdict = if review.approves { "approve" } else { "deny" };
    json!({"by": party(&review.reviewer), "verdict": verdict, "at_ms": review.at_ms})
}

/// Name to be shown in products that know people by one name.
fn login(party: &Party) -> &str {
    &party.subject
}

/// As HCP Terraform documents it for OPA policies: `plan` and `run`.
fn hcp_terraform(question: &Question) -> Result<Value, String> {
    let plan = plan(question)?;
    let named = |name: &str| target(question, name).map(|name| json!({"name": name}));
    let workspace = object([
        ("name", target(question, "workspace")),
        ("tags", question.environment.pointer("/labels").cloned()),
        ("auto_apply", Some(json!(false))),
        ("working_directory", target(question, "directory")),
    ]);
    let run = object([
        ("id", text(&question.request)),
        ("created_by", Some(json!(login(&question.requester)))),
        ("message", intent(question, "/reason").cloned()),
        ("commit_sha", target(question, "commit")),
        ("is_destroy", Some(json!(destroys(plan)))),
        ("workspace", Some(workspace)),
        ("organization", named("organization")),
        ("project", named("project")),
        ("variables", plan.get("variables").cloned()),
    ]);
    Ok(json!({"plan": plan, "run": run}))
}

/// Whether there are changes and each only deletes.
fn destroys(plan: &Value) -> bool {
    let changes = plan.get("resource_changes").and_then(Value::as_array);
    let only_deletes =
        |change: &Value| change.pointer("/change/actions") == Some(&json!(["delete"]));
    changes.is_some_and(|changes| !changes.is_empty() && changes.iter().all(only_deletes))
}

/// As Spacelift documents its plan policies: `spacelift`, `terraform`, `third_party_metadata`.
fn spacelift_plan(question: &Question) -> Result<Value, String> {
    let plan = plan(question)?;
    let spacelift = object([
        ("commit", Some(commit(question))),
        ("request", Some(json!({"timestamp_ns": nanoseconds(question.now_ms)}))),
        ("run", Some(run(question))),
        ("stack", Some(stack(question))),
    ]);
    let terraform = object([
        ("resource_changes", Some(plan.get("resource_changes").cloned().unwrap_or(json!([])))),
        ("terraform_version", plan.get("terraform_version").cloned()),
    ]);
    Ok(json!({"spacelift": spacelift, "terraform": terraform, "third_party_metadata": {}}))
}

fn commit(question: &Question) -> Value {
    object([
        ("author", target(question, "author")),
        ("branch", target(question, "branch")),
        ("hash", target(question, "commit")),
    ])
}

fn run(question: &Question) -> Value {
    let changes = question.plan.as_ref().and_then(|plan| plan.get("resource_changes"));
    let changes = changes
        .and_then(Value::as_array)
        .map(|changes| changes.iter().flat_map(spacelift_changes).collect::<Vec<_>>());
    object([
        ("id", text(&question.request)),
        ("state", Some(json!("UNCONFIRMED"))),
        ("type", Some(json!("TRACKED"))),
        ("triggered_by", Some(json!(login(&question.requester)))),
        ("creator_session", Some(session(&question.requester))),
        ("changes", Some(json!(changes.unwrap_or_default()))),
    ])
}

/// One entry per action, as Spacelift lists them.
fn spacelift_changes(change: &Value) -> Vec<Value> {
    let actions = change.pointer("/change/actions").and_then(Value::as_array);
    let entry = |action: &Value| {
        let action = match action.as_str()? {
            "create" => "added",
            "delete" => "deleted",
            "update" => "changed",
            _ => return None,
        };
        let entity = object([
            ("address", change.get("address").cloned()),
            ("name", change.get("name").cloned()),
            ("type", change.get("type").cloned()),
            ("entity_vendor", Some(json!("terraform"))),
            ("entity_type", Some(json!("resource"))),
        ]);
        Some(json!({"action": action, "entity": entity, "phase": "plan"}))
    };
    actions.into_iter().flatten().filter_map(entry).collect()
}

fn session(party: &Party) -> Value {
    object([
        ("admin", Some(json!(false))),
        ("login", Some(json!(login(party)))),
        ("name", Some(json!(party.name.as_deref().unwrap_or(login(party))))),
        ("teams", Some(json!(party.groups))),
        ("machine", Some(json!(party.kind == "workload"))),
        ("creator_ip", text(&party.address)),
    ])
}

fn stack(question: &Question) -> Value {
    let labels = question.environment.get("labels").and_then(Value::as_object);
    let labels: Vec<Value> = labels
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some(json!(format!("{name}:{}", value.as_str()?))))
        .collect();
    object([
        ("id", target(question, "workspace")),
        ("name", target(question, "workspace")),
        ("branch", target(question, "branch")),
        ("repository", target(question, "repository")),
        ("labels", Some(json!(labels))),
        ("administrative", Some(json!(false))),
        ("autodeploy", Some(json!(false))),
    ])
}

/// As Spacelift documents its approval policies: only the newest review of each person is current.
fn spacelift_approval(question: &Question) -> Value {
    let mut current: Vec<&Review> = Vec::new();
    let mut older: Vec<&Review> = Vec::new();
    for review in question.reviews.iter().rev() {
        let known = current.iter().any(|seen| {
            seen.reviewer.issuer == review.reviewer.issuer
                && seen.reviewer.subject == review.reviewer.subject
        });
        if known { older.push(review) } else { current.push(review) }
    }
    json!({
        "reviews": {"current": spacelift_reviews(&current), "older": spacelift_reviews(&older)},
        "run": run(question),
        "stack": stack(question),
        "request": {"timestamp_ns": nanoseconds(question.now_ms)},
    })
}

fn spacelift_reviews(reviews: &[&Review]) -> Value {
    let told = |review: &&Review| {
        json!({
            "author": login(&review.reviewer),
            "session": session(&review.reviewer),
            "request": {"timestamp_ns": nanoseconds(review.at_ms)},
            "state": "UNCONFIRMED",
        })
    };
    let of = |approves: bool| -> Vec<Value> {
        reviews.iter().filter(|review| review.approves == approves).map(told).collect()
    };
    json!({"approvals": of(true), "rejections": of(false)})
}

/// As env0 documents its deployment policies.
fn env0(question: &Question) -> Result<Value, String> {
    let plan = plan(question)?;
    let kind = if destroys(plan) { "destroy" } else { "deploy" };
    let user = |party: &Party| {
        object([
            ("name", Some(json!(party.name.as_deref().unwrap_or(login(party))))),
            ("email", text(&party.email)),
            ("teams", Some(json!(party.groups))),
        ])
    };
    let approvers: Vec<Value> = question
        .reviews
        .iter()
        .filter(|review| review.approves)
        .map(|review| user(&review.reviewer))
        .collect();
    Ok(object([
        (
            "deploymentRequest",
            Some(object([
                ("type", Some(json!(kind))),
                ("triggerName", Some(json!("user"))),
                ("revision", target(question, "branch")),
            ])),
        ),
        ("template", Some(object([("repository", target(question, "repository"))]))),
        ("costEstimation", question.signals.get("cost").cloned()),
        ("plan", Some(plan.clone())),
        ("deployerUser", Some(user(&question.requester))),
        ("approvers", Some(json!(approvers))),
    ]))
}

/// As Gatekeeper gives it: what is to be admitted is the object in the intent's context, which the
/// intent's digest covers.
fn gatekeeper(question: &Question) -> Result<Value, String> {
    let admitted = intent(question, "/context/object").filter(|object| object.is_object());
    let admitted =
        admitted.ok_or("the policy reads an object, and the intent has no `context.object`")?;
    let meta = |name: &str| admitted.pointer(&format!("/metadata/{name}")).cloned();
    let api = admitted.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let (group, version) = api.split_once('/').unwrap_or(("", api));
    let kind = json!({"group": group, "version": version, "kind": admitted.get("kind")});
    let review = object([
        ("uid", text(&question.request)),
        ("kind", Some(kind)),
        (
            "operation",
            Some(intent(question, "/context/operation").cloned().unwrap_or(json!("UPDATE"))),
        ),
        ("name", meta("name")),
        ("namespace", meta("namespace")),
        ("object", Some(admitted.clone())),
        ("oldObject", intent(question, "/context/oldObject").cloned()),
        (
            "userInfo",
            Some(
                json!({"username": login(&question.requester), "groups": question.requester.groups}),
            ),
        ),
    ]);
    let parameters =
        if question.parameters.is_null() { json!({}) } else { question.parameters.clone() };
    Ok(json!({"review": review, "parameters": parameters}))
}
