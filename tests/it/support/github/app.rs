//! Who calls: the App, by a token that its key signed, or one of its installations.

use std::sync::LazyLock;
use std::time::Duration;

use assent_client::Secret;
use assent_core::time::Timestamp;
use assent_server::github::{Place, Settings};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Asked, Github, Reply, State, WEBHOOK_SECRET, message};
use crate::support::now;

/// The App's id.
pub(crate) const APP: u64 = 4242;
/// Its installation at the only organization that has one.
pub(super) const INSTALLATION: u64 = 77;

/// The App's key, made for these tests alone.
static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

/// The App's private key, as PEM.
pub(crate) fn private_key() -> String {
    let der: Pkcs8V1Der<'_> = KEY.as_der().unwrap();
    let encoded = STANDARD.encode(der.as_ref());
    let lines: Vec<_> = encoded.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let kind = "PRIVATE KEY";
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

/// The App, as an authority is set up to be it.
pub(crate) fn settings(github: &Github) -> Settings {
    settings_at(&github.url)
}

/// The same, with its API elsewhere.
pub(crate) fn settings_at(api: &str) -> Settings {
    let mut place = Place::at("https://github.com").unwrap();
    place.api = api.parse().unwrap();
    Settings {
        app_id: APP,
        slug: "assent".to_owned(),
        private_key: Secret::new(private_key()),
        webhook_secret: Secret::new(WEBHOOK_SECRET.to_owned()),
        place,
        require_app: true,
        between_writes: Duration::ZERO,
        patience: Duration::from_secs(10),
        deployment_statuses: false,
        ca_file: None,
    }
}

/// Whether the App itself calls ("Generating a JSON Web Token (JWT) for a GitHub App"): RS256, from a
/// time that is past, for ten minutes at most.
pub(super) fn is_app(asked: &Asked) -> Result<(), &'static str> {
    let undecodable = "A JSON web token could not be decoded";
    let parts: Vec<&str> = asked.bearer().split('.').collect();
    let [header, claims, signature] = parts[..] else { return Err(undecodable) };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| undecodable);
    let public =
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, KEY.public_key().as_ref().to_vec());
    let checked = public.verify(format!("{header}.{claims}").as_bytes(), &decode(signature)?);
    checked.map_err(|_| undecodable)?;
    let read = |part: &str| -> Result<Value, &'static str> {
        serde_json::from_slice(&decode(part)?).map_err(|_| undecodable)
    };
    let (header, claims) = (read(header)?, read(claims)?);
    let is_ours = claims["iss"] == APP || claims["iss"].as_str() == Some(APP.to_string().as_str());
    if header["alg"] != "RS256" || !is_ours {
        return Err("'Issuer' claim ('iss') must be an Integer or a client id");
    }
    let number = |name: &str| claims[name].as_i64().ok_or(undecodable);
    let (from, to) = (number("iat")?, number("exp")?);
    let now = now().as_seconds();
    if from > now {
        return Err("'Issued at' claim ('iat') must be an Integer representing the past");
    }
    match to > now && to <= now + 600 {
        true => Ok(()),
        false => Err("'Expiration time' claim ('exp') is too far in the future"),
    }
}

impl State {
    /// Whether one of the App's installations calls.
    pub(super) fn is_installation(&self, asked: &Asked) -> bool {
        let token = asked.header("authorization").split_once(' ').map(|(_, token)| token);
        token.is_some_and(|token| self.tokens.contains(token))
    }

    /// A token that is good for an hour, for what the installation has of what is wanted.
    pub(super) fn installation_token(&mut self, installation: &str, asked: &Asked) -> Reply {
        if installation != INSTALLATION.to_string() {
            return message(404, "Not Found");
        }
        let wanted: Value = serde_json::from_slice(&asked.body).unwrap_or_else(|_| json!({}));
        let ids: Vec<u64> = self.repositories.iter().map(|repository| repository.id).collect();
        let wanted_ids = wanted["repository_ids"].as_array().cloned().unwrap_or_default();
        if wanted_ids.iter().any(|id| !ids.contains(&id.as_u64().unwrap_or_default())) {
            return message(
                422,
                "There is at least one repository that does not exist or is not accessible to the \
                 parent installation.",
            );
        }
        let token = format!("ghs_canary{:026}", self.tokens.len());
        self.tokens.insert(token.clone());
        let at = Timestamp::from_millis(now().as_millis() + 3_600_000).to_string();
        let at = format!("{}Z", at.get(..19).unwrap());
        let body = json!({
            "token": token, "expires_at": at, "repository_selection": "all",
            "permissions": self.permissions(),
        });
        Reply::new(201, body.to_string())
    }

    /// What the App was granted.
    pub(super) fn permissions(&self) -> Value {
        let asked = json!({
            "actions": "read", "checks": "write", "contents": "read", "deployments": "write",
            "environments": "read", "members": "read", "metadata": "read", "pull_requests": "read",
        });
        self.granted.clone().unwrap_or(asked)
    }
}
