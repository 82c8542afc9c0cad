//! What a provider block may say, and what the environment stands in for.

use assent_client::Secret;

use super::*;
use crate::oidc::Surroundings;
use crate::value::Number;

/// A block with these arguments and no other.
fn block(arguments: &[(&str, Value)]) -> Value {
    let names =
        ["url", "token", "token_file", "oidc", "ca_bundle", "applying", "timeouts", "retry"];
    let empty = Value::object(names.map(|name| (name, Value::Null)));
    arguments.iter().fold(empty, |block, (name, value)| block.with(name, value.clone()))
}

/// A block that is right, with these arguments too.
fn right(arguments: &[(&str, Value)]) -> Value {
    let url = Value::text("https://assent.example.com");
    let with_url = block(&[("url", url), ("token", Value::text("hunter2"))]);
    arguments.iter().fold(with_url, |block, (name, value)| block.with(name, value.clone()))
}

fn text(text: &str) -> Value {
    Value::text(text)
}

/// What these variables say.
fn around(variables: &[(&str, &str)]) -> Surroundings {
    Surroundings::of(|name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn paths(faults: &Diagnostics) -> Vec<String> {
    let paths = faults.list().iter().filter_map(|fault| fault.path.as_ref());
    paths.map(ToString::to_string).collect()
}

#[track_caller]
fn faults(config: &Value, defaults: &Defaults) -> Diagnostics {
    let faults = configure(config, defaults).map(|_| ()).unwrap_err();
    assert!(!format!("{faults:?}").contains("hunter2"), "{faults:?}");
    faults
}

#[test]
fn every_attribute_is_described() {
    crate::schema::tests::check(&schema());
}

#[test]
fn an_empty_block_takes_the_environment() {
    let defaults = Defaults {
        url: Some("http://127.0.0.1:8420/".into()),
        token: Some(Secret::new("hunter2".to_owned())),
        applying: Some("true".into()),
        ..Defaults::default()
    };
    let (configured, told) = configure(&block(&[]), &defaults).unwrap();
    assert_eq!(configured.server().unwrap().base(), "http://127.0.0.1:8420");
    assert_eq!((configured.applying, told), (Some(true), Diagnostics::default()));
    assert!(!format!("{configured:?}").contains("hunter2"));
    let (configured, _) =
        configure(&block(&[("applying", Value::Bool(false))]), &defaults).unwrap();
    assert_eq!(configured.applying, Some(false), "the block counts more");
}

#[test]
fn all_that_is_missing_or_wrong_is_told_at_once() {
    assert_eq!(paths(&faults(&block(&[]), &Defaults::default())), ["url", "token"]);
    let defaults = Defaults {
        url: Some("assent".into()),
        token: Some(Secret::new("hunter2".to_owned())),
        ca_bundle: Some("/nowhere/ca.pem".into()),
        applying: Some("perhaps".into()),
        timeout: Some("soon".into()),
        retry_attempts: Some("0".into()),
        retry_max_wait: Some("1h".into()),
        ..Defaults::default()
    };
    let faults = faults(&block(&[]), &defaults);
    let summaries: Vec<_> = faults.list().iter().map(|fault| fault.summary.as_str()).collect();
    let expected = [
        "Invalid ASSENT_APPLYING",
        "Invalid server address",
        "Invalid ASSENT_CA_BUNDLE",
        "Invalid ASSENT_TIMEOUT",
        "Invalid ASSENT_RETRY_MAX_WAIT",
        "Invalid ASSENT_RETRY_ATTEMPTS",
    ];
    assert_eq!(summaries, expected);
}

#[test]
fn what_is_wrong_in_the_block_is_told_there_and_not_taken() {
    let number = |count| Value::Number(Number::Signed(count));
    let (request, wait) = (
        |limit: &str| Value::object([("request", text(limit))]),
        |limit: &str| Value::object([("max_wait", text(limit))]),
    );
    let attempts = |count: Value| Value::object([("attempts", count)]);
    let cases = [
        ("timeouts", request("0s"), "timeouts.request"),
        ("timeouts", request("1h"), "timeouts.request"),
        ("retry", wait("never"), "retry.max_wait"),
        ("retry", attempts(number(0)), "retry.attempts"),
        ("retry", attempts(number(-1)), "retry.attempts"),
        ("retry", attempts(Value::Number(Number::Float(2.5))), "retry.attempts"),
        ("retry", attempts(Value::Number(Number::Decimal("9".repeat(40)))), "retry.attempts"),
        ("ca_bundle", text("-----BEGIN CERTIFICATE-----"), "ca_bundle"),
        ("token", text(" "), "token"),
    ];
    for (name, value, path) in cases {
        let config = right(&[(name, value)]);
        assert_eq!(paths(&faults(&config, &Defaults::default())), [path]);
        assert_eq!(paths(&validate(&config)), [path], "validate finds it too");
    }
    let file = right(&[("ca_bundle", text("/nowhere/ca.pem"))]);
    assert_eq!(paths(&faults(&file, &Defaults::default())), ["ca_bundle"]);
    assert_eq!(validate(&file), Diagnostics::default(), "where it is validated it may be away");
}

#[test]
fn who_asks_is_said_in_one_way() {
    let two = right(&[("token_file", text("/run/token")), ("oidc", Value::object([]))]);
    let expected = ["token", "token_file", "oidc"];
    assert_eq!(paths(&validate(&two)), expected);
    assert_eq!(paths(&faults(&two, &Defaults::default())), expected);
    let identities = Value::object([("token", text("hunter2")), ("token_file", text("/run/t"))]);
    let config = block(&[("url", text("https://a.example")), ("oidc", identities)]);
    let expected = ["oidc.token", "oidc.token_file"];
    assert_eq!(paths(&faults(&config, &Defaults::default())), expected);
}

#[test]
fn a_block_that_says_who_asks_is_not_overruled_by_the_environment() {
    let defaults = Defaults {
        token: Some(Secret::new("hunter2".to_owned())),
        token_file: Some("/run/token".into()),
        ..Defaults::default()
    };
    let oidc = block(&[("oidc", Value::object([("token", text("identity"))]))]);
    let taken = |config: &Value| token::read(config, &defaults).unwrap().unwrap().source;
    use assent_client::TokenSource as From;
    assert!(matches!(taken(&oidc), From::Exchanged(_)));
    assert!(matches!(taken(&block(&[("token_file", text("/t"))])), From::File(_)));
    assert!(matches!(taken(&block(&[])), From::Given(_)));
    let defaults = Defaults { token: None, ..defaults };
    let taken = token::read(&block(&[]), &defaults).unwrap().unwrap().source;
    assert!(matches!(taken, From::File(_)));
}

#[test]
fn a_run_of_a_known_platform_says_who_it_is_by_itself() {
    let found = |variables: &[(&str, &str)]| {
        let defaults = Defaults { oidc: around(variables), ..Defaults::default() };
        let source = token::read(&block(&[]), &defaults).unwrap()?.source;
        let assent_client::TokenSource::Exchanged(identity) = source else { panic!("{source:?}") };
        Some(identity.name)
    };
    assert_eq!(found(&[]), None);
    let tagged = ("TFC_WORKLOAD_IDENTITY_TOKEN_ASSENT", "one");
    for hcp in [tagged, ("TFC_WORKLOAD_IDENTITY_TOKEN", "one")] {
        assert!(found(&[hcp]).unwrap().contains("HCP Terraform"));
    }
    let github = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://vstoken.actions.githubusercontent.com/x?a=b"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "hunter2"),
    ];
    assert!(found(&github).unwrap().contains("GitHub Actions"));
    let ours = ("ASSENT_OIDC_TOKEN", "mine");
    assert!(found(&[tagged, github[0], github[1], ours]).unwrap().contains("ASSENT_OIDC_TOKEN"));
}

#[test]
fn a_run_that_gets_no_identity_is_told_how_it_would() {
    for (variable, said) in [
        ("GITHUB_ACTIONS", "`permissions: id-token: write`"),
        ("TFC_RUN_ID", "TFC_WORKLOAD_IDENTITY_AUDIENCE_ASSENT"),
    ] {
        let url = Some("https://assent.example.com".to_owned());
        let defaults = Defaults { url, oidc: around(&[(variable, "1")]), ..Defaults::default() };
        for config in [block(&[]), block(&[("oidc", Value::object([]))])] {
            let faults = faults(&config, &defaults);
            assert!(faults.list()[0].detail.contains(said), "{faults:?}");
        }
    }
    let half = around(&[("ASSENT_OIDC_REQUEST_URL", "https://a.example")]);
    let defaults = Defaults { oidc: half, ..Defaults::default() };
    assert!(token::read(&block(&[]), &defaults).is_err(), "half of an endpoint is none");
}

#[test]
fn a_token_is_not_sent_in_the_clear() {
    let config = right(&[("url", text("http://assent.example.com"))]);
    assert_eq!(paths(&faults(&config, &Defaults::default())), ["url"]);
}

#[cfg(unix)]
#[test]
fn a_token_file_that_all_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    let config = block(&[
        ("url", text("https://assent.example.com")),
        ("token_file", text(file.to_str().unwrap())),
    ]);
    let told = || configure(&config, &Defaults::default()).unwrap().1;
    assert!(told().list()[0].detail.contains("cannot be read now"));
    std::fs::write(&file, "hunter2").unwrap();
    for (mode, expected) in [(0o644, &["token_file"][..]), (0o640, &[])] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(paths(&told()), expected, "{mode:o}");
    }
}

