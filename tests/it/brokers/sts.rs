//! AWS's Security Token Service, as strict as it is documented: *AssumeRoleWithWebIdentity* in the STS
//! API Reference, *Create a role for OpenID Connect federation* and *Pass session tags in AWS STS* in
//! the IAM User Guide. What it lets through it answers itself, or asks another to answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::Url;

use crate::support::{Asked, Reply, StandIn, Ways};

/// The role that there is, and its longest session.
pub(super) const ROLE: &str = "arn:aws:iam::123456789012:role/ci/orders-deploy";
const MAX_SESSION: i64 = 3600;
/// Whom the role trusts.
const AUDIENCE: &str = "sts.amazonaws.com";
const SUBJECT: &str = "assent:v1:";

/// A session that was given out.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) name: String,
    pub(super) duration: i64,
    pub(super) claims: Value,
    pub(super) policy: Value,
    pub(super) managed: Vec<String>,
    pub(super) token: String,
}

impl Session {
    /// Whether it may do this at that time, which is written as policies write it: what is denied is
    /// denied, and what nobody allows is not allowed.
    pub(super) fn may(&self, action: &str, resource: &str, at: &str) -> bool {
        let statements = self.policy["Statement"].as_array().unwrap();
        let covers = |one: &&Value| {
            let time = &one["Condition"]["DateGreaterThanEquals"]["aws:CurrentTime"];
            matches(&one["Action"], action)
                && matches(&one["Resource"], resource)
                && time.as_str().is_none_or(|from| at >= from)
        };
        let effects: Vec<_> =
            statements.iter().filter(covers).map(|one| one["Effect"].as_str().unwrap()).collect();
        effects.contains(&"Allow") && !effects.contains(&"Deny")
    }
}

fn matches(pattern: &Value, text: &str) -> bool {
    let one = |pattern: &Value| {
        let pattern = pattern.as_str().unwrap();
        match pattern.strip_suffix('*') {
            Some(start) => text.starts_with(start),
            None => text == pattern,
        }
    };
    pattern.as_array().map_or_else(|| one(pattern), |all| all.iter().any(one))
}

#[derive(Default)]
struct Inside {
    issuer: String,
    sessions: Vec<Session>,
}

/// The running service.
#[derive(Clone)]
pub(super) struct Sts {
    pub(super) stand_in: StandIn,
    inside: Arc<Mutex<Inside>>,
}

