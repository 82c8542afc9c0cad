//! What was typed. Nothing here knows what it means.

mod absence;
mod admin;
mod audit;
mod credential;
mod digest;
mod evidence;
mod intent;
mod plan;
mod policy;
mod requests;
mod serve;
mod signal;
mod trust;

use std::convert::Infallible;
use std::path::PathBuf;

use assent_client::Secret;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

pub(crate) use absence::{AbsenceBeginArgs, AbsenceCommand, AbsenceEndArgs};
pub(crate) use admin::{
    AdminCommand, GithubCommand, GithubDoctorArgs, GithubSetupArgs, InitArgs, KeyCommand,
    KeyImportArgs, KeyRotateArgs, NoticesCommand, NoticesReplayArgs, TokenCommand, TokenCreateArgs,
};
pub(crate) use audit::{AuditCommand, ExportArgs, VerifyArgs};
pub(crate) use credential::{
    CredentialCommand, CredentialListArgs, HeartbeatArgs, InspectArgs, MatchingArgs, MintArgs,
    ProofArgs, VerifyTokenArgs,
};
pub(crate) use digest::DigestArgs;
pub(crate) use evidence::{EvidenceCommand, EvidenceShowArgs, EvidenceVerifyArgs};
pub(crate) use intent::{IntentArgs, RequestArgs, RunArgs, Target};
pub(crate) use plan::{
    ApplyArgs, PlanCommand, PlanDigestArgs, PlanFetchArgs, PlanScanArgs, PlanSendArgs, PlanShowArgs,
};
pub(crate) use policy::{
    ApprovedArgs, CheckArgs, DiffArgs, ExplainArgs, FmtArgs, Kept, PolicyCommand, PolicyExportArgs,
    PolicyPutArgs, PolicyRemoveArgs, PolicyShowArgs, SimulateArgs, TestArgs, TestFormat,
};
pub(crate) use requests::{
    ApproveArgs, BrowserArgs, CancelArgs, CompleteArgs, DenyArgs, ListArgs, PostReviewArgs,
    ReviewArgs, RevokeArgs, ShowArgs, WaitArgs, WatchArgs, WithdrawArgs,
};
pub(crate) use serve::{IssuerArgs, KeyArgs, ServeArgs};
pub(crate) use signal::{AboutArgs, ClearArgs, SignalCommand, TellArgs};
pub(crate) use trust::{
    TrustAddArgs, TrustCheckArgs, TrustCommand, TrustRemoveArgs, TrustShowArgs,
};

/// Approval of one exact action, just in time.
///
/// State what is about to be done; policy refuses it, permits it or asks people. Once they have
/// approved exactly that, a short-lived credential for it can be minted.
#[derive(Debug, Parser)]
#[command(name = "assent", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 granted or done, 1 refused, denied, expired or still \
    pending, 2 wrong usage or bad input, 3 it could not be found out.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which server, and as whom. Without these, the saved login counts.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArgs {
    /// The server's URL; without it, the saved login's
    #[arg(long, global = true, env = "ASSENT_URL", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The access token; better given in the environment, where other users cannot see it
    #[arg(long, global = true, env = "ASSENT_TOKEN", hide_env_values = true, value_parser = secret)]
    pub(crate) token: Option<Secret>,
    /// A PEM file of authorities that may vouch for the server, beside the operating system's
    #[arg(long, global = true, env = "ASSENT_CA_BUNDLE", value_name = "FILE")]
    pub(crate) ca_bundle: Option<PathBuf>,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

/// What every command that prints data takes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Printing {
    /// How to print the data
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
}

impl Printing {
    pub(crate) fn is_json(self) -> bool {
        self.output == Format::Json
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(Box<ServeArgs>),
    /// Ask for approval of one exact action
    Request(RequestArgs),
    /// List requests, newest first
    List(ListArgs),
    /// Show one request
    Show(ShowArgs),
    /// Wait until a request is decided
    Wait(WaitArgs),
    /// Show what waits for you, and keep it up to date
    Watch(WatchArgs),
    /// Show exactly what would be approved, with its digest computed on this machine
    Review(ReviewArgs),
    /// Approve exactly what a request asks for
    Approve(ApproveArgs),
    /// Deny a request
    Deny(DenyArgs),
    /// Take back one's own review of a pending request
    Withdraw(WithdrawArgs),
    /// Look at what was granted without asking anybody
    PostReview(PostReviewArgs),
    /// Cancel a pending request of one's own
    Cancel(CancelArgs),
    /// Take a grant and its credentials back
    Revoke(RevokeArgs),
    /// Say that the action is over; its credentials end
    Complete(CompleteArgs),
    /// Be out of office, and name who stands in
    #[command(subcommand)]
    Absence(AbsenceCommand),
    /// Request, wait, mint, and run a command with the credential
    Run(RunArgs),
    /// Apply a saved Terraform plan, and have exactly that approved
    Apply(ApplyArgs),
    /// Mint and check credentials
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Read Terraform plans
    #[command(subcommand)]
    Plan(PlanCommand),
    /// Print the SHA-256 of JSON in its canonical form, RFC 8785
    ///
    /// The same bytes as the function `digest` of the Terraform provider. JSON with a member twice,
    /// or with whole numbers beyond 2^53 - 1, has no digest.
    Digest(DigestArgs),
    /// Check policy files and explain what they say
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Tell what is the matter with a person, a workload or an environment
    #[command(subcommand)]
    Signal(SignalCommand),
    /// Whose tokens the server believes: CI jobs, Terraform runs, pods
    #[command(subcommand)]
    Trust(TrustCommand),
    /// Show and check what proves an approval
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Verify and export the audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Administer the server
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Sign in by your browser, and save the login
    ///
    /// Shows a code to type into a page of the server where you are signed in. A token that is there
    /// already is saved instead, after checking it: from --token, ASSENT_TOKEN, or a line on a stdin
    /// that is no terminal.
    Login(LoginArgs),
    /// End the saved login, and forget it
    Logout(LogoutArgs),
    /// Show who the server takes you for
    Whoami(Printing),
    /// Print a completion script
    Completions {
        /// The shell it is for
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// Open no browser; only say where to go
    #[arg(long)]
    pub(crate) no_browser: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogoutArgs {
    /// Only forget it here, without asking the server to end its token
    #[arg(long)]
    pub(crate) local: bool,
}

/// Reads the command line.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    Cli::try_parse()
}

/// The whole command, for completion scripts.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Takes a secret in without ever failing, so that no error can print it.
fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn server_and_token_may_stand_anywhere() {
        for line in [
            ["assent", "--server", "http://localhost:1", "whoami"],
            ["assent", "whoami", "--server", "http://localhost:1"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.server.server.as_deref(), Some("http://localhost:1"));
        }
    }

    #[test]
    fn wrong_usage_exits_with_2() {
        for line in [
            &["assent", "deny", "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z"][..],
            &["assent", "show", "nonsense"],
            &["assent", "request", "--kind", "a.b"],
            &["assent", "run", "--kind", "a.b", "--environment", "e"],
            &["assent", "fly"],
        ] {
            assert_eq!(Cli::try_parse_from(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }
}
