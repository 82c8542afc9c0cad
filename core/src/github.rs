//! What is known of GitHub without asking it: where its accounts are, where a job comes from, which events
//! strangers cannot cause, and what the authority itself says of a requester.
//!
//! Links are made here, of claims that an issuer vouches for and that have the form they must have;
//! nobody else's text leads anybody anywhere. Sources: GitHub, "OpenID Connect reference"; "Customizing
//! the OpenID Connect issuer" for tenants and servers of one's own.

use serde_json::Value;

use crate::binding::FILED_BY;
use crate::principal::Principal;

/// Since when a change was looked at for the people behind it: a commit, `beginning`, or `newest-N`.
pub const CHANGES_SINCE: &str = "changes_since";
/// How many of the commits that were looked at were written by nobody whom GitHub knows.
pub const UNKNOWN_AUTHORS: &str = "unknown_authors";
/// The branch of a run for which the App files: it has no token yet that says so.
pub const HEAD_BRANCH: &str = "head_branch";
/// The workflow's file of such a run.
pub const WORKFLOW_PATH: &str = "workflow_path";

/// What the authority says of a requester itself, and no token.
pub const OWN_CLAIMS: [&str; 5] =
    [FILED_BY, CHANGES_SINCE, UNKNOWN_AUTHORS, HEAD_BRANCH, WORKFLOW_PATH];

/// By what issuers of a GitHub Enterprise Server are known: the end of their URL.
const OF_SERVER: &str = "/_services/token";

/// The kind of what a job does, unless it names another: the same for which the App files.
pub const DEPLOY: &str = "github.deploy";

/// The events of which only people with write access to the repository are the cause.
pub const EVENTS: [&str; 3] = ["push", "workflow_dispatch", "deployment"];

/// Where the people of an Actions issuer have their accounts: github.com, a tenant of ghe.com, or
/// a server of one's own.
pub fn accounts_of(issuer: &str) -> String {
    let (scheme, rest) = issuer.split_once("://").unwrap_or(("https", issuer));
    let host = rest.split('/').next().unwrap_or(rest);
    let host = match host.strip_prefix("token.actions.") {
        Some("githubusercontent.com") => "github.com",
        Some(tenant) => tenant,
        None => host,
    };
    format!("{scheme}://{host}")
}

/// Whether this is an issuer of GitHub Actions, by its name.
fn is_actions(issuer: &str) -> bool {
    issuer.starts_with("https://token.actions.")
        || (issuer.starts_with("https://") && issuer.ends_with(OF_SERVER))
}

/// The job that asks: which code of which repository, in which run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// `acme/shop`.
    pub repository: String,
    /// Its page.
    pub repository_url: String,
    /// The commit.
    pub commit: String,
    /// Its page.
    pub commit_url: String,
    /// The run and the attempt at it.
    pub run: String,
    /// Its page.
    pub run_url: String,
    /// The full name of the branch or tag, where it is said.
    pub reference: Option<String>,
    /// The workflow's file and where it is from, where it is said.
    pub workflow: Option<String>,
    /// What started the run, where it is said.
    pub event: Option<String>,
    /// Who started it, by the name they had then; names decide nothing.
    pub actor: Option<String>,
    /// Since when its changes were looked at for the people behind them, where they were.
    pub changes_since: Option<String>,
    /// How many of its commits were written by nobody whom GitHub knows, where there are any.
    pub unknown_authors: Option<String>,
}

