//! Policy files, as they are named on the command line.

use std::path::PathBuf;

use assent_core::policy::glob::Glob;
use clap::{Args, Subcommand, ValueEnum};

use crate::args::Printing;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Read policy files and print every fault with its place
    Check(CheckArgs),
    /// Print what policy says of an intent, and what became of each rule
    Explain(ExplainArgs),
    /// Run the test cases of policy files
    Test(TestArgs),
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

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The directory of .yaml files
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// Only cases with such a name; `*` stands for any text without `/`, `**` for any text
    #[arg(long, value_name = "GLOB")]
    pub(crate) case: Option<Glob>,
    /// How to print the results
    #[arg(long, short, value_enum, default_value_t = TestFormat::Table)]
    pub(crate) output: TestFormat,
    /// Print which rules and conditions the cases have seen
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Fail if the cases cover less than this
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) fail_under: Option<u8>,
    /// Run them again whenever a file changes, until interrupted
    #[arg(long)]
    pub(crate) watch: bool,
}

/// How results of test cases are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    /// For people
    Table,
    /// For programs
    Json,
    /// For build servers
    Junit,
}
