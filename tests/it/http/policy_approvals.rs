//! Changes of policy that must be approved: exactly what was approved is written, once.

use assent_client::wire;
use serde_json::{Value, json};

use crate::support::{Caller, Server, approve, deny, fresh_key};

/// Two of three approve every change; what is written over the API changes this.
const BASE: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: base}
groups: {reviewers: [person:bob, person:carol, person:dave]}
rules:
  - id: policy-changes
    when: {intent.kind: assent.policy}
    require: {stages: [{name: reviewers, approvals: 2, from: [group:reviewers]}]}
";

const APPROVED: &str = "
apiVersion: assent/v1
kind: Policy
defaults: {policy_changes: approved}
";

/// Whoever is asked in these tests.
struct World {
    server: Server,
    root: Caller,
    bob: Caller,
    carol: Caller,
}

impl World {
    /// Everything is under the API: the base, then what demands that changes be approved.
    async fn new() -> Self {
        Self::with(&[("base.yaml", BASE), ("defaults.yaml", APPROVED)]).await
    }

    async fn with(documents: &[(&str, &str)]) -> Self {
        let server = Server::ruled_by("apiVersion: assent/v1\nkind: Policy\n").await;
        let root = server.administrator().await;
        for (name, text) in documents {
            root.client.write_document(name, &document(text), None).await.unwrap();
        }
        let (bob, carol) = (server.person("bob").await, server.person("carol").await);
        Self { server, root, bob, carol }
    }

    /// Files what a refused change asks to be filed.
    async fn file(&self, intent: &wire::Intent) -> wire::Request {
        let intent = wire::Intent { reason: "as agreed".to_owned(), ..intent.clone() };
        let filing = wire::Filing { intent, reattach: true, heartbeat: None };
        self.root.client.file(&filing, &fresh_key()).await.unwrap()
    }

    /// The request for this change, approved.
    async fn approved(&self, intent: &wire::Intent) -> wire::Request {
        let request = self.file(intent).await;
        approve(&self.bob, &request).await.unwrap();
        let request = approve(&self.carol, &request).await.unwrap();
        assert_eq!(request.state, "approved");
        request
    }

    /// The intent of a document that is refused for want of an approval.
    async fn asked(&self, name: &str, text: &str) -> wire::Intent {
        let error = self.root.client.write_document(name, &document(text), None).await;
        intent_of(error.map(drop))
    }

    async fn write(&self, name: &str, text: &str, approval: &str) -> Result<u64, String> {
        let written = self.root.client.write_document(name, &document(text), Some(approval)).await;
        written.map(|written| written.version).map_err(|e| e.code().unwrap_or_default().to_owned())
    }

    async fn state(&self, id: &str) -> String {
        self.root.client.request(id).await.unwrap().state
    }

    async fn revision(&self) -> String {
        self.root.client.policy_status().await.unwrap().revision
    }

    /// Without an approval it is refused, and nothing changes.
    async fn is_refused(
        &self,
        change: impl Future<Output = Result<(), assent_client::ClientError>>,
    ) -> wire::Intent {
        let before = self.revision().await;
        let intent = intent_of(change.await);
        assert_eq!(self.revision().await, before);
        intent
    }
}

fn document(text: &str) -> wire::NewDocument {
    wire::NewDocument { text: text.to_owned() }
}

/// A document with one rule about this environment.
fn rule(id: &str) -> String {
    format!(
        "apiVersion: assent/v1\nkind: Policy\nrules:\n  - {{id: {id}, when: {{intent.environment: \
         {id}}}, allow: {{}}}}\n"
    )
}

#[track_caller]
fn intent_of(refused: Result<(), assent_client::ClientError>) -> wire::Intent {
    let error = refused.unwrap_err();
    assert_eq!(error.code(), Some("approval_required"), "{error}");
    *error.problem.unwrap().intent.unwrap()
}

