//! What weakens a gate, one setting at a time.

use std::collections::BTreeSet;

use assent_core::trust::UnverifiedTrust;

use super::super::Owner;
use super::*;

const ISSUER: &str = "https://token.actions.githubusercontent.com";

fn strict() -> Environment {
    Environment {
        id: 5,
        name: "production".to_owned(),
        can_admins_bypass: false,
        prevent_self_review: true,
        branch_policy: BranchPolicy::Protected,
        reviewers: 1,
        people: BTreeSet::new(),
        wait_timer: 0,
    }
}

fn rule(enabled: bool, app_id: u64) -> Rule {
    Rule { id: 1, enabled, app_id, app_slug: "assent".to_owned() }
}

fn seen_environment(settings: Environment) -> SeenEnvironment {
    SeenEnvironment {
        name: settings.name.clone(),
        settings: Ok(settings),
        patterns: Ok(Vec::new()),
        rules: Ok(vec![rule(true, 42)]),
    }
}

fn permissions() -> BTreeMap<String, String> {
    PERMISSIONS.iter().map(|one| (one.name.to_owned(), one.level.to_owned())).collect()
}

fn sent(status_code: u16) -> Sent {
    let (event, delivered_at) = (EVENTS[0].to_owned(), "2026-11-01T00:00:00Z".to_owned());
    Sent { event, status_code, delivered_at }
}

fn trust(claims: &[(&str, &str)]) -> Trust {
    let basis = [("repository_owner_id", "90"), ("repository_id", "900")];
    let claims = basis.iter().chain(claims);
    UnverifiedTrust {
        name: "shop".to_owned(),
        issuer: ISSUER.to_owned(),
        audience: "https://assent.example".to_owned(),
        shape: Some(Shape::GithubActions),
        claims: claims
            .map(|(name, value)| ((*name).to_owned(), BTreeSet::from([(*value).to_owned()])))
            .collect(),
        kinds: ["**".parse().unwrap()].into(),
        environments: ["prod*".parse().unwrap()].into(),
        ..UnverifiedTrust::default()
    }
    .verify()
    .unwrap()
}

const PINNED: [(&str, &str); 2] = [
    ("environment", "production"),
    ("job_workflow_ref", "acme/shop/.github/workflows/deploy.yml@refs/heads/main"),
];

struct Case {
    permissions: BTreeMap<String, String>,
    own: Result<Own, GithubError>,
    deliveries: Result<Vec<Sent>, GithubError>,
    environments: Vec<SeenEnvironment>,
    trusts: Vec<Trust>,
}

impl Case {
    /// Where nothing weakens anything.
    fn strict() -> Self {
        let owner = Owner { login: "acme".to_owned(), kind: "Organization".to_owned() };
        Self {
            permissions: permissions(),
            own: Ok(Own { events: EVENTS.map(str::to_owned).into(), owner }),
            deliveries: Ok(vec![sent(200)]),
            environments: vec![seen_environment(strict())],
            trusts: vec![trust(&PINNED)],
        }
    }

    fn with(settings: Environment) -> Self {
        Self { environments: vec![seen_environment(settings)], ..Self::strict() }
    }

    fn findings(&self) -> Vec<Finding> {
        let placed = |trust| SeenTrust { trust, file: Some("trusts.yaml") };
        let again = |one: &SeenEnvironment| SeenEnvironment {
            name: one.name.clone(),
            settings: one.settings.clone(),
            patterns: one.patterns.clone(),
            rules: one.rules.clone(),
        };
        examine(&Seen {
            place: "https://github.com",
            app_id: 42,
            slug: "assent",
            owner: "acme",
            name: "shop",
            id: 900,
            owner_id: 90,
            default_branch: "main",
            permissions: &self.permissions,
            own: self.own.clone(),
            deliveries: self.deliveries.clone(),
            environments: self.environments.iter().map(again).collect(),
            trusts: self.trusts.iter().map(placed).collect(),
        })
    }

    /// What is not good, by what it is about.
    fn told(&self) -> Vec<(String, Is)> {
        let all = self.findings().into_iter().filter(|one| one.verdict != Is::Good);
        all.map(|one| (one.about, one.verdict)).collect()
    }

    #[track_caller]
    fn tells(&self, wanted: &[(&str, Is)]) {
        let wanted: Vec<_> = wanted.iter().map(|(about, is)| ((*about).to_owned(), *is)).collect();
        assert_eq!(self.told(), wanted);
    }

    #[track_caller]
    fn one(&self, about: &str) -> Finding {
        let mut all = self.findings().into_iter().filter(|one| one.about == about);
        let found = all.next().unwrap_or_else(|| panic!("nothing about {about}"));
        assert!(all.next().is_none(), "more than one about {about}");
        found
    }
}

