//! The order of a rule's keys, and the blank lines between rules.

use std::ops::Range;

use crate::policy::document::keys;
use crate::policy::format::{Line, Lines};
use crate::policy::yaml::{Node, Yaml};

/// The rules of a document.
fn rules(root: &Node) -> &[Node] {
    let Yaml::Map(members) = &root.value else { return &[] };
    let rules = members.iter().find(|(key, _)| key.name == "rules");
    if let Some(Yaml::List(rules)) = rules.map(|(_, node)| &node.value) { rules } else { &[] }
}

/// Brings the keys of each rule into the order in which the reader knows them.
pub(super) fn keys(root: &Node, lines: &mut Lines) {
    let all = rules(root);
    // From the last to the first: what is moved may have fewer lines afterwards.
    for (at, rule) in all.iter().enumerate().rev() {
        let end = match all.get(at + 1) {
            Some(next) => head(lines, next.place.line),
            None => end_of(lines, rule),
        };
        if let Some(ordered) = ordered(lines, rule, end) {
            let from = rule.place.line - 1;
            lines.all.splice(from..end, ordered);
        }
    }
}

/// The lines of a rule in their order; `None` where they are in order or cannot be told apart.
fn ordered(lines: &Lines, rule: &Node, end: usize) -> Option<Vec<Line>> {
    let Yaml::Map(members) = &rule.value else { return None };
    let rank = |name: &str| keys::RULE.known.iter().position(|known| *known == name);
    let ranks: Option<Vec<usize>> = members.iter().map(|(key, _)| rank(&key.name)).collect();
    let ranks = ranks?;
    if ranks.is_sorted() {
        return None;
    }
    let column = members.first().map(|(key, _)| key.place.column)?;
    let begins = |(number, column): (usize, usize), first: bool| {
        lines.line(number).is_some_and(|line| line.indent() + 1 + usize::from(first) * 2 == column)
    };
    let mut entries: Vec<(usize, Range<usize>)> = Vec::new();
    for (at, (key, _)) in members.iter().enumerate() {
        if key.place.column != column || !begins((key.place.line, column), at == 0) {
            return None; // Several keys on a line.
        }
        let first = if at == 0 { key.place.line - 1 } else { head(lines, key.place.line) };
        let last = members.get(at + 1).map_or(end, |(next, _)| head(lines, next.place.line));
        entries.push((*ranks.get(at)?, first..last));
    }
    let indent = column.checked_sub(3)?;
    entries.sort_by_key(|(rank, _)| *rank);
    let mut all: Vec<Line> = Vec::new();
    for (_, range) in entries {
        let mut entry: Vec<Line> = lines.all.get(range)?.to_vec();
        // A blank line between the keys of a rule would end up anywhere.
        entry.retain(|line| !line.is_blank());
        all.extend(entry);
    }
    // The dash goes to what comes first now; comments above that go above the dash.
    for line in &mut all {
        if line.text.starts_with(&format!("{}- ", " ".repeat(indent))) && line.indent() == indent {
            line.text = format!("{}{}", " ".repeat(indent + 2), line.text.get(indent + 2..)?);
            break;
        }
    }
    for line in &mut all {
        if line.is_comment() {
            line.moved_to(indent);
            continue;
        }
        line.text = format!("{}- {}", " ".repeat(indent), line.text.get(indent + 2..)?);
        break;
    }
    Some(all)
}

/// Where what stands on this line begins: with the comments right above it that are as deep. From 0.
fn head(lines: &Lines, number: usize) -> usize {
    let depth = lines.line(number).map(Line::indent);
    let mut first = number - 1;
    let belongs = |above: usize| {
        lines.all.get(above).is_some_and(|l| l.is_comment() && Some(l.indent()) == depth)
    };
    while first.checked_sub(1).is_some_and(belongs) {
        first -= 1;
    }
    first
}

/// Where the last rule ends: before the next line that is not deeper than it, and before what
/// stands above that.
fn end_of(lines: &Lines, rule: &Node) -> usize {
    let column = rule.place.column;
    let deeper = |line: &&Line| line.continues || line.is_blank() || line.indent() + 1 >= column;
    let mut end =
        lines.all.iter().skip(rule.place.line).take_while(deeper).count() + rule.place.line;
    while lines.all.get(end.wrapping_sub(1)).is_some_and(Line::is_blank) {
        end -= 1;
    }
    end
}

/// One blank line between rules, where any of them has several lines.
pub(super) fn blank_lines(root: &Node, lines: &mut Lines) {
    let all = rules(root);
    let starts: Vec<usize> = all.iter().map(|rule| head(lines, rule.place.line)).collect();
    let ends = starts.iter().skip(1).copied();
    let has_several = |(rule, end): (&Node, usize)| {
        let content = lines.all.get(rule.place.line..end).unwrap_or_default();
        content.iter().any(|line| line.continues || line.is_content())
    };
    let last = all.last().map(|rule| end_of(lines, rule));
    if !all.iter().zip(ends.chain(last)).any(has_several) {
        return;
    }
    let blank = || Line { text: String::new(), continues: false, verbatim: false };
    for start in starts.iter().skip(1).rev() {
        // Blank lines beside each other become one.
        lines.all.insert(*start, blank());
    }
}
