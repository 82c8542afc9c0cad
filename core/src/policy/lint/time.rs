//! What is over by now.

use crate::policy::attribute::Attribute;
use crate::policy::compile::Written;
use crate::policy::condition::{Condition, Constant, Order, Test};
use crate::policy::lint::Findings;
use crate::time::Timestamp;

pub(super) fn look(written: &Written<'_>, now: Timestamp, findings: &mut Findings) {
    for (_, half) in &written.halves {
        for placed in &half.sections.delegations {
            let delegation = &placed.value;
            if delegation.ends <= now {
                let (from, to, ends) = (&delegation.from, &delegation.to, delegation.ends);
                let message = format!("that `{to}` stands in for `{from}` is over since {ends}");
                findings.warning("over", &placed.place, message);
            }
        }
        for (name, placed) in &half.sections.calendars {
            let Some(calendar) = written.records.calendars.get(name) else { continue };
            if !calendar.holds(now) && calendar.next_change(now).is_none() {
                let message = format!("calendar `{name}` does not hold once in the next 366 days");
                findings.warning("over", &placed.place, message);
            }
        }
    }
    for rule in &written.rules {
        if let Some(end) = rule.when.iter().find_map(|condition| end(condition, now)) {
            let message = format!("rule `{}` cannot match any more: it ended {end}", rule.id);
            findings.warning("over", &rule.place, message);
        }
    }
}

/// The moment until which a condition could hold, where it has passed.
fn end(condition: &Condition, now: Timestamp) -> Option<Timestamp> {
    let Condition::Test { attribute: Attribute::Now, test } = condition else { return None };
    let Test::Compare { order: Order::Lt | Order::Lte, bound: Constant::Instant(end) } = test
    else {
        return None;
    };
    (*end <= now).then_some(*end)
}
