//! The data sources: what terraform reads is what the server knows.

use assent_client::wire;
use serde_json::{Value, json};

use super::world::World;
use super::{HEAD, POLICY};
use crate::support::fresh_key;

/// A configuration with this data source, put out whole.
fn data(kind: &str, body: &str) -> String {
    format!(
        "{HEAD}\ndata \"{kind}\" \"it\" {{\n{body}\n}}\noutput \"it\" {{\n  value = data.{kind}.it\n}}\n"
    )
}

/// What terraform put out of it.
async fn read(world: &World) -> Value {
    world.apply().await.exits(0);
    let output = world.terraform(&["output", "-json", "it"]).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Files something as alice.
async fn file(world: &World, environment: &str, kind: &str, database: &str) -> wire::Request {
    let intent = wire::Intent {
        kind: kind.to_owned(),
        environment: environment.to_owned(),
        target: [("database".to_owned(), database.to_owned())].into(),
        reason: "because".to_owned(),
        ..wire::Intent::default()
    };
    let filing = wire::Filing { intent, reattach: false, heartbeat: None };
    world.alice.client.file(&filing, &fresh_key()).await.unwrap()
}

#[tokio::test]
async fn a_decision_pins_what_policy_said_at_plan() {
    let config = data(
        "assent_decision",
        "environment = \"production\"\nduration = \"10m\"\ntriggers = { class = \"large\" }",
    );
    let world = World::new(&config).await;
    let said = read(&world).await;
    assert_eq!(said["ruling"], "require");
    assert_eq!(said["rule_ids"], json!(["production"]));
    assert_eq!(said["stages"][0]["approvals"], json!(2));
    let words = "terraform.apply needs approval by 2 of release-managers (rule production)";
    assert_eq!(said["summary"], words);
    let status = world.alice.client.policy_status().await.unwrap();
    assert_eq!(said["policy"], status.revision);
    let account = &said["explanation"][0];
    assert_eq!((&account["rule"], &account["result"]), (&json!("production"), &json!("matched")));
    assert!(account["place"].as_str().unwrap().ends_with("policy.yaml:8:5"), "{account}");
    assert!(world.requests(&[]).await.is_empty(), "a decision filed something");
    // The answer is part of a saved plan: policy may change, the apply of that plan says the same.
    world.run(&["plan", "-out", "plan.bin", "-input=false"]).await.exits(0);
    let frozen = POLICY.replace("environment: production}", "environment: elsewhere}");
    std::fs::write(world.at("policy/policy.yaml"), frozen).unwrap();
    super::process::eventually("another policy", async || {
        let now = world.alice.client.policy_status().await.unwrap();
        (now.revision != status.revision).then_some(())
    })
    .await;
    world.run(&["apply", "-input=false", "plan.bin"]).await.exits(0);
    world.plan().await.exits(2).says(&["\"refuse\""]);
}

#[tokio::test]
async fn a_request_is_read_as_it_is() {
    let world = World::new(HEAD).await;
    let request = file(&world, "one", "terraform.apply", "orders").await;
    world.bob_approves(&request).await;
    world.configure(&data("assent_request", &format!("id = \"{}\"", request.id)));
    let said = read(&world).await;
    assert_eq!(said["state"], "approved");
    assert_eq!(said["approved_by"], json!(["bob"]));
    assert_eq!(said["intent_digest"], request.digest);
    assert_eq!(said["target"], json!({"database": "orders"}));
    assert_eq!(said["reviews"][0]["verdict"], "approve");
    assert_eq!(said["ended_at"], Value::Null);
    let unknown = "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z";
    world.configure(&data("assent_request", &format!("id = \"{unknown}\"")));
    let refused = world.plan().await.exits(1);
    refused.says(&[&format!("Error: Request {unknown} cannot be read"), "It does not exist, or"]);
    world.configure(&data("assent_request", "id = \"req_1\""));
    world
        .run(&["validate"])
        .await
        .exits(1)
        .says(&["Error: Invalid `id`", "`req_1` is not a request id"]);
}

#[tokio::test]
async fn requests_are_found_by_what_they_are_about_and_all_pages_are_read() {
    let world = World::new(HEAD).await;
    let first = file(&world, "one", "terraform.apply", "first").await;
    for number in 0..205 {
        file(&world, "staging", "database.session", &format!("db{number}")).await;
    }
    let last = file(&world, "one", "database.session", "last").await;
    world.configure(&data("assent_requests", "environment = \"one\""));
    let said = read(&world).await;
    let ids: Vec<_> = said["requests"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, [&json!(last.id), &json!(first.id)]);
    assert_eq!(said["complete"], json!(true));
    world.configure(&data("assent_requests", "environment = \"one\"\nkind = \"terraform.apply\""));
    assert_eq!(read(&world).await["requests"][0]["id"], first.id);
    world.configure(&data("assent_requests", "target = { database = \"db7\" }"));
    assert_eq!(read(&world).await["requests"].as_array().unwrap().len(), 1);
    world.configure(&data("assent_requests", "state = \"approved\"\nlimit = 3"));
    let said = read(&world).await;
    assert_eq!(said["requests"].as_array().unwrap().len(), 3);
    assert_eq!(said["complete"], json!(false));
    world.configure(&data("assent_requests", "state = \"waiting\"\nlimit = 1001"));
    let refused = world.run(&["validate"]).await.exits(1);
    refused.says(&["Error: Invalid `state`", "Error: Invalid `limit`", "from 1 to 1000"]);
}

#[tokio::test]
async fn the_policy_that_rules_and_the_keys_are_told() {
    let world = World::new(&data("assent_policy", "")).await;
    let said = read(&world).await;
    let status = world.alice.client.policy_status().await.unwrap();
    assert_eq!(said["revision"], status.revision);
    assert_eq!((&said["rules"], &said["source"]), (&json!(status.rules), &json!("directory")));
    assert_eq!((&said["content"], &said["problem"]), (&Value::Null, &Value::Null));
    world.configure(&data("assent_policy", "name = \"policy.yaml\""));
    let refused = world.plan().await.exits(1);
    refused.says(&["The policy document `policy.yaml` cannot be read", "not kept by the server"]);
    world.configure(&data("assent_jwks", ""));
    let said = read(&world).await;
    assert_eq!(said["issuer"], world.base);
    let keys: Value = serde_json::from_str(said["jwks"].as_str().unwrap()).unwrap();
    assert_eq!(keys, world.alice.client.jwks().await.unwrap());
    assert_eq!(said["key_ids"][0], keys["keys"][0]["kid"]);
    // The one for RS256 is made a moment after the first start.
    assert_eq!(said["algorithms"][0], "ES256");
}
