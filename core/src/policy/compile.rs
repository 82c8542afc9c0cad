//! Documents together: names resolved, promises that nobody could keep refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::digest::Digest;
use crate::membership::{Approver, Membership};
use crate::policy::ask::{Ask, Attachment, Engine};
use crate::policy::attribute::Attribute;
use crate::policy::calendar::Zone;
use crate::policy::condition::{Condition, Constant, Test};
use crate::policy::document::{
    self, EngineText, Fault, Half, OnChange, Place, PolicyChanges, PolicyDocument, StageText,
    Vocabulary,
};
use crate::policy::index::Index;
use crate::policy::partner::Partner;
use crate::policy::polarity;
use crate::policy::quorum::{Approval, Endorsed, Progress};
use crate::policy::record::{Delegation, Records};
use crate::policy::risk::Factor;
use crate::policy::ruling::{PostReview, Stage, Terms};
use crate::policy::{Asking, Effect, Policy, Requiring, Rule, Signals};
use crate::signal::OnSignal;
use crate::signal::source::{Speaker, Transmitter};
use crate::time::Span;
use crate::trust::Trust;

/// Everything the documents say, before it is held against each other.
#[derive(Debug)]
pub(super) struct Written<'a> {
    pub(super) halves: Vec<(&'a PolicyDocument, Half)>,
    pub(super) rules: Vec<document::Rule>,
    pub(super) factors: Vec<document::Placed<Factor>>,
    pub(super) records: Records,
    pub(super) membership: Membership,
    pub(super) defaults: crate::policy::Defaults,
    pub(super) on_change: OnChange,
    pub(super) policy_changes: PolicyChanges,
    pub(super) trusts: BTreeMap<String, document::Placed<Trust>>,
    pub(super) signals: Signals,
}

/// Reads the documents among these files.
pub(super) fn read<'a>(files: &'a [PolicyDocument], faults: &mut Vec<Fault>) -> Written<'a> {
    let mut documents: Vec<&PolicyDocument> =
        files.iter().filter(|file| !file.is_test() && !file.is_attachment()).collect();
    documents.sort_by(|one, other| (&one.file, &one.text).cmp(&(&other.file, &other.text)));
    let halves: Vec<(&PolicyDocument, Half)> =
        documents.into_iter().map(|text| (text, document::read(text, faults))).collect();

    for file in files.iter().filter(|file| file.is_test() && !file.is_attachment()) {
        faults.extend(document::misnamed(file));
    }

    let Settled { defaults, zone, on_change, policy_changes, on_signal } =
        defaults(&halves, faults);
    let records = records(&halves, zone.unwrap_or_else(Zone::utc), faults);
    let membership = membership(&halves, faults);
    let trusts = trusts(&halves, &membership, faults);
    let signals = signals(&halves, &trusts, on_signal, faults);
    let vocabulary =
        Vocabulary { zone: Some(records.zone.clone()), calendars: records.calendars.clone() };

    let mut rules: Vec<document::Rule> = Vec::new();
    let mut factors = Vec::new();
    for (_, half) in &halves {
        let read = document::read_rules(half, &vocabulary, faults);
        rules.extend(read.rules);
        factors.extend(read.factors);
    }
    Written {
        halves,
        rules,
        factors,
        records,
        membership,
        defaults,
        on_change,
        policy_changes,
        trusts,
        signals,
    }
}

