//! The provider block: what can be said in it and in the environment, and how every failure to reach
//! a server, or to be let in, is told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::guarded;
use super::process::{Ran, eventually};
use super::relay::{Authority, Relay, Then};
use super::world::World;

/// A configuration with this in its provider block, and an approval in this environment.
fn with_block(block: &str, environment: &str) -> String {
    guarded(environment, "").replacen(
        "applying = terraform.applying",
        &format!("applying = terraform.applying\n{block}"),
        1,
    )
}

/// Applies with these environment variables.
async fn apply(world: &World, variables: &[(&str, &str)]) -> Ran {
    let mut command = world.terraform(&["apply", "-auto-approve", "-input=false"]);
    variables.iter().for_each(|(name, value)| {
        command.env(name, value);
    });
    world.start_command(command).end().await
}

#[tokio::test]
async fn there_is_no_way_to_trust_a_server_unseen() {
    let world = World::new(&with_block("insecure = true", "staging")).await;
    let said = ["Unsupported argument", "An argument named \"insecure\" is not expected here"];
    world.plan().await.exits(1).says(&said);
}

#[tokio::test]
async fn t66_a_token_in_the_clear_goes_to_no_proxy() {
    let world = World::new(&with_block("", "staging")).await;
    // Whatever went there would find nobody.
    let proxy = "http://127.0.0.1:9";
    apply(&world, &[("http_proxy", proxy), ("HTTP_PROXY", proxy), ("ALL_PROXY", proxy)])
        .await
        .exits(0);
}

#[tokio::test]
async fn faults_of_the_block_are_told_at_the_argument() {
    let world = World::new("").await;
    let cases = [
        ("token_file = \"t\"\ntoken = \"text\"", "More than one way to say who asks"),
        ("oidc = { token = \"text\", token_file = \"t\" }", "More than one identity token"),
        ("timeouts = { request = \"1h\" }", "Invalid `timeouts.request`"),
        ("retry = { attempts = 0 }", "Invalid `retry.attempts`"),
        ("ca_bundle = \"nowhere.pem\"", "Invalid `ca_bundle`"),
        ("url = \"ftp://assent.example.com\"", "Invalid server address"),
    ];
    for (block, said) in cases {
        world.configure(&with_block(block, "staging"));
        world.plan().await.exits(1).says(&[said, "on main.tf line"]);
    }
}

#[tokio::test]
async fn a_server_that_this_apply_makes_is_planned_with() {
    let world = World::new("").await;
    let config = format!(
        r#"{}
resource "terraform_data" "server" {{
  input = "{}"
}}
resource "assent_gate" "after" {{
  environment = "staging"
  reason      = "Resize the orders database"
}}
data "assent_decision" "foreseen" {{
  environment = "production"
  depends_on  = [terraform_data.server]
}}
ephemeral "assent_credential" "db" {{
  approval_id = assent_approval.release.id
  audience    = "orders-db"
}}
output "ruling" {{
  value = data.assent_decision.foreseen.ruling
}}
"#,
        with_block("url = terraform_data.server.output", "staging"),
        world.base,
    );
    world.configure(&config);
    let said = ["The server is known only after apply", "Plan: 4 to add"];
    world.plan().await.exits(2).says(&said);
    world.apply().await.exits(0).says(&["ruling = \"require\""]);
    assert!(world.in_state("assent_approval").is_some());
    world.plan().await.exits(0);
}

#[tokio::test]
async fn what_cannot_wait_for_a_server_is_told_how_it_could() {
    let world = World::new("").await;
    let config = format!(
        r#"{}
resource "terraform_data" "server" {{
  input = "{}"
}}
data "assent_decision" "now" {{
  environment = "production"
}}
"#,
        with_block("url = terraform_data.server.output", "staging"),
        world.base,
    );
    world.configure(&config);
    world.plan().await.exits(1).says(&["Server not known yet", "add `depends_on`"]);
}

