//! What GitHub tells, as far as it matters here. Unknown fields are ignored, and what is missing
//! without being needed is absent: real answers have more, and less, than their description.

use std::collections::BTreeSet;

use serde::Deserialize;

/// An account: a person, or a bot. Only the number says who it is; a login can be given up and taken
/// by somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "AccountForm")]
pub struct Account {
    /// Who.
    pub id: u64,
    /// What they are called now. To show, never to decide by.
    pub login: String,
    /// Whether no person is behind it.
    pub is_bot: bool,
}

#[derive(Deserialize)]
struct AccountForm {
    id: u64,
    #[serde(default)]
    login: String,
    #[serde(rename = "type", default)]
    kind: String,
}

impl From<AccountForm> for Account {
    fn from(form: AccountForm) -> Self {
        Self { id: form.id, login: form.login, is_bot: form.kind == "Bot" }
    }
}

/// A run of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which.
    pub id: u64,
    /// How often it was started, from 1.
    pub attempt: u64,
    /// What started it, such as `push`.
    pub event: String,
    /// The commit that it runs at.
    pub head_sha: String,
    /// The branch that it runs at, where there is one.
    pub head_branch: Option<String>,
    /// The repository that the commit is of. Another one than `repository_id` is a fork; none is a
    /// fork that was deleted.
    pub head_repository_id: Option<u64>,
    /// The repository that it runs in.
    pub repository_id: u64,
    /// Whose that is.
    pub repository_owner_id: u64,
    /// `OWNER/REPO` as it is called now. To show and to ask by.
    pub repository: String,
    /// The workflow's file.
    pub path: String,
    /// How far it is: `queued`, `in_progress`, `waiting`, `completed` and others.
    pub status: String,
    /// How it ended, if it did: `success`, `cancelled` and others.
    pub conclusion: Option<String>,
    /// Who started it first.
    pub actor: Account,
    /// Who started this attempt.
    pub triggering_actor: Account,
    /// What it calls itself. Written by anybody.
    pub display_title: String,
    /// Where people look at it.
    pub html_url: String,
}

impl Run {
    /// Whether its commit is of another repository, whose owner chooses what it does. One whose repository
    /// is gone is too.
    pub fn is_of_fork(&self) -> bool {
        self.head_repository_id != Some(self.repository_id)
    }
}

#[derive(Deserialize)]
pub(super) struct RunForm {
    id: u64,
    run_attempt: u64,
    event: String,
    head_sha: String,
    head_branch: Option<String>,
    head_repository: Option<Numbered>,
    repository: RepositoryForm,
    #[serde(default)]
    path: String,
    #[serde(default)]
    status: Option<String>,
    conclusion: Option<String>,
    actor: Account,
    triggering_actor: Option<Account>,
    #[serde(default)]
    display_title: String,
    #[serde(default)]
    html_url: String,
}

impl From<RunForm> for Run {
    fn from(form: RunForm) -> Self {
        Self {
            id: form.id,
            attempt: form.run_attempt,
            event: form.event,
            head_sha: form.head_sha,
            head_branch: form.head_branch,
            head_repository_id: form.head_repository.map(|repository| repository.id),
            repository_id: form.repository.id,
            repository_owner_id: form.repository.owner.id,
            repository: form.repository.full_name,
            path: form.path,
            status: form.status.unwrap_or_default(),
            conclusion: form.conclusion,
            triggering_actor: form.triggering_actor.unwrap_or_else(|| form.actor.clone()),
            actor: form.actor,
            display_title: form.display_title,
            html_url: form.html_url,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Numbered {
    pub(super) id: u64,
}

#[derive(Deserialize)]
pub(super) struct CheckForm {
    pub(super) id: u64,
    pub(super) external_id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RepositoryForm {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) full_name: String,
    pub(super) owner: Account,
}

/// A deployment that waits for its environment's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The environment's number.
    pub environment_id: u64,
    /// Its name.
    pub environment: String,
}

#[derive(Deserialize)]
pub(super) struct PendingForm {
    environment: Named,
}

impl From<PendingForm> for Pending {
    fn from(form: PendingForm) -> Self {
        let Named { id, name } = form.environment;
        Self { environment_id: id, environment: name }
    }
}

#[derive(Deserialize)]
struct Named {
    id: u64,
    name: String,
}

/// What somebody said to a run's deployments at GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// To which environments, by name.
    pub environments: Vec<String>,
    /// What: `approved`, `rejected` or `pending`.
    pub state: String,
    /// Who.
    pub user: Account,
    /// What they wrote.
    pub comment: String,
}

#[derive(Deserialize)]
pub(super) struct ApprovalForm {
    environments: Vec<Named>,
    state: String,
    user: Account,
    #[serde(default)]
    comment: Option<String>,
}

impl From<ApprovalForm> for Approval {
    fn from(form: ApprovalForm) -> Self {
        Self {
            environments: form.environments.into_iter().map(|named| named.name).collect(),
            state: form.state,
            user: form.user,
            comment: form.comment.unwrap_or_default(),
        }
    }
}

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Which, in its repository.
    pub number: u64,
    /// Who opened it.
    pub author: Account,
    /// Who merged it, if it was.
    pub merged_by: Option<Account>,
    /// The commit it starts from.
    pub base_sha: String,
    /// Its newest commit.
    pub head_sha: String,
}

