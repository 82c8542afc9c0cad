//! The use cases: what a caller can have done. No HTTP here, and no SQL.

mod abroad;
mod absence;
mod access;
mod afterwards;
pub mod authzen;
mod behind;
mod cached;
mod closing;
mod credentials;
mod deliveries;
mod deployments;
mod devices;
mod doctor;
mod error;
mod evidence;
mod exact;
mod exchange;
mod feed;
mod github;
mod heartbeats;
mod history;
mod inbox;
mod insights;
mod keys;
mod live;
mod notices;
mod passkeys;
mod pauses;
mod people;
mod places;
mod plans;
mod policies;
mod possession;
mod readers;
mod reading;
mod refusals;
mod requests;
mod sessions;
mod sign_in;
mod signals;
mod situation;
mod sweep;
mod teams;
mod trusts;
mod waiters;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use assent_core::access::{Access, Purpose};
use assent_core::credential::Secret;
use assent_core::credential::dpop::Proofs;
use assent_core::digest::Digest;
use assent_core::id::{AccessId, SignalId};
use assent_core::policy::situation::Network;
use assent_core::principal::{Principal, PrincipalId, PrincipalKind};
use assent_core::statement;
use assent_core::time::{Span, Timestamp};
use tokio_util::sync::CancellationToken;

pub use absence::somebody;
pub use afterwards::LaterReview;
pub use behind::BehindError;
pub use devices::{Asking, CodeError, DeviceError};
pub use error::{AppError, BeginError};
pub use exact::GivenPlan;
pub(crate) use exact::{BodyLost, LARGEST as LARGEST_PLAN, pieces};
pub use exchange::ExchangeError;
pub use feed::{Detail, STREAMS_OF_ONE, Told};
pub use github::AppSetupError;
pub use history::{Found, words};
pub use inbox::{Inbox, Waiting};
pub use insights::{Busy, Day, Insights, Took, begin_of};
pub use live::Matching;
pub use notices::Replay;
pub use passkeys::{Ceremony, Finished, ToSign};
pub(crate) use places::Place;
pub use policies::{ApprovalError, Trouble};
pub(crate) use policies::{Entry, documents_of};
pub(crate) use possession::code as proof_code;
pub use reading::Reading;
pub use requests::{Filed, Listing, MOST_PENDING};
pub use sessions::{Own, PASSKEY as BY_PASSKEY};
pub use sign_in::{Aim, Answer, Begun, Ended, LogoutFault, SignInError};
pub use signals::PushError;

use crate::app::authzen::Authzen;
use crate::broker::Brokers;
use crate::chance::{Chance, NoChance};
use crate::clock::Clock;
use crate::engines::Engines;
use crate::github::Github;
use crate::issuers::Issuers;
use crate::keys::Keys;
use crate::ledger::Ledger;
use crate::network::Proxies;
use crate::notify::Channels;
use crate::policy::{Loaded, Source};
use crate::rates::{Buckets, Lines, Rates, Stranger};
use crate::sealing::Sealer;
use crate::sign_in::SignIn;
use crate::turns::Turns;
use cached::Cached;
use policies::Rules;
use waiters::Waiters;

/// How often a step is decided anew because its request has moved on meanwhile.
const TRIES: usize = 5;

/// What an authority is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where requests are kept.
    pub ledger: Arc<dyn Ledger>,
    /// What rules, to begin with.
    pub rules: Loaded,
    /// Where it comes from, to be read again.
    pub source: Source,
    /// Who is asked where a rule asks an engine.
    pub engines: Arc<dyn Engines>,
    /// Whose word is taken on where callers call from.
    pub proxies: Proxies,
    /// Whence the keys of foreign issuers come.
    pub issuers: Issuers,
    /// What signs.
    pub keys: Keys,
    /// What time it is.
    pub clock: Clock,
    /// The base URL under which callers reach it, without a slash at the end. The issuer.
    pub base: String,
    /// Ends when the server is to stop.
    pub closing: CancellationToken,
}

