//! The session policy: what is set up, with what was approved filled in, and an end.

use std::collections::BTreeMap;

use assent_core::grant::Grant;
use assent_core::intent::Intent;
use assent_core::time::Timestamp;
use serde_json::{Value, json};

/// The longest inline session policy, in characters (STS API Reference, `Policy`).
const LONGEST: usize = 2048;
/// The only language of policies there is.
const VERSION: &str = "2012-10-17";
/// Everything that makes a session of somebody else of this one: of a role, and of the root of a member
/// account (`sts:AssumeRoot`).
const ASSUMING: &str = "sts:Assume*";
/// How the ids of our own statements begin.
const OURS: &str = "Assent";

/// What can be filled in.
pub(super) struct Facts<'a> {
    request: String,
    credential: String,
    environment: &'a str,
    kind: &'a str,
    target: &'a BTreeMap<String, String>,
}

impl<'a> Facts<'a> {
    /// Of what somebody wants. What is not known yet is as long as it will be.
    pub(super) fn sought(intent: &'a Intent) -> Self {
        let (request, credential) = ("0".repeat(30), "0".repeat(30));
        let (environment, kind, target) = (intent.environment(), intent.kind(), intent.target());
        Self { request, credential, environment, kind, target }
    }

    /// Of what was granted.
    pub(super) fn granted(grant: &'a Grant) -> Self {
        let (request, credential) = (grant.request().to_string(), grant.credential().to_string());
        let (environment, kind, target) = (grant.environment(), grant.kind(), grant.target());
        Self { request, credential, environment, kind, target }
    }

    /// What stands for this place. Only what means nothing but itself in a policy: no wildcard, no
    /// variable, nothing that ends one part of an ARN and begins the next.
    fn fill(&self, place: &str) -> Result<&str, String> {
        let value = match place {
            "request" => &self.request,
            "credential" => &self.credential,
            "environment" => self.environment,
            "kind" => self.kind,
            _ => {
                let found = place.strip_prefix("target.").and_then(|name| self.target.get(name));
                found.ok_or_else(|| {
                    format!("its session policy needs `{place}`, which is not said")
                })?
            }
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        match (1..=128).contains(&value.len()) && value.chars().all(plain) {
            true => Ok(value),
            false => Err(format!(
                "`{place}` goes into its session policy, so it may have 1 to 128 letters, digits, \
                 `-`, `_` and `.`"
            )),
        }
    }
}

/// Whether a place of this name can be filled.
fn is_known(place: &str) -> bool {
    matches!(place, "request" | "credential" | "environment" | "kind")
        || place.strip_prefix("target.").is_some_and(|name| !name.is_empty())
}

/// A session policy with its places still open.
#[derive(Debug)]
pub(super) struct SessionPolicy {
    statements: Vec<Value>,
    may_chain: bool,
}

impl SessionPolicy {
    /// Everything that the role may do.
    pub(super) fn whole(may_chain: bool) -> Self {
        let everything = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        Self { statements: vec![everything], may_chain }
    }

    /// Nothing of its own: others say what is allowed.
    pub(super) fn none(may_chain: bool) -> Self {
        Self { statements: Vec::new(), may_chain }
    }

    /// What this document allows.
    pub(super) fn written(document: &Value, may_chain: bool) -> Result<Self, String> {
        let members = document.as_object().ok_or("a policy is an object")?;
        if let Some(other) =
            members.keys().find(|key| !["Version", "Id", "Statement"].contains(&key.as_str()))
        {
            return Err(format!("`{other}` is not a part of a policy"));
        }
        if document.get("Version").and_then(Value::as_str) != Some(VERSION) {
            return Err(format!("write `\"Version\": \"{VERSION}\"`"));
        }
        let statements = match document.get("Statement") {
            Some(Value::Array(all)) if !all.is_empty() => all.clone(),
            Some(one @ Value::Object(_)) => vec![one.clone()],
            _ => return Err("say in `Statement` what a session may do".to_owned()),
        };
        statements.iter().try_for_each(check_statement)?;
        Ok(Self { statements, may_chain })
    }

