//! From the arguments of a configuration to the intent that is filed.
//!
//! The resource and the data source state intents in the same words. An intent
//! is made only of wholly known arguments; its digest then depends on nothing
//! but them, so a plan can already name it.

use std::collections::BTreeMap;

use assent_core::digest::Digest;
use assent_core::intent::{Intent, IntentFault, UnverifiedIntent};
use serde_json::{Map, Value as Json};

use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::duration;
use crate::schema::Attribute;
use crate::value::{Argument, Type, Value};

/// What is being done, unless the configuration says otherwise.
pub(crate) const DEFAULT_KIND: &str = "terraform.apply";

/// The arguments that make up an intent. A change of any of them is another
/// intent, and needs another approval.
pub(crate) const ARGUMENTS: [&str; 8] =
    ["kind", "environment", "target", "reason", "duration", "context", "triggers", "digest"];

/// Where triggers stand in an intent's context, so that approvers and policy see them.
const TRIGGERS: &str = "triggers";

/// Stands in for an argument that is not known yet while the others are checked.
const NOT_YET_KNOWN: &str = "unknown";

/// The arguments that mean the same in everything that asks people.
pub(crate) fn attributes() -> Vec<Attribute> {
    vec![
        Attribute::defaulted(
            "kind",
            Type::String,
            "What is done, as a dotted name. `terraform.apply` if it is not set.",
        ),
        Attribute::required("environment", Type::String, "Where it is done, such as `production`."),
        Attribute::optional(
            "target",
            Type::text_map(),
            "What it is done to: repository, workspace, database and the like.",
        ),
        Attribute::optional(
            "duration",
            Type::String,
            "How long the access is wanted for, such as `15m`. Policy decides if it is not set.",
        ),
    ]
}

/// The arguments of one configuration, read as an intent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stated<'a> {
    config: &'a Value,
    /// The reason where none is given; `None` where one must be.
    default_reason: Option<&'static str>,
}

impl<'a> Stated<'a> {
    /// The intent that a resource's arguments state.
    pub(crate) fn of(config: &'a Value) -> Self {
        Self { config, default_reason: None }
    }

    /// The intent that a data source's arguments state; it need give no reason.
    pub(crate) fn with_default_reason(config: &'a Value, reason: &'static str) -> Self {
        Self { config, default_reason: Some(reason) }
    }

    /// Every fault in what is known already, each at its argument.
    pub(crate) fn faults(&self) -> Diagnostics {
        self.verify().err().unwrap_or_default()
    }

    /// The intent, or `None` while one of its arguments is unknown.
    ///
    /// # Errors
    /// Every fault there is.
    pub(crate) fn intent(&self) -> Result<Option<Intent>, Diagnostics> {
        let intent = self.verify()?;
        Ok(self.is_known().then_some(intent))
    }

    /// Whether all arguments are known.
    fn is_known(&self) -> bool {
        !ARGUMENTS.iter().any(|name| self.is_unknown(name))
    }

    /// Whether an argument, or a part of it, is unknown.
    fn is_unknown(&self, name: &str) -> bool {
        let value = self.config.attribute(name);
        value.is_unknown() || value.as_text_map().is_unknown()
    }

    /// Checks all arguments, with stand-ins for those that are unknown.
    fn verify(&self) -> Result<Intent, Diagnostics> {
        let mut faults = Diagnostics::default();
        let unverified = UnverifiedIntent {
            kind: self.text("kind", Some(DEFAULT_KIND)),
            environment: self.text("environment", None),
            plan: None,
            reason: self.text("reason", self.default_reason),
            target: self.text_map("target", &mut faults),
            subject: self.parsed("digest", &mut faults, |text| text.parse::<Digest>()),
            duration: self.parsed("duration", &mut faults, duration::span),
            context: self.context(&mut faults),
        };
        match unverified.verify() {
            Ok(intent) => faults.ok_or_all(intent),
            Err(others) => {
                others.into_iter().for_each(|fault| faults.push(at_argument(&fault)));
                Err(faults)
            }
        }
    }

    /// A text argument, a default if it is absent, or a stand-in if it is unknown.
    fn text(&self, name: &str, default: Option<&str>) -> String {
        match self.config.attribute(name).as_text() {
            Argument::Given(text) => text,
            Argument::Unknown => NOT_YET_KNOWN.to_owned(),
            Argument::Absent => default.unwrap_or_default().to_owned(),
        }
    }

