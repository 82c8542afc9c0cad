//! The audit log, as it is asked for on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::Printing;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Recompute the whole log and hold it against the server's checkpoint
    Verify(VerifyArgs),
    /// Write the log as JSON lines: the checkpoint first, then every entry
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Verify this export instead; no server is asked
    #[arg(long, value_name = "EXPORT")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Write to this file, which must not exist yet, instead of stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
