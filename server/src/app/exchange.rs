//! A foreign token, exchanged for an access token (RFC 8693), and what such a token may ask for.
//!
//! What the presented token says of itself is read only to look trusts up. Of those that are for its
//! issuer and audience, exactly one must take it; nothing is fetched for any other. The caller is
//! told that it was refused and nothing more; the log says why.

use std::sync::Arc;

use assent_core::access::{Access, NewAccess, Origin, Purpose};
use assent_core::credential::Secret;
use assent_core::endorsement;
use assent_core::intent::Intent;
use assent_core::policy::situation::Network;
use assent_core::principal::{Principal, PrincipalId};
use assent_core::time::Span;
use assent_core::token::{UnverifiedToken, VerifiedToken};
use assent_core::trust::{Shape, Trust};
use assent_core::wire::oauth::{ACCESS_TOKEN, Exchanged};
use serde_json::Value;

use crate::app::{AppError, Authority, Caller};
use crate::issuers::IssuerError;
use crate::ledger::Spent;
use crate::rates::Stranger;

/// Why a token was not exchanged.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// It is not believed; why, is for the log.
    #[error("the subject token is not accepted here; the server's log says why")]
    Refused,
    /// Its issuer's keys are not to be had, and those that were had are too old.
    #[error("the keys of the token's issuer are not to be had; try again")]
    IssuerAway,
    /// Its issuer, who can take it back, cannot be asked whether it has.
    #[error("the token's issuer cannot be asked whether it still stands; try again")]
    Unanswered,
    /// Too often, from one place.
    #[error("too many tokens from your address; try again later")]
    TooMany(Span),
    /// As of any use case.
    #[error(transparent)]
    App(#[from] AppError),
}

/// A token that a trust takes, and who that is.
pub(super) struct Admitted<'a> {
    trust: &'a Trust,
    token: VerifiedToken,
    pub(super) principal: Principal,
}

/// Why a trust does not take a token.
pub(super) struct Objection {
    pub(super) reason: String,
    /// Whether that is for lack of keys.
    is_away: bool,
}

