//! Where `exists` may stand. It is the one test that a missing attribute can turn from false to
//! true, so it stands only where that permits less: what is missing may add a deny or a require,
//! and may take away an allow. That keeps the promise that removing an attribute never permits
//! more.

use crate::policy::condition::{Condition, Test};
use crate::policy::document::Effect;

/// What is wrong with `exists` in this rule, if anything is.
pub(super) fn of_rule(effect: &Effect, when: &[Condition]) -> Option<String> {
    let (wanted, word) = match effect {
        Effect::Deny { .. } => (Some(false), "a deny"),
        Effect::Require(_) => (Some(false), "a require"),
        Effect::Allow(_) => (Some(true), "an allow"),
        Effect::Ask(_) => (None, "an ask"),
    };
    misplaced(when, wanted, word).or_else(|| unsettled_by_another(effect, when))
}

/// A deny that cannot be settled is never waived, one that holds may be. So where `exists` can make
/// it hold, nothing else may leave it open: leaving out one attribute more would make it waivable.
fn unsettled_by_another(effect: &Effect, when: &[Condition]) -> Option<String> {
    if !matches!(effect, Effect::Deny { waivable: true, .. }) {
        return None;
    }
    let (mut exists, mut missing) = (false, None);
    for condition in when {
        condition.each_test(&mut |attribute, test| match test {
            Test::Exists(_) => exists = true,
            Test::Not(_) | Test::Any(_) | Test::All(_) => {}
            Test::SameAs(other) if other.may_be_missing() => missing = Some(other.to_string()),
            Test::In(_)
            | Test::Contains { .. }
            | Test::Compare { .. }
            | Test::Prefix(_)
            | Test::Suffix(_)
            | Test::Glob(_)
            | Test::Cidr(_)
            | Test::Within(_)
            | Test::Some(_)
            | Test::Every(_)
            | Test::SameAs(_) => {
                if attribute.may_be_missing() {
                    missing = Some(attribute.to_string());
                }
            }
        });
    }
    let other = missing.filter(|_| exists)?;
    Some(format!(
        "a waivable deny that looks at `exists` looks at nothing else that may be missing, such as \
         `{other}`: else leaving something out would permit more; make two rules of it"
    ))
}

/// What is wrong with `exists` in this factor, if anything is.
pub(super) fn of_factor(when: &[Condition]) -> Option<String> {
    misplaced(when, None, "a risk factor")
}

fn misplaced(when: &[Condition], wanted: Option<bool>, word: &str) -> Option<String> {
    let stands = |exists: bool| wanted != Some(exists);
    if !when.iter().any(|condition| condition.has_exists(true, &stands)) {
        return None;
    }
    let may = match wanted {
        Some(true) => "only `exists: true` may stand (`exists: false` within `not`)",
        Some(false) => "only `exists: false` may stand (`exists: true` within `not`)",
        None => "`exists` may not stand",
    };
    Some(format!("in {word} {may}: else leaving something out would permit more"))
}

impl Condition {
    /// Whether an `exists` stands in it whose effective value, through every `not`, is forbidden.
    fn has_exists(&self, positive: bool, forbidden: &impl Fn(bool) -> bool) -> bool {
        let any = |conditions: &[Self], positive| {
            conditions.iter().any(|condition| condition.has_exists(positive, forbidden))
        };
        match self {
            Self::Test { test, .. } => test.has_exists(positive, forbidden),
            Self::Not(inner) => any(inner, !positive),
            Self::Any(branches) | Self::All(branches) => {
                branches.iter().any(|branch| any(branch, positive))
            }
        }
    }

    /// Every test in it, those within `some` and `every` too.
    pub(super) fn each_test(
        &self,
        see: &mut impl FnMut(&crate::policy::attribute::Attribute, &Test),
    ) {
        match self {
            Self::Test { attribute, test } => test.each(attribute, see),
            Self::Not(inner) => inner.iter().for_each(|condition| condition.each_test(see)),
            Self::Any(branches) | Self::All(branches) => {
                branches.iter().flatten().for_each(|condition| condition.each_test(see));
            }
        }
    }
}

impl Test {
    fn has_exists(&self, positive: bool, forbidden: &impl Fn(bool) -> bool) -> bool {
        match self {
            Self::Exists(value) => forbidden(*value == positive),
            Self::Not(test) => test.has_exists(!positive, forbidden),
            Self::Any(tests) | Self::All(tests) => {
                tests.iter().any(|test| test.has_exists(positive, forbidden))
            }
            Self::Some(inner) | Self::Every(inner) => {
                inner.iter().any(|condition| condition.has_exists(positive, forbidden))
            }
            Self::In(_)
            | Self::Contains { .. }
            | Self::Compare { .. }
            | Self::Prefix(_)
            | Self::Suffix(_)
            | Self::Glob(_)
            | Self::Cidr(_)
            | Self::Within(_)
            | Self::SameAs(_) => false,
        }
    }

    fn each(
        &self,
        attribute: &crate::policy::attribute::Attribute,
        see: &mut impl FnMut(&crate::policy::attribute::Attribute, &Self),
    ) {
        see(attribute, self);
        self.parts().iter().for_each(|test| test.each(attribute, see));
        let inner = self.of_elements().into_iter().flatten();
        inner.for_each(|condition| condition.each_test(see));
    }
}
