//! `assent credential inspect`

use assent_core::canonical;
use assent_core::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::args::InspectArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Paint, clean, facts};

/// Prints what a token says. Nothing of it is checked, and that is said.
pub(crate) fn run(args: InspectArgs, output: &Output) -> Result<Exit, Failure> {
    let token = super::given(args.credential)?;
    let unverified = Unverified::read(token.expose()).map_err(Failure::usage)?;
    match args.printing.is_json() {
        true => output.json(&json!({
            "verified": false,
            "header": unverified.header,
            "claims": unverified.claims,
        }))?,
        false => output.data(unverified.text(output.data_paint()))?,
    }
    output.talk("nothing of this is verified; `assent credential verify` checks it");
    Ok(Exit::Granted)
}

/// What a token says of itself.
struct Unverified {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Unverified {
    /// The faults never quote the token.
    fn read(token: &str) -> Result<Self, String> {
        let parts: Vec<_> = token.split('.').collect();
        let [header, claims, _signature] = parts.as_slice() else {
            return Err("not a token: it has not three parts".to_owned());
        };
        Ok(Self { header: object("header", header)?, claims: object("claims", claims)? })
    }

    fn text(&self, paint: Paint) -> String {
        let header = self.header.iter().map(|(name, value)| (name.as_str(), in_words("", value)));
        let claims = self.claims.iter().map(|(name, value)| (name.as_str(), in_words(name, value)));
        facts(&header.chain(claims).collect::<Vec<_>>(), paint)
    }
}

fn object(what: &str, part: &str) -> Result<Map<String, Value>, String> {
    let bytes = URL_SAFE_NO_PAD.decode(part);
    let bytes = bytes.map_err(|_| format!("not a token: its {what} is not base64url"))?;
    match canonical::parse(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(format!("not a token: its {what} is not a JSON object")),
    }
}

/// A claim's value for people: texts bare, times readable, the rest as JSON.
pub(super) fn in_words(name: &str, value: &Value) -> String {
    let time = matches!(name, "exp" | "iat" | "nbf").then(|| value.as_i64()).flatten();
    match (time, value.as_str()) {
        (Some(seconds), _) => {
            let at = Timestamp::from_millis(seconds.saturating_mul(1000));
            format!("{seconds} ({at})")
        }
        (None, Some(text)) => clean(text),
        (None, None) => clean(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_without_its_signature() {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let token = format!("{}.{}.c2ln", part(&json!({"alg": "ES256"})), part(&json!({"exp": 0})));
        let text = Unverified::read(&token).unwrap().text(Paint::new(false));
        assert_eq!(text, "alg  ES256\nexp  0 (1970-01-01T00:00:00.000Z)");
    }

    #[test]
    fn faults_do_not_quote_the_token() {
        for token in ["secret", "secret.secret.x", "a.b.c.d", "ISI.ISI.x"] {
            let fault = Unverified::read(token).err().unwrap();
            assert!(fault.starts_with("not a token") && !fault.contains("secret"), "{fault}");
        }
    }
}