    /// With everything filled in, until then, as AWS takes it.
    pub(super) fn filled(&self, facts: &Facts<'_>, until: Timestamp) -> Result<String, String> {
        let filled = self.statements.iter().map(|one| filled(one, facts));
        let mut statements = filled.collect::<Result<Vec<_>, _>>()?;
        statements.push(json!({
            "Sid": format!("{OURS}End"), "Effect": "Deny", "Action": "*", "Resource": "*",
            "Condition": {"DateGreaterThanEquals": {"aws:CurrentTime": whole_second(until)}},
        }));
        if !self.may_chain {
            statements.push(json!({
                "Sid": format!("{OURS}Role"), "Effect": "Deny", "Action": ASSUMING,
                "Resource": "*",
            }));
        }
        let text = json!({"Version": VERSION, "Statement": statements}).to_string();
        match text.chars().count() {
            ..=LONGEST => Ok(text),
            length => Err(format!(
                "its session policy has {length} characters with what is filled in, and AWS takes \
                 {LONGEST}"
            )),
        }
    }
}

fn check_statement(statement: &Value) -> Result<(), String> {
    let members = statement.as_object().ok_or("a statement is an object")?;
    if !matches!(members.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
        return Err("`Effect` is `Allow` or `Deny`".to_owned());
    }
    if members.keys().any(|key| key.ends_with("Principal")) {
        return Err("a session policy names no principal".to_owned());
    }
    let sid = members.get("Sid").and_then(Value::as_str);
    if sid.is_some_and(|sid| sid.starts_with(OURS)) {
        return Err(format!("a `Sid` that begins with `{OURS}` is ours"));
    }
    check_texts(statement)
}

/// Every place is one that can be filled, and stands where a value does.
fn check_texts(value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) => {
            if text.chars().any(|c| c > '\u{ff}' || c.is_control()) {
                return Err(format!("AWS does not take `{text}` in a policy"));
            }
            let unknown = |place: &str| match is_known(place) {
                true => Ok(String::new()),
                false => Err(format!(
                    "nothing fills `{{{{{place}}}}}`: there are environment, kind, request, \
                     credential and target.NAME"
                )),
            };
            replaced(text, &unknown).map(drop)
        }
        Value::Array(all) => all.iter().try_for_each(check_texts),
        Value::Object(members) => {
            if let Some(key) = members.keys().find(|key| key.contains("{{")) {
                return Err(format!("`{key}`: only values are filled in"));
            }
            members.values().try_for_each(check_texts)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn filled(value: &Value, facts: &Facts<'_>) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => {
            Value::String(replaced(text, &|place| facts.fill(place).map(str::to_owned))?)
        }
        Value::Array(all) => {
            Value::Array(all.iter().map(|one| filled(one, facts)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let each = members.iter().map(|(key, one)| Ok((key.clone(), filled(one, facts)?)));
            Value::Object(each.collect::<Result<_, String>>()?)
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other.clone(),
    })
}

/// The text with each `{{place}}` replaced.
fn replaced(text: &str, with: &dyn Fn(&str) -> Result<String, String>) -> Result<String, String> {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let unclosed = || format!("`{text}`: `{{{{` without `}}}}`");
        let (place, after) = after.split_once("}}").ok_or_else(unclosed)?;
        whole.push_str(before);
        whole.push_str(&with(place.trim())?);
        rest = after;
    }
    Ok(whole + rest)
}

/// As policies write it, and never later than it is.
fn whole_second(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('.').map_or(text.clone(), |(whole, _)| format!("{whole}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(document: Value) -> Result<SessionPolicy, String> {
        SessionPolicy::written(&document, false)
    }

    fn bucket(resource: &str) -> Value {
        let statement = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource});
        json!({"Version": VERSION, "Statement": [statement]})
    }