const EDIT: &str = "https://github.com/acme/shop/settings/environments/5/edit";

#[test]
fn a_strict_repository_has_no_findings_but_good_ones() {
    let case = Case::strict();
    case.tells(&[]);
    let all = case.findings();
    assert!(all.iter().all(|one| one.weakens.is_none() && one.remedy.is_none()), "{all:#?}");
    assert!(all.iter().all(|one| one.link.is_none()), "{all:#?}");
    let about: Vec<_> = all.iter().map(|one| one.about.as_str()).collect();
    let wanted = [
        "installed",
        "permissions",
        "events",
        "deliveries",
        "rule",
        "admin_bypass",
        "branches",
        "self_review",
        "trust_workflow",
        "trust_environment",
    ];
    assert_eq!(about, wanted);
    let of: Vec<_> = all.iter().skip(4).map(|one| one.environment.as_deref()).collect();
    assert_eq!(of, [Some("production"); 6]);
}

#[test]
fn t72_every_setting_that_opens_a_gate_is_a_finding_with_its_name_and_page() {
    for (settings, about, name) in [
        (
            Environment { can_admins_bypass: true, ..strict() },
            "admin_bypass",
            "*Allow administrators to bypass configured protection rules*",
        ),
        (
            Environment { branch_policy: BranchPolicy::Any, ..strict() },
            "branches",
            "*Deployment branches and tags*",
        ),
        (
            Environment { prevent_self_review: false, ..strict() },
            "self_review",
            "*Prevent self-review*",
        ),
    ] {
        let case = Case::with(settings);
        case.tells(&[(about, Is::Weakens)]);
        let finding = case.one(about);
        assert!(finding.remedy.unwrap().contains(name), "{about}");
        assert!(finding.weakens.is_some(), "{about}");
        assert_eq!(finding.link.as_deref(), Some(EDIT));
    }
    let none = Environment { prevent_self_review: false, reviewers: 0, ..strict() };
    Case::with(none).tells(&[]);
}

#[test]
fn t72_a_rule_that_is_not_ours_or_not_enabled_holds_nothing_up() {
    for (rules, weak) in [
        (vec![], true),
        (vec![rule(true, 7)], true),
        (vec![rule(false, 42)], true),
        (vec![rule(true, 7), rule(false, 42)], true),
        (vec![rule(true, 7), rule(true, 42)], false),
    ] {
        let mut case = Case::strict();
        case.environments[0].rules = Ok(rules.clone());
        match weak {
            true => case.tells(&[("rule", Is::Weakens)]),
            false => case.tells(&[]),
        }
    }
}

#[test]
fn patterns_that_take_whatever_branch_limit_nothing() {
    for (patterns, wanted) in [
        (vec!["main"], None),
        (vec!["release/*", "main"], None),
        (vec!["main", "*"], Some(Is::Weakens)),
        (vec!["**/*"], Some(Is::Weakens)),
        (vec!["*/*"], Some(Is::Weakens)),
        (vec![], Some(Is::Note)),
    ] {
        let mut case = Case::with(Environment { branch_policy: BranchPolicy::Custom, ..strict() });
        case.environments[0].patterns = Ok(patterns.iter().map(|p| (*p).to_owned()).collect());
        match wanted {
            Some(is) => case.tells(&[("branches", is)]),
            None => case.tells(&[]),
        }
    }
}

#[test]
fn a_wait_timer_is_worth_knowing() {
    let case = Case::with(Environment { wait_timer: 30, ..strict() });
    case.tells(&[("wait_timer", Is::Note)]);
    assert!(case.one("wait_timer").found.contains("30 minutes"));
}

#[test]
fn permissions_that_lack_and_those_beyond_are_told_by_their_names() {
    let mut case = Case::strict();
    case.permissions.remove("members");
    case.permissions.insert("deployments".to_owned(), "read".to_owned());
    case.permissions.insert("issues".to_owned(), "read".to_owned());
    case.permissions.insert("administration".to_owned(), "write".to_owned());
    case.permissions.insert("contents".to_owned(), "write".to_owned());
    case.tells(&[
        ("permissions", Is::Weakens),
        ("permissions", Is::Weakens),
        ("permissions_beyond", Is::Weakens),
        ("permissions_beyond", Is::Weakens),
        ("permissions_beyond", Is::Note),
    ]);
    let all = case.findings();
    let lacking: Vec<_> = all.iter().filter(|one| one.about == "permissions").collect();
    assert!(lacking[0].found.contains("*Deployments: write*"), "{lacking:#?}");
    let page = "https://github.com/organizations/acme/settings/apps/assent/permissions";
    assert_eq!(lacking[0].link.as_deref(), Some(page));
    // More than is needed is no lack.
    assert!(all.iter().all(|one| !one.found.contains("lacks *Contents")));
}