#[tokio::test]
async fn a_private_authority_is_trusted_if_it_is_named_and_only_then() {
    let world = World::new(&guarded("staging", "")).await;
    let authority = Authority::new();
    let alice = world.alice.token().to_owned();
    let relay = Relay::start_tls(&world.base, &authority, move |_| Then::Pass(alice.clone())).await;
    let said = ["certificate", "is not trusted", "vouches for it", "`ca_bundle`"];
    apply(&world, &[("ASSENT_URL", &relay.base)]).await.exits(1).says(&said);
    let stranger = Authority::new();
    let variables = [("ASSENT_URL", relay.base.as_str()), ("ASSENT_CA_BUNDLE", &stranger.pem)];
    apply(&world, &variables).await.exits(1).says(&said);
    assert!(relay.calls("/").is_empty());

    let file = world.at("ca.pem");
    fs::write(&file, format!("{}{}", stranger.pem, authority.pem)).unwrap();
    let file = file.to_str().unwrap();
    let variables = [("ASSENT_URL", relay.base.as_str()), ("ASSENT_CA_BUNDLE", file)];
    apply(&world, &variables).await.exits(0);
    assert!(!relay.calls("/v1/requests").is_empty());
    // The text itself, and the CLI, which knows the same variable.
    world.configure(&guarded("staging", "triggers = { again = \"yes\" }"));
    let variables = [("ASSENT_URL", relay.base.as_str()), ("ASSENT_CA_BUNDLE", &authority.pem)];
    apply(&world, &variables).await.exits(0);
    let cli = async |more: &[&str]| {
        let mut command = tokio::process::Command::new(super::process::assent());
        command.args(["whoami"]).args(more).env("ASSENT_URL", &relay.base);
        command.env("ASSENT_TOKEN", "any").env("HOME", world.at("tmp"));
        world.start_command(command).end().await
    };
    cli(&[]).await.exits(3).says(&["is not trusted", "--ca-bundle"]);
    cli(&["--ca-bundle", file]).await.exits(0).says(&["alice"]);
}

#[tokio::test]
async fn every_failure_says_what_happened_and_what_to_do() {
    let world = World::new(&guarded("staging", "duration = \"5m\"")).await;
    let fault = json!([{"field": "intent.duration", "problem": "longer than the server allows"}]);
    let cases: [(Then, &[&str]); 8] = [
        (
            Then::Answer(200, "content-type: text/html", "<h1>It works!</h1>".to_owned()),
            &["does not answer like an Assent server", "Check that `url` is the address"],
        ),
        (
            Then::Answer(404, "content-type: text/html", "<h1>Not Found</h1>".to_owned()),
            &["does not answer like an Assent server: 404", "Check that `url` is the address"],
        ),
        (
            Then::problem(404, "no_such_path", json!([])),
            &["knows no `POST /v1/requests`", "older than this program", "Update the server"],
        ),
        (
            Then::problem(401, "invalid_token", json!([])),
            &["The double says no", "Check the access token", "expired or revoked"],
        ),
        (
            Then::problem(403, "outside_trust", json!([])),
            &["The double says no", "`may_ask` of the trust"],
        ),
        (
            Then::problem(422, "invalid_intent", fault),
            &["Longer than the server allows", "on main.tf line", "duration = \"5m\""],
        ),
        (
            Then::Answer(302, "location: https://elsewhere.example", String::new()),
            &["does not answer like an Assent server: 302"],
        ),
        (Then::problem(503, "busy", json!([])), &["The double says no", "Run terraform again"]),
    ];
    for (then, said) in cases {
        let Then::Answer(status, header, body) = then else { panic!("it passes") };
        let answer = move |_: &_| Then::Answer(status, header, body.clone());
        let relay = Relay::start(&world.base, answer).await;
        let variables = [("ASSENT_URL", relay.base.as_str()), ("ASSENT_RETRY_ATTEMPTS", "1")];
        let ran = apply(&world, &variables).await.exits(1).says(&["The request cannot be filed"]);
        ran.says(said);
        assert_eq!(relay.calls("/v1/requests").len(), 1, "no more attempts than are allowed");
    }
    // RFC 6761 section 6.4: this name is nobody's.
    let variables = [("ASSENT_URL", "https://assent.invalid"), ("ASSENT_RETRY_ATTEMPTS", "1")];
    let said = ["https://assent.invalid could not be reached", "Check `url`", "server is up"];
    apply(&world, &variables).await.exits(1).says(&said);
    // TLS to a server that speaks none.
    let plain = world.base.replace("http:", "https:");
    apply(&world, &[("ASSENT_URL", &plain)]).await.exits(1).says(&["The request cannot be filed"]);
    assert!(world.requests(&[]).await.is_empty());
}

