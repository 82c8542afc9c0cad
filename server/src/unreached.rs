//! Why nobody was reached over HTTP, in words that give nothing away.

use std::error::Error as _;

/// The innermost cause. The outermost names the address, which may hold what nobody should read.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.source().is_none() { "no call can be made".to_owned() } else { cause.to_string() }
}