#[test]
fn webhooks_that_do_not_come_are_seen() {
    for (deliveries, wanted) in [
        (vec![], Some(Is::Note)),
        (vec![sent(200), sent(500)], None),
        (vec![sent(401), sent(0), sent(200)], Some(Is::Weakens)),
        (vec![sent(0)], Some(Is::Weakens)),
    ] {
        let case = Case { deliveries: Ok(deliveries), ..Case::strict() };
        match wanted {
            Some(is) => case.tells(&[("deliveries", is)]),
            None => case.tells(&[]),
        }
    }
    let case = Case { deliveries: Ok(vec![sent(401), sent(0), sent(200)]), ..Case::strict() };
    let told = case.one("deliveries").found;
    assert!(told.contains("the last 2") && told.contains("401"), "{told}");
    let owner = Owner { login: "eve".to_owned(), kind: "User".to_owned() };
    let one = vec![EVENTS[0].to_owned()];
    let case = Case { own: Ok(Own { events: one, owner: owner.clone() }), ..Case::strict() };
    case.tells(&[("events", Is::Weakens)]);
    let case = Case { own: Ok(Own { events: Vec::new(), owner }), ..Case::strict() };
    case.tells(&[("events", Is::Weakens)]);
    let page = "https://github.com/settings/apps/assent/permissions";
    assert_eq!(case.one("events").link.as_deref(), Some(page));
}

#[test]
fn t31_a_trust_that_pins_neither_workflow_nor_environment_is_too_wide_for_a_gate() {
    for (claims, wanted) in [
        (vec![PINNED[0]], vec![("trust_workflow", Is::Weakens)]),
        (vec![PINNED[1]], vec![("trust_environment", Is::Weakens)]),
        (
            vec![("ref", "refs/heads/main")],
            vec![("trust_workflow", Is::Weakens), ("trust_environment", Is::Weakens)],
        ),
        (vec![("environment", "staging"), PINNED[1]], vec![("trust", Is::Note)]),
    ] {
        let case = Case { trusts: vec![trust(&claims)], ..Case::strict() };
        case.tells(&wanted);
    }
    let case = Case { trusts: vec![trust(&[PINNED[1]])], ..Case::strict() };
    let remedy = case.one("trust_environment").remedy.unwrap();
    assert_eq!(remedy, "in `trusts.yaml` add to its `claims`: `environment: production`");
    // A trust of another repository says nothing of this one.
    let mut other = Case::strict();
    other.environments[0].name = "test".to_owned();
    other.tells(&[("trust", Is::Note)]);
}

#[test]
fn an_environment_that_is_not_there_would_be_made_without_rules() {
    let mut case = Case::strict();
    case.environments[0].settings = Err(GithubError::NotFound("x".to_owned()));
    case.tells(&[("exists", Is::Weakens)]);
    let none = Case { environments: Vec::new(), ..Case::strict() };
    none.tells(&[("environments", Is::Weakens)]);
}

#[test]
fn what_could_not_be_read_is_unknown_and_never_good() {
    let away = || GithubError::Away("no answer".to_owned());
    let mut case = Case::strict();
    case.own = Err(away());
    case.deliveries = Err(GithubError::Refused("x".to_owned()));
    case.environments[0].rules = Err(away());
    case.tells(&[("events", Is::Unknown), ("deliveries", Is::Unknown), ("rule", Is::Unknown)]);
    let mut case = Case::strict();
    case.environments[0].settings = Err(away());
    case.tells(&[("exists", Is::Unknown)]);
    let mut case = Case::with(Environment { branch_policy: BranchPolicy::Custom, ..strict() });
    case.environments[0].patterns = Err(away());
    case.tells(&[("branches", Is::Unknown)]);
}

#[test]
fn t36_names_of_others_leave_neither_their_quotes_nor_their_path() {
    let name = "prod`\u{1b}[2J\n..";
    let mut case = Case::strict();
    case.environments[0].name = name.to_owned();
    case.environments[0].settings = Err(GithubError::NotFound("x".to_owned()));
    let finding = case.one("exists");
    assert!(!finding.found.contains('\u{1b}') && !finding.found.contains('\n'), "{finding:?}");
    assert_eq!(finding.found.matches('`').count(), 2, "{finding:?}");
    assert_eq!(
        page("https://github.com", &["acme", "a/../b"]).unwrap(),
        "https://github.com/acme/a%2F..%2Fb"
    );
    assert_eq!(page("https://github.com", &["acme", ".."]), None);
    let ghes = install_page("https://ghes.example.com", "assent").unwrap();
    assert_eq!(ghes, "https://ghes.example.com/github-apps/assent/installations/new");
}
