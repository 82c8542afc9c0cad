//! The native evaluator and its own Rego export rule the same, in thousands of generated
//! situations of every policy in `tests/policies` and of one that uses every operator.
//!
//! The export goes through the load profile like anybody's module, and its ruling is compared whole.

mod situations;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assent_core::policy::Policy as Native;
use assent_core::policy::cases::Case;
use assent_core::policy::document::PolicyDocument;
use assent_core::policy::export;
use assent_core::policy::ruling::{Escalation, Outcome, PostReview, Reason, Ruling, Stage};
use assent_core::time::Span;
use serde_json::{Value, json};

use crate::engine::{self, Engine};
use crate::equivalence::situations::{Chance, Told, generated};
use crate::{Dialect, Module, Policy, Version};

/// Situations of one policy, beside those its cases tell.
const EACH: usize = 800;

#[test]
fn the_native_evaluator_rules_as_its_own_export() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let themes = here.parent().unwrap().join("tests/policies");
    let entries = std::fs::read_dir(themes).unwrap().map(|entry| entry.unwrap().path());
    let mut policies: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    policies.push(here.join("tests/corpus/every-operator"));
    policies.sort();
    // Each processor takes every so-manieth policy.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let compared: usize = std::thread::scope(|scope| {
        let share = |first: usize| policies.iter().skip(first).step_by(threads);
        let work =
            |first| scope.spawn(move || share(first).map(|path| compare(path)).sum::<usize>());
        let each: Vec<_> = (0..threads).map(work).collect();
        each.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(compared >= 20_000, "only {compared} situations");
}

/// Compares over one policy, and tells how many situations there were.
fn compare(directory: &Path) -> usize {
    let files = files(directory, "");
    let native = Native::compile(&files).unwrap();
    let no_plan = |_: &str| Err("plans of files are not read here".to_owned());
    let read = |files: &[PolicyDocument]| Case::read(files, &native, &no_plan);
    // What is told of plans in files is left out, file by file.
    let readable = |file: &&PolicyDocument| read(std::slice::from_ref(*file)).is_ok();
    let told: Vec<PolicyDocument> = files.iter().filter(readable).cloned().collect();
    let cases = read(&told).unwrap();
    for case in &cases {
        let differences = case.run(&native, &|_| None).differences;
        assert!(differences.is_empty(), "{}: {}: {differences:?}", directory.display(), case.name);
    }
    let told: Vec<Told> = cases.iter().map(|case| Told::of(case, &native)).collect();
    if told.is_empty() {
        return 0;
    }
    let mut engine = engine(&native.to_rego());
    let mut chance = Chance(0);
    let more = std::iter::repeat_with(|| generated(&told, &native, &mut chance)).take(EACH);
    let mut compared = 0;
    for situation in told.iter().cloned().chain(more) {
        let situation = situation.situation();
        let input = export::input(&situation);
        let found = match asked(&mut engine, &input) {
            engine::Outcome::Value(ruling) => unordered(ruling),
            other @ (engine::Outcome::Undefined | engine::Outcome::Error(_)) => {
                panic!("{}: {other:?}\n{input}", directory.display())
            }
        };
        let expected = unordered(told_as_json(&native.rule(&situation)));
        assert_eq!(expected, found, "{}:\n{input}", directory.display());
        compared += 1;
    }
    compared
}

fn engine(module: &str) -> Engine {
    let module = Module::new("export.rego", module, Version::V1).unwrap();
    let policy = Policy::new(Dialect::HcpTerraform, vec![module]).unwrap();
    let policy = policy.with_query(export::QUERY).unwrap();
    Engine::load(&policy, Duration::from_secs(20)).unwrap()
}

fn asked(engine: &mut Engine, input: &Value) -> engine::Outcome {
    let input = regorus::Value::from(input.clone());
    engine.evaluate(input, 0, false).outcomes.remove("query").unwrap()
}

fn files(directory: &Path, within: &str) -> Vec<PolicyDocument> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let file = format!("{within}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            all.extend(files(&entry.path(), &format!("{file}/")));
        } else if [".yaml", ".rego"].iter().any(|end| file.ends_with(end)) {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            all.push(PolicyDocument { file, text });
        }
    }
    all.sort_by(|one, other| one.file.cmp(&other.file));
    all
}