/// What is wrong with a call: a code, and a reason.
type Refusal = (&'static str, String);

impl Sts {
    /// By this clock (milliseconds since 1970), and with this one's answers, if any.
    pub(super) async fn start(
        now: impl Fn() -> i64 + Send + Sync + 'static,
        behind: Option<String>,
    ) -> Self {
        let inside = Arc::new(Mutex::new(Inside::default()));
        let (serving, now) = (Arc::clone(&inside), Arc::new(now));
        let stand_in = StandIn::start(move |asked| {
            let (inside, now, behind) = (Arc::clone(&serving), Arc::clone(&now), behind.clone());
            Box::pin(async move {
                let session = match admitted(&asked, &inside, now() / 1000).await {
                    Ok(session) => session,
                    Err((code, problem)) => return refused(code, &problem),
                };
                let count = {
                    let mut inside = inside.lock().unwrap();
                    inside.sessions.push(session.clone());
                    inside.sessions.len()
                };
                match behind {
                    Some(url) => passed_on(&url, asked).await,
                    None => answer(&session, count, now() / 1000),
                }
            })
        })
        .await;
        Self { stand_in, inside }
    }

    /// The identity provider that is registered in the account.
    pub(super) fn trusts(&self, issuer: &str) {
        self.inside.lock().unwrap().issuer = issuer.to_owned();
    }

    /// Every session that was given out.
    pub(super) fn sessions(&self) -> Vec<Session> {
        self.inside.lock().unwrap().sessions.clone()
    }

    pub(super) fn behave(&self, ways: Ways) {
        self.stand_in.behave(ways);
    }
}

/// Everything that is documented of a call, in the order in which a stranger would be told.
async fn admitted(asked: &Asked, inside: &Mutex<Inside>, now: i64) -> Result<Session, Refusal> {
    let invalid = |problem: &str| Err(("ValidationError", problem.to_owned()));
    if (asked.method.as_str(), asked.path.as_str()) != ("POST", "/") {
        return invalid("POST / is the only way in");
    }
    if asked.headers.contains_key("authorization") {
        return invalid("this call is not signed");
    }
    if asked.header("content-type") != "application/x-www-form-urlencoded" {
        return invalid("a form");
    }
    let form: Vec<(String, String)> =
        url::form_urlencoded::parse(&asked.body).into_owned().collect();
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in form {
        if fields.insert(name, value).is_some() {
            return invalid("a field twice");
        }
    }
    let mut take = |name: &str| fields.remove(name).unwrap_or_default();
    if take("Action") != "AssumeRoleWithWebIdentity" || take("Version") != "2011-06-15" {
        return Err(("InvalidAction", "another action or version".to_owned()));
    }
    let (role, name) = (take("RoleArn"), take("RoleSessionName"));
    let (token, policy) = (take("WebIdentityToken"), take("Policy"));
    let duration: i64 = take("DurationSeconds").parse().unwrap_or(-1);
    let managed: Vec<String> =
        (1..=10).map(|n| take(&format!("PolicyArns.member.{n}.arn"))).collect();
    let managed: Vec<String> = managed.into_iter().filter(|arn| !arn.is_empty()).collect();
    if let Some(other) = fields.keys().next() {
        return invalid(&format!("no such field: {other}"));
    }
    let in_name = |c: char| c.is_ascii_alphanumeric() || "_=,.@-+".contains(c);
    if !(2..=64).contains(&name.len()) || !name.chars().all(in_name) {
        return invalid("RoleSessionName");
    }
    if !(900..=43_200).contains(&duration) {
        return invalid("DurationSeconds");
    }
    if policy.chars().count() > 2048 {
        return Err(("PackedPolicyTooLarge", "over 2048 characters".to_owned()));
    }
    let malformed = |problem: &str| Err(("MalformedPolicyDocument", problem.to_owned()));
    let Ok(policy) = serde_json::from_str::<Value>(&policy) else { return malformed("no JSON") };
    let Some(statements) = policy["Statement"].as_array() else { return malformed("Statement") };
    if policy["Version"] != "2012-10-17" || statements.is_empty() {
        return malformed("Version");
    }
    let sids: Vec<_> = statements.iter().filter_map(|one| one["Sid"].as_str()).collect();
    let plain = sids.iter().all(|sid| sid.chars().all(|c| c.is_ascii_alphanumeric()));
    if !plain || sids.len() != sids.iter().collect::<std::collections::BTreeSet<_>>().len() {
        return malformed("Sid");
    }
    if !(4..=20_000).contains(&token.len()) {
        return invalid("WebIdentityToken");
    }
    let issuer = inside.lock().unwrap().issuer.clone();
    let claims = believed(&token, &issuer, now).await?;
    if role != ROLE || !claims["sub"].as_str().unwrap_or_default().starts_with(SUBJECT) {
        let problem = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
        return Err(("AccessDenied", problem.to_owned()));
    }
    if duration > MAX_SESSION {
        let problem = "The requested DurationSeconds exceeds the MaxSessionDuration of the role";
        return invalid(problem);
    }
    check_tags(&claims)?;
    Ok(Session { name, duration, claims, policy, managed, token })
}

/// The claims of a token that the registered provider has signed, by its published keys.
async fn believed(token: &str, issuer: &str, now: i64) -> Result<Value, Refusal> {
    let invalid = |problem: &str| ("InvalidIdentityToken", problem.to_owned());
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else { return Err(invalid("three parts")) };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| invalid("base64url"));
    let json = |part: &str| -> Result<Value, Refusal> {
        serde_json::from_slice(&decode(part)?).map_err(|_| invalid("JSON"))
    };
    let (head, said) = (json(header)?, json(claims)?);
    if said["iss"] != issuer {
        return Err(invalid("No OpenIDConnect provider found in your account"));
    }
    let well_known = format!("{issuer}/.well-known/openid-configuration");
    let metadata = fetched(&well_known).await;
    let keys = fetched(metadata["jwks_uri"].as_str().unwrap()).await;
    let all = keys["keys"].as_array().unwrap();
    let key = all.iter().find(|key| key["kid"] == head["kid"]);
    let key = key.ok_or_else(|| invalid("no such key"))?;
    if head["alg"] != "ES256" || key["alg"] != "ES256" {
        return Err(invalid("the algorithm"));
    }
    let half = |name: &str| decode(key[name].as_str().unwrap());
    let point = [vec![4], half("x")?, half("y")?].concat();
    let signed = format!("{header}.{claims}");
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    let checked = public.verify(signed.as_bytes(), &decode(signature)?);
    checked.map_err(|_| invalid("the signature"))?;
    if said["aud"] != AUDIENCE {
        return Err(invalid("Incorrect token audience"));
    }
    let number = |name: &str| said[name].as_i64().ok_or_else(|| invalid(name));
    let (from, to) = (number("iat")?, number("exp")?);
    if to <= now || from > now + 300 || to - from > 300 {
        return Err(("ExpiredTokenException", "it is not good at this time".to_owned()));
    }
    Ok(said)
}

