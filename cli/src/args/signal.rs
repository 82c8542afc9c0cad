//! Signals, as they are typed.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use crate::args::Printing;

#[derive(Debug, Subcommand)]
pub(crate) enum SignalCommand {
    /// List what holds of persons, workloads and environments
    List(Printing),
    /// Tell what is the matter; it rules from then on, and ends what policy wants ended
    Tell(TellArgs),
    /// Take back what was told
    Clear(ClearArgs),
}

/// What can be the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateArg {
    /// They must not act, and what they approved does not count
    Suspended,
    /// They may not be who they say they are
    Risky,
    /// A workload behaves as it should not
    Flagged,
    /// Something is wrong in an environment
    Incident,
}

impl StateArg {
    /// The word that is sent.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::Risky => "risky",
            Self::Flagged => "flagged",
            Self::Incident => "incident",
        }
    }
}

/// What a signal is about: one of these.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("about").required(true).args(["person", "workload", "environment"]))]
pub(crate) struct AboutArgs {
    /// A person: NAME, or ISSUER#SUBJECT
    #[arg(long, value_name = "WHO")]
    pub(crate) person: Option<String>,
    /// A workload: NAME, or ISSUER#SUBJECT
    #[arg(long, value_name = "WHO")]
    pub(crate) workload: Option<String>,
    /// An environment
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TellArgs {
    /// What is the matter
    #[arg(value_enum)]
    pub(crate) state: StateArg,
    #[command(flatten)]
    pub(crate) about: AboutArgs,
    /// Why
    #[arg(long, short)]
    pub(crate) reason: String,
    /// Until when it holds: 4h, or a time, RFC 3339; without it, until it is cleared
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct ClearArgs {
    #[command(flatten)]
    pub(crate) about: AboutArgs,
    /// Why
    #[arg(long, short)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) printing: Printing,
}
