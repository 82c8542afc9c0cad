//! What people's pages cost with 100,000 requests on record: the server's time to the last byte, and
//! the bytes; and from the form of a review to its answer.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use assent_core::credential::Secret;
use assent_core::id::CredentialId;
use assent_core::policy::Policy;
use assent_core::policy::quorum::Means;
use assent_core::policy::situation::{Known, Situation};
use assent_core::principal::Principal;
use assent_core::request::{Filing, Request, Said, Spend, Step, Verdict};
use assent_core::time::{Span, Timestamp};
use assent_core::wire;
use assent_server::app::Authority;
use assent_server::chance::Chance;
use assent_server::issuers::Reach;
use assent_server::ledger::{Commit, Ledger, SqliteLedger, Write};
use assent_server::sign_in::SignIn;
use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use serde_json::json;
use tokio::task::JoinSet;

use crate::Effort;
use crate::echo::{self, Echo};
use crate::filings::person;
use crate::host::{self, Host};
use crate::report::{self, Spread, thousands};

const REQUESTS: u64 = 100_000;
const QUICK_REQUESTS: u64 = 2_000;
/// How many changes the largest plan has.
const CHANGES: usize = 20_000;
/// A page has fewer bytes than this, or the benchmark fails.
const MOST_BYTES: usize = 60_000;
/// So long a page takes at most, at p99, or the benchmark fails.
const MOST_TIME: Duration = Duration::from_millis(50);
/// How many requests are open on the fullest inbox.
const MANY_OPEN: u64 = 1_000;
/// How many are written at once, in as few transactions as they fit in.
const AT_ONCE: u64 = 256;

const POLICY: &str = r"
apiVersion: assent/v1
kind: Policy
metadata: {name: benchmark}
groups:
  release-managers: [person:bob, person:carol, person:dave]
calendars:
  freeze: {zone: UTC, include: [{from: 2026-12-20, to: 2027-01-04}]}
rules:
  - id: production
    when: {intent.environment: {in: [production, production-eu]}}
    require:
      stages:
        - {name: release, approvals: 1, from: [group:release-managers]}
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h}
  - id: staging
    when: {intent.environment: {in: [staging, test]}}
    allow: {credential: {max_ttl: 15m}}
";

/// Measures and prints.
pub(crate) fn run(effort: Effort) -> Result<()> {
    let count = if effort.decisions < 10_000 { QUICK_REQUESTS } else { REQUESTS };
    report::heading(&format!("Pages with {} requests on record", thousands(count as f64)));
    let runtime = host::runtime()?;
    let kept = built(&runtime, count)?;
    let folder = tempfile::tempdir()?;
    let ledger = opened(&kept, &folder.path().join("ledger.sqlite"))?;
    let host = Host::start_under(host::compile(POLICY.to_owned())?, ledger)?;
    let browser = runtime.block_on(Browser::of(&host, &host.bob))?;
    let rounds = effort.approvals.clamp(20, 300);
    let plain = runtime.block_on(browser.filed(&host, None))?;
    let planned = runtime.block_on(browser.filed(&host, Some(CHANGES)))?;
    let large = format!("{} changes", thousands(CHANGES as f64));
    let pages = [
        ("inbox".to_owned(), "/".to_owned()),
        ("request".to_owned(), format!("/requests/{plain}")),
        (format!("request, {large}"), format!("/requests/{planned}")),
        ("history".to_owned(), "/history".to_owned()),
        ("history, words that fit".to_owned(), "/history?q=release+orders".to_owned()),
        ("history, one that fits".to_owned(), format!("/history?q=release-{}-", count / 2)),
        ("history, words that do not".to_owned(), "/history?q=zeppelin".to_owned()),
        ("history, filters that do not".to_owned(), NOTHING.to_owned()),
        ("history, reviewed by".to_owned(), "/history?reviewer=carol&state=denied".to_owned()),
        ("policy".to_owned(), "/policy".to_owned()),
        ("insights, 90 days".to_owned(), "/insights?days=90".to_owned()),
        ("audit".to_owned(), "/audit".to_owned()),
        ("audit, by person and type".to_owned(), "/audit?by=carol&kind=reviewed".to_owned()),
    ];
    let mut rows = Vec::new();
    for (name, path) in pages {
        rows.push(runtime.block_on(browser.row(name, &path, rounds))?);
    }
    runtime.block_on(browser.file_many(&host, MANY_OPEN))?;
    let name = format!("inbox, {} open", thousands(MANY_OPEN as f64));
    rows.push(runtime.block_on(browser.row(name, "/", rounds))?);
    for bytes in [5_000, 21_000] {
        rows.push(browser.control(&runtime, bytes, rounds)?);
    }
    report::table(&["page", "first", "p50 / p99", "size"], &rows);
    let reviews = runtime.block_on(browser.reviews(&host, rounds))?;
    report::say(&format!(
        "\nFrom the form of a review to the answer that it is durable, {} times: {:.1}.",
        reviews.len(),
        Spread::of_durations(&reviews)?
    ));
    concerned(&runtime, opened(&kept, &folder.path().join("again.sqlite"))?, rounds)
}

