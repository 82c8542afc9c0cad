//! The main stage: what the step says is asked for, waited for, and used.

mod tell;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use assent_client::wire::plan::Plan;
use assent_client::wire::{Credential, Filing, Request};
use assent_client::{Client, ClientError, IdempotencyKey, Patience};
use assent_gate::ending::{self, Ended};
use assent_gate::plan;
use assent_gate::{Signals, Standing, only_audience};

use crate::command::{self, Ran};
use crate::commands::Level;
use crate::comment::Commenter;
use crate::connection::connect;
use crate::environment::Environment;
use crate::inputs::{Fault, Inputs, Mode};
use crate::log::Log;
use crate::outcome::{Outcome, Stop};
use crate::runner::Runner;
use crate::{grant, intent, waiting};

/// How long whoever canceled the job is kept waiting: a runner asks a second time after 7.5 seconds.
const GRACE: Duration = Duration::from_secs(5);
/// How long an authority that is away is tried again before anything is filed.
const LONGEST_FILING: Duration = Duration::from_secs(600);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Does what the step says, and gives the code that it ends with.
pub(crate) async fn run(environment: &Environment, log: &Arc<Log>) -> u8 {
    let runner = Runner::of(environment);
    let inputs = match settled(environment, &runner) {
        Ok(inputs) => inputs,
        Err(faults) => {
            let why: Vec<_> = faults.iter().map(ToString::to_string).collect();
            log.annotate(Level::Error, "Assent: the inputs are wrong", &why.join("\n"));
            let _ = runner.output("outcome", Outcome::Invalid.word());
            return Outcome::Invalid.code();
        }
    };
    let step = Step { inputs: &inputs, environment, runner: &runner, log };
    let mut found = Found::default();
    let stopped = match step.connected(&mut found).await {
        Ok(outcome) => Stop::new(outcome, ""),
        Err(stop) => stop,
    };
    step.report(&mut found, &stopped);
    step.comment(&mut found, Some(&stopped)).await;
    found.code.unwrap_or(stopped.outcome.code())
}

/// The inputs, if nothing is wrong with them and with what they ask for.
fn settled(environment: &Environment, runner: &Runner) -> Result<Inputs, Vec<Fault>> {
    let inputs = Inputs::read(environment)?;
    match inputs.mode {
        Mode::Check => {}
        Mode::Wait | Mode::Submit | Mode::Run => {
            intent::filing(&inputs, runner, None)?;
        }
    }
    Ok(inputs)
}

/// What is found out on the way, for outputs and summary.
#[derive(Default)]
struct Found {
    request: Option<Request>,
    plan: Option<Plan>,
    credential: Option<Credential>,
    credential_file: Option<String>,
    since: Option<Instant>,
    /// The code of the command that was run, and what of it went wrong.
    code: Option<u8>,
    failed: Option<String>,
    comments: Option<Commenter>,
    /// The summary as it was shown last.
    shown: String,
    /// Whether it was said that the pull request cannot be told.
    is_unsaid: bool,
    /// Whether anything of the grant was used here.
    used: bool,
}

struct Step<'a> {
    inputs: &'a Inputs,
    environment: &'a Environment,
    runner: &'a Runner,
    log: &'a Arc<Log>,
}

