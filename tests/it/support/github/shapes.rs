//! What it answers looks like: every field that GitHub's OpenAPI description requires.

use serde_json::{Map, Value, json};

use super::app::{APP, INSTALLATION};
use super::state::{Environment, Pull, Repository, Run, State};
use super::{Reply, message};

/// When everything happened.
const AT: &str = "2026-11-01T00:00:00Z";

/// What the links of a repository are called; each leads to a page of its own.
const LINKS: [&str; 37] = [
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
    "git",
];

impl State {
    pub(super) fn login(&self, id: u64) -> String {
        self.logins.get(&id).cloned().unwrap_or_else(|| format!("user-{id}"))
    }

    pub(super) fn user(&self, id: u64) -> Value {
        let login = self.login(id);
        let url = format!("{}/users/{login}", self.url);
        let kind = if login.ends_with("[bot]") { "Bot" } else { "User" };
        let mut shown = json!({
            "login": login, "id": id, "node_id": format!("U_{id}"), "gravatar_id": "",
            "url": url, "html_url": format!("https://github.example/{login}"),
            "avatar_url": format!("https://github.example/{login}.png"),
            "type": kind, "site_admin": false,
        });
        for name in [
            "followers",
            "following",
            "gists",
            "starred",
            "subscriptions",
            "organizations",
            "repos",
            "events",
            "received_events",
        ] {
            shown[format!("{name}_url")] = json!(format!("{url}/{name}"));
        }
        shown
    }

    pub(super) fn repository_url(&self, of: &Repository) -> String {
        format!("{}/repos/{}/{}", self.url, of.owner, of.name)
    }

    fn owner(&self, of: &Repository) -> Value {
        let mut owner = self.user(of.owner_id);
        owner["login"] = json!(of.owner);
        owner["type"] = json!("Organization");
        owner
    }

    pub(super) fn minimal_repository(&self, of: &Repository) -> Value {
        let url = self.repository_url(of);
        let mut shown = json!({
            "id": of.id, "node_id": format!("R_{}", of.id), "name": of.name,
            "full_name": format!("{}/{}", of.owner, of.name), "owner": self.owner(of),
            "private": true, "fork": false, "description": null, "url": url,
            "html_url": format!("https://github.example/{}/{}", of.owner, of.name),
        });
        for name in LINKS {
            shown[format!("{name}_url")] = json!(format!("{url}/{name}"));
        }
        shown
    }

    pub(super) fn whole_repository(&self, of: &Repository) -> Value {
        let mut shown = self.minimal_repository(of);
        let numbers = [
            "forks",
            "forks_count",
            "open_issues",
            "open_issues_count",
            "size",
            "stargazers_count",
            "watchers",
            "watchers_count",
            "network_count",
            "subscribers_count",
        ];
        numbers.iter().for_each(|name| shown[*name] = json!(0));
        let no = ["has_pages", "archived", "disabled", "has_discussions", "has_downloads"];
        no.iter().for_each(|name| shown[*name] = json!(false));
        let yes = ["has_issues", "has_projects", "has_wiki"];
        yes.iter().for_each(|name| shown[*name] = json!(true));
        let nothing = ["homepage", "language", "mirror_url", "license"];
        nothing.iter().for_each(|name| shown[*name] = Value::Null);
        ["pushed_at", "created_at", "updated_at"].iter().for_each(|name| shown[*name] = json!(AT));
        shown["default_branch"] = json!("main");
        shown["visibility"] = json!("private");
        let url = self.repository_url(of);
        for name in ["clone_url", "svn_url", "ssh_url", "git_url"] {
            shown[name] = json!(url);
        }
        shown
    }

