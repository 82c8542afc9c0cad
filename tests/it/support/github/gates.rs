//! Runs, their environments, and what keeps a run before one ("Reviewing custom deployment protection
//! rules", "Managing environments for deployment").

use serde_json::{Value, json};

use super::app::APP;
use super::people::page_of;
use super::state::{Change, Repository, State};
use super::{Reply, Route, message, queried};

/// How often a deployment can be reported on without a verdict.
const REPORTS: usize = 10;
/// How long a comment may be.
const LONGEST: usize = 1024;

impl State {
    pub(super) fn runs_of(&self, repository: &Repository, query: &str) -> Reply {
        let (status, page) = (queried(query, "status"), page_of(query));
        let of = self.runs.values().filter(|run| {
            run.repository == repository.id
                && status.as_deref().is_none_or(|status| {
                    run.status == status || run.conclusion.as_deref() == Some(status)
                })
        });
        let all: Vec<Value> = of.map(|run| self.run(run)).collect();
        let total = all.len();
        self.paged(
            all,
            page,
            &format!("/repos/{}/{}/actions/runs", repository.owner, repository.name),
            |runs| json!({"total_count": total, "workflow_runs": runs}),
        )
    }

    pub(super) fn run_of(&self, repository: &Repository, id: &str) -> Reply {
        match self.runs.get(&number(id)).filter(|run| run.repository == repository.id) {
            Some(run) => Reply::new(200, self.run(run).to_string()),
            None => message(404, "Not Found"),
        }
    }

    pub(super) fn pending(&self, repository: &Repository, run: &str) -> Reply {
        if !self.has_run(repository, run) {
            return message(404, "Not Found");
        }
        let waiting = self.gates.iter().filter(|gate| gate.run == number(run) && gate.waiting);
        let shown: Vec<Value> = waiting
            .filter_map(|gate| {
                let environment = self.environment(repository, &gate.environment)?;
                Some(json!({
                    "environment": self.environment_shown(repository, environment, false),
                    "wait_timer": 0, "wait_timer_started_at": null,
                    "current_user_can_approve": false, "reviewers": [],
                }))
            })
            .collect();
        Reply::new(200, Value::from(shown).to_string())
    }

    pub(super) fn approvals_of(&self, repository: &Repository, run: &str) -> Reply {
        if !self.has_run(repository, run) {
            return message(404, "Not Found");
        }
        let of = self.approvals.iter().filter(|(of, ..)| *of == number(run));
        let shown: Vec<Value> = of
            .filter_map(|(_, name, state, user, comment)| {
                let environment = self.environment(repository, name)?;
                Some(json!({
                    "environments": [self.environment_shown(repository, environment, true)],
                    "state": state, "user": self.user(*user), "comment": comment,
                }))
            })
            .collect();
        Reply::new(200, Value::from(shown).to_string())
    }

    pub(super) fn callback(&mut self, repository: &Repository, run: &str, body: &Value) -> Reply {
        if !self.has_run(repository, run) {
            return message(404, "Not Found");
        }
        let known = ["environment_name", "state", "comment"];
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let (environment, state, comment) =
            (text("environment_name"), text("state"), text("comment"));
        let is_strange = body
            .as_object()
            .is_none_or(|body| body.keys().any(|key| !known.contains(&key.as_str())));
        let Some(environment) = environment.filter(|_| !is_strange) else {
            return message(422, "Invalid request.");
        };
        if state.as_deref().is_some_and(|state| !["approved", "rejected"].contains(&state))
            || (state.is_none() && comment.is_none())
            || comment.as_deref().is_some_and(|comment| comment.chars().count() > LONGEST)
        {
            return message(422, "Invalid request.");
        }
        let number = number(run);
        let mut of = self.gates.iter_mut().filter(|gate| gate.run == number && gate.waiting);
        let Some(gate) = of.find(|gate| gate.environment.eq_ignore_ascii_case(&environment)) else {
            return message(422, "There are no pending deployment requests to approve or reject.");
        };
        if gate.verdict.is_some() {
            return message(422, "The deployment protection rule has already been reviewed.");
        }
        let comment = comment.unwrap_or_default();
        let Some(state) = state else {
            if gate.reports.len() == REPORTS {
                return message(
                    422,
                    "The number of status reports of this deployment is exhausted.",
                );
            }
            gate.reports.push(comment);
            return Reply::new(204, "");
        };
        gate.verdict = Some(state.clone());
        gate.verdicts += 1;
        gate.comment = comment;
        gate.waiting = gate.others && state == "approved";
        if state == "rejected" {
            self.end(number, "failure");
        } else {
            self.go_on(number);
        }
        if self.runs_again_then {
            self.change(number, Change::RunAgain);
        }
        Reply::new(204, "")
    }

