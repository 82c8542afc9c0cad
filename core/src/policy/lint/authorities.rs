//! Partners whose word counts for more than somebody may have thought of, for nothing that any rule
//! asks them about, or for something else than it asks.

use std::collections::BTreeSet;

use crate::policy::attribute::Attribute;
use crate::policy::compile::{Written, stages_of};
use crate::policy::condition::{Condition, Constant, Test};
use crate::policy::document::Rule;
use crate::policy::glob::Glob;
use crate::policy::lint::Findings;
use crate::policy::partner::Controls;

pub(super) fn look(written: &Written<'_>, findings: &mut Findings) {
    let asked: BTreeSet<&String> = written
        .rules
        .iter()
        .flat_map(|rule| stages_of(&rule.effect))
        .filter_map(|stage| stage.authority.as_ref())
        .collect();
    for (name, placed) in written.halves.iter().flat_map(|(_, half)| &half.sections.authorities) {
        if let Some(concern) = placed.value.concerns() {
            let message = format!("authority `{name}`: {concern}");
            findings.warning("wide-authority", &placed.place, message);
        }
        if !asked.contains(name) {
            let message = format!(
                "authority `{name}` is never asked: no stage is `from: [{{authority: {name}}}]`"
            );
            findings.warning("unused-authority", &placed.place, message);
        }
    }
    for rule in &written.rules {
        for stage in stages_of(&rule.effect) {
            let name = stage.authority.as_ref();
            let partner = name.and_then(|name| written.records.authorities.get(name));
            let Some((name, partner)) = name.zip(partner) else { continue };
            if !partner.controlled().iter().any(|controls| could_hold(controls, rule)) {
                let message = format!(
                    "rule `{}` asks the authority `{name}`, which controls nothing that the rule is \
                     for: each of its requests would be refused",
                    rule.id
                );
                findings.warning("asks-no-owner", &stage.place, message);
            }
        }
    }
}

/// Whether what the rule names outright can be what they control. What it does not name can be.
fn could_hold(controls: &Controls, rule: &Rule) -> bool {
    let could = |attribute: &Attribute, globs: &mut dyn Iterator<Item = &Glob>| {
        let named = named(rule, attribute);
        let globs: Vec<_> = globs.collect();
        named.is_none_or(|texts| texts.iter().any(|t| globs.iter().any(|glob| glob.matches(t))))
    };
    could(&Attribute::Kind, &mut controls.kinds.iter())
        && could(&Attribute::Environment, &mut controls.environments.iter())
        && controls
            .target
            .iter()
            .all(|(key, glob)| could(&Attribute::Target(key.clone()), &mut std::iter::once(glob)))
}

/// The texts that one of the rule's own conditions wants the attribute to be one of.
fn named(rule: &Rule, wanted: &Attribute) -> Option<BTreeSet<String>> {
    let text = |constant: &Constant| {
        let Constant::Text(text) = constant else { return None };
        Some(text.clone())
    };
    rule.when.iter().find_map(|condition| {
        let Condition::Test { attribute, test: Test::In(constants) } = condition else {
            return None;
        };
        (attribute == wanted).then(|| constants.iter().map(text).collect())?
    })
}
