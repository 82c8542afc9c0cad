//! A digest of JSON, as it is named on the command line.

use std::path::PathBuf;

use clap::Args;

use crate::args::Printing;

#[derive(Debug, Args)]
pub(crate) struct DigestArgs {
    /// The JSON; `-` reads stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) printing: Printing,
}
