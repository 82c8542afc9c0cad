//! What is known of some kinds of issuers: which claims tell one workload from all others, who is
//! behind it, and what else its tokens say.
//!
//! Names can be given up and taken by somebody else; ids cannot. So each shape wants ids, and with
//! them something that says which of the many jobs of that repository, workspace or project is meant.
//! Sources: GitHub, "OpenID Connect reference"; HashiCorp, "Workload identity tokens"; GitLab, "ID
//! token authentication"; Kubernetes, "Managing Service Accounts"; our own `credential::sign`.

use std::collections::{BTreeMap, BTreeSet};

use crate::github;
use crate::principal::{PrincipalId, PrincipalIdError};
use crate::token::Typ;

/// A kind of issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Jobs of GitHub Actions.
    GithubActions,
    /// Runs of HCP Terraform and Terraform Enterprise.
    HcpTerraform,
    /// Jobs of GitLab CI/CD.
    Gitlab,
    /// Service accounts of a Kubernetes cluster.
    Kubernetes,
    /// Credentials of another Assent.
    Assent,
    /// Another Assent itself, which asks whether something may be done that it was asked for.
    AssentAuthority,
}

type Claims = BTreeMap<String, BTreeSet<String>>;

/// All of one of these sets of claims.
struct Wanted {
    one_of: &'static [&'static [&'static str]],
    because: &'static str,
}

const UID: &str = "/kubernetes.io/serviceaccount/uid";

/// What names one workload at whatever issuer (RFC 7519 section 4.1.2: `sub` is unique there), and what
/// does by the rules of Kubernetes.
const OWN: [&str; 2] = ["sub", UID];

/// Ids that are made of no words. Source: Microsoft identity platform, "Access token claims reference".
const UNSPOKEN_IDS: [&str; 2] = ["appid", "oid"];

/// What many workloads are of: an id of it says nothing of one of them.
const OF_MANY: [&str; 24] = [
    "account",
    "actor",
    "company",
    "customer",
    "directory",
    "domain",
    "enterprise",
    "group",
    "issuer",
    "login",
    "namespace",
    "node",
    "org",
    "organisation",
    "organization",
    "owner",
    "person",
    "realm",
    "region",
    "session",
    "subscription",
    "team",
    "tenant",
    "user",
];

/// Issuers that everybody knows, and what they are.
const KNOWN: [(&str, Shape); 3] = [
    ("https://token.actions.githubusercontent.com", Shape::GithubActions),
    ("https://app.terraform.io", Shape::HcpTerraform),
    ("https://gitlab.com", Shape::Gitlab),
];

impl Shape {
    /// Every shape, by its word.
    pub const ALL: [(&str, Self); 6] = [
        ("github-actions", Self::GithubActions),
        ("hcp-terraform", Self::HcpTerraform),
        ("gitlab", Self::Gitlab),
        ("kubernetes", Self::Kubernetes),
        ("assent", Self::Assent),
        ("assent-authority", Self::AssentAuthority),
    ];

