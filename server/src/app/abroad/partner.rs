//! A partner as it is called: only where policy lists it now, only through the guard of issuers, and
//! as this authority itself.

use std::time::Duration;

use assent_client::{Client, ClientError, ErrorKind, FreshToken, IdempotencyKey};
use assent_core::credential::Secret;
use assent_core::credential::introduction::Introduction;
use assent_core::digest::Digest;
use assent_core::endorsement::{CALLER, EndorsementError, behind};
use assent_core::id::RequestId;
use assent_core::policy::partner::Partner;
use assent_core::principal::is_visible;
use assent_core::request::{Abroad, Request, State};
use assent_core::time::Span;
use assent_core::wire;

use super::call_key;
use crate::app::{AppError, Authority};
use crate::issuers::{FetchError, IssuerError};

/// How long one call may take, beside what it waits for.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is read. The context of a question has at most 64 KiB and holds all that is
/// asked about; the rest of it repeats that, but for three entries of its target
/// ([`assent_core::endorsement::Question`]). So an honest answer shows twice that, and has as much
/// again for what people there say: sixty reviews of the longest.
const LARGEST: usize = 256 * 1024;
/// How long before its end an access token is not used any more.
const MARGIN: Span = Span::seconds(30);
/// The longest text that is taken over from there.
const LONGEST_REASON: usize = 1_000;

