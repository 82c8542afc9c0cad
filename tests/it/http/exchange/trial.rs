//! What would become of a token: told to administrators, without letting anybody in.

use super::*;

async fn tried(server: &Server, token: &str) -> wire::TokenTried {
    let root = server.administrator().await;
    root.client.try_token(&Secret::new(token.to_owned())).await.unwrap()
}

#[tokio::test]
async fn a_trial_says_who_its_holder_would_be_and_spends_nothing() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "single_use: true").await;
    let token = job(&issuer, json!({}));
    for _ in 0..2 {
        let tried = tried(&server, &token).await;
        assert!(tried.accepted && tried.problem.is_none(), "{tried:?}");
        let who = tried.principal.unwrap();
        assert_eq!(who.sub, "repository:4711:environment:production");
        assert_eq!(tried.trusts, [wire::TrustVerdict { trust: "acme".to_owned(), problem: None }]);
    }
    presented(&server, &token).await.is(200);
}

#[tokio::test]
async fn a_trial_says_what_each_trust_objects_to() {
    let issuer = Issuer::start().await;
    let (acme, other) = (github(&issuer.url, "acme", ""), github(&issuer.url, "other", ""));
    let server = ruled_by(&rules(&acme)).await;
    let twice = ruled_by(&rules(&format!("{acme}{other}"))).await;
    for (claims, said) in [
        (json!({"aud": "https://elsewhere.example"}), "not for"),
        (json!({"repository_id": "4712"}), "repository_id"),
        (json!({"exp": NOW - 100}), "expired"),
    ] {
        let tried = tried(&server, &job(&issuer, claims)).await;
        let problem = tried.trusts[0].problem.clone().unwrap();
        assert!(
            !tried.accepted && tried.principal.is_none() && problem.contains(said),
            "{tried:?}"
        );
    }
    let stranger = tried(&server, &job(&issuer, json!({"iss": "https://evil.example"}))).await;
    assert_eq!(stranger.problem.as_deref(), Some("no trust is for its issuer"));
    assert!(!tried(&server, "nonsense").await.accepted);
    let both = tried(&twice, &job(&issuer, json!({}))).await;
    assert!(!both.accepted && both.principal.is_none(), "{both:?}");
    assert!(both.problem.unwrap().contains("more than one"));
}

#[tokio::test]
async fn t66_a_trial_is_for_administrators_and_leaves_nothing_behind() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "").await;
    let token = job(&issuer, json!({}));
    let before = server.authority.ledger().head().await.unwrap().size;
    let body = json!({"token": token});
    let alice = server.person("alice").await;
    alice.post("/v1/trusts/check", &body).await.refuses(403, "not_administrator");
    let root = server.administrator().await;
    let made = server.authority.ledger().head().await.unwrap().size - before;
    let answer = root.post("/v1/trusts/check", &body).await.is(200);
    assert!(!answer.text.contains(token.rsplit('.').next().unwrap()), "{}", answer.text);
    assert_eq!(made, 2, "alice's token and root's");
    assert_eq!(server.authority.ledger().head().await.unwrap().size - before, made);
    let trial = wire::TokenTrial { token };
    assert_eq!(format!("{trial:?}"), "TokenTrial");
}

#[tokio::test]
async fn every_trust_that_rules_is_told_wherever_it_was_written() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "").await;
    let root = server.administrator().await;
    let trust = wire::NewTrust {
        issuer: "https://id.example.com".to_owned(),
        audience: AUDIENCE.to_owned(),
        claims: [("sub".to_owned(), wire::ClaimIs::Exactly("robot".to_owned()))].into(),
        may_ask: wire::MayAsk {
            kinds: ["**".to_owned()].into(),
            environments: ["**".to_owned()].into(),
        },
        ..wire::NewTrust::default()
    };
    root.client.write_trust("robot", &trust, None).await.unwrap();
    let alice = server.person("alice").await;
    let all = alice.client.trusts().await.unwrap().trusts;
    let told: Vec<_> = all.iter().map(|trust| (trust.name.as_str(), trust.kept)).collect();
    assert_eq!(told, [("acme", false), ("robot", true)]);
    assert_eq!(all[0].shape.as_deref(), Some("github-actions"));
    let events = ["deployment", "push", "workflow_dispatch"].map(str::to_owned);
    assert_eq!(all[0].claims["event_name"], BTreeSet::from(events), "what was left unsaid");
    assert_eq!((all[0].single_use, all[1].single_use), (true, false));
    assert!(all[1].concerns[0].contains("every kind in every environment"), "{all:?}");
    // Who may not approve their own job, and how a job is named, is to be seen.
    let known = [("1001", "person:bob"), ("1002", "person:carol")];
    let known = known.map(|(number, person)| (number.to_owned(), person.to_owned()));
    assert_eq!((&all[0].people, all[1].people.is_empty()), (&known.into(), true));
    let (job, robot) = (all[0].principal.as_str(), all[1].principal.as_str());
    assert_eq!((job, robot), ("repository:{repository_id}:environment:{environment}", "{sub}"));
    assert!(all[0].file.is_some() && all[1].file.is_none(), "{all:?}");
    let robot = server.workload("robot", &[]).await;
    robot.get("/v1/trusts").await.refuses(403, "not_for_workloads");
}
