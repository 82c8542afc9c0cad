//! Policy files, as they are named on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::Printing;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Read policy files and print every fault with its place
    Check(CheckArgs),
    /// Print what policy says of an intent, and what became of each rule
    Explain(ExplainArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The directory of .yaml files
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The directory of .yaml files
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// The intent as JSON; `-` reads it from stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) intent: PathBuf,
    /// Who asks, by their name to the server
    #[arg(long = "as", value_name = "NAME", default_value = "nobody")]
    pub(crate) requester: String,
    /// A person asks; this is the default
    #[arg(long, conflicts_with = "workload")]
    pub(crate) person: bool,
    /// A program asks
    #[arg(long)]
    pub(crate) workload: bool,
    #[command(flatten)]
    pub(crate) printing: Printing,
}
