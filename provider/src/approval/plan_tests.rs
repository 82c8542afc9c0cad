//! What a plan says before anything is filed.

use std::sync::Arc;

use super::*;
use crate::configure::Configured;
use crate::environment::Defaults;
use crate::plugin::Lifetime;
use crate::ruling::tests::{a_stage, ruling};
use crate::value::Type;

/// A session whose server is known only at apply.
fn session() -> Session {
    let session = Session::new(Defaults::default(), Arc::new(Lifetime::default()));
    session.configure(Configured { reach: Reach::NotYetKnown, applying: Some(false) });
    session
}

/// A whole configuration.
fn config() -> Value {
    let Type::Object(attributes) = super::super::schema().value_type() else { panic!() };
    let nothing = Value::Map(attributes.into_keys().map(|name| (name, Value::Null)).collect());
    nothing.with("environment", Value::text("production")).with("reason", Value::text("resize"))
}

/// The change that Terraform proposes from a prior state to a configuration.
fn change(prior: Value, config: Value) -> Change {
    let kept = |name: &str| match prior.is_null() {
        true => Value::Unknown,
        false => prior.attribute(name).clone(),
    };
    let proposed =
        FOUND_OUT.into_iter().fold(config.clone(), |state, name| state.with(name, kept(name)));
    Change { prior, proposed, config, private: Vec::new() }
}

/// The state of an approval that was created from a configuration.
fn created(config: Value) -> Value {
    let texts = ["id", "url", "intent_digest", "approved_digest", "state", "ruling"];
    with_defaults(
        texts.into_iter().fold(config.clone(), |state, name| state.with(name, Value::text(name))),
        &config,
    )
    .with("approved_by", Value::texts(["bob".to_owned()]))
    .with("stages", Value::List(Vec::new()))
}

#[tokio::test]
async fn the_digest_is_planned_and_what_policy_says_is_not() {
    let planned = plan(&session(), change(Value::Null, config())).await.unwrap();
    let digest = planned.state.attribute("intent_digest").as_text().given().unwrap();
    assert!(digest.starts_with("sha256:"));
    for name in ["id", "url", "approved_digest", "state", "approved_by", "ruling", "stages"] {
        assert!(planned.state.attribute(name).is_unknown(), "{name}");
    }
    assert_eq!(planned.state.attribute("kind"), &Value::text(DEFAULT_KIND));
    assert_eq!(planned.state.attribute("wait"), &Value::Bool(true));
    assert_eq!(planned.diagnostics.list()[0].summary, "Approval may be required");
}

#[tokio::test]
async fn an_unknown_argument_leaves_the_digest_unknown() {
    let config = config().with("reason", Value::Unknown);
    let planned = plan(&session(), change(Value::Null, config)).await.unwrap();
    assert!(planned.state.attribute("intent_digest").is_unknown());
}

#[tokio::test]
async fn nothing_changed_is_no_change() {
    let prior = created(config());
    let planned = plan(&session(), change(prior.clone(), config())).await.unwrap();
    assert_eq!(planned.state, prior);
    assert_eq!(planned.requires_replace, []);
}

#[tokio::test]
async fn how_long_to_wait_changes_in_place() {
    let timeouts = Value::object([("create", Value::text("1h"))]);
    let changed = config().with("wait", Value::Bool(false)).with("timeouts", timeouts);
    let planned = plan(&session(), change(created(config()), changed)).await.unwrap();
    assert_eq!(planned.requires_replace, []);
    assert_eq!(planned.state.attribute("id"), &Value::text("id"));
}

