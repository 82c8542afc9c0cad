//! The credential: real while it is needed, ended afterwards, and nowhere written down.

use std::fs;
use std::path::{Path, PathBuf};

use super::process::Ran;
use super::with_credential;
use super::world::World;

/// Proves that the credential is good, and keeps it for the test.
const USE: &str = "assent credential verify --audience orders-db > verified && \
                   printf %s \"$ASSENT_CREDENTIAL\" > ../token";

/// Applies what waits for two people, who approve.
async fn applied(world: &World) -> Ran {
    let apply = world.start_apply();
    let asked = world.asked().await;
    world.both_approve(&asked).await;
    apply.end().await
}

/// The token that the guarded step kept.
fn token(world: &World) -> String {
    let token = fs::read_to_string(world.at("token")).unwrap();
    assert_eq!(token.split('.').count(), 3, "it is no signed token");
    token
}

/// The credentials of the one request.
async fn statuses(world: &World) -> Vec<String> {
    let requests = world.requests(&[]).await;
    assert_eq!(requests.len(), 1);
    requests[0].credentials.iter().map(|credential| credential.status.clone()).collect()
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn it_is_good_during_apply_and_revoked_at_its_end() {
    let world = World::new(&with_credential("production", USE)).await;
    applied(&world).await.exits(0);
    assert!(fs::read_to_string(world.work("verified")).unwrap().contains("orders-db"));
    assert!(!world.is_active(&token(&world)).await);
    assert_eq!(statuses(&world).await, ["revoked"]);
    assert!(world.count("CloseEphemeralResource") > 0);
    world.providers_are_gone().await;
}

#[tokio::test]
async fn a_failing_consumer_does_not_leave_it_good() {
    let fails = format!("{USE} && exit 7");
    let world = World::new(&with_credential("production", &fails)).await;
    applied(&world).await.exits(1).says(&["exit status 7"]);
    // Terraform closes nothing here; the provider revokes when it is shut down.
    assert_eq!(world.count("CloseEphemeralResource"), 0);
    assert!(!world.is_active(&token(&world)).await);
    assert_eq!(statuses(&world).await, ["revoked"]);
    world.providers_are_gone().await;
}

#[tokio::test]
async fn it_is_looked_at_while_it_is_used_and_ends_when_it_says() {
    // The step goes on until terraform has asked the provider to see to the credential.
    let waits = "until grep -q RenewEphemeralResource ../trace; do sleep 0.05; done";
    let config = with_credential("production", &format!("{USE} && {waits}"));
    let audience = "audience    = \"orders-db\"";
    let brief = format!("{audience}\n  ttl = \"3s\"");
    let world = World::new(&config.replace(audience, &brief)).await;
    applied(&world).await.exits(0);
    assert!(world.count("RenewEphemeralResource") > 0);
    assert!(!world.is_active(&token(&world)).await);
    world.providers_are_gone().await;
}

#[tokio::test]
async fn a_broker_that_is_not_there_opens_nothing() {
    let config = with_credential("production", USE);
    let audience = "audience    = \"orders-db\"";
    let brokered = format!("{audience}\n  broker = \"nowhere\"");
    let world = World::new(&config.replace(audience, &brokered)).await;
    applied(&world).await.exits(1).says(&["Error: No credential was minted", "broker"]);
    assert!(!world.at("token").exists());
    assert_eq!(statuses(&world).await, [""; 0]);
}

#[tokio::test]
async fn without_a_broker_nothing_but_the_token_is_there() {
    let shows = "printf %s \"$FIELDS\" > ../fields";
    let config = with_credential("production", &format!("{USE} && {shows}"));
    let token = "ephemeral.assent_credential.db.token }";
    let both = "ephemeral.assent_credential.db.token, \
                FIELDS = jsonencode(ephemeral.assent_credential.db.fields) }";
    let world = World::new(&config.replace(token, both)).await;
    applied(&world).await.exits(0);
    assert_eq!(fs::read_to_string(world.at("fields")).unwrap(), "{}");
}

#[tokio::test]
async fn an_interrupt_while_it_is_in_use_revokes_it() {
    let waits = format!("{USE} && touch ../used && exec sleep 60");
    let world = World::new(&with_credential("one", &waits)).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    world.bob_approves(&asked).await;
    super::process::eventually("the use", async || world.at("used").exists().then_some(())).await;
    assert!(world.is_active(&token(&world)).await);
    apply.signal("INT").await;
    apply.end().await.exits(1);
    assert!(!world.is_active(&token(&world)).await);
}

#[tokio::test]
async fn nothing_is_minted_at_plan() {
    let approval = with_credential("one", USE);
    let (alone, _) = approval.split_once("ephemeral").unwrap();
    let world = World::new(alone).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    world.bob_approves(&asked).await;
    apply.end().await.exits(0);
    // Now its id is known, and terraform opens the credential in every plan.
    world.configure(&approval);
    let before = world.count("OpenEphemeralResource");
    world.plan().await.exits(2);
    assert!(world.count("OpenEphemeralResource") > before);
    assert_eq!(statuses(&world).await, [""; 0]);
    world.apply().await.exits(0);
    assert_eq!(statuses(&world).await, ["revoked"]);
}

#[tokio::test]
async fn an_apply_with_nothing_to_do_succeeds_after_the_grant_is_used() {
    let world = World::new(&with_credential("production", USE)).await;
    applied(&world).await.exits(0);
    let said = ["Warning: The approval is used up", "0 added, 0 changed, 0 destroyed"];
    world.apply().await.exits(0).says(&said);
    assert_eq!(statuses(&world).await, ["revoked"]);
    // What does need one gets none.
    fs::remove_file(world.work("verified")).unwrap();
    let again = ["apply", "-auto-approve", "-replace=terraform_data.guarded"];
    world.run(&again).await.exits(1).says(&["Warning: The approval is used up"]);
    assert_eq!(statuses(&world).await, ["revoked"]);
}

#[tokio::test]
async fn a_grant_taken_back_within_the_run_is_an_error() {
    // Between the approval and the credential there is a step, in which the grant is taken back.
    let step = r#"
resource "terraform_data" "between" {
  depends_on = [assent_approval.release]
  provisioner "local-exec" {
    command = "assent revoke ${assent_approval.release.id} --reason 'found out'"
  }
}
"#;
    let config = with_credential("production", USE) + step;
    let id = "approval_id = assent_approval.release.id";
    let after =
        "approval_id = terraform_data.between.id != \"\" ? assent_approval.release.id : \"\"";
    let world = World::new(&config.replace(id, after)).await;
    applied(&world).await.exits(1).says(&["Error: No credential was minted", "revoked"]);
    assert!(!world.at("token").exists());
}

#[tokio::test]
async fn without_applying_it_is_not_opened() {
    let config = with_credential("staging", USE).replace("applying = terraform.applying", "");
    let world = World::new(&config).await;
    world.apply().await.exits(1).says(&["Plan cannot be told from apply", "terraform.applying"]);
    assert_eq!(statuses(&world).await, [""; 0]);
}

#[tokio::test]
async fn t42_no_secret_is_written_down_anywhere() {
    let world = World::new(&with_credential("production", USE)).await;
    let traced = |arguments: &[&str]| {
        let mut command = world.terraform(arguments);
        command.env("TF_LOG", "TRACE").env("TF_LOG_PATH", world.at("logs/trace.log"));
        world.start_command(command)
    };
    traced(&["plan", "-input=false", "-out=plan.out"]).end().await.exits(0);
    let apply = traced(&["apply", "-input=false", "plan.out"]);
    let asked = world.asked().await;
    world.both_approve(&asked).await;
    apply.end().await.exits(0);
    let token = token(&world);
    fs::remove_file(world.at("token")).unwrap();
    for (what, file) in [("-json", "state.json"), ("plan.out", "plan.json")] {
        let arguments: &[&str] =
            if what == "-json" { &["show", what] } else { &["show", "-json", what] };
        let shown = world.terraform(arguments).output().await.unwrap();
        assert!(shown.status.success());
        fs::write(world.work(file), shown.stdout).unwrap();
    }
    let (_, signature) = token.rsplit_once('.').unwrap();
    let secrets = [token.as_str(), signature, world.alice.token()];
    // What must be found, so that the search is known to look.
    let mut canaries =
        ["terraform.tfstate", "state.json", "plan.json", "trace.log", "server.log"].to_vec();
    for file in files(&world.at("")) {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        for secret in secrets {
            assert!(!text.contains(secret), "a secret is in {}", file.display());
        }
        // The server logs routes, never ids.
        if [&asked.id, &asked.digest, "/v1/requests"].iter().any(|known| text.contains(*known)) {
            canaries.retain(|name| !file.ends_with(name));
        }
    }
    assert!(canaries.is_empty(), "nothing is found in {canaries:?}");
}