#[test]
fn unknown_values_are_no_fault() {
    let unknown = [
        ("url", Value::Unknown),
        ("token", Value::Unknown),
        ("oidc", Value::object([("token", Value::Unknown)])),
        ("ca_bundle", Value::Unknown),
        ("retry", Value::object([("attempts", Value::Unknown)])),
    ];
    for (name, value) in unknown {
        let config = block(&[(name, value), ("applying", Value::Bool(false))]);
        let (configured, told) = configure(&config, &Defaults::default()).unwrap();
        assert!(matches!(configured.reach, Reach::NotYetKnown), "{name}");
        assert_eq!((configured.applying, told), (Some(false), Diagnostics::default()));
        assert!(configured.server().is_err());
    }
    let other = block(&[("url", Value::Unknown), ("token", text(""))]);
    assert_eq!(paths(&faults(&other, &Defaults::default())), ["token"], "the rest is checked");
    let (configured, _) =
        configure(&right(&[("applying", Value::Unknown)]), &Defaults::default()).unwrap();
    assert!(matches!(configured.reach, Reach::Known(_)) && configured.applying.is_none());
}

#[test]
fn wrong_addresses_are_refused() {
    let wrong = [
        "",
        "assent",
        "ftp://a",
        "https://",
        "https://a?b=1",
        "https://a#b",
        "https://u:hunter2@a",
    ];
    for address in wrong {
        let faults = validate(&block(&[("url", text(address))]));
        assert_eq!(paths(&faults), ["url"], "{address}");
        assert!(!format!("{faults:?}").contains("hunter2"));
    }
    assert_eq!(validate(&right(&[("url", text("https://a/assent"))])), Diagnostics::default());
}
