//! What a trust takes, and which trusts are too wide to be written.

use serde_json::json;

use super::*;
use crate::policy::Policy;
use crate::policy::document::{Fault, PolicyDocument};
use crate::token::tests::{AUDIENCE, ISSUER, KEYS, verified};

type Pairs<'a> = &'a [(&'a str, &'a str)];

pub(crate) fn claims(pairs: &[(&str, &str)]) -> BTreeMap<String, BTreeSet<String>> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), [(*value).to_owned()].into())).collect()
}

fn globs(texts: &[&str]) -> BTreeSet<Glob> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn written(shape: Option<Shape>, issuer: &str, named: &[(&str, &str)]) -> UnverifiedTrust {
    UnverifiedTrust {
        name: "t".to_owned(),
        issuer: issuer.to_owned(),
        audience: AUDIENCE.to_owned(),
        shape,
        claims: claims(named),
        kinds: globs(&["terraform.*"]),
        environments: globs(&["production"]),
        ..UnverifiedTrust::default()
    }
}

fn for_github() -> UnverifiedTrust {
    let named =
        [("repository_owner_id", "17"), ("repository_id", "4711"), ("environment", "production")];
    written(Some(Shape::GithubActions), ISSUER, &named)
}

/// A trust of one repository's environment.
pub(crate) fn github() -> Trust {
    for_github().verify().unwrap()
}

fn admitted(trust: &Trust, claims: Value) -> Result<Principal, Mismatch> {
    trust.admit(&verified(&KEYS.good("ES256", json!({}), claims)).unwrap())
}

#[test]
fn a_job_is_named_by_ids_and_the_person_who_started_it_is_behind_it() {
    let trust = UnverifiedTrust {
        groups: ["deployers".to_owned()].into(),
        people: [("1001".to_owned(), PrincipalId::local("alice").unwrap())].into(),
        ..for_github()
    };
    let trust = trust.verify().unwrap();
    let who = admitted(&trust, json!({})).unwrap();
    assert_eq!(who.id.to_string(), format!("{ISSUER}#repository:4711:environment:production"));
    assert_eq!(who.kind, PrincipalKind::Workload);
    assert_eq!(who.groups, BTreeSet::from(["deployers".to_owned()]));
    let behind: Vec<_> = who.acts_for.iter().map(ToString::to_string).collect();
    assert_eq!(behind, ["alice", "https://github.com#1001"]);
    assert_eq!((&who.claims["run_id"], &who.claims["trust"]), (&json!("99"), &json!("t")));
    assert!(trust.is_single_use() && trust.lifetime() == DEFAULT_LIFETIME);
    assert!(trust.scope().holds("terraform.apply", "production"));
    assert!(!trust.scope().holds("terraform.apply", "staging"));
    assert!(!trust.scope().holds("database.session", "production"));
}

#[test]
fn t10_a_token_that_does_not_say_who_started_it_is_not_taken() {
    for actor in [json!(null), json!(""), json!(1001), json!("10 01"), json!("10#01#")] {
        assert!(admitted(&github(), json!({"actor_id": actor})).is_err(), "{actor}");
    }
}

#[test]
fn t24_a_token_is_for_this_audience_and_no_other() {
    for audience in [
        json!("https://evil.example"),
        json!("https://assent.example.com/"),
        json!([AUDIENCE, "https://evil.example"]),
        json!(["https://evil.example"]),
    ] {
        let refused = admitted(&github(), json!({"aud": audience}));
        assert_eq!(refused, Err(Mismatch::Audience), "{audience}");
    }
    admitted(&github(), json!({"aud": [AUDIENCE]})).unwrap();
    let refused = admitted(&github(), json!({"iss": format!("{ISSUER}/acme")}));
    assert_eq!(refused, Err(Mismatch::Issuer));
    let at = verified(&KEYS.good("ES256", json!({"typ": "at+jwt"}), json!({}))).unwrap();
    assert_eq!(github().admit(&at), Err(Mismatch::Typ));
}