pub(super) fn compile(files: &[PolicyDocument]) -> Result<Policy, Vec<Fault>> {
    let mut faults = Vec::new();
    let all = read(files, &mut faults);
    let (on_change, policy_changes) = (all.on_change, all.policy_changes);
    let Written { rules: written, factors, records, membership, defaults, trusts, signals, .. } =
        all;
    let attachments: Vec<&PolicyDocument> =
        files.iter().filter(|file| file.is_attachment() && !file.is_test()).collect();
    let checker = Checker { all: &written, membership: &membership, records: &records };
    checker.check(&factors, &mut faults);
    let mut rules: Vec<Rule> = written
        .iter()
        .filter_map(|rule| lower(rule, &records, &attachments, &mut faults))
        .collect();
    if !faults.is_empty() {
        faults.sort();
        faults.dedup();
        return Err(faults);
    }
    rules.sort_by(|one, other| one.id.cmp(&other.id));
    let mut factors: Vec<Factor> = factors.into_iter().map(|placed| placed.value).collect();
    factors.sort_by(|one, other| one.id.cmp(&other.id));
    let index = Index::new(rules.iter().map(|rule| rule.when.as_slice()));
    let revision = revision(files);
    Ok(Policy {
        rules,
        index,
        membership,
        records,
        factors,
        defaults,
        on_change,
        policy_changes,
        trusts,
        signals,
        revision,
    })
}

/// The digest of all texts that rule, whatever their order and their files' names.
fn revision(files: &[PolicyDocument]) -> Digest {
    let ruling = files.iter().filter(|file| !file.is_test());
    let texts: BTreeSet<Digest> = ruling.map(|d| Digest::of(d.text.as_bytes())).collect();
    let mut parts: Vec<&[u8]> = vec![b"assent/policy/v1\0"];
    parts.extend(texts.iter().map(|digest| digest.as_bytes().as_slice()));
    Digest::of_parts(&parts)
}

fn membership(halves: &[(&PolicyDocument, Half)], faults: &mut Vec<Fault>) -> Membership {
    let mut groups = BTreeMap::new();
    let mut vouched = BTreeSet::new();
    let mut seen = Seen::default();
    for (name, group) in halves.iter().flat_map(|(_, half)| &half.sections.groups) {
        seen.see("group", name, &group.place, faults);
        match &group.people {
            Some(people) => drop(groups.insert(name.clone(), people.clone())),
            None => drop(vouched.insert(name.clone())),
        }
    }
    Membership::new(groups).with_vouched(vouched)
}

/// Everything that has a name, each name once over all documents.
fn records(halves: &[(&PolicyDocument, Half)], zone: Zone, faults: &mut Vec<Fault>) -> Records {
    let mut records = Records { zone, ..Records::default() };
    let mut seen = Seen::default();
    for (_, half) in halves {
        let sections = &half.sections;
        for (name, placed) in &sections.kinds {
            seen.see("kind", name, &placed.place, faults);
            records.kinds.insert(name.clone(), placed.value);
        }
        for (name, placed) in &sections.environments {
            seen.see("environment", name, &placed.place, faults);
            records.environments.insert(name.clone(), placed.value.clone());
        }
        for (name, placed) in &sections.calendars {
            seen.see("calendar", name, &placed.place, faults);
            match placed.value.calendar(&records.zone) {
                Ok(calendar) => drop(records.calendars.insert(name.clone(), Arc::new(calendar))),
                Err(error) => {
                    let (place, message) = (placed.place.clone(), error.to_string());
                    faults.push(Fault { place, message });
                }
            }
        }
        records.owners.extend(sections.owners.iter().map(|placed| placed.value.clone()));
        for (name, placed) in &sections.authorities {
            seen.see("authority", name, &placed.place, faults);
            records.authorities.insert(name.clone(), placed.value.clone());
        }
        for placed in &sections.delegations {
            if let Some(problem) = clash(&placed.value, &records.delegations) {
                faults.push(Fault { place: placed.place.clone(), message: problem });
            }
            records.delegations.push(placed.value.clone());
        }
    }
    records
}

/// Every trust once, and each with groups that a workload can be put into.
fn trusts(
    halves: &[(&PolicyDocument, Half)],
    membership: &Membership,
    faults: &mut Vec<Fault>,
) -> BTreeMap<String, document::Placed<Trust>> {
    let (mut seen, mut trusts) = (Seen::default(), BTreeMap::new());
    for (name, placed) in halves.iter().flat_map(|(_, half)| &half.sections.trusts) {
        for group in placed.value.groups().iter().filter(|group| !membership.is_vouched(group)) {
            let message = format!(
                "trust `{name}` puts workloads into the group `{group}`, whose members somebody else \
                 must vouch for: write `{group}: {{identity: true}}` under `groups`"
            );
            faults.push(Fault { place: placed.place.clone(), message });
        }
        seen.see("trust", name, &placed.place, faults);
        trusts.insert(name.clone(), placed.clone());
    }
    trusts
}

