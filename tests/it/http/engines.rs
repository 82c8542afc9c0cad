//! Engines that fail, or are made to: what asks them is refused, everybody else is served.

#[path = "../../../rego/tests/hostile/inputs.rs"]
mod inputs;
#[path = "../../../rego/tests/hostile/policies.rs"]
mod policies;

use std::collections::VecDeque;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assent_core::policy::Policy;
use assent_core::policy::ask::Ask;
use assent_core::policy::document::{Fault, PolicyDocument};
use assent_core::policy::opinion::Opinion;
use assent_rego::{About, Launch, Limits, Pool};
use assent_server::engines::Engines;
use assent_server::policy::Source;
use async_trait::async_trait;
use serde_json::{Value, json};

use crate::support::{Caller, Server, Setup, documents, filing, fresh_key, program};

/// How many hostile policies are in force at once, each for an environment of its own.
const LANES: usize = 3;

/// What everybody else asks for: with an engine, and without.
const CALM: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: calm}
rules:
  - id: open
    when: {intent.environment: [open, calm]}
    allow: {}
  - id: calm
    when: {intent.environment: calm}
    ask: {engine: rego, dialect: assent, files: [calm.rego]}
";

const CALM_REGO: &str = "package assent
default opinion := {\"ruling\": \"refuse\"}
opinion := {\"ruling\": \"permit\"} if input.intent.context.user == \"alice\"
";

fn given() -> Vec<PolicyDocument> {
    let mut given = documents(CALM);
    given.push(PolicyDocument { file: "calm.rego".to_owned(), text: CALM_REGO.to_owned() });
    given
}

/// A server whose engines are real.
async fn server(limits: Limits) -> Server {
    let engines = assent_rego::Engines::new(Pool::new(Launch::program(program()), limits));
    let (source, engines) = (Source::Given(given()), Arc::new(engines));
    Server::set_up(Setup { source, engines, ..Setup::default() }).await
}

/// A policy that means harm, or an input that does, or both.
struct Case {
    name: String,
    rego: String,
    context: Value,
}

/// What an engine is given of a request stands elsewhere than the tables have it.
fn moved(rego: &str) -> String {
    rego.replace("input.", "input.intent.context.it.")
}

fn cases() -> (Vec<Case>, Vec<Case>) {
    let it = json!({"user": "x", "xs": [1, 2]});
    let policy = |(name, text): (&str, String)| Case {
        name: name.to_owned(),
        rego: moved(&text),
        context: it.clone(),
    };
    // Each under a policy of its own, so that the breaker spares none of them.
    let input = |(at, (name, context)): (usize, (String, Value))| Case {
        name,
        rego: format!("{}\n# {at}\n", moved(inputs::GUARDED)),
        context,
    };
    let policies = policies::policies().into_iter().map(policy).collect();
    (policies, inputs::inputs().into_iter().enumerate().map(input).collect())
}

/// What became of a case.
enum Came {
    /// The policy did not take over.
    NotLoaded,
    /// The request was not accepted as one.
    NotFiled,
    /// It was ruled on, like this.
    Ruled(Value),
}

/// Has the policy of a lane replaced and files what meets it.
async fn meet(root: &Caller, alice: &Caller, lane: usize, case: &Case) -> Came {
    let path = format!("/v1/policy/documents/lane-{lane}.rego");
    let written = root.put(&path, &json!({"text": case.rego})).await;
    if written.status != 200 {
        assert!(matches!(written.status, 413 | 422), "{}: {written:?}", case.name);
        return Came::NotLoaded;
    }
    let body = json!({"intent": {
        "kind": "x", "environment": format!("lane-{lane}"), "target": {"x": "y"},
        "reason": "hostile", "context": {"it": case.context},
    }});
    let call = alice.call("POST", "/v1/requests").header("idempotency-key", fresh_key().as_str());
    let body = body.to_string();
    let large = body.len() > 256 * 1024;
    // Of a body that is too large not all is read, and the connection may end while it is sent.
    let sent = call.header("content-type", "application/json").body(body).send().await;
    let Ok(answer) = sent else {
        assert!(large, "{}: {sent:?}", case.name);
        return Came::NotFiled;
    };
    let status = answer.status().as_u16();
    if matches!(status, 400 | 413 | 422) {
        return Came::NotFiled;
    }
    assert!(matches!(status, 200 | 201), "{}: {status}", case.name);
    Came::Ruled(answer.json().await.unwrap())
}

/// Puts a lane's rule in force, which permits whatever its engine does not refuse.
async fn open_lane(root: &Caller, lane: usize) {
    let document = format!(
        "apiVersion: assent/v1\nkind: Policy\nmetadata: {{name: lane-{lane}}}\nrules:\n  \
         - id: open-{lane}\n    when: {{intent.environment: lane-{lane}}}\n    allow: {{}}\n  \
         - id: ask-{lane}\n    when: {{intent.environment: lane-{lane}}}\n    \
         ask: {{engine: rego, dialect: assent, files: [lane-{lane}.rego]}}\n"
    );
    let put = async |ending: &str, text: &str| {
        let path = format!("/v1/policy/documents/lane-{lane}.{ending}");
        root.put(&path, &json!({"text": text})).await.is(200);
    };
    put("rego", &moved(inputs::GUARDED)).await;
    put("yaml", &document).await;
    let good = Case {
        name: "the good input".to_owned(),
        rego: moved(inputs::GUARDED),
        context: inputs::good(),
    };
    let Came::Ruled(request) = meet(root, root, lane, &good).await else {
        panic!("the good input is filed")
    };
    assert_eq!(request["state"], "approved", "what means no harm is permitted: {request}");
}

/// Asks for what has nothing to do with it, again and again until it is told to stop.
async fn meanwhile(server: &Server, alice: &Caller, stop: &AtomicBool, heard: &AtomicUsize) {
    let stranger = server.stranger();
    while !stop.load(Ordering::SeqCst) {
        stranger.get("/healthz").await.is(200);
        let open = alice.client.file(&filing("open", "as always"), &fresh_key()).await.unwrap();
        assert_eq!(open.state, "approved");
        let mut calm = filing("calm", "as always");
        calm.intent.context.insert("user".to_owned(), json!("alice"));
        let calm = alice.client.file(&calm, &fresh_key()).await.unwrap();
        if calm.state == "approved" {
            heard.fetch_add(1, Ordering::SeqCst);
        }
        // Not more than it needs of the machine that the others need too.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t49_the_server_serves_while_hostile_policies_and_inputs_are_contained() {
    let limits = Limits {
        workers: LANES + 1,
        load: Duration::from_secs(5),
        evaluation: Duration::from_secs(1),
        turn: Duration::from_secs(20),
        ..Limits::default()
    };
    let server = Arc::new(server(limits).await);
    let (root, alice) = (server.administrator().await, server.person("alice").await);
    for lane in 0..LANES {
        open_lane(&root, lane).await;
    }
    let (stop, heard) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let others = {
        let (server, alice) = (Arc::clone(&server), alice.clone());
        let (stop, heard) = (Arc::clone(&stop), Arc::clone(&heard));
        tokio::spawn(async move { meanwhile(&server, &alice, &stop, &heard).await })
    };
    let (policies, inputs) = cases();
    assert!(policies.len() >= 50 && inputs.len() >= 50);
    for (all, asked) in [(policies, 25), (inputs, 50)] {
        let (count, before) = (all.len(), heard.load(Ordering::SeqCst));
        let ruled = contained(&root, &alice, all).await;
        assert!(ruled >= asked, "only {ruled} of {count} came before an engine");
        assert!(heard.load(Ordering::SeqCst) > before + 5, "nobody else was heard meanwhile");
    }
    stop.store(true, Ordering::SeqCst);
    others.await.unwrap();
    for lane in 0..LANES {
        open_lane(&root, lane).await;
    }
}

/// Goes through all cases, a lane each. How many were ruled on; none may be permitted.
async fn contained(root: &Caller, alice: &Caller, cases: Vec<Case>) -> usize {
    let waiting = Arc::new(Mutex::new(VecDeque::from(cases)));
    let lane = |lane: usize| {
        let (root, alice, waiting) = (root.clone(), alice.clone(), Arc::clone(&waiting));
        tokio::spawn(async move {
            let mut ruled = 0;
            loop {
                let next = waiting.lock().unwrap().pop_front();
                let Some(case) = next else { return ruled };
                if let Came::Ruled(request) = meet(&root, &alice, lane, &case).await {
                    assert_eq!(request["state"], "denied", "{}: {request}", case.name);
                    ruled += 1;
                }
            }
        })
    };
    let lanes: Vec<_> = (0..LANES).map(lane).collect();
    let mut ruled = 0;
    for lane in lanes {
        ruled += lane.await.unwrap();
    }
    ruled
}

/// Whatever is written to it, kept.
#[derive(Clone, Default)]
pub(super) struct Tape(Arc<Mutex<Vec<u8>>>);

impl Tape {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An engine that fails with more words than anybody reads.
#[derive(Debug)]
struct Wordy;

#[async_trait]
impl Engines for Wordy {
    async fn ask(&self, _: &Ask, _: About<'_>) -> Opinion {
        Opinion::Failed { reason: format!("it broke\nERROR forged {}", "x".repeat(10_000)) }
    }

    async fn faults(&self, _: &Policy) -> Vec<Fault> {
        Vec::new()
    }
}

#[tokio::test]
async fn an_engine_that_fails_is_in_the_log_on_one_short_line() {
    let tape = Tape::default();
    let writer = tape.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _kept = tracing::subscriber::set_default(subscriber);
    let source = Source::Given(given());
    let setup = Setup { source, engines: Arc::new(Wordy), ..Setup::default() };
    let server = Server::set_up(setup).await;
    let alice = server.person("alice").await;
    let refused = alice.client.file(&filing("calm", "r"), &fresh_key()).await.unwrap();
    assert_eq!(refused.state, "denied");
    let log = tape.text();
    let line = log.lines().find(|line| line.contains("an engine gave no answer")).unwrap();
    let said = "rule=\"calm\" reason=\"it broke\\nERROR forged xxx";
    assert!(line.contains("WARN") && line.contains(said), "{line}");
    assert!(line.len() < 1_000, "{line}");
}
