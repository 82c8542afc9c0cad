//! `request_url`: where people see a request.

use assent_core::digest::Digest;
use assent_core::id::RequestId;

use crate::configure;
use crate::functions::text;
use crate::intent::sentence;
use crate::offer::{Function, Parameter, WrongArgument};
use crate::value::{Type, Value};

/// The function.
pub(super) fn function() -> Function {
    let parameter =
        |name, description| Parameter { name, of: Type::String, nullable: false, description };
    Function {
        name: "request_url",
        summary: "Address of a request, by its id or its intent's digest",
        description: "Gives the address at which a request can be seen and approved. An intent's \
                      digest gives the same address before anything is filed, which then leads to \
                      its newest request.",
        parameters: vec![
            parameter("base", "Address of the server, such as `https://assent.example.com`."),
            parameter(
                "request",
                "A request's id, `req_…`, or the digest of an intent: `sha256:` and 64 hex digits.",
            ),
        ],
        gives: Type::String,
        call,
    }
}

fn call(arguments: &[Value]) -> Result<Value, WrongArgument> {
    let base = configure::address(text(arguments, 0)?)
        .map_err(|fault| WrongArgument { index: 0, text: fault.detail })?;
    let base = base.as_str().trim_end_matches('/');
    let request = text(arguments, 1)?;
    let wrong = |text: String| WrongArgument { index: 1, text: sentence(&text) };
    let path = if request.starts_with("sha256:") {
        let digest: Digest = request.parse().map_err(|error| wrong(format!("{error}")))?;
        format!("intents/{}", digest.hex())
    } else {
        let id: RequestId = request.parse().map_err(|error| wrong(format!("{error}")))?;
        format!("requests/{id}")
    };
    Ok(Value::text(format!("{base}/{path}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str, request: &str) -> Result<Value, WrongArgument> {
        call(&[Value::text(base), Value::text(request)])
    }

    #[test]
    fn an_id_and_a_digest_have_their_own_pages() {
        let digest = Digest::of(b"intent");
        let found = url("https://assent.example.com/", &digest.to_string()).unwrap();
        let expected = format!("https://assent.example.com/intents/{}", digest.hex());
        assert_eq!(found, Value::text(expected));
        let found = url("https://example.com/assent", "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z").unwrap();
        let expected = "https://example.com/assent/requests/req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z";
        assert_eq!(found, Value::text(expected));
    }

    #[test]
    fn what_leads_nowhere_is_refused_at_its_argument() {
        let id = "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z";
        for (base, request, index) in [
            ("assent.example.com", id, 0),
            ("ftp://assent.example.com", id, 0),
            ("https://alice:secret@assent.example.com", id, 0),
            ("https://assent.example.com", "req_../../admin", 1),
            ("https://assent.example.com", "sha256:00", 1),
            ("https://assent.example.com", "", 1),
        ] {
            let wrong = url(base, request).unwrap_err();
            assert_eq!(wrong.index, index, "{base} {request}");
            assert!(!wrong.text.contains("secret"));
        }
    }
}
