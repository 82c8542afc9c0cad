//! The middleware: who is let in, and in what order that is found out.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use assent_core::credential::dpop::{Nonces, Proofs, Replays, Sent};
use assent_core::credential::{Action, Claims, Rejection, Verifier};
use assent_core::digest::Digest;
use assent_core::time::{Span, Timestamp};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::authority::{Authority, Said};
use crate::refusal::Refusal;

/// How many credentials that are over are remembered.
const REMEMBERED: usize = 100_000;

/// How many used proofs are remembered of all keys, and of one: its holder fills no more than that.
const PROOFS: (usize, usize) = (100_000, 10_000);

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How often a credential is good for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// As long as it lives: the authority is asked whether it was taken back.
    Often,
    /// Once: the authority is told that it is spent.
    Once,
}

/// What lets calls in.
pub struct Guard {
    authority: Authority,
    verifier: Verifier,
    audience: String,
    base: String,
    proofs: Proofs,
    over: Mutex<HashMap<Digest, Timestamp>>,
    clock: Clock,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("audience", &self.audience).finish_non_exhaustive()
    }
}

impl Guard {
    /// For a service that credentials call `audience` and that its callers reach under `base`, a URL
    /// without a slash at the end. `key` makes the nonces: fresh at each start, or shared by those
    /// who share the service's load.
    pub fn new(
        authority: Authority,
        audience: &str,
        base: &str,
        key: &[u8; 32],
        clock: Clock,
    ) -> Self {
        let nonces = Nonces::new(key, Span::minutes(5));
        let (of_all, of_one) = PROOFS;
        let replays = Replays::with_room(of_all).with_share(of_one);
        Self {
            verifier: Verifier::new(authority.issuer(), audience),
            authority,
            audience: audience.to_owned(),
            base: base.to_owned(),
            proofs: Proofs::new(replays).with_nonces(nonces),
            over: Mutex::default(),
            clock,
        }
    }

    /// The claims of the credential that a call came with, if it permits the action.
    ///
    /// # Errors
    /// [`Refusal`]: on any doubt.
    pub async fn let_in(
        &self,
        call: &Call<'_>,
        action: &Action<'_>,
        uses: Use,
    ) -> Result<Claims, Refusal> {
        let shown = Shown::read(call.headers)?;
        let token = shown.token;
        if self.is_over(token) {
            return Err(Refusal::Over);
        }
        let uri = format!("{}{}", self.base, call.path);
        let sent = shown.proof.map(|proof| Sent { proof, method: call.method, uri: &uri });
        let claims = self.verified(token, sent.as_ref()).await?;
        // Before anything is spent: a credential for something else stays good for that.
        if !claims.permits(action) {
            return Err(Refusal::NotPermitted);
        }
        let said = match uses {
            Use::Often => self.authority.introspect(token).await?,
            Use::Once => self.authority.redeem(token, &self.audience, sent.as_ref()).await?,
        };
        match said {
            Said::Good => Ok(claims),
            Said::Over => {
                self.remember(token, claims.expires_at);
                Err(Refusal::Over)
            }
        }
    }

    async fn verified(&self, token: &str, sent: Option<&Sent<'_>>) -> Result<Claims, Refusal> {
        let now = (self.clock)();
        let mut keys = self.authority.keys();
        // Before the proof is used up: it would not be good a second time.
        if let Err(Rejection::UnknownKey) = self.verifier.examine(token, &keys, now) {
            keys = self.authority.newer_keys(now).await;
        }
        let verified = match sent {
            None => self.verifier.verify(token, &keys, now),
            Some(sent) => self.verifier.verify_bound((token, sent), &keys, &self.proofs, now),
        };
        verified.map_err(|rejection| Refusal::of(rejection, self.proofs.nonce(now)))
    }

    fn is_over(&self, token: &str) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        over.contains_key(&Digest::of(token.as_bytes()))
    }

    /// Whatever is over never becomes good again, so it is known until it would have expired.
    fn remember(&self, token: &str, until: Timestamp) {
        let now = (self.clock)();
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        if over.len() >= REMEMBERED {
            over.retain(|_, until| *until > now);
        }
        // Where there is no room, the authority is asked again.
        if over.len() < REMEMBERED {
            over.insert(Digest::of(token.as_bytes()), until);
        }
    }
}

/// A call, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path.
    pub path: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
}

/// The credential and the proof of a call.
struct Shown<'a> {
    token: &'a str,
    proof: Option<&'a str>,
}

impl<'a> Shown<'a> {
    /// RFC 6750 section 2.1 and RFC 9449 section 7.1: one header of each, or none is believed. A
    /// token that is sent as bound comes with a proof, and one that is not comes with none.
    fn read(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let one = |name: &str| {
            let mut all = headers.get_all(name).iter();
            match (all.next(), all.next()) {
                (None, _) => Ok(None),
                (Some(value), None) => value.to_str().map(Some).map_err(|_| Refusal::Unreadable),
                (Some(_), Some(_)) => Err(Refusal::Unreadable),
            }
        };
        let said = one(header::AUTHORIZATION.as_str())?.ok_or(Refusal::Missing)?;
        let (scheme, token) = said.split_once(' ').ok_or(Refusal::Unreadable)?;
        let proof = one("dpop")?;
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        match (is("bearer"), is("dpop"), proof) {
            (true, _, None) | (_, true, Some(_)) => Ok(Self { token: token.trim(), proof }),
            (true, _, Some(_)) | (_, true, None) => Err(Refusal::Unreadable),
            (false, false, _) => Err(Refusal::Missing),
        }
    }
}

/// A guarded route.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) guard: Arc<Guard>,
    pub(crate) kind: &'static str,
    pub(crate) uses: Use,
}

/// Lets a call in to what is behind the door, with its claims.
pub(crate) async fn check(
    State(door): State<Door>,
    Path(service): Path<String>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let call = Call {
        method: request.method().as_str(),
        path: request.uri().path(),
        headers: request.headers(),
    };
    let target = BTreeMap::from([("service", service.as_str())]);
    let action = Action { kind: door.kind, environment: "staging", target };
    let claims = door.guard.let_in(&call, &action, door.uses).await?;
    request.extensions_mut().insert(claims);
    Ok(next.run(request).await)
}
