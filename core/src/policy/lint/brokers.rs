//! Tokens that open what a broker opens, without what the broker would have narrowed it by.

use crate::policy::document::{Effect, Limits, Rule};
use crate::policy::lint::satisfy::conflict;
use crate::policy::lint::{Context, Findings};

/// The audiences for which a broker asks by itself, with a session policy.
const OF_BROKERS: [&str; 1] = ["sts.amazonaws.com"];

/// Each rule that mints such a token for what a broker may be opened for, too.
pub(super) fn look(context: &Context<'_>, findings: &mut Findings) {
    for rule in context.rules {
        let named = limits(rule).and_then(|limits| limits.audiences.as_ref());
        let around = OF_BROKERS
            .iter()
            .find(|audience| named.is_some_and(|named| named.contains(**audience)));
        let brokered = context.rules.iter().find_map(|other| {
            let broker = limits(other)?.broker.as_ref()?;
            conflict(context, &[&rule.when, &other.when]).is_none().then_some((broker, &other.id))
        });
        let Some((audience, (broker, other))) = around.zip(brokered) else { continue };
        let message = format!(
            "rule `{}` lets its caller have a token for `{audience}` itself, which opens there what \
             the broker `{broker}` of rule `{other}` would have opened, without its session policy: \
             take the audience out of the rule, or give the broker an audience of its own",
            rule.id
        );
        findings.warning("around-broker", &rule.place, message);
    }
}

/// What the rule says of credentials.
fn limits(rule: &Rule) -> Option<&Limits> {
    match &rule.effect {
        Effect::Require(require) => Some(&require.limits),
        Effect::Allow(allow) => Some(&allow.limits),
        Effect::Deny { .. } | Effect::Ask(_) => None,
    }
}