    /// What somebody else does to a run.
    pub(crate) fn change(&mut self, run: u64, change: Change) {
        match change {
            Change::Bypassed(by) => {
                let mut passed = Vec::new();
                for gate in self.gates.iter_mut().filter(|gate| gate.run == run && gate.waiting) {
                    gate.waiting = false;
                    passed.push(gate.environment.clone());
                }
                for environment in passed {
                    let said = "it cannot wait".to_owned();
                    self.approvals.push((run, environment, "approved", by, said));
                }
                self.go_on(run);
            }
            Change::Canceled => self.end(run, "cancelled"),
            Change::RunAgain => {
                let Some(found) = self.runs.get_mut(&run) else { return };
                found.attempt += 1;
                (found.status, found.conclusion) = ("waiting".to_owned(), None);
                for gate in self.gates.iter_mut().filter(|gate| gate.run == run) {
                    (gate.waiting, gate.verdict) = (true, None);
                    gate.reports.clear();
                }
            }
        }
    }

    fn end(&mut self, run: u64, conclusion: &str) {
        self.gates.iter_mut().filter(|gate| gate.run == run).for_each(|gate| gate.waiting = false);
        if let Some(run) = self.runs.get_mut(&run) {
            (run.status, run.conclusion) = ("completed".to_owned(), Some(conclusion.to_owned()));
        }
    }

    fn go_on(&mut self, run: u64) {
        let waits = self.gates.iter().any(|gate| gate.run == run && gate.waiting);
        if let Some(run) = self.runs.get_mut(&run).filter(|_| !waits) {
            "in_progress".clone_into(&mut run.status);
        }
    }

    pub(super) fn environment_of(&self, repository: &Repository, name: &str) -> Reply {
        match self.environment(repository, name) {
            Some(found) => {
                let shown = self.whole_environment(repository, found);
                Reply::new(200, shown.to_string())
            }
            None => message(404, "Not Found"),
        }
    }

    pub(super) fn environments_of(&self, repository: &Repository, query: &str) -> Reply {
        let of = self.environments.iter().filter(|one| one.repository == repository.id);
        let all: Vec<Value> = of.map(|one| self.whole_environment(repository, one)).collect();
        let total = all.len();
        let path = format!("/repos/{}/{}/environments", repository.owner, repository.name);
        self.paged(
            all,
            page_of(query),
            &path,
            |shown| json!({"total_count": total, "environments": shown}),
        )
    }

    pub(super) fn patterns_of(&self, repository: &Repository, name: &str, query: &str) -> Reply {
        let Some(found) = self.environment(repository, name) else {
            return message(404, "Not Found");
        };
        let patterns = self.patterns.get(&found.id).into_iter().flatten().enumerate();
        let all: Vec<Value> = patterns
            .map(|(index, pattern)| {
                json!({"id": index + 1, "node_id": "GT_1", "name": pattern, "type": "branch"})
            })
            .collect();
        let (total, path) = (all.len(), format!("/environments/{name}/deployment-branch-policies"));
        let path = format!("/repos/{}/{}{path}", repository.owner, repository.name);
        self.paged(
            all,
            page_of(query),
            &path,
            |shown| json!({"total_count": total, "branch_policies": shown}),
        )
    }

    pub(super) fn deliveries_told(&self) -> Reply {
        let all = self.deliveries.iter().enumerate().map(|(index, (event, status))| {
            json!({
                "id": index + 1, "guid": "0b989ba4-242f-11e5-81e1-c7b6966d2516",
                "delivered_at": "2026-11-01T00:00:00Z", "redelivery": false, "duration": 0.1,
                "status": if *status == 200 { "OK" } else { "Invalid" }, "status_code": status,
                "event": event, "action": "requested", "installation_id": 77,
                "repository_id": 900, "throttled_at": null,
            })
        });
        Reply::new(200, all.collect::<Value>().to_string())
    }

