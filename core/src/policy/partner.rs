//! Partners: authorities of other organisations, and what they control.
//!
//! A stage can be reviewed by a partner's people instead of ours. Who controls which resources is
//! part of the entry: a partner is asked about those, and its word counts for nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::endorsement;
use crate::intent::Intent;
use crate::policy::glob::Glob;
use crate::policy::ruling::Elsewhere;
use crate::principal::PrincipalId;
use crate::trust::{KeySource, url_fault};

/// An entry as it is written; nothing of it is checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnverifiedPartner {
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) audience: Option<String>,
    pub(crate) controls: Vec<Controls>,
    pub(crate) approvers: BTreeSet<String>,
    pub(crate) people: BTreeMap<String, PrincipalId>,
    pub(crate) jwks: Option<Value>,
    pub(crate) jwks_uri: Option<String>,
}

/// The authority of another organisation, as a policy document lists it.
#[derive(Clone, Debug)]
pub struct Partner {
    asked: Elsewhere,
    controls: Vec<Controls>,
    keys: KeySource,
}

/// Some resources: those of which the kind, the environment and the target all match.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Controls {
    pub(crate) kinds: BTreeSet<Glob>,
    pub(crate) environments: BTreeSet<Glob>,
    pub(crate) target: BTreeMap<String, Glob>,
}

impl Controls {
    fn hold(&self, intent: &Intent) -> bool {
        let any = |globs: &BTreeSet<Glob>, text| globs.iter().any(|glob| glob.matches(text));
        let fits = |(key, glob): (&String, &Glob)| {
            intent.target().get(key).is_some_and(|value| glob.matches(value))
        };
        any(&self.kinds, intent.kind())
            && any(&self.environments, intent.environment())
            && self.target.iter().all(fits)
    }
}

impl UnverifiedPartner {
    /// The partner, or every fault with its field.
    pub(crate) fn verify(self) -> Result<Partner, Vec<(&'static str, String)>> {
        let mut faults = Vec::new();
        let mut say = |field, problem: Option<String>| {
            faults.extend(problem.map(|problem| (field, problem)));
        };
        say("issuer", url_fault(&self.issuer));
        let slash = self.issuer.ends_with('/');
        let problem = "ends in a slash, which the URL of an Assent server does not";
        say("issuer", slash.then(|| format!("`{}` {problem}", self.issuer)));
        let audience = self.audience.unwrap_or_else(|| self.issuer.clone());
        say("audience", url_fault(&audience));
        let nothing = self.controls.is_empty();
        let problem = "is empty: name what they control; their word counts for nothing else";
        say("controls", nothing.then(|| problem.to_owned()));
        for controls in &self.controls {
            let empty = controls.kinds.is_empty() || controls.environments.is_empty();
            let problem = "an entry names `kinds` and `environments`; `**` is everything";
            say("controls", empty.then(|| problem.to_owned()));
        }
        for name in self.approvers.iter().chain(self.people.keys()) {
            let unfit = PrincipalId::said_by(&self.issuer, name).is_err();
            say("approvers", unfit.then(|| format!("`{}` names nobody", name.escape_debug())));
        }
        let mut of_keys = Vec::new();
        let keys = KeySource::read(self.jwks.as_ref(), self.jwks_uri.as_ref(), &mut of_keys);
        faults.extend(of_keys.into_iter().map(|fault| (fault.field, fault.problem)));
        if !faults.is_empty() {
            return Err(faults);
        }
        let (name, issuer) = (self.name, self.issuer);
        let one_way = |said: String| match PrincipalId::said_by(&issuer, &said) {
            Ok(id) => id.as_said_by(&issuer),
            Err(_) => said,
        };
        let approvers: BTreeSet<_> = self.approvers.into_iter().map(&one_way).collect();
        let approvers = (!approvers.is_empty()).then_some(approvers);
        let people = self.people.into_iter().map(|(said, who)| (one_way(said), who)).collect();
        let asked = Elsewhere { authority: name, issuer, audience, approvers, people };
        Ok(Partner { asked, controls: self.controls, keys })
    }
}

