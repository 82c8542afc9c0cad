//! `assent plan digest`

use assent_core::digest::Digest;
use assent_core::plan::{Limits, Plan};
use serde_json::json;

use crate::args::PlanDigestArgs;
use crate::commands::plan::{Given, read, unread};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Prints the digest of a file's bytes, if they are a plan; says on stderr which kind.
pub(crate) fn run(args: &PlanDigestArgs, output: &Output) -> Result<Exit, Failure> {
    let limits = Limits::default();
    let (digest, of) = match read(&args.file)? {
        Given::Saved(bytes) => (Digest::of(&bytes), "saved plan"),
        Given::Json(bytes) => {
            let plan = Plan::parse(&bytes, &limits).map_err(|e| unread(&args.file, &e))?;
            (plan.digest, "plan in JSON")
        }
    };
    if args.printing.is_json() {
        output.json(&json!({"digest": digest.to_string(), "of": of}))?;
    } else {
        output.data(digest)?;
        output.talk(format!("of a {of}"));
    }
    Ok(Exit::Granted)
}
