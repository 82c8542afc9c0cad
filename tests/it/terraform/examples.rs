//! Every example, run as it stands: checked, applied with people who approve what is asked, planned
//! again without a difference, imported if it says how, and destroyed.
//!
//! Which examples there are is nowhere listed: a new directory is run too.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::POLICY;
use super::process::{Ran, eventually};
use super::schema::workspace;
use super::world::World;

/// Where the authority is, in examples.
const ADDRESS: &str = "https://assent.example.com";

/// What is below `examples`: those that are walked here, and those that other tests run.
const WALKED: [&str; 6] =
    ["data-sources", "ephemeral-resources", "functions", "guides", "provider", "resources"];
const ELSEWHERE: [&str; 7] =
    ["demo.sh", "github", "policies", "postgres", "quickstart", "service", "two-organisations"];

#[tokio::test]
async fn every_example_of_a_data_source_runs() {
    run_all("data-sources").await;
}

#[tokio::test]
async fn every_example_of_an_ephemeral_resource_runs() {
    run_all("ephemeral-resources").await;
}

#[tokio::test]
async fn every_example_of_a_function_runs() {
    run_all("functions").await;
}

#[tokio::test]
async fn every_example_of_a_guide_runs() {
    run_all("guides").await;
}

#[tokio::test]
async fn the_example_of_the_provider_runs() {
    run(&workspace("examples/provider")).await;
}

#[tokio::test]
async fn every_example_of_a_resource_runs() {
    run_all("resources").await;
}

#[test]
fn no_example_is_left_out() {
    for path in entries(&workspace("examples")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            WALKED.contains(&name) || ELSEWHERE.contains(&name),
            "no test walks examples/{name}"
        );
    }
}

#[tokio::test]
async fn the_credential_for_reading_is_minted_at_plan_and_the_other_is_not() {
    let world = copied(&workspace("examples/guides/reading-at-plan")).await;
    world.start_command(world.command(Path::new("sh"), &["before.sh"])).end().await.exits(0);
    world.plan().await.exits(2);
    let [read] = world.requests(&[]).await.try_into().unwrap();
    assert_eq!(read.intent.kind, "terraform.plan");
    let audiences: Vec<_> = read.credentials.iter().map(|it| it.audience.as_str()).collect();
    assert_eq!(audiences, ["orders-db-read"]);
    assert_eq!(read.credentials[0].status, "revoked", "it outlives the plan");
}

/// What is in a directory, in order.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// Runs each example of a kind.
async fn run_all(kind: &str) {
    let examples = entries(&workspace("examples").join(kind));
    assert!(!examples.is_empty(), "there is no example in {kind}");
    for example in examples {
        run(&example).await;
    }
}

/// Runs one.
async fn run(example: &Path) {
    let world = copied(example).await;
    let says = |ran: Ran| {
        assert_eq!(ran.code, Some(0), "{}: {}", example.display(), ran.said);
    };
    if world.work("before.sh").exists() {
        says(world.start_command(world.command(Path::new("sh"), &["before.sh"])).end().await);
    }
    says(world.run(&["validate"]).await);
    says(attended(&world, &["apply", "-auto-approve", "-input=false"]).await);
    says(world.plan().await);
    if let Some(command) = import_of(&world) {
        import(&world, &command).await;
    }
    says(attended(&world, &["destroy", "-auto-approve", "-input=false"]).await);
}

/// A world with this example: under its policy if it has one, and with the provider's example where
/// it has no provider of its own. Who runs it is an administrator, so that policy can be written.
async fn copied(example: &Path) -> World {
    let own = fs::read_to_string(example.join("policy.yaml"));
    let world = World::governed(own.as_deref().unwrap_or(POLICY), "").await;
    // The key for audiences that take RS256 only is made beside the start; what an example reads
    // of the key set would change under it.
    let has_both = |keys: &serde_json::Value| keys["keys"].as_array().unwrap().len() == 2;
    let look = async || has_both(&world.alice.client.jwks().await.unwrap()).then_some(());
    eventually("the key of RS256", look).await;
    let mut has_provider = false;
    for file in entries(example) {
        let text = fs::read_to_string(&file).unwrap();
        has_provider |= text.contains("required_providers");
        let name = file.file_name().unwrap().to_str().unwrap();
        fs::write(world.work(name), text.replace(ADDRESS, &world.base)).unwrap();
    }
    if !has_provider {
        let provider = fs::read_to_string(workspace("examples/provider/provider.tf")).unwrap();
        world.configure(&provider.replace(ADDRESS, &world.base));
    }
    world
}

/// A run during which people approve whatever is asked.
async fn attended(world: &World, arguments: &[&str]) -> Ran {
    let ending = world.start(arguments).end();
    tokio::pin!(ending);
    loop {
        tokio::select! {
            ran = &mut ending => return ran,
            () = approve_what_is_asked(world) => {}
        }
    }
}

async fn approve_what_is_asked(world: &World) {
    for request in world.requests(&[("state", "pending")]).await {
        if world.bob_approves(&request).await.state == "pending" {
            world.carol_approves(&request).await;
        }
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// The command with which it is imported, if the example says one.
fn import_of(world: &World) -> Option<Vec<String>> {
    let text = fs::read_to_string(world.work("import.sh")).ok()?;
    let command = text.lines().find(|line| line.starts_with("terraform import ")).unwrap();
    Some(command.split_whitespace().skip(1).map(str::to_owned).collect())
}

/// Forgets the resource and imports it as the example says. Ids that the server gives are those of
/// what was made here.
async fn import(world: &World, command: &[String]) {
    let [_, address, id] = command else { panic!("not an import: {command:?}") };
    let (kind, _) = address.split_once('.').unwrap();
    let made = identity(world, kind);
    let id = if id.starts_with("req_") { &made } else { id };
    assert_eq!(*id, made, "the example imports something else than it makes");
    world.run(&["state", "rm", address]).await.exits(0);
    world.run(&["import", "-input=false", address, id]).await.exits(0);
    assert_eq!(identity(world, kind), made);
}

/// The id of what is in the state, or the name where that is the id.
fn identity(world: &World, kind: &str) -> String {
    let made = world.in_state(kind).unwrap();
    let id = made["id"].as_str().or_else(|| made["name"].as_str());
    id.unwrap().to_owned()
}
