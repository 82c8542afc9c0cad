//! The inputs of a step. All that is wrong with them is said at once, each fault with its input.

mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;

use assent_client::{Roots, Secret, Url};
use assent_core::digest::Digest;
use assent_core::request::{LONGEST_SILENCE, SHORTEST_SILENCE};
use assent_core::time::Span;
use serde_json::{Map, Value};

use crate::environment::Environment;
use read::Reader;

/// How long is waited, unless another time is named.
const TIMEOUT: Span = Span::hours(1);
/// How often is asked where nobody can be waited for.
const POLL_FALLBACK: Span = Span::seconds(10);
/// After how much silence of this step its request ends.
const HEARTBEAT: Span = Span::minutes(2);

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is asked, and waited until it is decided.
    Wait,
    /// It is asked, and nobody waits.
    Submit,
    /// What was asked by another job is looked at.
    Check,
    /// It is asked and waited, and a command is run with what was granted.
    Run,
}

impl Mode {
    /// As it is written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Submit => "submit",
            Self::Check => "check",
            Self::Run => "run",
        }
    }
}

/// What a step says.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    /// `url`: where the authority is. Required.
    pub(crate) url: Url,
    /// `mode`: `wait`, `submit`, `check` or `run`; `wait` by default.
    pub(crate) mode: Mode,
    /// `environment`: where it is done. Required, but for `check`.
    pub(crate) environment: Option<String>,
    /// `kind`: what kind of action it is; `github.deploy` by default.
    pub(crate) kind: Option<String>,
    /// `target`: lines `name=value`. What is done it to; repository and commit go without saying.
    pub(crate) target: BTreeMap<String, String>,
    /// `reason`: why. By default the commit or the release says it.
    pub(crate) reason: Option<String>,
    /// `plan-file`: a saved plan, or its JSON.
    pub(crate) plan_file: Option<PathBuf>,
    /// `fetch-plan`: where the exact plan that was approved is written to, in `check` and `wait`.
    pub(crate) fetch_plan: Option<PathBuf>,
    /// `digest`: of the exact thing. By default it is the plan's, or the commit's.
    pub(crate) digest: Option<Digest>,
    /// `context`: a JSON object of anything else to look at.
    pub(crate) context: Map<String, Value>,
    /// `duration`: how long the credential is wanted for.
    pub(crate) duration: Option<Span>,
    /// `audience`: for whom the credential shall be good. Without it, and without a broker, `wait` and
    /// `check` mint none.
    pub(crate) audience: Option<String>,
    /// `broker`: what the grant shall open beside the token.
    pub(crate) broker: Option<String>,
    /// `timeout`: how long is waited; an hour by default, in `check` not at all.
    pub(crate) timeout: Span,
    /// `poll-fallback`: how often is asked where long polls do not get through; 10s by default.
    pub(crate) poll_fallback: Span,
    /// `require-match`: whether `check` holds the request against what this step says; it does by default.
    pub(crate) require_match: bool,
    /// `request-id`: which request is looked at. Required for `check`, and for nothing else.
    pub(crate) request_id: Option<String>,
    /// `command`: what `run` runs, by `bash -e`. Required for `run`, and for nothing else.
    pub(crate) command: Option<String>,
    /// `shared`: whether other jobs of the same run ask for the same and go on by the same grant; `auto`
    /// is what `job-total` says.
    pub(crate) shared: bool,
    /// `heartbeat`: after how much silence of this step its request and its credential end.
    pub(crate) heartbeat: Option<Span>,
    /// `oidc-audience`: for whom the job's own token is made; the authority's URL by default.
    pub(crate) oidc_audience: Option<String>,
    /// `ca-bundle`: a file of certificates of who else may vouch for the authority.
    pub(crate) roots: Roots,
    /// `comment` and `github-token`: with what a pull request is told, if it may be.
    pub(crate) comments_with: Option<Secret>,
}

/// What is wrong with one input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("input `{input}`: {problem}")]
pub(crate) struct Fault {
    /// Which.
    pub(crate) input: String,
    /// What, and what to write instead.
    pub(crate) problem: String,
}

