//! A plan as people read it before they decide: what is destroyed first, each value before and after,
//! and never silently less than all of it.

use assent_core::plan::{CUT, Change, Facts, Risk, Side, ValueChange};

use crate::app::Reading;
use crate::web::text::{LookAlike, hides, look_alikes_in_name, plain};

/// How much of its changes a request's own page shows, in bytes of text; the others are one link away.
const ROOM: usize = 16_000;
/// How many changes, at most.
const AT_ONCE: usize = 60;
/// How many changes a page of the whole plan shows.
pub(super) const PER_PAGE: usize = 40;
/// How much of it, in bytes of text. Each change has its share.
const PAGE_ROOM: usize = 28_000;
/// How many outputs a page of the whole plan names.
const OUTPUTS_PER_PAGE: usize = 200;
/// How many outputs a request's own page names.
const OUTPUTS: usize = 20;
/// How many paths or reasons are named in one row.
const IN_A_ROW: usize = 8;
/// How many changes are shown unfolded.
const UNFOLDED: usize = 6;

/// How much of one change is shown.
#[derive(Clone, Copy)]
struct Share {
    /// How many values.
    values: usize,
    /// How many letters of one.
    letters: usize,
}

const BRIEF: Share = Share { values: 12, letters: 160 };
const WHOLE: Share = Share { values: usize::MAX, letters: usize::MAX };

/// A plan in words.
pub(super) struct PlanView {
    pub(super) headline: String,
    pub(super) groups: Vec<Group>,
    /// How many changes are on other pages.
    pub(super) left: usize,
    /// How many resources stay as they are.
    pub(super) unchanged: usize,
    /// Whether every change and every value of it is on this page.
    pub(super) is_whole: bool,
    pub(super) outputs: Vec<String>,
    pub(super) outputs_left: usize,
    pub(super) drift: Vec<String>,
    pub(super) drift_left: usize,
    pub(super) look_alikes: Vec<LookAlike>,
    pub(super) hides: bool,
    pub(super) made_by: String,
}

/// Changes of one kind.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) class: &'static str,
    pub(super) count: usize,
    pub(super) changes: Vec<ChangeView>,
}

/// One change in words.
pub(super) struct ChangeView {
    /// Its place in the whole plan, from 1.
    pub(super) number: usize,
    pub(super) verb: &'static str,
    pub(super) class: &'static str,
    pub(super) address: String,
    pub(super) marks: Vec<&'static str>,
    pub(super) notes: Vec<String>,
    pub(super) values: Vec<ValueView>,
    /// How many values are not shown here.
    pub(super) more: usize,
    /// Whether everything of it is shown here.
    pub(super) is_whole: bool,
    pub(super) open: bool,
    /// Where all of it is shown.
    pub(super) all: String,
}

/// One value, before and after.
pub(super) struct ValueView {
    pub(super) path: String,
    pub(super) before: Option<Shown>,
    pub(super) after: Option<Shown>,
    /// Whether it is why the resource cannot stay.
    pub(super) forces: bool,
}

/// A value as it is shown.
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) class: &'static str,
    /// How many letters more there are.
    pub(super) cut: usize,
}

/// What of a whole plan one page shows.
pub(super) struct PlanPage {
    pub(super) groups: Vec<Group>,
    pub(super) page: usize,
    pub(super) pages: usize,
    pub(super) found: usize,
    pub(super) outputs: Vec<String>,
}

