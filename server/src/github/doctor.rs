//! What weakens the way in which deployments of a repository are held up: settings in, findings out.
//!
//! Nothing is asked here and nothing decided by it. Every finding says what is so, what can happen
//! because of it and what to do, by the names that GitHub's pages give their settings (*Managing
//! environments for deployment*). Links are made here, and never taken from what GitHub tells.

use std::collections::BTreeMap;

use assent_core::principal::is_visible;
use assent_core::trust::{Shape, Trust};
use assent_core::wire::{GithubFinding as Finding, GithubVerdict as Is};

use super::calls::path;
use super::setup::{EVENTS, PERMISSIONS};
use super::{BranchPolicy, Environment, GithubError, Own, Rule, Sent};

/// The claims by which a trust says which workflow it is for (*OpenID Connect reference*).
const OF_WORKFLOW: [&str; 4] =
    ["job_workflow_ref", "job_workflow_sha", "workflow_ref", "workflow_sha"];

/// What is known of a repository in which the App is installed.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    /// Where people find GitHub, without a slash at the end.
    pub(crate) place: &'a str,
    /// The App's number.
    pub(crate) app_id: u64,
    /// The App's name in addresses.
    pub(crate) slug: &'a str,
    /// `OWNER`.
    pub(crate) owner: &'a str,
    /// `REPO`.
    pub(crate) name: &'a str,
    /// The repository's number.
    pub(crate) id: u64,
    /// The number of whose it is.
    pub(crate) owner_id: u64,
    /// The branch that people mean when they name none.
    pub(crate) default_branch: &'a str,
    /// What the installation may do.
    pub(crate) permissions: &'a BTreeMap<String, String>,
    /// The App itself.
    pub(crate) own: Result<Own, GithubError>,
    /// What became of its newest deliveries, the newest first.
    pub(crate) deliveries: Result<Vec<Sent>, GithubError>,
    /// Its environments.
    pub(crate) environments: Vec<SeenEnvironment>,
    /// The trusts that rule.
    pub(crate) trusts: Vec<SeenTrust<'a>>,
}

/// What is known of an environment.
#[derive(Debug)]
pub(crate) struct SeenEnvironment {
    /// Its name.
    pub(crate) name: String,
    /// Its settings.
    pub(crate) settings: Result<Environment, GithubError>,
    /// The patterns of branches and tags that may deploy to it, where it has such.
    pub(crate) patterns: Result<Vec<String>, GithubError>,
    /// The rules of Apps.
    pub(crate) rules: Result<Vec<Rule>, GithubError>,
}

/// A trust of the issuer of this GitHub's Actions.
#[derive(Debug)]
pub(crate) struct SeenTrust<'a> {
    /// It.
    pub(crate) trust: &'a Trust,
    /// Where it stands; nothing where it came over the API.
    pub(crate) file: Option<&'a str>,
}

/// Everything there is to say, first of the repository, then of each environment.
pub(crate) fn examine(seen: &Seen<'_>) -> Vec<Finding> {
    let mut all = vec![good("installed", format!("the App `{}` is installed", seen.slug))];
    all.extend(seen.permissions());
    all.extend(seen.events());
    all.push(seen.deliveries());
    if seen.environments.is_empty() {
        all.push(
            weak("environments", "the repository has no environments", "no run waits for anybody")
                .to_do("make one under *Environments*, *New environment*, and name it in the jobs that deploy")
                .at(seen.repository_page(&["settings", "environments"])),
        );
    }
    for environment in &seen.environments {
        let of = seen.environment(environment).into_iter();
        all.extend(
            of.map(|finding| Finding { environment: Some(environment.name.clone()), ..finding }),
        );
    }
    all
}

/// What is said where the App is not installed, or there is no such repository.
pub(crate) fn not_installed(place: &str, slug: &str, full_name: &str) -> Finding {
    let found = format!(
        "the App `{slug}` is not installed in `{full_name}`, or there is no such repository"
    );
    weak(
        "installed",
        found,
        "no run of it waits for anybody here, and nobody can say who is behind one",
    )
    .to_do("*Install* the App, with access to this repository")
    .at(install_page(place, slug))
}

/// What is said where it could not be found out.
pub(crate) fn unknown(about: &str, what: &str, error: &GithubError) -> Finding {
    finding(about, Is::Unknown, format!("{what} could not be read: {error}"))
}

fn finding(about: &str, verdict: Is, found: impl Into<String>) -> Finding {
    Finding {
        about: about.to_owned(),
        environment: None,
        verdict,
        found: found.into(),
        weakens: None,
        remedy: None,
        link: None,
    }
}