#[tokio::test]
async fn a_change_is_written_once_it_is_approved_and_says_by_what() {
    let world = World::new().await;
    let text = rule("staging");
    let intent = world.asked("staging.yaml", &text).await;
    assert_eq!((intent.kind.as_str(), intent.environment.as_str()), ("assent.policy", "assent"));
    assert_eq!(intent.target["document"], "staging.yaml");
    assert_eq!((intent.target["operation"].as_str(), intent.reason.as_str()), ("write", ""));
    assert_eq!(intent.context["before"], Value::Null);
    let diff = intent.context["diff"].as_str().unwrap();
    assert!(diff.contains("+++ staging.yaml\n") && diff.contains("+  - {id: staging,"), "{diff}");
    let request = world.file(&intent).await;
    assert_eq!(world.write("staging.yaml", &text, &request.id).await.unwrap_err(), "not_approved");
    approve(&world.bob, &request).await.unwrap();
    approve(&world.carol, &request).await.unwrap();
    assert_eq!(world.write("staging.yaml", &text, &request.id).await, Ok(1));
    assert_eq!(world.state(&request.id).await, "consumed");
    // The answer was lost: the same call again finds it written.
    assert_eq!(world.write("staging.yaml", &text, &request.id).await, Ok(1));
    let entries = world.root.client.entries(0).await.unwrap().entries;
    let last = entries.iter().rev().find(|e| e.event["type"] == "policy_written").unwrap();
    assert_eq!(last.event["approval"], request.id.as_str());
    assert_eq!(last.event["by"]["sub"], "root");
    assert_eq!(last.event["digest"].as_str(), intent.digest.as_deref());
    assert_eq!(last.event["revision"], world.revision().await);
    // It was spent on record before it was written.
    let spent = entries.iter().position(|e| e.event["type"] == "completed").unwrap();
    let written = entries.iter().position(|e| e.event == last.event).unwrap();
    assert!(spent < written);
}

#[tokio::test]
async fn a_removal_and_an_entry_are_approved_like_a_document() {
    let world = World::new().await;
    let members = |names: &[&str]| wire::NewGroup {
        members: names.iter().map(|name| format!("person:{name}")).collect(),
        ..Default::default()
    };
    let client = &world.root.client;
    let intent = intent_of(client.write_group("dba", &members(&["x"]), None).await.map(drop));
    assert_eq!(intent.target["document"], "groups/dba");
    let request = world.approved(&intent).await;
    let other = client.write_group("dba", &members(&["x", "y"]), Some(&request.id)).await;
    assert_eq!(other.unwrap_err().code(), Some("approval_differs"));
    client.write_group("dba", &members(&["x"]), Some(&request.id)).await.unwrap();
    let intent = intent_of(client.remove_group("dba", None).await);
    assert_eq!(intent.target["operation"], "remove");
    assert_eq!(intent.digest.as_deref(), intent.context["before"].as_str());
    assert!(intent.context["diff"].as_str().unwrap().contains("-      \"person:x\""));
    let request = world.approved(&intent).await;
    client.remove_group("dba", Some(&request.id)).await.unwrap();
    assert_eq!(client.policy_group("dba").await.unwrap_err().code(), Some("not_found"));
}

#[tokio::test]
async fn one_approval_is_good_for_one_change_and_for_no_other() {
    let world = World::new().await;
    let (one, two) = (rule("one"), rule("two"));
    let request = world.approved(&world.asked("one.yaml", &one).await).await;
    for (name, text) in [("one.yaml", &two), ("other.yaml", &one)] {
        assert_eq!(world.write(name, text, &request.id).await.unwrap_err(), "approval_differs");
    }
    assert_eq!(world.state(&request.id).await, "approved", "nothing was spent");
    assert_eq!(world.write("one.yaml", &one, &request.id).await, Ok(1));
    // The same change once more, after it was undone, is another change.
    let undone = intent_of(world.root.client.remove_document("one.yaml", None).await);
    let undone = world.approved(&undone).await;
    world.root.client.remove_document("one.yaml", Some(&undone.id)).await.unwrap();
    assert_eq!(world.write("one.yaml", &one, &request.id).await.unwrap_err(), "not_approved");
}

