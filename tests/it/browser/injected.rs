//! What others write, in every field that is shown: it stays text, in a browser that would run it.

use assent_core::access::{Access, NewAccess, Purpose};
use assent_core::principal::{Principal, PrincipalId, PrincipalKind};
use assent_core::time::Span;
use assent_server::chance::Chance;
use serde_json::json;

use super::sign_in;
use crate::pages::approving::{change, plan_of};
use crate::support::{Caller, Chromium, Screen, Server, Setup, fresh_key};

const PAYLOAD: &str = "\"'></textarea></title></code><img src=x onerror='window.ran=1'>\
    <script>window.ran=2</script><svg onload=window.ran=3>{{7*7}}";

/// A job of GitHub Actions whose claims are all hostile, as far as an issuer would say them.
async fn job(server: &Server) -> Caller {
    let id = PrincipalId::new("https://token.actions.githubusercontent.com", "repo:a/b<img/src=x>");
    let claims = json!({
        "repository": "acme/shop", "sha": "0123456789abcdef0123456789abcdef01234567", "run_id": "99",
        "ref": PAYLOAD, "workflow_ref": PAYLOAD, "event_name": PAYLOAD, "actor": PAYLOAD,
        "name": PAYLOAD, "changes_since": PAYLOAD, "unknown_authors": PAYLOAD,
    });
    let principal = Principal {
        id: id.unwrap(),
        kind: PrincipalKind::Workload,
        groups: Default::default(),
        acts_for: [PrincipalId::new("https://id.example.com", "x<svg/onload=alert(1)>").unwrap()]
            .into(),
        claims: claims.as_object().unwrap().clone(),
    };
    let now = server.authority.clock().now();
    let by = principal.id.clone();
    let new = NewAccess {
        id: Chance::default().access_id(now).unwrap(),
        principal,
        administrator: false,
        purpose: Purpose::Token,
        parent: None,
        life: Span::hours(1),
    };
    let (step, token) = Access::issue(new, &server.authority.secret().unwrap(), &by, now);
    server.authority.ledger().commit_access(step).await.unwrap();
    server.holder_of(token.expose())
}

#[tokio::test]
async fn t36_nothing_that_others_write_becomes_more_than_text_in_a_browser() {
    let server = Server::for_browsers(Setup::default()).await;
    let caller = job(&server).await;
    let mut one = change(
        "aws_instance",
        "web",
        &["delete", "create"],
        json!({PAYLOAD: PAYLOAD, "user_data": PAYLOAD}),
        json!({PAYLOAD: "x", "user_data": "y"}),
    );
    one["address"] = json!(format!("aws_instance.web[{}]", json!(PAYLOAD)));
    one["index"] = json!(PAYLOAD);
    one["change"]["replace_paths"] = json!([[PAYLOAD]]);
    let mut plan = plan_of(vec![one]);
    plan["output_changes"] = json!({PAYLOAD: {
        "actions": ["create"], "before": null, "after": 1, "after_unknown": false,
        "before_sensitive": false, "after_sensitive": false,
    }});
    let taken = caller.client.hand_in_plan(plan.to_string().into_bytes(), None).await.unwrap();
    let intent = json!({
        "kind": "terraform.apply", "environment": "production", "reason": PAYLOAD,
        "target": {"workspace": PAYLOAD}, "plan": taken.digest,
        "context": {PAYLOAD: PAYLOAD, "list": [PAYLOAD]},
    });
    let filed = caller.post("/v1/requests", &json!({"intent": intent})).await.is(201);
    let id = filed.str("id");
    let carol = server.person("carol").await;
    let review = json!({"verdict": "approve", "digest": filed.str("digest"), "comment": PAYLOAD});
    carol.post(&format!("/v1/requests/{id}/reviews"), &review).await.is(200);
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    sign_in(&window, &server, "bob").await;
    let pages = [
        "/".to_owned(),
        "/history".to_owned(),
        format!("/?q={}", "%22%3E%3Cimg%20src%3Dx%20onerror%3Dwindow.ran%3D4%3E"),
        format!("/requests/{id}"),
        format!("/requests/{id}/plan"),
        format!("/requests/{id}/plan?q=%22%3E%3Cimg%20src%3Dx%20onerror%3Dwindow.ran%3D4%3E"),
        format!("/requests/{id}/plan?change=1"),
        format!("/requests/{id}/intent"),
        format!("/audit?request={id}"),
        "/audit".to_owned(),
        "/insights".to_owned(),
        "/policy".to_owned(),
        "/policy/try".to_owned(),
        "/settings".to_owned(),
        "/settings/absence".to_owned(),
        "/settings/notifications".to_owned(),
        "/settings/passkeys".to_owned(),
        "/settings/sessions".to_owned(),
    ];
    // What the page is renewed with goes the same way as what it came with.
    let strange = "return [window.ran ?? null, document.querySelectorAll(\
        'img, svg:not(.plot), iframe, script:not([src^=\"/static/\"]), [onerror], [onload], [style]').length]";
    for path in &pages {
        window.go(&format!("{}{path}", server.base())).await;
        assert_eq!(window.run(strange).await, json!([null, 0]), "{path}");
        assert_eq!(window.violations().await, Vec::<String>::new(), "{path}");
    }
    window.go(&format!("{}/requests/{id}", server.base())).await;
    let said = window.text().await;
    for place in ["onerror='window.ran=1'", "{{7*7}}"] {
        assert!(said.matches(place).count() > 8, "{place}: {said}");
    }
    let digest = filed.str("digest");
    let deny = json!({"verdict": "deny", "digest": digest, "comment": PAYLOAD});
    let bob = server.person("bob").await;
    bob.post_again(fresh_key().as_str(), &format!("/v1/requests/{id}/reviews"), &deny)
        .await
        .is(200);
    window.until_it_says("denied by bob").await;
    assert_eq!(window.run(strange).await, json!([null, 0]));
}
