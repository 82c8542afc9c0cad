//! Who is behind a change, and who is in a team; lists come in pages.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::gates::number;
use super::state::{Repository, State};
use super::{Reply, message, queried};

/// What a page holds where nothing else is asked for, and at most ("Using pagination in the REST API").
const PAGE: usize = 30;
const LARGEST_PAGE: usize = 100;

impl State {
    pub(super) fn commit_of(&self, repository: &Repository, sha: &str) -> Reply {
        match self.commits.contains_key(sha) {
            true => Reply::new(200, self.commit(repository, sha).to_string()),
            false => message(422, &format!("No commit found for SHA: {sha}")),
        }
    }

    /// A commit and those it stands on, by following the first parents ("List commits").
    pub(super) fn commits_from(&self, repository: &Repository, query: &str) -> Reply {
        let head = queried(query, "sha").unwrap_or_default();
        let parent = |sha: &String| self.commits.get(sha).and_then(|one| one.parent.clone());
        let known = Some(head.clone()).filter(|sha| self.commits.contains_key(sha));
        if known.is_none() {
            return message(404, "Not Found");
        }
        let all = std::iter::successors(known, parent);
        let shown = all.map(|sha| self.commit(repository, &sha)).collect();
        let path = format!("/repos/{}/{}/commits", repository.owner, repository.name);
        self.paged_by(shown, page_of(query), &path, &format!("sha={head}&"), Value::from)
    }

    pub(super) fn pulls_of(&self, repository: &Repository, sha: &str, query: &str) -> Reply {
        let holds = |pull: &&super::Pull| {
            pull.merge_commit == sha || pull.commits.iter().any(|commit| commit == sha)
        };
        let pulls = self.pulls.iter().filter(holds).map(|pull| self.pull(repository, pull));
        let path = format!("/repos/{}/{}/commits/{sha}/pulls", repository.owner, repository.name);
        self.paged(pulls.collect(), page_of(query), &path, Value::from)
    }

    pub(super) fn pull_of(&self, repository: &Repository, number_: &str) -> Reply {
        match self.pulls.iter().find(|one| one.number == number(number_)) {
            Some(found) => {
                let mut shown = self.pull(repository, found);
                shown["merged"] = json!(found.merged_by.is_some());
                let numbers = ["additions", "changed_files", "comments", "deletions"];
                let numbers = numbers.into_iter().chain(["review_comments"]);
                numbers.for_each(|name| shown[name] = json!(0));
                shown["commits"] = json!(found.commits.len());
                shown["mergeable"] = Value::Null;
                shown["mergeable_state"] = json!("unknown");
                shown["maintainer_can_modify"] = json!(false);
                shown["merged_by"] = found.merged_by.map_or(Value::Null, |id| self.user(id));
                Reply::new(200, shown.to_string())
            }
            None => message(404, "Not Found"),
        }
    }

    pub(super) fn commits_of(&self, repository: &Repository, pull: &str, query: &str) -> Reply {
        let Some(found) = self.pulls.iter().find(|one| one.number == number(pull)) else {
            return message(404, "Not Found");
        };
        let commits = found.commits.iter().map(|sha| self.commit(repository, sha)).collect();
        let path = format!("/repos/{}/{}/pulls/{pull}/commits", repository.owner, repository.name);
        self.paged(commits, page_of(query), &path, Value::from)
    }