/// A copy of a ledger, which keeps no key: each server that begins makes its own.
fn opened(kept: &Path, copy: &Path) -> Result<Arc<dyn Ledger>> {
    fs::copy(kept, copy)?;
    Ok(Arc::new(SqliteLedger::open(copy)?))
}

/// The same where people read only what concerns them: what is theirs is found out request by request.
fn concerned(
    runtime: &tokio::runtime::Runtime,
    ledger: Arc<dyn Ledger>,
    rounds: usize,
) -> Result<()> {
    let secret = Secret::new("asked for by nobody".to_owned());
    let sign_in = SignIn::of_text(Path::new("sign-in.yaml"), READERS, &|_| Some(secret.clone()))?;
    let policy = host::compile(POLICY.to_owned())?;
    let with = |authority: Authority| authority.with_sign_in(sign_in);
    let host = Host::start_as(policy, ledger, Reach::default(), with)?;
    let eve = host.person(runtime, "eve")?;
    report::heading("The same, with `readers: asked`");
    let mut rows = Vec::new();
    for (who, token) in [("an approver", &host.bob), ("whom nothing concerns", &eve)] {
        let browser = runtime.block_on(Browser::of(&host, token))?;
        for (page, path) in [
            ("inbox", "/"),
            ("history", "/history"),
            ("history, words that fit", "/history?q=release+orders"),
            ("history, filters that do not", NOTHING),
        ] {
            rows.push(runtime.block_on(browser.row(format!("{page}: {who}"), path, rounds))?);
        }
    }
    report::table(&["page", "first", "p50 / p99", "size"], &rows);
    Ok(())
}

const READERS: &str = "
apiVersion: assent/v1
kind: SignIn
providers:
  corp: {type: oidc, title: Corp, issuer: 'https://id.example.com', client_id: assent, client_secret_env: S}
readers: asked
";

const NOTHING: &str = "/history?environment=production&kind=database.session&requester=alice";

fn kilobytes(bytes: usize) -> String {
    format!("{} kB", thousands(u32::try_from(bytes).map(f64::from).unwrap_or(f64::MAX) / 1_000.0))
}

/// The ledger with so many requests: built once, beside this program.
fn built(runtime: &tokio::runtime::Runtime, count: u64) -> Result<PathBuf> {
    let beside = std::env::current_exe()?;
    let beside = beside.parent().context("this program is nowhere")?;
    let file = beside.join(format!("bench-pages-{count}.sqlite"));
    if file.is_file() {
        return Ok(file);
    }
    let begun = Instant::now();
    let making = beside.join(format!("bench-pages-{count}.making"));
    for left in ["making", "making-wal", "making-shm", "lock"] {
        let _ = fs::remove_file(making.with_extension(left));
    }
    runtime.block_on(fill(&making, count))?;
    fs::rename(&making, &file)?;
    let size = fs::metadata(&file)?.len();
    report::say(&format!(
        "Built in {:.0} s, {} MB.\n",
        begun.elapsed().as_secs_f64(),
        thousands(size as f64 / 1e6)
    ));
    Ok(file)
}

