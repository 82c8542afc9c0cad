//! The ceremony of signing in: begun here, gone through at a provider, ended here.
//!
//! What is known of a ceremony travels sealed in a cookie of the browser that began it, so that nobody
//! who begins many can crowd out anybody else's. What comes back counts only in that browser, at that
//! provider's own address, and for as long as a ceremony takes; the code is good once at the provider.

use std::collections::BTreeSet;
use std::net::IpAddr;

use assent_core::access::{Access, Label, Purpose};
use assent_core::credential::Secret;
use assent_core::digest::Digest;
use assent_core::id::PasskeyId;
use assent_core::principal::{Principal, PrincipalKind};
use assent_core::sign_in::Login;
use assent_core::time::{Span, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::sessions::PASSKEY;
use crate::app::{AppError, Authority, Caller};
use crate::ledger::{Account, Hearing, Spent};
use crate::rates::Stranger;
use crate::sign_in::{Arrived, Demands, Kind, LogoutProblem, Provider, ProviderError, Sent};

/// How long a ceremony may take.
const CEREMONY: Span = Span::minutes(10);
const SEALED_FOR: &str = "sign-in/v1";

/// What a ceremony is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aim {
    /// To come in.
    Enter,
    /// To prove again who one is, in this session.
    Again,
    /// To link the account with which one signs in to the one of this session.
    Link,
    /// To have the provider vouch for this passkey of whose session this is.
    Vouch(PasskeyId),
}

/// A ceremony that was begun.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub to: String,
    /// What it keeps meanwhile.
    pub ceremony: Secret,
}

/// How a ceremony ended.
#[derive(Debug)]
pub struct Ended {
    /// The new session, where there is one.
    pub session: Option<Secret>,
    /// Where the person wanted to go.
    pub next: String,
}

/// What a browser brings back from a provider.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Answer {
    /// What stands for whoever signed in.
    pub code: Option<String>,
    /// By which the ceremony is known again.
    pub state: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
    /// Why not.
    pub error: Option<String>,
}

/// Why nobody signed in.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant says what its text says")]
pub enum SignInError {
    #[error("nobody signs in at `{0}` here")]
    NoProvider(String),
    #[error("too many sign-ins begin where you are; try again in {}", .0.in_words())]
    TooMany(Span),
    #[error("this sign-in was not begun in this browser, or too long ago; begin again")]
    NoCeremony,
    #[error("the provider did not sign you in: {0}")]
    Denied(String),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error("that was another account than this session's; sign out first to change accounts")]
    OtherPerson,
    #[error(transparent)]
    App(#[from] AppError),
}

/// What travels in the cookie.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ceremony {
    provider: String,
    state: String,
    nonce: String,
    verifier: String,
    aim: String,
    session: Option<String>,
    next: String,
    begun_at: i64,
}

impl Authority {
    /// Where people sign in: each provider's name and title.
    pub fn providers(&self) -> Vec<(String, String)> {
        let all = self.sign_in.providers();
        all.map(|(name, provider)| (name.to_owned(), provider.title.clone())).collect()
    }

    /// The provider at which this session was opened: its name and title.
    pub fn provider_of(&self, caller: &Caller) -> Option<(String, String)> {
        let issuer = caller.principal().id.iss();
        let mut all = self.sign_in.providers();
        let (name, provider) = all.find(|(_, provider)| provider.issuer() == issuer)?;
        Some((name.to_owned(), provider.title.clone()))
    }

    /// Whether the caller's provider says when and how somebody signed in. GitHub says neither.
    pub fn provider_tells(&self, caller: &Caller) -> bool {
        let issuer = caller.principal().id.iss();
        let mut all = self.sign_in.providers().filter(|(_, provider)| provider.issuer() == issuer);
        all.any(|(_, provider)| matches!(provider.kind, Kind::Oidc(_)))
    }