#[derive(Deserialize)]
pub(super) struct PullForm {
    number: u64,
    user: Account,
    merged_by: Option<Account>,
    base: Tip,
    head: Tip,
}

#[derive(Deserialize)]
struct Tip {
    sha: String,
}

impl From<PullForm> for Pull {
    fn from(form: PullForm) -> Self {
        Self {
            number: form.number,
            author: form.user,
            merged_by: form.merged_by,
            base_sha: form.base.sha,
            head_sha: form.head.sha,
        }
    }
}

/// A commit. Its people are absent where its addresses belong to nobody at GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Which.
    pub sha: String,
    /// Who wrote it.
    pub author: Option<Account>,
    /// Who committed it.
    pub committer: Option<Account>,
}

#[derive(Deserialize)]
pub(super) struct CommitForm {
    sha: String,
    author: Option<Maybe>,
    committer: Option<Maybe>,
}

/// GitHub tells of somebody it does not know by null, and by an empty object.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Maybe {
    Somebody(Account),
    Nobody {},
}

impl Maybe {
    fn account(self) -> Option<Account> {
        match self {
            Self::Somebody(account) => Some(account),
            Self::Nobody {} => None,
        }
    }
}

impl From<CommitForm> for Commit {
    fn from(form: CommitForm) -> Self {
        Self {
            sha: form.sha,
            author: form.author.and_then(Maybe::account),
            committer: form.committer.and_then(Maybe::account),
        }
    }
}

/// Which branches may deploy to an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BranchPolicy {
    /// Any branch, of anybody who can push.
    Any,
    /// Those that have branch protection.
    Protected,
    /// Those that fit patterns.
    Custom,
}

/// An environment's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Whether administrators of the repository may go past its rules. GitHub says yes unless somebody
    /// said no; what it does not tell counts as yes.
    pub can_admins_bypass: bool,
    /// Whether whoever started a run may not approve it at GitHub.
    pub prevent_self_review: bool,
    /// Which branches may deploy to it.
    pub branch_policy: BranchPolicy,
    /// How many reviewers it names at GitHub itself.
    pub reviewers: usize,
    /// The numbers of those of them that are people; the others are teams.
    pub people: BTreeSet<u64>,
    /// For how many minutes GitHub holds back whatever comes to it.
    pub wait_timer: u64,
}

#[derive(Deserialize)]
pub(super) struct EnvironmentForm {
    id: u64,
    name: String,
    can_admins_bypass: Option<bool>,
    #[serde(default)]
    protection_rules: Vec<BuiltIn>,
    deployment_branch_policy: Option<Branches>,
}

#[derive(Deserialize)]
struct BuiltIn {
    #[serde(default)]
    prevent_self_review: bool,
    #[serde(default)]
    reviewers: Vec<Reviewing>,
    #[serde(default)]
    wait_timer: u64,
}

#[derive(Deserialize)]
struct Reviewing {
    #[serde(rename = "type", default)]
    kind: String,
    reviewer: Option<Numbered>,
}

#[derive(Deserialize)]
struct Branches {
    #[serde(default)]
    protected_branches: bool,
    #[serde(default)]
    custom_branch_policies: bool,
}

fn person(reviewing: &Reviewing) -> Option<u64> {
    let reviewer = reviewing.reviewer.as_ref().filter(|_| reviewing.kind == "User");
    reviewer.map(|reviewer| reviewer.id)
}