/// Every source and transmitter once. A source that comes by a trust needs that trust.
fn signals(
    halves: &[(&PolicyDocument, Half)],
    trusts: &BTreeMap<String, document::Placed<Trust>>,
    on_signal: OnSignal,
    faults: &mut Vec<Fault>,
) -> Signals {
    let mut seen = Seen::default();
    let mut signals = Signals { on_signal, ..Signals::default() };
    for (name, placed) in halves.iter().flat_map(|(_, half)| &half.sections.sources) {
        seen.see("source", name, &placed.place, faults);
        if let Speaker::Trust(trust) = &placed.value.speaker
            && !trusts.contains_key(trust)
        {
            let nearest = document::nearest(trust, trusts.keys().map(String::as_str));
            let message = format!("source `{name}`: there is no trust `{trust}`{nearest}");
            faults.push(Fault { place: placed.place.clone(), message });
        }
        signals.sources.insert(name.clone(), placed.value.clone());
    }
    for (name, placed) in halves.iter().flat_map(|(_, half)| &half.sections.transmitters) {
        seen.see("transmitter", name, &placed.place, faults);
        // One issuer's token for one audience is heard once: two entries would be two minds.
        let same = signals.transmitters.values().find(|other: &&Transmitter| {
            (&other.issuer, &other.audience) == (&placed.value.issuer, &placed.value.audience)
        });
        if let Some(other) = same {
            let message = format!(
                "transmitter `{name}` has issuer and audience of `{}`: say it in one entry",
                other.name
            );
            faults.push(Fault { place: placed.place.clone(), message });
        }
        signals.transmitters.insert(name.clone(), placed.value.clone());
    }
    signals
}

/// Where what has a name was defined first. Nothing is ever silently overridden: whichever document
/// it comes from, the second definition is a fault.
#[derive(Default)]
pub(super) struct Seen<'a> {
    first: BTreeMap<(&'static str, &'a str), &'a Place>,
}

impl<'a> Seen<'a> {
    pub(super) fn see(
        &mut self,
        what: &'static str,
        name: &'a str,
        place: &'a Place,
        faults: &mut Vec<Fault>,
    ) {
        let Some(first) = self.first.get(&(what, name)) else {
            self.first.insert((what, name), place);
            return;
        };
        let message = format!("{what} `{name}` is defined twice: at {first} already");
        faults.push(Fault { place: place.clone(), message });
    }
}

/// Somebody with two stand-ins at once would count twice.
fn clash(new: &Delegation, others: &[Delegation]) -> Option<String> {
    let meets = |other: &&Delegation| {
        other.from == new.from && other.starts < new.ends && new.starts < other.ends
    };
    let other = others.iter().find(meets)?;
    Some(format!("`{}` has `{}` standing in at that time already", new.from, other.to))
}

/// What holds where no rule says otherwise.
struct Settled {
    defaults: crate::policy::Defaults,
    zone: Option<Zone>,
    on_change: OnChange,
    policy_changes: PolicyChanges,
    on_signal: OnSignal,
}

