//! What the provider tells the person who runs Terraform.
//!
//! A refusal, a fault in the configuration and a lost server are all
//! diagnostics; the call itself still succeeds. They are collected, not thrown,
//! so that a person sees every fault at once. A diagnostic says what happened,
//! why, and what to do, and never holds a secret.

use std::fmt;

use assent_core::principal::is_visible;

use crate::rpc::pb;

/// The most bytes of text in one diagnostic.
const LONGEST: usize = 16 * 1024;

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// An attribute of an object.
    Attribute(String),
    /// An element of a map. The wire writes objects as maps, so decoding names
    /// attributes with this too; Terraform takes both.
    Key(String),
    /// An element of a list.
    Index(usize),
}

/// The way from the root of a configuration to one value in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path(Vec<Step>);

impl Path {
    /// The path to an attribute of the root.
    pub(crate) fn attribute(name: &str) -> Self {
        Self(vec![Step::Attribute(name.to_owned())])
    }

    /// The path to an attribute of the object at this path.
    pub(crate) fn then_attribute(mut self, name: &str) -> Self {
        self.0.push(Step::Attribute(name.to_owned()));
        self
    }

    /// The path to an element of the map at this path.
    pub(crate) fn then_key(mut self, key: &str) -> Self {
        self.0.push(Step::Key(key.to_owned()));
        self
    }

    /// Puts one step in front. The first step of a path is always an attribute
    /// of the root object.
    pub(crate) fn prepend(&mut self, step: Step) {
        self.0.insert(0, step);
    }

    /// Whether this is the root itself.
    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the path can be shown: keys are as long as whoever wrote them likes.
    fn is_short(&self) -> bool {
        self.to_string().len() <= LONGEST
    }

    /// The path in the protocol's form.
    pub(crate) fn to_wire(&self) -> pb::AttributePath {
        let steps = self.0.iter().enumerate().map(|(position, step)| step.to_wire(position == 0));
        pb::AttributePath { steps: steps.collect() }
    }
}

impl Step {
    /// The step in the protocol's form; what stands `first` can only be an attribute.
    fn to_wire(&self, first: bool) -> pb::attribute_path::Step {
        use pb::attribute_path::step::Selector;
        let selector = match self {
            Self::Attribute(name) => Selector::AttributeName(name.clone()),
            Self::Key(key) if first => Selector::AttributeName(key.clone()),
            Self::Key(key) => Selector::ElementKeyString(key.clone()),
            Self::Index(index) => {
                Selector::ElementKeyInt(i64::try_from(*index).unwrap_or(i64::MAX))
            }
        };
        pb::attribute_path::Step { selector: Some(selector) }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) | Step::Key(name) if position == 0 => f.write_str(name)?,
                Step::Attribute(name) | Step::Key(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// How much a diagnostic weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The call failed.
    Error,
    /// The call went well, but a person should know.
    Warning,
}

/// One thing told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    /// How much it weighs.
    pub(crate) severity: Severity,
    /// What happened, in a few words.
    pub(crate) summary: String,
    /// Why, and what to do.
    pub(crate) detail: String,
    /// Which argument it is about, if it is about one.
    pub(crate) path: Option<Path>,
}

impl Diagnostic {
    /// A failure.
    pub(crate) fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        let (summary, detail) = (summary.into(), detail.into());
        Self { severity: Severity::Error, summary, detail, path: None }
    }

    /// Something to know.
    pub(crate) fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(summary, detail) }
    }

    /// The same, about one argument.
    pub(crate) fn at(self, path: Path) -> Self {
        Self { path: Some(path), ..self }
    }

    /// The diagnostic in the protocol's form.
    fn into_wire(self) -> pb::Diagnostic {
        let severity = match self.severity {
            Severity::Error => pb::diagnostic::Severity::Error,
            Severity::Warning => pb::diagnostic::Severity::Warning,
        };
        pb::Diagnostic {
            severity: severity.into(),
            summary: legible(&self.summary),
            detail: legible(&self.detail),
            attribute: self.path.as_ref().filter(|path| path.is_short()).map(Path::to_wire),
        }
    }
}

/// Text as a person can read it: not too long, and with nothing in it that a terminal would obey or
/// hide. What is told may repeat what others wrote.
pub(crate) fn legible(text: &str) -> String {
    let cut = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
    let mut told = String::with_capacity(cut.len());
    for letter in cut.chars() {
        if is_visible(letter) || matches!(letter, '\n' | '\t') {
            told.push(letter);
        } else {
            told.extend(letter.escape_unicode());
        }
    }
    if cut.len() < text.len() {
        told.push('…');
    }
    told
}

/// Everything told in one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// The same, each said to be about this. Terraform adds no place to what a deletion tells.
    pub(crate) fn about(mut self, what: &str) -> Self {
        for diagnostic in &mut self.0 {
            diagnostic.detail = format!("{what} {}", diagnostic.detail);
        }
        self
    }

    /// Adds all of others.
    pub(crate) fn append(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// What came out of a step, or nothing after adding why not.
    pub(crate) fn note<T>(&mut self, outcome: Result<T, Self>) -> Option<T> {
        outcome.map_err(|faults| self.append(faults)).ok()
    }

    /// Whether one of them is a failure.
    pub(crate) fn has_errors(&self) -> bool {
        self.0.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// `value` if none of them is a failure, else all of them.
    pub(crate) fn ok_or_all<T>(self, value: T) -> Result<T, Self> {
        if self.has_errors() { Err(self) } else { Ok(value) }
    }

    /// The diagnostics in the protocol's form.
    pub(crate) fn into_wire(self) -> Vec<pb::Diagnostic> {
        self.0.into_iter().map(Diagnostic::into_wire).collect()
    }

    /// The diagnostics one by one, for tests.
    #[cfg(test)]
    pub(crate) fn list(&self) -> &[Diagnostic] {
        &self.0
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_as_terraform_writes_it() {
        let mut path = Path::attribute("stages").then_key("a");
        path.prepend(Step::Key("policy".into()));
        assert_eq!(path.to_string(), "policy.stages.a");
    }

    #[test]
    fn the_first_step_on_the_wire_is_an_attribute() {
        use pb::attribute_path::step::Selector;
        let mut path = Path::default();
        path.prepend(Step::Index(3));
        path.prepend(Step::Key("approved_by".into()));
        let steps: Vec<_> =
            path.to_wire().steps.into_iter().filter_map(|step| step.selector).collect();
        let expected = [Selector::AttributeName("approved_by".into()), Selector::ElementKeyInt(3)];
        assert_eq!(steps, expected);
    }

    #[test]
    fn what_others_wrote_cannot_steer_a_terminal() {
        let told = Diagnostic::error("denied", "by bob: no\u{1b}[2J\u{202e}\rdenied\n\tat all");
        let wire = told.into_wire();
        assert_eq!(wire.detail, "by bob: no\\u{1b}[2J\\u{202e}\\u{d}denied\n\tat all");
        let long = legible(&"é".repeat(LONGEST));
        assert!(long.len() <= LONGEST + 3 && long.ends_with('…'));
    }

    #[test]
    fn only_errors_fail_a_call() {
        let mut told = Diagnostics::from(Diagnostic::warning("approval required", ""));
        assert!(!told.has_errors());
        told.push(Diagnostic::error("denied", "").at(Path::attribute("reason")));
        assert_eq!(told.clone().ok_or_all(()), Err(told.clone()));
        let wire = told.into_wire();
        assert_eq!([wire[0].severity, wire[1].severity], [2, 1]);
        assert!(wire[1].attribute.is_some());
    }
}
