//! Programs that a person lets in by their browser (RFC 8628).
//!
//! What waits is in memory alone: a restart closes every door. Only digests of the secrets are held.
//! There are so many places; where all are held, those with most make room.

mod room;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use assent_core::access::{Access, AccessError, Device, NewAccess, Purpose};
use assent_core::credential::Secret;
use assent_core::device::{
    Approval, Attempt, DecideError, INTERVAL, LIFE, NotACode, Poll, UserCode,
};
use assent_core::digest::Digest;
use assent_core::id::AccessId;
use assent_core::policy::situation::Network;
use assent_core::principal::{LOCAL_ISSUER, PrincipalId, PrincipalKind};
use assent_core::time::{Span, Timestamp};
use assent_core::wire::oauth::{DeviceAuthorization, Granted};

use crate::app::sessions::TOKENS_WITHIN;
use crate::app::{AppError, Authority, Caller};
use crate::rates::{Buckets, Rates, Stranger};

/// How many programs may wait at once.
const MOST: usize = 4_096;
/// How often a code is drawn until one is free. With so many of them, the first is.
const DRAWS: usize = 16;

/// The programs that wait.
#[derive(Debug)]
pub(super) struct Devices {
    waiting: Mutex<BTreeMap<UserCode, Attempt>>,
    begun: Buckets<Stranger>,
    typed: Buckets<PrincipalId>,
}

/// Why a program was not let in, or not yet.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No such code.
    #[error(
        "this device code is not known here: it was used, it gave way to others, or the server was \
         started anew; start again"
    )]
    Unknown,
    /// Nobody has said anything yet.
    #[error("nobody has answered yet")]
    Pending,
    /// The same, and it asks too often.
    #[error("nobody has answered yet; ask five seconds less often from now on")]
    SlowDown,
    /// The person said no.
    #[error("the person said no")]
    Denied,
    /// The person said yes, and may not say so any more.
    #[error("the browser that said yes is signed out, or its person may not act; start again")]
    Ended,
    /// Nobody said anything in time.
    #[error("nobody answered within {}", LIFE.in_words())]
    Over,
    /// Too often, from one place.
    #[error("too many calls from your address")]
    TooMany(Span),
    /// All places are held, and nowhere more of them than where the caller is.
    #[error(
        "{MOST} programs wait to be let in, and nowhere more than in your network; try again in a \
         minute"
    )]
    Full,
    /// As of any use case.
    #[error(transparent)]
    App(#[from] AppError),
}