#[tokio::test]
async fn a_base_that_changed_after_the_approval_is_not_what_was_approved() {
    let world = World::with(&[("base.yaml", BASE), ("a.yaml", &rule("a"))]).await;
    world.root.client.write_document("d.yaml", &document(APPROVED), None).await.unwrap();
    let late = rule("late");
    let first = world.approved(&world.asked("a.yaml", &late).await).await;
    let between = rule("between");
    let second = world.approved(&world.asked("a.yaml", &between).await).await;
    assert_eq!(world.write("a.yaml", &between, &second.id).await, Ok(2));
    let late = document(&late);
    let refused = world.root.client.write_document("a.yaml", &late, Some(&first.id)).await;
    let error = refused.unwrap_err();
    assert_eq!(error.code(), Some("approval_differs"));
    assert!(error.message.contains("context.before, context.diff are not what was"), "{error}");
    assert_eq!(world.state(&first.id).await, "approved");
}

#[tokio::test]
async fn a_set_that_no_longer_compiles_spends_no_approval() {
    let world = World::new().await;
    let mine = rule("same");
    let request = world.approved(&world.asked("mine.yaml", &mine).await).await;
    // Meanwhile somebody else defines a rule of the same id in another document.
    let theirs = world.approved(&world.asked("theirs.yaml", &mine).await).await;
    assert_eq!(world.write("theirs.yaml", &mine, &theirs.id).await, Ok(1));
    assert_eq!(world.write("mine.yaml", &mine, &request.id).await.unwrap_err(), "invalid_policy");
    assert_eq!(world.state(&request.id).await, "approved");
}

#[tokio::test]
async fn of_two_writes_at_once_by_one_approval_one_is_written() {
    for _ in 0..8 {
        let world = World::new().await;
        let text = rule("one");
        let request = world.approved(&world.asked("one.yaml", &text).await).await;
        let other = rule("two");
        let (same, again, else_) = tokio::join!(
            world.write("one.yaml", &text, &request.id),
            world.write("one.yaml", &text, &request.id),
            world.write("one.yaml", &other, &request.id),
        );
        assert_eq!((same, again), (Ok(1), Ok(1)), "the second finds it written");
        assert!(else_.is_err());
        let entries = world.root.client.entries(0).await.unwrap().entries;
        let by = |e: &&wire::Entry| e.event["approval"] == request.id.as_str();
        assert_eq!(entries.iter().filter(by).count(), 1);
    }
}

#[tokio::test]
async fn an_approval_is_spent_by_whoever_asked_for_it() {
    let world = World::new().await;
    let text = rule("one");
    let intent = world.asked("one.yaml", &text).await;
    let stated = wire::Intent { reason: "mine".to_owned(), ..intent };
    let alice = world.server.person("alice").await;
    let filing = wire::Filing { intent: stated, reattach: false, heartbeat: None };
    let request = alice.client.file(&filing, &fresh_key()).await.unwrap();
    approve(&world.bob, &request).await.unwrap();
    approve(&world.carol, &request).await.unwrap();
    // An administrator cannot take what others were given, and the others are no administrators.
    assert_eq!(world.write("one.yaml", &text, &request.id).await.unwrap_err(), "not_requester");
    let path = "/v1/policy/documents/one.yaml";
    let put = alice.call("PUT", path).header("assent-approval", &request.id);
    let answer = crate::support::sent(put.json(&json!({"text": text}))).await;
    answer.refuses(403, "not_administrator");
    let nobody = "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z";
    assert_eq!(world.write("one.yaml", &text, nobody).await.unwrap_err(), "not_found");
    assert_eq!(world.write("one.yaml", &text, "nonsense").await.unwrap_err(), "not_found");
    let twice = world.root.call("PUT", path).header("assent-approval", "a");
    let twice = twice.header("assent-approval", "b").json(&json!({"text": text}));
    crate::support::sent(twice).await.refuses(400, "invalid");
}