/// Why something was not done at a partner.
#[derive(Debug, thiserror::Error)]
pub(in crate::app) enum PartnerError {
    /// Policy does not list it, or not as the stage was ruled.
    #[error("policy does not list this authority any more as it was when the request was ruled on")]
    Unlisted,
    /// It must not be reached.
    #[error(transparent)]
    Forbidden(#[from] FetchError),
    /// It does not answer, or not with what was asked for.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Its keys are not to be had.
    #[error(transparent)]
    Keys(#[from] IssuerError),
    /// The key that its credential names is not among those it publishes.
    #[error("its credential is signed with a key that it does not publish")]
    UnknownKey,
    /// What it gave is no answer to the question.
    #[error(transparent)]
    Endorsement(#[from] EndorsementError),
    /// What it gave is its answer and can never count, and nothing else will come.
    #[error("{0}")]
    Unacceptable(String),
    /// It answers about something else.
    #[error("{0}")]
    OtherAnswer(&'static str),
    /// It moved on while it was told how it ended here: the next look says how.
    #[error("it moved on while it was told")]
    MovedOn,
    /// As of any use case.
    #[error(transparent)]
    App(#[from] AppError),
}

impl PartnerError {
    /// The stable word for what came from there and was not believed. `None` where nothing came, or
    /// where it was believed.
    pub(super) fn disbelief(&self) -> Option<&'static str> {
        match self {
            Self::UnknownKey => Some("unknown_key"),
            Self::Endorsement(error) => Some(error.code()),
            Self::OtherAnswer(_) => Some("other_answer"),
            Self::Client(error) if error.kind == ErrorKind::Protocol && !error.retryable => {
                Some("not_understood")
            }
            Self::Unlisted
            | Self::Forbidden(_)
            | Self::Client(_)
            | Self::Keys(_)
            | Self::Unacceptable(_)
            | Self::MovedOn
            | Self::App(_) => None,
        }
    }
}

/// A partner, and a connection to it for one question.
pub(super) struct There {
    pub(super) name: String,
    pub(super) partner: Partner,
    pub(super) client: Client,
    request: RequestId,
    stage: String,
    ours: String,
}

/// What is kept of an answer about a request there: little, whatever else came.
pub(super) struct Shown {
    /// The word for its state.
    pub(super) state: String,
    /// How it ended, in one line.
    pub(super) ending: String,
    /// Whether what was approved there was taken back: the grant, or the credential that endorses.
    pub(super) is_withdrawn: bool,
    version: u64,
}

impl Authority {
    /// The partner that reviews the stage, and a connection to it.
    pub(super) async fn there(
        &self,
        request: &Request,
        stage: &str,
        ours: &str,
    ) -> Result<There, PartnerError> {
        let mut asked = request.partnered().filter(|(one, _)| one.name == stage);
        let (_, elsewhere) = asked.next().ok_or(PartnerError::Unlisted)?;
        let policy = self.policy();
        let partner = policy.authority(&elsewhere.authority);
        let partner = partner.filter(|partner| partner.is(elsewhere));
        let partner = partner.ok_or(PartnerError::Unlisted)?.clone();
        let (url, http) = self.issuers.way_to(partner.issuer())?;
        let client = Client::over(http, url, TIMEOUT, LARGEST)?;
        let place = (request.id(), stage.to_owned());
        let now = self.clock.now();
        let kept = self.errands.known().tokens.get(&place).cloned();
        let kept = kept.filter(|(_, until)| now < *until).map(|(token, _)| token);
        let token = match kept {
            Some(token) => token,
            None => {
                let question = request.question(stage, ours).ok_or(PartnerError::Unlisted)?;
                let behind = behind(request.requester()).into_iter().collect();
                let digest = question.digest();
                let given = self.introduced(&client, &partner, digest, behind).await?;
                let life = Span::seconds(given.expires_in.as_secs());
                let until = now.plus(life).before(MARGIN);
                self.errands.known().tokens.insert(place, (given.token.clone(), until));
                given.token
            }
        };
        Ok(There {
            name: elsewhere.authority.clone(),
            partner,
            client: client.with_token(token),
            request: request.id(),
            stage: stage.to_owned(),
            ours: ours.to_owned(),
        })
    }
}

impl Authority {
    /// An access token there, for this authority itself and what it calls about.
    async fn introduced(
        &self,
        client: &Client,
        partner: &Partner,
        digest: Digest,
        behind: Vec<String>,
    ) -> Result<FreshToken, PartnerError> {
        let (audience, now) = (partner.audience(), self.clock.now());
        let id = self.chance.access_id(now).map_err(AppError::from)?;
        let introduction = Introduction { audience, id, digest, behind };
        let signer = self.signer(audience)?;
        let signed = introduction.sign(&signer, now, self.chance.source());
        Ok(client.exchange(&signed.map_err(AppError::from)?).await?)
    }

    /// Whether a credential that a partner signed still stands there: it is asked by introspection.
    pub(in crate::app) async fn stands_there(
        &self,
        partner: &Partner,
        token: &Secret,
    ) -> Result<bool, PartnerError> {
        let (url, http) = self.issuers.way_to(partner.issuer())?;
        let client = Client::over(http, url, TIMEOUT, LARGEST)?;
        let digest = Digest::of(token.expose().as_bytes());
        let given = self.introduced(&client, partner, digest, vec![CALLER.to_owned()]).await?;
        Ok(client.with_token(given.token).introspect(token).await?.active)
    }
}

impl There {
    /// A key for this call, the same however often it is sent.
    pub(super) fn key(&self, call: &str) -> IdempotencyKey {
        IdempotencyKey::of(call_key(self.request, &self.stage, call))
    }

    /// The request there, as it is now or once it is worth looking at. What is shown is of the
    /// request that was filed, or it is nothing.
    pub(super) async fn look(
        &self,
        abroad: &Abroad,
        patience: Duration,
        is_dull: impl Fn(&Shown) -> bool,
    ) -> Result<Shown, PartnerError> {
        let id = abroad.request.to_string();
        let shown = self.shown(abroad, &self.client.request(&id).await?)?;
        if patience.is_zero() || !is_dull(&shown) {
            return Ok(shown);
        }
        self.shown(abroad, &self.client.wait(&id, shown.version, patience).await?)
    }

    fn shown(&self, abroad: &Abroad, request: &wire::Request) -> Result<Shown, PartnerError> {
        let is_asked = request.id == abroad.request.to_string();
        if !is_asked || request.digest != abroad.digest.to_string() {
            return Err(PartnerError::OtherAnswer("it shows another request than was asked for"));
        }
        let ending = request.ending.as_ref();
        let by = ending.and_then(|ending| ending.by.as_deref());
        let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
        let reason = ending.map(|ending| ending.reason.as_str()).unwrap_or_default();
        let line = format!("{} at `{}`{by}: {reason}", request.state, self.name);
        let short = |text: &str| -> String {
            text.chars().filter(|c| is_visible(*c)).take(LONGEST_REASON).collect()
        };
        let credential = abroad.endorsement.as_ref().map(|e| e.credential.to_string());
        let mut all = request.credentials.iter();
        let endorsing = all.find(|status| Some(&status.id) == credential.as_ref());
        Ok(Shown {
            is_withdrawn: request.state == "revoked"
                || endorsing.is_none_or(|status| status.status == "revoked"),
            state: short(&request.state),
            ending: short(&line),
            version: request.version,
        })
    }

    /// Ends there what nothing depends on any more.
    pub(super) async fn tell(
        &self,
        request: &Request,
        abroad: &Abroad,
    ) -> Result<(), PartnerError> {
        let shown = self.look(abroad, Duration::ZERO, |_| false).await?;
        let id = abroad.request.to_string();
        let used = matches!(request.state(), State::Consumed(_)) && !abroad.withdrawn;
        let reason = format!("{} at {}", request.state().word(), self.ours);
        let told = match (shown.state.as_str(), used) {
            ("pending", _) => self.client.cancel(&id, &reason, &self.key("cancel")).await,
            ("approved" | "consumed", true) => self.client.complete(&id, &self.key("done")).await,
            ("approved" | "consumed", false) => {
                self.client.revoke(&id, &reason, &self.key("revoke")).await
            }
            _ => return Ok(()),
        };
        match told {
            Ok(_) => Ok(()),
            Err(error) if error.kind == ErrorKind::Conflict => Err(PartnerError::MovedOn),
            Err(error) => Err(error.into()),
        }
    }
}