/// Why a code that a person typed leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// Not of the form.
    #[error(transparent)]
    Form(#[from] NotACode),
    /// No program shows it.
    #[error("no program shows this code; look again, or start again in the terminal")]
    Unknown,
    /// It was answered, or is over.
    #[error(transparent)]
    Decided(#[from] DecideError),
    /// Too many.
    #[error("that were many codes; try again in a minute")]
    TooMany,
    /// Only people have a browser.
    #[error("only a person lets a program in")]
    NotAPerson,
    /// Their sign-in is too long ago.
    #[error("letting a program in needs a sign-in at most {} ago", TOKENS_WITHIN.in_words())]
    SignInAgain,
    /// As of any use case.
    #[error(transparent)]
    App(#[from] AppError),
}

/// A program that asks to be let in, as its person is shown it.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The code, which the terminal must show as well.
    pub code: UserCode,
    /// Where the program is.
    pub from: Option<IpAddr>,
    /// Since when.
    pub at: Timestamp,
    /// How long its token will live.
    pub life: Span,
}

impl Devices {
    pub(super) fn new(rates: Rates) -> Self {
        let (begun, typed) = (Buckets::new(rates.devices), Buckets::new(rates.codes));
        Self { waiting: Mutex::default(), begun, typed }
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<UserCode, Attempt>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn secret_digest(secret: &Secret) -> Digest {
    Digest::of_parts(&[b"assent/device/v1\0", secret.expose().as_bytes()])
}

impl Authority {
    /// A program begins to wait. Where all places are held, it takes that of another.
    ///
    /// # Errors
    /// [`DeviceError::TooMany`]; [`DeviceError::Full`] where nobody has to give way to it.
    pub fn begin_device(&self, network: &Network) -> Result<DeviceAuthorization, DeviceError> {
        let now = self.clock.now();
        let stranger = Stranger::at(network.ip);
        self.devices.begun.take(stranger, now).map_err(DeviceError::TooMany)?;
        let secret = self.secret()?;
        let mut waiting = self.devices.waiting();
        waiting.retain(|_, attempt| !attempt.is_forgotten(now));
        if waiting.len() >= MOST {
            // Only while there is room is anybody told that it is over.
            waiting.retain(|_, attempt| attempt.check_open(now) != Err(DecideError::Over));
        }
        let gives_way = match waiting.len() {
            ..MOST => None,
            _ => {
                let found = room::who_gives_way(&waiting, network.ip, now);
                Some(found.ok_or(DeviceError::Full)?)
            }
        };
        for _ in 0..DRAWS {
            let Some(code) = self.chance.user_code().map_err(AppError::from)? else { continue };
            if waiting.contains_key(&code) {
                continue;
            }
            if let Some(other) = gives_way {
                waiting.remove(&other);
            }
            waiting.insert(code, Attempt::new(secret_digest(&secret), network.ip, now));
            return Ok(DeviceAuthorization {
                device_code: secret.expose().to_owned(),
                user_code: code.to_string(),
                verification_uri: format!("{}/device", self.base),
                expires_in: LIFE.as_seconds(),
                interval: INTERVAL.as_seconds(),
            });
        }
        Err(AppError::Busy.into())
    }

    /// The program asks whether it is let in. Of two that ask by one secret, one gets the token.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub async fn poll_device(
        &self,
        secret: &Secret,
        network: &Network,
    ) -> Result<Granted, DeviceError> {
        let now = self.clock.now();
        let stranger = Stranger::at(network.ip);
        self.tokens.take((stranger, None), now).map_err(DeviceError::TooMany)?;
        let digest = secret_digest(secret);
        let (code, attempt, approval, device) = {
            let mut waiting = self.devices.waiting();
            let found = waiting.iter_mut().find(|(_, attempt)| attempt.is_of(digest));
            let (code, attempt) = found.ok_or(DeviceError::Unknown)?;
            let code = *code;
            match attempt.poll(now) {
                Poll::Pending => return Err(DeviceError::Pending),
                Poll::TooSoon => return Err(DeviceError::SlowDown),
                Poll::Denied => return Err(DeviceError::Denied),
                Poll::Over => return Err(DeviceError::Over),
                Poll::Approved(approval, device) => {
                    let attempt = waiting.remove(&code).ok_or(DeviceError::Unknown)?;
                    (code, attempt, approval, device)
                }
            }
        };
        let given = self.let_in(*approval, device, now).await;
        if let Err(DeviceError::App(_)) = &given {
            // Whether it was written is not known, and nobody has the token: let them ask again.
            self.devices.waiting().insert(code, attempt);
        }
        given
    }

    async fn let_in(
        &self,
        approval: Approval,
        device: Device,
        now: Timestamp,
    ) -> Result<Granted, DeviceError> {
        // From the look at the yes to the token on record, nothing is heard that could end it.
        let _turn = self.before_the_next_signal().await;
        let session = self.session(approval.session, now).await?;
        let life = approval.life(now);
        let Approval { principal, administrator, parent, .. } = approval;
        let new = NewAccess {
            id: self.chance.access_id(now).map_err(AppError::from)?,
            principal,
            administrator: administrator && session.administrator,
            purpose: Purpose::Token,
            parent,
            life,
        };
        let (step, token) = Access::give(new, device, &self.secret()?, now);
        let access = step.next().clone();
        self.ledger.commit_access(step).await.map_err(AppError::from)?;
        self.vouch_for(&access);
        self.waiters.wake_log();
        tracing::info!(access = %access.id, "a program was let in by a browser");
        Ok(Granted {
            access_token: token.expose().to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in: life.as_seconds(),
        })
    }

    /// The session by which a person said yes, if it is still theirs: who stole it keeps nothing.
    async fn session(&self, id: AccessId, now: Timestamp) -> Result<Access, DeviceError> {
        let session = self.ledger.access(id).await.map_err(AppError::from)?;
        let session = session.ok_or(AppError::Access(AccessError::Unknown(id)))?;
        let checked = match self.check_access(&session, now).await {
            Ok(()) => self.check_login(session, now),
            Err(error) => Err(error),
        };
        match checked {
            Err(AppError::Access(_)) => Err(DeviceError::Ended),
            checked => Ok(checked?),
        }
    }

    /// Whether whoever asks has signed in lately enough to let a program in, which may do all that they
    /// may. Whom only this authority knows has no sign-in but their token or link.
    pub fn may_let_in(&self, caller: &Caller) -> bool {
        match &caller.access().login {
            Some(_) => self.signed_in_lately(caller),
            None => caller.principal().id.iss() == LOCAL_ISSUER,
        }
    }

    /// The program that shows this code, for a person to look at.
    ///
    /// # Errors
    /// [`CodeError`].
    pub async fn asking_device(&self, caller: &Caller, typed: &str) -> Result<Asking, CodeError> {
        let now = self.clock.now();
        if caller.principal().kind != PrincipalKind::Person {
            return Err(CodeError::NotAPerson);
        }
        let who = caller.principal().id.clone();
        self.devices.typed.take(who, now).map_err(|_| CodeError::TooMany)?;
        let code: UserCode = typed.parse()?;
        let life = self.approval_of(caller).await?.life(now);
        let waiting = self.devices.waiting();
        let attempt = waiting.get(&code).ok_or(CodeError::Unknown)?;
        attempt.check_open(now)?;
        Ok(Asking { code, from: attempt.from(), at: attempt.at(), life })
    }

    /// The person says whether the program that shows this code is let in, as them.
    ///
    /// # Errors
    /// [`CodeError`].
    pub async fn decide_device(
        &self,
        caller: &Caller,
        typed: &str,
        yes: bool,
    ) -> Result<Asking, CodeError> {
        let asking = self.asking_device(caller, typed).await?;
        if yes && !self.may_let_in(caller) {
            return Err(CodeError::SignInAgain);
        }
        let approval = self.approval_of(caller).await?;
        let mut waiting = self.devices.waiting();
        let attempt = waiting.get_mut(&asking.code).ok_or(CodeError::Unknown)?;
        attempt.decide(yes.then_some(approval), self.clock.now())?;
        Ok(asking)
    }

    /// What a person's yes gives: no more than they have, and for no longer. A browser that was signed
    /// in with a token passes that token's end on, not its own session's, which may be shorter.
    async fn approval_of(&self, caller: &Caller) -> Result<Approval, CodeError> {
        let parent = match caller.access.parent {
            Some(id) => {
                let parent = self.ledger.access(id).await.map_err(AppError::from)?;
                Some(parent.ok_or(AppError::Access(AccessError::Unknown(id)))?)
            }
            None => None,
        };
        Ok(Approval {
            principal: caller.principal().clone(),
            administrator: caller.is_administrator(),
            session: caller.access.id,
            parent: parent.as_ref().map(|parent| parent.id),
            until: parent.map(|parent| parent.expires_at),
            from: caller.network().ip,
        })
    }
}