#[tokio::test]
async fn what_was_denied_is_not_written() {
    let world = World::new().await;
    let text = rule("one");
    let request = world.file(&world.asked("one.yaml", &text).await).await;
    deny(&world.bob, &request).await.unwrap();
    assert_eq!(world.write("one.yaml", &text, &request.id).await.unwrap_err(), "not_approved");
}

#[tokio::test]
async fn an_approval_that_the_policy_of_today_would_not_give_is_not_taken() {
    let world = World::new().await;
    let text = rule("one");
    let old = world.approved(&world.asked("one.yaml", &text).await).await;
    // Three are asked from now on: who had the approval of two must ask again.
    let stricter = BASE.replace("approvals: 2", "approvals: 3");
    let change = world.approved(&world.asked("base.yaml", &stricter).await).await;
    assert_eq!(world.write("base.yaml", &stricter, &change.id).await, Ok(2));
    assert_eq!(world.write("one.yaml", &text, &old.id).await.unwrap_err(), "approval_outdated");
    assert_eq!(world.state(&old.id).await, "approved");
}

#[tokio::test]
async fn an_approval_stays_good_where_something_else_changed() {
    let world = World::new().await;
    let (one, two) = (rule("one"), rule("two"));
    let first = world.approved(&world.asked("one.yaml", &one).await).await;
    let second = world.approved(&world.asked("two.yaml", &two).await).await;
    assert_eq!(world.write("one.yaml", &one, &first.id).await, Ok(1));
    assert_eq!(world.write("two.yaml", &two, &second.id).await, Ok(1));
}

#[tokio::test]
async fn what_does_not_fit_whole_cannot_be_approved() {
    let world = World::new().await;
    let text = format!("{}# {}\n", rule("one"), "x".repeat(70_000));
    let answer = world.root.put("/v1/policy/documents/a.yaml", &json!({"text": text})).await;
    let problem = answer.json()["errors"][0]["problem"].as_str().unwrap().to_owned();
    answer.refuses(422, "invalid");
    assert!(problem.contains("nothing is left out"), "{problem}");
}

#[tokio::test]
async fn an_approval_that_nobody_asked_for_must_still_be_right() {
    let world = World::with(&[("base.yaml", BASE)]).await;
    let text = rule("one");
    let intent = world.asked_elsewhere("one.yaml", &text).await;
    let request = world.approved(&intent).await;
    assert_eq!(
        world.write("other.yaml", &text, &request.id).await.unwrap_err(),
        "approval_differs"
    );
    assert_eq!(world.write("one.yaml", &text, &request.id).await, Ok(1));
    assert_eq!(world.state(&request.id).await, "consumed");
}

impl World {
    /// The intent of a change, as a server says it where changes must be approved.
    async fn asked_elsewhere(&self, name: &str, text: &str) -> wire::Intent {
        Self::new().await.asked(name, text).await
    }
}

#[tokio::test]
async fn a_check_says_what_must_be_approved() {
    let world = World::new().await;
    let text = rule("one");
    let mut changes = wire::PolicyCheck::default();
    changes.documents.insert("one.yaml".to_owned(), Some(document(&text)));
    // What is there already needs no approval.
    changes.documents.insert("base.yaml".to_owned(), Some(document(BASE)));
    let checked = world.bob.client.check_policy(&changes).await.unwrap();
    assert_eq!(checked.approvals, [world.asked("one.yaml", &text).await]);
}

// Row 69: whoever administers lowers the quorum, edits a group, or switches the demand off.