/// The authority. Everything it knows beyond the ledger can be lost.
#[derive(Debug)]
pub struct Authority {
    ledger: Arc<dyn Ledger>,
    rules: RwLock<Rules>,
    source: Source,
    /// Held while what rules is being replaced: one at a time.
    replacing: tokio::sync::Mutex<()>,
    /// Held while changes of policy are tried.
    checking: tokio::sync::Mutex<()>,
    /// Held while a plan is read.
    reading_plan: tokio::sync::Mutex<()>,
    engines: Arc<dyn Engines>,
    proxies: Proxies,
    issuers: Issuers,
    signals: Cached<serde_json::Map<String, serde_json::Value>>,
    heard: signals::Heard,
    later_reviews: Cached<Vec<LaterReview>>,
    vouched: Mutex<access::Vouched>,
    keys: Keys,
    clock: Clock,
    chance: Chance,
    base: String,
    closing: CancellationToken,
    waiters: Waiters,
    away: absence::Away,
    doors: access::Doors,
    devices: devices::Devices,
    /// What strangers present at the token endpoint: of each, by the issuer they name if it is known.
    tokens: Buckets<(Stranger, Option<String>)>,
    /// The same of security event tokens.
    events: Buckets<(Stranger, Option<String>)>,
    /// What is logged of those.
    event_lines: Lines,
    authzen: Authzen,
    brokers: Brokers,
    /// The GitHub App, once there is one: setup makes it while the server runs.
    github: RwLock<Option<Github>>,
    deployments: deployments::Deployments,
    setups: github::Setups,
    sealer: Sealer,
    plan_retention: Option<Span>,
    /// How many requests of one requester are pending at most.
    most_pending: u64,
    /// A place for each plan that is being taken in, and of each requester one at a time.
    taking_plans: tokio::sync::Semaphore,
    sending_plans: Turns<PrincipalId>,
    closings: closing::Closings,
    proofs: Result<Proofs, NoChance>,
    statements: Result<statement::Nonces, NoChance>,
    /// Held while evidence is gathered: few at a time walk the whole log.
    gathering: tokio::sync::Semaphore,
    errands: abroad::Errands,
    hearing: heartbeats::Hearing,
    teams: teams::Teams,
    findings: behind::Findings,
    open: inbox::OpenRequests,
    readings: reading::Readings,
    feeds: places::Places,
    /// A place for each file that somebody takes in, and for each evidence that is gathered for them.
    files: places::Places,
    gathered_for: places::Places,
    channels: Arc<Channels>,
    telling: notices::Telling,
    sign_in: SignIn,
    people: people::People,
    /// How many sign-ins begin, of each.
    sign_ins: Buckets<Stranger>,
    /// How many by passkey begin and end, of each.
    passkey_sign_ins: Buckets<Stranger>,
}

/// Who calls, as their access token proved.
#[derive(Clone, Debug)]
pub struct Caller {
    access: Access,
    network: Network,
}

impl Caller {
    /// Who.
    pub fn principal(&self) -> &Principal {
        &self.access.principal
    }

    /// The same, calling from there.
    #[must_use]
    pub fn from_network(self, network: Network) -> Self {
        Self { network, ..self }
    }

    /// Where they call from.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// When they proved who they are, as far as that is known: their provider says so. A token that was
    /// typed into a browser proves nothing about the moment; the links of `--dev` are for people who
    /// have nothing else.
    pub fn signed_in_at(&self) -> Option<Timestamp> {
        let Access { purpose, login, parent, created_at, .. } = &self.access;
        match (purpose, login) {
            (Purpose::Session, Some(login)) => login.at,
            (Purpose::Session, None) if parent.is_none() => Some(*created_at),
            (Purpose::Session, None) | (Purpose::Token, _) => None,
        }
    }

    /// Whether they proved who they are less than so long ago.
    pub(crate) fn signed_in_within(&self, span: Span, now: Timestamp) -> bool {
        self.signed_in_at().is_some_and(|at| at.is_within(span, now))
    }

    /// The record of what was presented.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Whether they may administer.
    pub fn is_administrator(&self) -> bool {
        self.access.administrator
    }

    /// Whether they may read what is not their own: people may, and administrators.
    pub(crate) fn is_reader(&self) -> bool {
        self.is_administrator() || self.principal().kind == PrincipalKind::Person
    }

    fn check_administrator(&self) -> Result<(), AppError> {
        if self.is_administrator() { Ok(()) } else { Err(AppError::NotAdministrator) }
    }

    fn check_reader(&self) -> Result<(), AppError> {
        if self.is_reader() { Ok(()) } else { Err(AppError::NotForWorkloads) }
    }
}

/// One wish of a caller, that must have its effect once however often it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    key: Digest,
    asked: Digest,
}

impl Wish {
    /// The wish of this caller on this route, by its idempotency key.
    pub fn new(caller: &Caller, route: &str, key: &str, body: &[u8]) -> Self {
        let who = &caller.principal().id;
        let parts: [&[u8]; 7] = [
            who.iss().as_bytes(),
            b"\0",
            who.sub().as_bytes(),
            b"\0",
            route.as_bytes(),
            b"\0",
            key.as_bytes(),
        ];
        Self { key: Digest::of_parts(&parts), asked: Digest::of(body) }
    }

    /// The wish of a form, which has no key: the same form sent twice from one session is one, since a
    /// person presses a button again when nothing happens.
    pub(crate) fn of_form(caller: &Caller, route: &str, body: &str) -> Self {
        let key = Digest::of(format!("{}\n{body}", caller.access.id).as_bytes()).hex();
        Self::new(caller, route, &key, body.as_bytes())
    }
}