impl Partner {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.asked.authority
    }

    /// Its URL, and the exact issuer of its credentials.
    pub fn issuer(&self) -> &str {
        &self.asked.issuer
    }

    /// For whom tokens are over there.
    pub fn audience(&self) -> &str {
        &self.asked.audience
    }

    /// Where its keys come from.
    pub fn keys(&self) -> &KeySource {
        &self.keys
    }

    /// What a stage that it reviews says of it.
    pub(crate) fn asked(&self) -> &Elsewhere {
        &self.asked
    }

    /// Whether a stage was ruled by just this.
    pub fn is(&self, asked: &Elsewhere) -> bool {
        self.asked == *asked
    }

    /// Whether it controls what the intent is about. What it is asked itself it does not hand on,
    /// so two authorities never ask each other in a circle.
    pub(crate) fn controls(&self, intent: &Intent) -> bool {
        intent.kind() != endorsement::KIND && self.controls.iter().any(|c| c.hold(intent))
    }

    /// What it controls, entry by entry.
    pub(crate) fn controlled(&self) -> &[Controls] {
        &self.controls
    }

    /// What may have been meant otherwise, though it is no fault.
    pub(crate) fn concerns(&self) -> Option<&'static str> {
        let everything = |globs: &BTreeSet<Glob>| {
            globs.iter().any(|glob| matches!(glob.to_string().as_str(), "*" | "**"))
        };
        let all = self.controls.iter().any(|controls| {
            everything(&controls.kinds)
                && everything(&controls.environments)
                && controls.target.is_empty()
        });
        all.then_some("its word counts for every kind in every environment")
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::Policy;
    use crate::policy::document::PolicyDocument;

    /// The faults of a policy with this entry, and this stage.
    fn faults(entry: &str, stage: &str) -> Vec<String> {
        let text = format!(
            "apiVersion: assent/v1\nkind: Policy\ngroups: {{g: [person:bob]}}\nauthorities:\n  pay: \
             {{{entry}}}\nrules:\n  - {{id: r, require: {{stages: [{{{stage}}}]}}}}\n"
        );
        let document = PolicyDocument { file: "p.yaml".to_owned(), text };
        let faults = Policy::compile(&[document]).err().unwrap_or_default();
        faults.into_iter().map(|fault| fault.message).collect()
    }

    const ENTRY: &str =
        "issuer: https://pay.example, controls: [{kinds: [a.b], environments: [prod]}]";
    const STAGE: &str = "approvals: 1, from: [{authority: pay}]";

    #[track_caller]
    fn told(faults: &[String], said: &str) {
        assert!(faults.iter().any(|fault| fault.contains(said)), "{said}: {faults:?}");
    }

    #[test]
    fn an_entry_says_who_they_are_and_what_they_control() {
        assert_eq!(faults(ENTRY, STAGE), [""; 0]);
        let with = |entry: &str| faults(entry, STAGE);
        told(&with("issuer: https://pay.example"), "authority lacks `controls`");
        told(&with("issuer: https://pay.example, controls: []"), "name what they control");
        told(
            &with("issuer: https://pay.example, controls: [{kinds: [a.b]}]"),
            "controls entry lacks `environments`",
        );
        told(&with(&ENTRY.replace("https:", "http:")), "is not https");
        told(&with(&ENTRY.replace("example", "example/")), "ends in a slash");
        told(&with(&ENTRY.replace("https://", "https://user@")), "is no plain address");
        told(&with(&format!("{ENTRY}, jwks: {{keys: []}}")), "no key that can be used");
        told(&with(&format!("{ENTRY}, approvers: [\"a b\"]")), "names nobody");
        told(&with(&format!("{ENTRY}, people: {{rob: group:g}}")), "expected person:NAME");
    }

    #[test]
    fn a_stage_asks_one_authority_that_is_there_and_nobody_beside_it() {
        let with = |stage: &str| faults(ENTRY, stage);
        told(&with("approvals: 1, from: [{authority: pai}]"), "no authority `pai`");
        told(&with("approvals: 1, from: [{authority: pay}, group:g]"), "nobody beside it");
        told(&with(&format!("{STAGE}, login_within: 1h")), "says nothing to another organisation");
        told(&with(&format!("{STAGE}, exclude: [person:bob]")), "says nothing to another");
        // The stages for people here are still held to what people here can do.
        let both = "approvals: 1, from: [{authority: pay}]}, {approvals: 2, from: [group:g]";
        told(&with(both), "only 1 person can give one");
    }
}