/// Defaults of several documents must not differ silently: at most one document states them.
fn defaults(halves: &[(&PolicyDocument, Half)], faults: &mut Vec<Fault>) -> Settled {
    let mut stated =
        halves.iter().map(|(_, half)| &half.sections.defaults).filter(|d| d.place.is_some());
    let chosen = stated.next().cloned().unwrap_or_default();
    for other in stated {
        let message = "`defaults` are stated in another document already".to_owned();
        faults.extend(other.place.clone().map(|place| Fault { place, message }));
    }
    let limits = chosen.limits;
    let defaults = crate::policy::Defaults {
        request_expires: chosen.request_expires.unwrap_or(Span::hours(24)),
        terms: Terms {
            max_ttl: limits.max_ttl.unwrap_or(Terms::DEFAULT.max_ttl),
            uses: limits.uses.unwrap_or(Terms::DEFAULT.uses),
            grant_window: limits.grant_window.unwrap_or(Terms::DEFAULT.grant_window),
            ..Terms::DEFAULT
        },
    };
    Settled {
        defaults,
        zone: chosen.zone,
        on_change: chosen.on_change.unwrap_or_default(),
        policy_changes: chosen.policy_changes.unwrap_or_default(),
        on_signal: chosen.on_signal.unwrap_or_default(),
    }
}

/// What all rules together must keep.
struct Checker<'a> {
    all: &'a [document::Rule],
    membership: &'a Membership,
    records: &'a Records,
}

