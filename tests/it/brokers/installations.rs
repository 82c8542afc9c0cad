//! GitHub, as far as installation tokens go, as strict as its REST API is documented: *Create an
//! installation access token for an app*, *Revoke an installation access token*.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex};

use assent_core::time::Timestamp;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{Asked, Reply, StandIn};

/// The App's id and its installation's.
pub(super) const APP: &str = "12345";
pub(super) const INSTALLATION: u64 = 7;
/// The repositories that the installation has.
const REPOSITORIES: [u64; 3] = [1, 2, 3];

/// The App's key.
static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

/// The App's private key, as PEM.
pub(super) fn private_key() -> String {
    let der: Pkcs8V1Der<'_> = KEY.as_der().unwrap();
    let encoded = STANDARD.encode(der.as_ref());
    let lines: Vec<_> = encoded.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let kind = "PRIVATE KEY";
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

/// A token that was made.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) asked: Value,
}

#[derive(Default)]
struct Inside {
    made: Vec<Token>,
    revoked: BTreeSet<String>,
    forgetful: bool,
}

/// The running service.
#[derive(Clone)]
pub(super) struct Github {
    pub(super) stand_in: StandIn,
    inside: Arc<Mutex<Inside>>,
}

impl Github {
    /// By this clock (milliseconds since 1970). What it does not know itself, this one answers.
    pub(super) async fn start(
        now: impl Fn() -> i64 + Send + Sync + 'static,
        behind: Option<String>,
    ) -> Self {
        let inside = Arc::new(Mutex::new(Inside::default()));
        let (serving, now) = (Arc::clone(&inside), Arc::new(now));
        let stand_in = StandIn::start(move |asked| {
            let (inside, now, behind) = (Arc::clone(&serving), Arc::clone(&now), behind.clone());
            Box::pin(async move { answered(asked, &inside, now(), behind).await })
        })
        .await;
        Self { stand_in, inside }
    }

    /// Every token that was made.
    pub(super) fn made(&self) -> Vec<Token> {
        self.inside.lock().unwrap().made.clone()
    }

    /// Those that are good still.
    pub(super) fn good(&self) -> Vec<String> {
        let inside = self.inside.lock().unwrap();
        let good = inside.made.iter().filter(|token| !inside.revoked.contains(&token.text));
        good.map(|token| token.text.clone()).collect()
    }

    /// As if its time had come, or somebody else had revoked it.
    pub(super) fn end(&self, token: &str) {
        self.inside.lock().unwrap().revoked.insert(token.to_owned());
    }

    /// From now on it says of everything that it is not authorized.
    pub(super) fn forget(&self) {
        self.inside.lock().unwrap().forgetful = true;
    }
}

async fn answered(asked: Asked, inside: &Mutex<Inside>, now: i64, behind: Option<String>) -> Reply {
    if inside.lock().unwrap().forgetful {
        return message(401, "Bad credentials");
    }
    let tokens = format!("/app/installations/{INSTALLATION}/access_tokens");
    let api = asked.header("accept") == "application/vnd.github+json"
        && asked.header("x-github-api-version") == "2022-11-28"
        && asked.header("user-agent").starts_with("assent/");
    match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", path) if path == tokens && api => {
            if let Err(problem) = is_app(asked.bearer(), now / 1000) {
                return message(401, problem);
            }
            let wanted: Value = serde_json::from_slice(&asked.body).unwrap();
            if let Err(problem) = is_granted(&wanted) {
                return message(422, problem);
            }
            let reply = match &behind {
                Some(url) => passed_on(url, &asked).await,
                None => {
                    let count = inside.lock().unwrap().made.len();
                    Reply::new(201, answer(&wanted, &secret(count), now).to_string())
                }
            };
            if reply.status == 201 {
                let text = serde_json::from_str::<Value>(&reply.body).unwrap()["token"].clone();
                let text = text.as_str().unwrap().to_owned();
                inside.lock().unwrap().made.push(Token { text, asked: wanted });
            }
            reply
        }
        ("DELETE", "/installation/token") if api => {
            let mut inside = inside.lock().unwrap();
            let token = asked.bearer().to_owned();
            let made = inside.made.iter().any(|one| one.text == token);
            match made && inside.revoked.insert(token) {
                true => Reply::new(204, ""),
                false => message(401, "Bad credentials"),
            }
        }
        ("GET", "/app") if api => match is_app(asked.bearer(), now / 1000) {
            Ok(()) => Reply::new(200, json!({"id": 12345, "slug": "assent"}).to_string()),
            Err(problem) => message(401, problem),
        },
        _ if inside.lock().unwrap().revoked.contains(asked.bearer()) => {
            message(401, "Bad credentials")
        }
        _ => match behind {
            Some(url) => passed_on(&url, &asked).await,
            None => message(404, "Not Found"),
        },
    }
}

