//! A policy that wants changes of itself approved, and by which nobody could approve one.

use crate::policy::attribute::Attribute;
use crate::policy::changes::{ENVIRONMENT, KIND};
use crate::policy::condition::{Condition, Constant, Test};
use crate::policy::document::{Effect, PolicyChanges};
use crate::policy::lint::satisfy::conflict;
use crate::policy::lint::{Context, Findings};

pub(super) fn look(context: &Context<'_>, findings: &mut Findings) {
    if context.written.policy_changes != PolicyChanges::Approved {
        return;
    }
    let is = |attribute: Attribute, text: &str| Condition::Test {
        attribute,
        test: Test::In(vec![Constant::Text(text.to_owned())]),
    };
    let change = [is(Attribute::Kind, KIND), is(Attribute::Environment, ENVIRONMENT)];
    let lets_through = context.rules.iter().any(|rule| match rule.effect {
        Effect::Require(_) | Effect::Allow(_) => {
            conflict(context, &[&rule.when, &change]).is_none()
        }
        Effect::Deny { .. } | Effect::Ask(_) => false,
    });
    let stated = context.written.halves.iter().map(|(_, half)| &half.sections.defaults);
    let place = stated.filter(|defaults| defaults.policy_changes.is_some());
    let place = place.filter_map(|defaults| defaults.place.as_ref()).next();
    if let (Some(place), false) = (place, lets_through) {
        let message = format!(
            "`policy_changes: approved`, but no rule asks anybody about `{KIND}`, so no change over \
             the API can ever be made: add a rule with `when: {{intent.kind: {KIND}}}`"
        );
        findings.warning("policy-is-fixed", place, message);
    }
}