impl Wish {
    /// An id that this wish and no other gives.
    fn access_id(&self) -> AccessId {
        AccessId::from_bytes(self.key.head())
    }

    /// The same, of a signal.
    fn signal_id(&self) -> SignalId {
        SignalId::from_bytes(self.key.head())
    }
}

impl Authority {
    /// Puts an authority together.
    pub fn new(parts: Parts) -> Self {
        let Parts { ledger, rules, source, engines, proxies, issuers, .. } = parts;
        let Parts { keys, clock, base, closing, .. } = parts;
        Self {
            ledger,
            rules: RwLock::new(Rules::new(rules, clock.now())),
            source,
            replacing: tokio::sync::Mutex::default(),
            checking: tokio::sync::Mutex::default(),
            reading_plan: tokio::sync::Mutex::default(),
            engines,
            proxies,
            issuers,
            signals: Cached::default(),
            heard: signals::Heard::default(),
            later_reviews: Cached::default(),
            vouched: Mutex::default(),
            keys,
            clock,
            chance: Chance::default(),
            base,
            closing,
            waiters: Waiters::default(),
            away: absence::Away::default(),
            doors: access::Doors::default(),
            devices: devices::Devices::new(Rates::default()),
            tokens: Buckets::new(Rates::default().tokens),
            events: Buckets::new(Rates::default().events),
            event_lines: Lines::new(Rates::default()),
            authzen: Authzen::default(),
            brokers: Brokers::default(),
            github: RwLock::default(),
            deployments: deployments::Deployments::default(),
            setups: github::Setups::default(),
            sealer: Sealer::default(),
            plan_retention: None,
            most_pending: MOST_PENDING,
            taking_plans: tokio::sync::Semaphore::new(exact::AT_ONCE),
            sending_plans: Turns::default(),
            closings: closing::Closings::default(),
            proofs: possession::proofs(&Chance::default()),
            statements: Chance::default().key().map(|key| statement::Nonces::new(&key)),
            gathering: tokio::sync::Semaphore::new(evidence::AT_ONCE),
            errands: abroad::Errands::default(),
            hearing: heartbeats::Hearing::default(),
            teams: teams::Teams::default(),
            findings: behind::Findings::default(),
            open: inbox::OpenRequests::default(),
            readings: reading::Readings::default(),
            feeds: places::Places::new(STREAMS_OF_ONE, feed::STREAMS),
            files: places::Places::new(history::FILES_OF_ONE, history::FILES),
            gathered_for: places::Places::new(1, evidence::WAITING),
            channels: Arc::default(),
            telling: notices::Telling::default(),
            sign_in: SignIn::default(),
            people: people::People::default(),
            sign_ins: Buckets::new(Rates::default().sign_ins),
            passkey_sign_ins: Buckets::new(Rates::default().passkeys),
        }
    }

    /// The same, with these brokers.
    #[must_use]
    pub fn with_brokers(self, brokers: Brokers) -> Self {
        Self { brokers, ..self }
    }

    /// The same, with this GitHub App.
    #[must_use]
    pub fn with_github(self, github: Option<Github>) -> Self {
        Self { github: RwLock::new(github), ..self }
    }

    /// The same, where people sign in there.
    #[must_use]
    pub fn with_sign_in(self, sign_in: SignIn) -> Self {
        Self { sign_in, ..self }
    }

    /// The GitHub App, if there is one.
    pub fn github(&self) -> Option<Github> {
        self.github.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same, sealing with this. Without it, what is sealed opens until the authority ends.
    #[must_use]
    pub fn with_sealer(self, sealer: Sealer) -> Self {
        Self { sealer, ..self }
    }

    /// What encrypts whatever must not lie readable on disk.
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// The same, where strangers may do so much.
    #[must_use]
    pub fn with_rates(self, rates: Rates) -> Self {
        Self {
            devices: devices::Devices::new(rates),
            tokens: Buckets::new(rates.tokens),
            events: Buckets::new(rates.events),
            event_lines: Lines::new(rates),
            sign_ins: Buckets::new(rates.sign_ins),
            passkey_sign_ins: Buckets::new(rates.passkeys),
            ..self
        }
    }

    /// The base URL, without a slash at the end. Also the issuer of credentials.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Ends when the server is to stop.
    pub fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// The authority's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whose word is taken on where callers call from.
    pub(crate) fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    /// The ledger, to read.
    pub fn ledger(&self) -> &dyn Ledger {
        &*self.ledger
    }

    /// A fresh secret of 256 bits.
    ///
    /// # Errors
    /// [`AppError::NoChance`].
    pub fn secret(&self) -> Result<Secret, AppError> {
        Ok(self.chance.secret()?)
    }
}
