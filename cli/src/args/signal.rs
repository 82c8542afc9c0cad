//! Signals, as they are typed.

use assent_core::signal::Concern;
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{ArgGroup, Args, Subcommand};

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
    #[arg(value_name = "STATE", value_parser = PossibleValuesParser::new(states()))]
    pub(crate) state: String,
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

fn states() -> Vec<PossibleValue> {
    let value = |(word, concern)| PossibleValue::new(word).help(meaning(concern));
    Concern::ALL.into_iter().map(value).collect()
}

fn meaning(concern: Concern) -> &'static str {
    match concern {
        Concern::Suspended => "They must not act, and what they approved does not count",
        Concern::Risky => "They may not be who they say they are",
        Concern::Flagged => "A workload behaves as it should not",
        Concern::Incident => "Something is wrong in an environment",
    }
}