fn good(about: &str, found: impl Into<String>) -> Finding {
    finding(about, Is::Good, found)
}

fn note(about: &str, found: impl Into<String>) -> Finding {
    finding(about, Is::Note, found)
}

fn weak(about: &str, found: impl Into<String>, weakens: impl Into<String>) -> Finding {
    Finding { weakens: Some(weakens.into()), ..finding(about, Is::Weakens, found) }
}

/// What is to be done, and where.
trait Advice {
    fn to_do(self, remedy: impl Into<String>) -> Self;
    fn at(self, link: Option<String>) -> Self;
}

impl Advice for Finding {
    fn to_do(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    fn at(self, link: Option<String>) -> Self {
        Self { link, ..self }
    }
}

fn page(place: &str, segments: &[&str]) -> Option<String> {
    path(segments.iter().copied()).map(|path| format!("{place}{path}"))
}

/// Where an App is installed, or its installation changed. A server of one's own has it elsewhere.
fn install_page(place: &str, slug: &str) -> Option<String> {
    let is_hosted = place == "https://github.com" || place.ends_with(".ghe.com");
    let apps = if is_hosted { "apps" } else { "github-apps" };
    page(place, &[apps, slug, "installations", "new"])
}

fn level(word: Option<&str>) -> u8 {
    match word {
        Some("admin") => 3,
        Some("write") => 2,
        Some("read") => 1,
        Some(_) | None => 0,
    }
}

impl Seen<'_> {
    fn repository_page(&self, rest: &[&str]) -> Option<String> {
        let segments: Vec<&str> = [self.owner, self.name].iter().chain(rest).copied().collect();
        page(self.place, &segments)
    }

    fn permissions(&self) -> Vec<Finding> {
        let granted = |name: &str| self.permissions.get(name).map(String::as_str);
        let lacking =
            PERMISSIONS.iter().filter(|one| level(granted(one.name)) < level(Some(one.level)));
        let mut all: Vec<Finding> = lacking
            .map(|one| {
                let found = format!("the App lacks *{}: {}*", one.shown, one.level);
                weak("permissions", found, format!("it is needed {}", one.why))
                    .to_do(format!(
                        "give the App *{}*: *{}* under *Permissions & events*, then accept it where \
                         the App is installed",
                        one.shown, one.level
                    ))
                    .at(self.settings_page("permissions"))
            })
            .collect();
        if all.is_empty() {
            all.push(good("permissions", "the App has the permissions that it needs"));
        }
        for (name, has) in self.permissions {
            let wanted = PERMISSIONS.iter().find(|one| one.name == name).map(|one| one.level);
            if level(Some(has)) <= level(wanted) {
                continue;
            }
            let found = format!("the App has `{name}: {has}`, which it does not need");
            let remedy = "take it away under *Permissions & events*";
            let told = match level(Some(has)) {
                0 | 1 => note("permissions_beyond", found),
                _ => weak("permissions_beyond", found, "whoever gets hold of its key can use that"),
            };
            all.push(told.to_do(remedy).at(self.settings_page("permissions")));
        }
        all
    }

    fn events(&self) -> Option<Finding> {
        match &self.own {
            Err(error) => Some(unknown("events", "the App's events", error)),
            Ok(own) => {
                let is_heard = |event: &&str| own.events.iter().any(|heard| heard == event);
                let missing: Vec<_> = EVENTS.into_iter().filter(|event| !is_heard(event)).collect();
                if missing.is_empty() {
                    return Some(good(
                        "events",
                        "the App listens for what waits and what becomes of it",
                    ));
                }
                let weakens = "what waits, and what somebody let pass, is found by looking only, up to a \
                    minute later";
                let found = format!("the App does not listen for `{}`", missing.join("`, `"));
                let told = weak("events", found, weakens);
                let remedy = "tick *Deployment protection rule* and *Workflow run* under *Permissions & \
                    events*, *Subscribe to events*";
                Some(told.to_do(remedy).at(self.settings_page("permissions")))
            }
        }
    }

