//! The approval of exactly one saved plan: what is applied is what was approved, and once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use assent_client::wire;
use assent_core::digest::Digest;
use serde_json::Value;

use super::process::{Ran, Running};
use super::world::World;
use super::{HEAD, guarded, with_credential};

const APPROVAL: &str = "assent_approval";
const GUARDED: &str = "terraform_data";

/// The digest of a saved plan file.
fn digest_of(world: &World, plan: &str) -> String {
    Digest::of(&fs::read(world.work(plan)).unwrap()).to_string()
}

/// Begins `assent apply`.
fn start(world: &World, plan: &str) -> Running {
    world.start_command(world.assent(&["apply", plan, "--", "-input=false"]))
}

/// Runs `assent apply` to its end.
async fn apply(world: &World, plan: &str) -> Ran {
    start(world, plan).end().await
}

/// What was asked must be about this saved plan, and say what it does.
#[track_caller]
fn is_about(asked: &wire::Request, saved: &str) {
    assert_eq!(asked.intent.digest.as_deref(), Some(saved));
    assert!(asked.intent.plan.is_some(), "{asked:?}");
}

/// The state is lost, as for whoever runs the same plan in another place.
fn lose_state(world: &World) {
    fs::remove_file(world.work("terraform.tfstate")).unwrap();
}

#[tokio::test]
async fn what_is_approved_is_the_saved_plan_and_the_link_of_the_plan_finds_it() {
    let world = World::new(&guarded("production", "")).await;
    let plan = world.plan_into("plan.out").await;
    let saved = digest_of(&world, "plan.out");
    let apply = start(&world, "plan.out");
    let asked = world.asked().await;
    is_about(&asked, &saved);
    let shown = world.alice.client.plan(asked.intent.plan.as_deref().unwrap()).await.unwrap();
    assert_eq!(shown.facts.creates, 2);
    world.both_approve(&asked).await;
    apply.end().await.exits(0).says(&["Apply complete! Resources: 2 added"]);
    let approval = world.in_state(APPROVAL).unwrap();
    assert_eq!(approval["approved_digest"], asked.digest);
    assert_ne!(approval["intent_digest"], asked.digest);
    assert_eq!((&approval["plan_digest"], &approval["digest"]), (&Value::Null, &Value::Null));
    plan.says(&[approval["url"].as_str().unwrap()]);
    world.plan().await.exits(0).says(&["No changes."]);
    assert_eq!(world.requests(&[]).await.len(), 1);
    // Nothing of the copy is left.
    world.providers_are_gone().await;
}

/// Something that stands already: Terraform takes a saved plan again as long as no state was
/// written since, and a first apply writes one even if it fails.
async fn with_state(config: &str) -> World {
    let world = World::new("resource \"terraform_data\" \"before\" {}\n").await;
    world.apply().await.exits(0);
    world.configure(&format!("{config}\nresource \"terraform_data\" \"before\" {{}}\n"));
    world
}