impl PlanView {
    /// What a request's own page shows of it.
    pub(super) fn of(reading: &Reading, request: &str) -> Self {
        let plan = &reading.plan;
        let shown: Vec<_> =
            reading.numbered().filter(|(_, change, _)| does_something(change)).collect();
        let count = shown.len();
        let (mut changes, mut room) = (Vec::new(), ROOM);
        for (number, change, values) in shown.into_iter().take(AT_ONCE) {
            let view = ChangeView::of(number, change, values, BRIEF, request);
            let size = view.size();
            if size > room && !changes.is_empty() {
                break;
            }
            room = room.saturating_sub(size);
            changes.push((change.risk(), view));
        }
        unfold(&mut changes);
        let left = count - changes.len();
        let is_whole = left == 0 && changes.iter().all(|(_, change)| change.is_whole);
        let groups = grouped(changes, |risk| {
            plan.changes
                .iter()
                .filter(|change| does_something(change) && change.risk() == risk)
                .count()
        });
        let outputs: Vec<_> = plan.outputs.iter().map(|output| plain(&output.name)).collect();
        let outputs_left = outputs.len().saturating_sub(OUTPUTS);
        let drift = plan.drift.iter().map(|change| plain(&change.address));
        let names = plan.changes.iter().flat_map(|change| {
            [Some(&change.address), change.previous_address.as_ref()].into_iter().flatten()
        });
        let names = || names.clone().chain(plan.outputs.iter().map(|output| &output.name));
        let mut look_alikes: Vec<_> = names()
            .filter(|name| !name.is_ascii())
            .flat_map(|name| look_alikes_in_name(name))
            .collect();
        look_alikes.dedup();
        look_alikes.truncate(IN_A_ROW);
        Self {
            headline: headline(&plan.facts),
            groups,
            left,
            unchanged: plan.changes.len() - count,
            is_whole: is_whole && outputs_left == 0,
            outputs: outputs.into_iter().take(OUTPUTS).collect(),
            outputs_left,
            drift: drift.clone().take(OUTPUTS).collect(),
            drift_left: plan.drift.len().saturating_sub(OUTPUTS),
            look_alikes,
            hides: names().any(|name| hides(name)),
            made_by: match &plan.facts.terraform_version {
                Some(version) => format!("Terraform {}", plain(version)),
                None => "a version of Terraform that is not told".to_owned(),
            },
        }
    }
}

impl PlanPage {
    /// A page of all changes whose address holds this, from 1.
    pub(super) fn of(reading: &Reading, request: &str, page: usize, holding: &str) -> Self {
        let wanted = holding.to_lowercase();
        let fits =
            |change: &Change| wanted.is_empty() || change.address.to_lowercase().contains(&wanted);
        let found: Vec<_> = reading.numbered().filter(|(_, change, _)| fits(change)).collect();
        let outputs = if wanted.is_empty() { reading.plan.outputs.as_slice() } else { &[] };
        let pages =
            found.len().div_ceil(PER_PAGE).max(outputs.len().div_ceil(OUTPUTS_PER_PAGE)).max(1);
        let page = page.clamp(1, pages);
        let shown: Vec<_> = found.iter().skip((page - 1) * PER_PAGE).take(PER_PAGE).collect();
        let share =
            Share { values: (PAGE_ROOM / 90 / shown.len().max(1)).clamp(4, 40), letters: 200 };
        let changes = shown.iter().map(|(number, change, values)| {
            (change.risk(), ChangeView::of(*number, change, values, share, request))
        });
        let mut changes: Vec<_> = changes.collect();
        unfold(&mut changes);
        let groups = grouped(changes, |risk| {
            found.iter().filter(|(_, change, _)| change.risk() == risk).count()
        });
        let outputs = outputs.iter().skip((page - 1) * OUTPUTS_PER_PAGE).take(OUTPUTS_PER_PAGE);
        let outputs = outputs.map(|output| plain(&output.name)).collect();
        Self { groups, page, pages, found: found.len(), outputs }
    }

    /// On which page of the whole plan this change stands.
    pub(super) fn holding(number: usize) -> usize {
        number.saturating_sub(1) / PER_PAGE + 1
    }
}

impl Reading {
    /// Its changes, each with its place in the plan, from 1, and with its values.
    fn numbered(&self) -> impl Iterator<Item = (usize, &Change, &[ValueChange])> {
        let values = self.values.iter().map(Vec::as_slice);
        let changes = self.plan.changes.iter().zip(values).enumerate();
        changes.map(|(index, (change, values))| (index + 1, change, values))
    }