#[test]
fn t03_what_the_authority_says_itself_is_said_by_no_token() {
    for own in OWN_CLAIMS {
        let said = json!({own: "github-app", own.to_uppercase(): "github-app"});
        let who = admitted(&github(), said).unwrap();
        assert!(who.claims.contains_key("run_id"), "{who:?}");
        assert!(who.claims.keys().all(|name| !name.eq_ignore_ascii_case(own)), "{who:?}");
        // And no trust can name it, so that none keeps it.
        let mut naming = for_github();
        naming.claims.insert(own.to_owned(), ["github-app".to_owned()].into());
        let faults = naming.verify().unwrap_err();
        assert!(faults.iter().any(|fault| fault.problem.contains(own)), "{faults:?}");
        assert!(Shape::ALL.iter().all(|(_, one)| !shape::telling(Some(*one)).contains(&own)));
    }
}

#[test]
fn t25_claims_are_compared_whole_and_names_decide_nothing() {
    let refused = |claims: Value| admitted(&github(), claims).unwrap_err();
    for (claim, value) in [
        ("repository_id", "47110"),
        ("repository_id", "471"),
        ("repository_id", " 4711"),
        ("repository_owner_id", "170"),
        ("environment", "production-evil"),
        ("environment", "Production"),
        ("environment", "prod"),
        ("event_name", "pull_request_target"),
    ] {
        let mismatch = Mismatch::Claim(claim.to_owned());
        assert_eq!(refused(json!({claim: value})), mismatch, "{claim} {value}");
        assert_eq!(refused(json!({claim: [value]})), mismatch, "{claim} {value}");
    }
    assert_eq!(
        refused(json!({"repository_id": 4711})),
        Mismatch::Claim("repository_id".to_owned())
    );
    // A recycled name, another spelling of the subject: the ids are what counts.
    let renamed = json!({"repository": "evil/orders", "sub": "repo:evil@17/orders@4711:ref:x"});
    let (renamed, as_ever) =
        (admitted(&github(), renamed).unwrap(), admitted(&github(), json!({})).unwrap());
    assert_eq!(renamed.id, as_ever.id);
}

#[test]
fn t46_only_events_that_writers_cause_are_taken_unless_others_are_named() {
    for event in ["push", "workflow_dispatch", "deployment"] {
        admitted(&github(), json!({"event_name": event})).unwrap();
    }
    for event in ["pull_request", "pull_request_target", "issue_comment", "workflow_run", "fork"] {
        assert!(admitted(&github(), json!({"event_name": event})).is_err(), "{event}");
    }
    let mut trust = for_github();
    trust.claims.extend(claims(&[("event_name", "schedule")]));
    let trust = trust.verify().unwrap();
    admitted(&trust, json!({"event_name": "schedule"})).unwrap();
    assert!(admitted(&trust, json!({"event_name": "push"})).is_err());
}

/// The first fault of a trust, or nothing.
fn fault_of(trust: UnverifiedTrust) -> Option<(&'static str, String)> {
    let faults = trust.verify().err()?;
    faults.into_iter().next().map(|fault| (fault.field, fault.problem))
}

