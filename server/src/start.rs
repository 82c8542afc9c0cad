//! Starting: from what was configured to an authority that answers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assent_core::credential::Secret;
use assent_core::credential::fit::misfits;
use assent_core::policy::document::Fault;
use assent_core::time::{Span, Timestamp};
use assent_core::trust::Shape;
use assent_rego::{Launch, Limits, Pool};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::app::authzen::Authzen;
use crate::app::{AppError, Authority, Parts, documents_of};
use crate::broker::{Brokers, Kept};
use crate::clock::Clock;
use crate::engines::Engines;
use crate::github::Github;
use crate::issuers::{Issuers, Reach};
use crate::keys::{self, KeySettings, Keys, Opening};
use crate::ledger::sqlite::OpenError;
use crate::ledger::{Ledger, LedgerError, SqliteLedger};
use crate::network::Proxies;
use crate::notify::Channels;
use crate::policy::{Loaded, Reading, Source, SourceError, moment};
use crate::sealing::{self, Sealer, SealingSource};
use crate::sign_in::SignIn;
use crate::{dev, github, private};

/// How an authority is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The URL under which callers reach it; where it listens, if nothing is said.
    pub public_url: Option<Url>,
    /// The directory of ledger and signing key.
    pub data: PathBuf,
    /// Where policy documents come from. From nowhere, everything is refused that no document of
    /// the API rules on.
    pub policy: Source,
    /// Whose word is taken on where callers call from.
    pub proxies: Proxies,
    /// What may be reached for the keys of foreign issuers.
    pub reach: Reach,
    /// Whether people to try things with are seeded. Loopback only.
    pub dev: bool,
    /// How it is an AuthZEN decision point.
    pub authzen: Authzen,
    /// What its grants can open.
    pub brokers: Brokers,
    /// The GitHub App, where a file says which.
    pub github: Option<github::Settings>,
    /// The ways by which people and other systems are told.
    pub channels: Arc<Channels>,
    /// Where people sign in.
    pub sign_in: SignIn,
    /// Where the key comes from that seals what must not lie readable on disk.
    pub sealing: SealingSource,
    /// How long the bytes of exact plans are kept at most; as long as their requests, if nothing is
    /// said.
    pub plan_retention: Option<Span>,
    /// How many requests of one requester are pending at most.
    pub most_pending: u64,
    /// The files of sealing keys that were used before, and open only.
    pub earlier_sealing: Vec<PathBuf>,
    /// How signing keys are dealt with.
    pub keys: KeySettings,
}

/// What whoever started the server should be told. Nothing here is ever logged.
#[derive(Debug)]
pub enum Announcement {
    /// It answers here.
    Listening {
        /// The base URL.
        url: String,
    },
    /// It rules by this.
    Policy {
        /// How many rules.
        rules: usize,
        /// The revision.
        revision: String,
    },
    /// The first administrator comes in by this, once.
    Bootstrap {
        /// To open in a browser.
        link: String,
        /// For `assent admin init`.
        code: Secret,
    },
    /// A person to try things with signs in by this.
    DevLogin {
        /// Who.
        name: String,
        /// To open in a browser.
        link: String,
    },
    /// A person to try things with calls by this.
    DevToken {
        /// Who.
        name: String,
        /// The access token.
        token: Secret,
    },
}

