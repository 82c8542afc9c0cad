//! Who is in the teams at GitHub that policy has as groups. GitHub is asked again and again, never
//! by a request: a decision takes what is known, and what has become too old is no longer known. A
//! team of which nothing is known has nobody in it, so that whoever left it counts for some minutes
//! longer at most, and nobody counts while GitHub cannot be asked.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assent_core::membership::Team;
use assent_core::policy::Policy;
use assent_core::principal::PrincipalId;
use assent_core::time::{Span, Timestamp};

use crate::app::Authority;
use crate::github::GithubError;

/// How long the members of a team are believed.
const BELIEVED: Span = Span::minutes(5);
/// How often they are asked for.
const EVERY: Span = Span::minutes(1);
/// How soon again, where there was no answer.
const AFTER_FAILING: Span = Span::seconds(10);
/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(1);

/// What is known of each team.
#[derive(Debug, Default)]
pub(super) struct Teams(Mutex<BTreeMap<Team, Known>>);

#[derive(Clone, Debug)]
struct Known {
    /// Who is in it, as of then.
    members: Option<(Vec<PrincipalId>, Timestamp)>,
    /// When to ask again.
    next: Timestamp,
}

impl Teams {
    /// Those of these teams that are to be asked for now. Others are forgotten.
    fn due(&self, wanted: Vec<Team>, now: Timestamp) -> Vec<Team> {
        let mut all = self.open();
        all.retain(|team, _| wanted.contains(team));
        let is_due = |team: &Team| all.get(team).is_none_or(|known| known.next <= now);
        wanted.into_iter().filter(is_due).collect()
    }

    /// What came of asking at that moment: whatever changed later is not in it.
    fn heard(
        &self,
        team: Team,
        answer: Result<Vec<PrincipalId>, GithubError>,
        asked: Timestamp,
        now: Timestamp,
    ) {
        let mut all = self.open();
        let known = all.entry(team).or_insert(Known { members: None, next: now });
        known.next = now.plus(if answer.is_ok() { EVERY } else { AFTER_FAILING });
        match answer {
            Ok(members) => known.members = Some((members, asked)),
            // It is gone, or not for us to see: an answer, too.
            Err(GithubError::Refused(_) | GithubError::NotFound(_)) => known.members = None,
            Err(
                GithubError::Away(_)
                | GithubError::Conflict(_)
                | GithubError::Limited { .. }
                | GithubError::Partial(_),
            ) => {}
        }
    }

    /// Who is in it, as far as that is known still.
    fn members(&self, team: &Team, now: Timestamp) -> Vec<PrincipalId> {
        let all = self.open();
        let known = all.get(team).and_then(|known| known.members.as_ref());
        let fresh = known.filter(|(_, asked)| now < asked.plus(BELIEVED));
        fresh.map(|(members, _)| members.clone()).unwrap_or_default()
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<Team, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authority {
    /// The accounts in each group that is a team, as far as that is known at this moment.
    pub(super) fn team_members(&self, policy: &Policy) -> Vec<(String, PrincipalId)> {
        let now = self.clock.now();
        let named = |(group, team): (&str, &Team)| {
            let members = self.teams.members(team, now).into_iter();
            members.map(|who| (group.to_owned(), who)).collect::<Vec<_>>()
        };
        policy.teams().flat_map(named).collect()
    }

    /// Asks GitHub who is in the teams of policy, of each when it is due.
    pub async fn look_at_teams(&self) {
        let wanted = self.policy().teams().map(|(_, team)| team.clone()).collect();
        for team in self.teams.due(wanted, self.clock.now()) {
            let asked = self.clock.now();
            let answer = self.asked_for(&team).await;
            if let Err(error) = &answer {
                tracing::warn!(%team, %error, "it is not known who is in a team at GitHub");
            }
            self.teams.heard(team, answer, asked, self.clock.now());
        }
    }

    async fn asked_for(&self, team: &Team) -> Result<Vec<PrincipalId>, GithubError> {
        let Some(github) = self.github() else {
            return Err(GithubError::NotFound("this server is no App of GitHub".to_owned()));
        };
        let numbers = github.team_members(&team.organization, &team.slug).await?;
        numbers.into_iter().map(|number| github.account(number)).collect()
    }

    /// Looks at teams until the server stops.
    pub async fn look_at_teams_until_closing(&self) {
        loop {
            tokio::select! {
                () = self.look_at_teams() => {}
                () = self.closing.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.closing.cancelled() => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn team() -> Team {
        "acme/release-managers".parse().unwrap()
    }

    fn account(number: &str) -> PrincipalId {
        PrincipalId::new("https://github.com", number).unwrap()
    }

    fn away() -> GithubError {
        GithubError::Away("no answer".to_owned())
    }

    #[test]
    fn t11_a_team_that_was_not_heard_of_for_five_minutes_has_nobody_in_it() {
        let teams = Teams::default();
        assert!(teams.members(&team(), at(0)).is_empty());
        // Asked at 0, answered at 20: what happened between is not known.
        teams.heard(team(), Ok(vec![account("1")]), at(0), at(20));
        assert_eq!(teams.members(&team(), at(299)), [account("1")]);
        teams.heard(team(), Err(away()), at(80), at(80));
        teams.heard(team(), Err(GithubError::Limited { until: at(900) }), at(90), at(90));
        assert_eq!(teams.members(&team(), at(299)), [account("1")], "an outage is no answer");
        assert!(teams.members(&team(), at(300)).is_empty());
        teams.heard(team(), Ok(vec![account("2")]), at(310), at(310));
        assert_eq!(teams.members(&team(), at(310)), [account("2")]);
    }

    #[test]
    fn t11_a_team_that_is_gone_or_hidden_has_nobody_in_it_at_once() {
        for answer in [
            GithubError::NotFound("no such team".to_owned()),
            GithubError::Refused("not installed".to_owned()),
        ] {
            let teams = Teams::default();
            teams.heard(team(), Ok(vec![account("1")]), at(0), at(0));
            teams.heard(team(), Err(answer), at(60), at(60));
            assert!(teams.members(&team(), at(61)).is_empty());
        }
    }

    #[test]
    fn teams_are_asked_for_each_minute_and_forgotten_when_policy_names_them_no_more() {
        let teams = Teams::default();
        assert_eq!(teams.due(vec![team()], at(0)), [team()]);
        teams.heard(team(), Ok(vec![account("1")]), at(0), at(0));
        assert!(teams.due(vec![team()], at(59)).is_empty());
        assert_eq!(teams.due(vec![team()], at(60)), [team()]);
        teams.heard(team(), Err(away()), at(60), at(60));
        assert!(teams.due(vec![team()], at(69)).is_empty());
        assert_eq!(teams.due(vec![team()], at(70)), [team()]);
        assert!(teams.due(Vec::new(), at(71)).is_empty());
        assert!(teams.members(&team(), at(72)).is_empty());
    }
}