impl Step<'_> {
    /// Everything that needs the authority. What was filed and leads to nothing is ended.
    async fn connected(&self, found: &mut Found) -> Result<Outcome, Stop> {
        let Inputs { url, oidc_audience, roots, .. } = self.inputs;
        let (url, audience) = (url.clone(), oidc_audience.clone());
        let client = connect(url, audience, roots.clone(), self.environment, self.log)?;
        let done = self.asked(&client, found).await;
        if let Err(stop) = &done {
            self.give_up(&stop.why, &client, found).await;
        }
        done
    }

    async fn asked(&self, client: &Client, found: &mut Found) -> Result<Outcome, Stop> {
        let mut signals = Signals::catch()?;
        found.since = Some(Instant::now());
        let request = match self.inputs.mode {
            Mode::Check => self.looked_at(client, &mut signals).await?,
            Mode::Wait | Mode::Submit | Mode::Run => {
                self.filed(client, &mut signals, found).await?
            }
        };
        self.remember(&request)?;
        if let (Some(plan), None) = (&request.intent.plan, &found.plan) {
            // What the authority kept of it, to be shown; only to be shown.
            found.plan = unless_asked_to_end(client.plan(plan), &mut signals).await?.ok();
        }
        found.request = Some(request.clone());
        self.log.say(format!("{} {}: {}", request.id, request.state, request.url));
        self.show(found, None, "");
        self.comment(found, None).await;
        if self.inputs.mode == Mode::Submit && Standing::of(&request)? == Standing::Pending {
            return Ok(Outcome::Submitted);
        }
        let settled = self.decided(request, client, &mut signals, found).await?;
        match Standing::of(&settled)? {
            Standing::Pending if self.inputs.mode == Mode::Check => {
                Err(Stop::new(Outcome::Pending, "people are still asked"))
            }
            Standing::Pending => {
                let time = self.inputs.timeout;
                Err(Stop::new(Outcome::TimedOut, format!("nobody decided within {time}")))
            }
            Standing::Ended => {
                let ending = settled.ending.as_ref();
                let why = ending.map(|ending| match &ending.by {
                    Some(by) => format!("by {by}: {}", ending.reason),
                    None => ending.reason.clone(),
                });
                Err(Stop::new(Outcome::of_end(&settled), why.unwrap_or_default()))
            }
            Standing::Granted if self.inputs.mode == Mode::Submit => Ok(Outcome::Granted),
            Standing::Granted => self.granted(&settled, client, &mut signals, found).await,
        }
    }

    /// The request that another job filed, if it is for what this step says.
    async fn looked_at(&self, client: &Client, signals: &mut Signals) -> Result<Request, Stop> {
        let id = self.inputs.request_id.as_deref().unwrap_or_default();
        let request = unless_asked_to_end(client.request(id), signals).await??;
        if self.inputs.require_match {
            let plan = match &self.inputs.plan_file {
                None => None,
                Some(file) => Some(plan::read(file)?.digest()),
            };
            let differences = intent::differences(&request, self.inputs, self.runner, plan);
            if !differences.is_empty() {
                let why = format!("{id} is for something else: {}", differences.join("; "));
                return Err(Stop::new(Outcome::Refused, why));
            }
        }
        Ok(request)
    }

    /// A request of this step, filed or met again, with the plan that it names.
    async fn filed(
        &self,
        client: &Client,
        signals: &mut Signals,
        found: &mut Found,
    ) -> Result<Request, Stop> {
        let file = self.inputs.plan_file.as_deref();
        let plan = match file {
            None => None,
            Some(file) => {
                let handing = plan::hand_in(file, client, &self.runner.terraform);
                Some(unless_asked_to_end(handing, signals).await??)
            }
        };
        let filing = intent::filing(self.inputs, self.runner, plan.as_ref());
        let filing = filing.map_err(|faults| {
            let why: Vec<_> = faults.iter().map(ToString::to_string).collect();
            Stop::new(Outcome::Invalid, why.join("; "))
        })?;
        let mut request = self.file(&filing, client, signals).await?;
        // On record before anything else can go wrong, so that it is ended whatever happens.
        self.remember(&request)?;
        found.request = Some(request.clone());
        if let (Some(file), Some(plan)) = (file, &plan) {
            let over = plan::hand_over(file, plan, &request, client);
            if let Some(with_plan) = unless_asked_to_end(over, signals).await?? {
                request = with_plan;
            }
        }
        Ok(request)
    }

    /// Files, again while the authority is away. Whoever cancels the job waits a moment for the answer, so
    /// that what was filed can be canceled.
    async fn file(
        &self,
        filing: &Filing,
        client: &Client,
        signals: &mut Signals,
    ) -> Result<Request, Stop> {
        let patience = Duration::from(self.inputs.timeout).min(LONGEST_FILING);
        let filing = self.filed_in_time(filing, client, patience);
        let (request, is_asked_to_end) = answered_still(filing, signals).await?;
        if is_asked_to_end {
            let canceled = ending::cancel(&request.id, "the job was canceled", client);
            let _ = tokio::time::timeout(GRACE / 2, canceled).await;
            return Err(interrupted());
        }
        Ok(request)
    }

    async fn filed_in_time(
        &self,
        filing: &Filing,
        client: &Client,
        patience: Duration,
    ) -> Result<Request, ClientError> {
        let key = IdempotencyKey::fresh();
        let (since, mut pause) = (Instant::now(), Duration::from_millis(500));
        loop {
            match client.file(filing, &key).await {
                Err(error) if error.retryable && since.elapsed() + pause < patience => {
                    self.log.say(format!("trying again: {}", error.message));
                    tokio::time::sleep(pause.max(error.wait.unwrap_or_default())).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                settled => return settled,
            }
        }
    }

    /// The request as it is once it is decided, or the time is over.
    async fn decided(
        &self,
        request: Request,
        client: &Client,
        signals: &mut Signals,
        found: &mut Found,
    ) -> Result<Request, Stop> {
        if Standing::of(&request)? != Standing::Pending {
            return Ok(request);
        }
        if self.inputs.mode == Mode::Check && self.inputs.timeout == assent_core::time::Span::ZERO {
            return Ok(request);
        }
        let patience = Patience {
            deadline: Some(Instant::now() + Duration::from(self.inputs.timeout)),
            ask_every: Some(self.inputs.poll_fallback.into()),
        };
        let waiting = waiting::until_settled(client, &request.id, patience, self.log);
        let settled = unless_asked_to_end(waiting, signals).await??;
        found.request = Some(settled.clone());
        Ok(settled)
    }

    /// Uses the grant. It is on record before, so that whatever comes of it ends with the job; unless
    /// nothing came of what another job asked for, and that job may go on by it.
    async fn granted(
        &self,
        request: &Request,
        client: &Client,
        signals: &mut Signals,
        found: &mut Found,
    ) -> Result<Outcome, Stop> {
        self.runner.remember("granted", "true")?;
        let done = self.used(request, client, signals, found).await;
        let is_refused = done.as_ref().is_err_and(|stop| stop.outcome == Outcome::Refused);
        if is_refused && !found.used && self.inputs.mode == Mode::Check {
            self.runner.remember("granted", "false")?;
        }
        done
    }

    /// Each use is a call that the authority allows only to the run that asked.
    async fn used(
        &self,
        request: &Request,
        client: &Client,
        signals: &mut Signals,
        found: &mut Found,
    ) -> Result<Outcome, Stop> {
        if let Some(out) = &self.inputs.fetch_plan {
            let fetching = grant::fetch(request, out, client);
            let (fetched, is_asked_to_end) = answered_still(fetching, signals).await?;
            found.used = true;
            if is_asked_to_end {
                return Err(interrupted());
            }
            self.runner.set("ASSENT_PLAN_DIGEST", &fetched.digest.to_string())?;
            self.log.say(format!("{} bytes of the approved plan are fetched", fetched.size));
        } else {
            self.same_plan(request)?;
        }
        let is_run = self.inputs.mode == Mode::Run;
        if !is_run && self.inputs.audience.is_none() && self.inputs.broker.is_none() {
            // Fetching was a use by itself; and of jobs that share a grant the next ones must meet it.
            let is_used = self.inputs.fetch_plan.is_some();
            let is_met = self.inputs.shared && self.inputs.mode != Mode::Check;
            if !is_used && !is_met {
                let beginning = grant::begin(request, self.inputs, client);
                if let ((), true) = answered_still(beginning, signals).await? {
                    return Err(interrupted());
                }
            }
            return Ok(Outcome::Granted);
        }
        let audience = unless_asked_to_end(self.audience(request, client), signals).await??;
        let heartbeat = self.inputs.heartbeat.filter(|_| is_run);
        let minted = grant::mint(request, audience, heartbeat, self.inputs, client, self.log);
        let (credential, is_asked_to_end) = answered_still(minted, signals).await?;
        found.used = true;
        self.runner.remember("credential_id", &credential.id)?;
        found.credential = Some(credential.clone());
        if is_asked_to_end {
            return Err(interrupted());
        }
        if is_run {
            return self.ran(request, &credential, client, found).await;
        }
        let file = grant::keep(&credential, &self.runner.temp)?;
        let file = file.to_string_lossy().into_owned();
        self.runner.remember("credential_file", &file)?;
        found.credential_file = Some(file);
        Ok(Outcome::Granted)
    }

    /// That the plan in the workspace is still the one that was approved, for the apply that follows.
    fn same_plan(&self, request: &Request) -> Result<(), Stop> {
        let Some(file) = self.inputs.plan_file.as_deref() else { return Ok(()) };
        let given = plan::read(file)?;
        let digest = given.digest().to_string();
        if request.intent.digest.as_deref() != Some(&digest) {
            let why = "the plan is not the one that was approved any more";
            return Err(Stop::new(Outcome::Refused, why));
        }
        if given.is_saved() {
            self.runner.set("ASSENT_PLAN_DIGEST", &digest)?;
        }
        Ok(())
    }

    async fn audience(&self, request: &Request, client: &Client) -> Result<String, Stop> {
        match &self.inputs.audience {
            Some(audience) => Ok(audience.clone()),
            None => {
                let intent = request.intent.clone();
                let filing = Filing { intent, reattach: true, heartbeat: None };
                Ok(only_audience(&filing, client, "the input `audience`").await?)
            }
        }
    }

    /// Runs the command, and ends what it was given.
    async fn ran(
        &self,
        request: &Request,
        credential: &Credential,
        client: &Client,
        found: &mut Found,
    ) -> Result<Outcome, Stop> {
        let script = self.inputs.command.as_deref().unwrap_or_default();
        let around = (self.environment, self.runner);
        let ran = command::run(script, (request, credential), client, around, self.log).await?;
        let Ran::Ended(ended) = ran else { return Err(interrupted()) };
        found.code = ended.code;
        if let Some(obstacle) = ended.obstacle {
            return Err(obstacle.into());
        }
        match ended.failed {
            Some(why) => {
                self.give_up(&why, client, found).await;
                found.failed = Some(why);
            }
            None if self.inputs.shared => self.give_up("the command ended", client, found).await,
            None => match ending::complete(&request.id, client).await {
                Ok(_) => self.runner.remember("ended", "true")?,
                Err(error) => self.log.say(format!("not ended: {}", error.message)),
            },
        }
        Ok(Outcome::Granted)
    }

    /// Ends what this step asked for: its credential, and its request unless others go on by it. What
    /// another job asked for stays.
    async fn give_up(&self, why: &str, client: &Client, found: &mut Found) {
        let Some(request) = &mut found.request else { return };
        let ending = async {
            match &found.credential {
                Some(credential) if self.inputs.shared || self.inputs.mode == Mode::Check => {
                    let key = IdempotencyKey::fresh();
                    client.revoke_credential(&credential.id, &key).await.map(|()| None)
                }
                _ if self.inputs.shared || self.inputs.mode == Mode::Check => Ok(None),
                _ if !matches!(request.state.as_str(), "pending" | "approved" | "consumed") => {
                    Ok(None)
                }
                _ => {
                    let reason = format!("the step did not go on: {why}");
                    let reason: String = reason.chars().take(500).collect();
                    ending::cancel(&request.id, &reason, client).await.map(Some)
                }
            }
        };
        match tokio::time::timeout(GRACE, ending).await {
            Ok(Ok(Some(Ended::Canceled))) => request.state = "canceled".to_owned(),
            // What was used up stays so.
            Ok(Ok(Some(Ended::Revoked))) if request.state == "approved" => {
                request.state = "revoked".to_owned();
            }
            Ok(Ok(Some(Ended::Revoked | Ended::Completed(_) | Ended::Over(_)) | None)) => {}
            Ok(Err(error)) => self.log.say(format!("not ended: {}", error.message)),
            Err(_) => self.log.say("not ended: no answer in time"),
        }
    }

    /// Leaves for the end of the job what is to be ended then.
    fn remember(&self, request: &Request) -> Result<(), Stop> {
        self.runner.remember("request_id", &request.id)?;
        self.runner.remember("mode", self.inputs.mode.word())?;
        Ok(self.runner.remember("shared", if self.inputs.shared { "true" } else { "false" })?)
    }
}

fn interrupted() -> Stop {
    Stop::new(Outcome::Canceled, "the job was canceled")
}

/// The answer to a call whose effect must be known to be taken back, and whether the job was canceled
/// meanwhile: then it is waited for only a moment.
async fn answered_still<T, E: Into<Stop>>(
    call: impl Future<Output = Result<T, E>>,
    signals: &mut Signals,
) -> Result<(T, bool), Stop> {
    let mut call = pin!(call);
    tokio::select! {
        answer = &mut call => return answer.map(|there| (there, false)).map_err(E::into),
        _ask = signals.next() => {}
    }
    match tokio::time::timeout(GRACE / 2, call).await {
        Ok(Ok(answer)) => Ok((answer, true)),
        Ok(Err(_)) | Err(_) => Err(interrupted()),
    }
}

/// This work, unless the job is canceled meanwhile.
async fn unless_asked_to_end<T>(
    work: impl Future<Output = T>,
    signals: &mut Signals,
) -> Result<T, Stop> {
    tokio::select! {
        done = work => Ok(done),
        _ask = signals.next() => Err(interrupted()),
    }
}
