//! History, audit log and absences as pages and files, without a browser.

use assent_core::time::Span;
use serde_json::{Value, json};

use crate::pages::{Browser, field};
use crate::support::{Server, approve, assent, filing, fresh_key, sent};

async fn filed(server: &Server, reason: &str) -> String {
    let alice = server.person("alice").await;
    alice.client.file(&filing("production", reason), &fresh_key()).await.unwrap().id
}

#[tokio::test]
async fn t36_history_is_handed_out_whole_as_lines_and_as_a_table_that_runs_nothing() {
    let server = Server::start().await;
    let mut ids = Vec::new();
    for number in 0..1_203 {
        let reason = if number == 0 { "=HYPERLINK(\"https://evil\")" } else { "resize \"it\"" };
        ids.push(
            filed(
                &server,
                &format!(
                    "{reason}{}",
                    if number == 0 { String::new() } else { number.to_string() }
                ),
            )
            .await,
        );
        server.time().pass(Span::from_millis(1));
    }
    let bob = Browser::of(&server, "bob").await;
    let answer = bob.get("/history/requests.jsonl?environment=production").await;
    assert!(answer.headers["content-disposition"].to_str().unwrap().contains("attachment"));
    let lines: Vec<Value> = answer.text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let found: Vec<_> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    ids.reverse();
    assert_eq!(found, ids.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(lines[0]["state"], "pending");
    let table = bob.get("/history/requests.csv?q=hyperlink").await.text;
    let rows: Vec<_> = table.split("\r\n").collect();
    assert_eq!(rows.len(), 3, "{table}");
    assert!(rows[0].starts_with("\"id\",\"state\","), "{table}");
    assert!(rows[1].contains("\"'=HYPERLINK(\"\"https://evil\"\")\""), "{table}");
    assert_eq!(bob.get("/history/passwords.csv").await.status, 404);
    let found = bob.get("/history?q=hyperlink").await.text;
    assert!(
        found.contains("HYPERLINK") && found.matches("<li>\n<a href=\"/requests/").count() == 1
    );
    let wrong = bob.get("/history?q=ab").await;
    assert!(
        wrong.status == 200 && wrong.text.contains("each word needs 3 letters"),
        "{}",
        wrong.text
    );
}

#[tokio::test]
async fn the_log_is_handed_out_so_that_it_verifies() {
    let server = Server::start().await;
    let id = filed(&server, "resize").await;
    let (alice, bob) = (server.person("alice").await, server.person("bob").await);
    approve(&bob, &alice.client.request(&id).await.unwrap()).await.unwrap();
    let browser = Browser::of(&server, "bob").await;
    let text = browser.get("/audit/log.jsonl").await.text;
    let mut lines = text.lines();
    let head: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    let checkpoint: assent_core::wire::Checkpoint =
        serde_json::from_value(head["checkpoint"].clone()).unwrap();
    let mut history = assent_core::wire::History::default();
    for line in lines {
        history.read(&serde_json::from_str(line).unwrap()).unwrap();
    }
    history.finish(&checkpoint).unwrap();
    let page = browser.get(&format!("/audit?request={id}&kind=reviewed")).await.text;
    assert_eq!(page.matches("/audit/entries/").count(), 1, "{page}");
    let place = page.split("/audit/entries/").nth(1).unwrap().split('"').next().unwrap();
    let entry = browser.get(&format!("/audit/entries/{place}")).await.text;
    assert!(
        entry.contains("&quot;verdict&quot;: &quot;approve&quot;")
            || entry.contains("&#34;verdict&#34;: &#34;approve&#34;"),
        "{entry}"
    );
    assert_eq!(browser.get("/audit/entries/999999").await.status, 404);
    assert!(browser.get("/audit?request=x").await.text.contains("request: "));
}

#[tokio::test]
async fn t62_a_foreign_form_withdraws_nothing_and_says_nobody_is_away() {
    let server = Server::start().await;
    let id = filed(&server, "resize").await;
    let (alice, bob) = (server.person("alice").await, server.person("bob").await);
    approve(&bob, &alice.client.request(&id).await.unwrap()).await.unwrap();
    let browser = Browser::of(&server, "bob").await;
    let csrf = field(&browser.get(&format!("/requests/{id}")).await.text, "csrf");
    let form: [(&str, &str); 4] =
        [("csrf", &csrf), ("reason", ""), ("to", "carol"), ("until", "2999-01-01T00:00")];
    for path in [format!("/requests/{id}/withdraw"), "/settings/absence".to_owned()] {
        for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")]
        {
            let call = browser.caller.call("POST", &path).header("cookie", &browser.cookie);
            let answer = sent(call.header(name, value).form(&form)).await;
            assert_eq!(answer.status, 403, "{path} {}", answer.text);
        }
        let wrong = [("csrf", "0"), ("reason", ""), ("to", "carol"), ("until", "2999-01-01T00:00")];
        let call = browser.caller.call("POST", &path).header("cookie", &browser.cookie);
        let answer = sent(call.header("origin", &browser.base).form(&wrong)).await;
        assert_eq!(answer.status, 403, "{path} {}", answer.text);
    }
    assert_eq!(alice.client.request(&id).await.unwrap().reviews.len(), 1);
    assert!(alice.client.absences().await.unwrap().absences.is_empty());
}

#[tokio::test]
async fn evidence_is_offered_of_whatever_is_decided() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let browser = Browser::of(&server, "bob").await;
    let permitted = alice.client.file(&filing("staging", "by policy"), &fresh_key()).await.unwrap();
    let (canceled, open) = (filed(&server, "canceled").await, filed(&server, "open").await);
    alice.client.cancel(&canceled, "not now", &fresh_key()).await.unwrap();
    for (id, is_offered) in [(&permitted.id, true), (&canceled, true), (&open, false)] {
        let page = browser.get(&format!("/requests/{id}")).await.is(200).text;
        let link = format!("/requests/{id}/evidence");
        assert_eq!(page.contains(&link), is_offered, "{page}");
        let evidence = browser.get(&link).await.is(200).json();
        assert_eq!(evidence["request"], json!(id));
    }
}