#[tokio::test]
async fn every_argument_of_the_intent_asks_anew() {
    let context = Value::text(r#"{"ticket":"OPS-1"}"#);
    let triggers = Value::object([("class", Value::text("large"))]);
    let digest = Value::text(format!("sha256:{}", "0".repeat(64)));
    let changes = [
        ("kind", Value::text("terraform.destroy")),
        ("environment", Value::text("staging")),
        ("target", triggers.clone()),
        ("reason", Value::text("other")),
        ("duration", Value::text("15m")),
        ("context", context),
        ("triggers", triggers),
        ("digest", digest),
    ];
    for (name, value) in changes {
        let changed = config().with(name, value);
        let planned = plan(&session(), change(created(config()), changed)).await.unwrap();
        assert_eq!(planned.requires_replace, [Path::attribute(name)]);
        assert!(planned.state.attribute("id").is_unknown());
    }
}

#[tokio::test]
async fn a_removed_argument_goes_back_to_its_default() {
    let prior = created(config().with("kind", Value::text("terraform.destroy")));
    let mut change = change(prior, config());
    change.proposed = change.proposed.with("kind", Value::text("terraform.destroy"));
    let planned = plan(&session(), change).await.unwrap();
    assert_eq!(planned.state.attribute("kind"), &Value::text(DEFAULT_KIND));
    assert_eq!(planned.requires_replace, [Path::attribute("kind")]);
}

#[test]
fn a_warning_says_who_is_asked() {
    let mut asked = ruling(wire::Said::Require);
    asked.stages = vec![a_stage(2, &["group:release-managers"])];
    let told = tell(&asked, "Terraform will file it at apply: https://a/intents/00").unwrap();
    let words = "2 of release-managers (rule prod-apply). The requester does not count. \
                 Terraform will file it at apply: https://a/intents/00";
    assert_eq!((told.summary.as_str(), told.detail.as_str()), ("Approval required", words));
    assert_eq!(tell(&ruling(wire::Said::Permit), ""), None);
    assert_eq!(tell(&ruling(wire::Said::Refuse), "").unwrap().summary, "Apply will be refused");
}

#[tokio::test]
async fn what_is_over_is_renewed_where_that_is_wanted() {
    let wanted = config().with("renew_when_expired", Value::Bool(true));
    let left = config();
    for (word, renewed) in [
        ("expired", true),
        ("denied", true),
        ("canceled", true),
        ("revoked", true),
        ("consumed", false),
        ("approved", false),
        ("pending", false),
    ] {
        let prior = |config: &Value| created(config.clone()).with("state", Value::text(word));
        let planned = plan(&session(), change(prior(&wanted), wanted.clone())).await.unwrap();
        let expected = renewed.then(|| Path::attribute("state"));
        assert_eq!(planned.requires_replace, Vec::from_iter(expected), "{word}");
        assert_eq!(planned.state.attribute("id").is_unknown(), renewed, "{word}");
        let planned = plan(&session(), change(prior(&left), left.clone())).await.unwrap();
        assert_eq!(planned.requires_replace, [], "{word}");
        assert_eq!(planned.state, prior(&left), "{word}");
    }
}

#[tokio::test]
async fn what_was_foreseen_stays_until_people_are_asked_anew() {
    let then = config().with("foreseen", Value::text("then"));
    let now = config().with("foreseen", Value::text("now"));
    let planned = plan(&session(), change(created(then.clone()), now.clone())).await.unwrap();
    assert_eq!(planned.state, created(then.clone()));
    assert_eq!(planned.requires_replace, []);
    let other = now.with("reason", Value::text("other"));
    let planned = plan(&session(), change(created(then.clone()), other)).await.unwrap();
    assert_eq!(planned.state.attribute("foreseen"), &Value::text("now"));
    let planned = plan(&session(), change(created(then), config())).await.unwrap();
    assert_eq!(planned.state.attribute("foreseen"), &Value::Null);
}

#[tokio::test]
async fn what_is_only_written_is_in_no_plan() {
    let written = config().with("plan_digest", Value::text(format!("sha256:{}", "0".repeat(64))));
    for prior in [Value::Null, created(config())] {
        let planned = plan(&session(), change(prior, written.clone())).await.unwrap();
        assert_eq!(planned.state.attribute("plan_digest"), &Value::Null);
        assert_eq!(planned.requires_replace, []);
    }
}

#[tokio::test]
async fn asking_at_plan_needs_to_know_that_it_is_plan() {
    let session = Session::new(Defaults::default(), Arc::new(Lifetime::default()));
    session.configure(Configured { reach: Reach::NotYetKnown, applying: None });
    let config = config().with("request_at", Value::text("plan"));
    let told = plan(&session, change(Value::Null, config)).await.unwrap_err();
    assert_eq!(told.list()[0].summary, "Plan cannot be told from apply");
}
