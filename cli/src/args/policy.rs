//! Policy files, as they are named on the command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use assent_core::policy::glob::Glob;
use assent_core::time::Timestamp;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};

use crate::args::Printing;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Read policy files and print every fault, and what is probably a mistake, with its place
    Check(CheckArgs),
    /// Print what policy says of an intent, and what became of each rule and condition
    Explain(ExplainArgs),
    /// Print which recorded intents a changed policy would rule otherwise
    Diff(DiffArgs),
    /// Replay what was filed against a draft of the policy
    Simulate(SimulateArgs),
    /// Write policy files in their canonical form; comments stay
    Fmt(FmtArgs),
    /// Print the JSON Schema of policy files, for editors
    Schema,
    /// Run the test cases of policy files
    Test(TestArgs),
    /// Write a policy as a Rego module that rules the same, for another engine or as a second look
    Export(PolicyExportArgs),
    /// Print by what the server rules, and why not by the newest
    Status(Printing),
    /// List what came over the API: documents, groups, calendars and trusts
    List(Printing),
    /// Print one of them: freeze.yaml, groups/dba, calendars/office, trusts/acme
    Show(PolicyShowArgs),
    /// Write one of them, and rule by it from now on
    Put(PolicyPutArgs),
    /// Remove one of them
    Remove(PolicyRemoveArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The directory of .yaml files
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// Fail on warnings too
    #[arg(long)]
    pub(crate) strict: bool,
    /// A kind of warning that --strict accepts, such as waives-two; can be repeated
    #[arg(long = "allow", value_name = "CODE", requires = "strict",
          value_parser = PossibleValuesParser::new(assent_core::policy::lint::CODES))]
    pub(crate) accepted: Vec<String>,
    /// The moment at which delegations and dates are looked at: RFC 3339; now, where it is left out
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<Timestamp>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The directory of .yaml files
    #[arg(value_name = "DIR", required_unless_present = "online")]
    pub(crate) directory: Option<PathBuf>,
    /// Ask the server instead: by everything that rules there, about yourself, now
    #[arg(long, conflicts_with_all = ["directory", "requester", "person", "workload", "groups",
          "known", "plan", "now"])]
    pub(crate) online: bool,
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
    /// A group that the identity provider vouches for; can be repeated
    #[arg(long = "group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// What is known beside the intent, as JSON: network, plan, signals, suspended, opinions
    #[arg(long, value_name = "FILE")]
    pub(crate) known: Option<PathBuf>,
    /// The plan's JSON (`terraform show -json`), instead of the plan in --known
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// The moment of which it is asked, RFC 3339; now, where it is left out
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<Timestamp>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyShowArgs {
    /// Which: a document by its name, another by groups/NAME, calendars/NAME or trusts/NAME
    #[arg(value_name = "NAME")]
    pub(crate) name: Kept,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyPutArgs {
    /// Which: a document by its name, another by groups/NAME, calendars/NAME or trusts/NAME
    #[arg(value_name = "NAME")]
    pub(crate) name: Kept,
    /// What it is to be: the document, or the group, calendar or trust as JSON; `-` reads it from stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) approved: ApprovedArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyRemoveArgs {
    /// Which: a document by its name, another by groups/NAME, calendars/NAME or trusts/NAME
    #[arg(value_name = "NAME")]
    pub(crate) name: Kept,
    #[command(flatten)]
    pub(crate) approved: ApprovedArgs,
}

/// How a change of policy that must be approved comes to its approval.
#[derive(Debug, Args)]
pub(crate) struct ApprovedArgs {
    /// The request that approved this change, where policy wants its changes approved
    #[arg(long, value_name = "REQUEST", conflicts_with = "reason")]
    pub(crate) approval: Option<String>,
    /// Why: where policy wants the change approved, file it with this reason
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// What came over the API, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Document(String),
    Group(String),
    Calendar(String),
    Trust(String),
}

impl FromStr for Kept {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            None => Ok(Self::Document(text.to_owned())),
            Some(("groups", name)) => Ok(Self::Group(name.to_owned())),
            Some(("calendars", name)) => Ok(Self::Calendar(name.to_owned())),
            Some(("trusts", name)) => Ok(Self::Trust(name.to_owned())),
            Some(_) => {
                Err("expected NAME.yaml, groups/NAME, calendars/NAME or trusts/NAME".to_owned())
            }
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document(name) => write!(f, "{name}"),
            Self::Group(name) => write!(f, "groups/{name}"),
            Self::Calendar(name) => write!(f, "calendars/{name}"),
            Self::Trust(name) => write!(f, "trusts/{name}"),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The directory of .yaml files as they are
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,
    /// The directory of .yaml files as they would be
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    /// The directory of recorded intents: .json files, or .jsonl files with one on each line
    #[arg(long, value_name = "DIR")]
    pub(crate) intents: PathBuf,
    /// Who asks, where the record does not say, by their name to the server
    #[arg(long = "as", value_name = "NAME", default_value = "nobody")]
    pub(crate) requester: String,
    /// The moment of which it is asked, where the record does not say; now, where it is left out
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<Timestamp>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The directory of .yaml files of the draft
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// The export of the audit log to replay, `-` for stdin; the server's log, where it is left out
    #[arg(long, value_name = "EXPORT")]
    pub(crate) from_audit: Option<PathBuf>,
    /// Only what was filed since: RFC 3339, or how long ago, such as 30d
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct FmtArgs {
    /// Change nothing; print which files are not in their canonical form, and fail if any is not
    #[arg(long)]
    pub(crate) check: bool,
    /// The files, or directories of them
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
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

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct PolicyExportArgs {
    /// The directory of .yaml files
    #[arg(value_name = "DIR", required_unless_present = "input")]
    pub(crate) directory: Option<PathBuf>,
    /// Write the module
    #[arg(long, group = "what", requires = "directory")]
    pub(crate) rego: bool,
    /// Write the input that the module reads: of an intent as JSON, alone or with its requester,
    /// what is known and when, or of an event of the audit log; `-` reads it from stdin
    #[arg(long, group = "what", value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Who asks, where the input does not say, by their name to the server
    #[arg(long = "as", value_name = "NAME", default_value = "nobody")]
    pub(crate) requester: String,
    /// The moment of which it is asked, where the input does not say; now, where it is left out
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<Timestamp>,
    /// Write to this file, which must not exist yet, instead of stdout
    #[arg(long, value_name = "FILE", alias = "output")]
    pub(crate) file: Option<PathBuf>,
}