#[test]
fn t26_a_trust_that_is_too_wide_is_refused() {
    use Shape::{Assent, GithubActions, Gitlab, HcpTerraform, Kubernetes};
    const HCP: &str = "https://app.terraform.io";
    const GITLAB: &str = "https://gitlab.com";
    const CLUSTER: &str = "https://oidc.example.com/cluster";
    const OTHER: &str = "https://assent.other.example";
    let owner = ("repository_owner_id", "17");
    let repository = ("repository_id", "4711");
    let organization = ("terraform_organization_id", "org-1");
    let workspace = ("terraform_workspace_id", "ws-1");
    let wide: &[(Option<Shape>, &str, Pairs, &str)] = &[
        (Some(GithubActions), ISSUER, &[], "`repository_owner_id` is missing"),
        (Some(GithubActions), ISSUER, &[repository], "`repository_owner_id` is missing"),
        (Some(GithubActions), ISSUER, &[owner], "`repository_id` or `job_workflow_ref`"),
        (Some(GithubActions), ISSUER, &[("repository", "acme/orders")], "owner_id` is missing"),
        (Some(GithubActions), ISSUER, &[owner, repository], "`environment` or `ref`"),
        (
            Some(GithubActions),
            ISSUER,
            &[owner, ("environment", "production")],
            "`repository_id` or",
        ),
        (Some(GithubActions), ISSUER, &[owner, repository, ("actor", "alice")], "`environment` or"),
        (
            Some(GithubActions),
            ISSUER,
            &[("sub", "repo:acme/orders:ref:refs/heads/main")],
            "owner_id",
        ),
        (Some(HcpTerraform), HCP, &[workspace], "`terraform_organization_id` is missing"),
        (Some(HcpTerraform), HCP, &[organization], "`terraform_workspace_id` or"),
        (Some(HcpTerraform), HCP, &[organization, workspace], "`terraform_run_phase` is missing"),
        (
            Some(HcpTerraform),
            HCP,
            &[("terraform_organization_name", "acme"), ("terraform_workspace_name", "orders")],
            "`terraform_organization_id` is missing",
        ),
        (
            Some(Gitlab),
            GITLAB,
            &[("project_path", "acme/orders")],
            "`project_id` or `namespace_id`",
        ),
        (Some(Gitlab), GITLAB, &[("project_id", "5")], "`environment` or `ref_protected`"),
        (Some(Gitlab), GITLAB, &[("project_id", "5"), ("ref", "main")], "`ref` with `ref_type`"),
        (Some(Kubernetes), CLUSTER, &[], "serviceaccount/uid` or `sub`"),
        (Some(Kubernetes), CLUSTER, &[("/kubernetes.io/namespace", "ci")], "uid` or `sub`"),
        (Some(Assent), OTHER, &[("environment", "production")], "`client_id` is missing"),
        (None, CLUSTER, &[], "nothing here tells"),
        (None, CLUSTER, &[("email", "ci@example.com"), ("name", "ci")], "nothing here tells"),
        (None, CLUSTER, &[("repository", "acme/orders"), ("ref", "main")], "nothing here tells"),
    ];
    for (shape, issuer, named, told) in wide {
        let (field, problem) = fault_of(written(*shape, issuer, named)).unwrap_or_default();
        assert!(field == "claims" && problem.contains(told), "{shape:?} {named:?}: {problem}");
        assert!(problem.starts_with("too wide"), "{problem}");
    }
    let narrow: &[(Option<Shape>, &str, Pairs)] = &[
        (Some(GithubActions), ISSUER, &[owner, repository, ("environment", "production")]),
        (Some(GithubActions), ISSUER, &[owner, repository, ("ref", "refs/heads/main")]),
        (Some(GithubActions), ISSUER, &[owner, ("job_workflow_sha", "ab12")]),
        (
            Some(GithubActions),
            "https://token.actions.acme.ghe.com",
            &[owner, ("job_workflow_ref", "x")],
        ),
        (Some(HcpTerraform), HCP, &[organization, workspace, ("terraform_run_phase", "apply")]),
        (Some(Gitlab), GITLAB, &[("project_id", "5"), ("ref_protected", "true")]),
        (Some(Gitlab), GITLAB, &[("project_id", "5"), ("ref", "main"), ("ref_type", "branch")]),
        (Some(Kubernetes), CLUSTER, &[("sub", "system:serviceaccount:ci:deploy")]),
        (Some(Kubernetes), CLUSTER, &[("/kubernetes.io/serviceaccount/uid", "u-1")]),
        (Some(Assent), OTHER, &[("client_id", "deploy-bot")]),
        (None, CLUSTER, &[("sub", "ci-runner-7")]),
        (None, CLUSTER, &[("project_uuid", "7f"), ("ref", "main")]),
    ];
    for (shape, issuer, named) in narrow {
        assert_eq!(fault_of(written(*shape, issuer, named)), None, "{shape:?} {named:?}");
    }
}

