//! What others write, in every field that is shown: it stays text, in a browser that would run it.

use std::collections::BTreeSet;

use assent_core::access::{Access, NewAccess, Purpose};
use assent_core::principal::{Principal, PrincipalId, PrincipalKind};
use assent_core::time::Span;
use assent_server::chance::Chance;
use assent_server::policy::Source;
use serde_json::{Value, json};

use super::sign_in;
use crate::pages::approving::{change, plan_of};
use crate::support::{
    Caller, Chromium, POLICY, Screen, Server, Setup, Window, documents, fresh_key,
};

/// What somebody writes into one field. Its number, which stands first, says where it is found again.
pub(crate) fn hostile(field: u32) -> String {
    format!(
        "<i{field}>\"'></textarea></title></code><img src=x onerror='window.ran={field}'>\
         <script>window.ran={field}</script><svg onload=window.ran={field}>{{{{7*7}}}}"
    )
}

/// The same where there is little room.
pub(crate) fn short(field: u32) -> String {
    format!("<i{field}>'><img/src=x onerror=ran={field}>")
}

/// Sees to it that nothing on the page is more than text, and gives what a person reads there, once all is
/// unfolded.
pub(crate) async fn harmless(window: &Window) -> String {
    let strange = "return [window.ran ?? null, [...document.querySelectorAll('*')].filter(one => \
        /^i[0-9]+$/.test(one.localName) || one.matches('img, svg:not(.plot), iframe, \
        script:not([src^=\"/static/\"]), [onerror], [onload], [style]')).length]";
    assert_eq!(window.run(strange).await, json!([null, 0]), "{}", window.url().await);
    assert_eq!(window.violations().await, Vec::<String>::new(), "{}", window.url().await);
    window.run("document.querySelectorAll('details').forEach(one => { one.open = true; })").await;
    window.text().await
}

/// Which of these fields were nowhere on any of these pages.
pub(crate) fn missing(fields: impl IntoIterator<Item = u32>, seen: &[String]) -> BTreeSet<u32> {
    let is_missing = |field: &u32| !seen.iter().any(|page| page.contains(&format!("<i{field}>")));
    fields.into_iter().filter(is_missing).collect()
}

