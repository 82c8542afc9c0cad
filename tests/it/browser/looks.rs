//! How the inbox and requests look, on each screen, and that they bar nobody: pictures of them are kept.

use serde_json::{Value, json};

use super::sign_in;
use crate::pages::approving::{change, filed_with, plan_of};
use crate::support::{Chromium, Screen, Server, Setup, Window, approve, deny, filing, fresh_key};

/// Like a plan of a shop: something of everything.
fn shop() -> Value {
    let rule = |port: u16, from: &str| json!({"from_port": port, "to_port": port, "protocol": "tcp", "cidr_blocks": [from]});
    let statement = |action: &str| {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
            .to_string()
    };
    let mut database = change(
        "aws_db_instance",
        "orders",
        &["delete", "create"],
        json!({"identifier": "orders", "instance_class": "db.t3.large", "allocated_storage": 100, "password": "a", "arn": "arn:aws:rds:eu-central-1:123456789012:db:orders"}),
        json!({"identifier": "orders-v2", "instance_class": "db.r6g.2xlarge", "allocated_storage": 200, "password": "b"}),
    );
    database["change"]["replace_paths"] = json!([["identifier"]]);
    database["change"]["before_sensitive"] = json!({"password": true});
    database["change"]["after_sensitive"] = json!({"password": true});
    database["change"]["after_unknown"] = json!({"arn": true});
    database["action_reason"] = json!("replace_because_cannot_update");
    let mut changes = vec![
        database,
        change(
            "aws_s3_bucket",
            "old_reports",
            &["delete"],
            json!({"bucket": "acme-old-reports", "force_destroy": true}),
            Value::Null,
        ),
        change(
            "aws_iam_policy",
            "deployer",
            &["update"],
            json!({"name": "deployer", "policy": statement("s3:GetObject")}),
            json!({"name": "deployer", "policy": statement("*")}),
        ),
        change(
            "aws_security_group",
            "web",
            &["update"],
            json!({"name": "web", "ingress": [rule(443, "10.0.0.0/8")]}),
            json!({"name": "web", "ingress": [rule(443, "10.0.0.0/8"), rule(22, "0.0.0.0/0")]}),
        ),
        change(
            "aws_ecs_service",
            "shop",
            &["update"],
            json!({"desired_count": 2, "tags": {"release": "41"}}),
            json!({"desired_count": 4, "tags": {"release": "42"}}),
        ),
    ];
    for name in ["a", "b", "c"] {
        changes.push(change("aws_subnet", name, &["create"], Value::Null, json!({"cidr_block": "10.1.0.0/24", "availability_zone": format!("eu-central-1{name}")})));
    }
    changes.push(change(
        "aws_vpc",
        "main",
        &["no-op"],
        json!({"id": "vpc-1"}),
        json!({"id": "vpc-1"}),
    ));
    plan_of(changes)
}

async fn keep(window: &Window, server: &Server, name: &str, path: &str) {
    window.look(Screen::DESKTOP).await;
    window.go(&format!("{}{path}", server.base())).await;
    assert_eq!(window.violations().await, Vec::<String>::new(), "{path}");
    window.pictures(name, &Screen::ALL).await;
    for screen in [Screen::DESKTOP, Screen::DARK_PHONE] {
        window.look(screen).await;
        assert_eq!(window.barriers().await, Vec::<String>::new(), "{path} on {screen:?}");
    }
}

#[tokio::test]
async fn the_inbox_bars_nobody_however_full_it_is() {
    let server = Server::for_browsers(Setup::default()).await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    sign_in(&window, &server, "bob").await;
    keep(&window, &server, "inbox-empty", "/").await;
    filed_with(&server, &shop()).await;
    let (alice, bob) = (server.person("alice").await, server.person("bob").await);
    for (who, environment, reason) in [
        (
            &alice,
            "one",
            "Restart p\u{430}yments after the incident of last night, because the pool of \
            connections is exhausted again and nobody answers",
        ),
        (&bob, "production", "Rotate the certificates"),
        (&bob, "staging", "Try the new release"),
        (&bob, "nowhere", "What no rule allows"),
    ] {
        who.client.file(&filing(environment, reason), &fresh_key()).await.unwrap();
    }
    keep(&window, &server, "inbox-full", "/").await;
    keep(&window, &server, "inbox-found", "/?q=certificates").await;
}

#[tokio::test]
async fn a_request_bars_nobody_wherever_it_stands() {
    let server = Server::for_browsers(Setup::default()).await;
    let (alice, bob, carol) = server.people().await;
    let request = filed_with(&server, &shop()).await;
    let refused =
        alice.client.file(&filing("nowhere", "What no rule allows"), &fresh_key()).await.unwrap();
    let denied =
        alice.client.file(&filing("production", "Move the shop"), &fresh_key()).await.unwrap();
    deny(&carol, &denied).await.unwrap();
    let used = alice.client.file(&filing("one", "Restart the queue"), &fresh_key()).await.unwrap();
    approve(&carol, &used).await.unwrap();
    crate::support::mint(&alice, &used).await.unwrap();
    let odd = filing("production", "pay \u{202e}diap\u{200b} the p\u{430}yments");
    let odd = alice.client.file(&odd, &fresh_key()).await.unwrap();
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    sign_in(&window, &server, "bob").await;
    approve(&carol, &request).await.unwrap();
    for (name, id) in [
        ("request-plan", &request.id),
        ("request-refused", &refused.id),
        ("request-denied", &denied.id),
        ("request-used", &used.id),
        ("request-odd", &odd.id),
    ] {
        keep(&window, &server, name, &format!("/requests/{id}")).await;
    }
    drop(bob);
}

#[tokio::test]
async fn a_long_plan_bars_nobody() {
    let server = Server::for_browsers(Setup::default()).await;
    let tag = |number: usize| {
        let name = format!("web_{number}");
        change(
            "aws_instance",
            &name,
            &["update"],
            json!({"tags": {"v": "1"}}),
            json!({"tags": {"v": "2"}}),
        )
    };
    let request = filed_with(&server, &plan_of((0..120).map(tag).collect())).await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    sign_in(&window, &server, "bob").await;
    keep(&window, &server, "request-long", &format!("/requests/{}", request.id)).await;
    keep(&window, &server, "plan", &format!("/requests/{}/plan?page=2", request.id)).await;
    // Whoever decides is within reach, and nothing lies over what they read.
    window.look(Screen::PHONE).await;
    window.go(&format!("{}/requests/{}", server.base(), request.id)).await;
    window.click("a.jump").await;
    let seen = "const box = document.querySelector('button.approve').getBoundingClientRect(); \
        return box.height >= 24 && box.width >= 24 && box.top >= 0 && box.bottom <= innerHeight";
    assert_eq!(window.run(seen).await, json!(true), "after the jump");
    window.look(Screen::DESKTOP).await;
    let stays = "scrollTo({top: 3000, behavior: 'instant'}); \
        return document.getElementById('panel').getBoundingClientRect().top >= 0";
    assert_eq!(window.run(stays).await, json!(true), "the panel stays where it is seen");
    let reachable = "scrollTo(0, 0); const panel = document.getElementById('panel'); \
        const box = panel.getBoundingClientRect(); \
        return box.bottom <= innerHeight || panel.scrollHeight > panel.clientHeight";
    assert_eq!(
        window.run(reachable).await,
        json!(true),
        "the panel ends on the screen or is scrolled"
    );
}