    /// Begins to sign somebody in.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn begin_sign_in(
        &self,
        name: &str,
        (aim, demands): (Aim, Demands),
        (caller, from): (Option<&Caller>, Option<IpAddr>),
        next: String,
    ) -> Result<Begun, SignInError> {
        let provider = self.provider(name)?;
        let now = self.clock.now();
        let rate = self.sign_ins.take(Stranger::at(from), now);
        rate.map_err(SignInError::TooMany)?;
        let text = |secret: Secret| secret.expose().to_owned();
        let nonce = match (&aim, caller) {
            (Aim::Vouch(id), Some(caller)) => self.voucher_nonce(caller, *id).await?,
            (Aim::Vouch(_), None) => return Err(SignInError::NoCeremony),
            (Aim::Enter | Aim::Again | Aim::Link, _) => text(self.secret()?),
        };
        let ceremony = Ceremony {
            provider: name.to_owned(),
            state: text(self.secret()?),
            nonce,
            verifier: text(self.secret()?),
            aim: word(&aim),
            session: caller.map(|caller| caller.access().id.to_string()),
            next,
            begun_at: now.as_millis(),
        };
        let challenge = Digest::of(ceremony.verifier.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(challenge.as_bytes());
        let redirect = self.callback(name);
        let sent = ceremony.sent(&redirect);
        let to = match &provider.kind {
            Kind::Oidc(oidc) => oidc.begin(&self.issuers, sent, &challenge, &demands, now).await?,
            Kind::Github(github) => github.begin(sent, &challenge, &demands)?,
        };
        let bytes = serde_json::to_vec(&ceremony).unwrap_or_default();
        let sealed = self.sealer.seal(SEALED_FOR, &bytes).map_err(AppError::from)?;
        Ok(Begun { to, ceremony: Secret::new(URL_SAFE_NO_PAD.encode(sealed)) })
    }

    /// Ends it, with what the browser brings back and what it kept.
    ///
    /// # Errors
    /// [`SignInError`]: nobody is signed in then.
    pub async fn end_sign_in(
        &self,
        name: &str,
        answer: Answer,
        kept: Option<&Secret>,
        caller: Option<&Caller>,
        label: Label,
    ) -> Result<Ended, SignInError> {
        let provider = self.provider(name)?;
        let now = self.clock.now();
        let ceremony = kept.and_then(|kept| self.ceremony(kept, now));
        let ceremony = ceremony.ok_or(SignInError::NoCeremony)?;
        // Of another browser, another ceremony or another provider: an answer is for one (RFC 9700
        // section 4.4).
        let state = answer.state.unwrap_or_default();
        let is_same = aws_lc_rs::constant_time::verify_slices_are_equal(
            state.as_bytes(),
            ceremony.state.as_bytes(),
        );
        if is_same.is_err() || ceremony.provider != name {
            return Err(SignInError::NoCeremony);
        }
        let session = caller.map(|caller| caller.access().id.to_string());
        let aim = aim(&ceremony.aim).ok_or(SignInError::NoCeremony)?;
        if aim != Aim::Enter && (session.is_none() || session != ceremony.session) {
            return Err(SignInError::NoCeremony);
        }
        if let Kind::Oidc(oidc) = &provider.kind {
            oidc.check_issuer(&self.issuers, answer.iss.as_deref(), now).await?;
        }
        if let Some(error) = answer.error {
            let said = error.chars().filter(char::is_ascii_graphic).take(80).collect();
            return Err(SignInError::Denied(said));
        }
        let code = answer.code.filter(|code| (1..=4096).contains(&code.len()));
        let code = code.ok_or_else(|| SignInError::Denied("it gave no code".to_owned()))?;
        let redirect = self.callback(name);
        let sent = ceremony.sent(&redirect);
        let since = match aim {
            Aim::Again | Aim::Link => Some(Timestamp::from_millis(ceremony.begun_at)),
            Aim::Enter | Aim::Vouch(_) => None,
        };
        let arrived = match &provider.kind {
            Kind::Oidc(oidc) => oidc.arrive(&self.issuers, &code, sent, since, now).await?,
            Kind::Github(github) => github.arrive(&self.issuers, &code, sent).await?,
        };
        let next = ceremony.next.clone();
        let session = self.settle((name, aim), arrived, caller, label, now).await?;
        Ok(Ended { session, next })
    }

    async fn settle(
        &self,
        (name, aim): (&str, Aim),
        arrived: Arrived,
        caller: Option<&Caller>,
        label: Label,
        now: Timestamp,
    ) -> Result<Option<Secret>, SignInError> {
        let id = arrived.identity.id.clone();
        if let (Aim::Link, Some(caller)) = (&aim, caller) {
            self.link(caller, &id).await?;
            self.keep_arrived(name, arrived, now).await?;
            return Ok(None);
        }
        if let (Aim::Vouch(passkey), Some(caller)) = (&aim, caller) {
            if caller.principal().id != id {
                return Err(SignInError::OtherPerson);
            }
            let word = arrived.word.as_ref().ok_or(SignInError::NoCeremony)?;
            self.vouch_for_passkey(caller, &passkey.to_string(), &word.unverified()).await?;
            self.keep_arrived(name, arrived, now).await?;
            return Ok(None);
        }
        if aim == Aim::Again && caller.is_none_or(|caller| caller.principal().id != id) {
            return Err(SignInError::OtherPerson);
        }
        let identity = arrived.identity.clone();
        let groups = self.keep_arrived(name, arrived, now).await?;
        let login = Login {
            provider: name.to_owned(),
            at: identity.at,
            acr: identity.acr,
            amr: identity.amr,
            sid: identity.sid,
        };
        let administers = self.sign_in.is_administrator(&id, &groups);
        let (groups, acts_for) = Default::default();
        let kind = PrincipalKind::Person;
        let claims = serde_json::Map::new();
        let principal = Principal { id: id.clone(), kind, groups, acts_for, claims };
        let secret = self.secret()?;
        let session = self.open_session(secret, (principal, administers), login, label).await?;
        // A session that somebody else may know is not gone on with.
        if let Some(caller) = caller {
            self.end_session(caller.access().id, &id).await?;
        }
        Ok(Some(session))
    }

    /// Keeps what a provider said of somebody, and gives their groups.
    async fn keep_arrived(
        &self,
        name: &str,
        arrived: Arrived,
        now: Timestamp,
    ) -> Result<BTreeSet<String>, AppError> {
        let id = arrived.identity.id;
        // Whoever asks about them just now, by what they were asked with before, has done so first.
        let asking = self.people.asking(&id);
        let _turn = match &asking {
            Some(asking) => Some(asking.lock().await),
            None => None,
        };
        let refresh = match &arrived.refresh {
            Some(refresh) => Some(self.sealed_for(&id, refresh)?),
            None => None,
        };
        let before = self.people.account(&id).map(|account| account.groups);
        let entry = (before.as_ref() != Some(&arrived.groups)).then(|| {
            let entry = json!({
                "v": 1, "type": "groups_changed", "at": now.to_string(), "by": id.to_json(),
                "groups": arrived.groups, "before": before.unwrap_or_default(),
            });
            (entry, now)
        });
        let account = Account {
            id,
            provider: name.to_owned(),
            name: arrived.name,
            email: arrived.email,
            groups: arrived.groups.clone(),
            confirmed_at: now,
            signed_in_at: now,
            refresh,
        };
        self.ledger.keep_account(account.clone(), entry).await?;
        self.people.note(account, Some(now));
        Ok(arrived.groups)
    }

    /// Ends the sessions that a provider says are over (OpenID Connect Back-Channel Logout 1.0). Of a
    /// token that comes twice, the second ends nothing more.
    ///
    /// # Errors
    /// Why the token is not believed.
    pub async fn log_out_by(&self, name: &str, token: &str) -> Result<(), LogoutFault> {
        let provider = self.provider(name).map_err(|_| LogoutFault::NoProvider)?;
        let Kind::Oidc(oidc) = &provider.kind else { return Err(LogoutFault::NoProvider) };
        let now = self.clock.now();
        let (logout, event) = oidc.logout(&self.issuers, token, now).await?;
        // Of one session of the provider's, what began by it; of a person, every session of theirs and
        // what they let in by one.
        let is_of = |access: &Access| {
            let is_theirs = logout.who.as_ref().is_none_or(|who| *who == access.principal.id);
            let began_by = |sid: &String| {
                // Whoever proved again by a passkey who they are stays in that session of the provider's.
                let is_passkey = |login: &Login| {
                    login.provider == PASSKEY && access.principal.id.iss() == provider.issuer()
                };
                let login = access.login.as_ref();
                let login = login.filter(|login| login.provider == name || is_passkey(login));
                login.is_some_and(|login| login.sid.as_ref() == Some(sid))
            };
            let is_browser = access.purpose == Purpose::Session || access.device.is_some();
            is_theirs && logout.sid.as_ref().map_or(is_browser, began_by)
        };
        // What somebody lets in meanwhile is seen here, or finds its session ended.
        let _turn = self.while_nobody_decides().await;
        let found = match (&logout.sid, &logout.who) {
            (Some(sid), _) => self.ledger.accesses_by_sid(sid).await,
            (None, Some(who)) => self.ledger.accesses_of(who).await,
            (None, None) => Ok(Vec::new()),
        };
        let mut ended = found.map_err(AppError::from)?;
        ended.retain(is_of);
        if logout.sid.is_some() {
            ended.extend(self.let_in_by(&ended).await?);
        }
        let by = ended.first().map(|access| access.principal.id.clone()).or(logout.who);
        let Some(by) = by else { return Ok(()) };
        // They end before the token counts as heard: if this is cut short, it is heard again.
        self.end_all(&ended, &by).await?;
        let entry = json!({
            "v": 1, "type": "logged_out", "at": now.to_string(), "by": by.to_json(),
            "provider": name, "sessions": ended.len(),
        });
        let token = Some(Spent { mark: event.mark(), until: event.believed_until() });
        let (signal, asked) = (None, None);
        let hearing = Hearing { signal, asked, token, at: now, entry };
        self.ledger.hear(hearing).await.map_err(AppError::from)?;
        Ok(())
    }

    /// What was let in by one of these sessions.
    async fn let_in_by(&self, sessions: &[Access]) -> Result<Vec<Access>, AppError> {
        let people: BTreeSet<_> = sessions.iter().map(|session| &session.principal.id).collect();
        let mut all = Vec::new();
        for who in people {
            all.extend(self.ledger.accesses_of(who).await?);
        }
        all.retain(|access| {
            let by = access.device.as_ref().and_then(|device| device.session);
            by.is_some_and(|by| sessions.iter().any(|session| session.id == by))
        });
        Ok(all)
    }

    fn provider(&self, name: &str) -> Result<&Provider, SignInError> {
        let missing = || SignInError::NoProvider(name.chars().take(32).collect());
        self.sign_in.provider(name).ok_or_else(missing)
    }

    /// Where the provider sends browsers back. Each has its own, so that none answers for another
    /// (RFC 9700 section 4.4.2.2).
    fn callback(&self, name: &str) -> String {
        format!("{}/login/{name}/callback", self.base)
    }

    /// What a browser kept, if that is whole, ours and not over.
    fn ceremony(&self, kept: &Secret, now: Timestamp) -> Option<Ceremony> {
        let sealed = URL_SAFE_NO_PAD.decode(kept.expose()).ok()?;
        let opened = self.sealer.open(SEALED_FOR, &sealed).ok()?;
        let ceremony: Ceremony = serde_json::from_slice(&opened).ok()?;
        let over = Timestamp::from_millis(ceremony.begun_at).plus(CEREMONY);
        (now < over).then_some(ceremony)
    }
}

impl Ceremony {
    fn sent<'a>(&'a self, redirect: &'a str) -> Sent<'a> {
        Sent { redirect, state: &self.state, nonce: &self.nonce, verifier: &self.verifier }
    }
}

/// Why a logout token ended nothing.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant says what its text says")]
pub enum LogoutFault {
    #[error("nobody signs in there")]
    NoProvider,
    #[error(transparent)]
    Token(#[from] LogoutProblem),
    #[error(transparent)]
    App(#[from] AppError),
}

fn word(aim: &Aim) -> String {
    match aim {
        Aim::Enter => "enter".to_owned(),
        Aim::Again => "again".to_owned(),
        Aim::Link => "link".to_owned(),
        Aim::Vouch(passkey) => format!("vouch:{passkey}"),
    }
}

fn aim(word: &str) -> Option<Aim> {
    match word.strip_prefix("vouch:") {
        Some(passkey) => passkey.parse().ok().map(Aim::Vouch),
        None => [Aim::Enter, Aim::Again, Aim::Link].into_iter().find(|aim| self::word(aim) == word),
    }
}
