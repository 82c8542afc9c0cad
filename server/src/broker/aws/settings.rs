//! How an AWS broker is set up.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use assent_core::time::Span;
use aws_sdk_sts::types::PolicyDescriptorType;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::SHORTEST;
use super::session::SessionPolicy;
use crate::broker::outside::{Outside, address};
use crate::broker::settings::{Roles, SettingsFault, bad};

/// The longest session of any role (STS API Reference, `DurationSeconds`).
const LONGEST: Span = Span::hours(12);
/// How many managed session policies there may be (STS API Reference, `PolicyArns`).
const MANAGED: usize = 10;

/// As it is written in a file of brokers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSettings {
    /// The region whose STS is called, and which callers are told.
    region: String,
    /// Where that is, if not where AWS says: a VPC's own endpoint.
    endpoint: Option<String>,
    /// The certificates, as PEM, of those who may vouch for it beside the system's.
    ca_file: Option<PathBuf>,
    /// For whom the authority's token is, as the identity provider in IAM lists it.
    #[serde(default = "audience")]
    audience: String,
    /// The roles that may be granted, under the names that rules know them by.
    roles: BTreeMap<String, RoleSettings>,
}

/// One role, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleSettings {
    /// Which.
    arn: String,
    /// The longest session that the role itself allows.
    max_session: Option<String>,
    /// What of the role's permissions a session has.
    policy: Option<Value>,
    /// The file that says so.
    policy_file: Option<PathBuf>,
    /// Managed policies that say so.
    #[serde(default)]
    policy_arns: Vec<String>,
    /// Whether a session may go on to another role.
    #[serde(default)]
    chaining: Chaining,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Chaining {
    #[default]
    Deny,
    Allow,
}

fn audience() -> String {
    "sts.amazonaws.com".to_owned()
}

/// The roles, and where to ask for them.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) region: String,
    pub(super) endpoint: Option<Url>,
    pub(super) audience: String,
    pub(super) outside: Outside,
    pub(super) roles: Roles<Role>,
}

/// A role that may be granted.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) arn: RoleArn,
    pub(super) max_session: Span,
    pub(super) policy: SessionPolicy,
    managed: Vec<String>,
}

impl AwsSettings {
    /// As they can be used, or what is wrong with them.
    pub(super) fn settled(self) -> Result<Target, SettingsFault> {
        let is_region = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !(1..=32).contains(&self.region.len()) || !self.region.chars().all(is_region) {
            return Err(bad("region", "name a region, such as eu-central-1"));
        }
        let endpoint = self.endpoint.as_deref().map(address).transpose();
        let endpoint = endpoint.map_err(|problem| bad("endpoint", problem))?;
        let visible = self.audience.bytes().all(|b| b.is_ascii_graphic());
        if !(1..=255).contains(&self.audience.len()) || !visible {
            return Err(bad("audience", "1 to 255 visible characters"));
        }
        let outside = Outside::believing(self.ca_file.as_deref());
        let outside = outside.map_err(|problem| bad("ca_file", problem))?;
        let roles = Roles::settled(self.roles, RoleSettings::settled)?;
        let (region, audience) = (self.region, self.audience);
        Ok(Target { region, endpoint, audience, outside, roles })
    }
}

impl RoleSettings {
    fn settled(self, place: &str) -> Result<Role, SettingsFault> {
        let field = |name: &str| format!("{place}.{name}");
        let arn = self.arn.parse().map_err(|problem| bad(field("arn"), problem))?;
        let max_session = match self.max_session.map(|text| text.parse::<Span>()).transpose() {
            Ok(span) => span.unwrap_or(Span::hours(1)),
            Err(problem) => return Err(bad(field("max_session"), problem)),
        };
        if max_session < SHORTEST || max_session > LONGEST {
            return Err(bad(field("max_session"), format!("from {SHORTEST} to {LONGEST}")));
        }
        let managed = self.policy_arns;
        if managed.len() > MANAGED {
            return Err(bad(field("policy_arns"), format!("at most {MANAGED}")));
        }
        if let Some(other) = managed.iter().find(|arn| !is_policy_arn(arn)) {
            return Err(bad(field("policy_arns"), format!("`{other}` is not the ARN of a policy")));
        }
        let may_chain = self.chaining == Chaining::Allow;
        let policy = match (self.policy, self.policy_file) {
            (Some(_), Some(_)) => {
                return Err(bad(field("policy"), "say it once: `policy` or `policy_file`"));
            }
            (Some(document), None) => SessionPolicy::written(&document, may_chain)
                .map_err(|problem| bad(field("policy"), problem))?,
            (None, Some(path)) => in_file(&path)
                .and_then(|document| SessionPolicy::written(&document, may_chain))
                .map_err(|problem| {
                    bad(field("policy_file"), format!("{}: {problem}", path.display()))
                })?,
            // What is allowed by either is allowed: what the managed ones say must not be widened.
            (None, None) if !managed.is_empty() => SessionPolicy::none(may_chain),
            (None, None) => SessionPolicy::whole(may_chain),
        };
        Ok(Role { arn, max_session, policy, managed })
    }
}