#[tokio::test]
async fn a_busy_server_is_tried_again_with_the_same_key_and_when_it_says() {
    let world = World::new(&guarded("staging", "")).await;
    let (alice, times) = (world.alice.token().to_owned(), AtomicUsize::new(0));
    let relay = Relay::start(&world.base, move |call| {
        let filing = call.method == "POST" && call.path == "/v1/requests";
        match filing && times.fetch_add(1, Ordering::SeqCst) < 2 {
            true => Then::Answer(503, "retry-after: 0", String::new()),
            false => Then::Pass(alice.clone()),
        }
    })
    .await;
    apply(&world, &[("ASSENT_URL", &relay.base)]).await.exits(0);
    let filings = relay.calls("/v1/requests");
    let filings: Vec<_> = filings.iter().filter(|call| call.method == "POST").collect();
    assert_eq!(filings.len(), 3);
    assert!(filings.iter().all(|call| call.key().is_some() && call.key() == filings[0].key()));
    assert_eq!(world.requests(&[]).await.len(), 1);
}

#[tokio::test]
async fn a_server_that_wants_to_be_left_alone_for_long_is_not_asked_again() {
    let world = World::new(&guarded("staging", "")).await;
    let relay = Relay::start(&world.base, |_| {
        Then::Answer(429, "retry-after: 3600", problem(429, "slow_down"))
    })
    .await;
    let ran = apply(&world, &[("ASSENT_URL", &relay.base)]).await;
    ran.exits(1).says(&["Run terraform again later"]);
    assert_eq!(relay.calls("/v1/requests").len(), 1);
}

#[tokio::test]
async fn a_token_file_may_change_while_people_are_waited_for() {
    let world = World::new(&with_block("token_file = \"token\"", "production")).await;
    let (alice, good) = (world.alice.token().to_owned(), Arc::new(Mutex::new("first".to_owned())));
    let accepted = Arc::clone(&good);
    let relay =
        Relay::start(&world.base, move |call| match call.bearer() == *accepted.lock().unwrap() {
            true => Then::Pass(alice.clone()),
            false => Then::problem(401, "invalid_token", json!([])),
        })
        .await;
    let file = world.work("token");
    fs::write(&file, "first\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = world.terraform(&["apply", "-auto-approve", "-input=false"]);
    command.env_remove("ASSENT_TOKEN").env("ASSENT_URL", &relay.base);
    let running = world.start_command(command);
    let asked = world.asked().await;
    let waits = format!("/v1/requests/{}/wait", asked.id);
    eventually("a wait", async || (!relay.calls(&waits).is_empty()).then_some(())).await;
    fs::write(&file, "second\n").unwrap();
    *good.lock().unwrap() = "second".to_owned();
    // The first approval ends a leg of the wait, and the next one needs the other token.
    world.bob_approves(&asked).await;
    let other = async || relay.calls(&waits).iter().any(|call| call.bearer() == "second");
    eventually("a wait with the other token", async || other().await.then_some(())).await;
    world.carol_approves(&asked).await;
    running.end().await.exits(0).never_says(&["can be read by everybody"]);
    // What the file holds is used without being told.
    *good.lock().unwrap() = "third".to_owned();
    let mut command = world.terraform(&["plan"]);
    command.env_remove("ASSENT_TOKEN").env("ASSENT_URL", &relay.base);
    world.start_command(command).end().await.exits(1).says(&["Check the access token"]);
    fs::write(&file, "third\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let mut command = world.terraform(&["plan"]);
    command.env_remove("ASSENT_TOKEN").env("ASSENT_URL", &relay.base);
    let said = ["The token file is not as it should be", "chmod o-r", "on main.tf line"];
    world.start_command(command).end().await.exits(0).says(&said);
}

/// An error as an Assent server tells it.
fn problem(status: u16, code: &str) -> String {
    match Then::problem(status, code, json!([])) {
        Then::Answer(_, _, body) => body,
        Then::Pass(_) => String::new(),
    }
}
