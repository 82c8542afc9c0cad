//! Evidence, as it is asked for on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::Printing;

#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Show the evidence of a request: who decided, and what their passkeys signed
    Show(EvidenceShowArgs),
    /// Check evidence offline, with nothing but the authority's public keys
    Verify(EvidenceVerifyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct EvidenceShowArgs {
    /// The request's id, or a file of evidence
    #[arg(value_name = "ID|FILE")]
    pub(crate) what: String,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
#[command(after_help = "The keys are those that the authority publishes under \
    /.well-known/jwks.json: keep them from before, or from elsewhere.")]
pub(crate) struct EvidenceVerifyArgs {
    /// The evidence, as `assent evidence show ID --output json` prints it
    pub(crate) file: PathBuf,
    /// The authority's public keys: a JWK set
    #[arg(long, value_name = "KEYS")]
    pub(crate) trust: PathBuf,
    #[command(flatten)]
    pub(crate) printing: Printing,
}
