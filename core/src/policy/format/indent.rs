//! Indentation: two spaces to a level, the dash of a list one level inside its key.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::policy::format::Lines;
use crate::policy::yaml::{Node, Yaml};

/// How much deeper each level is.
const STEP: usize = 2;

/// A value that goes over several lines, by the numbers of its first and its last, from 1: the
/// first stays where its key is, the others follow it.
pub(super) struct Continuation {
    pub(super) first: usize,
    pub(super) last: usize,
    /// Whether spaces at the end of its lines are part of it.
    pub(super) verbatim: bool,
}

/// All values that go over several lines.
pub(super) fn continuations(text: &str) -> Vec<Continuation> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    let mut open = Vec::new();
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else { return found };
        let (first, last) = (span.start.line(), span.end.line());
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                // Only what begins with a brace has a beginning that takes room.
                open.push((first, span.start.col() != span.end.col()));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((first, true)) = open.pop() {
                    found.push(Continuation { first, last, verbatim: false });
                }
            }
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                // It is said to begin with its first line; its head stands above that.
                let above = lines.iter().zip(1..).take(first.saturating_sub(1));
                let head = above.filter(|(line, _)| !line.trim().is_empty()).last();
                let first = head.map_or(first, |(_, number)| number);
                let last = end_of_block(&lines, first);
                found.push(Continuation { first, last, verbatim: true });
            }
            Event::Scalar(..) => found.push(Continuation { first, last, verbatim: false }),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::Alias(_) => {}
        }
    }
    found.retain(|value| value.first < value.last);
    found
}

/// The last line of a block scalar whose head stands on this line: all that is blank or at least as
/// deep as its first line, but blank lines at the end.
fn end_of_block(lines: &[&str], head: usize) -> usize {
    let depth = |line: &str| line.chars().take_while(|c| *c == ' ').count();
    let body = || lines.iter().zip(1..).skip(head);
    let Some(first) = body().find(|(line, _)| !line.trim().is_empty()) else { return head };
    let least = depth(first.0);
    let inside = body().take_while(|(line, _)| line.trim().is_empty() || depth(line) >= least);
    inside.filter(|(line, _)| !line.trim().is_empty()).last().map_or(head, |(_, number)| number)
}

/// Moves every line to where it belongs.
pub(super) fn settle(root: &Node, lines: &mut Lines) {
    let mut plan = Plan { lines, wanted: BTreeMap::new() };
    plan.block(root, 0);
    let wanted = plan.wanted;
    apply(&wanted, lines);
}

/// Where lines shall begin, by their number.
struct Plan<'l> {
    lines: &'l mut Lines,
    wanted: BTreeMap<usize, usize>,
}

impl Plan<'_> {
    /// A map or a list that is not in braces, its first line at this indentation.
    fn block(&mut self, node: &Node, indent: usize) {
        match &node.value {
            Yaml::Map(members) => {
                for (key, value) in members {
                    self.place(key.place.line, key.place.column, indent);
                    self.value(value, key.place.line, indent + STEP);
                }
            }
            Yaml::List(items) => {
                items.iter().for_each(|item| self.item(item, indent));
            }
            Yaml::Null | Yaml::Bool(_) | Yaml::Int(_) | Yaml::Float(_) | Yaml::Text(_) => {}
        }
    }

    /// What stands behind a key: on its line, or below it.
    fn value(&mut self, value: &Node, key_line: usize, indent: usize) {
        if value.place.line <= key_line || matches!(value.value, Yaml::Null) {
            return;
        }
        match self.is_block(value) {
            true => self.block(value, indent),
            false => self.place(value.place.line, value.place.column, indent),
        }
    }

    /// One item of a list: its dash, and what stands behind it.
    fn item(&mut self, item: &Node, indent: usize) {
        if !self.close_up(item.place.line, item.place.column) {
            return; // The dash stands alone above its item, or behind another: left as it is.
        }
        self.wanted.insert(item.place.line, indent);
        if let (Yaml::Map(members), true) = (&item.value, self.is_block(item)) {
            for (key, value) in members {
                // The first key stands behind the dash.
                if key.place.line != item.place.line {
                    self.place(key.place.line, key.place.column, indent + STEP);
                }
                self.value(value, key.place.line, indent + 2 * STEP);
            }
        }
    }

    /// One space between a dash, if that is what the line begins with, and the item behind it.
    fn close_up(&mut self, number: usize, column: usize) -> bool {
        let Some(line) = self.lines.all.get_mut(number.wrapping_sub(1)) else { return false };
        let before: String = line.text.chars().take(column.saturating_sub(1)).collect();
        if before.trim() != "-" {
            return false;
        }
        let item: String = line.text.chars().skip(column.saturating_sub(1)).collect();
        line.text = format!("{}- {item}", " ".repeat(line.indent()));
        true
    }

    /// A line shall begin here, if this is what it begins with.
    fn place(&mut self, number: usize, column: usize, indent: usize) {
        let Some(line) = self.lines.line(number) else { return };
        if !line.continues && line.indent() + 1 == column {
            self.wanted.insert(number, indent);
        }
    }

    /// Whether a map or a list is written without braces: it begins with its first member then, or
    /// with a dash.
    fn is_block(&self, node: &Node) -> bool {
        match &node.value {
            Yaml::Map(members) => {
                members.first().is_some_and(|(first, _)| first.place == node.place)
            }
            Yaml::List(items) => {
                let line = self.lines.line(node.place.line);
                let begins = line.and_then(|line| line.text.chars().nth(node.place.column - 1));
                begins == Some('-') || items.first().is_some_and(|first| first.place == node.place)
            }
            Yaml::Null | Yaml::Bool(_) | Yaml::Int(_) | Yaml::Float(_) | Yaml::Text(_) => false,
        }
    }
}

/// Moves the lines that are planned; those that continue one follow it, and comments go with what
/// stands below them, or above them where they are deeper than that.
fn apply(wanted: &BTreeMap<usize, usize>, lines: &mut Lines) {
    let before: Vec<usize> = lines.all.iter().map(|line| line.indent()).collect();
    let indent_of = |number: usize| before.get(number - 1).copied().unwrap_or(0);
    let mut moved: Option<(usize, usize)> = None;
    let contents: Vec<bool> = lines.all.iter().map(|line| line.is_content()).collect();
    let continues: Vec<bool> = lines.all.iter().map(|line| line.continues).collect();
    for (number, line) in (1_usize..).zip(&mut lines.all) {
        if line.continues {
            if let (Some((from, to)), false) = (moved, line.text.trim().is_empty()) {
                line.moved_to((line.indent() + to).saturating_sub(from));
            }
        } else if let Some(indent) = wanted.get(&number) {
            moved = Some((line.indent(), *indent));
            line.moved_to(*indent);
        } else if line.is_comment() {
            let below = (number + 1..=before.len()).find(|below| {
                contents.get(below - 1) == Some(&true) && continues.get(below - 1) == Some(&false)
            });
            let next = below.and_then(|below| wanted.get(&below).map(|to| (indent_of(below), *to)));
            let mine = line.indent();
            let to = match (next, moved) {
                (Some((from, to)), _) if mine <= from => to,
                (_, Some((from, to))) if mine > 0 => (mine + to).saturating_sub(from),
                _ => mine,
            };
            line.moved_to(to);
        } else if line.is_content() {
            moved = Some((line.indent(), line.indent()));
        }
    }
}
