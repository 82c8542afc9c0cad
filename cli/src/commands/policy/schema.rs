//! `assent policy schema`

use assent_core::policy::schema;

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Prints the JSON Schema of policy documents and test cases.
pub(crate) fn run(output: &Output) -> Result<Exit, Failure> {
    output.json(&schema::schema())?;
    Ok(Exit::Granted)
}
