//! Asking for what was denied is filing. The requester is the caller, as everywhere: whoever is to
//! act asks, and people approve exactly what was denied.

use assent_core::credential::Rejection;
use assent_core::credential::denial::Denial;
use assent_core::intent::{Intent, MAX_DURATION};
use assent_core::policy::ruling::Outcome;
use assent_core::request::{CancelError, Request};
use assent_core::time::{Span, Timestamp};
use assent_core::wire::authzen::{AccessRequest, DenialEcho, Evaluation, Tasked};
use assent_core::wire::{Filing, Reason};
use serde_json::{Map, Value, json};

use crate::app::authzen::mapping::{self, Mapping};
use crate::app::authzen::subject::Subjects;
use crate::app::{AppError, Authority, Caller, Wish};
use crate::ledger::{Call, Met};

/// Why nothing was filed, or no task could be shown. The first six are the profile's own.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Policy does not ask people about this.
    #[error("policy refuses this whoever approves: {0}")]
    NotRequestable(String),
    /// Too late.
    #[error("the denial could be asked for until {0}: evaluate again")]
    ExpiredDenial(Timestamp),
    /// The denial is not of this authority, of something else, or was asked for before.
    #[error("the denial does not bind this request: {0}")]
    InvalidBinding(String),
    /// The key was used for another request.
    #[error("this idempotency key was used for another request")]
    Duplicate,
    /// No such task, or not the caller's.
    #[error("there is no task `{0}`, or it is not yours")]
    UnknownTask(String),
    /// It is decided.
    #[error("the task is {0} already; only a pending one can be cancelled")]
    InvalidState(&'static str),
    /// Somebody asks for somebody else.
    #[error("`{0}` is not you: an access request is made by whoever will act")]
    ForAnother(String),
    /// Switched off.
    #[error("this server takes no access requests: start it with --authzen-access-request")]
    Off,
    /// Something in it cannot be.
    #[error("`{member}`: {problem}")]
    Unfit {
        /// The member.
        member: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// As of any use case.
    #[error(transparent)]
    App(#[from] AppError),
}

impl Authority {
    /// Files what was denied, and shows its task. The same wish again is shown the same task.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask(
        &self,
        caller: &Caller,
        asked: AccessRequest,
        wish: Wish,
    ) -> Result<Tasked, AskError> {
        self.takes_requests()?;
        let subject = &asked.evaluation.subject;
        let subjects = Subjects::of(self, caller);
        let named = subjects.principal(subject).await;
        if !matches!(&named, Ok(Some(named)) if subjects.is_caller(named)) {
            return Err(AskError::ForAnother(subject.id.chars().take(255).collect()));
        }
        if let Some(call) = self.recall(wish).await? {
            if call.asked != wish.asked {
                return Err(AskError::Duplicate);
            }
            return Ok(self.tasked(&self.current(call.request).await?).await?);
        }
        let denial = self.bound(&asked.denial, &asked.evaluation)?;
        // A denial is asked for once: whoever repeats the call does so under its key.
        let once = Wish { key: self.denial_key(caller, &denial), asked: wish.asked };
        if let Some(call) = self.recall(once).await? {
            let told = format!("it was asked for before: {}", call.request);
            return Err(AskError::InvalidBinding(told));
        }
        let intent = self.intent_to_file(&asked, &denial)?;
        let request = self.file_asked(caller, &intent, wish).await?;
        let (id, version) = (request.id(), request.version());
        let call = Call { asked: once.asked, request: id, version, credential: None };
        let met = Met { key: once.key, call, at: self.clock.now() };
        self.ledger.remember(met).await.map_err(AppError::from)?;
        tracing::info!(evaluation = %denial.evaluation, request = %id, "a denial was asked for");
        Ok(self.tasked(&request).await?)
    }

    /// The task of the caller's own request; an administrator sees all.
    ///
    /// # Errors
    /// [`AskError::UnknownTask`].
    pub async fn task(&self, caller: &Caller, id: &str) -> Result<Tasked, AskError> {
        Ok(self.tasked(&self.request_of_task(caller, id).await?).await?)
    }

    /// Withdraws the caller's own request while it is pending.
    ///
    /// # Errors
    /// [`AskError::InvalidState`] once it is decided.
    pub async fn cancel_task(
        &self,
        caller: &Caller,
        id: &str,
        why: String,
    ) -> Result<Tasked, AskError> {
        self.request_of_task(caller, id).await?;
        // Each call is its own wish: the second finds it cancelled and is told so.
        let chance = self.secret()?;
        let wish = Wish::new(caller, "cancel a task", chance.expose(), why.as_bytes());
        match self.cancel(caller, id, Reason { reason: why }, wish).await {
            Ok(request) => Ok(self.tasked(&request).await?),
            Err(AppError::Cancel(CancelError::NotPending { state })) => {
                Err(AskError::InvalidState(state))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Whether denials can be asked for here at all.
    ///
    /// # Errors
    /// [`AskError::Off`].
    pub fn takes_requests(&self) -> Result<(), AskError> {
        if self.authzen.access_request { Ok(()) } else { Err(AskError::Off) }
    }

    async fn request_of_task(&self, caller: &Caller, id: &str) -> Result<Request, AskError> {
        self.takes_requests()?;
        let unknown = || AskError::UnknownTask(id.chars().take(64).collect());
        let request = match self.request(caller, id).await {
            Err(AppError::NotFound { .. } | AppError::Id(_)) => return Err(unknown()),
            found => found?,
        };
        let is_theirs = request.requester().id == caller.principal().id;
        if is_theirs || caller.is_administrator() { Ok(request) } else { Err(unknown()) }
    }

    async fn recall(&self, wish: Wish) -> Result<Option<Call>, AppError> {
        Ok(self.ledger.recall(wish.key).await?)
    }

    fn denial_key(&self, caller: &Caller, denial: &Denial) -> assent_core::digest::Digest {
        Wish::new(caller, "ask for a denial", &denial.evaluation.to_string(), b"").key
    }

    /// The denial, if this authority signed it, it is in time, and it is of exactly this.
    fn bound(&self, echo: &DenialEcho, evaluation: &Evaluation) -> Result<Denial, AskError> {
        let invalid = |told: &str| AskError::InvalidBinding(told.to_owned());
        let token = echo.binding_token.as_deref();
        let token = token.ok_or_else(|| invalid("`denial.binding_token` is missing"))?;
        let between = (self.base.as_str(), &*self.access_request_endpoint());
        let denial = match Denial::verify(token, between, &self.published().set, self.clock.now()) {
            Err(Rejection::Expired(at)) => return Err(AskError::ExpiredDenial(at)),
            Err(other) => return Err(invalid(&format!("its binding token is refused: {other}"))),
            Ok(denial) => denial,
        };
        let echoed = echo.expires_at.as_deref().and_then(|text| text.parse().ok());
        if echoed != Some(denial.expires_at) {
            return Err(invalid("`denial.expires_at` is not what the denial said"));
        }
        if evaluation.binding_hash(&denial.members) != denial.hash {
            return Err(invalid("subject, action, resource or context are not what was denied"));
        }
        Ok(denial)
    }

    /// The intent of exactly what was denied. What the submission adds to the context stands apart
    /// from it, with its other wishes.
    fn intent_to_file(&self, asked: &AccessRequest, denial: &Denial) -> Result<Intent, AskError> {
        let unfit = |member, problem: String| AskError::Unfit { member, problem };
        let mut bound = asked.evaluation.context.clone();
        let circumstances = mapping::bound_members(&bound);
        bound.retain(|name, _| circumstances.contains(name));
        let is_bound = |name: &String| denial.members.contains(name);
        let (bound, added): (Map<_, _>, Map<_, _>) =
            bound.into_iter().partition(|(name, _)| is_bound(name));
        let mut said = Map::new();
        let mut say = |name: &str, value: Value| drop(said.insert(name.to_owned(), value));
        if !added.is_empty() {
            say("context", Value::Object(added));
        }
        if let Some(wished) = &asked.requested_access {
            say("requested_access", json!(wished));
        }
        if !asked.client.is_empty() {
            say("client", Value::Object(asked.client.clone()));
        }
        let duration = self.duration(asked)?;
        let evaluation = Evaluation { context: bound, ..asked.evaluation.clone() };
        let reason = mapping::reason(&asked.evaluation);
        let mapping = Mapping::of(&evaluation, &self.authzen).filed(said, reason, duration);
        mapping.verify().map_err(|faults| unfit("context", mapping::told(&faults)))
    }

    /// How long it is needed from now, where an end was stated.
    fn duration(&self, asked: &AccessRequest) -> Result<Option<Span>, AskError> {
        let member = "requested_access.requested_until";
        let unfit = |problem: String| AskError::Unfit { member, problem };
        let wished = asked.requested_access.as_ref();
        let Some(until) = wished.and_then(|wished| wished.requested_until.as_deref()) else {
            return Ok(None);
        };
        let until: Timestamp = until.parse().map_err(|fault| unfit(format!("{fault}")))?;
        let left = Span::seconds(self.clock.now().until(until).as_seconds());
        if left == Span::ZERO || left > MAX_DURATION {
            return Err(unfit(format!("expected a time within the next {MAX_DURATION}")));
        }
        Ok(Some(left))
    }

    async fn file_asked(
        &self,
        caller: &Caller,
        intent: &Intent,
        wish: Wish,
    ) -> Result<Request, AskError> {
        let ruling = self.ruling(caller, intent, caller.principal()).await?;
        if let Outcome::Refuse(reasons) = &ruling.outcome {
            let told: Vec<_> = reasons.iter().map(|reason| reason.message.as_str()).collect();
            return Err(AskError::NotRequestable(told.join("; ")));
        }
        let filing = Filing { intent: intent.into(), reattach: true, heartbeat: None };
        match self.file(caller, filing, wish).await {
            Err(AppError::KeyReused) => Err(AskError::Duplicate),
            filed => Ok(filed?.request),
        }
    }
}
