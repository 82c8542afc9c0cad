//! Plans, as they are named on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::Printing;

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// Print what a plan does, riskiest first
    ///
    /// Reads what `terraform show -json` prints. A saved plan file is shown by Terraform first: by
    /// the program that TERRAFORM names, else `terraform`, in the current directory.
    Show(PlanShowArgs),
    /// Print the SHA-256 of a plan, which an intent names
    Digest(PlanDigestArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PlanShowArgs {
    /// The plan as JSON, or a saved plan file; `-` reads JSON from stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct PlanDigestArgs {
    /// The plan as JSON, or a saved plan file; `-` reads stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) printing: Printing,
}
