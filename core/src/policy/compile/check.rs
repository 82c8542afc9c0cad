//! Rules held against each other and against what is on file: what nobody could keep is refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::membership::{Approver, Membership};
use crate::policy::attribute::Attribute;
use crate::policy::compile::lower::ordered;
use crate::policy::compile::sections::Seen;
use crate::policy::condition::{Condition, Constant, Test};
use crate::policy::document::{self, Fault, Place, StageText};
use crate::policy::polarity;
use crate::policy::quorum::{Approval, Endorsed, Progress};
use crate::policy::record::Records;
use crate::policy::risk::Factor;
use crate::policy::ruling::{MeansWanted, Stage};
use crate::statement::Strength;
use crate::time::Span;

/// What all rules together must keep.
pub(super) struct Checker<'a> {
    pub(super) all: &'a [document::Rule],
    pub(super) membership: &'a Membership,
    pub(super) records: &'a Records,
}

impl Checker<'_> {
    pub(super) fn check(&self, factors: &[document::Placed<Factor>], faults: &mut Vec<Fault>) {
        self.check_ids(faults);
        self.check_stage_names(faults);
        for rule in self.all {
            self.check_rule(rule, faults);
        }
        let mut seen = Seen::default();
        for factor in factors {
            seen.see("risk factor", &factor.value.id, &factor.place, faults);
            self.check_conditions(&factor.value.when, &factor.place, faults);
            if looks_at_risk(&factor.value.when) {
                let message =
                    "a risk factor cannot look at `risk.score`, which it makes".to_owned();
                faults.push(Fault { place: factor.place.clone(), message });
            }
            let problem = polarity::of_factor(&factor.value.when);
            faults.extend(problem.map(|p| Fault { place: factor.place.clone(), message: p }));
        }
    }

    fn check_ids(&self, faults: &mut Vec<Fault>) {
        let mut seen: BTreeMap<&str, &Place> = BTreeMap::new();
        for rule in self.all {
            if let Some(first) = seen.insert(&rule.id, &rule.place) {
                let message =
                    format!("rule `{}` stands already at {}:{}", rule.id, first.file, first.line);
                faults.push(Fault { place: rule.place.clone(), message });
            }
        }
    }

    /// `RULE/STAGE` must name one stage: with `/` in names, two rules could spell the same.
    fn check_stage_names(&self, faults: &mut Vec<Fault>) {
        let mut seen: BTreeMap<&str, (&str, &Place)> = BTreeMap::new();
        for rule in self.all {
            for stage in stages_of(&rule.effect) {
                let first = seen.insert(&stage.name, (&rule.id, &stage.place));
                if let Some((_, first)) = first.filter(|(other, _)| *other != rule.id) {
                    let message = format!(
                        "stage `{}` stands already at {}:{}",
                        stage.name, first.file, first.line
                    );
                    faults.push(Fault { place: stage.place.clone(), message });
                }
            }
        }
    }

    fn check_rule(&self, rule: &document::Rule, faults: &mut Vec<Fault>) {
        self.check_conditions(&rule.when, &rule.place, faults);
        let problem = polarity::of_rule(&rule.effect, &rule.when);
        faults.extend(problem.map(|p| Fault { place: rule.place.clone(), message: p }));
        self.check_stages(stages_of(&rule.effect), faults);
        let waives = match &rule.effect {
            document::Effect::Allow(allow) => &allow.waives,
            document::Effect::Ask(ask) => &ask.waives,
            document::Effect::Deny { .. } | document::Effect::Require(_) => return,
        };
        for (place, id) in waives {
            if let Some(problem) = self.cannot_waive(id) {
                let message = format!("cannot waive `{id}`: {problem}");
                faults.push(Fault { place: place.clone(), message });
            }
        }
        if let document::Effect::Allow(allow) = &rule.effect {
            self.check_post_review(allow, faults);
        }
    }

    fn check_post_review(&self, allow: &document::AllowText, faults: &mut Vec<Fault>) {
        let Some(review) = &allow.post_review else { return };
        self.check_approvers(review.by.iter(), &review.place, faults);
        if let Some((place, id)) = &review.suspend {
            let problem = match self.find(id).map(|rule| &rule.effect) {
                None => Some("there is no such rule"),
                Some(document::Effect::Allow(_)) => None,
                Some(_) => {
                    Some("only an allow can be suspended; without the others more would pass")
                }
            };
            if let Some(problem) = problem {
                let message = format!("cannot suspend `{id}`: {problem}");
                faults.push(Fault { place: place.clone(), message });
            }
        }
        if review.by.iter().all(|by| self.is_known(by)) && !self.is_kept_elsewhere(&review.by) {
            let people = self.membership.people(&review.by).len();
            if people < review.approvals as usize {
                let message = format!(
                    "the later review asks for {} people, but only {people} can give one",
                    review.approvals
                );
                faults.push(Fault { place: review.place.clone(), message });
            }
        }
    }

    fn find(&self, id: &str) -> Option<&document::Rule> {
        self.all.iter().find(|rule| rule.id == id)
    }

    fn cannot_waive(&self, id: &str) -> Option<&'static str> {
        match self.find(id).map(|rule| &rule.effect) {
            None => Some("there is no such rule"),
            Some(document::Effect::Allow(_)) => Some("an allow is never waived"),
            Some(document::Effect::Ask(_)) => Some("what an engine says is never waived"),
            Some(document::Effect::Deny { waivable: false, .. }) => {
                Some("it does not say `waivable: true`")
            }
            Some(document::Effect::Deny { waivable: true, .. } | document::Effect::Require(_)) => {
                None
            }
        }
    }

    fn is_known(&self, approver: &Approver) -> bool {
        match approver {
            Approver::Group(group) => self.membership.is_known(group),
            Approver::Person(_) => true,
        }
    }

    fn is_kept_elsewhere(&self, approvers: &BTreeSet<Approver>) -> bool {
        approvers.iter().any(|approver| match approver {
            Approver::Group(group) => self.membership.is_kept_elsewhere(group),
            Approver::Person(_) => false,
        })
    }

    fn check_conditions(&self, when: &[Condition], place: &Place, faults: &mut Vec<Fault>) {
        let mut tested = Vec::new();
        for condition in when {
            condition.each_test(&mut |attribute, test| {
                tested.push((attribute.clone(), test.clone()));
            });
        }
        for (attribute, test) in tested {
            if let (Attribute::RequesterGroups, Test::Contains { items, .. }) = (&attribute, &test)
            {
                for item in items {
                    let Constant::Text(group) = item else { continue };
                    self.check_group(group, place, faults);
                }
            }
        }
    }

    fn check_group(&self, group: &str, place: &Place, faults: &mut Vec<Fault>) {
        if self.membership.is_known(group) {
            return;
        }
        let nearest = document::nearest(group, self.membership.names());
        let message = format!(
            "there is no group `{group}`{nearest}; define it under `groups`, \
             or write `{group}: {{identity: true}}` there if the identity provider vouches for it"
        );
        faults.push(Fault { place: place.clone(), message });
    }

    fn check_approvers<'b>(
        &self,
        approvers: impl Iterator<Item = &'b Approver>,
        place: &Place,
        faults: &mut Vec<Fault>,
    ) {
        for approver in approvers {
            if let Approver::Group(group) = approver {
                self.check_group(group, place, faults);
            }
        }
    }

    /// Every group exists, and if everybody approved, the stages would be filled, each person
    /// counted once. A quorum that cannot be met is a mistake, not a refusal.
    fn check_stages(&self, stages: &[StageText], faults: &mut Vec<Fault>) {
        for stage in stages {
            let escalated = stage.escalate.iter().flat_map(|escalation| &escalation.to);
            let named = stage.from.iter().chain(&stage.exclude).chain(escalated);
            self.check_approvers(named, &stage.place, faults);
            if let Some(name) = &stage.authority
                && !self.records.authorities.contains_key(name)
            {
                let known = self.records.authorities.keys().map(String::as_str);
                let nearest = document::nearest(name, known);
                let message = format!(
                    "there is no authority `{name}`{nearest}; define it under `authorities`"
                );
                faults.push(Fault { place: stage.place.clone(), message });
            }
            if stage.owners && self.records.owners.is_empty() {
                let message = "nobody owns anything: define who does under `owners`".to_owned();
                faults.push(Fault { place: stage.place.clone(), message });
            }
        }
        let counts = |stage: &StageText| {
            let named = || stage.from.iter().chain(&stage.exclude);
            let known =
                (stage.owners || !stage.from.is_empty()) && named().all(|a| self.is_known(a));
            known && !stage.owners && !self.is_kept_elsewhere(&stage.from)
        };
        // Whether another organisation has enough people, only that knows.
        let here: Vec<&StageText> = stages.iter().filter(|s| s.authority.is_none()).collect();
        if !here.iter().all(|stage| counts(stage)) {
            return; // That was said already, or nobody can count here who will be there then.
        }
        let mut asked: Vec<Stage> = ordered("", here.iter().copied(), false, self.records);
        // Whoever is to count can sign in just before, as is wanted.
        asked.iter_mut().for_each(|stage| stage.means = MeansWanted::default());
        let everybody = self.membership.people(asked.iter().flat_map(|stage| &stage.from));
        let fresh = || Approval {
            login_age: Some(Span::ZERO),
            signature: Some(Strength::STRONGEST),
            ..Approval::default()
        };
        let everybody = everybody.into_iter().cloned().map(|who| (who, fresh())).collect();
        let progress =
            Progress::of(&asked, &everybody, &Endorsed::new(), &BTreeSet::new(), self.membership);
        let Some((stage, counted)) =
            here.iter().zip(progress.stages()).find(|(_, counted)| !counted.is_filled())
        else {
            return;
        };
        let approvals = match stage.approvals {
            1 => "1 approval".to_owned(),
            some => format!("{some} approvals"),
        };
        let left = match counted.counted.len() {
            0 => "nobody".to_owned(),
            1 => "only 1 person".to_owned(),
            some => format!("only {some} different people"),
        };
        let excluded = self.membership.people(&stage.exclude);
        let able = self.membership.people(&stage.from);
        let able = able.into_iter().filter(|who| !excluded.contains(who)).count();
        let why = match able > counted.counted.len() {
            true => ": other stages of the rule need the rest, and nobody counts twice",
            false => "",
        };
        let message =
            format!("stage `{}` asks for {approvals}, but {left} can give one{why}", stage.name);
        faults.push(Fault { place: stage.place.clone(), message });
    }
}

fn looks_at_risk(when: &[Condition]) -> bool {
    let mut looks = false;
    for condition in when {
        condition.each_test(&mut |attribute, test| {
            let same = matches!(test, Test::SameAs(other) if *other == Attribute::Risk);
            looks |= same || *attribute == Attribute::Risk;
        });
    }
    looks
}

pub(in crate::policy) fn stages_of(effect: &document::Effect) -> &[StageText] {
    match effect {
        document::Effect::Require(require) => &require.stages,
        document::Effect::Ask(ask) => &ask.stages,
        document::Effect::Deny { .. } | document::Effect::Allow(_) => &[],
    }
}