/// Why an authority did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `--dev` elsewhere than on loopback.
    #[error("--dev listens on loopback only, not on {0}: its people have no passwords")]
    DevNotLoopback(SocketAddr),
    /// `--dev` under a public name.
    #[error("--dev is for this machine only, not for {0}: its people have no passwords")]
    DevPublic(Url),
    /// Strangers could reach it, and it has no https name.
    #[error("listening on {0} needs the https URL under which callers reach it: --public-url")]
    NoPublicUrl(SocketAddr),
    /// A ledger of `--dev`, started without.
    #[error("{} was made with --dev: its people have no passwords; use another --data", .0.display())]
    MadeForDev(PathBuf),
    /// A ledger that is meant, started with `--dev`.
    #[error("{} was not made with --dev; use another --data", .0.display())]
    Meant(PathBuf),
    /// A key, and no ledger.
    #[error(
        "{} has a key but no ledger: restore the ledger, or begin anew in another --data",
        .0.display()
    )]
    LedgerLost(PathBuf),
    /// The public URL is none that credentials can be issued under.
    #[error(
        "`{0}` cannot be the public URL: it must be https (or http to loopback) without query or fragment"
    )]
    PublicUrl(Url),
    /// The data directory.
    #[error("the data directory {} cannot be used", path.display())]
    Data {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] OpenError),
    /// The ledger, once open.
    #[error(transparent)]
    Read(#[from] LedgerError),
    /// Where policy comes from.
    #[error(transparent)]
    PolicySource(#[from] SourceError),
    /// The policy.
    #[error("the policy has {} faults", .0.len())]
    Policy(Vec<Fault>),
    /// The address.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The signing key of before there was a ring.
    #[error("{} cannot be used", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The signing keys.
    #[error("the signing keys cannot be used")]
    Keys(#[source] keys::OpenError),
    /// The sealing key.
    #[error(transparent)]
    Sealing(#[from] sealing::SourceError),
    /// The GitHub App.
    #[error(transparent)]
    Github(#[from] github::Unusable),
    /// The GitHub App that was set up here.
    #[error(transparent)]
    KeptGithub(#[from] github::KeptError),
    /// Seeding or bootstrap.
    #[error(transparent)]
    App(#[from] AppError),
}

/// Starts an authority and answers until `shutdown`.
///
/// # Errors
/// [`StartError`]: nothing was answered then.
pub async fn run(
    config: Config,
    shutdown: CancellationToken,
    announce: &mut (dyn FnMut(Announcement) + Send),
) -> Result<(), StartError> {
    check_reach(&config)?;
    let source = source(&config);
    // Before anything is made: what cannot rule needs no ledger.
    let reading = source.settled(&Reading::default(), moment).await?;
    let unusable = |source| StartError::Data { path: config.data.clone(), source };
    make_private(&config.data).map_err(unusable)?;
    check_purpose(&config)?;
    check_whole(&config)?;
    let ledger = SqliteLedger::open(&config.data.join("ledger.sqlite"))?;
    let refused = |source| StartError::Listen { address: config.listen, source };
    let listener = TcpListener::bind(config.listen).await.map_err(refused)?;
    let base = base(&config, listener.local_addr().map_err(refused)?)?;
    let kept = documents_of(&ledger.documents().await?);
    let rules = Loaded::compile(reading, &kept).map_err(StartError::Policy)?;
    let pool = Pool::new(Launch::this_program(), Limits::default());
    let engines = Arc::new(assent_rego::Engines::new(pool));
    let faults = Engines::faults(&*engines, &rules.policy).await;
    if !faults.is_empty() {
        return Err(StartError::Policy(faults));
    }
    let clock = Clock::system();
    clock.has_been(ledger.head().await?.at);
    let ledger = Arc::new(ledger);
    let is_new = ledger.signing_keys().await?.is_empty();
    let sealer = config.sealing.sealer(&config.data, &config.earlier_sealing, is_new)?;
    let keys = open_keys(&config, Arc::clone(&ledger), &sealer, &base, clock.now()).await?;
    announce(Announcement::Policy {
        rules: rules.policy.rule_count(),
        revision: rules.policy.revision().to_string(),
    });
    let closing = shutdown.clone();
    let (engines, proxies) = (engines, config.proxies.clone());
    let issuers = Issuers::new(config.reach.clone());
    let kept_app = github::Kept::in_directory(&config.data, sealer.clone());
    let app = match &config.github {
        Some(settings) => Some(settings.clone()),
        None => kept_app.load()?,
    };
    let app = app.map(|settings| Github::new(settings, clock.clone()));
    let app = app.transpose()?;
    let parts =
        Parts { ledger, rules, source, engines, proxies, issuers, keys, clock, base, closing };
    let kept = Kept::in_directory(&config.data.join("opened"), sealer.clone());
    let brokers = config.brokers.clone().keeping(kept.map_err(unusable)?);
    let authority = Authority::new(parts).with_authzen(config.authzen.clone()).with_sealer(sealer);
    let authority = authority.with_plan_retention(config.plan_retention).with_github(app);
    let authority = authority.keeping_github(kept_app).with_channels(config.channels);
    let authority = authority.with_sign_in(config.sign_in.clone());
    let authority = authority.with_most_pending(config.most_pending);
    let authority = Arc::new(authority.with_brokers(brokers));
    authority.learn_groups().await?;
    authority.learn_people().await?;
    authority.learn_absences().await?;
    authority.learn_signals().await?;
    authority.reconsider_pending().await?;
    open_doors(&authority, config.dev, announce).await?;
    tracing::info!(url = authority.base(), "listening");
    if config.public_url.is_some() {
        tell_misfits(authority.base(), &config.keys);
    }
    tell_unasked(&authority);
    announce(Announcement::Listening { url: authority.base().to_owned() });
    let (sweeper, watcher) = (Arc::clone(&authority), Arc::clone(&authority));
    let (closer, runner) = (Arc::clone(&authority), Arc::clone(&authority));
    let (tender, guard) = (Arc::clone(&authority), Arc::clone(&authority));
    let (asker, teller) = (Arc::clone(&authority), Arc::clone(&authority));
    let people = Arc::clone(&authority);
    let (served, (), (), (), (), (), (), (), (), ()) = tokio::join!(
        crate::serve(listener, authority),
        sweeper.sweep_until_closing(),
        watcher.watch_policy_until_closing(),
        closer.close_until_closing(),
        runner.run_errands_until_closing(),
        tender.tend_keys_until_closing(),
        asker.look_at_teams_until_closing(),
        people.look_at_people_until_closing(),
        guard.guard_deployments_until_closing(),
        teller.tell_until_closing(),
    );
    tracing::info!("stopped");
    served.map_err(refused)
}

/// Strangers reach it by https only, and the people of `--dev` are for nobody but whoever sits here.
fn check_reach(config: &Config) -> Result<(), StartError> {
    let listens_here = config.listen.ip().is_loopback();
    let is_public = |url: &&Url| !is_loopback(url);
    match config.public_url.as_ref().filter(is_public) {
        Some(url) if config.dev => Err(StartError::DevPublic(url.clone())),
        _ if config.dev && !listens_here => Err(StartError::DevNotLoopback(config.listen)),
        None if config.public_url.is_none() && !listens_here => {
            Err(StartError::NoPublicUrl(config.listen))
        }
        Some(_) | None => Ok(()),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The people of `--dev` never get into a ledger that is meant, nor a meant server into theirs.
fn check_purpose(config: &Config) -> Result<(), StartError> {
    let mark = config.data.join("made-for-dev");
    let unusable = |source| StartError::Data { path: config.data.clone(), source };
    let has_ledger = config.data.join("ledger.sqlite").exists();
    match (config.dev, mark.exists()) {
        (true, true) | (false, false) => Ok(()),
        (true, false) if has_ledger => Err(StartError::Meant(config.data.clone())),
        (true, false) => std::fs::write(&mark, "made with --dev\n").map_err(unusable),
        (false, true) => Err(StartError::MadeForDev(config.data.clone())),
    }
}

/// A key without its ledger is a ledger that was lost; a new one would hide it.
fn check_whole(config: &Config) -> Result<(), StartError> {
    let size = |name: &str| std::fs::metadata(config.data.join(name)).map_or(0, |file| file.len());
    match (size("signing-key.p8") + size("sealing-key"), size("ledger.sqlite")) {
        (1.., 0) => Err(StartError::LedgerLost(config.data.clone())),
        _ => Ok(()),
    }
}

/// The signing keys. The one that lies in a file, from before there was a ring, is taken over, and
/// the file removed once the ledger has it: from then on it lies nowhere readable.
async fn open_keys(
    config: &Config,
    ledger: Arc<SqliteLedger>,
    sealer: &Sealer,
    issuer: &str,
    now: Timestamp,
) -> Result<Keys, StartError> {
    let path = config.data.join("signing-key.p8");
    let unusable = |source| StartError::KeyFile { path: path.clone(), source };
    let before = match private::read(&path) {
        Ok(pkcs8) => Some(pkcs8),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(unusable(error)),
    };
    let is_taken_over = before.is_some();
    let (sealer, issuer, settings) = (sealer.clone(), issuer.to_owned(), config.keys.clone());
    let opening = Opening { ledger, sealer, issuer, settings, before };
    let keys = Keys::open(opening, now).await.map_err(StartError::Keys)?;
    if is_taken_over {
        std::fs::remove_file(&path).map_err(unusable)?;
        private::sync_directory(&path).map_err(unusable)?;
        tracing::info!(file = %path.display(), "the signing key is kept sealed in the ledger now");
    }
    Ok(keys)
}

/// What clouds demand of an issuer that this one is not: nothing stands still for it, but whoever wants
/// credentials to be taken there looks here first.
fn tell_misfits(issuer: &str, keys: &KeySettings) {
    let algorithms: Vec<_> = keys.audiences.needed().into_iter().collect();
    for misfit in misfits(issuer, &algorithms) {
        tracing::info!(issuer, who = misfit.who, "{}", misfit.problem);
    }
}

/// Without an App nobody asks GitHub whose change a job runs. Whoever lets jobs in should know.
fn tell_unasked(authority: &Authority) {
    let policy = authority.policy();
    let lets_in = || policy.trusts().any(|trust| trust.shape() == Some(Shape::GithubActions));
    if authority.github().is_none() && lets_in() {
        tracing::warn!(
            "jobs of GitHub are let in, and this server is no GitHub App: of who is behind a change it \
             knows only who started the job; `assent admin github setup` makes one"
        );
    }
}

/// Where policy comes from; with `--dev` there is always one.
fn source(config: &Config) -> Source {
    let said_nothing = matches!(config.policy, Source::Nowhere);
    match config.dev && said_nothing {
        true => Source::Given(vec![dev::policy()]),
        false => config.policy.clone(),
    }
}

async fn open_doors(
    authority: &Authority,
    is_dev: bool,
    announce: &mut (dyn FnMut(Announcement) + Send),
) -> Result<(), StartError> {
    let base = authority.base();
    if !is_dev {
        if let Some(code) = authority.open_bootstrap().await? {
            let link = format!("{base}/bootstrap/{}", code.expose());
            announce(Announcement::Bootstrap { link, code });
        }
        return Ok(());
    }
    for name in dev::PEOPLE {
        let (token, code) = authority.seed_person(name).await?;
        let link = format!("{base}/login/{}", code.expose());
        announce(Announcement::DevLogin { name: name.to_owned(), link });
        announce(Announcement::DevToken { name: name.to_owned(), token });
    }
    Ok(())
}

fn base(config: &Config, listening: SocketAddr) -> Result<String, StartError> {
    let Some(url) = &config.public_url else { return Ok(format!("http://{listening}")) };
    let fits = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/";
    if !fits || !plain {
        return Err(StartError::PublicUrl(url.clone()));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn make_private(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}