impl Inputs {
    /// Reads what a step says.
    ///
    /// # Errors
    /// Every [`Fault`] there is.
    pub(crate) fn read(environment: &Environment) -> Result<Self, Vec<Fault>> {
        let mut of = Reader::of(environment);
        let mode = of.word("mode", &MODES).unwrap_or(Mode::Wait);
        let url = of.authority();
        let inputs = Self {
            mode,
            environment: of.text("environment"),
            kind: of.text("kind"),
            target: of.target(),
            reason: of.text("reason"),
            plan_file: of.text("plan-file").map(PathBuf::from),
            fetch_plan: of.text("fetch-plan").map(PathBuf::from),
            digest: of.parsed("digest"),
            context: of.context(),
            duration: of.parsed("duration"),
            audience: of.text("audience"),
            broker: of.text("broker"),
            timeout: of.parsed("timeout").unwrap_or(match mode {
                Mode::Check => Span::ZERO,
                Mode::Wait | Mode::Submit | Mode::Run => TIMEOUT,
            }),
            poll_fallback: of.parsed("poll-fallback").unwrap_or(POLL_FALLBACK),
            require_match: of.word("require-match", &TRUTH).unwrap_or(true),
            request_id: of.text("request-id"),
            command: of.text("command"),
            shared: of.shared(),
            heartbeat: match of.parsed("heartbeat").unwrap_or(HEARTBEAT) {
                Span::ZERO => None,
                heartbeat => Some(heartbeat),
            },
            oidc_audience: of.text("oidc-audience"),
            roots: of.roots(),
            comments_with: of.comments(),
            url: url.clone().unwrap_or_else(nowhere),
        };
        inputs.agree(&mut of);
        if url.is_none() {
            of.miss("url", "say where the authority is, such as https://assent.example.com");
        }
        of.done(inputs)
    }

    /// What must be there in a mode, and what must not.
    fn agree(&self, of: &mut Reader<'_>) {
        let word = self.mode.word();
        let needed = |of: &mut Reader<'_>, name, what: &str| of.miss(name, what);
        if self.environment.is_none() && self.mode != Mode::Check {
            needed(of, "environment", "say where it is done, such as production");
        }
        match (self.mode, &self.request_id) {
            (Mode::Check, None) => {
                needed(of, "request-id", "mode `check` needs the id that `submit` gave out");
            }
            (Mode::Wait | Mode::Submit | Mode::Run, Some(_)) => {
                let problem = format!("mode `{word}` files a request of its own; use mode `check`");
                of.fault("request-id", problem);
            }
            (Mode::Check, Some(_)) | (Mode::Wait | Mode::Submit | Mode::Run, None) => {}
        }
        match (self.mode, &self.command) {
            (Mode::Run, None) => needed(of, "command", "mode `run` needs what it shall run"),
            (Mode::Wait | Mode::Submit | Mode::Check, Some(_)) => {
                of.fault("command", format!("mode `{word}` runs nothing; use mode `run`"));
            }
            (Mode::Run, Some(_)) | (Mode::Wait | Mode::Submit | Mode::Check, None) => {}
        }
        if self.fetch_plan.is_some() && self.mode != Mode::Check && self.mode != Mode::Wait {
            of.fault("fetch-plan", format!("mode `{word}` fetches nothing; use mode `check`"));
        }
        if self.plan_file.is_some() && self.digest.is_some() {
            let problem =
                "with `plan-file` the plan's own digest is what is approved: leave this out";
            of.fault("digest", problem.to_owned());
        }
        let bounds = SHORTEST_SILENCE..=LONGEST_SILENCE;
        if self.heartbeat.is_some_and(|span| !bounds.contains(&span)) {
            let problem = format!(
                "write a time from {SHORTEST_SILENCE} to {LONGEST_SILENCE}, or 0s for none"
            );
            of.fault("heartbeat", problem);
        }
        if self.poll_fallback == Span::ZERO {
            of.fault("poll-fallback", "write a time of at least 1s".to_owned());
        }
    }
}

const MODES: [(&str, Mode); 4] =
    [("wait", Mode::Wait), ("submit", Mode::Submit), ("check", Mode::Check), ("run", Mode::Run)];
const TRUTH: [(&str, bool); 2] = [("true", true), ("false", false)];