    /// The issuer that everybody knows of this kind, if there is one.
    pub fn known_issuer(self) -> Option<&'static str> {
        KNOWN.iter().find(|(_, shape)| *shape == self).map(|(issuer, _)| *issuer)
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::GithubActions => "github-actions",
            Self::HcpTerraform => "hcp-terraform",
            Self::Gitlab => "gitlab",
            Self::Kubernetes => "kubernetes",
            Self::Assent => "assent",
            Self::AssentAuthority => "assent-authority",
        }
    }

    /// Adds what is wanted where nothing else is said: no job that a stranger's fork can start.
    pub(super) fn complete(self, claims: &mut Claims) {
        if self == Self::GithubActions {
            let events = || github::EVENTS.iter().map(|event| (*event).to_owned()).collect();
            claims.entry("event_name".to_owned()).or_insert_with(events);
        }
    }

    /// Whether each token is good once where nothing is said. A job can ask GitHub for as many as
    /// it likes, another authority makes one for each exchange, and its credentials are for one
    /// action; a run or a pod has one.
    pub(super) fn is_single_use(self) -> bool {
        matches!(self, Self::GithubActions | Self::Assent | Self::AssentAuthority)
    }

    /// Whether a token says how long its holder may act, rather than that somebody runs: what it is
    /// exchanged for ends with it.
    pub(super) fn is_for_one_action(self) -> bool {
        matches!(self, Self::Assent | Self::AssentAuthority)
    }

    fn wants(self) -> &'static [Wanted] {
        match self {
            Self::GithubActions => &[
                Wanted {
                    one_of: &[&["repository_owner_id"]],
                    because: "names of owners can be taken by others, and every repository of \
                        GitHub has tokens of this issuer",
                },
                Wanted {
                    one_of: &[&["repository_id"], &["job_workflow_ref"], &["job_workflow_sha"]],
                    because: "every repository of the owner would be let in",
                },
                Wanted {
                    one_of: &[
                        &["environment"],
                        &["ref"],
                        &["job_workflow_ref"],
                        &["job_workflow_sha"],
                        &["workflow_ref"],
                        &["workflow_sha"],
                    ],
                    because: "every branch of the repository would be let in, with whatever \
                        workflow somebody writes on it",
                },
            ],
            Self::HcpTerraform => &[
                Wanted {
                    one_of: &[&["terraform_organization_id"]],
                    because: "every organisation of HCP Terraform has tokens of this issuer",
                },
                Wanted {
                    one_of: &[&["terraform_workspace_id"], &["terraform_project_id"]],
                    because: "every workspace of the organisation would be let in",
                },
                Wanted {
                    one_of: &[&["terraform_run_phase"]],
                    because: "plans run before anybody has looked at them: say `apply`, or both",
                },
            ],
            Self::Gitlab => &[
                Wanted {
                    one_of: &[&["project_id"], &["namespace_id"]],
                    because: "names of projects can be taken by others, and every project of the \
                        instance has tokens of this issuer",
                },
                Wanted {
                    one_of: &[
                        &["environment"],
                        &["ref_protected"],
                        &["ref_path"],
                        &["ref", "ref_type"],
                        &["ci_config_sha"],
                    ],
                    because: "every branch of the project would be let in (and `ref` without \
                        `ref_type` is a tag of that name, too)",
                },
            ],
            Self::Kubernetes => &[Wanted {
                one_of: &[&[UID], &["sub"]],
                because: "every service account of the cluster would be let in",
            }],
            Self::Assent => &[Wanted {
                one_of: &[&["client_id"]],
                because: "everybody whom the other authority grants something would be let in",
            }],
            Self::AssentAuthority => {
                &[Wanted { one_of: &[&["sub"]], because: "say who it is: `sub: assent:authority`" }]
            }
        }
    }
}

/// What lets in too many, if anything does.
pub(super) fn width_fault(shape: Option<Shape>, issuer: &str, claims: &Claims) -> Option<String> {
    let Some(shape) = shape else {
        let tells = |name: &String| OWN.contains(&name.as_str()) || is_id_of_one(name);
        return (!claims.keys().any(tells)).then(|| {
            format!(
                "too wide: nothing here tells one workload of `{issuer}` from all others; name \
                 `sub`, or an id that nobody else can come to have, such as `project_id`"
            )
        });
    };
    let has = |set: &&[&str]| set.iter().all(|name| claims.contains_key(*name));
    let lacking = shape.wants().iter().find(|wanted| !wanted.one_of.iter().any(has))?;
    let sets: Vec<String> = lacking
        .one_of
        .iter()
        .map(|set| set.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" with "))
        .collect();
    Some(format!("too wide: {} is missing: {}", sets.join(" or "), lacking.because))
}

