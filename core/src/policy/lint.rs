//! What is allowed and yet wrong: rules that can never match, waivers that waive nothing, names
//! that nobody uses, one person where two were meant.
//!
//! Nothing here changes a ruling. A finding is a fault where the documents alone prove it, and a
//! warning where it is only likely to be a mistake.

mod authorities;
mod brokers;
mod changes;
mod people;
mod satisfy;
#[cfg(test)]
mod tests;
mod time;
mod timers;
mod together;
mod trusts;
mod unused;
mod values;

use crate::membership::Membership;
use crate::policy::Policy;
use crate::policy::compile::{self, Written};
use crate::policy::document::{Fault, Place, PolicyDocument, Rule};
use crate::policy::record::Records;
use crate::time::Timestamp;

/// Every kind of finding there is.
pub const CODES: [&str; 23] = [
    "approver-asks",
    "around-broker",
    "asks-no-owner",
    "duplicate",
    "impossible-value",
    "long-break-glass",
    "never-matches",
    "over",
    "policy-is-fixed",
    "review-without-consequence",
    "shadowed",
    "timer-too-long",
    "unlinked-person",
    "unlinked-team",
    "unused-authority",
    "unused-calendar",
    "unused-group",
    "unused-owners",
    "unused-risk",
    "waives-nothing",
    "waives-two",
    "wide-authority",
    "wide-trust",
];

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The documents prove it.
    Fault,
    /// It is probably not what was meant.
    Warning,
}

impl Severity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is probably not what was meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where, and what.
    pub fault: Fault,
    /// How sure it is.
    pub severity: Severity,
    /// What kind of thing it is, one of [`CODES`]: `never-matches`. Stable, for programs.
    pub code: &'static str,
}

impl Policy {
    /// Looks for what is allowed and yet wrong in the files of a policy. What is only wrong at some
    /// time, such as a delegation that is over, is looked for where the time is told.
    ///
    /// # Errors
    /// As [`Policy::compile`]: what is no policy is not looked at.
    pub fn lint(
        files: &[PolicyDocument],
        now: Option<Timestamp>,
    ) -> Result<Vec<Finding>, Vec<Fault>> {
        Self::compile(files)?;
        let written = compile::read(files, &mut Vec::new());
        let mut findings = Findings::default();
        let context = Context::of(&written);
        satisfy::look(&context, &mut findings);
        values::look(&context, &mut findings);
        together::look(&context, &mut findings);
        unused::look(&written, &mut findings);
        timers::look(&context, &mut findings);
        changes::look(&context, &mut findings);
        trusts::look(&written, &mut findings);
        authorities::look(&written, &mut findings);
        people::look(&written, &mut findings);
        brokers::look(&context, &mut findings);
        if let Some(now) = now {
            time::look(&written, now, &mut findings);
        }
        Ok(findings.sorted())
    }
}

/// What the rules are looked at with.
struct Context<'w> {
    written: &'w Written<'w>,
    rules: &'w [Rule],
    records: &'w Records,
    membership: &'w Membership,
    /// The highest score there can be.
    most_risk: u32,
}

impl<'w> Context<'w> {
    fn of(written: &'w Written<'w>) -> Self {
        let weights = written.factors.iter().map(|factor| factor.value.weight);
        Self {
            written,
            rules: &written.rules,
            records: &written.records,
            membership: &written.membership,
            most_risk: weights.fold(0, u32::saturating_add),
        }
    }

    fn rule(&self, id: &str) -> Option<&'w Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }
}

#[derive(Default)]
struct Findings {
    all: Vec<Finding>,
}

impl Findings {
    fn warning(&mut self, code: &'static str, place: &Place, message: impl Into<String>) {
        self.add(Severity::Warning, code, place, message);
    }

    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        place: &Place,
        message: impl Into<String>,
    ) {
        debug_assert!(CODES.contains(&code), "`{code}` is not among the codes");
        let fault = Fault { place: place.clone(), message: message.into() };
        self.all.push(Finding { fault, severity, code });
    }

    fn sorted(mut self) -> Vec<Finding> {
        self.all.sort();
        self.all.dedup();
        self.all
    }
}