    pub(super) fn run(&self, run: &Run) -> Value {
        let of = self.repositories.iter().find(|one| one.id == run.repository).unwrap();
        let url = format!("{}/actions/runs/{}", self.repository_url(of), run.id);
        let head = run.head_repository.map(|id| {
            let same = self.repositories.iter().find(|one| one.id == id);
            let fork =
                || Repository { id, owner: "mallory".to_owned(), owner_id: 666, ..of.clone() };
            self.minimal_repository(&same.cloned().unwrap_or_else(fork))
        });
        let mut shown = json!({
            "id": run.id, "node_id": format!("WFR_{}", run.id), "name": "deploy",
            "head_branch": run.head_branch, "head_sha": run.head_sha, "run_number": 12,
            "run_attempt": run.attempt, "display_title": run.title, "event": run.event,
            "status": run.status, "conclusion": run.conclusion, "path": run.path, "workflow_id": 5,
            "url": url, "html_url": format!("https://github.example/{}/{}/actions/runs/{}", of.owner, of.name, run.id),
            "created_at": AT, "updated_at": AT, "run_started_at": AT,
            "actor": self.user(run.actor), "triggering_actor": self.user(run.triggering_actor),
            "repository": self.minimal_repository(of), "head_repository": head,
            "head_commit": {
                "id": run.head_sha, "tree_id": run.head_sha, "message": "A commit",
                "timestamp": AT, "author": {"name": "A", "email": "a@example.com"},
                "committer": {"name": "A", "email": "a@example.com"},
            },
            "pull_requests": [], "referenced_workflows": [],
        });
        for name in ["jobs", "logs", "check_suite", "cancel", "rerun", "artifacts", "workflow"] {
            shown[format!("{name}_url")] = json!(format!("{url}/{name}"));
        }
        shown
    }

    pub(super) fn environment_shown(
        &self,
        of: &Repository,
        environment: &Environment,
        with_times: bool,
    ) -> Value {
        let name = &environment.name;
        let mut shown = json!({
            "id": environment.id, "node_id": format!("EN_{}", environment.id), "name": name,
            "url": format!("{}/environments/{name}", self.repository_url(of)),
            "html_url": format!("https://github.example/{}/{}/deployments", of.owner, of.name),
        });
        if with_times {
            shown["created_at"] = json!(AT);
            shown["updated_at"] = json!(AT);
        }
        shown
    }

    pub(super) fn whole_environment(&self, of: &Repository, environment: &Environment) -> Value {
        let mut shown = self.environment_shown(of, environment, true);
        shown["can_admins_bypass"] = json!(environment.can_admins_bypass);
        let mut rules = Vec::new();
        if environment.prevent_self_review || self.own_reviews.contains(&environment.id) {
            rules.push(json!({
                "id": 1, "node_id": "GA_1", "type": "required_reviewers",
                "prevent_self_review": environment.prevent_self_review,
                "reviewers": [{"type": "User", "reviewer": self.user(583)}],
            }));
        }
        if let Some(minutes) = self.wait_timers.get(&environment.id) {
            rules.push(json!({
                "id": 3, "node_id": "GA_3", "type": "wait_timer", "wait_timer": minutes,
            }));
        }
        if environment.branches.is_some() {
            rules.push(json!({"id": 2, "node_id": "GA_2", "type": "branch_policy"}));
        }
        shown["protection_rules"] = Value::from(rules);
        shown["deployment_branch_policy"] = match environment.branches {
            Some(which) => json!({
                "protected_branches": which == "protected",
                "custom_branch_policies": which == "custom",
            }),
            None => Value::Null,
        };
        shown
    }

    pub(super) fn commit(&self, of: &Repository, sha: &str) -> Value {
        let commit = self.commits.get(sha).cloned().unwrap_or_default();
        let url = format!("{}/commits/{sha}", self.repository_url(of));
        let git = json!({"name": "A", "email": "a@example.com", "date": AT});
        let user = |id: Option<u64>| id.map_or(Value::Null, |id| self.user(id));
        let parents = commit.parent.iter().map(|sha| json!({"sha": sha, "url": url}));
        json!({
            "sha": sha, "node_id": format!("C_{sha}"), "url": url, "html_url": url,
            "comments_url": format!("{url}/comments"),
            "commit": {
                "url": url, "author": git, "committer": git, "message": commit.message,
                "comment_count": 0, "tree": {"sha": sha, "url": url},
                "verification": {
                    "verified": false, "reason": "unsigned", "payload": null, "signature": null,
                    "verified_at": null,
                },
            },
            "author": user(commit.author), "committer": user(commit.committer),
            "parents": parents.collect::<Vec<_>>(),
        })
    }

