//! Whether a credential permits what a service is about to do (RFC 9396).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::credential::Claims;

/// What a service is about to do, in the words of the intent that it must have been granted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action<'a> {
    /// The intent's kind: `service.deploy`.
    pub kind: &'a str,
    /// Its environment.
    pub environment: &'a str,
    /// Its whole target, each part by its name.
    pub target: BTreeMap<&'a str, &'a str>,
}

/// Every member that our details have. One that is not known could narrow what is permitted.
const MEMBERS: [&str; 6] = ["type", "actions", "locations", "target", "digest", "subject_digest"];

impl Claims {
    /// Whether it was granted for exactly this. A target with a part more or less is another target:
    /// who may change one table may not change them all, and nothing says which way it would be wrong.
    pub fn permits(&self, action: &Action<'_>) -> bool {
        let details = self.all.get("authorization_details").and_then(Value::as_array);
        details.is_some_and(|details| details.iter().any(|detail| self.is_for(detail, action)))
    }

    fn is_for(&self, detail: &Value, action: &Action<'_>) -> bool {
        let Some(detail) = detail.as_object() else { return false };
        let text = |name: &str| detail.get(name).and_then(Value::as_str);
        detail.keys().all(|name| MEMBERS.contains(&name.as_str()))
            && text("type") == Some("assent_intent")
            && text("digest") == Some(&self.digest)
            && lists(detail, "actions", action.kind)
            && lists(detail, "locations", action.environment)
            && detail.get("target").and_then(Value::as_object).is_some_and(|target| {
                target.len() == action.target.len()
                    && target.iter().all(|(name, value)| {
                        let wanted = action.target.get(name.as_str());
                        wanted.is_some_and(|wanted| value.as_str() == Some(wanted))
                    })
            })
    }
}

fn lists(detail: &Map<String, Value>, name: &str, wanted: &str) -> bool {
    let all = detail.get(name).and_then(Value::as_array);
    all.is_some_and(|all| all.iter().any(|one| one.as_str() == Some(wanted)))
}
