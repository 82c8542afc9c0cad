//! Documents together: names resolved, promises that nobody could keep refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::membership::{Approver, Membership};
use crate::policy::condition::{Attribute, Condition, Test};
use crate::policy::document::{self, Defaults, Fault, Parsed, Place, PolicyDocument, StageText};
use crate::policy::quorum::Progress;
use crate::policy::ruling::{Stage, Terms};
use crate::policy::{Effect, Index, Policy, Rule};
use crate::time::Span;

pub(super) fn compile(documents: &[PolicyDocument]) -> Result<Policy, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut parsed: Vec<_> =
        documents.iter().map(|text| (text, document::read(text, &mut faults))).collect();
    parsed.sort_by(|(one, _), (other, _)| (&one.file, &one.text).cmp(&(&other.file, &other.text)));
    let membership = membership(&parsed, &mut faults);
    let defaults = defaults(&parsed, &mut faults);
    let written: Vec<document::Rule> = parsed.into_iter().flat_map(|(_, doc)| doc.rules).collect();
    check_ids(&written, &mut faults);
    check_stage_names(&written, &mut faults);
    for rule in &written {
        check_rule(rule, &written, &membership, &mut faults);
    }
    if !faults.is_empty() {
        faults.sort();
        return Err(faults);
    }
    let mut rules: Vec<Rule> = written.into_iter().map(lower).collect();
    rules.sort_by(|one, other| one.id.cmp(&other.id));
    let mut index = Index::default();
    for (at, rule) in rules.iter().enumerate() {
        let environments = pinned(&rule.when, &Attribute::Environment);
        index.add(at, pinned(&rule.when, &Attribute::Kind), &environments);
    }
    Ok(Policy { rules, index, membership, defaults, revision: revision(documents) })
}

/// The digest of all texts, whatever their order and their files' names.
fn revision(documents: &[PolicyDocument]) -> Digest {
    let texts: BTreeSet<Digest> = documents.iter().map(|d| Digest::of(d.text.as_bytes())).collect();
    let mut parts: Vec<&[u8]> = vec![b"assent/policy/v1\0"];
    parts.extend(texts.iter().map(|digest| digest.as_bytes().as_slice()));
    Digest::of_parts(&parts)
}

fn membership(parsed: &[(&PolicyDocument, Parsed)], faults: &mut Vec<Fault>) -> Membership {
    let mut groups = BTreeMap::new();
    for (name, group) in parsed.iter().flat_map(|(_, doc)| &doc.groups) {
        if groups.insert(name.clone(), group.people.clone()).is_some() {
            let message = format!("group `{name}` is defined twice");
            faults.push(Fault { place: group.place.clone(), message });
        }
    }
    Membership::new(groups)
}

/// Defaults of several documents must not differ silently: at most one document states them.
fn defaults(
    parsed: &[(&PolicyDocument, Parsed)],
    faults: &mut Vec<Fault>,
) -> crate::policy::Defaults {
    let states = |d: &Defaults| {
        let limits = &d.limits;
        d.request_expires.is_some()
            || limits.max_ttl.is_some()
            || limits.uses.is_some()
            || limits.grant_window.is_some()
    };
    let mut stated = parsed.iter().filter(|(_, doc)| states(&doc.defaults));
    let chosen = stated.next().map(|(_, doc)| doc.defaults.clone()).unwrap_or_default();
    for (text, _) in stated {
        let message = "`defaults` are stated in another document already".to_owned();
        faults.push(Fault { place: Place::at(&text.file, 1, 0), message });
    }
    let limits = chosen.limits;
    crate::policy::Defaults {
        request_expires: chosen.request_expires.unwrap_or(Span::hours(24)),
        terms: Terms {
            max_ttl: limits.max_ttl.unwrap_or(Terms::DEFAULT.max_ttl),
            uses: limits.uses.unwrap_or(Terms::DEFAULT.uses),
            audiences: None,
            grant_window: limits.grant_window.unwrap_or(Terms::DEFAULT.grant_window),
        },
    }
}

fn check_ids(rules: &[document::Rule], faults: &mut Vec<Fault>) {
    let mut seen: BTreeMap<&str, &Place> = BTreeMap::new();
    for rule in rules {
        if let Some(first) = seen.insert(&rule.id, &rule.place) {
            let message =
                format!("rule `{}` stands already at {}:{}", rule.id, first.file, first.line);
            faults.push(Fault { place: rule.place.clone(), message });
        }
    }
}