#[test]
fn t26_without_a_shape_only_what_is_known_or_called_an_id_tells_workloads_apart() {
    const OTHER: &str = "https://id.example.com";
    for name in [
        "acr",
        "ver",
        "token_use",
        "hd",
        "given_name",
        "upn",
        "client_name",
        "azp",
        "scope",
        "roles",
        "email",
        "grid",
        "paid",
        "id",
        "uid",
        "tid",
        "sid",
        "tenant_id",
        "tenantId",
        "org_id",
        "repository_owner_id",
        "user_id",
        "oidc.circleci.com/org-id",
        "https://acme.example/organizationID",
        "/realm/id",
        "id_project",
    ] {
        let (field, problem) = fault_of(written(None, OTHER, &[(name, "1")])).unwrap_or_default();
        assert!(field == "claims" && problem.contains("nothing here tells"), "{name}: {problem}");
    }
    let concerns = |named: Pairs<'_>| written(None, OTHER, named).verify().unwrap().concerns();
    for name in [
        "client_id",
        "project_uuid",
        "repositoryUuid",
        "pipelineID",
        "oidc.circleci.com/project-id",
        "/kubernetes.io/pod/uid",
        "oid",
        "appid",
    ] {
        let told = concerns(&[(name, "1")]);
        assert!(told.len() == 1 && told[0].contains(&format!("`{name}` means")), "{told:?}");
        assert_eq!(concerns(&[(name, "1"), ("sub", "ci")]), [""; 0]);
    }
    assert_eq!(concerns(&[("sub", "ci"), ("acr", "1")]), [""; 0]);
    assert_eq!(concerns(&[("/kubernetes.io/serviceaccount/uid", "u-1")]), [""; 0]);
}

#[test]
fn t26_a_job_of_gitlab_for_an_environment_that_any_branch_may_name_is_warned_of() {
    let concerns = |more: Pairs| {
        let named = [&[("project_id", "5"), ("environment", "production")][..], more].concat();
        written(Some(Shape::Gitlab), "https://gitlab.com", &named).verify().unwrap().concerns()
    };
    for open in [&[][..], &[("environment_protected", "false")], &[("ref_protected", "false")]] {
        let concerns = concerns(open);
        assert!(concerns[0].contains("`environment_protected: \"true\"`"), "{open:?} {concerns:?}");
    }
    let protected: [Pairs; 3] =
        [&[("environment_protected", "true")], &[("ref_protected", "true")], &[("ref_path", "x")]];
    for narrow in protected {
        assert_eq!(concerns(narrow), Vec::<String>::new(), "{narrow:?}");
    }
}

#[test]
fn t26_an_issuer_that_everybody_knows_is_taken_for_nothing_else() {
    for (issuer, word) in [
        (ISSUER.to_owned(), "github-actions"),
        (format!("{ISSUER}/acme"), "github-actions"),
        ("https://app.terraform.io".to_owned(), "hcp-terraform"),
        ("https://gitlab.com".to_owned(), "gitlab"),
    ] {
        for shape in [None, Some(Shape::Kubernetes)] {
            let (field, problem) = fault_of(written(shape, &issuer, &[("sub", "x")])).unwrap();
            assert_eq!((field, problem), ("shape", format!("`{issuer}` needs `shape: {word}`")));
        }
    }
}

