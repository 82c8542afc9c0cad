//! Deciding and proving from the command line: what is shown is computed here, what a passkey must sign
//! is signed in the browser, and what was signed is checked by nobody's word.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use assent_core::statement::words;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::http::signed::{filed, server};
use crate::support::passkey::{Enrolled, Soft};
use crate::support::{Did, Server, assent, eventually, fresh_key, program};

/// A browser of a person who does nothing but look: it writes down what it was asked to open.
fn browser(folder: &Path) -> (PathBuf, PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    let (script, opened) = (folder.join("browser"), folder.join("opened"));
    let text =
        format!("#!/bin/sh\nprintf '%s' \"$1\" > {0}.part\nmv {0}.part {0}\n", opened.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    (script, opened)
}

struct Typed {
    child: tokio::process::Child,
    opened: PathBuf,
    _folder: tempfile::TempDir,
}

/// `assent` with these words, at whose person's side there is a browser.
fn typed(server: &Server, token: &str, words: &[&str]) -> Typed {
    let folder = tempfile::tempdir().unwrap();
    let (script, opened) = browser(folder.path());
    let mut command = Command::new(program());
    command.args(words).env_clear().env("HOME", folder.path()).stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("BROWSER", script);
    command.env("ASSENT_URL", server.base()).env("ASSENT_TOKEN", token).kill_on_drop(true);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    Typed { child, opened, _folder: folder }
}

impl Typed {
    async fn opens(&self) -> String {
        eventually("the browser", async || std::fs::read_to_string(&self.opened).ok()).await
    }

    async fn did(self) -> Did {
        let Output { status, stdout, stderr } = self.child.wait_with_output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Did { code: status.code(), data: text(stdout), talk: text(stderr) }
    }
}

#[tokio::test]
async fn approving_opens_the_browser_where_a_passkey_is_needed_and_waits_for_the_review() {
    let server = server("passkey").await;
    let bob = server.person("bob").await;
    let key = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    let request = filed(&server, "one").await;
    let typed = typed(&server, bob.token(), &["approve", &request.id]);
    assert_eq!(typed.opens().await, format!("{}/requests/{}", server.base(), request.id));
    key.decide(&bob, &request, "approve").await.is(200);
    let did = typed.did().await.exits(0);
    let digest = request.digest.parse().unwrap();
    assert!(did.talk.contains(&words(&digest)), "{}", did.talk);
    assert!(did.data.contains("approved"), "{}", did.data);
}

#[tokio::test]
async fn denying_does_so_too_and_a_change_of_mind_is_told() {
    let server = server("passkey").await;
    let bob = server.person("bob").await;
    let key = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    let (one, two) = (filed(&server, "one").await, filed(&server, "two").await);
    let denying = typed(&server, bob.token(), &["deny", &one.id, "--comment", "no"]);
    denying.opens().await;
    key.decide(&bob, &one, "deny").await.is(200);
    assert!(denying.did().await.exits(0).data.contains("denied"));
    let approving = typed(&server, bob.token(), &["approve", &two.id]);
    approving.opens().await;
    key.decide(&bob, &two, "deny").await.is(200);
    let did = approving.did().await.exits(1);
    assert!(did.talk.contains("you decided otherwise in the browser"), "{}", did.talk);
}

#[tokio::test]
async fn what_ends_meanwhile_is_waited_for_no_longer() {
    let server = server("passkey").await;
    let bob = server.person("bob").await;
    let alice = server.person("alice").await;
    let request = filed(&server, "one").await;
    let typed = typed(&server, bob.token(), &["approve", &request.id]);
    typed.opens().await;
    alice.client.cancel(&request.id, "no longer", &fresh_key()).await.unwrap();
    let did = typed.did().await.exits(1);
    assert!(did.talk.contains("it was canceled meanwhile"), "{}", did.talk);
}

#[tokio::test]
async fn a_review_is_computed_here_and_compared_with_ones_own_plan() {
    let server = server("passkey").await;
    let bob = server.person("bob").await;
    let folder = tempfile::tempdir().unwrap();
    let (plan, other) = (folder.path().join("plan.json"), folder.path().join("other.json"));
    let text = json!({
        "format_version": "1.2", "terraform_version": "1.9.0", "planned_values": {},
        "resource_changes": [], "configuration": {},
    })
    .to_string();
    std::fs::write(&plan, &text).unwrap();
    std::fs::write(&other, format!("{text} ")).unwrap();
    let alice = server.person("alice").await;
    let (plan, other) = (plan.to_str().unwrap(), other.to_str().unwrap());
    let asked = ["request", "--kind", "terraform.apply", "--environment", "production"];
    let asked = [&asked[..], &["--reason", "r", "--plan", plan, "--output", "json"]].concat();
    let filed = assent(server.base(), alice.token(), &asked).await.exits(0).json();
    let id = filed["id"].as_str().unwrap();
    let digest = filed["digest"].as_str().unwrap();
    let did = assent(server.base(), bob.token(), &["review", id, "--plan", plan]).await.exits(0);
    assert!(did.data.contains(&format!("computed here: {digest}")), "{}", did.data);
    assert!(did.data.contains(&words(&digest.parse().unwrap())), "{}", did.data);
    assert!(did.talk.contains("it is the plan that this asks for"), "{}", did.talk);
    let did = assent(server.base(), bob.token(), &["review", id, "--plan", other]).await.exits(1);
    assert!(did.talk.contains("but this asks for the plan"), "{}", did.talk);
    let told = ["review", id, "--output", "json"];
    let told = assent(server.base(), bob.token(), &told).await.exits(0).json();
    assert_eq!(told["digest"], digest);
    assert_eq!(told["words"], words(&digest.parse().unwrap()));
}

#[tokio::test]
async fn evidence_is_shown_and_verified_without_the_server() {
    let server = server("passkey").await;
    let bob = server.person("bob").await;
    let key = Enrolled::of(&server, "bob", Soft::new(-8)).await;
    let request = filed(&server, "one").await;
    key.decide(&bob, &request, "approve").await.is(200);
    let (base, token) = (server.base().to_owned(), bob.token().to_owned());
    let shown = assent(&base, &token, &["evidence", "show", &request.id]).await.exits(0);
    assert!(shown.data.contains(&key.id.to_string()), "{}", shown.data);
    assert!(shown.data.contains("reason_digest"), "{}", shown.data);
    // Nothing in it proves that nothing came later.
    let limit = "of the log; what came later is not in here";
    assert!(shown.data.contains(limit), "{}", shown.data);
    let bundle = ["evidence", "show", &request.id, "--output", "json"];
    let bundle = assent(&base, &token, &bundle).await.exits(0);
    let keys = server.stranger().get("/.well-known/jwks.json").await.is(200).text;
    server.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (evidence, trust) = (file("evidence.json", &bundle.data), file("keys.json", &keys));
    let verify = async |evidence: &str, trust: &str| {
        let words = ["evidence", "verify", evidence, "--trust", trust, "--output", "json"];
        assent(&base, "", &words).await
    };
    let proven = verify(&evidence, &trust).await.exits(0).json();
    assert_eq!((&proven["ok"], &proven["state"]), (&json!(true), &json!("approved")));
    assert_eq!(proven["reviews"][0]["reviewer"], "bob");
    assert_eq!(proven["reviews"][0]["signed"], true);
    assert_eq!(proven["digest"], request.digest);
    let mut changed: Value = serde_json::from_str(&bundle.data).unwrap();
    changed["entries"][1]["entry"]["comment"] = json!("other words");
    let changed = file("changed.json", &changed.to_string());
    let did = verify(&changed, &trust).await.exits(1);
    assert!(did.talk.contains("this proves nothing"), "{}", did.talk);
    let strangers = file("strangers.json", "{\"keys\": []}");
    verify(&evidence, &strangers).await.exits(1);
    verify("/nowhere.json", &trust).await.exits(2);
    let offline = assent(&base, "", &["evidence", "show", &evidence]).await.exits(0);
    assert!(offline.data.contains("bob"), "{}", offline.data);
}