    fn deliveries(&self) -> Finding {
        let all = match &self.deliveries {
            Err(error) => return unknown("deliveries", "what became of deliveries", error),
            Ok(all) => all,
        };
        let is_taken = |sent: &Sent| (200..300).contains(&sent.status_code);
        match all.first() {
            None => {
                note("deliveries", "GitHub has sent nothing to this server within the last days")
            }
            Some(last) if is_taken(last) => good(
                "deliveries",
                format!("what GitHub sent last was taken here, at {}", word(&last.delivered_at)),
            ),
            Some(last) => {
                let failed = all.iter().take_while(|sent| !is_taken(sent)).count();
                let answer = match last.status_code {
                    0 => "got no answer".to_owned(),
                    code => format!("was answered {code}"),
                };
                let found = format!(
                    "the last {failed} that GitHub sent were not taken here; the newest {answer}"
                );
                weak(
                    "deliveries",
                    found,
                    "what waits is found by looking only, up to a minute later",
                )
                .to_do(
                    "see *Recent Deliveries* under *Advanced*; GitHub must reach \
                         `/webhooks/github` of this server, and know the same *Webhook secret*",
                )
                .at(self.settings_page("advanced"))
            }
        }
    }

    /// A page of the App's settings: they are its owner's.
    fn settings_page(&self, which: &str) -> Option<String> {
        let own = self.own.as_ref().ok()?;
        match own.owner.kind.as_str() {
            "Organization" => {
                let owner = own.owner.login.as_str();
                let all = ["organizations", owner, "settings", "apps", self.slug, which];
                page(self.place, &all)
            }
            _ => page(self.place, &["settings", "apps", self.slug, which]),
        }
    }

    fn environment(&self, seen: &SeenEnvironment) -> Vec<Finding> {
        let settings = match &seen.settings {
            Ok(settings) => settings,
            Err(GithubError::NotFound(_)) => {
                let weakens = "a job that names it makes it at GitHub, with no rules: it waits for \
                    nobody";
                return vec![
                    weak(
                        "exists",
                        format!("there is no environment `{}`", word(&seen.name)),
                        weakens,
                    )
                    .to_do("make it under *Environments*, *New environment*, with its rules")
                    .at(self.repository_page(&["settings", "environments"])),
                ];
            }
            Err(error) => return vec![unknown("exists", "its settings", error)],
        };
        let id = settings.id.to_string();
        let link = self.repository_page(&["settings", "environments", &id, "edit"]);
        let mut all = vec![
            self.rule(seen),
            admin_bypass(settings),
            branches(settings, seen),
            self_review(settings),
        ];
        if settings.wait_timer > 0 {
            let minutes = settings.wait_timer;
            let found = format!("GitHub's *Wait timer* holds every run for {minutes} minutes");
            all.push(note("wait_timer", found).to_do(
                "let `grant_window` in policy be longer than that: an approval that comes first \
                 waits with it",
            ));
        }
        for finding in &mut all {
            finding.link = link.clone().filter(|_| finding.remedy.is_some());
        }
        all.extend(self.trusts(&seen.name));
        all
    }

    fn rule(&self, seen: &SeenEnvironment) -> Finding {
        let rules = match &seen.rules {
            Err(error) => return unknown("rule", "its protection rules", error),
            Ok(rules) => rules,
        };
        let slug = self.slug;
        let ours = rules.iter().filter(|rule| rule.app_id == self.app_id);
        let enabled: Vec<bool> = ours.map(|rule| rule.enabled).collect();
        let found = match enabled.iter().max() {
            Some(true) => return good("rule", format!("the rule of `{slug}` is enabled")),
            Some(false) => format!("the rule of `{slug}` is there and not enabled"),
            None => format!("the rule of `{slug}` is not there"),
        };
        weak("rule", found, "runs go on here without anybody having been asked").to_do(format!(
            "under *Deployment protection rules* tick `{slug}` and *Save protection rules*"
        ))
    }

