//! `assent serve`

mod announce;
mod log;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assent_core::credential::ring::Schedule;
use assent_core::time::Span;
use assent_server::app::authzen::Authzen;
use assent_server::broker::Brokers;
use assent_server::issuers::Reach;
use assent_server::keys::{Audiences, KeySettings, OpenError};
use assent_server::network::Proxies;
use assent_server::notify::Channels;
use assent_server::policy::{Checkout, Source};
use assent_server::sealing::{SealingSource, SourceError};
use assent_server::settings::SettingsError;
use assent_server::sign_in::SignIn;
use assent_server::{Config, StartError, github};
use tokio_util::sync::CancellationToken;

use crate::args::{IssuerArgs, KeyArgs, ServeArgs};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings::{Environment, secret_variable};
use assent_gate::{Ask, Signals};

/// The longest that a new key waits until it signs.
const LONGEST_LEAD: Span = Span::hours(7 * 24);

/// Runs the server until it is asked to end.
pub(crate) async fn run(
    args: ServeArgs,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    let (documents, source) = (args.policy.clone(), source(&args));
    let ServeArgs { listen, data, public_url, dev, keys, authzen, issuers, printing, .. } = args;
    let data = match data {
        Some(data) => data,
        // The people of `--dev` never get into a ledger that is meant.
        None if dev => environment.data_directory()?.join("dev"),
        None => environment.data_directory()?,
    };
    log::install(environment, output)?;
    let proxies = Proxies::new(args.trusted_proxy, args.country_header);
    let authzen = Authzen {
        environment: authzen.authzen_environment,
        access_request: authzen.authzen_access_request,
    };
    let brokers = brokers(args.brokers.as_deref())?;
    let github = github(args.github.as_deref())?;
    let channels = channels(args.channels.as_deref())?;
    let sign_in = sign_in(args.sign_in.as_deref())?;
    let (policy, reach) = (source, reach(issuers, dev)?);
    let settings = key_settings(&keys)?;
    let sealing = sealing(keys.sealing_key, environment)?;
    let config = Config {
        listen,
        public_url,
        data,
        policy,
        proxies,
        reach,
        dev,
        authzen,
        brokers,
        github,
        channels: Arc::new(channels),
        sign_in,
        plan_retention: args.plan_retention,
        most_pending: args.max_pending,
        sealing,
        earlier_sealing: keys.earlier_sealing_key,
        keys: settings,
    };
    let shutdown = stopped_by_signals()?;
    let mut silent = false;
    let mut announce = |announcement| {
        // A server whose announcements nobody reads goes on serving.
        if !silent {
            silent = announce::print(announcement, printing, output).is_err();
        }
    };
    match assent_server::run(config, shutdown, &mut announce).await {
        Ok(()) => Ok(Exit::Granted),
        Err(error) => {
            if let (StartError::Policy(faults), Some(directory)) = (&error, &documents) {
                super::policy::tell_faults(faults, directory, output);
            }
            Err(Failure::new(exit(&error), "the server cannot run").because(with_causes(&error)))
        }
    }
}

/// What grants can open, by the file that says so.
fn brokers(file: Option<&Path>) -> Result<Brokers, Failure> {
    let Some(file) = file else { return Ok(Brokers::default()) };
    let read = Brokers::read(file, &|name| secret_variable(name));
    read.map_err(|error| Failure::usage("the brokers cannot be used").because(with_causes(&error)))
}

/// The channels, by the file that says which.
fn channels(file: Option<&Path>) -> Result<Channels, Failure> {
    let Some(file) = file else { return Ok(Channels::default()) };
    let read = Channels::read(file);
    read.map_err(|error| Failure::usage("the channels cannot be used").because(with_causes(&error)))
}

/// Where people sign in, by the file that says so.
fn sign_in(file: Option<&Path>) -> Result<SignIn, Failure> {
    let Some(file) = file else { return Ok(SignIn::default()) };
    let read = SignIn::read(file, &|name| secret_variable(name));
    read.map_err(|error| Failure::usage("sign-in cannot be used").because(with_causes(&error)))
}