    /// What was added since, by following the first parents.
    pub(super) fn compare(&self, repository: &Repository, pair: &str, query: &str) -> Reply {
        let Some((base, head)) = pair.split_once("...") else { return message(404, "Not Found") };
        if !self.commits.contains_key(base) || !self.commits.contains_key(head) {
            return message(404, "Not Found");
        }
        let mut since = Vec::new();
        let mut at = Some(head.to_owned());
        while let Some(sha) = at.filter(|sha| sha != base) {
            at = self.commits.get(&sha).and_then(|commit| commit.parent.clone());
            since.push(sha);
        }
        since.reverse();
        let commits: Vec<Value> = since.iter().map(|sha| self.commit(repository, sha)).collect();
        let total = commits.len();
        let (base_commit, url) = (self.commit(repository, base), self.repository_url(repository));
        let path = format!("/repos/{}/{}/compare/{pair}", repository.owner, repository.name);
        let status = if total == 0 { "identical" } else { "ahead" };
        self.paged(commits, page_of(query), &path, |commits| {
            json!({
                "url": format!("{url}/compare/{pair}"), "html_url": url, "permalink_url": url,
                "diff_url": url, "patch_url": url, "base_commit": base_commit,
                "merge_base_commit": base_commit, "status": status, "ahead_by": total,
                "behind_by": 0, "total_commits": total, "commits": commits, "files": [],
            })
        })
    }

    pub(super) fn team_members(&self, owner: &str, slug: &str, query: &str) -> Reply {
        if !self.teams.contains_key(&(owner.to_owned(), slug.to_owned())) {
            return message(404, "Not Found");
        }
        let shown = self.in_team(owner, slug).into_iter().map(|id| self.user(id)).collect();
        let path = format!("/orgs/{owner}/teams/{slug}/members");
        self.paged(shown, page_of(query), &path, Value::from)
    }

    /// Who is in it or in one below it ("List team members").
    fn in_team(&self, owner: &str, slug: &str) -> BTreeSet<u64> {
        let own = self.teams.get(&(owner.to_owned(), slug.to_owned())).into_iter().flatten();
        let below = self.teams_below.iter().filter(|(of, upper, _)| of == owner && upper == slug);
        let below = below.flat_map(|(_, _, lower)| self.in_team(owner, lower));
        own.copied().chain(below).collect()
    }

    pub(super) fn installations(&self, query: &str) -> Reply {
        let owner = self.repositories.iter().find(|one| one.installed);
        let shown = owner.map(|one| {
            let reply = self.installation_of(&one.owner);
            serde_json::from_str(&reply.body).unwrap_or(Value::Null)
        });
        self.paged(shown.into_iter().collect(), page_of(query), "/app/installations", Value::from)
    }

    pub(super) fn installed(&self, query: &str) -> Reply {
        let installed = self.repositories.iter().filter(|one| one.installed);
        let shown: Vec<Value> = installed.map(|one| self.whole_repository(one)).collect();
        let total = shown.len();
        self.paged(shown, page_of(query), "/installation/repositories", |shown| {
            json!({"total_count": total, "repository_selection": "all", "repositories": shown})
        })
    }

    /// One page, and where the next one is.
    pub(super) fn paged(
        &self,
        all: Vec<Value>,
        (page, size): (usize, usize),
        path: &str,
        shape: impl FnOnce(Vec<Value>) -> Value,
    ) -> Reply {
        self.paged_by(all, (page, size), path, "", shape)
    }

    /// The same, where the links repeat what else was asked.
    fn paged_by(
        &self,
        all: Vec<Value>,
        (page, size): (usize, usize),
        path: &str,
        asked: &str,
        shape: impl FnOnce(Vec<Value>) -> Value,
    ) -> Reply {
        let total = all.len();
        let shown = all.into_iter().skip((page - 1) * size).take(size).collect();
        let mut reply = Reply::new(200, shape(shown).to_string());
        let last = total.div_ceil(size);
        if page < last {
            let link = |page: usize, rel: &str| {
                format!("<{}{path}?{asked}per_page={size}&page={page}>; rel=\"{rel}\"", self.url)
            };
            let value = format!("{}, {}", link(page + 1, "next"), link(last, "last"));
            reply.headers.push(("link", value));
        }
        reply
    }
}

/// Which page is asked for, and of how many.
pub(super) fn page_of(query: &str) -> (usize, usize) {
    let value = |name: &str| queried(query, name).and_then(|value| value.parse().ok());
    let size = value("per_page").unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    (value("page").unwrap_or(1).max(1), size)
}
