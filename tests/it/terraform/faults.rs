//! Wrong input is answered by a message that names the fault.

use super::world::World;
use super::{guarded, with_credential};

#[tokio::test]
async fn an_argument_of_a_wrong_type_or_form_is_named() {
    let world = World::new(&guarded("production", "triggers = 5")).await;
    world.plan().await.exits(1).says(&["Inappropriate value for attribute \"triggers\""]);
    let cases = [
        (r#"duration = "soon""#, ["Invalid `duration`", "`soon` is not a duration"]),
        (
            r#"timeouts = { create = "soon" }"#,
            ["Invalid `timeouts.create`", "`soon` is not a duration"],
        ),
        (r#"digest = "sha256:12""#, ["Invalid `digest`", "sha256:"]),
        (r#"kind = "Terraform Apply""#, ["Invalid `kind`", "on main.tf line"]),
        (r#"context = "[]""#, ["Invalid `context`", "must be an object"]),
        (
            r#"wait = "perhaps""#,
            ["Inappropriate value for attribute \"wait\"", "a bool is required"],
        ),
    ];
    for (argument, said) in cases {
        world.configure(&guarded("production", argument));
        world.plan().await.exits(1).says(&said);
    }
    world.configure(&with_credential("production", "true").replace("orders-db", " "));
    world.plan().await.exits(1).says(&["Invalid `audience`"]);
    assert!(world.requests(&[]).await.is_empty());
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_named() {
    let world = World::new(&guarded("production", "")).await;
    // Nobody listens on the discard port.
    let away = |arguments: &[&str]| {
        let mut command = world.terraform(arguments);
        command.env("ASSENT_URL", "http://127.0.0.1:9");
        world.start_command(command).end()
    };
    away(&["plan"]).await.exits(0).says(&["Approval may be required", "127.0.0.1:9"]);
    let said = ["The request cannot be filed", "127.0.0.1:9", "that the server is up"];
    away(&["apply", "-auto-approve"]).await.exits(1).says(&said);
    assert!(world.in_state("assent_approval").is_none());
}

#[tokio::test]
async fn a_wrong_address_is_refused_before_anything_is_sent() {
    let world = World::new(&guarded("production", "")).await;
    for address in ["assent.example.com", "ftp://assent.example.com", "http://assent.example.com"] {
        let mut command = world.terraform(&["plan"]);
        command.env("ASSENT_URL", address);
        world.start_command(command).end().await.exits(1).says(&["Invalid server address"]);
    }
    let mut command = world.terraform(&["plan"]);
    command.env_remove("ASSENT_URL");
    world.start_command(command).end().await.exits(1).says(&["No server address", "ASSENT_URL"]);
}

#[tokio::test]
async fn a_missing_or_foreign_token_is_told_and_not_shown() {
    let world = World::new(&guarded("production", "")).await;
    let mut command = world.terraform(&["plan"]);
    command.env_remove("ASSENT_TOKEN");
    world.start_command(command).end().await.exits(1).says(&["No access token", "ASSENT_TOKEN"]);
    let other = World::new(&guarded("production", "")).await;
    for foreign in [other.alice.token(), "nonsense"] {
        let mut command = world.terraform(&["apply", "-auto-approve"]);
        command.env("ASSENT_TOKEN", foreign);
        let ran = world.start_command(command).end().await.exits(1);
        ran.says(&["The request cannot be filed", "Check the access token"]).never_says(&[foreign]);
    }
    assert!(world.requests(&[]).await.is_empty());
}
