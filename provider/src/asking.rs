//! Asking people: files an intent and waits for the request's end.
//!
//! Whatever blocks a Terraform run until people have approved asks in this way.
//! Filing attaches to an open request for the same intent by the same requester,
//! so an apply that is tried again does not ask people twice. Whoever stops
//! Terraform withdraws the question, unless the plan had asked it already: the wait
//! runs to its end even if the call is dropped, and hears of both through its token.

use std::time::Duration;

use assent_client::{Client, ClientError, IdempotencyKey, Progress, wire};
use assent_core::digest::Digest;
use assent_core::intent::Intent;
use assent_core::time::Span;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::duration;
use crate::exact::Exact;
use crate::failure;
use crate::intent::sentence;
use crate::log::{Level, log};
use crate::schema::Attribute;
use crate::session::Session;
use crate::standing::{Standing, State};
use crate::value::{Type, Value};

/// How long to wait for people if the configuration does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// What is told where nothing could be filed.
const CANNOT_FILE: &str = "The request cannot be filed";

/// How long withdrawing a request may take; Terraform is being stopped.
const WITHDRAWAL: Duration = Duration::from_secs(5);

/// How long people are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Whether they are waited for at all.
    pub(crate) wait: bool,
    /// For how long.
    pub(crate) timeout: Duration,
    /// The argument that says so: `create` of `timeouts`, say.
    pub(crate) set_by: &'static str,
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Question {
    filing: wire::Filing,
    /// The digest of the intent: the answer must be about exactly that.
    digest: Digest,
    patience: Patience,
    asked: Asked,
    serves: Serves,
}

/// When people were asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Now: whoever stops Terraform withdraws the question.
    Now,
    /// At plan: it is the plan's question, and outlives this run. One that ended without a grant
    /// is not asked again until the next plan.
    AtPlan,
}

/// How often an approval lets something begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Serves {
    /// Until it ends.
    UntilItEnds,
    /// Once: the next one who files the same is not met by it.
    Once,
}

/// How a wait ended.
#[derive(Debug)]
enum Outcome {
    /// Nothing more is to be waited for.
    Settled(Standing),
    /// Nobody decided in time; the request is still open.
    TimedOut(Standing),
    /// Terraform was stopped; what became of the request.
    Stopped(Standing, Left),
}

/// What becomes of a request that nobody waits for any more.
#[derive(Debug)]
enum Left {
    /// It is withdrawn.
    Withdrawn,
    /// It could not be withdrawn, and why.
    NotWithdrawn(String),
    /// It stays asked.
    Open,
}

/// Files an intent and waits until it is granted.
///
/// # Errors
/// Why it was not granted: who, why, what to do, and where to look.
pub(crate) async fn granted(
    session: &Session,
    question: Question,
) -> Result<Standing, Diagnostics> {
    let server = session.configured().server()?.clone();
    let patience = question.patience;
    let outcome = session
        .see_through(|stop| async move { ask(&server, question, stop).await })
        .await
        .ok_or_else(|| failure::ours("asking for approval"))?;
    let standing = match outcome? {
        Outcome::Settled(standing) if standing.is_granted() => standing,
        Outcome::Settled(standing) => return Err(standing.tell_no_grant().into()),
        Outcome::TimedOut(standing) => return Err(timed_out(&standing, patience).into()),
        Outcome::Stopped(standing, left) => return Err(stopped(&standing, left).into()),
    };
    session.note_grant(&standing.id);
    Ok(standing)
}

/// Files an intent, or meets the open request for it, and waits for nobody.
///
/// # Errors
/// It could not be filed.
pub(crate) async fn ahead(server: &Client, intent: &Intent) -> Result<Standing, Diagnostic> {
    let patience = Patience { wait: false, timeout: Duration::ZERO, set_by: "create" };
    let question = Question::new(intent, patience);
    let filed = server.file(&question.filing, &IdempotencyKey::fresh()).await;
    question.answer(&filed.map_err(|error| failure::told(&error, CANNOT_FILE))?)
}

impl Patience {
    /// The argument `wait`.
    pub(crate) fn attribute() -> Attribute {
        Attribute::defaulted(
            "wait",
            Type::Bool,
            "Whether to wait for people. If `false`, an apply that is not approved yet fails at \
             once with the request's address, and the next apply continues with the same request. \
             `true` if it is not set.",
        )
    }

    /// What is wrong with the timeout that a configuration sets for this operation.
    pub(crate) fn fault(config: &Value, set_by: &str) -> Option<Diagnostic> {
        let text = config.attribute("timeouts").attribute(set_by).as_text().given()?;
        let error = duration::parse(&text).err()?;
        let detail = sentence(&error.to_string());
        let fault = Diagnostic::error(format!("Invalid `timeouts.{set_by}`"), detail);
        // Terraform shows the line of an attribute of the resource, and of nothing inside it.
        Some(fault.at(Path::attribute("timeouts")))
    }