impl Source {
    /// Where this requester comes from, if it is a job of GitHub Actions whose issuer says so.
    pub fn of(requester: &Principal) -> Option<Self> {
        let issuer = requester.id.iss();
        if !is_actions(issuer) {
            return None;
        }
        let text = |name: &str| requester.claims.get(name).and_then(Value::as_str);
        let repository = text("repository").filter(|name| is_repository(name))?;
        let commit = text("sha").filter(|sha| is_commit(sha))?;
        let run = text("run_id").filter(|id| is_number(id))?;
        let attempt = text("run_attempt").filter(|number| is_number(number)).unwrap_or("1");
        let repository_url = format!("{}/{repository}", accounts_of(issuer));
        let said = |name: &str| text(name).map(str::to_owned);
        Some(Self {
            commit_url: format!("{repository_url}/commit/{commit}"),
            run_url: format!("{repository_url}/actions/runs/{run}/attempts/{attempt}"),
            repository: repository.to_owned(),
            commit: commit.to_owned(),
            run: format!("{run}, attempt {attempt}"),
            reference: said("ref").or_else(|| said(HEAD_BRANCH)),
            workflow: said("workflow_ref").or_else(|| said(WORKFLOW_PATH)),
            event: said("event_name"),
            actor: said("actor"),
            changes_since: said(CHANGES_SINCE),
            unknown_authors: said(UNKNOWN_AUTHORS),
            repository_url,
        })
    }
}

/// Whether a text is an owner and a name as GitHub has them: nothing that leads out of a path.
pub fn is_repository(text: &str) -> bool {
    let fits = |part: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        (1..=100).contains(&part.len()) && part.chars().all(is_part) && part != "." && part != ".."
    };
    text.split_once('/').is_some_and(|(owner, name)| fits(owner) && fits(name))
}

/// Whether a text names a commit: SHA-1 or SHA-256, in full.
pub fn is_commit(text: &str) -> bool {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    matches!(text.len(), 40 | 64) && text.bytes().all(is_hex)
}

fn is_number(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::principal::{PrincipalId, PrincipalKind};

    const ACTIONS: &str = "https://token.actions.githubusercontent.com";
    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    fn job(issuer: &str, claims: &Value) -> Principal {
        let (groups, acts_for) = Default::default();
        Principal {
            id: PrincipalId::new(issuer, "repository:4711").unwrap(),
            kind: PrincipalKind::Workload,
            groups,
            acts_for,
            claims: claims.as_object().unwrap().clone(),
        }
    }

    fn claims() -> Value {
        json!({"repository": "acme/shop", "sha": SHA, "run_id": "99", "run_attempt": "2",
               "ref": "refs/heads/main", "event_name": "push", "actor": "alicia"})
    }

    #[test]
    fn a_job_comes_from_a_commit_in_a_run() {
        let source = Source::of(&job(ACTIONS, &claims())).unwrap();
        assert_eq!(source.commit_url, format!("https://github.com/acme/shop/commit/{SHA}"));
        assert_eq!(source.run_url, "https://github.com/acme/shop/actions/runs/99/attempts/2");
        assert_eq!(source.reference.as_deref(), Some("refs/heads/main"));
        assert_eq!((source.workflow, source.run.as_str()), (None, "99, attempt 2"));
        for (issuer, page) in [
            ("https://token.actions.acme.ghe.com", "https://acme.ghe.com/acme/shop"),
            ("https://git.acme.example/_services/token", "https://git.acme.example/acme/shop"),
            ("https://token.actions.githubusercontent.com/acme", "https://github.com/acme/shop"),
        ] {
            assert_eq!(Source::of(&job(issuer, &claims())).unwrap().repository_url, page);
        }
    }

    #[test]
    fn t36_no_claim_leads_anywhere_but_to_what_it_names() {
        for (name, bad) in [
            ("repository", "acme/shop/../../evil"),
            ("repository", "acme/.."),
            ("repository", "acme/shop?x=1"),
            ("repository", "acme/shop#"),
            ("repository", "shop"),
            ("repository", "a\u{202e}cme/shop"),
            ("sha", "main"),
            ("sha", "0123456789ABCDEF0123456789abcdef01234567"),
            ("run_id", "99/../1"),
            ("run_id", ""),
        ] {
            let mut claims = claims();
            claims[name] = json!(bad);
            assert_eq!(Source::of(&job(ACTIONS, &claims)), None, "{name} {bad:?}");
        }
        for other in ["https://gitlab.com", "http://127.0.0.1:1", "assent:local"] {
            assert_eq!(Source::of(&job(other, &claims())), None, "{other}");
        }
    }
}
