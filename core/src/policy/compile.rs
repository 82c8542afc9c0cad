//! Documents together: names resolved, promises that nobody could keep refused.

mod check;
mod lower;
mod sections;

use std::collections::{BTreeMap, BTreeSet};

use check::Checker;
pub(super) use check::stages_of;
use lower::lower;
use sections::{Settled, defaults, membership, notices, records, signals, trusts};

use crate::digest::Digest;
use crate::membership::{Membership, Team};
use crate::policy::calendar::Zone;
use crate::policy::document::{
    self, Fault, Half, OnChange, PolicyChanges, PolicyDocument, Vocabulary,
};
use crate::policy::index::Index;
use crate::policy::record::Records;
use crate::policy::risk::Factor;
use crate::policy::{Policy, Rule, Signals};
use crate::trust::Trust;

/// Everything the documents say, before it is held against each other.
#[derive(Debug)]
pub(super) struct Written<'a> {
    pub(super) halves: Vec<(&'a PolicyDocument, Half)>,
    pub(super) rules: Vec<document::Rule>,
    pub(super) factors: Vec<document::Placed<Factor>>,
    pub(super) records: Records,
    pub(super) membership: Membership,
    pub(super) teams: BTreeMap<String, Team>,
    pub(super) unlinked: document::Unlinked,
    pub(super) absences: document::Absences,
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

    let settled = defaults(&halves, faults);
    let Settled { defaults, zone, on_change, policy_changes, on_signal, unlinked, absences } =
        settled;
    let mut records = records(&halves, zone.unwrap_or_else(Zone::utc), faults);
    let (membership, teams) = membership(&halves, unlinked, faults);
    records.notices = notices(&halves, &membership, faults);
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
        teams,
        unlinked,
        absences,
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
    let Written {
        rules: written,
        factors,
        records,
        membership,
        teams,
        unlinked,
        absences,
        defaults,
        trusts,
        signals,
        ..
    } = all;
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
        teams,
        unlinked,
        absences,
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