    pub(super) fn pull(&self, of: &Repository, pull: &Pull) -> Value {
        let url = format!("{}/pulls/{}", self.repository_url(of), pull.number);
        let branch = json!({
            "label": "acme:main", "ref": "main", "sha": pull.merge_commit,
            "repo": self.whole_repository(of), "user": self.user(of.owner_id),
        });
        let link = json!({"href": url});
        let names = [
            "self",
            "html",
            "issue",
            "comments",
            "review_comments",
            "review_comment",
            "commits",
            "statuses",
        ];
        let links: Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), link.clone())).collect();
        let mut shown = json!({
            "id": pull.number, "node_id": "PR_1", "number": pull.number, "state": "closed",
            "locked": false, "title": "A change", "body": null, "user": self.user(pull.author),
            "labels": [], "milestone": null, "assignee": null, "auto_merge": null, "draft": false,
            "created_at": AT, "updated_at": AT, "closed_at": AT,
            "merged_at": pull.merged_by.map(|_| AT), "merge_commit_sha": pull.merge_commit,
            "head": branch, "base": branch, "author_association": "MEMBER", "_links": links,
            "url": url, "html_url": url,
        });
        for name in [
            "diff",
            "patch",
            "issue",
            "comments",
            "commits",
            "review_comment",
            "review_comments",
            "statuses",
        ] {
            shown[format!("{name}_url")] = json!(format!("{url}/{name}"));
        }
        shown
    }

    pub(super) fn check(&self, of: &Repository, id: u64) -> Value {
        let url = format!("{}/check-runs/{id}", self.repository_url(of));
        json!({
            "id": id, "node_id": format!("CR_{id}"), "head_sha": "", "name": "", "url": url,
            "external_id": "", "html_url": url, "details_url": url, "status": "queued",
            "conclusion": null, "started_at": AT, "completed_at": null, "check_suite": {"id": 3},
            "app": self.integration(), "pull_requests": [],
            "output": {
                "title": null, "summary": null, "text": null, "annotations_count": 0,
                "annotations_url": format!("{url}/annotations"),
            },
        })
    }

    pub(super) fn deployment_status(&self, of: &Repository, id: u64, body: &Value) -> Value {
        let url = format!("{}/deployments/{id}", self.repository_url(of));
        json!({
            "url": format!("{url}/statuses/1"), "id": 1, "node_id": "DS_1", "state": body["state"],
            "creator": self.user(APP), "description": body["description"].as_str().unwrap_or(""),
            "environment": "", "target_url": url, "created_at": AT, "updated_at": AT,
            "deployment_url": url, "repository_url": self.repository_url(of),
            "environment_url": url, "log_url": body["log_url"].as_str().unwrap_or(&url),
        })
    }

    pub(super) fn integration(&self) -> Value {
        json!({
            "id": APP, "slug": "assent", "node_id": "A_1", "name": "Assent", "description": "",
            "client_id": "Iv1.canary", "owner": self.user(1),
            "external_url": "https://assent.example", "html_url": "https://github.example/apps/assent",
            "created_at": AT, "updated_at": AT, "permissions": self.permissions(),
            "events": ["deployment_protection_rule", "workflow_run"], "installations_count": 1,
        })
    }

    pub(super) fn installation_of(&self, owner: &str) -> Reply {
        let mut all = self.repositories.iter();
        let Some(of) = all.find(|one| one.installed && one.owner.eq_ignore_ascii_case(owner))
        else {
            return message(404, "Not Found");
        };
        let url = format!("{}/app/installations/{INSTALLATION}", self.url);
        let shown = json!({
            "id": INSTALLATION, "account": self.owner(of), "app_id": APP, "app_slug": "assent",
            "client_id": "Iv1.canary", "target_id": of.owner_id, "target_type": "Organization",
            "repository_selection": "all", "access_tokens_url": format!("{url}/access_tokens"),
            "html_url": url, "repositories_url": format!("{}/installation/repositories", self.url),
            "permissions": self.permissions(), "events": ["deployment_protection_rule"],
            "single_file_name": null, "created_at": AT, "updated_at": AT, "suspended_at": null,
            "suspended_by": null,
        });
        Reply::new(200, shown.to_string())
    }

    /// A file of the repository, as the contents API gives it.
    pub(super) fn content(&self, of: &Repository, file: &str) -> Reply {
        use base64::Engine as _;
        let Some(text) = self.files.get(file) else { return message(404, "Not Found") };
        let url = format!("{}/contents/{file}", self.repository_url(of));
        let shown = json!({
            "type": "file", "encoding": "base64", "size": text.len(), "path": file, "sha": "0",
            "name": file.rsplit('/').next().unwrap_or(file), "url": url, "git_url": url,
            "html_url": url, "download_url": url,
            "content": base64::engine::general_purpose::STANDARD.encode(text),
            "_links": {"self": url, "git": url, "html": url},
        });
        Reply::new(200, shown.to_string())
    }
}
