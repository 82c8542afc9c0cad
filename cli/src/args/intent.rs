//! What is about to be done, as it is typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use assent_core::canonical;
use assent_core::digest::Digest;
use assent_core::time::Span;
use clap::Args;
use serde_json::{Map, Value};

use crate::args::Printing;

/// One `--target name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            Some(_) | None => Err("write name=value, such as workspace=orders".to_owned()),
        }
    }
}

/// What is about to be done.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "What is about to be done")]
pub(crate) struct IntentArgs {
    /// What is done, as a dotted name: terraform.apply
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: String,
    /// Where: production
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: String,
    /// What it is done to: workspace=orders; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) target: Vec<Target>,
    /// A Terraform plan to hand in: a saved plan file, or what `terraform show -json` prints. Its
    /// digest is the exact thing, unless --digest names another
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Digest of the exact thing, such as a saved plan: sha256:… and 64 hex digits
    #[arg(long, value_name = "SHA256")]
    pub(crate) digest: Option<Digest>,
    /// Anything else that those who decide should see, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = context)]
    pub(crate) context: Option<Map<String, Value>>,
    /// How long the credential is wanted for: 15m
    #[arg(long, value_name = "TIME")]
    pub(crate) duration: Option<Span>,
}

fn context(text: &str) -> Result<Map<String, Value>, String> {
    match canonical::parse(text.as_bytes()) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("write a JSON object, such as {\"ticket\": \"OPS-1\"}".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  assent request --kind terraform.apply --environment production \\
      --target workspace=orders --plan plan.out \\
      --reason 'Resize the orders database' --wait=30m

  assent request --kind database.session --environment staging \\
      --reason 'Look into OPS-1' --duration 1h --output json

A saved plan of --plan is kept by the server, encrypted, for `assent plan fetch`.

Without --wait it exits 0 when the request is filed, also while it is pending, and 1 when policy
refuses it at once.")]
pub(crate) struct RequestArgs {
    #[command(flatten)]
    pub(crate) intent: IntentArgs,
    /// Why, for those who decide
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Join the open request for the same thing, if there is one, instead of asking again
    #[arg(long)]
    pub(crate) reattach: bool,
    /// Wait until it is decided, at most this long
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true)]
    pub(crate) wait: Option<Option<Span>>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
#[command(after_help = "The command's environment has the credential in ASSENT_CREDENTIAL, and
ASSENT_REQUEST_ID and ASSENT_URL; ASSENT_TOKEN is taken out of it. When the command succeeds, the
request is completed; when it fails, the request is revoked. Either way the credential ends.

Exits as the command does (128 and the signal's number if a signal ended it). An interrupt while
waiting cancels the request.

Examples:
  assent run --kind terraform.apply --environment production --target workspace=orders \\
      --audience terraform --reason 'Resize the orders database' -- terraform apply plan.out

  assent run --kind database.session --environment staging --audience orders \\
      --broker orders-db --duration 1h --timeout 30m -- psql orders")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) intent: IntentArgs,
    /// Why, for those who decide; without it, the name of the command
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// For whom the credential shall be good; without it, the one audience that policy allows
    #[arg(long, value_name = "AUDIENCE")]
    pub(crate) audience: Option<String>,
    /// Have this broker of the authority open something for the command, which finds it in
    /// ASSENT_FIELD_HOST, ASSENT_FIELD_PASSWORD …, and in PGHOST, PGPASSWORD … where it is PostgreSQL
    #[arg(long, value_name = "NAME")]
    pub(crate) broker: Option<String>,
    /// End the credential when this program has not been heard of for so long: 2m. Policy may ask
    /// for less; the signs of life are sent by themselves
    #[arg(long, value_name = "TIME")]
    pub(crate) heartbeat: Option<Span>,
    /// How long to wait for the decision; the request is canceled when it is over
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<Span>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn a_target_is_a_name_and_a_value() {
        let target: Target = "url=http://x/?a=b".parse().unwrap();
        assert_eq!((target.name.as_str(), target.value.as_str()), ("url", "http://x/?a=b"));
        for text in ["", "x", "=x", "x="] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn context_is_one_strict_json_object() {
        assert_eq!(context(r#"{"a": 1}"#).unwrap().len(), 1);
        for text in ["[]", "{", r#"{"a": 1, "a": 2}"#] {
            assert!(context(text).is_err(), "{text}");
        }
    }

    fn wait(flag: &[&str]) -> Option<Option<Span>> {
        let line = ["assent", "request", "--kind=a.b", "--environment=e", "--reason=r"];
        let cli = Cli::try_parse_from(line.iter().chain(flag)).unwrap();
        let Command::Request(args) = cli.command else { panic!("not request") };
        args.wait
    }

    #[test]
    fn wait_may_have_a_limit() {
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&["--wait"]), Some(None));
        assert_eq!(wait(&["--wait=30m"]), Some(Some(Span::minutes(30))));
    }

    #[test]
    fn what_follows_the_dashes_is_the_command() {
        let line = ["assent", "run", "--kind=a.b", "--environment=e", "--", "sh", "-c", "--wait"];
        let cli = Cli::try_parse_from(line).unwrap();
        let Command::Run(args) = cli.command else { panic!("not run") };
        assert_eq!(args.command, ["sh", "-c", "--wait"]);
    }
}
