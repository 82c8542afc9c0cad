//! The run that a request belongs to: which commit, which run, which attempt at it.
//!
//! A workload is one repository or workspace for years; a request is of one run of it. What is
//! approved for a run is not for the next one, which may do something else under the same name. So
//! what the issuer says of the run when the request is filed must be said of whoever uses the grant:
//! every claim of a closed list, compared byte for byte, and a claim that only one of them has is a
//! difference too. Whoever has no such claims, such as a person, is bound by who they are.
//!
//! What GitHub asks its App to decide the App files itself, before the job has a token: by the claims
//! that it could establish, of which the run, the attempt, the commit and the repository's ids must be
//! known. The job has a token once it runs; it says more, and must say all of those the same.
//!
//! A run of HCP Terraform has two phases. Plans execute the code of providers and modules before
//! anybody has looked at it, and with a token of the run in reach; so a plan may ask, and only the
//! apply is given what was approved.
//!
//! Sources of the claims: GitHub, "OpenID Connect reference"; HashiCorp, "Workload identity tokens";
//! GitLab, "ID token authentication"; Kubernetes, "Managing Service Accounts".

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::canonical;
use crate::digest::Digest;
use crate::principal::{Principal, PrincipalKind};

/// Claims that tell one run from all others, and what it runs. Names of branches are among them, names
/// of owners are not: those can change while the run goes on.
const RUN: [&str; 13] = [
    "repository_owner_id",
    "repository_id",
    "ref",
    "sha",
    "workflow_ref",
    "workflow_sha",
    "run_id",
    "terraform_organization_id",
    "terraform_workspace_id",
    "terraform_run_id",
    "project_id",
    "pipeline_id",
    "/kubernetes.io/pod/uid",
];

/// Claims that tell the attempts at one run apart: GitHub counts them, GitLab gives each job anew an
/// id of its own.
const ATTEMPT: [&str; 2] = ["run_attempt", "job_id"];

/// What the authority says of a principal for whom its App filed. No token says it: no trust keeps it.
pub const FILED_BY: &str = "filed_by";

/// Its only value.
pub const GITHUB_APP: &str = "github-app";

/// Claims without which nothing that the App filed fits anybody.
const ESTABLISHED: [&str; 5] =
    ["repository_id", "repository_owner_id", "sha", "run_id", "run_attempt"];
/// What the App files one request for in a run; beside that, it tells no runs apart.
const GATED: &str = "environment";

/// By which a run of HCP Terraform is told from everything else.
const HCP_RUN: &str = "terraform_run_id";
/// In which phase it is. It binds nothing: the plan asks for what the apply is given.
const HCP_PHASE: &str = "terraform_run_phase";
/// The phase that is given something.
const APPLY: &str = "apply";

/// What its issuer says of the run of a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    run: BTreeMap<&'static str, String>,
    attempt: BTreeMap<&'static str, String>,
    gated: Option<String>,
    by_app: bool,
}

/// The caller belongs to another run, or to another attempt at it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the request belongs to another run of its requester: it was filed with {}, this call comes with \
     {}; file it again from this run",
    said(.claim, .filed.as_deref()),
    said(.claim, .called.as_deref())
)]
pub struct OtherRun {
    /// The first claim that differs.
    pub claim: &'static str,
    /// What it was when the request was filed.
    pub filed: Option<String>,
    /// What it is now.
    pub called: Option<String>,
}

/// The caller is a run of HCP Terraform that does not apply anything yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this run may ask, and is given nothing before it applies: it came with {}, and what was approved \
     is given with `{HCP_PHASE}` {APPLY} only; mint and fetch in the apply of the same run",
    said(HCP_PHASE, .phase.as_deref())
)]
pub struct NotApplying {
    /// The phase that its issuer says.
    pub phase: Option<String>,
}

/// That the caller is at the point where what was approved is done. Only runs of HCP Terraform say
/// where they are; of them, one that does not say it is taken for a plan.
///
/// # Errors
/// [`NotApplying`].
pub fn check_applying(by: &Principal) -> Result<(), NotApplying> {
    let said = match by.kind {
        PrincipalKind::Person => return Ok(()),
        PrincipalKind::Workload => kept(&[HCP_RUN, HCP_PHASE], &by.claims),
    };
    let phase = said.get(HCP_PHASE);
    match said.is_empty() || phase.is_some_and(|phase| phase == APPLY) {
        true => Ok(()),
        false => Err(NotApplying { phase: phase.cloned() }),
    }
}

fn said(claim: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("`{claim}` {}", value.escape_debug()),
        None => format!("no `{claim}`"),
    }
}

