//! `assent run`: request, wait, mint, run a command with the credential, and end it afterwards.

use std::ffi::OsString;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use assent_client::wire::{Credential, Filing, MintRequest, Request};
use assent_client::{Client, ClientError, IdempotencyKey};
use assent_core::time::Span;
use assent_gate::child::{self, Reach};
use assent_gate::ending::{self, Ended};
use assent_gate::{Ask, Signals, only_audience};
use tokio::process::Command;

use crate::args::RunArgs;
use crate::commands::plan;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};
use crate::settings::Environment;
use crate::standing::Standing;
use crate::{settings, show, waiting};

/// How long an interrupted program still takes for a call that is under way.
const GRACE: Duration = Duration::from_secs(5);

/// Runs a command under approval.
pub(crate) async fn run(
    args: RunArgs,
    client: &Client,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    let RunArgs { intent, reason, audience, broker, heartbeat, timeout, command } = args;
    let reason = reason.unwrap_or_else(|| default_reason(&command));
    let plan = match &intent.plan {
        None => None,
        Some(file) => Some(plan::hand_in(file, client, environment, output).await?),
    };
    let filing = settings::filing(intent, plan.as_ref(), reason, false)?;
    let mut signals = Signals::catch()?;
    // Whom the credential is for must be clear before anybody is asked to approve.
    let audience = match audience {
        Some(audience) => audience,
        None => only_audience(&filing, client, "--audience").await?,
    };
    let request = match file(&filing, client, &mut signals, output).await? {
        Filed::Request(request) => *request,
        Filed::Interrupted(exit) => return Ok(exit),
    };
    let request = match decided(request, timeout, client, &mut signals, output).await? {
        Decided::Granted(request) => *request,
        Decided::Over(exit) => return Ok(exit),
    };
    let credential = match mint(&request, audience, Opened { broker, heartbeat }, client).await {
        Ok(credential) => credential,
        Err(failure) => {
            end(&request, "no credential could be minted", client, output).await;
            return Err(failure);
        }
    };
    if let Some(ask) = signals.pending().await {
        end(&request, "it was interrupted before the command ran", client, output).await;
        return Ok(ask.into());
    }
    let environment = child::Environment { request: &request, credential: &credential, client };
    let command = child::given(&command, environment).unwrap_or_else(|| Command::new(""));
    let ended = {
        let mut running = pin!(child::to_its_end(command, Reach::Command, &mut signals));
        tokio::select! {
            ended = &mut running => ended,
            _over = client.keep_alive(&credential.id, credential.heartbeat.as_deref()) => {
                output.talk(format!("{} has ended; the command still runs", clean(&credential.id)));
                running.await
            }
        }
    };
    match &ended.failed {
        None => complete(&request, &credential, client, output).await,
        Some(reason) => end(&request, reason, client, output).await,
    }
    as_ended(ended)
}

/// This program ends as the command that it ran.
pub(super) fn as_ended(ended: child::Ended) -> Result<Exit, Failure> {
    let exit = ended.code.map_or(Exit::Unknown, Exit::Of);
    match ended.obstacle {
        Some(obstacle) => Err(Failure::from(obstacle).ending(exit)),
        None => Ok(exit),
    }
}

/// The name of the program alone: arguments may hold secrets, and reasons are kept.
fn default_reason(command: &[OsString]) -> String {
    let program = command.first().and_then(|program| Path::new(program).file_name());
    let program = program.unwrap_or_default().to_string_lossy();
    format!("run {}", clean(&program))
}

enum Filed {
    Request(Box<Request>),
    Interrupted(Exit),
}

/// Files the intent. An interrupt waits a moment for the answer, so that what was filed can be
/// canceled.
async fn file(
    filing: &Filing,
    client: &Client,
    signals: &mut Signals,
    output: &Output,
) -> Result<Filed, Failure> {
    let key = IdempotencyKey::fresh();
    let mut filed = pin!(client.file(filing, &key));
    let ask = tokio::select! {
        filed = &mut filed => return Ok(Filed::Request(Box::new(filed?))),
        ask = signals.next() => ask,
    };
    match tokio::time::timeout(GRACE, filed).await {
        Ok(Ok(request)) => cancel_soon(&request, client, output).await,
        Ok(Err(_)) => {}
        Err(_) => output.talk("interrupted; a request may have been filed and is not canceled"),
    }
    Ok(Filed::Interrupted(ask.into()))
}

enum Decided {
    Granted(Box<Request>),
    Over(Exit),
}