/// `RULE/STAGE` must name one stage: with `/` in names, two rules could spell the same.
fn check_stage_names(rules: &[document::Rule], faults: &mut Vec<Fault>) {
    let mut seen: BTreeMap<&str, (&str, &Place)> = BTreeMap::new();
    for rule in rules {
        let document::Effect::Require { stages, .. } = &rule.effect else { continue };
        for stage in stages {
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

fn check_rule(
    rule: &document::Rule,
    all: &[document::Rule],
    membership: &Membership,
    faults: &mut Vec<Fault>,
) {
    for condition in &rule.when {
        if let (Attribute::RequesterGroups, Test::ContainsAny(groups) | Test::ContainsAll(groups)) =
            (&condition.attribute, &condition.test)
        {
            check_groups(groups.iter(), &rule.place, membership, faults);
        }
    }
    match &rule.effect {
        document::Effect::Deny { .. } => {}
        document::Effect::Require { stages, .. } => check_stages(stages, membership, faults),
        document::Effect::Allow { waives, .. } => {
            for (place, id) in waives {
                if let Some(problem) = cannot_waive(id, all) {
                    let message = format!("cannot waive `{id}`: {problem}");
                    faults.push(Fault { place: place.clone(), message });
                }
            }
        }
    }
}

fn cannot_waive(id: &str, all: &[document::Rule]) -> Option<&'static str> {
    match all.iter().find(|rule| rule.id == id).map(|rule| &rule.effect) {
        None => Some("there is no such rule"),
        Some(document::Effect::Allow { .. }) => Some("an allow is never waived"),
        Some(document::Effect::Deny { waivable: false, .. }) => {
            Some("it does not say `waivable: true`")
        }
        Some(document::Effect::Deny { waivable: true, .. } | document::Effect::Require { .. }) => {
            None
        }
    }
}

fn check_groups<'a>(
    groups: impl Iterator<Item = &'a String>,
    place: &Place,
    membership: &Membership,
    faults: &mut Vec<Fault>,
) {
    for group in groups.filter(|group| membership.members(group).is_none()) {
        let message = format!("there is no group `{group}`; groups are defined under `groups`");
        faults.push(Fault { place: place.clone(), message });
    }
}

/// Every group exists, and if everybody approved, the stages would be filled, each person counted
/// once. A quorum that cannot be met is a mistake, not a refusal.
fn check_stages(stages: &[StageText], membership: &Membership, faults: &mut Vec<Fault>) {
    for stage in stages {
        let named = stage.from.iter().chain(&stage.exclude).filter_map(|approver| match approver {
            Approver::Group(group) => Some(group),
            Approver::Person(_) => None,
        });
        check_groups(named, &stage.place, membership, faults);
    }
    let names_all = |stage: &StageText| {
        !stage.from.is_empty()
            && stage.from.iter().chain(&stage.exclude).all(|approver| match approver {
                Approver::Group(group) => membership.members(group).is_some(),
                Approver::Person(_) => true,
            })
    };
    if !stages.iter().all(names_all) {
        return; // That was said already; counting would only say it again.
    }
    let asked: Vec<Stage> = ordered("", stages.to_vec());
    let everybody = membership.people(asked.iter().flat_map(|stage| &stage.from));
    let everybody = everybody.into_iter().cloned().collect();
    let progress = Progress::of(&asked, &everybody, &BTreeSet::new(), membership);
    let Some((stage, counted)) =
        stages.iter().zip(progress.stages()).find(|(_, counted)| !counted.is_filled())
    else {
        return;
    };
    let message = format!(
        "stage `{}` asks for {} approvals, but only {} different people can give one",
        stage.name,
        stage.approvals,
        counted.counted.len()
    );
    faults.push(Fault { place: stage.place.clone(), message });
}

fn lower(rule: document::Rule) -> Rule {
    let effect = match rule.effect {
        document::Effect::Deny { message, waivable } => Effect::Deny { message, waivable },
        document::Effect::Require { stages, expires_after, limits } => {
            Effect::Require { stages: ordered(&rule.id, stages), expires_after, limits }
        }
        document::Effect::Allow { waives, limits } => {
            Effect::Allow { waives: waives.into_iter().map(|(_, id)| id).collect(), limits }
        }
    };
    Rule { id: rule.id, when: rule.when, effect }
}

/// Stages of one rule run in their order.
fn ordered(rule: &str, stages: Vec<StageText>) -> Vec<Stage> {
    let mut after = None;
    let mut ordered = Vec::new();
    for stage in stages {
        let name = stage.name.clone();
        ordered.push(Stage {
            name: stage.name,
            rules: BTreeSet::from([rule.to_owned()]),
            approvals: stage.approvals,
            from: stage.from,
            exclude: stage.exclude,
            after: after.replace(name),
        });
    }
    ordered
}

/// The texts to which these conditions pin an attribute; any text where they do not.
fn pinned(when: &[Condition], attribute: &Attribute) -> Vec<Option<String>> {
    let tests = when.iter().filter(|condition| condition.attribute == *attribute);
    let texts = tests.filter_map(|condition| match &condition.test {
        Test::In(texts) => Some(texts.iter().cloned().map(Some).collect()),
        Test::ContainsAny(_) | Test::ContainsAll(_) => None,
    });
    texts.min_by_key(Vec::len).unwrap_or_else(|| vec![None])
}
