//! What stands on the page of a request, and that nobody approves what it does not show.

use assent_client::wire;
use serde_json::{Value, json};

use super::{Browser, field, filed};
use crate::support::{Answer, Server, Setup, filing, fresh_key, sent};

/// A plan of these changes, as `terraform show -json` prints it.
pub(crate) fn plan_of(changes: Vec<Value>) -> Value {
    json!({
        "format_version": "1.2", "terraform_version": "1.11.4", "applyable": true, "complete": true,
        "errored": false, "resource_changes": changes,
    })
}

/// A change of a resource of AWS.
pub(crate) fn change(
    kind: &str,
    name: &str,
    actions: &[&str],
    before: Value,
    after: Value,
) -> Value {
    json!({
        "address": format!("{kind}.{name}"), "mode": "managed", "type": kind, "name": name,
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {"actions": actions, "before": before, "after": after, "after_unknown": {},
                   "before_sensitive": {}, "after_sensitive": {}},
    })
}

/// So many changes of tags, and the end of a database after all of them.
fn many(count: usize) -> Value {
    let tag = |number: usize| {
        let mut one = change(
            "aws_instance",
            &format!("web_{number}"),
            &["update"],
            json!({"tags": {"v": "1"}}),
            json!({"tags": {"v": "2"}}),
        );
        one["address"] = json!(format!("aws_instance.web_{number}"));
        one
    };
    let mut changes: Vec<_> = (0..count).map(tag).collect();
    changes.push(change(
        "aws_db_instance",
        "orders",
        &["delete"],
        json!({"id": "db-1"}),
        Value::Null,
    ));
    plan_of(changes)
}

/// A request of alice's with this plan.
pub(crate) async fn filed_with(server: &Server, plan: &Value) -> wire::Request {
    let alice = server.person("alice").await;
    let taken = alice.client.hand_in_plan(plan.to_string().into_bytes(), None).await.unwrap();
    let mut filing = filing("production", "Resize the orders database");
    filing.intent.plan = Some(taken.digest);
    alice.client.file(&filing, &fresh_key()).await.unwrap()
}

impl Browser {
    /// Sends the form of a request's page with these fields besides.
    async fn says(&self, id: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.get(&format!("/requests/{id}")).await.text;
        let (csrf, digest) = (field(&page, "csrf"), field(&page, "digest"));
        let mut form = vec![("csrf", csrf.as_str()), ("digest", &digest)];
        form.extend(fields);
        let call = self.caller.call("POST", &format!("/requests/{id}/review"));
        let call = call.header("cookie", &self.cookie).header("origin", &self.base);
        sent(call.form(&form)).await
    }
}

async fn reviews(server: &Server, id: &str) -> usize {
    server.person("alice").await.client.request(id).await.unwrap().reviews.len()
}

#[tokio::test]
async fn t38_what_a_page_does_not_show_is_approved_by_nobody_who_does_not_say_they_read_it() {
    let server = Server::start().await;
    let request = filed_with(&server, &many(200)).await;
    let bob = Browser::of(&server, "bob").await;
    let page = bob.get(&format!("/requests/{}", request.id)).await.is(200).text;
    assert!(page.contains("more changes</strong> are not shown here"), "{page}");
    assert!(page.contains("name=\"read_all\""), "{page}");
    let unread = bob.says(&request.id, &[("verdict", "approve"), ("comment", "fine by me")]).await;
    assert_eq!(unread.status, 422, "{}", unread.text);
    assert!(unread.text.contains("does not show everything"), "{}", unread.text);
    assert!(
        unread.text.contains(">fine by me</textarea>"),
        "what was typed is kept: {}",
        unread.text
    );
    assert_eq!(reviews(&server, &request.id).await, 0);
    bob.says(&request.id, &[("verdict", "approve"), ("read_all", "yes")]).await.is(303);
    let carol = Browser::of(&server, "carol").await;
    carol.says(&request.id, &[("verdict", "deny"), ("comment", "not at night")]).await.is(303);
    assert_eq!(reviews(&server, &request.id).await, 2);
    // Of a small plan everything is there, and nothing more is asked.
    let small = filed_with(&server, &many(3)).await;
    let page = bob.get(&format!("/requests/{}", small.id)).await.text;
    assert!(
        !page.contains("read_all") && page.contains("v&#34;") | page.contains("tags.v"),
        "{page}"
    );
    bob.says(&small.id, &[("verdict", "approve")]).await.is(303);
}