/// Whether a claim of this name is an id, and of something that may be one workload: `project_id`,
/// `repositoryUuid`, `/acme.example/pipeline/id`. Of an issuer that is not known its name is all that can
/// be gone by.
fn is_id_of_one(name: &str) -> bool {
    if UNSPOKEN_IDS.contains(&name) {
        return true;
    }
    let words = words(name);
    let mut last_first = words.iter().rev().map(String::as_str);
    let is_id = last_first.next().is_some_and(|word| ["id", "uid", "uuid", "guid"].contains(&word));
    // Alone it does not say of what.
    is_id && last_first.next().is_some_and(|of| !OF_MANY.contains(&of))
}

/// The words of a name that is written in whatever way.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut follows_small = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || (follows_small && c.is_ascii_uppercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
        follows_small = c.is_ascii_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The events of GitHub that people cause who have no write access, or with content of theirs.
const OPEN_EVENTS: [&str; 10] = [
    "discussion",
    "discussion_comment",
    "fork",
    "issue_comment",
    "issues",
    "pull_request",
    "pull_request_review",
    "pull_request_target",
    "watch",
    "workflow_run",
];

/// What lets in more than somebody may have thought of.
pub(super) fn concerns(shape: Option<Shape>, claims: &Claims) -> Vec<String> {
    let values = |name: &str| claims.get(name).into_iter().flatten();
    match shape {
        Some(Shape::GithubActions) => values("event_name")
            .filter(|event| OPEN_EVENTS.contains(&event.as_str()))
            .map(|event| format!("jobs of `{event}` run for people without write access"))
            .collect(),
        Some(Shape::Kubernetes) if !claims.contains_key(UID) => vec![format!(
            "whoever may create service accounts there can make one of this name: name `{UID}`"
        )],
        None if !OWN.iter().any(|own| claims.contains_key(*own)) => {
            let ids = claims.keys().filter(|name| is_id_of_one(name));
            let ids: Vec<String> = ids.map(|name| format!("`{name}`")).collect();
            vec![format!(
                "what {} means at this issuer is not known here: whatever else has the same value \
                 there is let in, too; name `sub` beside it if that stays the same",
                ids.join(" and ")
            )]
        }
        // GitLab: "ID token authentication", the claims `environment` and `environment_protected`.
        Some(Shape::Gitlab) if any_branch_may_name_its_environment(claims) => {
            let concern = "any branch may run a job for an environment that is not protected: name \
                `environment_protected: \"true\"` or `ref_protected: \"true\"`, too";
            vec![concern.to_owned()]
        }
        Some(
            Shape::Kubernetes
            | Shape::HcpTerraform
            | Shape::Gitlab
            | Shape::Assent
            | Shape::AssentAuthority,
        )
        | None => Vec::new(),
    }
}

/// Whether of a job of GitLab nothing is wanted but the environment that it says it is for.
fn any_branch_may_name_its_environment(claims: &Claims) -> bool {
    let is_true = |name: &str| claims.get(name).is_some_and(|values| values.iter().eq(["true"]));
    let names = |name: &str| claims.contains_key(name);
    let is_pinned = names("ref_path") || names("ref") || names("ci_config_sha");
    let is_protected = is_true("environment_protected") || is_true("ref_protected");
    names("environment") && !is_protected && !is_pinned
}

/// An issuer that everybody knows is not taken for something else.
pub(super) fn shape_fault(shape: Option<Shape>, issuer: &str) -> Option<String> {
    let (_, known) = KNOWN.iter().find(|(known, _)| {
        let rest = issuer.strip_prefix(known);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })?;
    (shape != Some(*known)).then(|| format!("`{issuer}` needs `shape: {}`", known.word()))
}

/// Whether a token that does not ask for an audience of its own is for this one.
pub(super) fn is_default_audience(shape: Option<Shape>, audience: &str) -> bool {
    shape == Some(Shape::GithubActions) && audience.starts_with("https://github.com/")
}

/// Whether a token of this type is one of this shape.
pub(super) fn takes(shape: Option<Shape>, typ: Typ) -> bool {
    match shape {
        None => typ != Typ::Authority,
        Some(Shape::Assent) => typ == Typ::AccessToken,
        Some(Shape::AssentAuthority) => typ == Typ::Authority,
        Some(Shape::GithubActions | Shape::HcpTerraform | Shape::Gitlab | Shape::Kubernetes) => {
            typ == Typ::Jwt
        }
    }
}

