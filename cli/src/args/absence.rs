//! Absences, as they are typed.

use assent_core::id::AbsenceId;
use assent_core::time::Timestamp;
use clap::{Args, Subcommand};

use crate::args::Printing;

#[derive(Debug, Subcommand)]
pub(crate) enum AbsenceCommand {
    /// List who is or was out of office
    List(Printing),
    /// Be out of office: somebody stands in
    Begin(AbsenceBeginArgs),
    /// Be back before the time
    End(AbsenceEndArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AbsenceBeginArgs {
    /// Who stands in: NAME, or ISSUER#SUBJECT
    #[arg(long, value_name = "WHO")]
    pub(crate) to: String,
    /// From when on (RFC 3339); now where it is left out
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Timestamp>,
    /// Until when, at most 90 days later
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Timestamp,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct AbsenceEndArgs {
    /// The absence's id
    pub(crate) id: AbsenceId,
    #[command(flatten)]
    pub(crate) printing: Printing,
}
