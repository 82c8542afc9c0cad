//! Administration, as it is typed.

use std::path::PathBuf;

use assent_client::Secret;
use assent_core::credential::Algorithm;
use assent_core::id::{AccessId, NoticeId};
use assent_core::time::Span;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use crate::args::{Printing, secret};

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Make the first administrator, with the code that the server's first start printed
    Init(InitArgs),
    /// Make, list and revoke access tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Rotate, list and revoke the keys that credentials are signed with
    #[command(subcommand)]
    Key(KeyCommand),
    /// Make the GitHub App that gates deployments, and see what weakens its gates
    #[command(subcommand)]
    Github(GithubCommand),
    /// See what became of notices, and have those tried again that were given up
    #[command(subcommand)]
    Notices(NoticesCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum GithubCommand {
    /// Say where the App is made in a browser, and what comes after
    Setup(GithubSetupArgs),
    /// Say what weakens the gates of a repository: 0 nothing, 1 something, 3 it could not be found out
    Doctor(GithubDoctorArgs),
}

#[derive(Debug, Args)]
pub(crate) struct GithubDoctorArgs {
    /// The repository at GitHub
    #[arg(value_name = "OWNER/REPO")]
    pub(crate) repository: String,
    /// This environment alone; without it, all
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(crate) environment: Option<String>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct GithubSetupArgs {
    /// The organization that the App will belong to; without it, your own account
    #[arg(long, value_name = "ORGANIZATION")]
    pub(crate) organization: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The administrator's name to the server
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The one-time code; without it, a line on stdin
    #[arg(long, value_name = "CODE", value_parser = secret)]
    pub(crate) code: Option<Secret>,
    /// Save the new token as the login instead of printing it
    #[arg(long, conflicts_with = "output")]
    pub(crate) save: bool,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make an access token and print it, once
    Create(TokenCreateArgs),
    /// List access tokens, newest first
    List(Printing),
    /// Take an access token back
    Revoke(TokenIdArgs),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("kind").required(true).args(["person", "workload"]))]
pub(crate) struct TokenCreateArgs {
    /// The holder's name to the server
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The holder is a person
    #[arg(long)]
    pub(crate) person: bool,
    /// The holder is a program
    #[arg(long)]
    pub(crate) workload: bool,
    /// A person the program acts for, who then never counts; may be given several times
    #[arg(long, value_name = "NAME", conflicts_with = "person")]
    pub(crate) acts_for: Vec<String>,
    /// A group that the identity provider is taken to vouch for; may be given several times
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Vec<String>,
    /// The holder may administer the server
    #[arg(long)]
    pub(crate) administrator: bool,
    /// How long it lives: 90d, at most 365d
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_after: Option<Span>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List signing keys, oldest first, and what clouds miss in the issuer
    List(Printing),
    /// Make another key, which takes over from the one that signs
    Rotate(KeyRotateArgs),
    /// Bring a key, which takes over from the one of its algorithm
    Import(KeyImportArgs),
    /// Take a key out of use that nobody needs; what it signed stays good until it is over
    Retire(KeyIdArgs),
    /// Take a key out at once, in an emergency: nothing that it signed is good any more
    Revoke(KeyRevokeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct KeyRotateArgs {
    /// For what: ES256, RS256 or EdDSA
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) algorithm: Option<Algorithm>,
    /// Let it sign at once, before verifiers can know it
    #[arg(long)]
    pub(crate) now: bool,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct KeyImportArgs {
    /// The private key as PKCS #8 in PEM; `-` is stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Let it sign at once, before verifiers can know it
    #[arg(long)]
    pub(crate) now: bool,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct KeyIdArgs {
    /// The key's id
    // It is base64url, and may begin with a hyphen.
    #[arg(allow_hyphen_values = true)]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct KeyRevokeArgs {
    /// The key's id
    // It is base64url, and may begin with a hyphen.
    #[arg(allow_hyphen_values = true)]
    pub(crate) id: String,
    /// Why; it goes on record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NoticesCommand {
    /// List notices, newest first, and what stands in the way of telling
    List(NoticesListArgs),
    /// Have notices tried again that were given up
    Replay(NoticesReplayArgs),
}

/// How a notice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lowercase")]
pub(crate) enum NoticeState {
    /// To be told
    Waiting,
    /// Told
    Sent,
    /// Given up
    Dead,
    /// Nobody needed to know any more
    Moot,
}

impl NoticeState {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::Moot => "moot",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct NoticesListArgs {
    /// Only those in this state
    #[arg(long, value_enum)]
    pub(crate) state: Option<NoticeState>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct NoticesReplayArgs {
    /// The notice's id
    #[arg(required_unless_present = "all")]
    pub(crate) id: Option<NoticeId>,
    /// All that were given up
    #[arg(long, conflicts_with = "id")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct TokenIdArgs {
    /// The token's id, never the token
    pub(crate) id: AccessId,
    #[command(flatten)]
    pub(crate) printing: Printing,
}
