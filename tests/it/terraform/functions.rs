//! The provider's functions, called by terraform, held against the CLI and the server.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use super::HEAD;
use super::world::World;

/// A configuration with these outputs.
fn outputs(outputs: &[(&str, &str)]) -> String {
    let output =
        |(name, value): &(&str, &str)| format!("output \"{name}\" {{\n  value = {value}\n}}\n");
    format!("{HEAD}{}", outputs.iter().map(output).collect::<String>())
}

/// What terraform put out.
async fn shown(world: &World) -> Value {
    let output = world.terraform(&["output", "-json"]).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What `assent digest -` says of this JSON.
fn digest_by_the_cli(json: &str) -> String {
    let mut command = std::process::Command::new(super::process::assent());
    command.args(["digest", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(json.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_digest_is_the_same_from_terraform_and_from_the_cli() {
    let value = r#"{
    b = [1, 2.5, -0.1, 1 / 3, true, null, "€ \n 😀"]
    a = { "2" = "x", "10" = toset(["q", "p"]), n = 9007199254740991 }
  }"#;
    let config = outputs(&[
        ("object", &format!("provider::assent::digest({value})")),
        ("json", &format!("jsonencode({value})")),
        ("null", "provider::assent::digest(null)"),
        ("text", "provider::assent::digest(\"null\")"),
    ]);
    let world = World::new(&config).await;
    world.apply().await.exits(0);
    let shown = shown(&world).await;
    let by_the_cli = digest_by_the_cli(shown["json"]["value"].as_str().unwrap());
    assert_eq!(shown["object"]["value"], by_the_cli);
    assert_eq!(shown["null"]["value"], digest_by_the_cli("null"));
    assert_eq!(shown["text"]["value"], digest_by_the_cli("\"null\""));
    world.providers_are_gone().await;
}

#[tokio::test]
async fn a_number_that_json_cannot_hold_is_refused_by_name() {
    let world =
        World::new(&outputs(&[("big", "provider::assent::digest([9007199254740993])")])).await;
    let refused = world.plan().await.exits(1);
    refused.says(&[
        "Error: Invalid function argument",
        "9007199254740993 is beyond 2^53 - 1, where JSON no longer tells whole numbers apart",
        "write it as text.",
    ]);
}

#[tokio::test]
async fn what_is_known_only_at_apply_has_its_digest_then() {
    let config = format!(
        "{}\nresource \"terraform_data\" \"a\" {{\n  input = \"x\"\n}}\n",
        outputs(&[("later", "provider::assent::digest({ id = terraform_data.a.id })")]),
    );
    let world = World::new(&config).await;
    world.plan().await.exits(2).says(&["later = (known after apply)"]);
    world.apply().await.exits(0);
    let id = world.in_state("terraform_data").unwrap()["id"].clone();
    let expected = digest_by_the_cli(&json!({"id": id}).to_string());
    assert_eq!(shown(&world).await["later"]["value"], expected);
}

#[tokio::test]
async fn a_plan_is_summed_up_as_the_server_reads_it() {
    let world = World::new(&format!(
        "{HEAD}\nresource \"terraform_data\" \"a\" {{\n  count = 3\n  input = \"canary\"\n}}\n"
    ))
    .await;
    world.run(&["plan", "-out", "plan.bin", "-input=false"]).await.exits(0);
    let json = world.terraform(&["show", "-json", "plan.bin"]).output().await.unwrap().stdout;
    std::fs::write(world.work("plan.json"), &json).unwrap();
    let read = world.alice.client.hand_in_plan(json, None).await.unwrap();
    let call = "provider::assent::plan_summary(file(\"plan.json\"))";
    world.configure(&outputs(&[("summary", call)]));
    world.apply().await.exits(0);
    let summary = shown(&world).await["summary"]["value"].clone();
    assert_eq!(summary["digest"], read.digest);
    assert_eq!(summary["counts"]["creates"], json!(3));
    assert_eq!(summary["counts"]["changes"], read.facts.change_count);
    assert_eq!(summary["changes"][0]["address"], read.changes[0].address);
    assert_eq!(summary["touches_iam"], json!(read.facts.touches_iam));
    assert!(!summary.to_string().contains("canary"));
    std::fs::write(world.work("plan.json"), "{\"format_version\": \"1.2\", ").unwrap();
    let refused = world.plan().await.exits(1);
    refused
        .says(&["The JSON ends at `$`, byte 26", "Give the function what `terraform show -json"]);
}

#[tokio::test]
async fn durations_and_addresses_are_read_as_arguments_are() {
    let id = "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z";
    let config = format!(
        "{}\ndata \"assent_decision\" \"d\" {{\n  environment = \"one\"\n}}\n",
        outputs(&[
            ("whole", "provider::assent::duration(\"1h30m\")"),
            ("part", "provider::assent::duration(\"250ms\")"),
            ("page", &format!("provider::assent::request_url(\"https://a.example/x/\", \"{id}\")")),
            (
                "intent",
                "provider::assent::request_url(\"https://a.example\", data.assent_decision.d.intent_digest)",
            ),
            ("digest", "data.assent_decision.d.intent_digest"),
        ]),
    );
    let world = World::new(&config).await;
    world.apply().await.exits(0);
    let shown = shown(&world).await;
    assert_eq!(shown["whole"]["value"], json!(5400));
    assert_eq!(shown["part"]["value"], json!(0.25));
    assert_eq!(shown["page"]["value"], format!("https://a.example/x/requests/{id}"));
    let digest = shown["digest"]["value"].as_str().unwrap().replace("sha256:", "");
    assert_eq!(shown["intent"]["value"], format!("https://a.example/intents/{digest}"));
    let faulty = outputs(&[
        ("soon", "provider::assent::duration(\"soon\")"),
        ("nowhere", "provider::assent::request_url(\"a.example\", \"req_1\")"),
    ]);
    world.configure(&faulty);
    let refused = world.plan().await.exits(1);
    refused.says(&["Invalid value for \"text\" parameter", "`soon` is not a duration"]);
}

#[tokio::test]
async fn functions_never_need_a_server() {
    let mut world = World::new(&outputs(&[("d", "provider::assent::duration(\"1m\")")])).await;
    world.kill_server().await;
    world.apply().await.exits(0);
    assert!(world.count("CallFunction") > 0);
    assert_eq!(shown(&world).await["d"]["value"], json!(60));
}