#[tokio::test]
async fn t38_one_line_among_thousands_stands_first_and_no_page_is_large() {
    let server = Server::start().await;
    let request = filed_with(&server, &many(3_000)).await;
    let bob = Browser::of(&server, "bob").await;
    let page = bob.get(&format!("/requests/{}", request.id)).await.is(200).text;
    assert!(page.len() < 60_000, "{} bytes", page.len());
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
    assert!(place("Destroys 1 resource") < place("aws_db_instance.orders"));
    assert!(place("aws_db_instance.orders") < place("aws_instance.web_0"));
    let shown = page.matches("<details class=\"change").count();
    assert!(shown >= 30, "{shown}");
    assert!(page.contains(&format!("{} more changes", 3_001 - shown)), "{page}");
    let last = bob.get(&format!("/requests/{}/plan?page=76", request.id)).await.is(200).text;
    assert!(last.contains("page 76 of 76") && last.contains("aws_instance.web_2999<"), "{last}");
    assert!(last.len() < 60_000, "{} bytes", last.len());
    let found = bob.get(&format!("/requests/{}/plan?q=web_2998", request.id)).await.is(200).text;
    assert!(found.contains("<p>1 change</p>") && found.contains("id=\"change-3000\""), "{found}");
    bob.get(&format!("/requests/{}/plan?change=9999", request.id)).await.is(404);
}

#[tokio::test]
async fn t38_a_long_value_is_cut_said_to_be_and_whole_elsewhere() {
    let server = Server::start().await;
    let long = format!("{}THE-END", "x".repeat(3_000));
    let made = change("aws_instance", "web", &["create"], Value::Null, json!({"user_data": long}));
    let request = filed_with(&server, &plan_of(vec![made])).await;
    let bob = Browser::of(&server, "bob").await;
    let page = bob.get(&format!("/requests/{}", request.id)).await.text;
    assert!(!page.contains("THE-END") && page.contains("characters more"), "{page}");
    bob.says(&request.id, &[("verdict", "approve")]).await.is(422);
    let whole = bob.get(&format!("/requests/{}/plan?change=1", request.id)).await.is(200).text;
    assert!(whole.contains("THE-END"), "{whole}");
}

#[tokio::test]
async fn t38_what_the_requester_says_at_length_is_cut_said_to_be_and_whole_elsewhere() {
    let server = Server::start().await;
    let id =
        filed(&server, "resize", json!({"note": format!("{}THE-END", "y ".repeat(5_000))})).await;
    let bob = Browser::of(&server, "bob").await;
    let page = bob.get(&format!("/requests/{id}")).await.text;
    assert!(!page.contains("THE-END") && page.len() < 60_000, "{page}");
    bob.says(&id, &[("verdict", "approve")]).await.is(422);
    let whole = bob.get(&format!("/requests/{id}/intent")).await.is(200).text;
    assert!(whole.contains("THE-END"), "{whole}");
    bob.says(&id, &[("verdict", "approve"), ("read_all", "yes")]).await.is(303);
}