#[test]
fn t24_t25_t27_what_says_more_or_less_than_one_thing_is_refused() {
    type Change = fn(&mut UnverifiedTrust);
    let changes: &[(&str, Change)] = &[
        ("issuer", |t| t.issuer = String::new()),
        ("issuer", |t| t.issuer = "token.actions.githubusercontent.com".to_owned()),
        ("issuer", |t| t.issuer = "http://issuer.example.com".to_owned()),
        ("issuer", |t| t.issuer = "https://user@issuer.example.com".to_owned()),
        ("issuer", |t| t.issuer = "https://issuer.example.com?a=b".to_owned()),
        ("issuer", |t| t.issuer = "https://issuer.example.com#x".to_owned()),
        ("issuer", |t| t.issuer = "https://Issuer.example.com".to_owned()),
        ("issuer", |t| t.issuer = "https://issuer.example.com:0".to_owned()),
        ("issuer", |t| t.issuer = "https://issuer.example.com:65536".to_owned()),
        ("issuer", |t| t.issuer = "https://issuer.example.com:0443".to_owned()),
        ("issuer", |t| t.issuer = "https://issuer.example.com/../x".to_owned()),
        ("issuer", |t| t.issuer = "https://issuer.example.com//x".to_owned()),
        ("issuer", |t| t.issuer = "https://issuer.example.com\\x".to_owned()),
        ("issuer", |t| t.issuer = "https://issuer.example.com/%2e".to_owned()),
        ("issuer", |t| t.issuer = "https://".to_owned()),
        ("issuer", |t| t.issuer = "file:///etc/passwd".to_owned()),
        ("issuer", |t| t.issuer = "http://127.0.0.1.evil.example".to_owned()),
        ("jwks_uri", |t| t.jwks_uri = Some("http://keys.example.com".to_owned())),
        ("jwks_uri", |t| t.jwks_uri = Some("https://a@keys.example.com".to_owned())),
        ("audience", |t| t.audience = String::new()),
        ("audience", |t| t.audience = "two words".to_owned()),
        ("audience", |t| t.audience = "x".repeat(256)),
        ("audience", |t| t.audience = ISSUER.to_owned()),
        ("audience", |t| t.audience = "https://github.com/acme".to_owned()),
        ("claims", |t| t.claims.extend(claims(&[("repository", "acme/*")]))),
        ("claims", |t| t.claims.extend(claims(&[("ref", "refs/heads/release-?")]))),
        ("claims", |t| t.claims.extend(claims(&[("ref", "")]))),
        ("claims", |t| t.claims.extend(claims(&[("", "x")]))),
        ("claims", |t| t.claims.extend(claims(&[("aud", AUDIENCE)]))),
        ("claims", |t| t.claims.extend(claims(&[("ref", "refs/heads/\u{202e}niam")]))),
        ("claims", |t| t.claims.extend([("ref".to_owned(), BTreeSet::new())])),
        ("groups", |t| t.groups.extend(["two words".to_owned()])),
        ("principal", |t| t.principal = Some(String::new())),
        ("principal", |t| t.principal = Some("{repository_id}{environment}".to_owned())),
        ("principal", |t| t.principal = Some("{repository_id}-{environment}".to_owned())),
        ("principal", |t| t.principal = Some("{repository_id".to_owned())),
        ("principal", |t| t.principal = Some("repository_id}".to_owned())),
        ("principal", |t| t.principal = Some("{}".to_owned())),
        ("principal", |t| t.principal = Some("a b".to_owned())),
        ("principal", |t| t.principal = Some("a#b".to_owned())),
        ("may_ask", |t| t.kinds.clear()),
        ("may_ask", |t| t.environments.clear()),
        ("lifetime", |t| t.lifetime = Some(Span::minutes(61))),
        ("lifetime", |t| t.lifetime = Some(Span::ZERO)),
        ("jwks", |t| t.jwks = Some(json!({"keys": []}))),
        ("jwks", |t| t.jwks = Some(json!({"keys": [{"kty": "oct", "k": "AQAB", "kid": "a"}]}))),
    ];
    for (at, (field, change)) in changes.iter().enumerate() {
        let mut trust = for_github();
        change(&mut trust);
        let told = fault_of(trust.clone());
        let fields: Vec<_> =
            trust.verify().err().into_iter().flatten().map(|fault| fault.field).collect();
        assert!(fields.contains(field), "{at}: {field} {told:?}");
    }
    let both = UnverifiedTrust {
        jwks: Some(KEYS.jwks()),
        jwks_uri: Some("https://keys.example.com/jwks".to_owned()),
        ..for_github()
    };
    assert_eq!(fault_of(both).unwrap().0, "jwks_uri");
    for issuer in ["https://10.0.0.7:8443/x", "https://[2001:db8::1]/x", "http://localhost:80"] {
        let named = [("sub", "a")];
        assert_eq!(fault_of(written(None, issuer, &named)), None, "{issuer}");
    }
}

#[test]
fn every_fault_is_told_at_once() {
    let trust = UnverifiedTrust { lifetime: Some(Span::hours(2)), ..UnverifiedTrust::default() };
    let fields: Vec<_> = trust.verify().unwrap_err().into_iter().map(|fault| fault.field).collect();
    assert_eq!(fields, ["issuer", "audience", "claims", "may_ask", "may_ask", "lifetime"]);
}

