//! What the values of a policy's rules mean: an opinion, or none.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Dialect;
use crate::engine::Outcome;
use crate::opinion::{Opinion, failed};

/// More messages, and longer ones, than anybody reads.
const MAX_MESSAGES: usize = 100;
const MAX_MESSAGE_CHARS: usize = 1_000;

type Outcomes = BTreeMap<String, Outcome>;

/// What the outcomes mean in a dialect. Whatever is not foreseen is no answer.
pub(super) fn of(dialect: Dialect, outcomes: &Outcomes) -> Opinion {
    let read = match dialect {
        Dialect::Assent => assent(outcomes),
        Dialect::Conftest => conftest_rules(outcomes),
        Dialect::HcpTerraform => {
            required(outcomes, "query", &anything).map(|denies| said(denies, Vec::new(), false))
        }
        Dialect::SpaceliftPlan => objections(outcomes, &["warn"], &text),
        Dialect::SpaceliftApproval => approval(outcomes),
        Dialect::Env0 => objections(outcomes, &["pending", "warn"], &text),
        Dialect::Gatekeeper => {
            required(outcomes, "violation", &with_msg).map(|denies| said(denies, Vec::new(), false))
        }
    };
    read.unwrap_or_else(failed)
}

/// An answer in which an objection leaves no consent.
fn said(denies: Vec<String>, warns: Vec<String>, allows: bool) -> Opinion {
    let allows = allows && denies.is_empty() && warns.is_empty();
    Opinion::Answered { denies, warns, allows }
}

