//! Looking for what was not told of: once a minute, every gate that is open, and the runs that wait in
//! repositories that have gates; of all others where the App is installed, some each minute in turn.
//!
//! What has not changed costs nothing of GitHub's hourly count, and nothing of this goes on where
//! little is left of it. What one repository answers stops no other.

use std::collections::BTreeMap;

use assent_core::time::{Span, Timestamp};

use super::hint::Hint;
use super::{Authority, FRESH};
use crate::app::AppError;
use crate::github::{Github, GithubError};

/// How often everything that waits is looked up at GitHub.
const EVERY: Span = Span::minutes(1);
/// How often it is asked where the App is installed.
const LISTED: Span = Span::minutes(10);
/// How many repositories without gates are looked at each time.
const IN_TURN: usize = 30;
/// How long a gate is remembered: a run ends after 35 days ("Actions limits").
const REMEMBERED: Span = Span::hours(36 * 24);

/// A repository: `(OWNER, REPO, id)`.
type Place = (String, String, u64);

/// Where the round through all repositories stands.
#[derive(Debug, Default)]
pub(super) struct Round {
    swept: Option<Timestamp>,
    listed: Option<Timestamp>,
    all: Vec<Place>,
    next: usize,
}

impl Round {
    /// Whether it is time again; then it is done.
    fn is_due(&mut self, now: Timestamp) -> bool {
        let is_due = self.swept.is_none_or(|last| last.until(now) >= EVERY);
        if is_due {
            self.swept = Some(now);
        }
        is_due
    }

    fn list(&mut self, all: Vec<Place>, now: Timestamp) {
        (self.all, self.listed) = (all, Some(now));
    }

    /// Those with gates, by the names that they have now, and the next of the others.
    fn turn(&mut self, guarded: Vec<Place>) -> Vec<Place> {
        let mut chosen: BTreeMap<u64, Place> =
            guarded.into_iter().map(|place| (place.2, place)).collect();
        for place in &self.all {
            if let Some(known) = chosen.get_mut(&place.2) {
                place.clone_into(known);
            }
        }
        let others: Vec<&Place> =
            self.all.iter().filter(|place| !chosen.contains_key(&place.2)).collect();
        let begin = if self.next < others.len() { self.next } else { 0 };
        let some: Vec<Place> =
            others.iter().skip(begin).take(IN_TURN).map(|place| (*place).clone()).collect();
        self.next = begin + some.len();
        chosen.into_values().chain(some).collect()
    }
}

impl Authority {
    /// Looks for everything that waits, if it is time again.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub(super) async fn sweep_deployments(&self) -> Result<(), AppError> {
        let Some(github) = self.github() else { return Ok(()) };
        let now = self.clock.now();
        {
            let mut known = self.deployments.known();
            if !known.round.is_due(now) {
                return Ok(());
            }
            known.looked.retain(|_, at| at.until(now) < FRESH);
        }
        self.ledger.forget_gates(now.before(REMEMBERED)).await?;
        for gate in self.ledger.open_gates().await? {
            self.deployments.known().hear(Hint::of_gate(&gate));
        }
        self.deployments.due.notify_one();
        self.list_repositories(&github).await;
        let guarded = self.ledger.guarded().await?;
        let places = self.deployments.known().round.turn(guarded);
        for place in places {
            if let Err(error) = self.find_waiting(&github, &place).await {
                let repository = format!("{}/{}", place.0, place.1);
                tracing::warn!(repository, %error, "runs that wait there could not be looked for");
            }
        }
        Ok(())
    }

    async fn list_repositories(&self, github: &Github) {
        let now = self.clock.now();
        let listed = self.deployments.known().round.listed;
        if listed.is_some_and(|last| last.until(now) < LISTED) {
            return;
        }
        match github.repositories().await {
            Ok(all) => self.deployments.known().round.list(all, now),
            Err(error) => tracing::warn!(%error, "it is not known where the App is installed"),
        }
    }

    async fn find_waiting(&self, github: &Github, place: &Place) -> Result<(), GithubError> {
        let (owner, name, id) = place;
        let repository = github.repository(owner, name).await?.in_background();
        for run in repository.waiting_runs().await? {
            for pending in repository.pending_deployments(run.id).await? {
                let hint = Hint::found(*id, owner, name, run.id, pending.environment);
                self.deployments.known().hear(hint);
            }
        }
        self.deployments.due.notify_one();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(id: u64) -> Place {
        ("acme".to_owned(), format!("repository-{id}"), id)
    }

    #[test]
    fn each_repository_has_its_turn_and_those_with_gates_have_every_one() {
        let mut round = Round::default();
        round.list((0..100).map(place).collect(), Timestamp::from_millis(0));
        let old_name = ("acme".to_owned(), "old".to_owned(), 7);
        let mut met = BTreeMap::<u64, usize>::new();
        for _ in 0..4 {
            let turn = round.turn(vec![old_name.clone()]);
            assert!(turn.len() <= IN_TURN + 1, "{}", turn.len());
            assert!(turn.contains(&place(7)), "by the name it has now");
            turn.into_iter().for_each(|(.., id)| *met.entry(id).or_default() += 1);
        }
        assert_eq!((met.len(), met[&7]), (100, 4));
        assert!(met.values().all(|times| *times >= 1));
        // What cannot be listed is still looked at where gates are.
        assert_eq!(Round::default().turn(vec![old_name.clone()]), [old_name]);
    }
}
