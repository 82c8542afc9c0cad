//! The one typed HTTP client of the authority, shared by provider, action and command line.
//!
//! Only this crate knows URLs and retry. It never decides anything about approval, never stores a
//! token, and never retries a call that changes something without its idempotency key.

mod device;
mod error;
mod exchange;
mod heartbeat;
mod policy;
mod settings;
mod token;
mod transport;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use assent_core::credential::{KeyError, Secret as CoreSecret};
use assent_core::digest::Digest;
pub use assent_core::wire;
pub use device::DeviceLogin;
pub use error::{ClientError, ErrorKind};
pub use exchange::FreshToken;
pub use reqwest::Client as HttpClient;
use serde_json::{Value, json};
pub use settings::{Retry, Roots, Settings};
pub use token::{Identity, IdentitySource, TokenSource};
use transport::{Call, Transport};
pub use url::Url;
pub use wait::Progress;

/// How long a large body may take, either way: a little less than the authority gives a call.
const LARGE: Duration = Duration::from_secs(85);
/// The largest plan that an authority keeps.
const LARGEST_PLAN: usize = 32 * 1024 * 1024;

/// A secret text that cannot print itself.
pub type Secret = CoreSecret;

/// A key that makes a changing call safe to repeat. One key for one wish, however often it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// A key for a new wish, from 128 bits of chance.
    pub fn fresh() -> Self {
        let mut chance = [0_u8; 16];
        // If there is no chance to be had, the key is all zeros and the authority answers 422 to
        // the second wish that uses it: wrong loudly, never done twice.
        let _ = aws_lc_rs::rand::fill(&mut chance);
        Self(chance.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The key of a wish that is known again by this digest, also by whoever has forgotten it.
    pub fn of(wish: Digest) -> Self {
        Self(wish.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The key as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A connection to one authority. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    transport: Arc<Transport>,
}

impl Client {
    /// Makes ready; nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a URL that is not http or https, or http to anywhere but loopback;
    /// or for one that holds more than where the authority is.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        Ok(Self { transport: Arc::new(Transport::new(settings)?) })
    }

    /// The same over a connection that somebody else has made ready, for nobody in particular and
    /// with nothing sent twice. An answer of more bytes than `largest` is none.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn over(
        http: HttpClient,
        url: Url,
        timeout: Duration,
        largest: usize,
    ) -> Result<Self, ClientError> {
        Ok(Self { transport: Arc::new(Transport::over(http, url, timeout, largest)?) })
    }

    /// The authority's base URL, without a slash at the end.
    pub fn base(&self) -> &str {
        self.transport.base()
    }

    /// The same connection, for whoever has this token.
    #[must_use]
    pub fn with_token(&self, token: Secret) -> Self {
        Self { transport: Arc::new(self.transport.with_token(token)) }
    }

    /// Who the caller is.
    ///
    /// # Errors
    /// [`ClientError`], like every call here.
    pub async fn whoami(&self) -> Result<wire::Whoami, ClientError> {
        self.transport.send(Call::get("/v1/whoami")).await
    }

    /// Asks what policy would say; nothing is stored.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn decide(&self, filing: &wire::Filing) -> Result<wire::Decision, ClientError> {
        self.transport.send(Call::ask("/v1/decisions", &filing.intent)).await
    }

    /// Files an intent.
    ///
    /// # Errors
    /// [`ClientError`]. A refusal by policy is no error: it is a request that is denied.
    pub async fn file(
        &self,
        filing: &wire::Filing,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        self.transport.send(Call::change("/v1/requests", filing, key)).await
    }

    /// One request.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn request(&self, id: &str) -> Result<wire::Request, ClientError> {
        self.transport.send(Call::get(&path("/v1/requests/{}", id))).await
    }

    /// Requests, newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn requests(&self, query: &[(&str, &str)]) -> Result<wire::Requests, ClientError> {
        self.transport.send(Call::get("/v1/requests").with_query(query)).await
    }

    /// Waits until the request has a later version than this, or until the timeout, and answers
    /// with it as it is then. One leg of a long poll: at most 60 seconds are useful.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn wait(
        &self,
        id: &str,
        after: u64,
        timeout: Duration,
    ) -> Result<wire::Request, ClientError> {
        let (after, seconds) = (after.to_string(), timeout.as_secs().to_string());
        let call = Call::get(&path("/v1/requests/{}/wait", id))
            .with_query(&[("after", &after), ("timeout", &format!("{seconds}s"))])
            .patient(timeout + Duration::from_secs(10));
        self.transport.send_once(call).await
    }

    /// Casts a review.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn review(
        &self,
        id: &str,
        review: &wire::NewReview,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        self.transport.send(Call::change(&path("/v1/requests/{}/reviews", id), review, key)).await
    }

    /// A person's verdict on what was granted without asking anybody: it was right, or not.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn review_afterwards(
        &self,
        id: &str,
        review: &wire::NewReview,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        let path = path("/v1/requests/{}/post-reviews", id);
        self.transport.send(Call::change(&path, review, key)).await
    }

    /// Withdraws a pending request.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn cancel(
        &self,
        id: &str,
        reason: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        let body = wire::Reason { reason: reason.to_owned() };
        self.transport.send(Call::change(&path("/v1/requests/{}/cancel", id), &body, key)).await
    }

    /// Takes a grant and its credentials back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke(
        &self,
        id: &str,
        reason: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        let body = wire::Reason { reason: reason.to_owned() };
        self.transport.send(Call::change(&path("/v1/requests/{}/revoke", id), &body, key)).await
    }

    /// Says that the action begins: from then on no filing meets the request.
    ///
    /// # Errors
    /// [`ClientError`]; code `begun_already` where another call was first.
    pub async fn begin(
        &self,
        id: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        self.transport.send(Call::change(&path("/v1/requests/{}/begin", id), &json!({}), key)).await
    }

    /// The caller's newest request with exactly this intent; `None` if there is none.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn newest_of(&self, intent: &str) -> Result<Option<wire::Request>, ClientError> {
        some(self.transport.send(Call::get(&path("/v1/intents/{}", intent))).await)
    }

    /// Says that the action is over.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn complete(
        &self,
        id: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        self.transport
            .send(Call::change(&path("/v1/requests/{}/complete", id), &json!({}), key))
            .await
    }

    /// Hands a plan in, as `terraform show -json` prints it, and says of which saved plan file it
    /// is. Safe to repeat: a plan is named by its digest.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn hand_in_plan(
        &self,
        json: Vec<u8>,
        saved: Option<&str>,
    ) -> Result<wire::plan::Plan, ClientError> {
        let saved: Vec<_> = saved.into_iter().map(|saved| ("saved", saved)).collect();
        let call = Call::raw("/v1/plans", json).with_query(&saved);
        self.transport.send(call.patient(LARGE)).await
    }

    /// The digest of the plan that was handed in for this saved plan file; `None` if none was.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn plan_of_saved(&self, saved: &str) -> Result<Option<String>, ClientError> {
        let call = Call::get(&path("/v1/plans/saved/{}", saved));
        let found: Option<wire::plan::Saved> = some(self.transport.send(call).await)?;
        Ok(found.map(|found| found.plan))
    }

    /// What is kept of a plan that was handed in.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn plan(&self, digest: &str) -> Result<wire::plan::Plan, ClientError> {
        self.transport.send(Call::get(&path("/v1/plans/{}", digest))).await
    }

    /// Hands over the bytes of the exact plan that a request names. Safe to repeat: they are kept once.
    ///
    /// # Errors
    /// [`ClientError`]; code `digest_mismatch` where they are not those that the request names.
    pub async fn send_plan(&self, id: &str, bytes: Vec<u8>) -> Result<wire::Request, ClientError> {
        let call = Call::put_bytes(&path("/v1/requests/{}/plan", id), bytes);
        self.transport.send(call.patient(LARGE)).await
    }

    /// The bytes of the exact plan that a request names, which are given once; repeated with its key,
    /// the call gives them again. Whoever uses them holds them against the digest of the intent.
    ///
    /// # Errors
    /// [`ClientError`]; code `plan_fetched` the second time, `other_run` from another run.
    pub async fn fetch_plan(&self, id: &str, key: &IdempotencyKey) -> Result<Vec<u8>, ClientError> {
        let call = Call::once(&path("/v1/requests/{}/plan", id), key, LARGEST_PLAN);
        self.transport.send_for_bytes(call.patient(LARGE)).await
    }

    /// Mints a credential. Repeated with its key, it gives the same credential again.
    ///
    /// What a broker opens beside it is opened anew by each repetition. So an answer that was lost is
    /// asked for again, but what failed behind the authority is not: that is for whoever calls to decide.
    ///
    /// # Errors
    /// [`ClientError`]; code `not_opened` where the broker could not open what was wanted.
    pub async fn mint(
        &self,
        id: &str,
        wanted: &wire::MintRequest,
        key: &IdempotencyKey,
    ) -> Result<wire::Credential, ClientError> {
        let path = path("/v1/requests/{}/credentials", id);
        let call = Call::change(&path, wanted, key);
        let call = if wanted.broker.is_some() { call.opening() } else { call };
        self.transport.send(call).await
    }

    /// Lists credentials: `state`, `environment`, `kind`, `requester`, `cursor` and `limit`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn credentials(
        &self,
        query: &[(&str, &str)],
    ) -> Result<wire::CredentialList, ClientError> {
        self.transport.send(Call::get("/v1/credentials").with_query(query)).await
    }

    /// Ends every grant and credential that fits.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke_all(
        &self,
        wanted: &wire::Revocation,
        key: &IdempotencyKey,
    ) -> Result<wire::Revoked, ClientError> {
        let call = Call::change("/v1/revocations", wanted, key);
        self.transport.send(call.patient(Duration::from_secs(120))).await
    }

    /// Sends a sign of life for a credential.
    ///
    /// # Errors
    /// [`ClientError`]; code `credential_over` where there is nothing left to hold.
    pub async fn heartbeat(&self, credential: &str) -> Result<wire::Heartbeat, ClientError> {
        let path = path("/v1/credentials/{}/heartbeat", credential);
        self.transport.send(Call::change(&path, &json!({}), &IdempotencyKey::fresh())).await
    }

    /// Mints a credential that is bound to a key (RFC 9449). `prove` makes a proof for a call by `POST`
    /// of this URL, with this nonce where the authority asks for one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn mint_bound(
        &self,
        id: &str,
        wanted: &wire::MintRequest,
        key: &IdempotencyKey,
        prove: impl Fn(&str, Option<&str>) -> Result<String, KeyError>,
    ) -> Result<wire::Credential, ClientError> {
        let path = path("/v1/requests/{}/credentials", id);
        let url = format!("{}{path}", self.transport.base());
        let send = async |nonce: Option<&str>| {
            let fault = |error| ClientError::usage(format!("no proof can be made: {error}"));
            let proof = prove(&url, nonce).map_err(fault)?;
            self.transport.send_once(Call::change(&path, wanted, key).proven(proof)).await
        };
        match send(None).await {
            Err(error) if error.code() == Some("use_dpop_nonce") => {
                send(error.nonce.as_deref()).await
            }
            settled => settled,
        }
    }

    /// Takes one credential back, by its id.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke_credential(
        &self,
        credential: &str,
        key: &IdempotencyKey,
    ) -> Result<(), ClientError> {
        let path = path("/v1/credentials/{}/revoke", credential);
        let _: Value = self.transport.send(Call::change(&path, &json!({}), key)).await?;
        Ok(())
    }

    /// Looks at a credential that is held: an error once it has ended, so that whoever holds it
    /// learns of it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn credential(
        &self,
        credential: &str,
    ) -> Result<wire::CredentialStatus, ClientError> {
        self.transport.send(Call::get(&path("/v1/credentials/{}", credential))).await
    }

    /// Asks the authority whether a token is good now (RFC 7662).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn introspect(&self, token: &Secret) -> Result<wire::Introspection, ClientError> {
        self.transport.send(Call::form("/oauth/introspect", &[("token", token.expose())])).await
    }

    /// Spends a single-use token; the second time it is refused.
    ///
    /// # Errors
    /// [`ClientError`]; code `credential_spent` the second time.
    pub async fn redeem(
        &self,
        token: &Secret,
        audience: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Introspection, ClientError> {
        let body = json!({"token": token.expose(), "audience": audience});
        self.transport.send(Call::change("/v1/credentials/redeem", &body, key)).await
    }

    /// The authority's public keys (RFC 7517).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn jwks(&self) -> Result<Value, ClientError> {
        self.transport.send(Call::get("/.well-known/jwks.json")).await
    }

    /// The authority's metadata: its issuer above all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn discovery(&self) -> Result<Value, ClientError> {
        self.transport.send(Call::get("/.well-known/openid-configuration")).await
    }

    /// How long the audit log is, and its root.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn checkpoint(&self) -> Result<wire::Checkpoint, ClientError> {
        self.transport.send(Call::get("/v1/audit/checkpoint")).await
    }

    /// Entries of the audit log from this index on, at most a thousand.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn entries(&self, from: u64) -> Result<wire::Entries, ClientError> {
        let from = from.to_string();
        self.transport.send(Call::get("/v1/audit/entries").with_query(&[("from", &from)])).await
    }

    /// Entries from this index on; waits for one if there is none yet.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn await_entries(
        &self,
        from: u64,
        timeout: Duration,
    ) -> Result<wire::Entries, ClientError> {
        let (from, wait) = (from.to_string(), format!("{}s", timeout.as_secs()));
        let call = Call::get("/v1/audit/entries")
            .with_query(&[("from", &from), ("wait", &wait)])
            .patient(timeout + Duration::from_secs(10));
        self.transport.send_once(call).await
    }

    /// Makes the first administrator, with the one-time code of the first start.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn bootstrap(
        &self,
        code: &str,
        sub: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::FreshAccess, ClientError> {
        let body = wire::Bootstrap { code: code.to_owned(), sub: sub.to_owned() };
        self.transport.send(Call::change("/v1/bootstrap", &body, key)).await
    }

    /// Makes an access token.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_access(
        &self,
        wanted: &wire::NewAccess,
        key: &IdempotencyKey,
    ) -> Result<wire::FreshAccess, ClientError> {
        self.transport.send(Call::change("/v1/access", wanted, key)).await
    }

    /// Everything that other systems have told.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn signals(&self) -> Result<wire::Signals, ClientError> {
        self.transport.send(Call::get("/v1/signals")).await
    }

    /// Tells what is the matter with a subject, or takes it back.
    ///
    /// # Errors
    /// [`ClientError`]; code `not_a_source` where policy does not let the caller tell it.
    pub async fn tell(
        &self,
        signal: &wire::NewSignal,
        key: &IdempotencyKey,
    ) -> Result<wire::ToldSignal, ClientError> {
        self.transport.send(Call::change("/v1/signals", signal, key)).await
    }

    /// All access tokens' records.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn access_list(&self) -> Result<wire::AccessList, ClientError> {
        self.transport.send(Call::get("/v1/access")).await
    }

    /// Every signing key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn signing_keys(&self) -> Result<wire::Keys, ClientError> {
        self.transport.send(Call::get("/v1/keys")).await
    }

    /// Makes a signing key, or brings one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn make_key(
        &self,
        wanted: &wire::NewKey,
        key: &IdempotencyKey,
    ) -> Result<wire::Key, ClientError> {
        self.transport.send(Call::change("/v1/keys", wanted, key)).await
    }

    /// Takes a signing key out of use.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn retire_key(
        &self,
        id: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Key, ClientError> {
        self.transport.send(Call::change(&path("/v1/keys/{}/retire", id), &json!({}), key)).await
    }

    /// Takes a signing key out at once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke_key(
        &self,
        id: &str,
        reason: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Key, ClientError> {
        let body = json!({"reason": reason});
        self.transport.send(Call::change(&path("/v1/keys/{}/revoke", id), &body, key)).await
    }

    /// Takes an access token back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke_access(
        &self,
        id: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Access, ClientError> {
        self.transport.send(Call::change(&path("/v1/access/{}/revoke", id), &json!({}), key)).await
    }
}

/// An answer that may say that there is nothing. Only the server itself says so, not a proxy.
fn some<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.problem.as_ref().is_some_and(|said| said.code == "not_found") => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Puts one id into a path, so that no id can leave its segment.
fn path(template: &str, id: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let id: String = id
        .bytes()
        .map(|b| if safe(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    template.replacen("{}", &id, 1)
}