impl From<EnvironmentForm> for Environment {
    fn from(form: EnvironmentForm) -> Self {
        let branch_policy = match form.deployment_branch_policy {
            Some(Branches { protected_branches: true, .. }) => BranchPolicy::Protected,
            Some(Branches { custom_branch_policies: true, .. }) => BranchPolicy::Custom,
            Some(_) | None => BranchPolicy::Any,
        };
        Self {
            id: form.id,
            name: form.name,
            can_admins_bypass: form.can_admins_bypass.unwrap_or(true),
            prevent_self_review: form.protection_rules.iter().any(|rule| rule.prevent_self_review),
            branch_policy,
            reviewers: form.protection_rules.iter().map(|rule| rule.reviewers.len()).sum(),
            wait_timer: form.protection_rules.iter().map(|rule| rule.wait_timer).max().unwrap_or(0),
            people: form
                .protection_rules
                .iter()
                .flat_map(|rule| &rule.reviewers)
                .filter_map(person)
                .collect(),
        }
    }
}

/// A custom protection rule of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which.
    pub id: u64,
    /// Whether it holds anything up.
    pub enabled: bool,
    /// Which App's it is.
    pub app_id: u64,
    /// What that App is called.
    pub app_slug: String,
}

#[derive(Deserialize)]
pub(super) struct RuleForm {
    id: u64,
    enabled: bool,
    app: RuleApp,
}

#[derive(Deserialize)]
struct RuleApp {
    id: u64,
    #[serde(default)]
    slug: String,
}

impl From<RuleForm> for Rule {
    fn from(form: RuleForm) -> Self {
        Self { id: form.id, enabled: form.enabled, app_id: form.app.id, app_slug: form.app.slug }
    }
}

/// A pattern of branches, or of tags, that may deploy to an environment.
#[derive(Deserialize)]
pub(super) struct PatternForm {
    pub(super) name: String,
}

/// The App itself, as GitHub has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Own {
    /// The events that it listens for.
    #[serde(default)]
    pub events: Vec<String>,
    /// Whose it is.
    pub owner: Owner,
}

/// Whose something is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Owner {
    /// What they are called now. To show, never to decide by.
    pub login: String,
    /// `User` or `Organization`.
    #[serde(rename = "type", default)]
    pub kind: String,
}

/// A delivery of the App's webhook, as GitHub tells what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Sent {
    /// Of what it told.
    pub event: String,
    /// What was answered; 0 where nothing was.
    #[serde(default)]
    pub status_code: u16,
    /// When, as GitHub writes it.
    #[serde(default)]
    pub delivered_at: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_commit_of_nobody_that_github_knows_has_no_people() {
        for nobody in [json!(null), json!({})] {
            let form = json!({"sha": "a", "author": nobody, "committer": {"id": 7, "login": "x"}});
            let commit: Commit = serde_json::from_value::<CommitForm>(form).unwrap().into();
            assert_eq!(commit.author, None);
            assert_eq!(commit.committer.unwrap().id, 7);
        }
        let unread = json!({"sha": "a", "author": {"id": "7", "login": "x"}, "committer": null});
        assert!(serde_json::from_value::<CommitForm>(unread).is_err(), "somebody is not nobody");
    }

    #[test]
    fn t72_an_environment_that_does_not_tell_may_be_bypassed() {
        let read = |form: serde_json::Value| -> Environment {
            serde_json::from_value::<EnvironmentForm>(form).unwrap().into()
        };
        let silent = read(json!({"id": 1, "name": "prod"}));
        assert!(silent.can_admins_bypass);
        assert_eq!(silent.branch_policy, BranchPolicy::Any);
        let strict = read(json!({
            "id": 1, "name": "prod", "can_admins_bypass": false, "new": {"field": []},
            "protection_rules": [
                {"id": 1, "type": "wait_timer", "wait_timer": 3},
                {"id": 2, "type": "required_reviewers", "prevent_self_review": true,
                 "reviewers": [{"type": "User", "reviewer": {"id": 7}},
                               {"type": "Team", "reviewer": {"id": 8}}]},
            ],
            "deployment_branch_policy": {"protected_branches": true, "custom_branch_policies": false},
        }));
        assert!(!strict.can_admins_bypass && strict.prevent_self_review);
        assert_eq!((strict.branch_policy, strict.reviewers), (BranchPolicy::Protected, 2));
        assert_eq!((strict.wait_timer, silent.wait_timer), (3, 0));
        assert_eq!(strict.people, BTreeSet::from([7]));
    }
}