impl Checker<'_> {
    fn check(&self, factors: &[document::Placed<Factor>], faults: &mut Vec<Fault>) {
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
        if review.by.iter().all(|by| self.is_known(by)) && !self.is_vouched(&review.by) {
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

    fn is_vouched(&self, approvers: &BTreeSet<Approver>) -> bool {
        approvers.iter().any(|approver| match approver {
            Approver::Group(group) => self.membership.is_vouched(group),
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
            known && !stage.owners && !self.is_vouched(&stage.from)
        };
        // Whether another organisation has enough people, only that knows.
        let here: Vec<&StageText> = stages.iter().filter(|s| s.authority.is_none()).collect();
        if !here.iter().all(|stage| counts(stage)) {
            return; // That was said already, or nobody can count here who will be there then.
        }
        let asked: Vec<Stage> = ordered("", here.iter().copied(), false, self.records);
        let everybody = self.membership.people(asked.iter().flat_map(|stage| &stage.from));
        // Whoever is to count can sign in just before.
        let fresh = || Approval { login_age: Some(Span::ZERO), ..Approval::default() };
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

pub(super) fn looks_at_risk(when: &[Condition]) -> bool {
    let mut looks = false;
    for condition in when {
        condition.each_test(&mut |attribute, test| {
            let same = matches!(test, Test::SameAs(other) if *other == Attribute::Risk);
            looks |= same || *attribute == Attribute::Risk;
        });
    }
    looks
}

pub(super) fn stages_of(effect: &document::Effect) -> &[StageText] {
    match effect {
        document::Effect::Require(require) => &require.stages,
        document::Effect::Ask(ask) => &ask.stages,
        document::Effect::Deny { .. } | document::Effect::Allow(_) => &[],
    }
}

/// `None` where a fault was found.
fn lower(
    rule: &document::Rule,
    records: &Records,
    attachments: &[&PolicyDocument],
    faults: &mut Vec<Fault>,
) -> Option<Rule> {
    let effect = match &rule.effect {
        document::Effect::Deny { message, waivable, notify } => {
            Effect::Deny { message: message.clone(), waivable: *waivable, notify: notify.clone() }
        }
        document::Effect::Require(require) => Effect::Require(Requiring {
            owners: owners(&require.stages),
            stages: ordered(&rule.id, &require.stages, require.parallel, records),
            expires_after: require.expires_after,
            limits: require.limits.clone(),
            notify: require.notify.clone(),
        }),
        document::Effect::Allow(allow) => Effect::Allow {
            waives: allow.waives.iter().map(|(_, id)| id.clone()).collect(),
            limits: allow.limits.clone(),
            notify: allow.notify.clone(),
            post_review: allow.post_review.as_ref().map(|review| PostReview {
                rule: rule.id.clone(),
                approvals: review.approvals,
                by: review.by.clone(),
                within: review.within,
                suspend: review.suspend.as_ref().map(|(_, id)| id.clone()),
                notify: review.notify.clone(),
            }),
        },
        document::Effect::Ask(ask) => Effect::Ask(Asking {
            ask: asking(&rule.id, &ask.place, &ask.engine, attachments, faults)?,
            stages: Requiring {
                owners: owners(&ask.stages),
                stages: ordered(&rule.id, &ask.stages, false, records),
                expires_after: None,
                limits: document::Limits::default(),
                notify: BTreeSet::new(),
            },
            waives: ask.waives.iter().map(|(_, id)| id.clone()).collect(),
        }),
    };
    Some(Rule {
        id: rule.id.clone(),
        place: rule.place.clone(),
        description: rule.description.clone(),
        when: rule.when.clone(),
        effect,
    })
}

fn owners(stages: &[StageText]) -> BTreeSet<String> {
    stages.iter().filter(|stage| stage.owners).map(|stage| stage.name.clone()).collect()
}

fn asking(
    rule: &str,
    place: &Place,
    engine: &EngineText,
    attachments: &[&PolicyDocument],
    faults: &mut Vec<Fault>,
) -> Option<Ask> {
    let mut attached = |names: &[(Place, String)]| -> Option<Vec<Attachment>> {
        let mut found = Vec::new();
        for (place, name) in names {
            match attachments.iter().find(|file| is_beside(&file.file, name, &place.file)) {
                Some(file) => {
                    let text = Arc::from(file.text.as_str());
                    found.push(Attachment { file: file.file.clone(), text });
                }
                None => {
                    let message = format!("there is no file `{name}` in this document's directory");
                    faults.push(Fault { place: place.clone(), message });
                }
            }
        }
        (found.len() == names.len()).then_some(found)
    };
    let (engine, shape) = match engine {
        EngineText::Rego { files, data, v0, shape } => {
            let (modules, data) = (attached(files), attached(data));
            (Engine::Rego { modules: modules?, data: data?, v0: *v0 }, shape)
        }
        EngineText::Opa { url, token_file, ca_file, timeout, shape } => {
            let (url, timeout) = (url.clone(), *timeout);
            let (token_file, ca_file) = (token_file.clone(), ca_file.clone());
            (Engine::Opa { url, token_file, ca_file, timeout }, shape)
        }
    };
    let needs_query = shape.dialect == crate::policy::ask::Dialect::HcpTerraform;
    if needs_query && shape.query.is_none() && matches!(engine, Engine::Rego { .. }) {
        let message = "the dialect hcp-terraform needs a `query`".to_owned();
        faults.push(Fault { place: place.clone(), message });
        return None;
    }
    Some(Ask {
        rule: rule.to_owned(),
        place: place.clone(),
        engine,
        dialect: shape.dialect,
        query: shape.query.clone(),
        namespace: shape.namespace.clone(),
        hidden: shape.hidden,
    })
}

/// Whether `file` is what a document in `document` means by `name`: a path from its own directory
/// downwards.
fn is_beside(file: &str, name: &str, document: &str) -> bool {
    let directory = document.rsplit_once('/').map_or("", |(directory, _)| directory);
    let inside = match directory {
        "" => Some(file),
        directory => file.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')),
    };
    inside == Some(name)
}

/// Stages of one rule run in their order, unless they stand side by side.
fn ordered<'s>(
    rule: &str,
    stages: impl IntoIterator<Item = &'s StageText>,
    parallel: bool,
    records: &Records,
) -> Vec<Stage> {
    let partner = |name: &String| records.authorities.get(name).map(Partner::asked).cloned();
    let mut after = None;
    let mut ordered = Vec::new();
    for stage in stages {
        ordered.push(Stage {
            name: stage.name.clone(),
            rules: BTreeSet::from([rule.to_owned()]),
            approvals: stage.approvals,
            from: stage.from.clone(),
            elsewhere: stage.authority.as_ref().and_then(partner),
            exclude: stage.exclude.clone(),
            after: if parallel { None } else { after.replace(stage.name.clone()) },
            login_within: stage.login_within,
            expires_after: stage.expires_after,
            escalate: stage.escalate.clone(),
            remind: stage.remind,
        });
    }
    ordered
}