#[tokio::test]
async fn t69_lowering_a_quorum_must_itself_be_approved() {
    let world = World::new().await;
    let lower = BASE.replace("approvals: 2", "approvals: 1");
    let lower = document(&lower);
    let written = async || world.root.client.write_document("base.yaml", &lower, None).await;
    let intent = world.is_refused(async { written().await.map(drop) }).await;
    let request = world.file(&intent).await;
    // By the quorum that rules now, not by the one it would be.
    approve(&world.bob, &request).await.unwrap();
    let early = world.root.client.write_document("base.yaml", &lower, Some(&request.id)).await;
    assert_eq!(early.unwrap_err().code(), Some("not_approved"));
    approve(&world.carol, &request).await.unwrap();
    world.root.client.write_document("base.yaml", &lower, Some(&request.id)).await.unwrap();
}

#[tokio::test]
async fn t69_editing_the_group_of_approvers_must_itself_be_approved() {
    // The group is an entry of its own here.
    let base = BASE.replace("groups: {reviewers: [person:bob, person:carol, person:dave]}\n", "");
    let world = World::with(&[]).await;
    let members = |names: &[&str]| wire::NewGroup {
        members: names.iter().map(|name| format!("person:{name}")).collect(),
        ..Default::default()
    };
    let client = &world.root.client;
    client.write_group("reviewers", &members(&["bob", "carol", "dave"]), None).await.unwrap();
    client.write_document("base.yaml", &document(&base), None).await.unwrap();
    client.write_document("defaults.yaml", &document(APPROVED), None).await.unwrap();
    let mine = members(&["mallory", "trent"]);
    let intent =
        world.is_refused(async { client.write_group("reviewers", &mine, None).await.map(drop) });
    let request = world.file(&intent.await).await;
    // Nobody of the group that is not there yet counts.
    let mallory = world.server.person("mallory").await;
    let refused = approve(&mallory, &request).await.unwrap_err();
    assert_eq!(refused.code(), Some("not_asked"));
    approve(&world.bob, &request).await.unwrap();
    approve(&world.carol, &request).await.unwrap();
    client.write_group("reviewers", &mine, Some(&request.id)).await.unwrap();
}

#[tokio::test]
async fn t69_removing_a_deny_must_itself_be_approved() {
    let freeze = "apiVersion: assent/v1\nkind: Policy\nrules:\n  - {id: freeze, when: \
                  {intent.environment: production}, deny: {message: frozen}}\n";
    let documents = [("base.yaml", BASE), ("freeze.yaml", freeze), ("defaults.yaml", APPROVED)];
    let world = World::with(&documents).await;
    let client = &world.root.client;
    let intent = world.is_refused(client.remove_document("freeze.yaml", None)).await;
    assert!(intent.context["diff"].as_str().unwrap().contains("-  - {id: freeze,"));
    let softer = document(&freeze.replace("deny: {message: frozen}", "allow: {}"));
    let written = async { client.write_document("freeze.yaml", &softer, None).await.map(drop) };
    world.is_refused(written).await;
}

#[tokio::test]
async fn t69_switching_the_demand_back_must_itself_be_approved() {
    let world = World::new().await;
    let client = &world.root.client;
    let back = document(&APPROVED.replace("approved", "administrator"));
    let written = async { client.write_document("defaults.yaml", &back, None).await.map(drop) };
    world.is_refused(written).await;
    let intent = world.is_refused(client.remove_document("defaults.yaml", None)).await;
    // Beside it, a second document cannot state other defaults.
    let second = client.write_document("second.yaml", &back, None).await.unwrap_err();
    assert_eq!(second.code(), Some("invalid_policy"));
    // Nor does it help whoever asks to approve it, in their own name.
    let request = world.file(&intent).await;
    let own = approve(&world.root, &request).await.unwrap_err();
    assert_eq!(own.code(), Some("self_approval"));
    approve(&world.bob, &request).await.unwrap();
    approve(&world.carol, &request).await.unwrap();
    client.remove_document("defaults.yaml", Some(&request.id)).await.unwrap();
    client.write_document("free.yaml", &document(&rule("free")), None).await.unwrap();
}

