//! People of a provider are called by name wherever somebody reads of them; their ids stay where ids are
//! wanted.

use assent_core::time::Span;
use serde_json::{Value, json};

use super::links::Two;
use super::world::World;

/// What a person reads of a page: nothing that stands in its tags.
fn read(page: &str) -> String {
    let mut said = String::new();
    for part in page.split('<') {
        said.push_str(part.split_once('>').map_or(part, |(_, text)| text));
    }
    said
}

#[tokio::test]
async fn people_of_a_provider_are_called_by_name_on_every_page() {
    let world = World::start().await;
    let issuer = world.provider.url.clone();
    let named = |name: &str| {
        let host = issuer.split("://").nth(1).unwrap();
        format!("{name} of Corp ({name} at {host})")
    };
    let alice = world.holder("alice", "request").await;
    let intent = |environment: &str| {
        json!({"intent": {
            "kind": "terraform.apply", "environment": environment, "reason": "resize",
        }})
    };
    let one = alice.post("/v1/requests", &intent("one")).await.is(201).str("id");
    let two = alice.post("/v1/requests", &intent("two")).await.is(201).str("id");
    let denied = alice.post("/v1/requests", &intent("one")).await.is(201).str("id");
    let (mut bob, mut carol) = (world.signed_in("bob").await, world.signed_in("carol").await);
    bob.decide(&one, "approve").await.is(303);
    bob.decide(&denied, "deny").await.is(303);
    bob.decide(&two, "approve").await.is(303);
    let page = format!("/requests/{two}");
    let reason = [("reason", "the wrong plan")];
    bob.form(&page, &format!("{page}/withdraw"), &reason).await.is(303);
    let carols = format!("{issuer}#carol");
    let until = world.server.authority.clock().now().plus(Span::hours(48)).to_string();
    let away = [("to", carols.as_str()), ("from", ""), ("until", &until[..16])];
    bob.form("/settings/absence", "/settings/absence", &away).await.is(303);

    for (path, names) in [
        ("/".to_owned(), vec![named("alice")]),
        ("/history".to_owned(), vec![named("alice"), named("bob")]),
        ("/policy?q=release".to_owned(), vec![named("bob"), named("carol")]),
        ("/insights".to_owned(), vec![named("bob")]),
        (format!("/audit?request={one}"), vec![named("alice"), named("bob")]),
        ("/audit?kind=absence_begun".to_owned(), vec![named("bob"), named("carol")]),
        ("/settings/absence".to_owned(), vec![named("bob"), named("carol")]),
        (format!("/requests/{one}"), vec![named("alice"), named("bob")]),
        (format!("/requests/{denied}"), vec![format!("denied by {}", named("bob"))]),
        (
            page,
            vec![
                format!("{} is away; {} stands in.", named("bob"), named("carol")),
                format!("{} approved", named("bob")),
                named("carol"),
            ],
        ),
    ] {
        let page = carol.get(&path).await.is(200).text;
        let said = read(&page);
        for name in names {
            assert!(said.contains(&name), "{name} is not at {path}: {said}");
        }
        // The header is on every page; the ids of a request stand where it says so.
        let said = said.replace(&format!("{issuer}#alice"), "");
        assert!(!said.contains(&format!("{issuer}#")), "{path}: {said}");
        // Carol's own stands in the header of each.
        let others = page.replace(&format!("title=\"{issuer}#carol\""), "");
        assert!(others.contains(&format!("title=\"{issuer}#")), "{path}: the id is at hand");
    }

    // Whoever audits reads exactly who it was.
    let log = carol.get(&format!("/audit?request={one}&kind=reviewed")).await.text;
    let entry = log.split("/audit/entries/").nth(1).unwrap().split('"').next().unwrap();
    let entry = read(&carol.get(&format!("/audit/entries/{entry}")).await.is(200).text);
    let entry = entry.replace("&#34;", "\"").replace("&quot;", "\"");
    assert!(entry.contains(&named("bob")), "{entry}");
    assert!(entry.contains(&format!("\"iss\": \"{issuer}\"")), "{entry}");
    let lines = carol.get("/history/requests.jsonl?state=approved").await.is(200).text;
    let line: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(line["requester"], json!(format!("{issuer}#alice")));
    assert_eq!(line["decided_by"], json!([format!("{issuer}#bob")]));
    let table = carol.get("/history/requests.csv?state=approved").await.text;
    assert!(table.contains(&format!("{issuer}#bob")), "{table}");

    // Where somebody lets a program in, they read as whom.
    let client = [("client_id", "assent-cli")];
    let stranger = world.server.stranger();
    let begun = stranger.form("/oauth/device_authorization", &client).await.is(200);
    let code = begun.str("user_code");
    let page = carol.form("/device", "/device", &[("code", code.as_str())]).await.is(200).text;
    let asked = format!("Let this program in as {}?", named("carol"));
    assert!(read(&page).contains(&asked), "{page}");
}

#[tokio::test]
async fn administrators_read_whose_accounts_are_linked_with_their_ids() {
    let two = Two::start().await;
    let mut bob = two.world.signed_in("bob").await;
    two.link(&mut bob, "robert").await.is(303);
    let mut root = two.world.signed_in("root").await;
    let page = read(&root.get("/admin/people").await.is(200).text);
    for said in [
        "bob of Corp (bob at ",
        "robert of Corp (robert at ",
        &format!("{}#bob", two.world.provider.url),
        &format!("{}#robert", two.other.url),
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
}