/// What a conftest rule of this name says, and its suffix.
pub(super) fn conftest(name: &str) -> Option<(Said, &str)> {
    let kinds = [("deny", Said::Deny), ("violation", Said::Deny), ("warn", Said::Warn)];
    kinds.into_iter().find_map(|(kind, said)| match name.strip_prefix(kind)? {
        "" => Some((said, "")),
        rest => rest.strip_prefix('_').filter(|suffix| !suffix.is_empty()).map(|s| (said, s)),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Deny,
    Warn,
}

fn conftest_rules(outcomes: &Outcomes) -> Result<Opinion, String> {
    let mut excepted = BTreeSet::new();
    if outcomes.contains_key("exception") {
        for entry in elements(outcomes, "exception")? {
            let names = entry.as_array().ok_or("an `exception` is not a list of rule names")?;
            for name in names {
                let name = name.as_str().ok_or("an `exception` holds what is no rule name")?;
                excepted.insert(name.to_owned());
            }
        }
    }
    let (mut denies, mut warns) = (Vec::new(), Vec::new());
    for name in outcomes.keys() {
        let Some((said, suffix)) = conftest(name) else { continue };
        // Read even if it is excepted: a policy that fails has said nothing.
        let messages = required(outcomes, name, &with_msg_or_text)?;
        match said {
            _ if excepted.contains(suffix) => {}
            Said::Deny => denies.extend(messages),
            Said::Warn => warns.extend(messages),
        }
    }
    Ok(self::said(denies, warns, false))
}

/// `deny`, the rules that ask, and `allow` where there is one.
fn objections(outcomes: &Outcomes, asking: &[&str], read: Reader<'_>) -> Result<Opinion, String> {
    let denies = optional(outcomes, "deny", read)?;
    let mut warns = Vec::new();
    for name in asking {
        warns.extend(optional(outcomes, name, read)?);
    }
    let allows = optional(outcomes, "allow", read)?;
    Ok(said(denies, warns, !allows.is_empty()))
}

fn approval(outcomes: &Outcomes) -> Result<Opinion, String> {
    let holds = |name: &str| match outcomes.get(name) {
        None | Some(Outcome::Undefined | Outcome::Value(Value::Bool(false))) => Ok(false),
        Some(Outcome::Value(Value::Bool(true))) => Ok(true),
        Some(Outcome::Value(_)) => Err(format!("`{name}` is neither true nor false")),
        Some(Outcome::Error(error)) => Err(format!("`{name}` cannot be evaluated: {error}")),
    };
    Ok(match (holds("approve")?, holds("reject")?) {
        (_, true) => said(vec!["the policy rejects it".to_owned()], Vec::new(), false),
        (true, false) => said(Vec::new(), Vec::new(), true),
        (false, false) => said(
            Vec::new(),
            vec!["the policy neither approves nor rejects it yet".to_owned()],
            false,
        ),
    })
}

/// One object: `ruling`, `reasons`, `rules`.
fn assent(outcomes: &Outcomes) -> Result<Opinion, String> {
    let Value::Object(opinion) = value(outcomes, "opinion")? else {
        return Err("the opinion is not an object".to_owned());
    };
    if let Some(field) =
        opinion.keys().find(|field| !matches!(field.as_str(), "ruling" | "reasons" | "rules"))
    {
        let bound = matches!(field.as_str(), "stages" | "max_ttl");
        return Err(if bound {
            format!(
                "the opinion has `{field}`; the rule that asks says that, not the policy it asks"
            )
        } else {
            format!("the opinion has the unknown field `{field}`")
        });
    }
    let mut reasons = texts(opinion, "reasons")?;
    let rules = texts(opinion, "rules")?;
    let ruling = opinion.get("ruling").and_then(Value::as_str);
    let ruling = ruling.ok_or("the opinion has no `ruling`: permit, require or refuse")?;
    if reasons.is_empty() {
        let by = if rules.is_empty() { String::new() } else { format!(" by {}", rules.join(", ")) };
        reasons.push(format!("the policy rules {ruling}{by}"));
    }
    match ruling {
        "refuse" => Ok(said(reasons, Vec::new(), false)),
        "require" => Ok(said(Vec::new(), reasons, false)),
        "permit" => Ok(said(Vec::new(), Vec::new(), true)),
        other => Err(format!("`{}` is no ruling", short(other))),
    }
}

fn texts(object: &Map<String, Value>, field: &str) -> Result<Vec<String>, String> {
    match object.get(field) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => collected(items, field, &text),
        Some(_) => Err(format!("`{field}` is not a list of texts")),
    }
}

/// How an element becomes a message. Nothing where it has another shape.
type Reader<'a> = &'a dyn Fn(&Value) -> Option<String>;

fn text(element: &Value) -> Option<String> {
    element.as_str().map(str::to_owned)
}

fn with_msg(element: &Value) -> Option<String> {
    element.get("msg").and_then(Value::as_str).map(str::to_owned)
}

fn with_msg_or_text(element: &Value) -> Option<String> {
    text(element).or_else(|| with_msg(element))
}

fn anything(element: &Value) -> Option<String> {
    let named = ["msg", "message", "description"].into_iter().find_map(|key| element.get(key));
    text(element).or_else(|| named.and_then(text)).or_else(|| Some(element.to_string()))
}

/// The messages of a rule that may be missing from the policy.
fn optional(outcomes: &Outcomes, name: &str, read: Reader<'_>) -> Result<Vec<String>, String> {
    if outcomes.contains_key(name) { required(outcomes, name, read) } else { Ok(Vec::new()) }
}

fn required(outcomes: &Outcomes, name: &str, read: Reader<'_>) -> Result<Vec<String>, String> {
    collected(elements(outcomes, name)?, name, read)
}

fn collected(elements: &[Value], name: &str, read: Reader<'_>) -> Result<Vec<String>, String> {
    let read = |element: &Value| {
        let message = read(element).map(|message| short(&message));
        message.ok_or_else(|| {
            format!("an element of `{name}` is no message: {}", short(&element.to_string()))
        })
    };
    let messages: Vec<String> = elements.iter().map(read).collect::<Result<_, _>>()?;
    Ok(messages.into_iter().take(MAX_MESSAGES).collect())
}

fn elements<'a>(outcomes: &'a Outcomes, name: &str) -> Result<&'a [Value], String> {
    value(outcomes, name)?
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| format!("`{name}` is not a set"))
}

fn value<'a>(outcomes: &'a Outcomes, name: &str) -> Result<&'a Value, String> {
    match outcomes.get(name) {
        Some(Outcome::Value(value)) => Ok(value),
        Some(Outcome::Undefined) | None => Err(format!("`{name}` is undefined")),
        Some(Outcome::Error(error)) => Err(format!("`{name}` cannot be evaluated: {error}")),
    }
}

/// Fit for one line of a ruling.
fn short(text: &str) -> String {
    let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    one_line.take(MAX_MESSAGE_CHARS).collect()
}