    /// A map argument; empty if it is absent or unknown.
    fn text_map(&self, name: &str, faults: &mut Diagnostics) -> BTreeMap<String, String> {
        let value = self.config.attribute(name);
        if let Value::Map(elements) = value {
            for (key, _) in elements.iter().filter(|(_, value)| value.is_null()) {
                let detail = format!("`{key}` is null; leave it out or give it a value.");
                let path = Path::attribute(name).then_key(key);
                faults.push(Diagnostic::error(format!("Null in `{name}`"), detail).at(path));
            }
        }
        value.as_text_map().given().unwrap_or_default()
    }

    /// A text argument read as something else; nothing if it is absent, unknown or at fault.
    fn parsed<T, E: std::error::Error>(
        &self,
        name: &str,
        faults: &mut Diagnostics,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.config.attribute(name).as_text().given()?;
        parse(&text).map_err(|error| faults.push(fault(name, &error.to_string()))).ok()
    }

    /// The free JSON, with the triggers put in.
    fn context(&self, faults: &mut Diagnostics) -> Map<String, Json> {
        let mut context = self.parsed("context", faults, object).unwrap_or_default();
        let triggers = self.text_map(TRIGGERS, faults);
        if context.contains_key(TRIGGERS) {
            let detail = "the key `triggers` is reserved for the argument `triggers`";
            faults.push(fault("context", detail));
        } else if !triggers.is_empty() {
            let triggers = triggers.into_iter().map(|(key, text)| (key, Json::String(text)));
            context.insert(TRIGGERS.to_owned(), Json::Object(triggers.collect()));
        }
        context
    }
}

/// The arguments that state this intent: the way back, for import.
pub(crate) fn arguments(intent: &Intent) -> BTreeMap<&'static str, Value> {
    let mut context = intent.context().clone();
    let triggers = context.get(TRIGGERS).and_then(text_elements);
    if triggers.is_some() {
        context.remove(TRIGGERS);
    }
    let filled = |map: BTreeMap<String, String>| match map.is_empty() {
        true => Value::Null,
        false => Value::Map(map.into_iter().map(|(k, v)| (k, Value::String(v))).collect()),
    };
    let optional = |text: Option<String>| text.map_or(Value::Null, Value::String);
    let context = (!context.is_empty()).then(|| Json::Object(context).to_string());
    BTreeMap::from([
        ("kind", Value::text(intent.kind())),
        ("environment", Value::text(intent.environment())),
        ("reason", Value::text(intent.reason())),
        ("target", filled(intent.target().clone())),
        ("triggers", filled(triggers.unwrap_or_default())),
        ("digest", optional(intent.subject().map(|digest| digest.to_string()))),
        ("duration", optional(intent.duration().map(|span| span.to_string()))),
        ("context", optional(context)),
    ])
}

/// The elements of a JSON object that holds nothing but text.
fn text_elements(json: &Json) -> Option<BTreeMap<String, String>> {
    let elements = json.as_object()?.iter();
    elements.map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// A JSON object.
fn object(text: &str) -> Result<Map<String, Json>, NotAnObject> {
    match serde_json::from_str(text) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_)) => {
            Err(NotAnObject::OtherJson)
        }
        Err(error) => Err(NotAnObject::NotJson(error.to_string())),
    }
}

/// Why a context cannot be used.
#[derive(Debug, thiserror::Error)]
enum NotAnObject {
    /// It is no JSON.
    #[error("the text is not JSON: {0}; use jsonencode({{ … }})")]
    NotJson(String),
    /// It is JSON of another kind.
    #[error("the JSON must be an object; use jsonencode({{ … }})")]
    OtherJson,
}

/// A fault at an argument.
fn fault(name: &str, problem: &str) -> Diagnostic {
    Diagnostic::error(format!("Invalid `{name}`"), sentence(problem)).at(Path::attribute(name))
}

/// A fault that the intent's own rules found, at the argument it came from.
fn at_argument(found: &IntentFault) -> Diagnostic {
    match found.field.split_once('.') {
        Some((name, key)) => {
            let path = Path::attribute(name).then_key(key);
            Diagnostic::error(format!("Invalid `{}`", found.field), sentence(&found.problem))
                .at(path)
        }
        None => fault(&found.field, &found.problem),
    }
}