    /// What a state says of it: `wait`, and `timeouts` for this operation.
    ///
    /// # Errors
    /// The timeout is no duration.
    pub(crate) fn of(state: &Value, set_by: &'static str) -> Result<Self, Diagnostics> {
        if let Some(fault) = Self::fault(state, set_by) {
            return Err(fault.into());
        }
        let timeout = state.attribute("timeouts").attribute(set_by).as_text().given();
        let timeout = timeout.and_then(|text| duration::parse(&text).ok());
        let wait = state.attribute("wait").as_bool().given().unwrap_or(true);
        Ok(Self { wait, timeout: timeout.unwrap_or(DEFAULT_TIMEOUT), set_by })
    }
}

impl Question {
    /// Whether this may be done.
    pub(crate) fn new(intent: &Intent, patience: Patience) -> Self {
        let filing =
            wire::Filing { intent: wire::Intent::from(intent), reattach: true, heartbeat: None };
        let (asked, serves) = (Asked::Now, Serves::UntilItEnds);
        Self { filing, digest: intent.digest(), patience, asked, serves }
    }

    /// Whether this may be done, for what a configuration states at apply.
    pub(crate) fn exact(exact: &Exact, patience: Patience) -> Self {
        match exact {
            Exact::Stated(intent) => Self::new(intent, patience),
            Exact::OfPlan(intent) => Self { serves: Serves::Once, ..Self::new(intent, patience) },
        }
    }

    /// The same, which was asked then.
    pub(crate) fn asked(self, asked: Asked) -> Self {
        Self { asked, ..self }
    }

    /// Where the request stands that answers this question. An approval of
    /// anything else is none.
    fn answer(&self, request: &wire::Request) -> Result<Standing, Diagnostic> {
        if request.digest == self.digest.to_string() {
            return Standing::of(request);
        }
        let detail = format!(
            "Request {} is about {}, but what is asked is {}. Nothing was approved; check that \
             server and provider are of the same version.\n\n{}",
            request.id, request.digest, self.digest, request.url,
        );
        Err(Diagnostic::error("The server answered for another intent", detail))
    }
}

/// Files, and waits if there is something to wait for.
async fn ask(
    server: &Client,
    question: Question,
    stop: CancellationToken,
) -> Result<Outcome, Diagnostics> {
    let deadline = Instant::now() + question.patience.timeout;
    if question.asked == Asked::AtPlan {
        not_ended(server, &question).await?;
    }
    let filed = file(server, &question.filing, &stop).await?;
    let standing = question.answer(&filed)?;
    log(Level::Info, format!("request {} is {}", standing.id, standing.state));
    if standing.state != State::Pending || !question.patience.wait {
        return begun(server, &question, standing).await;
    }
    tokio::select! {
        // An approval that came in together with the stop is not thrown away.
        biased;
        settled = settle(server, &standing.id, deadline) => match settled {
            Ok(Some(settled)) => begun(server, &question, question.answer(&settled)?).await,
            Ok(None) => Ok(Outcome::TimedOut(standing)),
            Err(error) => Err(lost(&standing, &error).into()),
        },
        () = stop.cancelled() => {
            let left = match question.asked {
                Asked::Now => withdraw(server, &standing.id).await,
                Asked::AtPlan => Left::Open,
            };
            Ok(Outcome::Stopped(standing, left))
        }
    }
}

/// Looks whether what was asked at plan ended without a grant. Filing it would ask anew, though
/// somebody has just said no to exactly this.
async fn not_ended(server: &Client, question: &Question) -> Result<(), Diagnostics> {
    let newest = server.newest_of(&question.digest.to_string()).await;
    let newest =
        newest.map_err(|error| failure::told(&error, "The plan's request is not found"))?;
    let Some(newest) = newest else { return Ok(()) };
    let standing = question.answer(&newest)?;
    if !standing.state.is_over_unused() {
        return Ok(());
    }
    let mut told = standing.tell_no_grant();
    let note = "It was asked at plan (`request_at`), so only another plan asks anew.";
    told.detail = format!("{}\n\n{note}", told.detail);
    Err(told.into())
}

/// What is granted for one time is begun before it is done: whoever files the same after that is
/// asked anew.
async fn begun(
    server: &Client,
    question: &Question,
    standing: Standing,
) -> Result<Outcome, Diagnostics> {
    if standing.is_granted() && question.serves == Serves::Once {
        let begun = server.begin(&standing.id, &IdempotencyKey::fresh()).await;
        begun.map_err(|error| not_begun(&standing, &error))?;
    }
    Ok(Outcome::Settled(standing))
}

/// Files, also when Terraform is stopped meanwhile: only a request whose id is
/// known can be withdrawn. It then has no longer than the withdrawal.
async fn file(
    client: &Client,
    filing: &wire::Filing,
    stop: &CancellationToken,
) -> Result<wire::Request, Diagnostics> {
    let key = IdempotencyKey::fresh();
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(WITHDRAWAL).await;
    };
    tokio::select! {
        filed = client.file(filing, &key) => {
            filed.map_err(|error| failure::told_of_intent(&error, CANNOT_FILE))
        }
        () = late => Err(stopped_unheard().into()),
    }
}