    pub(super) fn rules_of(&self, repository: &Repository, name: &str) -> Reply {
        let Some(found) = self.environment(repository, name) else {
            return message(404, "Not Found");
        };
        let rules = found.rules.iter().enumerate().map(|(index, (enabled, app, slug))| {
            let url = &self.url;
            json!({
                "id": index + 1, "node_id": "DPR_1", "enabled": enabled,
                "app": {
                    "id": app, "slug": slug, "node_id": "A_1",
                    "integration_url": format!("{url}/apps/{slug}"),
                },
            })
        });
        let rules: Vec<Value> = rules.collect();
        let total = rules.len();
        let shown = json!({"total_count": total, "custom_deployment_protection_rules": rules});
        Reply::new(200, shown.to_string())
    }

    pub(super) fn create_check(&mut self, repository: &Repository, body: &Value) -> Reply {
        let named = body["name"].is_string() && body["head_sha"].is_string();
        if !named || !is_consistent(body) {
            return message(422, "Invalid request.");
        }
        let id = 9_000 + self.checks.len() as u64;
        let mut shown = self.check(repository, id);
        change_check(&mut shown, body);
        self.checks.insert(id, shown.clone());
        Reply::new(201, shown.to_string())
    }

    pub(super) fn update_check(&mut self, id: &str, body: &Value) -> Reply {
        let Some(shown) = self.checks.get_mut(&number(id)) else {
            return message(404, "Not Found");
        };
        if !is_consistent(body) {
            return message(422, "Invalid request.");
        }
        change_check(shown, body);
        Reply::new(200, shown.to_string())
    }

    pub(super) fn checks_of(&self, sha: &str, query: &str) -> Reply {
        let name = queried(query, "check_name");
        let is_it = |check: &&Value| {
            check["head_sha"] == sha && name.as_deref().is_none_or(|name| check["name"] == name)
        };
        let all: Vec<Value> = self.checks.values().filter(is_it).cloned().collect();
        let total = all.len();
        self.paged(
            all,
            page_of(query),
            &format!("/commits/{sha}/check-runs"),
            |checks| json!({"total_count": total, "check_runs": checks}),
        )
    }

    pub(super) fn create_deployment_status(
        &mut self,
        repository: &Repository,
        id: &str,
        body: &Value,
    ) -> Reply {
        if !body["state"].is_string() {
            return message(422, "Invalid request.");
        }
        self.deployment_statuses.push((number(id), body.clone()));
        let shown = self.deployment_status(repository, number(id), body);
        Reply::new(201, shown.to_string())
    }

    fn has_run(&self, repository: &Repository, run: &str) -> bool {
        self.runs.get(&number(run)).is_some_and(|run| run.repository == repository.id)
    }

    fn environment(
        &self,
        repository: &Repository,
        name: &str,
    ) -> Option<&super::state::Environment> {
        let mut all = self.environments.iter();
        all.find(|one| one.repository == repository.id && one.name.eq_ignore_ascii_case(name))
    }

    /// What the App is called where it is a rule.
    pub(super) fn app(&self) -> Reply {
        Reply::new(200, self.integration().to_string())
    }

    /// The App's own gates of a run.
    pub(crate) fn gate(&self, run: u64, environment: &str) -> super::state::Gate {
        let mut all = self.gates.iter();
        let found = all.find(|gate| gate.run == run && gate.environment == environment);
        found.unwrap_or_else(|| panic!("run {run} has no gate to {environment}")).clone()
    }
}

/// A conclusion is for what is completed, and there it must be ("Create a check run").
fn is_consistent(body: &Value) -> bool {
    body["status"] != "completed" || body["conclusion"].is_string()
}

fn change_check(shown: &mut Value, body: &Value) {
    for name in ["name", "head_sha", "status", "conclusion", "details_url", "external_id"] {
        if !body[name].is_null() {
            shown[name] = body[name].clone();
        }
    }
    for name in ["title", "summary", "text"] {
        if !body["output"][name].is_null() {
            shown["output"][name] = body["output"][name].clone();
        }
    }
    if shown["status"] == "completed" {
        shown["completed_at"] = json!("2026-11-01T00:00:00Z");
    }
}

pub(super) fn number(text: &str) -> u64 {
    text.parse().unwrap_or_default()
}

impl Route {
    /// Those of the routes that write, apart from tokens.
    pub(crate) fn is_write(self) -> bool {
        matches!(
            self,
            Self::Callback | Self::CreateCheck | Self::UpdateCheck | Self::CreateDeploymentStatus
        )
    }
}

/// Of which App a rule is ours.
pub(crate) fn our_rule(enabled: bool) -> (bool, u64, String) {
    (enabled, APP, "assent".to_owned())
}
