//! Timers that never run out, because something else ends first.

use crate::policy::compile::stages_of;
use crate::policy::document::{Effect, Rule, StageText};
use crate::policy::lint::{Context, Findings};
use crate::time::Span;

/// Each timer of a stage that is as long as what it runs within, or longer.
pub(super) fn look(context: &Context<'_>, findings: &mut Findings) {
    for rule in context.rules {
        let request = request_expires(context, rule);
        for stage in stages_of(&rule.effect) {
            look_at(stage, request, findings);
        }
    }
}

/// The longest that a request can stay open under this rule: what the rule says, since others can
/// only shorten it; else the default, or what any other rule says in its place.
fn request_expires(context: &Context<'_>, rule: &Rule) -> Span {
    let stated = |rule: &Rule| match &rule.effect {
        Effect::Require(require) => require.expires_after,
        Effect::Deny { .. } | Effect::Allow(_) | Effect::Ask(_) => None,
    };
    let default = context.written.defaults.request_expires;
    stated(rule).unwrap_or_else(|| {
        context.rules.iter().filter_map(stated).fold(default, |longest, one| longest.max(one))
    })
}

fn look_at(stage: &StageText, request: Span, findings: &mut Findings) {
    let mut never = |what: &str, timer: Option<Span>, end: Span, ends: &str| {
        let Some(timer) = timer.filter(|timer| *timer >= end) else { return };
        let message = format!(
            "`{what}` of stage `{}` never comes: it is {timer}, and {ends} after {end}",
            stage.name
        );
        findings.warning("timer-too-long", &stage.place, message);
    };
    never("expires_after", stage.expires_after, request, "the request expires");
    let (end, ends) = match stage.expires_after.filter(|own| *own < request) {
        Some(own) => (own, "the stage expires"),
        None => (request, "the request expires"),
    };
    let escalate = stage.escalate.as_ref().map(|escalation| escalation.after);
    never("escalate.after", escalate, end, ends);
    never("remind", stage.remind, end, ends);
}