#[tokio::test]
async fn t01_another_plan_is_not_applied_under_the_approval_of_the_first() {
    let config = guarded("production", "wait = false");
    let world = with_state(&config).await;
    world.plan_into("first.out").await;
    apply(&world, "first.out").await.exits(1).says(&["Error: Approval is pending"]);
    let first = world.asked().await;
    is_about(&first, &digest_of(&world, "first.out"));
    world.both_approve(&first).await;
    // What is guarded changes; what the approval states does not.
    let before = fs::read_to_string(world.work("main.tf")).unwrap();
    world.configure(&before.replace("resized", "dropped"));
    world.plan_into("second.out").await;
    apply(&world, "second.out").await.exits(1).says(&["Error: Approval is pending"]);
    let second = world.asked().await;
    assert_ne!(second.digest, first.digest);
    is_about(&second, &digest_of(&world, "second.out"));
    assert!(world.in_state(APPROVAL).is_none(), "it was done without an approval");
    // One byte makes it another file.
    let mut bytes = fs::read(world.work("first.out")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(world.work("forged.out"), bytes).unwrap();
    let forged = apply(&world, "forged.out").await;
    assert_ne!(forged.code, Some(0), "{}", forged.said);
    assert!(world.in_state(APPROVAL).is_none());
    // What was approved goes on, with the same request.
    apply(&world, "first.out").await.exits(0);
    assert_eq!(world.in_state(APPROVAL).unwrap()["id"], first.id);
    let state = fs::read_to_string(world.work("terraform.tfstate")).unwrap();
    assert!(state.contains("resized") && !state.contains("dropped"), "{state}");
}

#[tokio::test]
async fn t01_a_plan_is_bound_to_the_bytes_that_are_applied() {
    // Whoever watches for the plan being read changes it before it is applied.
    let world = World::new(&guarded("one", "")).await;
    world.plan_into("plan.out").await;
    let saved = digest_of(&world, "plan.out");
    let log = world.at("applied");
    let script = format!(
        "#!/bin/sh\nset -e\nfor last; do :; done\n\
         if [ \"$1\" = show ]; then echo nonsense > '{plan}'; fi\n\
         if [ \"$1\" = apply ]; then\n\
           stat -c %a \"$(dirname \"$last\")\" \"$last\" > '{log}'\n\
           sha256sum \"$last\" | cut -d' ' -f1 >> '{log}'\n\
           echo \"$ASSENT_PLAN_DIGEST\" >> '{log}'\n\
         fi\nexec terraform \"$@\"\n",
        plan = world.work("plan.out").display(),
        log = log.display(),
    );
    let wrapper = world.at("wrapper");
    fs::write(&wrapper, script).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = world.assent(&["apply", "plan.out", "--", "-input=false"]);
    command.env("TERRAFORM", &wrapper);
    let apply = world.start_command(command);
    let asked = world.asked().await;
    is_about(&asked, &saved);
    world.bob_approves(&asked).await;
    apply.end().await.exits(0);
    assert_eq!(fs::read(world.work("plan.out")).unwrap(), b"nonsense\n");
    let hex = saved.trim_start_matches("sha256:");
    let expected = ["700", "600", hex, &saved].join("\n") + "\n";
    assert_eq!(fs::read_to_string(log).unwrap(), expected);
    world.providers_are_gone().await;
}

#[tokio::test]
async fn t06_a_saved_plan_that_is_applied_again_is_asked_again() {
    let world = World::new(&guarded("one", "")).await;
    world.plan_into("plan.out").await;
    let first = start(&world, "plan.out");
    let asked = world.asked().await;
    world.bob_approves(&asked).await;
    first.end().await.exits(0);
    // Nobody has used the grant, so only that it was begun keeps it from serving again.
    assert_eq!(world.request(&asked.id).await.state, "approved");
    lose_state(&world);
    let again = start(&world, "plan.out");
    let asked_again = world.asked().await;
    assert_ne!(asked_again.id, asked.id);
    assert_eq!(asked_again.digest, asked.digest, "it is the same plan");
    assert!(world.in_state(GUARDED).is_none());
    world.carol_denies(&asked_again, "once is enough").await;
    again.end().await.exits(1).says(&["Error: Approval denied", "once is enough"]);
    assert!(world.in_state(GUARDED).is_none());
}

#[tokio::test]
async fn t06_a_credential_is_minted_once_for_a_saved_plan() {
    let keep = r#"echo "$ASSENT_CREDENTIAL" >> ../tokens"#;
    let world = World::new(&with_credential("one", keep)).await;
    world.plan_into("plan.out").await;
    let first = start(&world, "plan.out");
    let asked = world.asked().await;
    world.bob_approves(&asked).await;
    first.end().await.exits(0);
    lose_state(&world);
    let again = start(&world, "plan.out");
    let asked_again = world.asked().await;
    assert_ne!(asked_again.id, asked.id);
    world.carol_denies(&asked_again, "once is enough").await;
    again.end().await.exits(1);
    assert_eq!(fs::read_to_string(world.at("tokens")).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn t05_of_two_who_apply_the_same_plan_at_once_one_is_served() {
    let world = World::new(&guarded("one", "")).await;
    world.plan_into("plan.out").await;
    // Each with a state of its own, as in another checkout.
    let elsewhere = |name: &str| {
        let place = world.at(name);
        fs::create_dir(&place).unwrap();
        for file in ["main.tf", "plan.out"] {
            fs::copy(world.work(file), place.join(file)).unwrap();
        }
        let mut command = world.assent(&["apply", "plan.out", "--", "-input=false"]);
        command.current_dir(place);
        world.start_command(command)
    };
    let (first, second) = (elsewhere("first"), elsewhere("second"));
    let asked = world.asked().await;
    // Both must wait for the one request before it is approved.
    super::process::eventually("two waits", async || {
        (world.count("ApplyResourceChange") == 2).then_some(())
    })
    .await;
    world.bob_approves(&asked).await;
    let ended = [first.end().await, second.end().await];
    let served = ended.iter().filter(|ran| ran.code == Some(0)).count();
    let refused = "The approval does not serve this apply";
    let told = ended.iter().filter(|ran| ran.said.contains(refused)).count();
    assert_eq!((served, told), (1, 1), "{ended:?}");
}

#[tokio::test]
async fn an_ephemeral_variable_names_the_plan_too() {
    let variable = r#"
variable "plan_digest" {
  type      = string
  default   = null
  ephemeral = true
}
"#;
    let config = guarded("one", "plan_digest = var.plan_digest") + variable;
    let world = World::new(&config).await;
    let plan = ["plan", "-input=false", "-out=plan.out", "-var", "plan_digest="];
    world.run(&plan).await.exits(0);
    let saved = digest_of(&world, "plan.out");
    let named = format!("plan_digest={saved}");
    let apply = world.start(&["apply", "-input=false", "-var", &named, "plan.out"]);
    let asked = world.asked().await;
    assert_eq!(asked.intent.digest.as_deref(), Some(saved.as_str()));
    assert_eq!(asked.intent.plan, None, "nobody handed it in");
    world.bob_approves(&asked).await;
    apply.end().await.exits(0);
    assert_eq!(world.in_state(APPROVAL).unwrap()["plan_digest"], Value::Null);
    let state = fs::read_to_string(world.work("terraform.tfstate")).unwrap();
    assert!(!state.contains(&saved), "{state}");
    world.plan().await.exits(0);
    for (wrong, said) in [("plan_digest=sha256:12", "is not a digest"), ("plan_digest=", "``")] {
        let again = ["apply", "-auto-approve", "-replace=assent_approval.release", "-var", wrong];
        world.run(&again).await.exits(1).says(&["Invalid `plan_digest`", said]);
    }
}

#[tokio::test]
async fn a_saved_plan_whose_digest_nobody_names_is_applied_as_ever() {
    let world = World::new(&guarded("one", "")).await;
    world.plan_into("plan.out").await;
    let apply = world.start(&["apply", "-input=false", "plan.out"]);
    let asked = world.asked().await;
    assert_eq!((&asked.intent.digest, &asked.intent.plan), (&None, &None));
    world.bob_approves(&asked).await;
    apply.end().await.exits(0);
    let approval = world.in_state(APPROVAL).unwrap();
    assert_eq!(approval["approved_digest"], approval["intent_digest"]);
}

#[tokio::test]
async fn an_approval_is_of_one_thing() {
    let digest = format!(r#"digest = "{}""#, Digest::of(b"an image"));
    let world = World::new(&guarded("one", &digest)).await;
    world.plan_into("plan.out").await;
    let said = ["Invalid `plan_digest`", "of one exact thing", "into `triggers`"];
    apply(&world, "plan.out").await.exits(1).says(&said);
    let asked_early = guarded("one", &format!("{digest}\nplan_{digest}"));
    world.configure(&asked_early);
    world.plan().await.exits(1).says(&["Invalid `plan_digest`"]);
    assert!(world.requests(&[]).await.is_empty());
}

#[tokio::test]
async fn only_a_saved_plan_is_applied_and_its_end_is_terraforms() {
    let world = World::new(&guarded("one", "")).await;
    fs::write(world.work("plan.json"), "{}").unwrap();
    let said = ["`plan.json` is no saved plan", "terraform plan -out"];
    apply(&world, "plan.json").await.exits(2).says(&said);
    apply(&world, "missing.out").await.exits(2).says(&["missing.out"]);
    // A saved plan that Terraform cannot show is not applied.
    fs::write(world.work("forged.out"), b"PK\x03\x04forged").unwrap();
    apply(&world, "forged.out").await.exits(3).says(&["could not be shown by Terraform"]);
    assert!(world.requests(&[]).await.is_empty());
    world.plan_into("plan.out").await;
    let denied = start(&world, "plan.out");
    let asked = world.asked().await;
    world.carol_denies(&asked, "not today").await;
    denied.end().await.exits(1).says(&["Error: Approval denied"]);
    world.plan_into("plan.out").await;
    let interrupted = start(&world, "plan.out");
    let asked = world.asked().await;
    interrupted.signal("INT").await;
    interrupted.end().await.exits(1).says(&["Error: Approval wait cancelled", "was withdrawn"]);
    assert_eq!(world.request(&asked.id).await.state, "canceled");
    world.providers_are_gone().await;
}

#[tokio::test]
async fn a_plan_is_handed_in_once_for_whatever_is_asked_of_it() {
    let world = World::new(&guarded("one", "")).await;
    world.plan_into("plan.out").await;
    let saved = digest_of(&world, "plan.out");
    let send = world.start_command(world.assent(&["plan", "send", "plan.out"]));
    let sent = send.end().await.exits(0).said;
    let plan = world.alice.client.plan_of_saved(&saved).await.unwrap().unwrap();
    assert!(sent.contains(&plan), "{sent}");
    let mut command = world.terraform(&["apply", "-input=false", "plan.out"]);
    command.env("ASSENT_PLAN_DIGEST", &saved);
    let apply = world.start_command(command);
    let asked = world.asked().await;
    assert_eq!(asked.intent.plan, Some(plan));
    is_about(&asked, &saved);
    world.bob_approves(&asked).await;
    apply.end().await.exits(0);
}

#[tokio::test]
async fn what_is_asked_at_plan_is_about_no_saved_plan() {
    let world = World::new(&guarded("one", r#"request_at = "plan""#)).await;
    world.plan_into("plan.out").await;
    let at_plan = world.asked().await;
    world.bob_approves(&at_plan).await;
    let apply = start(&world, "plan.out");
    let exact = world.asked().await;
    assert_ne!(exact.digest, at_plan.digest);
    world.bob_approves(&exact).await;
    apply.end().await.exits(0).says(&["Warning: Asked twice"]);
    assert_eq!(world.in_state(APPROVAL).unwrap()["id"], exact.id);
}

#[tokio::test]
async fn importing_what_was_approved_of_a_saved_plan_leaves_nothing_to_do() {
    let config = format!(
        r#"{HEAD}
resource "assent_approval" "release" {{
  environment = "one"
  reason      = "Resize the orders database"
}}
"#
    );
    let world = World::new(&config).await;
    world.plan_into("plan.out").await;
    let apply = start(&world, "plan.out");
    let asked = world.asked().await;
    world.bob_approves(&asked).await;
    apply.end().await.exits(0);
    let before = world.in_state(APPROVAL).unwrap();
    lose_state(&world);
    world.run(&["import", "assent_approval.release", &asked.id]).await.exits(0);
    world.plan().await.exits(0).says(&["No changes."]);
    assert_eq!(world.in_state(APPROVAL).unwrap(), before);
}

/// What a program prints, without the line's end.
fn printed(mut command: std::process::Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[tokio::test]
async fn everybody_computes_the_same_digest_of_a_saved_plan() {
    let world = World::new(&guarded("one", "")).await;
    world.plan_into("plan.out").await;
    let mut summed = std::process::Command::new("sha256sum");
    summed.arg(world.work("plan.out"));
    let summed = format!("sha256:{}", printed(summed).split(' ').next().unwrap());
    let told = world.start_command(world.assent(&["plan", "digest", "plan.out"])).end().await;
    assert!(told.exits(0).said.contains(&summed));
    // The provider, by what `assent apply` tells it.
    let apply = start(&world, "plan.out");
    let asked = world.asked().await;
    assert_eq!(asked.intent.digest.as_ref(), Some(&summed));
    // And the server, of the bytes that it is sent for that request.
    let bytes = fs::read(world.work("plan.out")).unwrap();
    world.alice.client.send_plan(&asked.id, bytes).await.unwrap();
    let mut other = fs::read(world.work("plan.out")).unwrap();
    other.push(0);
    let refused = world.alice.client.send_plan(&asked.id, other).await.unwrap_err();
    assert!(refused.message.contains(&summed), "{refused}");
    world.bob_approves(&asked).await;
    apply.end().await.exits(0);
}

#[tokio::test]
async fn a_plan_made_here_is_approved_and_applied_there() {
    let config = "resource \"terraform_data\" \"guarded\" {\n  input = \"resized\"\n}\n";
    let world = World::new(config).await;
    world.plan_into("plan.out").await;
    let reason = ["--reason", "Resize the orders database"];
    let request = ["request", "--kind", "terraform.apply", "--environment", "one", "--plan"];
    let arguments = [&request[..], &["plan.out"], &reason[..]].concat();
    let filed = world.start_command(world.assent(&arguments)).end().await;
    filed.exits(0).says(&["bytes of the plan are kept"]);
    let asked = world.asked().await;
    is_about(&asked, &digest_of(&world, "plan.out"));
    let kept = asked.plan_bytes.as_ref().unwrap();
    assert_eq!(kept.size, fs::metadata(world.work("plan.out")).unwrap().len());
    // Elsewhere: the same configuration, and nothing of the plan.
    let there = world.at("there");
    fs::create_dir(&there).unwrap();
    fs::copy(world.work("main.tf"), there.join("main.tf")).unwrap();
    let fetch = |out: &str| {
        let mut command = world.assent(&["plan", "fetch", "--request", &asked.id, "--out", out]);
        command.current_dir(&there);
        world.start_command(command)
    };
    fetch("plan.out").end().await.exits(1).says(&["the request is pending"]);
    assert!(!there.join("plan.out").exists(), "something was written");
    world.bob_approves(&asked).await;
    // A place that cannot be written is told before the plan is spent.
    fetch("missing/plan.out").end().await.exits(2);
    fs::write(there.join("plan.out"), "what was there").unwrap();
    fetch("plan.out").end().await.exits(0).says(&[&digest_of(&world, "plan.out")]);
    let fetched = there.join("plan.out");
    assert_eq!(fs::read(&fetched).unwrap(), fs::read(world.work("plan.out")).unwrap());
    assert_eq!(fs::metadata(&fetched).unwrap().permissions().mode() & 0o777, 0o600);
    fetch("again.out").end().await.exits(1).says(&["it is given once"]);
    let left: Vec<_> = fs::read_dir(&there).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    let mut command = world.terraform(&["apply", "-input=false", "plan.out"]);
    command.current_dir(&there);
    let applied = world.start_command(command).end().await;
    applied.exits(0).says(&["Apply complete! Resources: 1 added"]);
}

#[tokio::test]
async fn a_saved_plan_is_sent_for_a_request_that_names_it_and_for_no_other() {
    let config = "resource \"terraform_data\" \"guarded\" {}\n";
    let world = World::new(config).await;
    world.plan_into("plan.out").await;
    let digest = digest_of(&world, "plan.out");
    let ask = ["request", "--kind", "terraform.apply", "--environment", "one", "--reason", "r"];
    let named = [&ask[..], &["--digest", &digest]].concat();
    world.start_command(world.assent(&named)).end().await.exits(0);
    let asked = world.asked().await;
    let send = |file: &str, id: &str| {
        world.start_command(world.assent(&["plan", "send", "--request", id, file]))
    };
    fs::write(world.work("plan.json"), "{}").unwrap();
    send("plan.json", &asked.id).end().await.exits(2).says(&["is no saved plan"]);
    let mut bytes = fs::read(world.work("plan.out")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(world.work("forged.out"), bytes).unwrap();
    send("forged.out", &asked.id).end().await.exits(1).says(&["a new plan needs a new request"]);
    send("plan.out", &asked.id).end().await.exits(0).says(&["bytes of the plan are kept"]);
    let shown = world.start_command(world.assent(&["show", &asked.id])).end().await;
    shown.exits(0).says(&["kept until"]);
    // Where another thing is named, the file is not handed over with the request.
    let other = Digest::of(b"another").to_string();
    let another = [&ask[..], &["--digest", &other, "--plan", "plan.out"]].concat();
    let filed = world.start_command(world.assent(&another)).end().await;
    filed.exits(0).never_says(&["bytes of the plan are kept"]);
}