/// Waits until it is decided. An interrupt or the end of the time cancels it.
async fn decided(
    request: Request,
    timeout: Option<Span>,
    client: &Client,
    signals: &mut Signals,
    output: &Output,
) -> Result<Decided, Failure> {
    output.talk(show::brief(&request, crate::clock::now(), output.talk_paint()));
    let mut settled = request;
    if Standing::of(&settled)? == Standing::Pending {
        let id = settled.id.clone();
        let waiting = waiting::until_settled(client, &id, timeout, output);
        match unless_asked_to_end(waiting, signals).await {
            Ok(waited) => settled = waited?,
            Err(ask) => {
                cancel_soon(&settled, client, output).await;
                return Ok(Decided::Over(ask.into()));
            }
        }
    }
    match Standing::of(&settled)? {
        Standing::Granted => Ok(Decided::Granted(Box::new(settled))),
        Standing::Ended => {
            output.talk(show::ending(&settled));
            Ok(Decided::Over(Exit::Refused))
        }
        Standing::Pending => {
            cancel(&settled, client, output).await;
            let problem = format!("the time to wait is over and {} was pending", settled.id);
            Err(Failure::refused(problem))
        }
    }
}

async fn unless_asked_to_end<T>(
    work: impl Future<Output = T>,
    signals: &mut Signals,
) -> Result<T, Ask> {
    tokio::select! {
        done = work => Ok(done),
        ask = signals.next() => Err(ask),
    }
}

/// What is wanted of the credential beside its token.
struct Opened {
    broker: Option<String>,
    heartbeat: Option<Span>,
}

async fn mint(
    request: &Request,
    audience: String,
    opened: Opened,
    client: &Client,
) -> Result<Credential, Failure> {
    let Opened { broker, heartbeat } = opened;
    let wanted = MintRequest {
        audience,
        ttl: request.intent.duration.clone(),
        broker,
        heartbeat: heartbeat.map(|span| span.to_string()),
    };
    Ok(client.mint(&request.id, &wanted, &IdempotencyKey::fresh()).await?)
}

/// Withdraws a request that nobody needs any more. If it was approved in the meantime, the grant
/// is taken back instead.
async fn cancel(request: &Request, client: &Client, output: &Output) {
    let reason = "the requester stopped waiting";
    let canceled = ending::cancel(&request.id, reason, client).await;
    told(request, reason, canceled, client, output).await;
}

/// Withdraws it, but keeps nobody waiting who has asked this program to end.
async fn cancel_soon(request: &Request, client: &Client, output: &Output) {
    if tokio::time::timeout(GRACE, cancel(request, client, output)).await.is_err() {
        not_ended(request, "no answer in time", output);
    }
}

async fn complete(request: &Request, credential: &Credential, client: &Client, output: &Output) {
    let completed = ending::complete(&request.id, client).await;
    if let Ok(Ended::Completed(done)) = &completed {
        output.talk(format!("completed {}", clean(&request.id)));
        let own = done.credentials.iter().find(|own| own.id == credential.id);
        if let Some(own) = own.filter(|own| own.status != "completed") {
            let (id, status) = (clean(&own.id), clean(&own.status));
            output.talk(format!("{id} was {status} before the command ended"));
        }
        return;
    }
    told(request, "", completed, client, output).await;
}

/// Takes the grant and its credential back.
async fn end(request: &Request, reason: &str, client: &Client, output: &Output) {
    let revoked = ending::revoke(&request.id, reason, client).await;
    told(request, reason, revoked, client, output).await;
}

/// Says how it ended.
async fn told(
    request: &Request,
    reason: &str,
    ended: Result<Ended, ClientError>,
    client: &Client,
    output: &Output,
) {
    let id = clean(&request.id);
    match ended {
        Ok(Ended::Canceled) => output.talk(format!("canceled {id}")),
        Ok(Ended::Completed(_)) => output.talk(format!("completed {id}")),
        Ok(Ended::Revoked) => output.talk(format!("revoked {id}: {}", clean(reason))),
        Ok(Ended::Over(problem)) => over(request, &problem, client, output).await,
        Err(error) => not_ended(request, &error.message, output),
    }
}

/// Says by whom or what it was ended, as far as that can be found out.
async fn over(request: &Request, problem: &str, client: &Client, output: &Output) {
    match client.request(&request.id).await {
        Ok(now) => output.talk(show::ending(&now)),
        Err(_) => output.talk(clean(problem)),
    }
}

fn not_ended(request: &Request, problem: &str, output: &Output) {
    let (id, problem) = (clean(&request.id), clean(problem));
    output.talk(format!("{id} could not be ended, and ends at its own time: {problem}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_reason_names_the_program_alone() {
        let command = ["/usr/bin/psql", "--password=secret"].map(OsString::from);
        assert_eq!(default_reason(&command), "run psql");
    }
}
