//! The data source `assent_jwks`: the keys by which services check credentials without asking.

use serde_json::Value as Json;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::failure;
use crate::offer::DataSource;
use crate::schema::{Attribute, Schema};
use crate::session::Session;
use crate::value::{Type, Value};

/// The data source `assent_jwks`.
#[derive(Debug)]
pub(crate) struct Jwks;

#[tonic::async_trait]
impl DataSource for Jwks {
    fn name(&self) -> &'static str {
        "assent_jwks"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "The public keys by which services, and clouds that trust the server as an OpenID \
             Connect issuer, check credentials offline. Keys change when the server's do: a \
             service that can fetch them by itself should.",
            vec![
                Attribute::computed("issuer", Type::String, "The issuer, as `iss` names it."),
                Attribute::computed("jwks_uri", Type::String, "Address of the keys."),
                Attribute::computed("algorithms", Type::texts(), "The algorithms that sign."),
                Attribute::computed("key_ids", Type::texts(), "The `kid` of each key."),
                Attribute::computed(
                    "jwks",
                    Type::String,
                    "The key set as JSON: an object with `keys` (RFC 7517).",
                ),
            ],
        )
    }

    fn validate(&self, _: &Value) -> Diagnostics {
        Diagnostics::default()
    }

    async fn read(&self, session: &Session, _: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let configured = session.configured();
        let server = configured.server()?;
        let failed = |error| failure::told(&error, "The keys cannot be read");
        let keys = server.jwks().await.map_err(failed)?;
        let metadata = server.discovery().await.map_err(failed)?;
        let found = found(&keys, &metadata).ok_or_else(not_understood)?;
        Ok((found, Diagnostics::default()))
    }
}

/// What the server said; nothing if a part of it is missing.
fn found(keys: &Json, metadata: &Json) -> Option<Value> {
    let text = |name: &str| metadata.get(name)?.as_str().map(Value::text);
    let texts = |list: &Json| -> Option<Value> {
        let texts = list.as_array()?.iter().map(|text| text.as_str().map(str::to_owned));
        Some(Value::texts(texts.collect::<Option<Vec<_>>>()?))
    };
    let ids = keys.get("keys")?.as_array()?.iter();
    let ids: Option<Json> = ids.map(|key| key.get("kid").cloned()).collect();
    Some(Value::object([
        ("issuer", text("issuer")?),
        ("jwks_uri", text("jwks_uri")?),
        ("algorithms", texts(metadata.get("id_token_signing_alg_values_supported")?)?),
        ("key_ids", texts(&ids?)?),
        ("jwks", Value::String(keys.to_string())),
    ]))
}

fn not_understood() -> Diagnostic {
    let detail = "The answer lacks keys or an issuer. Check that `url` is the address of an Assent \
                  server, and that server and provider are of the same version.";
    Diagnostic::error("The keys cannot be read", detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_and_issuer_are_told_or_nothing_is() {
        let keys = json!({"keys": [{"kid": "k1", "kty": "EC"}]});
        let metadata = json!({
            "issuer": "https://a.example", "jwks_uri": "https://a.example/jwks",
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        let value = found(&keys, &metadata).unwrap();
        let bytes = crate::value::encode_msgpack(&value).unwrap();
        let of = Jwks.schema().value_type();
        assert_eq!(crate::value::decode_msgpack(&bytes, &of), Ok(value.clone()));
        assert_eq!(value.attribute("key_ids"), &Value::texts(["k1".to_owned()]));
        for (keys, metadata) in [
            (json!({}), metadata.clone()),
            (json!({"keys": [{"kty": "EC"}]}), metadata.clone()),
            (keys.clone(), json!({"issuer": "https://a.example"})),
        ] {
            assert_eq!(found(&keys, &metadata), None);
        }
    }
}