    fn facts(target: &BTreeMap<String, String>) -> Facts<'_> {
        let (request, credential) = ("req_1".to_owned(), "crd_1".to_owned());
        Facts { request, credential, environment: "production", kind: "terraform.apply", target }
    }

    fn end() -> Timestamp {
        Timestamp::from_millis(1_800_000_000_999)
    }

    #[test]
    fn a_session_policy_has_what_is_set_up_filled_in_and_an_end() {
        let policy = written(bucket("arn:aws:s3:::{{target.bucket}}/{{ request }}/${aws:userid}"));
        let target = [("bucket".to_owned(), "orders-eu.1".to_owned())].into();
        let text = policy.unwrap().filled(&facts(&target), end()).unwrap();
        let wanted = json!({"Version": VERSION, "Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject",
             "Resource": "arn:aws:s3:::orders-eu.1/req_1/${aws:userid}"},
            {"Sid": "AssentEnd", "Effect": "Deny", "Action": "*", "Resource": "*",
             "Condition": {"DateGreaterThanEquals": {"aws:CurrentTime": "2027-01-15T08:00:00Z"}}},
            {"Sid": "AssentRole", "Effect": "Deny", "Action": "sts:Assume*", "Resource": "*"},
        ]});
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), wanted);
        let whole = SessionPolicy::whole(true).filled(&facts(&target), end()).unwrap();
        assert!(whole.contains("AssentEnd") && !whole.contains("AssentRole"), "{whole}");
    }

    #[test]
    fn nothing_that_sts_can_assume_outlives_the_end() {
        let (start, _) = ASSUMING.split_once('*').unwrap();
        // STS API Reference, all actions that answer the credentials of somebody else.
        let all = ["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot"];
        assert!(all.iter().all(|one| format!("sts:{one}").starts_with(start)));
        let whole = SessionPolicy::whole(false).filled(&facts(&BTreeMap::new()), end()).unwrap();
        let whole: Value = serde_json::from_str(&whole).unwrap();
        let all = whole["Statement"].as_array().unwrap();
        let denied = all.iter().find(|one| one["Sid"] == "AssentRole").unwrap();
        assert_eq!((&denied["Effect"], &denied["Action"]), (&json!("Deny"), &json!(ASSUMING)));
        assert!(denied.get("Condition").is_none());
    }

    #[test]
    fn what_is_filled_in_means_nothing_but_itself() {
        let policy = written(bucket("arn:aws:s3:::{{target.bucket}}")).unwrap();
        for bad in
            ["*", "a*", "a?", "${aws:userid}", "a/b", "a:b", "a\"b", "", "naïve", &"a".repeat(129)]
        {
            let target = [("bucket".to_owned(), bad.to_owned())].into();
            let told = policy.filled(&facts(&target), end()).unwrap_err();
            assert!(told.contains("`target.bucket`"), "{bad}: {told}");
        }
        let told = policy.filled(&facts(&BTreeMap::new()), end()).unwrap_err();
        assert!(told.contains("is not said"), "{told}");
    }

    #[test]
    fn what_is_longer_than_aws_takes_is_told_before() {
        let long = written(bucket(&format!("arn:aws:s3:::{}", "a".repeat(2000)))).unwrap();
        let told = long.filled(&facts(&BTreeMap::new()), end()).unwrap_err();
        assert!(told.contains("2048"), "{told}");
    }

    #[test]
    fn what_is_no_session_policy_is_refused() {
        let statement = |more: Value| {
            let mut one = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
            one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"Version": VERSION, "Statement": [one]})
        };
        for (document, wanted) in [
            (json!([]), "an object"),
            (json!({"Statement": []}), "Version"),
            (json!({"Version": "2008-10-17", "Statement": [{}]}), "Version"),
            (json!({"Version": VERSION}), "Statement"),
            (json!({"Version": VERSION, "Statement": []}), "Statement"),
            (json!({"Version": VERSION, "Statement": ["x"]}), "an object"),
            (json!({"Version": VERSION, "Statement": [{}], "Statements": []}), "`Statements`"),
            (statement(json!({"Effect": "allow"})), "Effect"),
            (statement(json!({"Principal": "*"})), "principal"),
            (statement(json!({"NotPrincipal": "*"})), "principal"),
            (statement(json!({"Sid": "AssentEnd"})), "`Assent`"),
            (statement(json!({"Resource": "{{target}}"})), "nothing fills"),
            (statement(json!({"Resource": "{{target.}}"})), "nothing fills"),
            (statement(json!({"Resource": "{{requester}}"})), "nothing fills"),
            (statement(json!({"Resource": "{{kind"})), "without"),
            (statement(json!({"Condition": {"StringEquals": {"{{kind}}": "x"}}})), "only values"),
            (statement(json!({"Resource": ["a", "→"]})), "does not take"),
        ] {
            let told = written(document.clone()).unwrap_err();
            assert!(told.contains(wanted), "{document}: {told}");
        }
    }
}
