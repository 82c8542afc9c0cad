//! AWS: a session of a role for one credential, by `AssumeRoleWithWebIdentity` with a token that the
//! authority signs itself. It needs no credentials of AWS.
//!
//! A session lasts for 15 minutes at least, and nothing ends it. So its inline session policy denies
//! everything from the credential's end on, and, unless it is set up otherwise, the way into another
//! role, whose session would know no such end. Until then a session works, whatever happens to the
//! credential: that is on record before it is opened.
//!
//! What is demanded of the call and of the token: AWS STS API Reference, `AssumeRoleWithWebIdentity`;
//! IAM User Guide, *Pass session tags in AWS STS*, *Monitor and control actions taken with assumed
//! roles*, *IAM and AWS STS quotas*.

mod call;
mod session;
mod settings;

use assent_core::credential::{Assertion, Secret};
use assent_core::grant::Grant;
use assent_core::time::{Span, Timestamp};
use async_trait::async_trait;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityOutput;
use serde_json::{Map, Value, json};
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

use super::outside::word;
use super::settings::SettingsFault;
use super::{Broker, BrokerError, Closed, Closing, Fields, Opening, Recall, Sought};
use session::Facts;
use settings::Role;

pub use settings::AwsSettings;

/// For how long the token is good by which the authority calls AWS.
const ASSERTED: Span = Span::minutes(5);
/// The shortest session.
const SHORTEST: Span = Span::minutes(15);
/// By how much clocks may differ.
const LEEWAY: Span = Span::minutes(5);

/// The roles of an account that may be granted.
#[derive(Debug)]
pub struct Aws {
    target: settings::Target,
    sts: aws_sdk_sts::Client,
}

impl Aws {
    /// Set up like this.
    ///
    /// # Errors
    /// [`SettingsFault`].
    pub fn new(settings: AwsSettings) -> Result<Self, SettingsFault> {
        let target = settings.settled()?;
        let sts = call::client(&target);
        Ok(Self { target, sts })
    }
}

#[async_trait]
impl Broker for Aws {
    fn check(&self, sought: &Sought<'_>) -> Result<(), String> {
        let role = self.target.roles.named(sought.role)?;
        let facts = Facts::sought(sought.intent);
        role.policy.filled(&facts, Timestamp::from_millis(0)).map(drop)
    }

    fn recall(&self) -> Recall {
        Recall::OnlyExpires
    }

    async fn open(&self, opening: &Opening<'_>) -> Result<Fields, BrokerError> {
        let grant = opening.grant();
        let role = self.target.roles.named(opening.role()).map_err(BrokerError::Refused)?;
        let until = opening.until();
        let policy = role.policy.filled(&Facts::granted(grant), until);
        let policy = policy.map_err(BrokerError::Refused)?;
        let now = opening.now();
        let lasts = now.until(until).max(SHORTEST).min(role.max_session);
        let token = opening.assert(&Assertion {
            audience: &self.target.audience,
            issued_at: now,
            expires_at: now.plus(ASSERTED),
            more: claims(grant),
        })?;
        let call = self
            .sts
            .assume_role_with_web_identity()
            .role_arn(role.arn.to_string())
            .role_session_name(opening.name().as_str())
            .web_identity_token(token.expose())
            .set_policy_arns(role.policy_arns())
            .policy(policy)
            .duration_seconds(whole_seconds(lasts));
        // The SDK's own log holds what it sends and is sent, where somebody listens closely enough.
        let answer = call.send().with_subscriber(NoSubscriber::default()).await;
        let answer = answer.map_err(|error| call::told(&error))?;
        let latest = now.plus(lasts).plus(LEEWAY);
        let session = Session::of(&answer, role, opening, now, latest);
        let session = session.map_err(|problem| {
            BrokerError::Refused(format!("STS answered what was not asked for: {problem}"))
        })?;
        Ok(session.fields(&self.target.region, until))
    }

    async fn close(&self, closing: &Closing<'_>) -> Result<Closed, BrokerError> {
        match closing.now() < closing.expires_at() {
            true => Ok(Closed::Outlives(closing.expires_at())),
            false => Ok(Closed::Gone),
        }
    }
}

/// What CloudTrail and conditions see of the approval. Session tags are transitive, so that they
/// stay where a way into another role is left open.
fn claims(grant: &Grant) -> Map<String, Value> {
    let tags = [
        ("AssentRequest", grant.request().to_string()),
        ("AssentCredential", grant.credential().to_string()),
        ("AssentDigest", grant.digest().to_string()),
        ("AssentEnvironment", grant.environment().to_owned()),
        ("AssentKind", grant.kind().to_owned()),
    ];
    let names = tags.each_ref().map(|(name, _)| *name);
    let tags = tags.map(|(name, value)| (name.to_owned(), json!([value])));
    let tags = json!({"principal_tags": Map::from_iter(tags), "transitive_tag_keys": names});
    Map::from_iter([
        ("https://aws.amazon.com/tags".to_owned(), tags),
        ("https://aws.amazon.com/source_identity".to_owned(), json!(grant.request().to_string())),
    ])
}

/// Never less than the span.
fn whole_seconds(span: Span) -> i32 {
    let seconds = span.as_seconds() + u64::from(Span::seconds(span.as_seconds()) != span);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// A session as STS gave it.
struct Session {
    access_key_id: Secret,
    secret_access_key: Secret,
    session_token: Secret,
    expires_at: Timestamp,
    assumed: String,
}

impl Session {
    /// The session in this answer, which must be of the role, the name and the time that were asked
    /// for.
    fn of(
        answer: &AssumeRoleWithWebIdentityOutput,
        role: &Role,
        opening: &Opening<'_>,
        now: Timestamp,
        latest: Timestamp,
    ) -> Result<Self, String> {
        let given = answer.credentials().ok_or("no credentials")?;
        let user = answer.assumed_role_user().ok_or("nobody's role")?;
        if !role.arn.is_assumed_as(user.arn(), opening.name().as_str()) {
            return Err("a session of another account, role or name".to_owned());
        }
        let request = opening.grant().request().to_string();
        if answer.source_identity().is_some_and(|said| said != request) {
            return Err("a session of another source identity".to_owned());
        }
        let expires_at = Timestamp::from_millis(given.expiration().secs().saturating_mul(1000));
        if expires_at <= now || expires_at > latest {
            return Err("a session that is over or lasts longer".to_owned());
        }
        let part = |what, text, longest| {
            word(text, longest).ok_or_else(|| format!("{what} that is no word"))
        };
        Ok(Self {
            access_key_id: part("an access key id", given.access_key_id(), 128)?,
            secret_access_key: part("a secret access key", given.secret_access_key(), 256)?,
            session_token: part("a session token", given.session_token(), 16 * 1024)?,
            expires_at,
            assumed: user.arn().to_owned(),
        })
    }

    /// As a caller is told. The credential's end is the session's, whatever AWS calls it.
    fn fields(self, region: &str, until: Timestamp) -> Fields {
        let expires_at = Secret::new(self.expires_at.min(until).to_string());
        Fields::from([
            ("access_key_id", self.access_key_id),
            ("secret_access_key", self.secret_access_key),
            ("session_token", self.session_token),
            ("region", Secret::new(region.to_owned())),
            ("assumed_role_arn", Secret::new(self.assumed)),
            ("expires_at", expires_at),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lasts_for_whole_seconds() {
        assert_eq!(whole_seconds(Span::minutes(15)), 900);
        assert_eq!(whole_seconds(Span::from_millis(900_001)), 901);
    }
}
