//! Running the server, as it is typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use assent_core::credential::Algorithm;
use assent_core::policy::cidr::Cidr;
use assent_core::time::Span;
use assent_server::network::HeaderName;
use assent_server::policy::Reference;
use clap::Args;
use url::Url;

use crate::args::Printing;

fn header(text: &str) -> Result<HeaderName, String> {
    text.parse().map_err(|_| format!("`{text}` is not the name of a header"))
}

#[derive(Debug, Args)]
#[command(
    after_help = "Without arguments it keeps everything in the platform's data directory and \
    listens on loopback only. ASSENT_LOG filters the log (`info`, `debug`, `assent_server=trace`); \
    ASSENT_LOG_FORMAT=json writes it as JSON, as it is when stderr is no terminal."
)]
pub(crate) struct ServeArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8420")]
    pub(crate) listen: SocketAddr,
    /// Where ledger and keys are kept
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The directory of policy files; without any, everything is refused
    #[arg(long, value_name = "DIR", conflicts_with = "policy_git")]
    pub(crate) policy: Option<PathBuf>,
    /// A local Git repository to read policy files from, as they are committed
    #[arg(long, value_name = "DIR", requires = "policy_ref")]
    pub(crate) policy_git: Option<PathBuf>,
    /// The reference whose commit is read, spelled whole: refs/heads/main
    #[arg(long, value_name = "REF", requires = "policy_git")]
    pub(crate) policy_ref: Option<Reference>,
    /// The directory in the repository that holds the policy files; without it, all of it
    #[arg(long, value_name = "PATH", requires = "policy_git")]
    pub(crate) policy_path: Option<String>,
    /// A proxy whose word is taken on where callers call from: 10.0.0.0/8; may be given several
    /// times
    #[arg(long, value_name = "CIDR")]
    pub(crate) trusted_proxy: Vec<Cidr>,
    /// The header in which trusted proxies say the caller's country: CF-IPCountry
    #[arg(long, value_name = "NAME", requires = "trusted_proxy", value_parser = header)]
    pub(crate) country_header: Option<HeaderName>,
    /// The file of what grants can open beside tokens, such as logins to databases
    #[arg(long, value_name = "FILE")]
    pub(crate) brokers: Option<PathBuf>,
    /// The file that says which GitHub App this is; without it, what `assent admin github setup` kept
    #[arg(long, value_name = "FILE")]
    pub(crate) github: Option<PathBuf>,
    /// The file of the channels by which people and other systems are told: Slack, Teams, e-mail, webhooks
    #[arg(long, value_name = "FILE")]
    pub(crate) channels: Option<PathBuf>,
    /// The file that says where people sign in: providers of OpenID Connect, and GitHub
    #[arg(long, value_name = "FILE")]
    pub(crate) sign_in: Option<PathBuf>,
    /// How long saved plans are kept at most: 2h; as long as their requests, if it is left out
    #[arg(long, value_name = "TIME")]
    pub(crate) plan_retention: Option<Span>,
    /// How many requests of one requester may wait for people at once
    #[arg(long, value_name = "NUMBER", default_value_t = assent_server::app::MOST_PENDING,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_pending: u64,
    /// The URL under which others reach this server
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<Url>,
    /// Try it out: three people with printed login links and tokens; loopback only
    #[arg(long)]
    pub(crate) dev: bool,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    #[command(flatten)]
    pub(crate) authzen: AuthzenArgs,
    #[command(flatten)]
    pub(crate) issuers: IssuerArgs,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

fn signed_for(text: &str) -> Result<(String, Algorithm), String> {
    let (audience, algorithm) = text.rsplit_once('=').ok_or("expected AUDIENCE=ALGORITHM")?;
    if audience.is_empty() {
        return Err("expected AUDIENCE=ALGORITHM".to_owned());
    }
    let algorithm = algorithm.parse().map_err(|error| format!("{error}"))?;
    Ok((audience.to_owned(), algorithm))
}

/// Which keys sign, since when, and what keeps them secret on disk
#[derive(Debug, Args)]
#[command(next_help_heading = "Keys")]
pub(crate) struct KeyArgs {
    /// The file of the sealing key: 32 bytes, base64, that encrypt what must not lie readable on
    /// disk; else ASSENT_SEALING_KEY, systemd's credential assent-sealing-key, or a file that is
    /// made in the data directory
    #[arg(long, value_name = "FILE")]
    pub(crate) sealing_key: Option<PathBuf>,
    /// The file of a sealing key that was used before; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) earlier_sealing_key: Vec<PathBuf>,
    /// Sign credentials for this audience with RS256 or EdDSA instead of ES256:
    /// api://AzureADTokenExchange=RS256, which needs no saying; may be given several times
    #[arg(long, value_name = "AUDIENCE=ALGORITHM", value_parser = signed_for)]
    pub(crate) sign_for: Vec<(String, Algorithm)>,
    /// How long a new signing key is published before it signs
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(crate) key_lead: Span,
    /// Make another signing key this often: 90d, at least 1d
    #[arg(long, value_name = "TIME")]
    pub(crate) rotate_keys_every: Option<Span>,
}

/// What may be reached for the keys of the issuers that trusts name
#[derive(Debug, Args)]
#[command(next_help_heading = "Issuers")]
pub(crate) struct IssuerArgs {
    /// A network of one's own in which issuers may be: 10.0.0.0/8; may be given several times
    #[arg(long, value_name = "CIDR")]
    pub(crate) issuer_network: Vec<Cidr>,
    /// Certificates (PEM) to believe issuers by, beside the system's; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) issuer_ca: Vec<PathBuf>,
    /// Let issuers be on this machine, and without TLS; --dev does, too
    #[arg(long)]
    pub(crate) allow_loopback_issuers: bool,
}

/// How the server is an AuthZEN decision point
#[derive(Debug, Args)]
#[command(next_help_heading = "AuthZEN")]
pub(crate) struct AuthzenArgs {
    /// The environment of AuthZEN resources that name none; without it, those are denied
    #[arg(long, value_name = "NAME")]
    pub(crate) authzen_environment: Option<String>,
    /// Let AuthZEN denials say how to ask (Access Request and Approval Profile, draft 1)
    #[arg(long)]
    pub(crate) authzen_access_request: bool,
}