/// Opening a request is noted for whoever is asked, so that approvals that were hardly read are seen.
#[tokio::test]
async fn an_approval_right_after_opening_the_page_is_told_in_insights() {
    let server = Server::start().await;
    let id = filed(&server, "resize").await;
    let browser = Browser::of(&server, "bob").await;
    browser.get(&format!("/requests/{id}")).await;
    let alice = server.person("alice").await;
    let bob = server.person("bob").await;
    server.time().pass(Span::seconds(2));
    // What is noted beside the answer is there in a moment.
    let mut told = String::new();
    for attempt in 0..200 {
        let again =
            if attempt == 0 { id.clone() } else { filed(&server, &format!("r{attempt}")).await };
        browser.get(&format!("/requests/{again}")).await;
        tokio::task::yield_now().await;
        approve(&bob, &alice.client.request(&again).await.unwrap()).await.unwrap();
        let carol = server.person("carol").await;
        approve(&carol, &alice.client.request(&again).await.unwrap()).await.unwrap();
        told = browser.get("/insights?days=7").await.text;
        if told.contains("100 % of") {
            break;
        }
    }
    assert!(told.contains("100 % of"), "{told}");
    let value = json!(told.contains("approved within 5 s of opening"));
    assert_eq!(value, true);
}

#[tokio::test]
async fn the_command_line_searches_withdraws_and_is_away() {
    let server = Server::start().await;
    let id = filed(&server, "resize the orders database").await;
    filed(&server, "drop the index").await;
    let (alice, bob) = (server.person("alice").await, server.person("bob").await);
    approve(&bob, &alice.client.request(&id).await.unwrap()).await.unwrap();
    let base = server.base();
    let words = ["list", "--search", "orders", "--reviewer", "bob", "-o", "json"];
    let found = assent(base, bob.token(), &words).await.exits(0).json();
    assert_eq!(found["requests"].as_array().unwrap().len(), 1);
    assert_eq!(found["requests"][0]["id"], id);
    let mine = assent(base, bob.token(), &["list", "--mine", "-o", "json"]).await.exits(0).json();
    assert_eq!(mine["requests"], json!([]));
    let words = ["withdraw", &id, "--reason", "unsure", "-o", "json"];
    let withdrawn = assent(base, bob.token(), &words).await.exits(0).json();
    assert_eq!(withdrawn["withdrawn"][0]["reason"], "unsure");
    assent(base, bob.token(), &["withdraw", &id]).await.exits(1);
    let until = server.authority.clock().now().plus(Span::hours(5)).to_string();
    let words = ["absence", "begin", "--to", "carol", "--until", &until, "-o", "json"];
    let absence = assent(base, bob.token(), &words).await.exits(0).json();
    let listed = assent(base, alice.token(), &["absence", "list"]).await.exits(0);
    assert!(listed.lines()[1].contains(" bob carol "), "{listed:?}");
    let ended = absence["id"].as_str().unwrap();
    let ended = assent(base, bob.token(), &["absence", "end", ended, "-o", "json"]).await.exits(0);
    assert_eq!(ended.json()["ended_by"]["sub"], "bob");
}

#[tokio::test]
async fn t63_a_file_breaks_off_where_the_session_of_whoever_takes_it_ends() {
    let server = Server::start().await;
    let by = assent_core::principal::PrincipalId::local("ci").unwrap();
    // More than whatever lies between the server and somebody who reads nothing.
    let words = "x".repeat(10_000);
    for number in 0..5_000_i64 {
        let at = assent_core::time::Timestamp::from_millis(number);
        let entry = json!({"v": 1, "type": "note", "at": at.to_string(), "words": words});
        let what = assent_server::ledger::Kept::Nothing;
        let keeping = assent_server::ledger::Keeping { what, by: by.clone(), at, entry };
        server.ledger().keep(keeping).await.unwrap();
    }
    let browser = Browser::of(&server, "bob").await;
    let begin = || {
        let call = browser.caller.call("GET", "/audit/log.jsonl").header("cookie", &browser.cookie);
        async move { call.send().await.unwrap() }
    };
    let (file, other) = (begin().await, begin().await);
    assert_eq!((file.status(), other.status()), (200.try_into().unwrap(), 200.try_into().unwrap()));
    let third = begin().await;
    assert_eq!(third.status().as_u16(), 429, "so many at once");
    let csrf = field(&browser.get("/settings").await.text, "csrf");
    let call = browser.caller.call("POST", "/logout").header("cookie", &browser.cookie);
    sent(call.header("origin", &browser.base).form(&[("csrf", csrf)])).await.is(303);
    for file in [file, other] {
        assert!(file.bytes().await.is_err(), "it looks whole");
    }
}
