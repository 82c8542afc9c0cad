//! The end of the job: what the main stage asked for, or was given, ends with it.

use std::sync::Arc;
use std::time::Duration;

use assent_client::{Client, ClientError, ErrorKind, IdempotencyKey, Roots, Url};
use assent_gate::Signals;
use assent_gate::ending::{self, Ended};

use crate::commands::Level;
use crate::connection::connect;
use crate::environment::Environment;
use crate::log::Log;
use crate::outcome::{Outcome, Stop};

/// How long the end of a job is held up at most.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same once somebody has canceled it: a runner asks a second time after 7.5 seconds.
const GRACE: Duration = Duration::from_secs(5);

/// Ends what is left, if anything is. A job is not failed by that: what could not be ended ends at its own
/// time, and somebody is told.
pub(crate) async fn run(environment: &Environment, log: &Arc<Log>) -> u8 {
    if let Some(file) = environment.state("credential_file") {
        // Without it nobody finds the token; that it is good no more is the authority's to say.
        let _ = std::fs::remove_file(file);
    }
    let Some(left) = Left::of(environment) else { return 0 };
    let ended = tokio::select! {
        ended = left.end(environment, log) => ended,
        () = overdue() => Err(Stop::new(Outcome::Unreachable, "no answer in time")),
    };
    match ended {
        Ok(what) => log.say(format!("{what} {}", left.request)),
        Err(stop) => {
            let why = format!("{} ends at its own time: {}", left.request, stop.why);
            log.annotate(Level::Warning, "Assent: not ended", &why);
        }
    }
    0
}

/// Until the end of the job is not held up any longer. Whoever cancels the job meanwhile waits a moment
/// for what is done here anyway.
async fn overdue() {
    let asked_to_end = async {
        match Signals::catch() {
            Ok(mut signals) => drop(signals.next().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = tokio::time::sleep(PATIENCE) => {}
        () = asked_to_end => tokio::time::sleep(GRACE).await,
    }
}

/// What the main stage left.
struct Left {
    request: String,
    credential: Option<String>,
    is_own: bool,
    is_shared: bool,
    is_granted: bool,
    has_succeeded: bool,
}

/// What is to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duty {
    Nothing,
    /// The action is over as it should be.
    Complete,
    /// It is withdrawn, or taken back.
    TakeBack,
    /// The credential alone ends: other jobs go on by the same grant.
    Credential,
}

impl Left {
    fn of(environment: &Environment) -> Option<Self> {
        let is = |name| environment.state(name) == Some("true");
        let request = environment.state("request_id").filter(|_| !is("ended"))?;
        Some(
            Self {
                request: request.to_owned(),
                credential: environment.state("credential_id").map(str::to_owned),
                is_own: environment.state("mode") != Some("check"),
                is_shared: is("shared"),
                is_granted: is("granted"),
                has_succeeded: environment.input("job-status") == Some("success"),
            }
            .submitted(environment),
        )
    }

    /// What was only submitted is another job's to wait for, as long as this one went well.
    fn submitted(self, environment: &Environment) -> Self {
        let is_left = environment.state("mode") == Some("submit") && self.has_succeeded;
        Self { is_own: self.is_own && !is_left, ..self }
    }

    fn duty(&self) -> Duty {
        match (self.is_shared, self.credential.is_some(), self.is_granted) {
            (true, true, _) => Duty::Credential,
            (true, false, _) => Duty::Nothing,
            (false, _, true) if self.has_succeeded => Duty::Complete,
            (false, _, true) => Duty::TakeBack,
            (false, _, false) if self.is_own => Duty::TakeBack,
            (false, _, false) => Duty::Nothing,
        }
    }

    async fn end(&self, environment: &Environment, log: &Arc<Log>) -> Result<&'static str, Stop> {
        let duty = self.duty();
        if duty == Duty::Nothing {
            return Ok("nothing is left to be done with");
        }
        let client = connected(environment, log)?;
        match duty {
            Duty::Nothing => Ok("nothing is left to be done with"),
            Duty::Complete => Ok(word(&ending::complete(&self.request, &client).await?)),
            Duty::TakeBack => self.take_back(&client).await,
            Duty::Credential => {
                let id = self.credential.as_deref().unwrap_or_default();
                match client.revoke_credential(id, &IdempotencyKey::fresh()).await {
                    Ok(()) => Ok("the credential of this job is taken back from"),
                    Err(error) if error.kind == ErrorKind::Conflict => Ok("over already:"),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }

    async fn take_back(&self, client: &Client) -> Result<&'static str, Stop> {
        let ended: Result<Ended, ClientError> =
            ending::cancel(&self.request, "the job did not succeed", client).await;
        Ok(word(&ended?))
    }
}

fn word(ended: &Ended) -> &'static str {
    match ended {
        Ended::Canceled => "canceled",
        Ended::Completed(_) => "completed",
        Ended::Revoked => "revoked",
        Ended::Over(_) => "over already:",
    }
}

fn connected(environment: &Environment, log: &Arc<Log>) -> Result<Client, Stop> {
    let missing = || Stop::new(Outcome::Invalid, "the input `url` is no URL");
    let url: Url = environment.input("url").unwrap_or_default().parse().map_err(|_| missing())?;
    let read = environment.input("ca-bundle").and_then(|file| std::fs::read(file).ok());
    let roots = read.and_then(|text| Roots::from_pem(&text).ok()).unwrap_or_default();
    let audience = environment.input("oidc-audience").map(str::to_owned);
    connect(url, audience, roots, environment, log)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duty(mode: &str, state: &[&str], status: &str) -> Option<Duty> {
        let mut all = vec![("STATE_request_id", "req_1"), ("STATE_mode", mode)];
        all.push(("INPUT_JOB-STATUS", status));
        let named: Vec<String> = state.iter().map(|name| format!("STATE_{name}")).collect();
        all.extend(named.iter().map(|name| (name.as_str(), "true")));
        Left::of(&Environment::from(all.as_slice())).map(|left| left.duty())
    }

    #[test]
    fn what_was_used_well_is_completed_and_the_rest_is_taken_back() {
        let granted = ["granted"];
        assert_eq!(duty("wait", &granted, "success"), Some(Duty::Complete));
        assert_eq!(duty("wait", &granted, "failure"), Some(Duty::TakeBack));
        assert_eq!(duty("wait", &granted, "cancelled"), Some(Duty::TakeBack));
        assert_eq!(duty("wait", &granted, ""), Some(Duty::TakeBack));
        assert_eq!(duty("wait", &[], "cancelled"), Some(Duty::TakeBack));
        assert_eq!(duty("wait", &["granted", "ended"], "success"), None);
    }

    #[test]
    fn what_another_job_asked_for_stays_until_it_is_granted() {
        assert_eq!(duty("check", &[], "failure"), Some(Duty::Nothing));
        assert_eq!(duty("check", &["granted"], "success"), Some(Duty::Complete));
        assert_eq!(duty("submit", &[], "success"), Some(Duty::Nothing));
        assert_eq!(duty("submit", &[], "cancelled"), Some(Duty::TakeBack));
    }

    #[test]
    fn of_what_is_shared_only_the_own_credential_ends() {
        assert_eq!(duty("wait", &["shared", "granted"], "failure"), Some(Duty::Nothing));
        let all = ["shared", "granted", "credential_id"];
        assert_eq!(duty("wait", &all, "success"), Some(Duty::Credential));
    }

    #[tokio::test]
    async fn a_job_that_asked_for_nothing_ends_nothing() {
        assert_eq!(run(&Environment::default(), &Arc::default()).await, 0);
    }
}
