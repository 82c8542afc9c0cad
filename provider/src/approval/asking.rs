//! Create: files the intent and waits for the request's end.
//!
//! Filing attaches to an open request for the same intent by the same requester,
//! so an apply that is tried again does not ask people twice. Whoever stops
//! Terraform withdraws the question: the wait runs to its end even if the call
//! is dropped, and hears of both through its token.

use std::time::Duration;

use assent_client::{Client, ClientError, IdempotencyKey, wire};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::standing::{Standing, State};
use crate::configure::Server;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::failure;
use crate::intent::Stated;
use crate::log::{Level, log};
use crate::session::Session;
use crate::value::Value;
use crate::{duration, intent};

/// How long to wait for people if the configuration does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// How long withdrawing a request may take; Terraform is being stopped.
const WITHDRAWAL: Duration = Duration::from_secs(5);

/// What Create needs of the planned state.
#[derive(Debug)]
struct Question {
    filing: wire::Filing,
    wait: bool,
    timeout: Duration,
}

/// How a wait ended.
#[derive(Debug)]
enum Outcome {
    /// Nothing more is to be waited for.
    Settled(Standing),
    /// Nobody decided in time; the request is still open.
    TimedOut(Standing),
    /// Terraform was stopped; whether the request could be withdrawn.
    Stopped(Standing, Result<(), String>),
}

/// Files the planned intent and waits until it is granted.
///
/// # Errors
/// Why it was not granted: who, why, what to do, and where to look.
pub(super) async fn create(
    session: &Session,
    planned: Value,
) -> Result<(Value, Diagnostics), Diagnostics> {
    let server = session.configured().server()?.clone();
    let question = Question::of(&planned)?;
    let timeout = question.timeout;
    let outcome = session
        .see_through(|stop| async move { ask(&server, question, stop).await })
        .await
        .ok_or_else(|| failure::ours("asking for approval"))?;
    let standing = match outcome? {
        Outcome::Settled(standing) if standing.is_granted() => standing,
        Outcome::Settled(standing) => return Err(standing.tell_no_grant().into()),
        Outcome::TimedOut(standing) => return Err(timed_out(&standing, timeout).into()),
        Outcome::Stopped(standing, withdrawn) => return Err(stopped(&standing, withdrawn).into()),
    };
    Ok((standing.found_out(planned), Diagnostics::default()))
}

impl Question {
    /// The question that a planned state asks.
    fn of(planned: &Value) -> Result<Self, Diagnostics> {
        let intent = Stated::of(planned).intent()?.ok_or_else(|| {
            let detail = "Some of the arguments are still not known at apply.";
            Diagnostic::error("The intent is not known", detail)
        })?;
        let timeout = planned.attribute("timeouts").attribute("create").as_text().given();
        let timeout = match timeout.map(|text| duration::parse(&text)).transpose() {
            Ok(timeout) => timeout.unwrap_or(DEFAULT_TIMEOUT),
            Err(error) => {
                let detail = intent::sentence(&error.to_string());
                return Err(Diagnostic::error("Invalid `timeouts.create`", detail).into());
            }
        };
        let filing = wire::Filing { intent: wire::Intent::from(&intent), reattach: true };
        let wait = planned.attribute("wait").as_bool().given().unwrap_or(true);
        Ok(Self { filing, wait, timeout })
    }
}

/// Files, and waits if there is something to wait for.
async fn ask(
    server: &Server,
    question: Question,
    stop: CancellationToken,
) -> Result<Outcome, Diagnostics> {
    let deadline = Instant::now() + question.timeout;
    let filed = server.client.file(&question.filing, &IdempotencyKey::new()).await;
    let filed = filed.map_err(|error| failure::told(&error, "The request cannot be filed"))?;
    let standing = Standing::of(&filed)?;
    log(Level::Info, format!("request {} is {}", standing.id, standing.state));
    if standing.state != State::Pending || !question.wait {
        return Ok(Outcome::Settled(standing));
    }
    tokio::select! {
        // An approval that came in together with the stop is not thrown away.
        biased;
        settled = settle(&server.client, &standing.id, deadline) => match settled {
            Ok(Some(settled)) => Ok(Outcome::Settled(Standing::of(&settled)?)),
            Ok(None) => Ok(Outcome::TimedOut(standing)),
            Err(error) => Err(failure::told(&error, "Waiting for approval failed").into()),
        },
        () = stop.cancelled() => {
            let withdrawn = withdraw(&server.client, &standing.id).await;
            Ok(Outcome::Stopped(standing, withdrawn))
        }
    }
}

/// Waits for the end of a request; `None` if the deadline comes first. A lost
/// server is asked again until then.
async fn settle(
    client: &Client,
    id: &str,
    deadline: Instant,
) -> Result<Option<wire::Request>, ClientError> {
    let settled = client.until_settled(id, None, |progress| {
        log(Level::Info, format!("waiting for approval: {progress:?}"));
    });
    match tokio::time::timeout_at(deadline, settled).await {
        Ok(settled) => settled.map(Some),
        Err(_) => Ok(None),
    }
}

/// Withdraws a request, or says why that failed.
async fn withdraw(client: &Client, id: &str) -> Result<(), String> {
    let key = IdempotencyKey::new();
    let canceled = client.cancel(id, "terraform was stopped", &key);
    match tokio::time::timeout(WITHDRAWAL, canceled).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(failure::why(&error)),
        Err(_) => Err("The server did not answer in time.".to_owned()),
    }
}

/// Nobody decided in time.
fn timed_out(standing: &Standing, timeout: Duration) -> Diagnostic {
    let detail = format!(
        "Nobody decided request {} within {} s. It is left open: once it is approved, run \
         terraform apply again, which continues with the same request. To wait longer, raise \
         `timeouts.create`.\n\n{}",
        standing.id,
        timeout.as_secs(),
        standing.url,
    );
    Diagnostic::error("Approval timed out", detail)
}

/// Terraform was stopped.
fn stopped(standing: &Standing, withdrawn: Result<(), String>) -> Diagnostic {
    let id = &standing.id;
    let rest = match withdrawn {
        Ok(()) => format!("Request {id} was withdrawn; the next apply files a new one."),
        Err(why) => format!(
            "Request {id} could not be withdrawn: {why} It stays open until it expires; cancel it \
             with `assent cancel {id}`.\n\n{}",
            standing.url,
        ),
    };
    Diagnostic::error(
        "Approval wait cancelled",
        format!("Terraform was stopped while it waited for approval. {rest}"),
    )
}