/// A ruling as the export writes it.
fn told_as_json(ruling: &Ruling) -> Value {
    let mut told = json!({
        "rules": ruling.rules,
        "notify": words(&ruling.notify),
        "risk": ruling.risk.map(|score| [score.least, score.most]),
        "post_reviews": ruling.post_reviews.iter().map(review).collect::<Vec<_>>(),
    });
    let mut tell = |more: Value| {
        let (Value::Object(all), Value::Object(more)) = (&mut told, more) else { unreachable!() };
        all.extend(more);
    };
    let terms = match &ruling.outcome {
        Outcome::Refuse(reasons) => {
            let reasons: BTreeSet<&Reason> = reasons.iter().collect();
            // What is missing, only the native evaluator tells.
            let spoken = |reason: &Reason| match reason.rule.starts_with("indeterminate:") {
                true => reason.message.split(": ").next().unwrap_or_default().to_owned(),
                false => reason.message.clone(),
            };
            let reason = |reason: &Reason| json!({"rule": reason.rule, "message": spoken(reason)});
            let reasons: Vec<Value> = reasons.into_iter().map(reason).collect();
            tell(json!({"ruling": "refuse", "reasons": reasons}));
            return told;
        }
        Outcome::Permit(terms) => {
            tell(json!({"ruling": "permit"}));
            terms
        }
        Outcome::Require(requirement) => {
            tell(json!({
                "ruling": "require",
                "expires_after": requirement.expires_after.as_seconds(),
                "stages": requirement.stages.iter().map(stage).collect::<Vec<_>>(),
            }));
            &requirement.terms
        }
    };
    tell(json!({
        "max_ttl": terms.max_ttl.as_seconds(),
        "uses": terms.uses,
        "grant_window": terms.grant_window.as_seconds(),
        "audiences": terms.audiences,
        "broker": terms.broker,
        "role": terms.role,
        "heartbeat": terms.heartbeat.map(Span::as_seconds),
        "reuse_within_run": terms.reuse_within_run,
        "dpop": terms.dpop.map(|dpop| dpop.word()),
    }));
    told
}

fn stage(stage: &Stage) -> Value {
    json!({
        "name": stage.name,
        "rules": stage.rules,
        "approvals": stage.approvals,
        "from": words(&stage.from),
        "exclude": words(&stage.exclude),
        "after": stage.after,
        "login_within": stage.login_within.map(Span::as_seconds),
        "acr": stage.means.acr,
        "amr": stage.means.amr,
        "signature": stage.signature.map(|demand| json!({
            "device_bound": demand.device_bound,
            "enrolled_for": demand.enrolled_for.map(Span::as_seconds),
            "vouched": demand.vouched,
        })),
        "expires_after": stage.expires_after.map(Span::as_seconds),
        "remind": stage.remind.map(Span::as_seconds),
        "escalate": stage.escalate.as_ref().map(escalation),
    })
}

fn escalation(escalation: &Escalation) -> Value {
    json!({
        "after": escalation.after.as_seconds(),
        "to": words(&escalation.to),
        "then_expire_after": escalation.then_expire_after.map(Span::as_seconds),
    })
}

fn review(review: &PostReview) -> Value {
    json!({
        "rule": review.rule,
        "approvals": review.approvals,
        "by": words(&review.by),
        "within": review.within.as_seconds(),
        "suspend": review.suspend,
        "notify": words(&review.notify),
    })
}

fn words<T: ToString>(all: impl IntoIterator<Item = T>) -> Vec<String> {
    all.into_iter().map(|one| one.to_string()).collect()
}

/// The same with every list in one order: those of a ruling are sets, but for the score's two ends,
/// of which the lower one comes first in any order.
fn unordered(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(unordered).collect();
            items.sort_by_cached_key(|item| {
                item.as_u64().map_or(item.to_string(), |n| format!("{n:020}"))
            });
            Value::Array(items)
        }
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, unordered(value))).collect()
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}