/// A job of GitHub Actions whose claims are all hostile, as far as an issuer would say them.
async fn job(server: &Server) -> Caller {
    let id =
        PrincipalId::new("https://token.actions.githubusercontent.com", "repo:a/b<i8><img/src=x>");
    let claims = json!({
        "repository": "acme/shop", "sha": "0123456789abcdef0123456789abcdef01234567", "run_id": "99",
        "ref": hostile(1), "workflow_ref": hostile(2), "event_name": hostile(3),
        "actor": hostile(4), "name": hostile(5), "changes_since": hostile(6),
        "unknown_authors": hostile(7),
    });
    let behind = PrincipalId::new("https://id.example.com", "x<i9><svg/onload=alert(1)>").unwrap();
    let principal = Principal {
        id: id.unwrap(),
        kind: PrincipalKind::Workload,
        groups: Default::default(),
        acts_for: [behind].into(),
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

/// The plan whose texts are all hostile.
fn plan() -> Value {
    let mut one = change(
        "aws_instance",
        "web",
        &["delete", "create"],
        json!({hostile(10): hostile(11), "ami": hostile(12)}),
        json!({hostile(10): "x", "ami": "y"}),
    );
    one["address"] = json!(format!("aws_instance.web[{}]", json!(hostile(13))));
    one["index"] = json!(hostile(13));
    one["change"]["replace_paths"] = json!([[hostile(10)]]);
    let mut plan = plan_of(vec![one]);
    plan["output_changes"] = json!({hostile(14): {
        "actions": ["create"], "before": null, "after": 1, "after_unknown": false,
        "before_sensitive": false, "after_sensitive": false,
    }});
    plan
}

#[tokio::test]
async fn t36_nothing_that_others_write_becomes_more_than_text_in_a_browser() {
    let rule = format!(
        "  - id: hostile\n    description: {}\n    when: {{intent.kind: nothing}}\n    deny: {{message: {}}}\n",
        json!(hostile(30)),
        json!(hostile(31))
    );
    let source = Source::Given(documents(&format!("{POLICY}{rule}")));
    let server = Server::for_browsers(Setup { source, ..Setup::default() }).await;
    let caller = job(&server).await;
    let taken = caller.client.hand_in_plan(plan().to_string().into_bytes(), None).await.unwrap();
    let intent = json!({
        "kind": "terraform.apply", "environment": "production", "reason": hostile(15),
        "target": {"workspace": hostile(16)}, "plan": taken.digest,
        "context": {hostile(17): hostile(18), "list": [hostile(19)]},
    });
    let filed = caller.post("/v1/requests", &json!({"intent": intent})).await.is(201);
    let (id, digest) = (filed.str("id"), filed.str("digest"));
    let (bob, carol) = (server.person("bob").await, server.person("carol").await);
    let reviews = format!("/v1/requests/{id}/reviews");
    let review = |verdict: &str, field| json!({"verdict": verdict, "digest": digest, "comment": hostile(field)});
    bob.post(&reviews, &review("approve", 20)).await.is(200);
    let withdrawn = json!({"reason": hostile(21)});
    bob.post(&format!("{reviews}/withdraw"), &withdrawn).await.is(200);
    carol.post(&reviews, &review("approve", 22)).await.is(200);

    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    sign_in(&window, &server, "bob").await;
    let asked = "%22%3E%3Cimg%20src%3Dx%20onerror%3Dwindow.ran%3D4%3E";
    let mut seen = Vec::new();
    for path in [
        "/".to_owned(),
        "/history".to_owned(),
        format!("/history?q={asked}"),
        format!("/?q={asked}"),
        format!("/requests/{id}/plan"),
        format!("/requests/{id}/plan?q={asked}"),
        format!("/requests/{id}/plan?change=1"),
        format!("/requests/{id}/intent"),
        format!("/audit?request={id}"),
        "/audit".to_owned(),
        "/audit/entries/0".to_owned(),
        "/insights".to_owned(),
        "/policy".to_owned(),
        format!("/policy?q={asked}"),
        "/settings".to_owned(),
        "/settings/absence".to_owned(),
        "/settings/notifications".to_owned(),
        "/settings/passkeys".to_owned(),
        "/settings/sessions".to_owned(),
        format!("/requests/{id}"),
    ] {
        window.go(&format!("{}{path}", server.base())).await;
        let said = harmless(&window).await;
        // Each place shows what it shows: nothing else stands in for it.
        let own: &[u32] = match path.as_str() {
            "/" => &[5, 15, 16],
            "/history" => &[8, 15],
            "/policy" => &[30, 31],
            path if path.ends_with("/intent") => &[15, 16, 17, 18, 19],
            path if path.ends_with("/plan") => &[10, 13, 14, 16],
            path if path.starts_with("/audit?") => &[8, 20, 21, 22],
            path if path == format!("/requests/{id}") => &[5, 9, 15, 16, 20, 21, 22],
            _ => &[],
        };
        let missing = missing(own.iter().copied(), std::slice::from_ref(&said));
        assert!(missing.is_empty(), "{missing:?} at {path}: {said}");
        seen.push(said);
    }
    // What the page is renewed with goes the same way as what it came with.
    bob.post_again(fresh_key().as_str(), &reviews, &review("deny", 23)).await.is(200);
    window.until_it_says("denied by bob").await;
    seen.push(harmless(&window).await);
    window.go(&format!("{}/audit?request={id}&kind=filed", server.base())).await;
    window.click("a.index").await;
    window.until_it_says("all entries of this request").await;
    seen.push(harmless(&window).await);

    for (field, number) in [("#target", 24), ("#kind", 25), ("#json", 26)] {
        window.go(&format!("{}/policy/try", server.base())).await;
        window.write("#environment", "production").await;
        harmless(&window).await;
        let text = match field {
            "#target" => format!("workspace={}", hostile(number)),
            "#kind" => hostile(number),
            _ => json!({hostile(number): 1}).to_string(),
        };
        if field != "#kind" {
            window.write("#kind", "terraform.apply").await;
        }
        window.write(field, &text).await;
        window.click("form.decide button").await;
        // A kind of such letters is none, and is not said again.
        let said = match field {
            "#kind" => "not one that can be filed".to_owned(),
            _ => format!("<i{number}>"),
        };
        window.until_it_says(&said).await;
        seen.push(harmless(&window).await);
    }
    let nowhere = missing((1..=24).chain([26, 30, 31]), &seen);
    assert!(nowhere.is_empty(), "{nowhere:?}: {}", seen.join("\n\n"));
}