fn in_file(path: &Path) -> Result<Value, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    assent_core::canonical::parse(&bytes).map_err(|problem| problem.to_string())
}

impl Role {
    /// The managed session policies, as the call takes them.
    pub(super) fn policy_arns(&self) -> Option<Vec<PolicyDescriptorType>> {
        let each = self.managed.iter();
        let all = each.map(|arn| PolicyDescriptorType::builder().arn(arn).build()).collect();
        (!self.managed.is_empty()).then_some(all)
    }
}

/// The ARN of a role: `arn:aws:iam::123456789012:role/path/name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoleArn {
    text: String,
    partition: String,
    account: String,
    name: String,
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for RoleArn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || {
            let shown: String = text.chars().take(255).collect();
            format!(
                "`{shown}` is not the ARN of a role, such as arn:aws:iam::123456789012:role/deploy"
            )
        };
        let parts = parts(text).filter(|parts| text.len() <= 2048 && parts.service == "iam");
        let parts = parts.ok_or_else(fault)?;
        let path = parts.resource.strip_prefix("role/").ok_or_else(fault)?;
        let name = path.rsplit('/').next().unwrap_or_default();
        let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        let plain = path.bytes().all(|b| b.is_ascii_graphic());
        if parts.account == "aws"
            || !plain
            || !(1..=64).contains(&name.len())
            || !name.chars().all(fits)
        {
            return Err(fault());
        }
        Ok(Self {
            text: text.to_owned(),
            partition: parts.partition.to_owned(),
            account: parts.account.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl RoleArn {
    /// Whether this is the ARN of a session of the role under this name:
    /// `arn:aws:sts::123456789012:assumed-role/name/session`, without the role's path.
    pub(super) fn is_assumed_as(&self, arn: &str, session: &str) -> bool {
        let resource = format!("assumed-role/{}/{session}", self.name);
        parts(arn).is_some_and(|parts| {
            parts.service == "sts"
                && parts.partition == self.partition
                && parts.account == self.account
                && parts.resource == resource
        })
    }
}

struct Parts<'a> {
    partition: &'a str,
    service: &'a str,
    account: &'a str,
    resource: &'a str,
}

/// The parts of an ARN of an account, without a region (IAM User Guide, IAM ARNs).
fn parts(arn: &str) -> Option<Parts<'_>> {
    let mut parts = arn.splitn(6, ':');
    let (head, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let known = partition == "aws" || partition.starts_with("aws-");
    let is_account =
        account == "aws" || account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    (head == "arn" && known && region.is_empty() && is_account).then_some(Parts {
        partition,
        service,
        account,
        resource,
    })
}

fn is_policy_arn(arn: &str) -> bool {
    let visible = arn.bytes().all(|b| b.is_ascii_graphic()) && arn.len() <= 2048;
    visible
        && parts(arn)
            .is_some_and(|parts| parts.service == "iam" && parts.resource.starts_with("policy/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_of_the_role_and_account_that_was_asked_for() {
        let arn: RoleArn = "arn:aws:iam::123456789012:role/ci/deploy".parse().unwrap();
        assert!(
            arn.is_assumed_as("arn:aws:sts::123456789012:assumed-role/deploy/assent_1", "assent_1")
        );
        for other in [
            "arn:aws:sts::210987654321:assumed-role/deploy/assent_1",
            "arn:aws-cn:sts::123456789012:assumed-role/deploy/assent_1",
            "arn:aws:iam::123456789012:assumed-role/deploy/assent_1",
            "arn:aws:sts::123456789012:assumed-role/admin/assent_1",
            "arn:aws:sts::123456789012:assumed-role/deploy/assent_2",
            "arn:aws:sts::123456789012:assumed-role/deploy/assent_1/x",
            "arn:aws:sts:eu-central-1:123456789012:assumed-role/deploy/assent_1",
            "arn:aws:sts::123456789012:federated-user/deploy",
            "",
        ] {
            assert!(!arn.is_assumed_as(other, "assent_1"), "{other}");
        }
    }

    #[test]
    fn what_is_no_role_is_refused() {
        for good in [
            "arn:aws:iam::123456789012:role/deploy",
            "arn:aws-us-gov:iam::123456789012:role/a/b/de_ploy+=,.@-",
        ] {
            assert_eq!(good.parse::<RoleArn>().unwrap().to_string(), good);
        }
        for bad in [
            "deploy",
            "arn:aws:iam::1234:role/deploy",
            "arn:aws:iam::123456789012:user/deploy",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::123456789012:role/a*",
            "arn:awsome:iam::123456789012:role/a",
            "arn:aws:sts::123456789012:role/a",
            "arn:aws:iam:eu-west-1:123456789012:role/a",
        ] {
            assert!(bad.parse::<RoleArn>().is_err(), "{bad}");
        }
        assert!(is_policy_arn("arn:aws:iam::aws:policy/ReadOnlyAccess"));
        assert!(!is_policy_arn("arn:aws:iam::123456789012:role/a"));
    }
}