    /// Which jobs of this environment may ask for themselves, and whether others may as well.
    fn trusts(&self, environment: &str) -> Vec<Finding> {
        let lets_in = |seen: &&SeenTrust<'_>| self.lets_in(seen.trust, environment);
        let mut all: Vec<Finding> = Vec::new();
        for SeenTrust { trust, file } in self.trusts.iter().filter(lets_in) {
            let name = trust.name();
            let place = file.map_or("over the API".to_owned(), |file| format!("in `{file}`"));
            let has = |claim: &str| trust.claims().contains_key(claim);
            let pinned: Vec<&str> = OF_WORKFLOW.into_iter().filter(|claim| has(claim)).collect();
            all.push(match pinned.first() {
                Some(claim) => good(
                    "trust_workflow",
                    format!("the trust `{name}` pins the workflow by `{claim}`"),
                ),
                None => {
                    let found =
                        format!("the trust `{name}` lets any workflow of the repository in");
                    let weakens = "whoever may push can write one that asks for this environment";
                    weak("trust_workflow", found, weakens).to_do(format!(
                        "{place} add to its `claims`: `job_workflow_ref: \
                         {}/{}/.github/workflows/FILE@refs/heads/{}`",
                        self.owner,
                        self.name,
                        word(self.default_branch)
                    ))
                }
            });
            all.push(match has("environment") {
                true => good("trust_environment", format!("the trust `{name}` pins the environment")),
                false => {
                    let found = format!("the trust `{name}` does not pin the environment");
                    let weakens = "a job that names no environment at GitHub, and so passes none of \
                        its rules, can ask for this one";
                    weak("trust_environment", found, weakens).to_do(format!(
                        "{place} add to its `claims`: `environment: {}`", word(environment)
                    ))
                }
            });
        }
        if all.is_empty() {
            let found = "no trust lets a job of this environment ask for itself";
            let id = self.id;
            all.push(note("trust", found).to_do(format!(
                "nothing, where the rule is all there is; for the action, or a credential, write a \
                 trust with `repository_id: \"{id}\"` and `environment: {}`",
                word(environment)
            )));
        }
        all
    }

    /// Whether a job of this repository and environment can be one that the trust is for.
    fn lets_in(&self, trust: &Trust, environment: &str) -> bool {
        let full_name = format!("{}/{}", self.owner, self.name);
        let fits = |claim: &str, value: &str| {
            trust.claims().get(claim).is_none_or(|values| values.contains(value))
        };
        trust.shape() == Some(Shape::GithubActions)
            && fits("repository_id", &self.id.to_string())
            && fits("repository_owner_id", &self.owner_id.to_string())
            && fits("repository", &full_name)
            && fits("repository_owner", self.owner)
            && fits("environment", environment)
            && trust.scope().environments().iter().any(|glob| glob.matches(environment))
    }
}

fn admin_bypass(settings: &Environment) -> Finding {
    if !settings.can_admins_bypass {
        return good("admin_bypass", "administrators cannot bypass its rules");
    }
    let found = "administrators of the repository may start what waits";
    let weakens = "they need no approval; it is seen here only afterwards, and told";
    weak("admin_bypass", found, weakens)
        .to_do("untick *Allow administrators to bypass configured protection rules*")
}

fn branches(settings: &Environment, seen: &SeenEnvironment) -> Finding {
    let weakens = "whoever may push a branch can run a workflow of their own for it";
    let remedy = "under *Deployment branches and tags* choose *Protected branches only*, or \
        *Selected branches and tags* with those that are deployed";
    match settings.branch_policy {
        BranchPolicy::Any => {
            weak("branches", "every branch may deploy to it", weakens).to_do(remedy)
        }
        BranchPolicy::Protected => good("branches", "protected branches alone may deploy to it"),
        BranchPolicy::Custom => match &seen.patterns {
            Err(error) => unknown("branches", "which branches may deploy to it", error),
            Ok(patterns) => match patterns.iter().find(|pattern| takes_all(pattern)) {
                Some(pattern) => {
                    let found = format!("its pattern `{}` takes whatever branch", word(pattern));
                    weak("branches", found, weakens).to_do(remedy)
                }
                None if patterns.is_empty() => {
                    note("branches", "no branch may deploy to it: it has no pattern")
                }
                None => {
                    let shown: Vec<_> = patterns.iter().map(|p| format!("`{}`", word(p))).collect();
                    good("branches", format!("only {} may deploy to it", shown.join(", ")))
                }
            },
        },
    }
}

/// Whether a pattern (of Ruby's `File.fnmatch`) is made of nothing but what stands for anything.
fn takes_all(pattern: &str) -> bool {
    pattern.contains('*') && pattern.chars().all(|letter| matches!(letter, '*' | '?' | '/'))
}

fn self_review(settings: &Environment) -> Finding {
    match (settings.reviewers, settings.prevent_self_review) {
        (0, _) => good("self_review", "GitHub asks no reviewers of its own"),
        (_, true) => good("self_review", "whoever starts a run cannot review it at GitHub"),
        (_, false) => weak(
            "self_review",
            "whoever starts a run may review it at GitHub",
            "GitHub's own review can be one's own; what is asked here stays as it is",
        )
        .to_do("tick *Prevent self-review* under *Required reviewers*"),
    }
}

/// What somebody else wrote, for one line in a code span.
fn word(text: &str) -> String {
    let shown = text.chars().take(200);
    shown.map(|c| if c == '`' || !is_visible(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