/// Waits for the end of a request; `None` if the deadline comes first. A lost
/// server is asked again until then.
async fn settle(
    client: &Client,
    id: &str,
    deadline: Instant,
) -> Result<Option<wire::Request>, ClientError> {
    let settled = client.until_settled(id, None, note);
    match tokio::time::timeout_at(deadline, settled).await {
        Ok(settled) => settled.map(Some),
        Err(_) => Ok(None),
    }
}

/// Puts what happens during a wait into the log.
fn note(progress: Progress<'_>) {
    match progress {
        Progress::Changed(request) => {
            let (id, state, version) = (&request.id, &request.state, request.version);
            log(Level::Info, format!("request {id} is {state} at version {version}"));
        }
        Progress::Lost(error) => log(Level::Warn, failure::why(error)),
    }
}

/// Withdraws a request, or says why that failed.
async fn withdraw(client: &Client, id: &str) -> Left {
    let key = IdempotencyKey::fresh();
    let canceled = client.cancel(id, "terraform was stopped", &key);
    match tokio::time::timeout(WITHDRAWAL, canceled).await {
        Ok(Ok(_)) => Left::Withdrawn,
        Ok(Err(error)) => Left::NotWithdrawn(failure::why(&error)),
        Err(_) => Left::NotWithdrawn("The server did not answer in time.".to_owned()),
    }
}

/// Nobody decided in time.
fn timed_out(standing: &Standing, patience: Patience) -> Diagnostic {
    let detail = format!(
        "Nobody decided request {} within {}. It is left open: once it is approved, run \
         terraform apply again, which continues with the same request. To wait longer, raise \
         `timeouts.{}`.\n\n{}",
        standing.id,
        Span::seconds(patience.timeout.as_secs()),
        patience.set_by,
        standing.url,
    );
    Diagnostic::error("Approval timed out", detail)
}

/// The server does not let the wait go on.
fn lost(standing: &Standing, error: &ClientError) -> Diagnostic {
    let mut told = failure::told(error, "Waiting for approval failed");
    let note = format!("Request {} is left open; the next apply continues with it.", standing.id);
    told.detail = format!("{} {note}\n\n{}", told.detail, standing.url);
    told
}

/// The approval of a saved plan does not serve this apply.
fn not_begun(standing: &Standing, error: &ClientError) -> Diagnostic {
    let mut told = failure::told(error, "The approval does not serve this apply");
    told.detail = format!(
        "An approval of a saved plan serves one apply of it, and request {} does not serve this \
         one. {}\n\n{}",
        standing.id, told.detail, standing.url,
    );
    told
}

/// Terraform was stopped.
fn stopped(standing: &Standing, left: Left) -> Diagnostic {
    let id = &standing.id;
    let rest = match left {
        Left::Withdrawn => format!("Request {id} was withdrawn; the next apply files a new one."),
        Left::Open => format!(
            "Request {id} was asked at plan and stays open: the next apply continues with it.\n\n{}",
            standing.url,
        ),
        Left::NotWithdrawn(why) => format!(
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

/// Terraform was stopped before the server answered.
fn stopped_unheard() -> Diagnostic {
    Diagnostic::error(
        "Approval wait cancelled",
        "Terraform was stopped before the server answered. If it filed a request, that stays open \
         until it expires, and the next apply continues with it.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::Stated;
    use crate::standing::tests::request;

    /// The planned state of a question with this timeout.
    fn planned(create: Value) -> Value {
        Value::object([
            ("environment", Value::text("production")),
            ("reason", Value::text("resize")),
            ("timeouts", Value::object([("create", create)])),
        ])
    }

    /// People who are waited for as long as usual.
    fn usual() -> Patience {
        Patience::of(&planned(Value::Null), "create").unwrap()
    }

    #[test]
    fn people_have_half_an_hour_and_are_waited_for() {
        let usual = usual();
        assert_eq!((usual.timeout, usual.wait), (DEFAULT_TIMEOUT, true));
        let patience = Patience::of(&planned(Value::text("1h30m")), "create").unwrap();
        assert_eq!(patience.timeout, Duration::from_secs(5400));
        assert!(Patience::of(&planned(Value::text("soon")), "create").is_err());
    }

    #[test]
    fn an_approval_of_something_else_is_none() {
        let planned = planned(Value::Null);
        let intent = Stated::of(&planned).intent().unwrap().unwrap();
        let question = Question::new(&intent, usual());
        let mut approved = request("approved");
        assert!(question.answer(&approved).is_err());
        approved.digest = question.digest.to_string();
        assert!(question.answer(&approved).unwrap().is_granted());
    }

    #[test]
    fn a_stop_says_whether_the_request_is_gone() {
        let standing = Standing::of(&request("pending")).unwrap();
        assert!(stopped(&standing, Left::Withdrawn).detail.contains("req_1 was withdrawn"));
        assert!(
            stopped(&standing, Left::Open).detail.contains("req_1 was asked at plan and stays")
        );
        let why = "The server did not answer in time.".to_owned();
        let failed = stopped(&standing, Left::NotWithdrawn(why));
        assert!(failed.detail.contains("`assent cancel req_1`"));
        let late = timed_out(&standing, usual());
        assert!(late.detail.contains("within 30m. It is left open"));
        assert!(late.detail.contains("`timeouts.create`"));
    }
}
