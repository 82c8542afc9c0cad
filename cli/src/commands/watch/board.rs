//! What waits, what changed of it since, and how it looks as a table.

use std::collections::BTreeMap;

use assent_client::wire::Request;
use assent_core::time::{Span, Timestamp};

use crate::clock;
use crate::output::{Paint, clean};
use crate::show;

/// From here on there is not much time left.
const SOON: Span = Span::minutes(15);

/// What waits for somebody.
pub(super) struct Board {
    me: String,
    all: bool,
    shown: BTreeMap<String, Request>,
}

/// What became different.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// It waits from now on.
    Came(Box<Request>),
    /// It waits still, and something of it changed.
    Changed(Box<Request>),
    /// It waits no more.
    Went(String),
}

impl Change {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Came(_) => "waits",
            Self::Changed(_) => "changed",
            Self::Went(_) => "over",
        }
    }
}

impl Board {
    /// Of what this person is waited for, or of all that is open.
    pub(super) fn new(me: String, all: bool) -> Self {
        Self { me, all, shown: BTreeMap::new() }
    }

    /// Takes what is open now; says what is different, oldest first.
    pub(super) fn take(&mut self, open: Vec<Request>) -> Vec<Change> {
        let wanted = open.into_iter().filter(|request| self.all || self.waits_for_me(request));
        let now: BTreeMap<_, _> = wanted.map(|request| (request.id.clone(), request)).collect();
        let went = self.shown.keys().filter(|id| !now.contains_key(*id));
        let mut changes: Vec<_> = went.map(|id| Change::Went(id.clone())).collect();
        changes.extend(now.values().filter_map(|request| match self.shown.get(&request.id) {
            None => Some(Change::Came(Box::new(request.clone()))),
            Some(before) if before.version != request.version => {
                Some(Change::Changed(Box::new(request.clone())))
            }
            Some(_) => None,
        }));
        self.shown = now;
        changes
    }

    fn waits_for_me(&self, request: &Request) -> bool {
        let open = request.stages.iter().filter(|stage| stage.open);
        request.state == "pending"
            && open.flat_map(|stage| &stage.awaited).any(|who| *who == self.me)
    }

    /// The table: what has least time left first. No line is longer than the screen, nor more of them.
    pub(super) fn lines(
        &self,
        now: Timestamp,
        (width, height): (usize, usize),
        lost: Option<&str>,
        paint: Paint,
    ) -> Vec<String> {
        let what = if self.all { "open" } else { "waiting for you" };
        let count = self.shown.len();
        let mut lines = vec![paint.strong(&cut(&format!("assent: {count} {what}"), width))];
        lines.push(match lost {
            Some(problem) => paint.bad(&cut(&format!("trying again: {}", clean(problem)), width)),
            None => String::new(),
        });
        lines.push(
            paint.faint(&cut(&row(["LEFT", "STATE", "ENVIRONMENT", "KIND", "BY", "WHAT"]), width)),
        );
        let mut all: Vec<_> = self.shown.values().map(|one| (deadline(one), one)).collect();
        all.sort_by(|(one, first), (other, second)| (one, &first.id).cmp(&(other, &second.id)));
        let room = height.saturating_sub(lines.len() + 2);
        for (deadline, request) in all.iter().take(room) {
            let left = deadline.map(|at| now.until(at));
            let words = left.map_or_else(|| "-".to_owned(), clock::in_words);
            let who = show::principal(&request.requester.iss, &request.requester.sub);
            let what = format!("{}  {}", clean(&request.intent.reason), clean(&request.id));
            let line = cut(
                &row([
                    &words,
                    &clean(&request.state),
                    &clean(&request.intent.environment),
                    &clean(&request.intent.kind),
                    &who,
                    &what,
                ]),
                width,
            );
            lines.push(match left {
                Some(left) if left < SOON => paint.open(&line),
                Some(_) | None => line,
            });
        }
        if count > room {
            lines.push(paint.faint(&cut(&format!("and {} more", count - room), width)));
        }
        lines.push(
            paint.faint(&cut("q to end; decide with assent approve ID or on the page", width)),
        );
        lines
    }
}

fn deadline(request: &Request) -> Option<Timestamp> {
    request.expires_at.as_deref()?.parse().ok()
}

/// Columns of which none pushes the next away.
fn row(cells: [&str; 6]) -> String {
    let [left, state, environment, kind, by, what] = cells;
    format!(
        "{:<9} {:<8} {:<14} {:<18} {:<14} {}",
        cut(left, 9),
        cut(state, 8),
        cut(environment, 14),
        cut(kind, 18),
        cut(by, 14),
        what.replace('\n', " ")
    )
}

fn cut(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::request;

    fn named(id: &str, state: &str) -> Request {
        Request { id: id.to_owned(), ..request(state) }
    }

    fn words(changes: &[Change]) -> Vec<String> {
        let id = |change: &Change| match change {
            Change::Came(request) | Change::Changed(request) => request.id.clone(),
            Change::Went(id) => id.clone(),
        };
        changes.iter().map(|change| format!("{} {}", change.word(), id(change))).collect()
    }

    #[test]
    fn what_comes_changes_and_goes_is_told_once() {
        let mut board = Board::new("carol".to_owned(), false);
        assert_eq!(words(&board.take(vec![named("a", "pending")])), ["waits a"]);
        assert_eq!(words(&board.take(vec![named("a", "pending")])), Vec::<String>::new());
        let moved = Request { version: 2, ..named("a", "pending") };
        assert_eq!(
            words(&board.take(vec![moved, named("b", "pending")])),
            ["changed a", "waits b"]
        );
        assert_eq!(words(&board.take(vec![named("a", "approved")])), ["over a", "over b"]);
    }

    #[test]
    fn only_what_waits_for_me_is_mine() {
        let mut bob = Board::new("bob".to_owned(), false);
        assert!(bob.take(vec![named("a", "pending")]).is_empty(), "he has reviewed it");
        let mut all = Board::new("bob".to_owned(), true);
        assert_eq!(all.take(vec![named("a", "approved")]).len(), 1);
    }

    #[test]
    fn the_table_fits_the_screen_and_steers_nothing() {
        let mut board = Board::new("carol".to_owned(), false);
        board.take((0..30).map(|n| named(&format!("req_{n}"), "pending")).collect());
        let now = "2026-11-20T21:50:00Z".parse().unwrap();
        for size in [(40, 10), (200, 50), (1, 1), (80, 24)] {
            let lines = board.lines(now, size, Some("away\u{1b}[2J"), Paint::new(false));
            assert!(lines.len() <= size.1.max(5), "{size:?}: {}", lines.len());
            for line in &lines {
                assert!(line.chars().count() <= size.0, "{size:?}: {line}");
                assert!(!line.contains('\u{1b}'), "{line:?}");
            }
        }
        let lines = board.lines(now, (200, 50), None, Paint::new(false));
        assert_eq!(lines[0], "assent: 30 waiting for you");
        assert!(
            lines[3].starts_with("10m 00s   pending  production     terraform.apply"),
            "{lines:?}"
        );
    }
}