#[tokio::test]
async fn values_stand_before_and_after_and_secrets_nowhere() {
    let server = Server::start().await;
    let mut one = change(
        "aws_db_instance",
        "orders",
        &["delete", "create"],
        json!({"class": "db.t3.large", "password": "hunter2-before"}),
        json!({"class": "db.r6g.xlarge", "password": "hunter2-after"}),
    );
    one["change"]["replace_paths"] = json!([["class"]]);
    one["change"]["before_sensitive"] = json!({"password": true});
    one["change"]["after_sensitive"] = json!({"password": true});
    one["change"]["after_unknown"] = json!({"arn": true});
    let request = filed_with(&server, &plan_of(vec![one])).await;
    let bob = Browser::of(&server, "bob").await;
    let page = bob.get(&format!("/requests/{}", request.id)).await.text;
    for shown in
        ["db.t3.large", "db.r6g.xlarge", "forces it", "known after apply", "sensitive, not shown"]
    {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("hunter2"), "{page}");
    assert!(page.contains("Terraform replaces 1 resource in production"), "{page}");
}

#[tokio::test]
async fn a_denial_without_a_comment_keeps_the_page_and_says_so() {
    let server = Server::start().await;
    let id = filed(&server, "resize", json!({})).await;
    let bob = Browser::of(&server, "bob").await;
    let refused = bob.says(&id, &[("verdict", "deny"), ("comment", " ")]).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(
        refused.text.contains("say why") && refused.text.contains("Your decision"),
        "{}",
        refused.text
    );
    assert_eq!(reviews(&server, &id).await, 0);
}

#[tokio::test]
async fn t37_letters_that_look_like_others_are_told_of_on_every_page() {
    let server = Server::start().await;
    let odd = filed(&server, "restart p\u{430}yments", json!({})).await;
    let plain = filed(&server, "restart payments, Größe 再", json!({})).await;
    let bob = Browser::of(&server, "bob").await;
    let page = bob.get(&format!("/requests/{odd}")).await.text;
    assert!(page.contains("Look-alike letters") && page.contains("p\\u{430}yments"), "{page}");
    assert!(bob.get("/").await.text.contains("odd characters"));
    let page = bob.get(&format!("/requests/{plain}")).await.text;
    assert!(!page.contains("Look-alike"), "{page}");
    let named = change("aws_instance", "w\u{435}b", &["create"], Value::Null, json!({"a": 1}));
    let request = filed_with(&server, &plan_of(vec![named])).await;
    let page = bob.get(&format!("/requests/{}", request.id)).await.text;
    assert!(page.contains("the plan: ") && page.contains("w\\u{435}b"), "{page}");
}

#[tokio::test]
async fn a_provider_that_is_new_since_the_last_approval_is_told_of() {
    let server = Server::set_up(Setup::default()).await;
    let alice = server.person("alice").await;
    let made = change("aws_instance", "web", &["create"], Value::Null, json!({"a": 1}));
    let first = filed_with(&server, &plan_of(vec![made.clone()])).await;
    for name in ["bob", "carol"] {
        crate::support::approve(&server.person(name).await, &first).await.unwrap();
    }
    let mut other = change("evil_thing", "x", &["create"], Value::Null, json!({"a": 1}));
    other["provider_name"] = json!("registry.terraform.io/evil/evil");
    let second = filed_with(&server, &plan_of(vec![made, other])).await;
    let bob = Browser::of(&server, "bob").await;
    let page = bob.get(&format!("/requests/{}", second.id)).await.text;
    assert!(page.contains("approved last did not: registry.terraform.io/evil/evil"), "{page}");
    drop(alice);
}

#[tokio::test]
async fn the_story_of_a_request_is_told_in_order() {
    let server = Server::start().await;
    let id = filed(&server, "resize", json!({})).await;
    let bob = Browser::of(&server, "bob").await;
    bob.says(&id, &[("verdict", "approve"), ("comment", "go on")]).await.is(303);
    let carol = Browser::of(&server, "carol").await;
    carol.says(&id, &[("verdict", "deny"), ("comment", "not at night")]).await.is(303);
    let page = bob.get(&format!("/requests/{id}")).await.text;
    let story = page.split("What happened").nth(1).unwrap();
    let place = |text: &str| story.find(text).unwrap_or_else(|| panic!("{text}: {story}"));
    assert!(place("asked") < place("go on") && place("go on") < place("not at night"), "{story}");
    assert!(page.contains("denied by carol") && page.contains(&format!("/requests/{id}/evidence")));
}
