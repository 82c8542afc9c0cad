//! A change of policy as an intent: what those who approve it see, and what is held against the
//! change when it is made.

use serde_json::{Map, Value, json};

use crate::digest::Digest;
use crate::intent::UnverifiedIntent;

/// The kind of a change of policy.
pub const KIND: &str = "assent.policy";

/// The environment of a change of policy: the authority itself.
pub const ENVIRONMENT: &str = "assent";

/// What is to become of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// Its name.
    pub document: &'a str,
    /// Its text as it is; `None` where there is none.
    pub before: Option<&'a str>,
    /// Its text as it is to be; `None` where it is to be removed.
    pub after: Option<&'a str>,
    /// The difference between the two, for people.
    pub diff: &'a str,
}

impl Change<'_> {
    /// The change as an intent, all but the reason: the caller's own words. Its digest is that of the
    /// new text, or of the text that is removed; the context binds what it was before.
    pub fn intent(&self, reason: &str) -> UnverifiedIntent {
        let digest = |text: &str| Digest::of(text.as_bytes());
        let operation = if self.after.is_some() { "write" } else { "remove" };
        let mut context = Map::new();
        let before = self.before.map(|text| digest(text).to_string());
        context.insert("before".to_owned(), json!(before));
        context.insert("diff".to_owned(), Value::from(self.diff));
        UnverifiedIntent {
            kind: KIND.to_owned(),
            environment: ENVIRONMENT.to_owned(),
            target: [("document", self.document), ("operation", operation)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            subject: self.after.or(self.before).map(digest),
            context,
            reason: reason.to_owned(),
            ..UnverifiedIntent::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_change_is_part_of_its_intent() {
        let base = Change {
            document: "a.yaml",
            before: Some("old"),
            after: Some("new"),
            diff: "-old\n+new\n",
        };
        let changed = [
            Change { document: "b.yaml", ..base },
            Change { before: Some("older"), ..base },
            Change { before: None, ..base },
            Change { after: Some("newer"), ..base },
            Change { after: None, ..base },
            Change { diff: "", ..base },
        ];
        let digest = |change: &Change<'_>| change.intent("r").verify().unwrap().digest();
        for other in changed {
            assert_ne!(digest(&other), digest(&base), "{other:?}");
        }
        let removal = Change { after: None, ..base }.intent("r");
        assert_eq!(removal.subject, Some(Digest::of(b"old")));
        assert_eq!(removal.target["operation"], "remove");
    }
}