/// Ninety days of requests, as they come about: permitted, approved and used, denied, left to expire,
/// and the newest still open.
async fn fill(file: &Path, count: u64) -> Result<()> {
    let ledger = Arc::new(SqliteLedger::open(file)?);
    let maker = Arc::new(Maker::new()?);
    let begin = assent_server::clock::Clock::system().now().before(Span::hours(90 * 24));
    let apart = 90 * 24 * 3_600_000 / count;
    let mut number = 0;
    while number < count {
        let mut group = JoinSet::new();
        for one in number..(number + AT_ONCE).min(count) {
            let (ledger, maker) = (Arc::clone(&ledger), Arc::clone(&maker));
            let at = begin.plus(Span::from_millis(one * apart));
            let is_open = one + 40 >= count;
            group.spawn(async move {
                for step in maker.story(one, at, is_open)? {
                    let write = Write { step, call: None, unless_open: false, most_pending: None };
                    let commit = ledger.commit(write).await?;
                    ensure!(matches!(commit, Commit::Done(_)), "{commit:?}");
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = group.join_next().await {
            done??;
        }
        number += AT_ONCE;
    }
    // The writer lets go of the file once nobody can write any more.
    drop(ledger);
    let lock = fs::File::open(file.with_extension("lock"))?;
    lock.lock()?;
    let wal = PathBuf::from(format!("{}-wal", file.display()));
    ensure!(!wal.exists(), "the ledger was not closed: {} is there", wal.display());
    Ok(())
}

struct Maker {
    policy: Policy,
    chance: Chance,
    alice: Principal,
    approvers: [Principal; 3],
}

impl Maker {
    fn new() -> Result<Self> {
        Ok(Self {
            policy: host::compile(POLICY.to_owned())?,
            chance: Chance::default(),
            alice: person("alice")?,
            approvers: [person("bob")?, person("carol")?, person("dave")?],
        })
    }

    /// The steps of one request.
    fn story(&self, number: u64, at: Timestamp, is_open: bool) -> Result<Vec<Step>> {
        let environment = match number % 10 {
            0..=3 => "staging",
            4 => "test",
            5..=8 => "production",
            _ => "production-eu",
        };
        let environment = if is_open { "production" } else { environment };
        let stated = wire::Intent {
            environment: environment.to_owned(),
            reason: format!("roll out release-{number}- of the order service"),
            ..host::intent(number)
        };
        let intent = stated.verify().map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        let (requester, known) = (self.alice.clone(), Known::default());
        let situation =
            Situation { intent: &intent, requester: &requester, known: &known, now: at };
        let ruling = self.policy.rule(&situation);
        let id = self.chance.request_id(at)?;
        let filing = Filing { id, intent, requester, ruling, known, heartbeat: None };
        let mut steps = vec![Request::file(filing, at)];
        let last = |steps: &[Step]| steps.last().map(|step| step.next().clone()).context("no step");
        if is_open {
            return Ok(steps);
        }
        let request = last(&steps)?;
        if request.requirement().is_some() && number % 37 == 6 {
            steps.extend(request.lapse(at.plus(Span::hours(4))));
            return Ok(steps);
        }
        let members = self.policy.membership(at);
        let mut now = at;
        if request.requirement().is_some() {
            now = at.plus(Span::seconds(20 + number * 7_919 % 7_000));
            let verdict = if number % 29 == 5 { Verdict::Deny } else { Verdict::Approve };
            let comment = "seen".to_owned();
            let said = Said {
                verdict,
                digest: request.digest(),
                comment,
                signed_in_at: None,
                means: Means::default(),
            };
            let who = self.approvers.iter().cycle().nth((number % 7) as usize).context("nobody")?;
            let review = self.chance.review_id(now)?;
            steps.push(request.review(review, who, said, &members, now)?);
            if verdict == Verdict::Deny {
                return Ok(steps);
            }
        }
        let granted = last(&steps)?;
        let now = now.plus(Span::seconds(5));
        let spend = Spend::on(CredentialId::from_bytes(id.to_bytes()), "aws");
        let sealed = granted.consume(&self.alice, spend, &members, now)?;
        steps.push(sealed.step().clone());
        Ok(steps)
    }
}

/// Bob's browser.
struct Browser {
    http: reqwest::Client,
    url: String,
    cookie: String,
}

impl Browser {
    async fn of(host: &Host, token: &Secret) -> Result<Self> {
        let http =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let form = [("token", token.expose())];
        let call = http.post(format!("{}/login", host.url)).header(ORIGIN, &host.url).form(&form);
        let answer = call.send().await?;
        let cookie = answer.headers().get(SET_COOKIE).context("nobody was signed in")?;
        let cookie = cookie.to_str()?.split(';').next().unwrap_or_default().to_owned();
        Ok(Self { http, url: host.url.clone(), cookie })
    }

    async fn get(&self, path: &str) -> Result<String> {
        let call = self.http.get(format!("{}{path}", self.url)).header(COOKIE, &self.cookie);
        let answer = call.send().await?;
        ensure!(answer.status().is_success(), "{path}: {}", answer.status());
        Ok(answer.text().await?)
    }

    /// How long the first took, and each further one; and how many bytes it has.
    async fn load(&self, path: &str, rounds: usize) -> Result<(Duration, Vec<Duration>, usize)> {
        let begun = Instant::now();
        let bytes = self.get(path).await?.len();
        let first = begun.elapsed();
        let mut times = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let begun = Instant::now();
            self.get(path).await?;
            times.push(begun.elapsed());
        }
        Ok((first, times, bytes))
    }

    /// A line of the table.
    async fn row(&self, name: String, path: &str, rounds: usize) -> Result<Vec<String>> {
        let (first, times, bytes) = self.load(path, rounds).await?;
        ensure!(bytes < MOST_BYTES, "{name}: {bytes} bytes are more than a page may have");
        let slow = times.iter().filter(|time| **time >= MOST_TIME).count();
        ensure!(slow * 100 <= times.len(), "{name}: {slow} of {} took too long", times.len());
        let first = format!("{:.1} ms", first.as_secs_f64() * 1e3);
        let spread = format!("{:.1}", Spread::of_durations(&times)?);
        Ok(vec![name, first, spread, kilobytes(bytes)])
    }

    /// What HTTP alone takes for as many bytes.
    fn control(
        &self,
        runtime: &tokio::runtime::Runtime,
        bytes: usize,
        rounds: usize,
    ) -> Result<Vec<String>> {
        let echo = Echo::start()?;
        let mut times = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let begun = Instant::now();
            let call = self.http.post(format!("{}/answer/{bytes}", echo.url));
            runtime.block_on(echo::call(call))?;
            times.push(begun.elapsed());
        }
        let spread = format!("{:.1}", Spread::of_durations(&times)?);
        Ok(vec!["control: HTTP alone".to_owned(), "–".to_owned(), spread, kilobytes(bytes)])
    }

    /// So many more requests that wait for bob.
    async fn file_many(&self, host: &Host, count: u64) -> Result<()> {
        let alice = host.client(&host.alice)?;
        for number in 0..count {
            let intent = host::intent(30_000_000 + number);
            let filing = wire::Filing { intent, reattach: false, heartbeat: None };
            alice.file(&filing, &assent_client::IdempotencyKey::fresh()).await?;
        }
        Ok(())
    }

    /// A request of alice's, perhaps with a plan of so many changes.
    async fn filed(&self, host: &Host, changes: Option<usize>) -> Result<String> {
        let mut intent = host::intent(10_000_000 + changes.unwrap_or(0) as u64);
        if let Some(changes) = changes {
            let call = self.http.post(format!("{}/v1/plans", self.url));
            let call = call.bearer_auth(host.alice.expose()).json(&plan(changes));
            let kept: serde_json::Value = call.send().await?.json().await?;
            intent.plan = kept.get("digest").and_then(|digest| digest.as_str()).map(str::to_owned);
            ensure!(intent.plan.is_some(), "the plan was not taken: {kept}");
        }
        let filing = wire::Filing { intent, reattach: false, heartbeat: None };
        let alice = host.client(&host.alice)?;
        Ok(alice.file(&filing, &assent_client::IdempotencyKey::fresh()).await?.id)
    }

    /// Approving by the form, so often.
    async fn reviews(&self, host: &Host, rounds: usize) -> Result<Vec<Duration>> {
        let alice = host.client(&host.alice)?;
        let mut times = Vec::with_capacity(rounds);
        for number in 0..rounds {
            let intent = host::intent(20_000_000 + number as u64);
            let filing = wire::Filing { intent, reattach: false, heartbeat: None };
            let filed = alice.file(&filing, &assent_client::IdempotencyKey::fresh()).await?;
            let path = format!("{}/requests/{}", self.url, filed.id);
            let page = self.get(&format!("/requests/{}", filed.id)).await?;
            let csrf = page.split("name=\"csrf\" value=\"").nth(1).context("no form")?;
            let csrf = csrf.split('"').next().unwrap_or_default();
            let form = [
                ("csrf", csrf),
                ("digest", filed.digest.as_str()),
                ("verdict", "approve"),
                ("comment", "seen"),
            ];
            let begun = Instant::now();
            let call = self.http.post(format!("{path}/review")).header(COOKIE, &self.cookie);
            let answer = call.header(ORIGIN, &self.url).form(&form).send().await?;
            ensure!(answer.status().is_redirection(), "a review was answered {}", answer.status());
            times.push(begun.elapsed());
        }
        Ok(times)
    }
}

/// A plan as `terraform show -json` prints it, of so many changes.
fn plan(changes: usize) -> serde_json::Value {
    let change = |number: usize| {
        let action = match number % 10 {
            0 => json!(["delete"]),
            1 => json!(["delete", "create"]),
            2..=5 => json!(["update"]),
            _ => json!(["create"]),
        };
        let named = |size: &str| json!({"name": format!("node-{number}"), "size": size});
        let (before, after) = match number % 10 {
            0 => (named("small"), json!(null)),
            1..=5 => (named("small"), named("large")),
            _ => (json!(null), named("large")),
        };
        json!({
            "address": format!("module.cluster.aws_instance.node[{number}]"),
            "module_address": "module.cluster", "mode": "managed", "type": "aws_instance", "name": "node", "index": number,
            "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": {
                "actions": action, "before": before, "after": after, "after_unknown": {},
                "before_sensitive": {}, "after_sensitive": {},
            },
        })
    };
    json!({
        "format_version": "1.2", "terraform_version": "1.9.0", "complete": true, "applyable": true,
        "errored": false, "resource_changes": (0..changes).map(change).collect::<Vec<_>>(),
        "configuration": {"root_module": {}},
    })
}
