//! One call to a provider: small, strict, and nowhere else than it was sent.

use assent_core::canonical;
use assent_core::credential::Secret;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::ProviderError;
use crate::unreached::cause;

/// The largest answer that is read.
const LARGEST: usize = 256 * 1024;
/// How much of a provider's word is told.
const MOST_TOLD: usize = 80;

pub(super) fn away(problem: impl ToString) -> ProviderError {
    ProviderError::Away(problem.to_string().chars().take(300).collect())
}

/// What it answers: a JSON object, with its status. Redirects are not followed and no answer.
pub(super) async fn ask(
    call: RequestBuilder,
) -> Result<(StatusCode, Map<String, Value>), ProviderError> {
    let (status, value) = ask_any(call).await?;
    match value {
        Value::Object(object) => Ok((status, object)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(away("it answered with no JSON object"))
        }
    }
}

async fn ask_any(call: RequestBuilder) -> Result<(StatusCode, Value), ProviderError> {
    let call = call.header("accept", "application/json");
    let mut response = call.send().await.map_err(|error| away(cause(&error)))?;
    let status = response.status();
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|error| away(cause(&error)))? {
        if body.len() + chunk.len() > LARGEST {
            return Err(away(format!("it answered with more than {LARGEST} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_redirection() || status.is_server_error() {
        return Err(away(format!("it answered {status}")));
    }
    let value = canonical::parse(&body)
        .map_err(|_| away(format!("it answered {status} with what is no strict JSON")))?;
    Ok((status, value))
}

/// The error of a token endpoint (RFC 6749 section 5.2), where the answer is one. GitHub answers with
/// 200 then.
pub(super) fn refusal(status: StatusCode, answer: &Map<String, Value>) -> Option<ProviderError> {
    let said = answer.get("error").and_then(Value::as_str);
    match said {
        Some(error) => Some(ProviderError::Refused(short(error))),
        None if status != StatusCode::OK => Some(away(format!("it answered {status}"))),
        None => None,
    }
}

/// An error code, as far as it is one.
pub(super) fn short(text: &str) -> String {
    let fits = |letter: &char| letter.is_ascii_graphic() || *letter == ' ';
    text.chars().filter(fits).take(MOST_TOLD).collect()
}

/// A secret of an answer.
pub(super) fn secret(answer: &Map<String, Value>, name: &str) -> Option<Secret> {
    let text = answer.get(name)?.as_str()?;
    (1..=32 * 1024).contains(&text.len()).then(|| Secret::new(text.to_owned()))
}
