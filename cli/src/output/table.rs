//! Aligned columns.

use crate::output::{Paint, clean};

/// One cell: what is measured, and what is printed.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    width: usize,
    shown: String,
}

impl Cell {
    /// Text from anywhere; what would steer the terminal is shown as an escape.
    pub(crate) fn text(text: &str) -> Self {
        Self::painted(text, str::to_owned)
    }

    /// A state, in its colour.
    pub(crate) fn state(word: &str, paint: Paint) -> Self {
        Self::painted(word, |word| paint.state(word))
    }

    fn painted(text: &str, paint: impl FnOnce(&str) -> String) -> Self {
        let text = clean(text);
        Self { width: text.chars().count(), shown: paint(&text) }
    }
}

/// Rows under a head.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new(head: &[&str], paint: Paint) -> Self {
        let cell = |name: &&str| Cell::painted(name, |name| paint.strong(name));
        Self { rows: vec![head.iter().map(cell).collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn text(&self) -> String {
        aligned(&self.rows)
    }
}

/// Names and their values, one below the other; values of several lines are indented.
pub(crate) fn facts(facts: &[(&str, String)], paint: Paint) -> String {
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let indent = format!("\n{}", " ".repeat(width + 2));
    let line = |(name, value): &(&str, String)| {
        let gap = " ".repeat(width + 2 - name.chars().count());
        format!("{}{gap}{}", paint.faint(name), value.replace('\n', &indent))
    };
    facts.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn aligned(rows: &[Vec<Cell>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            match widths.get_mut(at) {
                Some(width) => *width = cell.width.max(*width),
                None => widths.push(cell.width),
            }
        }
    }
    let line = |row: &Vec<Cell>| {
        let mut line = String::new();
        let mut owed = 0;
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&" ".repeat(owed));
            line.push_str(&cell.shown);
            owed = width - cell.width + 2;
        }
        line
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(paint: Paint) -> String {
        let mut table = Table::new(&["ID", "STATE", "WHY"], paint);
        table.row([Cell::text("1"), Cell::state("pending", paint), Cell::text("a")]);
        table.row([Cell::text("100"), Cell::state("denied", paint), Cell::text("")]);
        table.text()
    }

    #[test]
    fn columns_are_aligned() {
        let wanted = "ID   STATE    WHY\n1    pending  a\n100  denied   ";
        assert_eq!(table(Paint::new(false)), wanted);
    }

    #[test]
    fn colour_does_not_move_columns() {
        let plain: String = table(Paint::new(true));
        let stripped = plain.split('\u{1b}').map(|part| match part.split_once('m') {
            Some((code, rest)) if code.starts_with('[') => rest,
            Some(_) | None => part,
        });
        assert_eq!(stripped.collect::<String>(), table(Paint::new(false)));
    }

    #[test]
    fn facts_stand_in_two_columns() {
        let text =
            facts(&[("id", "1".to_owned()), ("reason", "a\nb".to_owned())], Paint::new(false));
        assert_eq!(text, "id      1\nreason  a\n        b");
    }
}