#[test]
fn whatever_a_trust_says_is_in_its_digest() {
    type Change = fn(&mut UnverifiedTrust);
    let changes: &[Change] = &[
        |t| t.name = "u".to_owned(),
        |t| t.issuer = "https://token.actions.acme.ghe.com".to_owned(),
        |t| t.audience = "https://other.example.com".to_owned(),
        |t| t.shape = None,
        |t| t.claims.extend(claims(&[("ref", "refs/heads/main")])),
        |t| t.claims.extend(claims(&[("repository_id", "4712")])),
        |t| t.principal = Some("deploy".to_owned()),
        |t| t.people.extend([("1001".to_owned(), PrincipalId::local("alice").unwrap())]),
        |t| t.groups.extend(["deployers".to_owned()]),
        |t| t.kinds = globs(&["terraform.apply"]),
        |t| t.environments = globs(&["production", "staging"]),
        |t| t.lifetime = Some(Span::minutes(5)),
        |t| t.single_use = Some(true),
        |t| t.jwks = Some(KEYS.jwks()),
        |t| t.jwks_uri = Some("https://keys.example.com".to_owned()),
    ];
    let mut seen = BTreeSet::from([for_github().digest().to_string()]);
    for change in changes {
        let mut trust = for_github();
        change(&mut trust);
        seen.insert(trust.digest().to_string());
    }
    assert_eq!(seen.len(), changes.len() + 1);
    assert_eq!(for_github().verify().unwrap().digest(), github().digest());
}

#[test]
fn a_name_made_of_claims_cannot_be_forged_by_their_values() {
    let named = |text: &str, claims: Value| {
        let trust = UnverifiedTrust { principal: Some(text.to_owned()), ..for_github() };
        admitted(&trust.verify().unwrap(), claims).map(|who| who.id.sub().to_owned())
    };
    let text = "run:{run_id}:of:{ref}";
    assert_eq!(named(text, json!({})).unwrap(), "run:99:of:refs/heads/main");
    let forged = named(text, json!({"run_id": "1:of:a b%", "ref": "x"})).unwrap();
    assert_eq!(forged, "run:1%3Aof%3Aa%20b%25:of:x");
    assert_eq!(named("{sub}", json!({})).unwrap(), "repo:acme/orders:environment:production");
    assert!(named("{sub}", json!({"sub": "a b"})).is_err());
    assert!(named("{none}", json!({})).is_err());
    assert_eq!(named("deploy-orders", json!({})).unwrap(), "deploy-orders");
}

#[test]
fn who_started_a_workload_is_known_by_the_issuers_number() {
    use Shape::{Assent, GithubActions, Gitlab, HcpTerraform, Kubernetes};
    let of = |shape, issuer: &str, value: &str| {
        shape::person(Some(shape), issuer).map(|person| person.id(value).unwrap().to_string())
    };
    for (shape, issuer, value, wanted) in [
        (GithubActions, ISSUER, "1", Some("https://github.com#1")),
        (
            GithubActions,
            "https://token.actions.githubusercontent.com/acme",
            "1",
            Some("https://github.com#1"),
        ),
        (GithubActions, "https://token.actions.acme.ghe.com", "1", Some("https://acme.ghe.com#1")),
        (
            GithubActions,
            "https://ghe.example.com/_services/token",
            "1",
            Some("https://ghe.example.com#1"),
        ),
        (Gitlab, "https://gitlab.com", "7", Some("https://gitlab.com#7")),
        (Assent, "https://b.example", "bob", Some("https://b.example#bob")),
        (Assent, "https://b.example", "https://id.example#8", Some("https://id.example#8")),
        (HcpTerraform, "https://app.terraform.io", "1", None),
        (Kubernetes, "https://k.example", "1", None),
    ] {
        assert_eq!(of(shape, issuer, value).as_deref(), wanted, "{issuer}");
    }
}

/// The policy of these sections, or its faults as they are printed.
fn compiled(sections: &str) -> Result<Policy, Vec<String>> {
    let text = format!("apiVersion: assent/v1\nkind: Policy\n{sections}");
    let document = PolicyDocument { file: "p.yaml".to_owned(), text };
    let told = |faults: Vec<Fault>| faults.iter().map(ToString::to_string).collect();
    Policy::compile(&[document]).map_err(told)
}