/// The GitHub App, by the file that says which.
fn github(file: Option<&Path>) -> Result<Option<github::Settings>, Failure> {
    let refused = |error: SettingsError| {
        Failure::usage("the GitHub App cannot be used").because(with_causes(&error))
    };
    file.map(github::Settings::read).transpose().map_err(refused)
}

/// When signing keys follow one another, and for whom they sign. Daily at the most, so that there are
/// never more published than clouds take.
fn key_settings(args: &KeyArgs) -> Result<KeySettings, Failure> {
    let (lead, every) = (args.key_lead, args.rotate_keys_every);
    if lead > LONGEST_LEAD {
        return Err(Failure::usage("--key-lead is at most 7d"));
    }
    if every.is_some_and(|every| every < Span::hours(24) || every <= lead) {
        return Err(Failure::usage("--rotate-keys-every is at least 1d, and more than --key-lead"));
    }
    let audiences = Audiences::default().with(args.sign_for.iter().cloned());
    Ok(KeySettings { schedule: Schedule { lead, every }, audiences })
}

/// The sealing key: what is typed goes before what is set, and that before what systemd hands over.
fn sealing(file: Option<PathBuf>, environment: &Environment) -> Result<SealingSource, Failure> {
    if let Some(file) = file {
        return Ok(SealingSource::File(file));
    }
    if let Some(text) = secret_variable("ASSENT_SEALING_KEY") {
        let refused = |problem| Failure::usage("ASSENT_SEALING_KEY is no key").because(problem);
        return Ok(SealingSource::Given(text.expose().parse().map_err(refused)?));
    }
    let credential = environment.systemd_credential("assent-sealing-key");
    Ok(credential.map_or(SealingSource::Kept, SealingSource::Credential))
}

/// What may be reached for the keys of issuers.
fn reach(issuers: IssuerArgs, dev: bool) -> Result<Reach, Failure> {
    let read = |file: &PathBuf| {
        let told = |error| {
            let message = format!("{} cannot be read", file.display());
            Failure::new(Exit::Usage, message).because(format!("{error}"))
        };
        std::fs::read(file).map_err(told)
    };
    Ok(Reach {
        networks: issuers.issuer_network,
        loopback: dev || issuers.allow_loopback_issuers,
        authorities: issuers.issuer_ca.iter().map(read).collect::<Result<_, _>>()?,
        ..Reach::default()
    })
}

/// Where policy comes from.
fn source(args: &ServeArgs) -> Source {
    match (&args.policy, &args.policy_git, &args.policy_ref) {
        (Some(directory), _, _) => Source::Directory(directory.clone()),
        (None, Some(repository), Some(reference)) => Source::Git(Checkout {
            repository: repository.clone(),
            reference: reference.clone(),
            inside: args.policy_path.clone(),
        }),
        (None, _, _) => Source::Nowhere,
    }
}

/// A token that SIGINT and SIGTERM cancel. A hangup is no reason to end a server.
fn stopped_by_signals() -> Result<CancellationToken, Failure> {
    let mut signals = Signals::catch()?;
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        while matches!(signals.next().await, Ask::Hangup | Ask::User1 | Ask::User2) {}
        stop.cancel();
    });
    Ok(shutdown)
}

/// Whether whoever started it can mend it by what they say.
fn exit(error: &StartError) -> Exit {
    match error {
        StartError::DevNotLoopback(_)
        | StartError::DevPublic(_)
        | StartError::NoPublicUrl(_)
        | StartError::MadeForDev(_)
        | StartError::Meant(_)
        | StartError::PublicUrl(_)
        | StartError::Github(_)
        | StartError::KeptGithub(_)
        | StartError::PolicySource(_)
        | StartError::Policy(_)
        | StartError::Sealing(
            SourceError::File { .. } | SourceError::Text { .. } | SourceError::Lost(_),
        )
        | StartError::Keys(OpenError::Sealed { .. }) => Exit::Usage,
        StartError::Data { .. }
        | StartError::LedgerLost(_)
        | StartError::Ledger(_)
        | StartError::Read(_)
        | StartError::Listen { .. }
        | StartError::KeyFile { .. }
        | StartError::Keys(_)
        | StartError::Sealing(_)
        | StartError::App(_) => Exit::Unknown,
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Some errors repeat their cause in their own text.
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(&format!(": {said}"));
        }
        cause = error.source();
    }
    text
}