impl Binding {
    /// The run of this principal, by what its issuer vouches for.
    pub fn of(principal: &Principal) -> Self {
        match principal.kind {
            PrincipalKind::Person => Self::default(),
            PrincipalKind::Workload => Self {
                run: kept(&RUN, &principal.claims),
                attempt: kept(&ATTEMPT, &principal.claims),
                gated: kept(&[GATED], &principal.claims).remove(GATED),
                by_app: principal.claims.contains_key(FILED_BY),
            },
        }
    }

    /// Whether this is the same run, and the same attempt unless the run is enough.
    ///
    /// # Errors
    /// [`OtherRun`] with the first claim that differs.
    pub fn check(&self, called: &Self, reuse: Reuse) -> Result<(), OtherRun> {
        if self.by_app {
            return self.check_established(called, reuse);
        }
        differing(&RUN, &self.run, &called.run)?;
        match reuse {
            Reuse::WithinAttempt => differing(&ATTEMPT, &self.attempt, &called.attempt),
            Reuse::WithinRun => Ok(()),
        }
    }

    /// Whether this is the run for which the App filed: all that it filed is said of the caller too.
    fn check_established(&self, called: &Self, reuse: Reuse) -> Result<(), OtherRun> {
        let (filed, other) = (self.all(), called.all());
        let mut needed = ESTABLISHED.iter();
        if let Some(claim) = needed.find(|claim| !filed.contains_key(*claim)) {
            let called = other.get(claim).map(|value| (*value).to_owned());
            return Err(OtherRun { claim, filed: None, called });
        }
        let is_bound = |claim: &str| reuse == Reuse::WithinAttempt || !ATTEMPT.contains(&claim);
        let mut bound = filed.iter().filter(|(claim, _)| is_bound(claim));
        match bound.find(|(claim, value)| other.get(*claim) != Some(*value)) {
            None => Ok(()),
            Some((claim, value)) => Err(OtherRun {
                claim,
                filed: Some((*value).to_owned()),
                called: other.get(claim).map(|value| (*value).to_owned()),
            }),
        }
    }

    /// By what an App's request for this run is known, whoever of the two asks; `None` where not
    /// enough is known of the run.
    pub fn established(&self, reuse: Reuse) -> Option<Digest> {
        let all = self.all();
        let attempt = |name: &str| ATTEMPT.contains(&name) && reuse == Reuse::WithinRun;
        let said = |name: &&'static str| Some((*name, *all.get(name)?));
        let said: Option<BTreeMap<_, _>> = ESTABLISHED.iter().map(said).collect();
        let mut said = said?;
        said.retain(|name, _| !attempt(name));
        let bytes = canonical::bytes(&json!({"run": said, "environment": self.gated}));
        Some(Digest::of_parts(&[b"assent/run/github-app/v1\0", &bytes]))
    }

    /// By what the run is known again; `None` where nothing tells one from others.
    pub fn mark(&self, reuse: Reuse) -> Option<Digest> {
        if self.by_app {
            // Without one it would be met by whoever has none, and by others of the same kind.
            return self.established(reuse).or(Some(Digest::of(b"assent/run/unknown")));
        }
        let attempt = match reuse {
            Reuse::WithinAttempt => Some(&self.attempt),
            Reuse::WithinRun => None,
        };
        if self.run.is_empty() && attempt.is_none_or(BTreeMap::is_empty) {
            return None;
        }
        let bytes = canonical::bytes(&json!({"run": self.run, "attempt": attempt}));
        Some(Digest::of_parts(&[b"assent/run/v1\0", &bytes]))
    }

    /// Every claim of it, by name.
    pub fn claims(&self) -> BTreeMap<&'static str, &str> {
        match self.by_app {
            true => self.all(),
            false => self.of_run().collect(),
        }
    }

    fn of_run(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.run.iter().chain(&self.attempt).map(|(name, value)| (*name, value.as_str()))
    }

    fn all(&self) -> BTreeMap<&'static str, &str> {
        self.of_run().chain(self.gated.as_deref().map(|value| (GATED, value))).collect()
    }
}

/// How far an approval goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// For the attempt that asked.
    WithinAttempt,
    /// For every attempt at the same run: a rule says so.
    WithinRun,
}