/// Stands in for an address that is at fault, until that is said.
fn nowhere() -> Url {
    #[expect(clippy::unwrap_used, reason = "a constant that is a URL")]
    "https://invalid".parse().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: [(&str, &str); 2] =
        [("INPUT_URL", "https://assent.example.com"), ("INPUT_ENVIRONMENT", "production")];

    fn read(more: &[(&str, &str)]) -> Result<Inputs, Vec<Fault>> {
        let all: Vec<_> = LEAST.iter().chain(more).copied().collect();
        Inputs::read(&Environment::from(all.as_slice()))
    }

    fn faults(more: &[(&str, &str)]) -> Vec<String> {
        read(more).unwrap_err().into_iter().map(|fault| fault.input).collect()
    }

    #[test]
    fn two_inputs_are_enough() {
        let inputs = read(&[]).unwrap();
        assert_eq!((inputs.mode, inputs.timeout), (Mode::Wait, Span::hours(1)));
        assert_eq!(inputs.heartbeat, Some(Span::minutes(2)));
        assert!(inputs.require_match && !inputs.shared && inputs.target.is_empty());
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let environment = Environment::from([
            ("INPUT_URL", "ftp://assent.example.com"),
            ("INPUT_MODE", "sometimes"),
            ("INPUT_TARGET", "service=a\nservice=b\nnothing"),
            ("INPUT_DIGEST", "sha256:0"),
            ("INPUT_CONTEXT", "[]"),
            ("INPUT_DURATION", "1h30m"),
            ("INPUT_TIMEOUT", "soon"),
            ("INPUT_POLL-FALLBACK", "0s"),
            ("INPUT_REQUIRE-MATCH", "yes"),
            ("INPUT_SHARED", "maybe"),
            ("INPUT_JOB-TOTAL", "many"),
            ("INPUT_HEARTBEAT", "-1m"),
            ("INPUT_COMMAND", "make"),
            ("INPUT_COMMENT", "loud"),
            ("INPUT_CA-BUNDLE", "/nonexistent/ca.pem"),
            ("INPUT_REQUEST-ID", "req_1"),
        ]);
        let faults = Inputs::read(&environment).unwrap_err();
        let mut named: Vec<_> = faults.iter().map(|fault| fault.input.as_str()).collect();
        named.sort_unstable();
        let wanted = [
            "ca-bundle",
            "command",
            "comment",
            "context",
            "digest",
            "duration",
            "environment",
            "heartbeat",
            "job-total",
            "mode",
            "poll-fallback",
            "request-id",
            "require-match",
            "shared",
            "target",
            "target",
            "timeout",
            "url",
        ];
        assert_eq!(named, wanted);
    }

    #[test]
    fn each_mode_has_what_it_needs_and_nothing_else() {
        assert_eq!(faults(&[("INPUT_MODE", "check")]), ["request-id"]);
        assert_eq!(faults(&[("INPUT_MODE", "run")]), ["command"]);
        let digest = format!("sha256:{}", "0".repeat(64));
        let both = [("INPUT_PLAN-FILE", "tfplan"), ("INPUT_DIGEST", digest.as_str())];
        assert_eq!(faults(&both), ["digest"], "a digest beside a plan would stand in for it");
        let fetched = ("INPUT_FETCH-PLAN", "tfplan");
        assert_eq!(faults(&[("INPUT_MODE", "submit"), fetched]), ["fetch-plan"]);
        let check = [("INPUT_MODE", "check"), ("INPUT_REQUEST-ID", "req_1"), fetched];
        assert_eq!(read(&check).unwrap().timeout, Span::ZERO);
    }

    #[test]
    fn targets_are_lines() {
        let inputs = read(&[("INPUT_TARGET", "service = orders\n\n query=a=b \r\n")]).unwrap();
        let target: Vec<_> = inputs.target.iter().map(|(n, v)| format!("{n}:{v}")).collect();
        assert_eq!(target, ["query:a=b", "service:orders"]);
    }

    #[test]
    fn jobs_of_a_matrix_share() {
        let shared = |all: &[(&str, &str)]| read(all).unwrap().shared;
        assert!(shared(&[("INPUT_JOB-TOTAL", "3")]));
        assert!(!shared(&[("INPUT_JOB-TOTAL", "1")]));
        assert!(!shared(&[("INPUT_JOB-TOTAL", "3"), ("INPUT_SHARED", "false")]));
        assert!(shared(&[("INPUT_SHARED", "true")]));
    }

    #[test]
    fn what_is_typed_is_not_quoted_where_it_may_be_a_secret() {
        let token = "assent_1_0123456789abcdefghijklmnopqrstuvwxyz";
        let faults = read(&[("INPUT_URL", token), ("INPUT_DIGEST", token)]).unwrap_err();
        assert_eq!(faults.len(), 2);
        assert!(faults.iter().all(|fault| !fault.problem.contains(token)), "{faults:?}");
    }

    #[test]
    fn only_a_safe_way_leads_to_the_authority() {
        for url in ["http://assent.example.com", "assent.example.com", "https://a@b.example"] {
            assert_eq!(faults(&[("INPUT_URL", url)]), ["url"], "{url}");
        }
        assert!(read(&[("INPUT_URL", "http://127.0.0.1:8080")]).is_ok());
    }

    #[test]
    fn no_heartbeat_is_wanted_where_it_is_nothing() {
        assert_eq!(read(&[("INPUT_HEARTBEAT", "0s")]).unwrap().heartbeat, None);
        assert_eq!(faults(&[("INPUT_HEARTBEAT", "5s")]), ["heartbeat"]);
    }
}
