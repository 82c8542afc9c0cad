//! The functions: pure and offline. Terraform calls them in processes that are never configured, so
//! they know neither a server nor who asks.

mod digest;
mod duration;
mod plan_summary;
mod request_url;

use crate::offer::{Function, WrongArgument};
use crate::value::Value;

/// All of them.
pub(crate) fn all() -> Vec<Function> {
    vec![
        digest::function(),
        duration::function(),
        plan_summary::function(),
        request_url::function(),
    ]
}

/// The text that an argument is. Terraform gives none that is null or unknown.
fn text(arguments: &[Value], index: usize) -> Result<&str, WrongArgument> {
    match arguments.get(index) {
        Some(Value::String(text)) => Ok(text),
        Some(
            Value::Null
            | Value::Unknown
            | Value::Bool(_)
            | Value::Number(_)
            | Value::List(_)
            | Value::Map(_),
        )
        | None => Err(WrongArgument { index, text: "Text is required.".to_owned() }),
    }
}