/// A problem, written as Terraform writes details. What is no plain word, such as
/// an address, keeps its first letter.
pub(crate) fn sentence(problem: &str) -> String {
    let word = problem.split(' ').next().unwrap_or_default();
    let mut letters = problem.chars();
    match letters.next() {
        Some(first) if word.chars().all(char::is_alphabetic) => {
            format!("{}{}.", first.to_uppercase(), letters.as_str())
        }
        Some(_) | None => format!("{problem}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A configuration that is right, with some arguments changed.
    fn config<'a>(changes: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
        let right = Value::object([
            ("kind", Value::Null),
            ("environment", Value::text("production")),
            ("reason", Value::text("resize")),
        ]);
        changes.into_iter().fold(right, |config, (name, value)| config.with(name, value))
    }

    /// The paths of the faults.
    fn faults(config: &Value) -> Vec<String> {
        let found = Stated::of(config).faults();
        found.list().iter().filter_map(|fault| Some(fault.path.as_ref()?.to_string())).collect()
    }

    #[test]
    fn the_kind_has_a_default() {
        let config = config([]);
        let intent = Stated::of(&config).intent().unwrap().unwrap();
        assert_eq!(intent.kind(), DEFAULT_KIND);
    }

    #[test]
    fn triggers_stand_in_the_context() {
        let triggers = Value::object([("class", Value::text("large"))]);
        let context = Value::text(r#"{"ticket":"OPS-1"}"#);
        let config = config([("triggers", triggers), ("context", context)]);
        let intent = Stated::of(&config).intent().unwrap().unwrap();
        let expected = r#"{"ticket":"OPS-1","triggers":{"class":"large"}}"#;
        let parsed: Json = serde_json::from_str(expected).unwrap();
        assert_eq!(Json::Object(intent.context().clone()), parsed);
    }

    #[test]
    fn arguments_come_back_from_the_intent() {
        let config = config([
            ("kind", Value::text("database.session")),
            ("target", Value::object([("database", Value::text("orders"))])),
            ("triggers", Value::object([("class", Value::text("large"))])),
            ("context", Value::text(r#"{"ticket":"OPS-1"}"#)),
            ("duration", Value::text("15m")),
            ("digest", Value::text(Digest::of(b"plan").to_string())),
        ]);
        let intent = Stated::of(&config).intent().unwrap().unwrap();
        for (name, value) in arguments(&intent) {
            assert_eq!(&value, config.attribute(name), "{name}");
        }
    }

    #[test]
    fn all_faults_are_told_at_once_each_at_its_argument() {
        let config = config([
            ("kind", Value::text("Terraform Apply")),
            ("environment", Value::text("")),
            ("target", Value::object([("a", Value::Null), ("b", Value::text(""))])),
            ("digest", Value::text("md5:00")),
            ("duration", Value::text("soon")),
            ("context", Value::text("[1]")),
        ]);
        let mut found = faults(&config);
        found.sort();
        let expected =
            ["context", "digest", "duration", "environment", "kind", "target.a", "target.b"];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_context_may_not_hold_triggers() {
        let config = config([("context", Value::text(r#"{"triggers":{}}"#))]);
        assert_eq!(faults(&config), ["context"]);
    }

    #[test]
    fn unknown_arguments_are_no_fault_and_no_intent() {
        let triggers = Value::object([("id", Value::Unknown)]);
        for (name, value) in
            [("environment", Value::Unknown), ("context", Value::Unknown), ("triggers", triggers)]
        {
            let config = config([(name, value)]);
            assert_eq!(Stated::of(&config).intent(), Ok(None), "{name}");
        }
    }

    #[test]
    fn a_problem_becomes_a_sentence() {
        assert_eq!(sentence("the text is not JSON"), "The text is not JSON.");
        assert_eq!(sentence("http://a is not https"), "http://a is not https.");
    }

    #[test]
    fn the_same_duration_is_the_same_intent() {
        let digest = |text: &str| {
            let config = config([("duration", Value::text(text))]);
            Stated::of(&config).intent().unwrap().unwrap().digest()
        };
        assert_eq!(digest("90m"), digest("1h30m"));
    }
}