const WRITTEN: &str = "groups: {deployers: {identity: true}, managers: [person:bob]}
trusts:
  orders:
    issuer: https://token.actions.githubusercontent.com
    audience: https://assent.example.com
    shape: github-actions
    claims: {repository_owner_id: \"17\", repository_id: {in: [\"4711\", \"4712\"]}, environment: production}
    people: {\"1001\": person:alice}
    groups: [deployers]
    may_ask: {kinds: [terraform.*], environments: [production]}
    lifetime: 10m
    single_use: false
";

#[test]
fn a_trust_is_read_from_a_policy_document() {
    let policy = compiled(WRITTEN).unwrap();
    let trust = policy.trust("orders").unwrap();
    assert_eq!(policy.trusts().map(Trust::name).collect::<Vec<_>>(), ["orders"]);
    assert_eq!((trust.lifetime(), trust.is_single_use()), (Span::minutes(10), false));
    let who = admitted(trust, json!({})).unwrap();
    assert_eq!(who.id.sub(), "repository:4711:environment:production");
    assert_eq!(who.acts_for.len(), 2);
    admitted(trust, json!({"repository_id": "4712"})).unwrap();
    assert!(policy.trust("Orders").is_none());
    // Layout and comments are not what a trust says.
    let again = compiled(&WRITTEN.replace("    groups:", "    # who\n    groups:")).unwrap();
    assert_eq!(again.trust("orders").unwrap().digest(), trust.digest());
    let keys = format!("{WRITTEN}    jwks: {}\n", KEYS.jwks());
    let pinned = compiled(&keys).unwrap();
    assert!(matches!(pinned.trust("orders").unwrap().keys(), KeySource::Pinned(_)));
}

#[test]
fn t26_what_is_wrong_with_a_trust_is_told_where_it_stands() {
    let other = WRITTEN.split_once("  orders:").unwrap().1.replace("single_use: false", "");
    for (from, to, told) in [
        ("shape: github-actions", "shape: github", "p.yaml:8:12: unknown `github`"),
        ("audience: https", "audiences: https", "p.yaml:7:5: unknown key `audiences` in trust"),
        ("{in: [\"4711\", \"4712\"]}", "4711", "p.yaml:9:56: expected text (put it in quotes)"),
        ("{in: [\"4711\", \"4712\"]}", "{in: []}", "`in` is empty"),
        ("{in: [\"4711\", \"4712\"]}", "{glob: \"47*\"}", "unknown key `glob` in claim"),
        ("{in: [\"4711\", \"4712\"]}", "\"47*\"", "p.yaml:9:13: trust `orders`: claims: "),
        (", environment: production}", "}", "p.yaml:9:13: trust `orders`: claims: too wide"),
        ("[deployers]", "[managers]", "trust `orders` puts workloads into the group `managers`"),
        ("[deployers]", "[nobody]", "trust `orders` puts workloads into the group `nobody`"),
        ("person:alice", "group:managers", "expected person:NAME"),
        (
            "lifetime: 10m",
            "lifetime: 2h",
            "p.yaml:13:15: trust `orders`: lifetime: 2h is not within",
        ),
        (", environments: [production]", "", "may_ask lacks `environments`"),
        ("[terraform.*]", "[]", "`kinds` is empty"),
        ("single_use: false", "jwks: {keys: []}", "trust `orders`: jwks: no key"),
        ("  orders:", "  or ders:", "expected a name of 1 to 63"),
    ] {
        assert!(WRITTEN.contains(from), "{from}");
        let faults = compiled(&WRITTEN.replace(from, to)).unwrap_err();
        assert!(faults.iter().any(|fault| fault.contains(told)), "{to}: {faults:#?}");
    }
    let twice = [WRITTEN, "apiVersion: assent/v1\nkind: Policy\ntrusts:\n  orders:"];
    let documents = [
        format!("apiVersion: assent/v1\nkind: Policy\n{}", twice[0]),
        format!("{}{other}", twice[1]),
    ];
    let name = |at: usize| format!("{at}.yaml");
    let documents: Vec<_> = documents
        .into_iter()
        .enumerate()
        .map(|(at, text)| PolicyDocument { file: name(at), text })
        .collect();
    let faults = Policy::compile(&documents).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert_eq!(faults[0].message, "trust `orders` is defined twice: at 0.yaml:5:3 already");
}

#[test]
fn the_trusts_of_the_guide_are_trusts() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guides/trusts.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let block = guide.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let document = PolicyDocument { file: "p.yaml".to_owned(), text: block.to_owned() };
    let policy = Policy::compile(std::slice::from_ref(&document)).unwrap();
    assert_eq!(Policy::lint(&[document], None).unwrap(), []);
    assert_eq!(policy.trusts().count(), 1);
    for (word, _) in Shape::ALL {
        assert!(guide.contains(&format!("| `{word}` | ")), "{word}");
    }
}