/// Those of these claims that are there. One that is no text, as no issuer sends it, is kept as the
/// JSON it is, so that it cannot be taken for missing.
fn kept(names: &[&'static str], claims: &Map<String, Value>) -> BTreeMap<&'static str, String> {
    let value = |name: &'static str| {
        let value = claims.get(name)?;
        Some((name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
    };
    names.iter().filter_map(|name| value(name)).collect()
}

fn differing(
    names: &[&'static str],
    filed: &BTreeMap<&'static str, String>,
    called: &BTreeMap<&'static str, String>,
) -> Result<(), OtherRun> {
    match names.iter().find(|name| filed.get(*name) != called.get(*name)) {
        None => Ok(()),
        Some(claim) => Err(OtherRun {
            claim,
            filed: filed.get(claim).cloned(),
            called: called.get(claim).cloned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::principal::PrincipalId;

    fn workload(claims: &[(&str, &str)]) -> Principal {
        Principal {
            id: PrincipalId::new("https://ci.example", "repository:1").unwrap(),
            kind: PrincipalKind::Workload,
            groups: BTreeSet::new(),
            acts_for: BTreeSet::new(),
            claims: claims
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).into()))
                .collect(),
        }
    }

    fn all() -> Vec<(&'static str, &'static str)> {
        RUN.iter().chain(&ATTEMPT).map(|name| (*name, "1")).collect()
    }

    #[test]
    fn t03_any_changed_claim_of_the_run_is_another_run() {
        let filed = Binding::of(&workload(&all()));
        assert_eq!(filed.check(&filed, Reuse::WithinAttempt), Ok(()));
        for at in 0..RUN.len() {
            let mut other = all();
            other[at].1 = "2";
            let mut missing = all();
            let (claim, _) = missing.remove(at);
            for (changed, called) in [(other, Some("2")), (missing, None)] {
                let changed = Binding::of(&workload(&changed));
                for reuse in [Reuse::WithinAttempt, Reuse::WithinRun] {
                    let refused = filed.check(&changed, reuse).unwrap_err();
                    assert_eq!((refused.claim, refused.called.as_deref()), (claim, called));
                    // And what was filed without it is not used by whoever has it.
                    assert!(changed.check(&filed, reuse).is_err());
                    assert_ne!(filed.mark(reuse), changed.mark(reuse));
                }
            }
        }
    }

    #[test]
    fn t04_another_attempt_is_another_run_unless_the_run_is_enough() {
        let filed = Binding::of(&workload(&all()));
        for at in RUN.len()..RUN.len() + ATTEMPT.len() {
            let mut again = all();
            again[at].1 = "2";
            let again = Binding::of(&workload(&again));
            assert_eq!(filed.check(&again, Reuse::WithinAttempt).unwrap_err().claim, all()[at].0);
            assert_eq!(filed.check(&again, Reuse::WithinRun), Ok(()));
            assert_ne!(filed.mark(Reuse::WithinAttempt), again.mark(Reuse::WithinAttempt));
            assert_eq!(filed.mark(Reuse::WithinRun), again.mark(Reuse::WithinRun));
        }
    }

    /// What the App files of a run, and what the job's token says of it.
    fn by_app() -> Vec<(&'static str, &'static str)> {
        let mut claims: Vec<_> = ESTABLISHED.iter().map(|name| (*name, "1")).collect();
        claims.extend([(GATED, "production"), ("actor_id", "7"), (FILED_BY, GITHUB_APP)]);
        claims
    }

    fn of_the_job() -> Vec<(&'static str, &'static str)> {
        let more = ["ref", "workflow_ref", "workflow_sha", "job_workflow_ref", "actor_id"];
        let own = by_app().into_iter().filter(|(name, _)| *name != FILED_BY);
        own.filter(|(name, _)| *name != "actor_id").chain(more.map(|name| (name, "9"))).collect()
    }

    const BOTH: [Reuse; 2] = [Reuse::WithinAttempt, Reuse::WithinRun];

    #[test]
    fn t03_t04_what_the_app_filed_fits_the_job_of_that_run_and_no_other() {
        let (app, job) = (by_app(), of_the_job());
        let filed = Binding::of(&workload(&app));
        let (called, bound) = (Binding::of(&workload(&job)), ESTABLISHED.len() + 1);
        for reuse in BOTH {
            assert_eq!(filed.check(&called, reuse), Ok(()));
            assert_eq!(filed.mark(reuse), called.established(reuse));
            assert_ne!(filed.mark(reuse), called.mark(reuse), "a job's own request is another");
            // What a job filed is not used by what the App can say.
            assert!(called.check(&filed, reuse).is_err());
        }
        for at in 0..bound {
            let (claim, value) = job[at];
            let mut changed = vec![value.to_owned() + "2", value.to_owned() + " ", "0".to_owned()];
            changed.push(String::new());
            let missing = {
                let mut job = job.clone();
                job.remove(at);
                job
            };
            let differs = |called: &Binding, said: Option<&str>| {
                for reuse in BOTH {
                    let within = reuse == Reuse::WithinRun && ATTEMPT.contains(&claim);
                    let refused = filed.check(called, reuse);
                    if within {
                        assert_eq!(refused, Ok(()), "{claim}");
                        continue;
                    }
                    let refused = refused.unwrap_err();
                    assert_eq!((refused.claim, refused.called.as_deref()), (claim, said));
                    assert_ne!(filed.mark(reuse), called.established(reuse), "{claim}");
                }
            };
            for value in &changed {
                let mut job = job.clone();
                job[at].1 = value;
                differs(&Binding::of(&workload(&job)), Some(value));
            }
            differs(&Binding::of(&workload(&missing)), None);
        }
        // Whatever else the App could say of the run binds as well; what it says of people does not.
        for more in ["ref", "workflow_ref", "workflow_sha"] {
            let with = |value| [&app[..], &[(more, value)]].concat();
            let filed = Binding::of(&workload(&with("9")));
            assert_eq!(filed.check(&called, Reuse::WithinAttempt), Ok(()));
            let filed = Binding::of(&workload(&with("8")));
            assert_eq!(filed.check(&called, Reuse::WithinRun).unwrap_err().claim, more);
        }
    }

    #[test]
    fn t03_what_the_app_filed_without_knowing_the_run_fits_nobody() {
        for claim in ESTABLISHED {
            let app: Vec<_> = by_app().into_iter().filter(|(name, _)| *name != claim).collect();
            let job: Vec<_> = of_the_job().into_iter().filter(|(name, _)| *name != claim).collect();
            let (filed, without) = (Binding::of(&workload(&app)), Binding::of(&workload(&job)));
            let whole = Binding::of(&workload(&of_the_job()));
            for reuse in BOTH {
                for called in [&filed, &without, &whole] {
                    assert_eq!(filed.check(called, reuse).unwrap_err().claim, claim);
                }
                assert_eq!(without.established(reuse), None);
                let marks =
                    [whole.established(reuse), whole.mark(reuse), without.mark(reuse), None];
                assert!(!marks.contains(&filed.mark(reuse)), "{claim}: nobody meets it");
            }
        }
    }

    #[test]
    fn who_has_no_such_claims_is_bound_by_who_they_are() {
        let plain = workload(&[("sub", "x"), ("environment", "production")]);
        let mut person = workload(&all());
        person.kind = PrincipalKind::Person;
        for principal in [plain, person] {
            let binding = Binding::of(&principal);
            assert!(binding.claims().is_empty());
            assert_eq!(binding.established(Reuse::WithinAttempt), None);
            assert_eq!(binding.mark(Reuse::WithinAttempt), None);
        }
        // An attempt that nothing else tells apart is one all the same.
        let job = Binding::of(&workload(&[("job_id", "1")]));
        assert!(job.mark(Reuse::WithinAttempt).is_some());
        assert_eq!(job.mark(Reuse::WithinRun), None);
    }

    #[test]
    fn t45_only_the_apply_of_a_run_of_hcp_terraform_is_given_anything() {
        let run = ("terraform_run_id", "run-1");
        let phase = |phase| ("terraform_run_phase", phase);
        for fine in [vec![], vec![("run_id", "7")], vec![run, phase("apply")], vec![phase("apply")]]
        {
            assert_eq!(check_applying(&workload(&fine)), Ok(()), "{fine:?}");
        }
        for early in ["plan", "Apply", "apply ", "apply,plan", ""] {
            let refused = Err(NotApplying { phase: Some(early.to_owned()) });
            assert_eq!(check_applying(&workload(&[run, phase(early)])), refused);
            assert_eq!(check_applying(&workload(&[phase(early)])), refused);
        }
        assert_eq!(check_applying(&workload(&[run])), Err(NotApplying { phase: None }));
        let mut odd = workload(&[run]);
        odd.claims.insert("terraform_run_phase".to_owned(), json!(["apply"]));
        let refused = check_applying(&odd).unwrap_err().to_string();
        assert!(
            refused.contains("it came with `terraform_run_phase` [\\\"apply\\\"]"),
            "{refused}"
        );
        let mut person = workload(&[run, phase("plan")]);
        person.kind = PrincipalKind::Person;
        assert_eq!(check_applying(&person), Ok(()));
        // Both phases are one run.
        let of = |at: &'static str| Binding::of(&workload(&[run, phase(at)]));
        assert_eq!(of("plan").check(&of("apply"), Reuse::WithinAttempt), Ok(()));
    }

    #[test]
    fn a_claim_that_is_no_text_is_not_missing() {
        let mut odd = workload(&[("run_id", "7")]);
        odd.claims.insert("run_attempt".to_owned(), json!(1));
        let (odd, plain) = (Binding::of(&odd), Binding::of(&workload(&[("run_id", "7")])));
        let refused = plain.check(&odd, Reuse::WithinAttempt).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the request belongs to another run of its requester: it was filed with no \
             `run_attempt`, this call comes with `run_attempt` 1; file it again from this run"
        );
    }
}