/// A secret as GitHub makes them.
pub(super) fn secret(count: usize) -> String {
    format!("ghs_canary{count:026}")
}

pub(super) fn message(status: u16, text: &str) -> Reply {
    Reply::new(status, json!({"message": text, "status": status.to_string()}).to_string())
}

/// What GitHub answers to this.
pub(super) fn answer(wanted: &Value, token: &str, now: i64) -> Value {
    let at = Timestamp::from_millis(now + 3_600_000).to_string();
    let mut permissions = wanted["permissions"].clone();
    permissions["metadata"] = json!("read");
    let mut whole = json!({
        "token": token, "expires_at": format!("{}Z", &at[..19]), "permissions": permissions,
        "repository_selection": "all",
    });
    if let Some(ids) = wanted["repository_ids"].as_array() {
        let each = ids.iter().map(|id| json!({"id": id, "full_name": format!("acme/{id}")}));
        whole["repository_selection"] = json!("selected");
        whole["repositories"] = each.collect();
    }
    whole
}

/// Whether the App itself calls: RS256, from a time that is past to one that is at most ten minutes
/// away.
fn is_app(token: &str, now: i64) -> Result<(), &'static str> {
    let undecodable = "A JSON web token could not be decoded";
    let parts: Vec<&str> = token.split('.').collect();
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
    if header["alg"] != "RS256" || claims["iss"] != APP {
        return Err("'Issuer' claim ('iss') must be an Integer or a client id");
    }
    let number = |name: &str| claims[name].as_i64().ok_or(undecodable);
    let (from, to) = (number("iat")?, number("exp")?);
    if from > now {
        return Err("'Issued at' claim ('iat') must be an Integer representing the past");
    }
    match to > now && to <= now + 600 {
        true => Ok(()),
        false => Err("'Expiration time' claim ('exp') is too far in the future"),
    }
}

/// Whether the installation has what is wanted.
fn is_granted(wanted: &Value) -> Result<(), &'static str> {
    let known = ["repository_ids", "permissions"];
    if !wanted.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())) {
        return Err("Invalid request");
    }
    let ids = wanted["repository_ids"].as_array();
    let is_ours = |id: &Value| REPOSITORIES.contains(&id.as_u64().unwrap_or(0));
    if ids.is_some_and(|ids| ids.is_empty() || !ids.iter().all(is_ours)) {
        return Err(
            "There is at least one repository that does not exist or is not accessible to the \
             parent installation.",
        );
    }
    let granted =
        [("contents", "read"), ("issues", "write"), ("issues", "read"), ("metadata", "read")];
    let fits = |(name, level): (&String, &Value)| {
        granted.contains(&(name.as_str(), level.as_str().unwrap_or_default()))
    };
    match wanted["permissions"].as_object().unwrap().iter().all(fits) {
        true => Ok(()),
        false => Err("The permissions requested are not granted to this installation."),
    }
}

async fn passed_on(url: &str, asked: &Asked) -> Reply {
    let method = asked.method.parse().unwrap();
    let mut call = reqwest::Client::new().request(method, format!("{url}{}", asked.path));
    for name in ["authorization", "accept", "content-type", "x-github-api-version"] {
        if let Some(value) = asked.headers.get(name) {
            call = call.header(name, value);
        }
    }
    let answer = call.body(asked.body.clone()).send().await.unwrap();
    Reply::new(answer.status().as_u16(), answer.text().await.unwrap())
}

/// What `brokers.yaml` says of it, with the App's key in this place.
pub(super) fn brokers_yaml(url: &str, key: &str) -> String {
    format!(
        "
apiVersion: assent/v1
kind: Brokers
brokers:
  github-orders:
    type: github
    api_url: {url}
    app: '{APP}'
    installation: {INSTALLATION}
    {key}
    roles:
      triage: {{repositories: [1], permissions: {{issues: write}}}}
      reader: {{repositories: [1, 2], permissions: {{contents: read}}}}
      everything: {{repositories: all, permissions: {{issues: read}}}}
      administrator: {{repositories: [1], permissions: {{administration: write}}}}
"
    )
}