impl Authority {
    /// Exchanges a foreign token.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub async fn exchange(
        &self,
        presented: &Secret,
        network: &Network,
    ) -> Result<Exchanged, ExchangeError> {
        let policy = self.policy();
        let read = UnverifiedToken::read(presented.expose());
        // Only issuers that are known, or whoever makes names up would never run out of buckets.
        let issuer = read.as_ref().ok().map(UnverifiedToken::unverified_issuer);
        let issuer = issuer.filter(|issuer| policy.trusts().any(|t| t.issuer() == *issuer));
        let key = (Stranger::at(network.ip), issuer.map(str::to_owned));
        self.tokens.take(key, self.clock.now()).map_err(ExchangeError::TooMany)?;
        let token = read.map_err(|error| refused(&error.to_string(), ""))?;
        if token.unverified_issuer() == self.base {
            return Err(refused("this server issued it itself", token.unverified_issuer()));
        }
        let about = |trust: &&Trust| {
            trust.issuer() == token.unverified_issuer()
                && token.unverified_audiences().contains(trust.audience())
        };
        let trusts: Vec<&Trust> = policy.trusts().filter(about).collect();
        let Admitted { trust, token, principal } = self.admitted(&token, &trusts).await?;
        if let Err(Objection { reason, is_away }) = self.check_still_stands(trust, presented).await
        {
            let refused = refused(&reason, trust.issuer());
            return Err(if is_away { ExchangeError::Unanswered } else { refused });
        }
        if let Some(who) = self.suspended_among(&principal, self.clock.now()) {
            return Err(refused(&format!("`{who}` is suspended"), trust.issuer()));
        }
        let (access, given) = self.issue_for(trust, &token, principal).await?;
        tracing::info!(trust = trust.name(), access = %access.id, "a token was exchanged");
        Ok(given)
    }

    /// The one trust that takes the token. Where two do, which of them is meant is not for us to say.
    async fn admitted<'a>(
        &self,
        token: &UnverifiedToken,
        trusts: &[&'a Trust],
    ) -> Result<Admitted<'a>, ExchangeError> {
        let (mut taken, mut away, mut reasons) = (Vec::new(), false, Vec::new());
        for trust in trusts {
            match self.judged(token, trust).await {
                Ok(admitted) => taken.push(admitted),
                Err(Objection { reason, is_away }) => {
                    away |= is_away;
                    reasons.push(format!("{}: {reason}", trust.name()));
                }
            }
        }
        let issuer = token.unverified_issuer();
        match (taken.pop(), taken.as_slice()) {
            (Some(one), []) => Ok(one),
            (Some(one), [other, ..]) => {
                let two =
                    format!("both `{}` and `{}` take it", one.trust.name(), other.trust.name());
                Err(refused(&two, issuer))
            }
            (None, _) if away => {
                tracing::warn!(reasons = reasons.join("; "), "an issuer's keys are not to be had");
                Err(ExchangeError::IssuerAway)
            }
            (None, _) if reasons.is_empty() => {
                Err(refused("no trust is for its issuer and audience", issuer))
            }
            (None, _) => Err(refused(&reasons.join("; "), issuer)),
        }
    }

    /// What one trust makes of the token.
    pub(super) async fn judged<'a>(
        &self,
        token: &UnverifiedToken,
        trust: &'a Trust,
    ) -> Result<Admitted<'a>, Objection> {
        let now = self.clock.now();
        let object = |reason: String| Objection { reason, is_away: false };
        let keys = self.issuers.keys(trust, token.unverified_key_id(), now).await;
        let keys = keys.map_err(|error| {
            let is_away = matches!(error, IssuerError::Away(_));
            Objection { is_away, ..object(error.to_string()) }
        })?;
        let token = token.verify(&keys, now).map_err(|error| object(error.to_string()))?;
        let principal = trust.admit(&token).map_err(|error| object(error.to_string()))?;
        let principal = self.with_ours(principal);
        Ok(Admitted { trust, token, principal })
    }

    /// That another authority has not taken its credential back. It can be asked where policy lists it
    /// as a partner; elsewhere what it signed counts until it expires.
    pub(super) async fn check_still_stands(
        &self,
        trust: &Trust,
        presented: &Secret,
    ) -> Result<(), Objection> {
        let policy = self.policy();
        let partner = policy.authority_of(trust.issuer());
        let partner = partner.filter(|_| trust.shape() == Some(Shape::Assent));
        let Some(partner) = partner else { return Ok(()) };
        match self.stands_there(partner, presented).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let reason = "it was taken back there, or used".to_owned();
                Err(Objection { reason, is_away: false })
            }
            Err(error) => {
                let reason = format!("its issuer cannot be asked whether it still stands: {error}");
                Err(Objection { reason, is_away: true })
            }
        }
    }

    async fn issue_for(
        &self,
        trust: &Trust,
        token: &VerifiedToken,
        principal: Principal,
    ) -> Result<(Access, Exchanged), ExchangeError> {
        let now = self.clock.now();
        let life = trust.life(token, now);
        if life == Span::ZERO {
            return Err(refused("it is over", trust.issuer()));
        }
        let new = NewAccess {
            id: self.chance.access_id(now).map_err(AppError::from)?,
            principal,
            administrator: false,
            purpose: Purpose::Token,
            parent: None,
            life,
        };
        let origin = Origin {
            trust: trust.name().to_owned(),
            digest: trust.digest(),
            subject: token.subject().to_owned(),
            mark: token.mark(),
        };
        let spent = Spent { mark: token.mark(), until: token.believed_until() };
        let (step, secret) = Access::exchange(new, origin, &self.secret()?, now);
        let access = step.next().clone();
        let spent = trust.is_single_use().then_some(spent);
        if !self.ledger.commit_exchange(step, spent).await.map_err(AppError::from)? {
            return Err(refused("it is good once, and was exchanged before", trust.issuer()));
        }
        self.vouch_for(&access);
        self.waiters.wake_log();
        let given = Exchanged {
            access_token: secret.expose().to_owned(),
            issued_token_type: ACCESS_TOKEN.to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in: life.as_seconds(),
        };
        Ok((access, given))
    }

    /// Whom the issuer knows as ours is ours: nobody is somebody else for having been elsewhere.
    fn with_ours(&self, mut principal: Principal) -> Principal {
        let ours = principal.acts_for.iter().filter(|who| who.iss() == self.base);
        let ours: Vec<_> = ours.filter_map(|who| PrincipalId::local(who.sub()).ok()).collect();
        principal.acts_for.extend(ours);
        principal
    }

    /// A question of another authority is filed by that authority and by nobody else, and it files
    /// nothing else: people see who asks, and believe it.
    pub(super) fn check_question(&self, caller: &Caller, intent: &Intent) -> Result<(), AppError> {
        let policy = self.policy();
        let origin = caller.access.origin.as_ref();
        let trust = origin.and_then(|origin| policy.trust(&origin.trust));
        let trust = trust.filter(|trust| trust.shape() == Some(Shape::AssentAuthority));
        let is_question = intent.kind() == endorsement::KIND;
        let said = caller.principal().claims.get("digest").and_then(Value::as_str);
        let fits = trust.is_some_and(|trust| {
            let asks = intent.target().get("authority").map(String::as_str);
            asks == Some(trust.issuer()) && said == Some(intent.digest().to_string().as_str())
        });
        match (is_question, trust.is_some()) {
            (false, false) => Ok(()),
            (true, true) if fits => Ok(()),
            _ => Err(AppError::Field {
                field: "kind",
                problem: format!(
                    "`{}` is filed by another authority, about the question that its token is for, \
                     and it files nothing else",
                    endorsement::KIND
                ),
            }),
        }
    }

    /// Whether the caller may ask for this at all: whoever came by a trust, only within it.
    pub(super) fn check_scope(&self, caller: &Caller, intent: &Intent) -> Result<(), AppError> {
        let Some(origin) = &caller.access.origin else { return Ok(()) };
        let policy: Arc<_> = self.policy();
        caller.access.check_trust(&policy)?;
        let (kind, environment) = (intent.kind(), intent.environment());
        let trust = policy.trust(&origin.trust);
        if trust.is_some_and(|trust| trust.scope().holds(kind, environment)) {
            return Ok(());
        }
        Err(AppError::OutsideTrust {
            trust: origin.trust.clone(),
            kind: kind.to_owned(),
            environment: environment.to_owned(),
        })
    }
}

fn refused(reason: &str, issuer: &str) -> ExchangeError {
    // Whatever anybody sends ends here: quoted, and no longer than it must be.
    let issuer: String = issuer.chars().take(255).collect();
    tracing::info!(reason, ?issuer, "a token was not exchanged");
    ExchangeError::Refused
}
