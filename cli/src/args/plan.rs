//! Plans, as they are named on the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use assent_core::id::RequestId;
use assent_core::time::Timestamp;
use clap::{Args, Subcommand};

use crate::args::{Printing, Target};

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// Print what a plan does, riskiest first
    ///
    /// Reads what `terraform show -json` prints. A saved plan file is shown by Terraform first: by
    /// the program that TERRAFORM names, else `terraform`, in the current directory.
    Show(PlanShowArgs),
    /// Print what policy says of each change of a plan, and which of them wait for no approval
    ///
    /// A change is protected if policy would not just permit a plan of it alone. It is covered if an
    /// `assent_approval` or `assent_gate` of the plan is seen to hold it up. Ends with 1 if the plan
    /// as a whole is refused or a protected change is not covered.
    Scan(PlanScanArgs),
    /// Print the SHA-256 of a plan, which an intent names
    Digest(PlanDigestArgs),
    /// Hand a plan in, so that policy and approvers see what it does
    ///
    /// Of a saved plan file the server also learns the SHA-256: whatever is asked for under that is
    /// shown with this plan.
    ///
    /// With --request, the saved plan itself is handed over, so that whoever applies it gets exactly
    /// what was approved: the server keeps it encrypted until it is fetched or the request ends.
    Send(PlanSendArgs),
    /// Get the saved plan that a request was approved for, once
    ///
    /// Only whoever asked gets it, in the run that asked, and only once. It is written when its bytes
    /// have the digest that was approved.
    Fetch(PlanFetchArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "The plan is copied to where nobody else can change it, handed in, and \
    applied by the program that TERRAFORM names, else `terraform`, in the current directory. The
provider finds the SHA-256 of the copied bytes in ASSENT_PLAN_DIGEST and asks for exactly that: an
approval of another plan does not count, nor one that was used. A server and token that are given
here are given to Terraform, a saved login is not.

Exits as Terraform does.

Examples:
  terraform plan -out plan.out && assent apply plan.out
  assent apply plan.out -- -parallelism=30")]
pub(crate) struct ApplyArgs {
    /// The saved plan file: `terraform plan -out FILE`
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Arguments for `terraform apply`
    #[arg(last = true, value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct PlanSendArgs {
    /// The plan as JSON, or a saved plan file; `-` reads JSON from stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The request whose exact plan this is: its bytes are handed over, not its JSON
    #[arg(long, value_name = "REQUEST")]
    pub(crate) request: Option<RequestId>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct PlanFetchArgs {
    /// The request
    #[arg(long, value_name = "REQUEST")]
    pub(crate) request: RequestId,
    /// The file to write; what is there is replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) printing: Printing,
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

#[derive(Debug, Args)]
pub(crate) struct PlanScanArgs {
    /// The plan as JSON, or a saved plan file; `-` reads JSON from stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The directory of .yaml files
    #[arg(long, value_name = "DIR")]
    pub(crate) policy: PathBuf,
    /// What would be done with the plan
    #[arg(long, value_name = "KIND", default_value = "terraform.apply")]
    pub(crate) kind: String,
    /// Where
    #[arg(long, value_name = "NAME", default_value = "production")]
    pub(crate) environment: String,
    /// What it is done to: workspace=orders; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) target: Vec<Target>,
    /// Who would ask, by their name to the server
    #[arg(long = "as", value_name = "NAME", default_value = "nobody")]
    pub(crate) requester: String,
    /// A program would ask, not a person
    #[arg(long)]
    pub(crate) workload: bool,
    /// The provider whose approvals count: registry.terraform.io/acme/assent; every one whose source
    /// ends in /assent, where it is left out
    #[arg(long, value_name = "SOURCE")]
    pub(crate) provider: Option<String>,
    /// The moment of which it is asked, RFC 3339; now, where it is left out
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<Timestamp>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}