async fn fetched(url: &str) -> Value {
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

/// The claims that become session tags and the source identity.
fn check_tags(claims: &Value) -> Result<(), Refusal> {
    let invalid = |problem: &str| Err(("InvalidIdentityToken", problem.to_owned()));
    let fits = |text: &str, longest: usize| {
        (1..=longest).contains(&text.len())
            && text.chars().all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c))
    };
    let tags = &claims["https://aws.amazon.com/tags"];
    let principal = tags["principal_tags"].as_object().unwrap();
    if principal.len() > 50 {
        return invalid("more than 50 tags");
    }
    for (key, value) in principal {
        let [Value::String(value)] = &value.as_array().unwrap()[..] else {
            return invalid("a tag has one value");
        };
        if !fits(key, 128) || !fits(value, 256) {
            return invalid(&format!("the tag {key}"));
        }
    }
    let transitive = tags["transitive_tag_keys"].as_array().unwrap();
    if !transitive.iter().all(|key| principal.contains_key(key.as_str().unwrap())) {
        return invalid("a transitive tag that is none");
    }
    let identity = claims["https://aws.amazon.com/source_identity"].as_str().unwrap();
    let in_identity = |c: char| c.is_ascii_alphanumeric() || "_=,.@-+".contains(c);
    if !(2..=64).contains(&identity.len()) || !identity.chars().all(in_identity) {
        return invalid("the source identity");
    }
    Ok(())
}

/// As STS says no.
pub(super) fn refused(code: &str, problem: &str) -> Reply {
    let status = if code == "AccessDenied" { 403 } else { 400 };
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>{problem}</Message></Error><RequestId>r-1</RequestId>\
         </ErrorResponse>"
    );
    Reply::new(status, body)
}

/// What a session is told as, which a test may change.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) arn: String,
    pub(super) key: String,
    pub(super) secret: String,
    pub(super) token: String,
    pub(super) expiration: String,
    pub(super) more: String,
}

impl Told {
    pub(super) fn honest(name: &str, count: usize, until: i64) -> Self {
        let at = assent_core::time::Timestamp::from_millis(until * 1000).to_string();
        Self {
            arn: format!("arn:aws:sts::123456789012:assumed-role/orders-deploy/{name}"),
            key: format!("ASIA{count:016}"),
            secret: format!("canary/secret+access/key/{count:016}"),
            token: format!("canary//session+token/{count:016}/{}==", "x".repeat(300)),
            expiration: format!("{}Z", &at[..19]),
            more: String::new(),
        }
    }

    pub(super) fn reply(&self) -> Reply {
        let Self { arn, key, secret, token, expiration, more } = self;
        let body = format!(
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleWithWebIdentityResult><AssumedRoleUser><Arn>{arn}</Arn>\
             <AssumedRoleId>AROA1:x</AssumedRoleId></AssumedRoleUser><Credentials>\
             <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
             <SessionToken>{token}</SessionToken><Expiration>{expiration}</Expiration>\
             </Credentials>{more}</AssumeRoleWithWebIdentityResult><ResponseMetadata>\
             <RequestId>r-1</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>"
        );
        Reply::new(200, body)
    }
}

fn answer(session: &Session, count: usize, now: i64) -> Reply {
    let mut told = Told::honest(&session.name, count, now + session.duration);
    let identity = session.claims["https://aws.amazon.com/source_identity"].as_str().unwrap();
    told.more = format!(
        "<SourceIdentity>{identity}</SourceIdentity><PackedPolicySize>40</PackedPolicySize>\
         <Audience>{AUDIENCE}</Audience>"
    );
    told.reply()
}

async fn passed_on(url: &str, asked: Asked) -> Reply {
    let call = reqwest::Client::new().post(url.parse::<Url>().unwrap());
    let call = call.header("content-type", asked.header("content-type")).body(asked.body);
    let answer = call.send().await.unwrap();
    Reply::new(answer.status().as_u16(), answer.text().await.unwrap())
}

/// What `brokers.yaml` says of it.
pub(super) fn brokers_yaml(url: &str) -> String {
    let bucket = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
         "Resource": "arn:aws:s3:::{{target.bucket}}/*"},
    ]});
    format!(
        "
apiVersion: assent/v1
kind: Brokers
brokers:
  aws-orders:
    type: aws
    region: eu-central-1
    endpoint: {url}
    roles:
      deploy: {{arn: '{ROLE}'}}
      bucket: {{arn: '{ROLE}', policy: {bucket}}}
      managed: {{arn: '{ROLE}', policy_arns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'], chaining: allow}}
      elsewhere: {{arn: 'arn:aws:iam::210987654321:role/admin'}}
"
    )
}
