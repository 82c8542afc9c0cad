//! Trusts, as they are written and tried on the command line.

use std::path::PathBuf;

use assent_client::Secret;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use crate::args::{ApprovedArgs, Printing, secret};

#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// List every trust that rules, of policy files and of the API
    List(Printing),
    /// Show one of them, with everything that was left unsaid
    Show(TrustShowArgs),
    /// Write a trust over the API, and believe its tokens from now on
    Add(Box<TrustAddArgs>),
    /// Say what would become of a token; it is neither spent nor kept. Only for administrators
    Check(TrustCheckArgs),
    /// Remove a trust that came over the API; its access tokens end with it
    Remove(TrustRemoveArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TrustShowArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub(crate) struct TrustAddArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The whole trust as JSON, as the API takes it; `-` reads it from stdin
    #[arg(long, value_name = "FILE", group = "what")]
    #[arg(conflicts_with_all = ["shape", "issuer", "audience", "claims", "principal", "people",
          "groups", "kinds", "environments", "lifetime", "single_use", "jwks", "jwks_uri"])]
    pub(crate) file: Option<PathBuf>,
    /// What kind of issuer it is
    #[arg(long, group = "what", value_parser = PossibleValuesParser::new(shapes()))]
    pub(crate) shape: Option<String>,
    /// Exactly the issuer of the tokens; where it is left out, the one that everybody knows of that
    /// shape
    #[arg(long, group = "what", value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// Exactly the audience of the tokens; where it is left out, the server's URL
    #[arg(long, value_name = "AUDIENCE")]
    pub(crate) audience: Option<String>,
    /// What a claim must be, such as repository_id=4711; the same claim again is another value that it
    /// may have
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) claims: Vec<(String, String)>,
    /// How the workload is named, with claims in braces
    #[arg(long, value_name = "TEXT")]
    pub(crate) principal: Option<String>,
    /// Who somebody is whom the tokens number: 583231=person:alice; can be repeated
    #[arg(long = "person", value_name = "NUMBER=PERSON", value_parser = pair)]
    pub(crate) people: Vec<(String, String)>,
    /// A group that the workload is in; can be repeated
    #[arg(long = "group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// A kind that it may ask for; `*` stands for one part; can be repeated
    #[arg(long = "kind", value_name = "GLOB")]
    pub(crate) kinds: Vec<String>,
    /// An environment that it may ask for; can be repeated
    #[arg(long = "environment", value_name = "GLOB")]
    pub(crate) environments: Vec<String>,
    /// How long an access token lives: 15m
    #[arg(long, value_name = "TIME")]
    pub(crate) lifetime: Option<String>,
    /// Whether each token is good once
    #[arg(long, value_name = "BOOL")]
    pub(crate) single_use: Option<bool>,
    /// A file with the issuer's keys, so that nothing is fetched
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    pub(crate) jwks: Option<PathBuf>,
    /// Where the issuer's keys are, if it has no discovery
    #[arg(long, value_name = "URL")]
    pub(crate) jwks_uri: Option<String>,
    #[command(flatten)]
    pub(crate) approved: ApprovedArgs,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
#[command(after_help = "Exits 0 when the token would be exchanged, 1 when it would not.")]
pub(crate) struct TrustCheckArgs {
    // Not named `token`: the access token is, and clap would take the one for the other.
    /// The token; without it, or with `-`, a line of stdin
    #[arg(value_name = "TOKEN", env = "ASSENT_SUBJECT_TOKEN", hide_env_values = true)]
    #[arg(value_parser = secret)]
    pub(crate) subject: Option<Secret>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct TrustRemoveArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) approved: ApprovedArgs,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

fn shapes() -> Vec<&'static str> {
    assent_core::trust::Shape::ALL.iter().map(|(word, _)| *word).collect()
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