#[tokio::test]
async fn t69_a_rule_that_waives_the_demand_must_itself_be_approved() {
    let world = World::new().await;
    let open = "apiVersion: assent/v1\nkind: Policy\nrules:\n  - {id: open, when: {intent.kind: \
                assent.policy}, allow: {waives: [policy-changes]}}\n";
    let intent = world.asked("open.yaml", open).await;
    assert_eq!(world.file(&intent).await.state, "pending");
}

#[tokio::test]
async fn an_approval_whose_approvers_left_is_not_taken() {
    let world = World::new().await;
    let text = rule("one");
    let request = world.approved(&world.asked("one.yaml", &text).await).await;
    let left = BASE.replace("person:carol, ", "person:erin, ");
    let change = world.approved(&world.asked("base.yaml", &left).await).await;
    assert_eq!(world.write("base.yaml", &left, &change.id).await, Ok(2));
    assert_eq!(
        world.write("one.yaml", &text, &request.id).await.unwrap_err(),
        "no_longer_approved"
    );
}

#[tokio::test]
async fn the_log_of_approved_changes_checks_from_its_beginning() {
    let world = World::new().await;
    let text = rule("one");
    let request = world.approved(&world.asked("one.yaml", &text).await).await;
    assert_eq!(world.write("one.yaml", &text, &request.id).await, Ok(1));
    let checkpoint = world.root.client.checkpoint().await.unwrap();
    let mut history = wire::History::default();
    for entry in world.root.client.entries(0).await.unwrap().entries {
        history.read(&entry).unwrap();
    }
    assert_eq!(history.finish(&checkpoint).unwrap().entries, checkpoint.size);
}

/// What the command line does, with the tokens of these tests.
async fn assent(caller: &Caller, base: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = tokio::process::Command::new(crate::support::program());
    command.args(arguments).env("ASSENT_URL", base).env("ASSENT_TOKEN", caller.token());
    let done = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

#[tokio::test]
async fn the_command_line_asks_for_the_approval_and_makes_the_change() {
    let world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("one.yaml");
    std::fs::write(&file, rule("one")).unwrap();
    let path = file.to_str().unwrap();
    let base = world.server.base();
    let run = async |arguments: &[&str]| assent(&world.root, base, arguments).await;
    let (code, _, told) = run(&["policy", "put", "one.yaml", path]).await;
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("--reason"), "{told}");
    let (code, _, told) = run(&["policy", "put", "one.yaml", path, "--reason", "agreed"]).await;
    assert_eq!(code, 1, "{told}");
    let id = told.split_whitespace().find(|word| word.starts_with("req_")).unwrap().to_owned();
    let request = world.root.client.request(&id).await.unwrap();
    approve(&world.bob, &request).await.unwrap();
    approve(&world.carol, &request).await.unwrap();
    let (code, _, told) = run(&["policy", "put", "one.yaml", path, "--approval", &id]).await;
    assert_eq!(code, 0, "{told}");
    let (_, shown, _) = run(&["policy", "show", "one.yaml"]).await;
    assert_eq!(shown.trim_end(), rule("one").trim_end());
    let (_, listed, _) = run(&["policy", "list"]).await;
    assert!(listed.contains("one.yaml") && listed.contains("base.yaml"), "{listed}");
    let (code, status, _) = run(&["policy", "status"]).await;
    assert_eq!(code, 0);
    assert!(status.contains("changes") && status.contains("approved"), "{status}");
    let intent = directory.path().join("intent.json");
    let text = json!({"kind": "a.b", "environment": "one", "reason": "r"}).to_string();
    std::fs::write(&intent, text).unwrap();
    let intent = intent.to_str().unwrap();
    let (code, explained, told) = run(&["policy", "explain", "--online", "--intent", intent]).await;
    assert_eq!(code, 0, "{told}");
    assert!(explained.contains("one (allow): matched  api:/one.yaml:4:5"), "{explained}");
    let (code, _, told) = run(&["policy", "remove", "one.yaml"]).await;
    assert_eq!(code, 1, "{told}");
}
