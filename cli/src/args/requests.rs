//! Looking at requests and deciding them, as it is typed.

use std::path::PathBuf;

use assent_core::id::RequestId;
use assent_core::time::{Span, Timestamp};
use clap::{ArgGroup, Args, ValueEnum};

use crate::args::{MatchingArgs, Printing};

/// The states, in the words they have everywhere, and those that are not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lowercase")]
pub(crate) enum StateWord {
    /// Pending or approved
    Open,
    Pending,
    Approved,
    Denied,
    Expired,
    Canceled,
    Consumed,
    Revoked,
}

impl StateWord {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Canceled => "canceled",
            Self::Consumed => "consumed",
            Self::Revoked => "revoked",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those in this state
    #[arg(long, value_enum)]
    pub(crate) state: Option<StateWord>,
    /// Only those for this environment
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Only those of this kind
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Only those that they ask for: NAME, or ISSUER#SUBJECT
    #[arg(long, value_name = "WHO", conflicts_with = "mine")]
    pub(crate) requester: Option<String>,
    /// Only those that they reviewed
    #[arg(long, value_name = "WHO")]
    pub(crate) reviewer: Option<String>,
    /// Only those that this rule decided
    #[arg(long, value_name = "RULE")]
    pub(crate) rule: Option<String>,
    /// Only those that were filed at this time or later (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Timestamp>,
    /// Only those that were filed before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Timestamp>,
    /// Only those with all of these words, of three letters or more
    #[arg(long, value_name = "WORDS")]
    pub(crate) search: Option<String>,
    /// Only one's own
    #[arg(long)]
    pub(crate) mine: bool,
    /// At most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The request's id
    pub(crate) id: RequestId,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exits 0 when it is granted, 1 when it is denied, expired, canceled, revoked \
    or still pending at the timeout."
)]
pub(crate) struct WaitArgs {
    /// The request's id
    pub(crate) id: RequestId,
    /// How long at most; without it, until it is decided
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<Span>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
#[command(after_help = "On a terminal a table that keeps itself up to date, until q or ctrl-c; \
    otherwise one line for each change, with --output json in its wire shape.")]
pub(crate) struct WatchArgs {
    /// Everything that is open, not only what waits for you
    #[arg(long)]
    pub(crate) all: bool,
    /// Show what newly waits on the desktop too, by notify-send or the terminal's own way (OSC 9)
    #[arg(long, conflicts_with_all = ["events", "from"])]
    pub(crate) notify: bool,
    /// What happens, one line per event of the audit log, instead of what waits
    #[arg(long, conflicts_with = "all")]
    pub(crate) events: bool,
    /// Events from this entry of the audit log on, instead of the next one
    #[arg(long, value_name = "INDEX", conflicts_with = "all")]
    pub(crate) from: Option<u64>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
#[command(after_help = "The approval names the digest of what is shown, so it never counts for \
    anything else.")]
pub(crate) struct ApproveArgs {
    /// The request's id
    pub(crate) id: RequestId,
    /// A remark for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) comment: String,
    #[command(flatten)]
    pub(crate) browser: BrowserArgs,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

/// Where a passkey must sign, or a sign-in be fresh: that is done in the browser.
#[derive(Debug, Args)]
pub(crate) struct BrowserArgs {
    /// The program that opens the page where a passkey is needed, instead of $BROWSER or the desktop's
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) browser: Option<String>,
    /// How long your decision in the browser is waited for (10m)
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<Span>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Nobody has to trust the page: the digest is computed from what was fetched, \
    and fails if it is not the request's. The page shows the same words where you sign."
)]
pub(crate) struct ReviewArgs {
    /// The request's id
    pub(crate) id: RequestId,
    /// A plan that you have, to compare: a saved plan file, or its JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct DenyArgs {
    /// The request's id
    pub(crate) id: RequestId,
    /// Why, for the requester and the record
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) comment: String,
    #[command(flatten)]
    pub(crate) browser: BrowserArgs,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("verdict").required(true).args(["approve", "object"]),
    after_help = "For what was granted without asking anybody, as after break-glass. The verdict \
    names the digest of what is shown. An objection is on record and does not count; a review that \
    is missed suspends the rule that its policy names until enough have approved."
)]
pub(crate) struct PostReviewArgs {
    /// The request's id
    pub(crate) id: RequestId,
    /// It was right
    #[arg(long)]
    pub(crate) approve: bool,
    /// It was not
    #[arg(long)]
    pub(crate) object: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) comment: String,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// The request's id
    pub(crate) id: RequestId,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
#[command(after_help = "While it is pending a review counts for nothing any more once it is \
    withdrawn, and another may be given. What is approved already is taken back by `assent revoke`.")]
pub(crate) struct WithdrawArgs {
    /// The request's id
    pub(crate) id: RequestId,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The request's id
    #[arg(required_unless_present = "all")]
    pub(crate) id: Option<RequestId>,
    /// Every grant and every credential that fits, in an incident; for administrators
    #[arg(long, conflicts_with = "id")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) matching: MatchingArgs,
    /// With --all: do it, after showing what would end
    #[arg(long, requires = "all")]
    pub(crate) yes: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct CompleteArgs {
    /// The request's id
    pub(crate) id: RequestId,
    #[command(flatten)]
    pub(crate) printing: Printing,
}