/// How the workload is named where the trust does not say.
pub(super) fn principal(shape: Option<Shape>, claims: &Claims) -> &'static str {
    let by_environment = claims.contains_key("environment");
    match shape {
        None | Some(Shape::Kubernetes | Shape::AssentAuthority) => "{sub}",
        Some(Shape::GithubActions) if by_environment => {
            "repository:{repository_id}:environment:{environment}"
        }
        Some(Shape::GithubActions) => "repository:{repository_id}",
        Some(Shape::HcpTerraform) => "workspace:{terraform_workspace_id}",
        Some(Shape::Gitlab) if by_environment => "project:{project_id}:environment:{environment}",
        Some(Shape::Gitlab) => "project:{project_id}",
        Some(Shape::Assent) => "requester:{client_id}",
    }
}

/// Which claim says who started the workload, and who knows them by that.
pub(super) struct Person {
    pub(super) claim: &'static str,
    issuer: String,
}

impl Person {
    /// Them, by the claim's value.
    pub(super) fn id(&self, value: &str) -> Result<PrincipalId, PrincipalIdError> {
        PrincipalId::said_by(&self.issuer, value)
    }
}

/// Who is behind a workload of this shape, where its tokens say so.
pub(super) fn person(shape: Option<Shape>, issuer: &str) -> Option<Person> {
    let claim = match shape? {
        Shape::GithubActions => "actor_id",
        Shape::Gitlab => "user_id",
        Shape::Assent => "client_id",
        Shape::HcpTerraform | Shape::Kubernetes | Shape::AssentAuthority => return None,
    };
    let issuer = accounts_at(shape, issuer).unwrap_or_else(|| issuer.to_owned());
    Some(Person { claim, issuer })
}

/// Where people have the accounts by which an issuer of this shape knows them. Where they sign in there
/// as they do here, they are who they are, and no account of theirs.
pub(super) fn accounts_at(shape: Option<Shape>, issuer: &str) -> Option<String> {
    match shape? {
        Shape::GithubActions => Some(github::accounts_of(issuer)),
        Shape::Gitlab => Some(issuer.to_owned()),
        Shape::HcpTerraform | Shape::Kubernetes | Shape::Assent | Shape::AssentAuthority => None,
    }
}

/// The claims that are kept beside those the trust names: for people, and for policy to look at.
pub(super) fn telling(shape: Option<Shape>) -> &'static [&'static str] {
    match shape {
        None => &[],
        Some(Shape::GithubActions) => &[
            "actor",
            "actor_id",
            "environment",
            "event_name",
            "job_workflow_ref",
            "job_workflow_sha",
            "ref",
            "repository",
            "repository_id",
            "repository_owner",
            "repository_owner_id",
            "run_attempt",
            "run_id",
            "runner_environment",
            "sha",
            "workflow_ref",
            "workflow_sha",
        ],
        Some(Shape::HcpTerraform) => &[
            "terraform_full_workspace",
            "terraform_organization_id",
            "terraform_project_id",
            "terraform_run_id",
            "terraform_run_phase",
            "terraform_workspace_id",
            "terraform_workspace_name",
        ],
        Some(Shape::Gitlab) => &[
            "ci_config_ref_uri",
            "environment",
            "job_id",
            "namespace_id",
            "pipeline_id",
            "pipeline_source",
            "project_id",
            "project_path",
            "ref",
            "ref_protected",
            "ref_type",
            "sha",
            "user_id",
            "user_login",
        ],
        Some(Shape::Kubernetes) => &[
            "/kubernetes.io/namespace",
            "/kubernetes.io/pod/name",
            "/kubernetes.io/pod/uid",
            "/kubernetes.io/serviceaccount/name",
            UID,
        ],
        Some(Shape::Assent) => &["client_id", "digest", "environment", "kind", "request_id"],
        Some(Shape::AssentAuthority) => &["digest", "kind"],
    }
}