    /// All of one change, by its place in the plan.
    pub(super) fn whole_change(&self, number: usize, request: &str) -> Option<ChangeView> {
        let found = self.numbered().find(|(at, _, _)| *at == number);
        found.map(|(number, change, values)| ChangeView {
            open: true,
            ..ChangeView::of(number, change, values, WHOLE, request)
        })
    }
}

fn does_something(change: &Change) -> bool {
    change.does_something()
}

/// The first few that matter are unfolded, the others are one press away.
fn unfold(changes: &mut [(Risk, ChangeView)]) {
    let alone = changes.len() <= UNFOLDED;
    for (risk, change) in changes.iter_mut().take(UNFOLDED) {
        change.open = !change.values.is_empty() && (alone || *risk <= Risk::Provisions);
    }
}

/// Those of one risk after another, under a title each.
fn grouped(changes: Vec<(Risk, ChangeView)>, count: impl Fn(Risk) -> usize) -> Vec<Group> {
    let mut groups: Vec<(Risk, Group)> = Vec::new();
    for (risk, change) in changes {
        match groups.last_mut() {
            Some((of, group)) if *of == risk => group.changes.push(change),
            Some(_) | None => {
                let (title, class) = title(risk);
                let group = Group { title, class, count: count(risk), changes: vec![change] };
                groups.push((risk, group));
            }
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn title(risk: Risk) -> (&'static str, &'static str) {
    match risk {
        Risk::Destroys => ("Destroyed", "grave"),
        Risk::Replaces => ("Destroyed and made anew", "grave"),
        Risk::Rights => ("Changes who may do what", "grave"),
        Risk::Exposes => ("Opened to everybody", "grave"),
        Risk::Provisions => ("Can run programs", "grave"),
        Risk::Forgets => ("No longer looked after", "odd"),
        Risk::Deferred => ("Put off until later", "odd"),
        Risk::Updates => ("Changed in place", "plain"),
        Risk::Creates => ("Created", "plain"),
        Risk::Moves => ("Moved or imported", "plain"),
        Risk::Reads => ("Read", "plain"),
        Risk::Nothing => ("Not changed", "plain"),
    }
}

/// What a plan does, counted.
pub(super) fn headline(facts: &Facts) -> String {
    let counts = [
        (facts.deletes, "to destroy"),
        (facts.replaces, "to replace"),
        (facts.updates, "to change"),
        (facts.creates, "to create"),
        (facts.forgets, "to forget"),
        (facts.imports, "to import"),
        (facts.moves, "to move"),
        (facts.deferred, "deferred"),
    ];
    let counted = counts.iter().filter(|(count, _)| *count > 0);
    let said: Vec<_> = counted.map(|(count, what)| format!("{count} {what}")).collect();
    if said.is_empty() { "No resource changes".to_owned() } else { said.join(", ") }
}

impl ChangeView {
    fn of(
        number: usize,
        change: &Change,
        values: &[ValueChange],
        share: Share,
        request: &str,
    ) -> Self {
        let (verb, class) = verb(change);
        let shown = values.iter().take(share.values);
        let shown: Vec<_> =
            shown.map(|value| ValueView::of(value, change, share.letters)).collect();
        let more = values.len() - shown.len();
        let is_cut = |side: &Option<Shown>| side.as_ref().is_some_and(|shown| shown.cut > 0);
        let cut = shown.iter().any(|value| is_cut(&value.before) || is_cut(&value.after));
        let marks = [
            (change.touches_iam, "who may do what"),
            (change.public_exposure, "open to everybody"),
            (change.provisioners, "runs programs"),
        ];
        Self {
            number,
            verb,
            class,
            address: plain(&change.address),
            marks: marks
                .iter()
                .filter(|(is, _)| *is == Some(true))
                .map(|(_, mark)| *mark)
                .collect(),
            notes: notes(change, values.is_empty()),
            values: shown,
            more,
            is_whole: more == 0 && !cut,
            open: false,
            all: format!("/requests/{}/plan?change={number}", plain(request)),
        }
    }

    /// About how many bytes of text it takes.
    fn size(&self) -> usize {
        let side = |side: &Option<Shown>| side.as_ref().map_or(0, |shown| shown.text.len() + 40);
        let value = |one: &ValueView| one.path.len() + side(&one.before) + side(&one.after) + 60;
        let notes: usize = self.notes.iter().map(String::len).sum();
        self.address.len() + notes + 200 + self.values.iter().map(value).sum::<usize>()
    }
}

fn verb(change: &Change) -> (&'static str, &'static str) {
    match () {
        () if change.replaces() => ("replace", "replace"),
        () if change.does("delete") => ("destroy", "destroy"),
        () if change.does("forget") => ("forget", "forget"),
        () if change.does("update") => ("change", "change"),
        () if change.does("create") => ("create", "create"),
        () if change.does("read") => ("read", "read"),
        () if change.importing => ("import", "read"),
        () if change.previous_address.is_some() => ("move", "read"),
        () => ("nothing", "read"),
    }
}

fn notes(change: &Change, has_no_values: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let reason = change.reason.as_deref();
    if let Some(reason) = reason {
        let why = reason.split_once("_because_").map_or(reason, |(_, why)| why);
        notes.push(format!("because: {}", plain(&why.replace('_', " "))));
    }
    let forcing = change.replace_reasons.iter().filter(|path| Some(path.as_str()) != reason);
    let forcing: Vec<_> = forcing.cloned().collect();
    if !forcing.is_empty() {
        notes.push(format!("cannot be changed in place: {}", row(&forcing)));
    }
    if let Some(before) = &change.previous_address {
        notes.push(format!("was {}", plain(before)));
    }
    if change.importing {
        notes.push("imported".to_owned());
    }
    if let Some(deposed) = &change.deposed {
        notes.push(format!("left over from an earlier apply: {}", plain(deposed)));
    }
    if let Some(why) = &change.deferred {
        notes.push(format!("put off: {}", plain(&why.replace('_', " "))));
    }
    if change.tags_only == Some(true) {
        notes.push("tags only".to_owned());
    }
    if has_no_values && !change.paths.is_empty() {
        notes.push(row(&change.paths));
    }
    notes
}

fn row(texts: &[String]) -> String {
    let named = texts.iter().filter(|text| *text != CUT);
    let shown: Vec<_> = named.take(IN_A_ROW).map(|text| plain(text)).collect();
    let more = texts.len() - shown.len();
    if more == 0 { shown.join(", ") } else { format!("{} and more", shown.join(", ")) }
}

impl ValueView {
    fn of(value: &ValueChange, change: &Change, letters: usize) -> Self {
        let forces = change.replaces()
            && change.replace_reasons.iter().any(|reason| {
                let rest = value.path.strip_prefix(reason.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            });
        Self {
            path: plain(&value.path),
            before: shown(&value.before, letters),
            after: shown(&value.after, letters),
            forces,
        }
    }
}

fn shown(side: &Side, letters: usize) -> Option<Shown> {
    let word = |text: &str, class| Some(Shown { text: text.to_owned(), class, cut: 0 });
    match side {
        Side::Absent => None,
        Side::Hidden => word("sensitive, not shown", "word"),
        Side::Unknown => word("known after apply", "word"),
        Side::Shown { text, is_text } => {
            let all = text.chars().count();
            let cut = all.saturating_sub(letters);
            let kept: String = text.chars().take(letters).collect();
            let kept = plain(&kept);
            let text = if *is_text { format!("\u{201c}{kept}\u{201d}") } else { kept };
            Some(Shown { text, class: "value", cut })
        }
    }
}
