//! Security event tokens: who is believed, what each tells, and what is done with hostile ones.

use assent_core::time::Span;
use assent_server::issuers::Reach;
use assent_server::network::Proxies;
use assent_server::policy::Source;
use assent_server::rates::{Rate, Rates};
use serde_json::{Value, json};

use crate::http::engines::Tape;
use crate::support::{
    Answer, Caller, Issuer, Manner, Server, Setup, documents, filing, fresh_key, mint, sent,
};

/// RFC 8417 section 7.2.
const KIND: &str = "application/secevent+jwt";
const NOW: i64 = 1_800_000_000;
const AUDIENCE: &str = "https://assent.example.com/events";
const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type";
const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type";

struct World {
    server: Server,
    issuer: Issuer,
    root: Caller,
    alice: Caller,
}

impl World {
    async fn start() -> Self {
        Self::set_up("", Setup::default()).await
    }

    /// Where the transmitter speaks of the people of this issuer besides its own.
    async fn speaking_of(more: &str) -> Self {
        Self::set_up(more, Setup::default()).await
    }

    async fn set_up(more: &str, setup: Setup) -> Self {
        let issuer = Issuer::start().await;
        let text = format!(
            "
apiVersion: assent/v1
kind: Policy
rules:
  - {{id: staging, when: {{intent.environment: staging}}, allow: {{credential: {{max_ttl: 15m}}}}}}
transmitters:
  idp:
    issuer: {url}
    audience: {AUDIENCE}
    issuers: [{url}{more}]
    people: {{u-1: person:alice, 'acct:alice@example.com': person:alice, u-2: person:bob}}
    events:
      account-disabled: suspended
      session-revoked: {{state: risky, for: 1h}}
      device-compliance-change: risky
      risk-level-change: risky
      credential-compromise: suspended
",
            url = issuer.url
        );
        let (source, reach) =
            (Source::Given(documents(&text)), Reach { loopback: true, ..Reach::default() });
        let server = Server::set_up(Setup { source, reach, ..setup }).await;
        let (root, alice) = (server.administrator().await, server.person("alice").await);
        Self { server, issuer, root, alice }
    }

    /// A token that tells this event of the subject, with these claims and header members besides.
    fn token(&self, uri: &str, payload: Value, more: Value, header: Value) -> String {
        let mut claims = json!({
            "iss": self.issuer.url,
            "aud": AUDIENCE,
            "jti": fresh_key().as_str(),
            "iat": NOW,
            "sub_id": {"format": "opaque", "id": "u-1"},
            "events": {uri: payload},
        });
        let claims_of = claims.as_object_mut().unwrap();
        for (name, value) in more.as_object().unwrap() {
            match value.is_null() {
                true => drop(claims_of.remove(name)),
                false => drop(claims_of.insert(name.clone(), value.clone())),
            }
        }
        let mut head = json!({"typ": "secevent+jwt"});
        head.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        self.issuer.sign(head, &claims)
    }

    fn told(&self, uri: &str, payload: Value) -> String {
        self.token(uri, payload, json!({}), json!({}))
    }

    async fn push(&self, token: &str) -> Answer {
        let key = fresh_key();
        let stranger = self.server.stranger();
        stranger.post_bytes(key.as_str(), "/v1/signals", KIND, token.as_bytes().to_vec()).await
    }

    async fn refused(&self, what: &str, token: &str, err: &str) {
        let answer = self.push(token).await;
        assert_eq!((answer.status, answer.str("err")), (400, err.to_owned()), "{what}: {answer:?}");
        assert!(!answer.str("description").is_empty(), "{what}");
        assert_eq!(answer.headers["content-language"], "en-US", "{what}");
    }

    async fn holding(&self) -> Vec<String> {
        let all = self.root.get("/v1/signals").await.is(200).json();
        let word = |signal: &Value| signal["state"].as_str().unwrap().to_owned();
        all["about"].as_array().unwrap().iter().map(word).collect()
    }

    async fn logged(&self, kind: &str) -> Vec<Value> {
        let entries = self.root.client.entries(0).await.unwrap().entries;
        let theirs = entries.into_iter().map(|entry| entry.event);
        theirs.filter(|event| event["type"] == kind).collect()
    }
}

fn disabled() -> String {
    format!("{RISC}/account-disabled")
}

#[tokio::test]
async fn a_disabled_account_ends_what_is_live_and_an_enabled_one_acts_again() {
    let world = World::start().await;
    let filing = filing("staging", "r");
    let request = world.alice.client.file(&filing, &fresh_key()).await.unwrap();
    let credential = mint(&world.alice, &request).await.unwrap();
    let accepted = world.push(&world.told(&disabled(), json!({"reason": "hijacking"}))).await;
    assert_eq!((accepted.status, accepted.text.as_str()), (202, ""));
    world.alice.get("/v1/whoami").await.refuses(403, "suspended");
    let dave = world.server.person("dave").await;
    let fields = [("token", credential.token.as_str())];
    let answer = dave.form("/oauth/introspect", &fields).await.is(200);
    assert_eq!(answer.json(), json!({"active": false}));
    let signals = world.logged("signal_heard").await;
    let signal = &signals[0];
    assert_eq!(signal["signal"]["teller"], "transmitter:idp");
    assert_eq!(signal["token"]["issuer"], world.issuer.url);
    assert!(signal.get("by").is_none());
    world.push(&world.told(&format!("{RISC}/account-enabled"), json!({}))).await.is(202);
    world.alice.get("/v1/whoami").await.is(200);
}

#[tokio::test]
async fn t68_who_pushes_too_often_is_asked_to_wait_and_nobody_else_is() {
    let events = Rate { burst: 3, each: Span::seconds(6) };
    let proxies = Proxies::new(vec!["127.0.0.0/8".parse().unwrap()], None);
    let rates = Rates { events, ..Rates::default() };
    let world = World::set_up("", Setup { rates, proxies, ..Setup::default() }).await;
    let from = async |ip: &str, token: &str| {
        let call = world.server.stranger().call("POST", "/v1/signals");
        let call = call.header("x-forwarded-for", ip).header("content-type", KIND);
        sent(call.body(token.to_owned())).await
    };
    let elsewhere = Issuer::start().await;
    let other = elsewhere.sign(json!({"typ": "secevent+jwt"}), &json!({"iss": elsewhere.url}));
    for token in ["none", "", &other] {
        from("203.0.113.9", token).await.is(400);
    }
    let answer = from("203.0.113.9", &other).await;
    assert_eq!(answer.headers["retry-after"], "6");
    answer.refuses(429, "too_many");
    // Neither somebody elsewhere has to wait, nor whom policy lists, behind the same address.
    from("203.0.113.10", &other).await.is(400);
    for _ in 0..3 {
        from("203.0.113.9", &world.told(&disabled(), json!({}))).await.is(202);
    }
    from("203.0.113.9", &world.told(&disabled(), json!({}))).await.refuses(429, "too_many");
    world.server.time().pass(Span::seconds(6));
    from("203.0.113.9", &other).await.is(400);
}

#[tokio::test]
async fn t68_who_pushes_nonsense_does_not_fill_the_log() {
    let tape = Tape::default();
    let writer = tape.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _kept = tracing::subscriber::set_default(subscriber);
    let world = World::start().await;
    for _ in 0..30 {
        world.push("none").await.is(400);
    }
    world.server.time().pass(Span::seconds(6));
    world.push("none").await.is(400);
    let log = tape.text();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("was not taken")).collect();
    assert_eq!(lines.len(), 21, "{log}");
    assert!(lines[20].contains("left_out=10"), "{}", lines[20]);
}

#[tokio::test]
async fn t11_good_news_of_one_device_is_none_of_another() {
    let world = World::start().await;
    let of = |device: &str, status: &str| {
        let user = json!({"format": "opaque", "id": "u-1"});
        let device = json!({"format": "opaque", "id": device});
        let subject = json!({"format": "complex", "user": user, "device": device});
        let payload = json!({"current_status": status});
        let uri = format!("{CAEP}/device-compliance-change");
        world.token(&uri, payload, json!({"sub_id": subject}), json!({}))
    };
    world.push(&of("laptop", "not-compliant")).await.is(202);
    world.push(&of("phone", "compliant")).await.is(202);
    assert_eq!(world.holding().await, ["risky"]);
    world.push(&of("laptop", "compliant")).await.is(202);
    assert_eq!(world.holding().await, [""; 0]);

    let of = |principal: &str, level: &str| {
        let payload = json!({"principal": principal, "current_level": level});
        world.told(&format!("{CAEP}/risk-level-change"), payload)
    };
    world.push(&of("USER", "HIGH")).await.is(202);
    world.push(&of("DEVICE", "LOW")).await.is(202);
    assert_eq!(world.holding().await, ["risky"]);
    world.push(&of("USER", "LOW")).await.is(202);
    assert_eq!(world.holding().await, [""; 0]);
}

#[tokio::test]
async fn a_person_is_known_by_issuer_and_subject_or_by_what_policy_names_and_by_nothing_else() {
    let world = World::start().await;
    let uri = disabled();
    let of = |sub_id: Value| world.token(&uri, json!({}), json!({"sub_id": sub_id}), json!({}));
    for (named, wanted) in [
        (json!({"format": "opaque", "id": "u-1"}), "alice"),
        (json!({"format": "account", "uri": "acct:alice@example.com"}), "alice"),
        (json!({"format": "iss_sub", "iss": world.issuer.url, "sub": "u-2"}), "bob"),
        (json!({"format": "iss_sub", "iss": world.issuer.url, "sub": "u-9"}), "u-9"),
        (
            json!({"format": "complex", "user": {"format": "opaque", "id": "u-2"}, "session": {"format": "opaque", "id": "s"}}),
            "bob",
        ),
        (
            json!({"format": "aliases", "identifiers": [{"format": "email", "email": "x@y.z"}, {"format": "opaque", "id": "u-1"}]}),
            "alice",
        ),
    ] {
        world.push(&of(named.clone())).await.is(202);
        let last = world.logged("signal_heard").await.pop().unwrap();
        assert_eq!(last["signal"]["about"]["person"]["sub"], wanted, "{named}");
    }
    let heard = world.logged("signal_heard").await.len();
    // Of nobody, or of somebody else's people: acknowledged, on record, and nothing follows.
    for nobody in [
        json!({"format": "opaque", "id": "u-8"}),
        json!({"format": "iss_sub", "iss": "assent:local", "sub": "alice"}),
        json!({"format": "iss_sub", "iss": "https://other.example.com", "sub": "u-1"}),
        json!({"format": "aliases", "identifiers": [{"format": "opaque", "id": "u-1"}, {"format": "opaque", "id": "u-2"}]}),
    ] {
        world.push(&of(nobody)).await.is(202);
    }
    assert_eq!(world.logged("event_token").await.len(), 4);
    for unfit in [
        json!({"format": "email", "email": "alice@example.com"}),
        json!({"format": "phone_number", "phone_number": "+49"}),
        json!({"format": "opaque"}),
        json!({"format": "complex", "tenant": {"format": "opaque", "id": "t"}}),
        json!({"format": "complex", "user": {"format": "complex", "user": {"format": "opaque", "id": "u-1"}}}),
        json!("u-1"),
    ] {
        world.refused(&unfit.to_string(), &of(unfit), "invalid_request").await;
    }
    assert_eq!(world.logged("signal_heard").await.len(), heard);
}

#[tokio::test]
async fn a_transmitter_that_speaks_of_our_people_may_know_them_under_our_url() {
    let world = World::speaking_of(", local").await;
    let told = |iss: &str| {
        let sub_id = json!({"format": "iss_sub", "iss": iss, "sub": "alice"});
        world.token(&disabled(), json!({}), json!({"sub_id": sub_id}), json!({}))
    };
    world.push(&told("https://other.example.com")).await.is(202);
    world.alice.get("/v1/whoami").await.is(200);
    world.push(&told(world.server.authority.base())).await.is(202);
    world.alice.get("/v1/whoami").await.refuses(403, "suspended");
    // One that does not speak of them does so under no name.
    let world = World::start().await;
    let sub_id = json!({"format": "iss_sub", "iss": world.server.authority.base(), "sub": "alice"});
    let token = world.token(&disabled(), json!({}), json!({"sub_id": sub_id}), json!({}));
    world.push(&token).await.is(202);
    world.alice.get("/v1/whoami").await.is(200);
}

#[tokio::test]
async fn what_an_event_counts_as_and_for_how_long_policy_says() {
    let world = World::start().await;
    let caep = |word: &str| format!("{CAEP}/{word}");
    let revoked = world.told(&caep("session-revoked"), json!({"event_timestamp": NOW - 5}));
    world.push(&revoked).await.is(202);
    assert_eq!(world.holding().await, ["risky"]);
    world.server.time().pass(Span::hours(1));
    assert_eq!(world.holding().await, Vec::<String>::new());
    let device = |status: &str, at: i64| {
        let payload = json!({"current_status": status, "event_timestamp": at});
        world.told(&caep("device-compliance-change"), payload)
    };
    world.push(&device("not-compliant", NOW - 60)).await.is(202);
    assert_eq!(world.holding().await, ["risky"]);
    world.push(&device("compliant", NOW - 30)).await.is(202);
    assert_eq!(world.holding().await, Vec::<String>::new());
    // One that was under way for long says nothing of now.
    world.push(&device("not-compliant", NOW - 45)).await.is(202);
    assert_eq!(world.holding().await, Vec::<String>::new());
    world.refused("no status", &device("fine", NOW), "invalid_request").await;
    // Known, and nothing to this policy.
    let change = json!({"change_type": "update", "credential_type": "password"});
    world.push(&world.told(&caep("credential-change"), change)).await.is(202);
    assert_eq!(world.logged("event_token").await.len(), 1);
    // Of the stream itself.
    world.push(&world.told(&format!("{SSF}/verification"), json!({"state": "x"}))).await.is(202);
    let paused = json!({"status": "paused"});
    world.push(&world.told(&format!("{SSF}/stream-updated"), paused)).await.is(202);
    let noted = world.logged("event_token").await;
    let events: Vec<_> = noted.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["credential-change", "verification", "stream-updated"]);
}

#[tokio::test]
async fn t31_a_token_is_heard_once_however_often_it_is_sent() {
    let world = World::start().await;
    let token = world.told(&disabled(), json!({}));
    world.push(&token).await.is(202);
    let clear = json!({"about": {"person": {"iss": "assent:local", "sub": "alice"}}, "state": "clear", "reason": "r"});
    world.root.post("/v1/signals", &clear).await.is(201);
    world.push(&token).await.is(202);
    assert_eq!(world.holding().await, Vec::<String>::new());
    world.alice.get("/v1/whoami").await.is(200);
    // The same `jti` in another token is the same token.
    let again = |sub: &str| {
        let more = json!({"jti": "one", "sub_id": {"format": "opaque", "id": sub}});
        world.token(&disabled(), json!({}), more, json!({}))
    };
    world.push(&again("u-1")).await.is(202);
    world.push(&again("u-2")).await.is(202);
    assert_eq!(world.holding().await.len(), 1);
}

#[tokio::test]
async fn t18_t21_t24_hostile_event_tokens_are_refused_and_nothing_is_heard() {
    let world = World::start().await;
    let uri = disabled();
    let with = |more: Value| world.token(&uri, json!({}), more, json!({}));
    let headed = |header: Value| world.token(&uri, json!({}), json!({}), header);
    for (what, token) in [
        ("an id token", headed(json!({"typ": "JWT"}))),
        ("an access token", headed(json!({"typ": "at+jwt"}))),
        ("no algorithm", headed(json!({"alg": "none"}))),
        ("a header that steers", headed(json!({"jku": "https://evil.example.com"}))),
        ("from the future", with(json!({"iat": NOW + 61}))),
        ("long ago", with(json!({"iat": NOW - 7 * 24 * 3600}))),
        ("over", with(json!({"exp": NOW - 61}))),
        ("no jti", with(json!({"jti": null}))),
        ("a jti that is none", with(json!({"jti": 7}))),
        ("no iat", with(json!({"iat": null}))),
        ("a sub", with(json!({"sub": "alice"}))),
        ("no events", with(json!({"events": null}))),
        ("events of nothing", with(json!({"events": {}}))),
        ("two events", with(json!({"events": {&uri: {}, format!("{CAEP}/session-revoked"): {}}}))),
        ("a payload that is none", with(json!({"events": {&uri: 1}}))),
        ("no subject", with(json!({"sub_id": null}))),
        (
            "two subjects",
            world.token(
                &uri,
                json!({"subject": {"format": "opaque", "id": "u-2"}}),
                json!({}),
                json!({}),
            ),
        ),
        ("huge", with(json!({"padding": "x".repeat(20_000)}))),
        ("nothing", String::new()),
        ("rubbish", "\u{0}\u{1}.é.".to_owned()),
    ] {
        world.refused(what, &token, "invalid_request").await;
    }
    let other = json!({"aud": "https://other.example.com"});
    world.refused("for others", &with(other), "invalid_audience").await;
    let both = json!({"aud": [AUDIENCE, "https://other.example.com"]});
    world.refused("for others too", &with(both), "invalid_audience").await;
    let posing = json!({"iss": "https://evil.example.com"});
    world.refused("of nobody", &with(posing), "invalid_issuer").await;
    let mallory = Issuer::start().await;
    let forged = {
        let claims = json!({"iss": world.issuer.url, "aud": AUDIENCE, "jti": "j", "iat": NOW,
            "sub_id": {"format": "opaque", "id": "u-1"}, "events": {&uri: {}}});
        mallory.sign(json!({"typ": "secevent+jwt"}), &claims)
    };
    world.refused("another's signature", &forged, "invalid_key").await;
    let mut cut = with(json!({}));
    cut.truncate(cut.len() - 4);
    cut.push_str("AAAA");
    world.refused("a changed signature", &cut, "invalid_key").await;
    world.refused("an unknown key", &headed(json!({"kid": "other"})), "invalid_key").await;
    assert_eq!(mallory.asked(), 0, "nothing is fetched for anybody who is not listed");
    assert_eq!(world.holding().await, Vec::<String>::new());
    assert!(
        world.logged("signal_heard").await.is_empty()
            && world.logged("event_token").await.is_empty()
    );
    // And no event token is let in as somebody.
    let token = with(json!({"sub": "x", "exp": NOW + 60}));
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    let fields = [
        ("grant_type", exchange),
        ("subject_token", token.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
    ];
    assert_eq!(world.server.stranger().form("/oauth/token", &fields).await.status, 400);
}

/// RFC 8935 section 2.4 refuses what is malformed; there is no error for what a receiver does not support.
#[tokio::test]
async fn an_event_that_nobody_here_knows_is_acknowledged_and_comes_to_nothing() {
    let world = World::start().await;
    let long = format!("https://example.com/{}", "x".repeat(300));
    let unknown = [
        format!("{CAEP}/session-established"),
        format!("{CAEP}/token-claims-change"),
        format!("{RISC}/identifier-changed"),
        // Known, but of the other family.
        format!("{CAEP}/account-disabled"),
        format!("{SSF}/something-new"),
        long.clone(),
    ];
    for uri in &unknown {
        // Of whatever form its subject is.
        let odd = json!({"sub_id": {"format": "email", "email": "alice@example.com"}});
        world.push(&world.token(uri, json!({"new": [1]}), odd, json!({}))).await.is(202);
    }
    assert!(world.logged("signal_heard").await.is_empty());
    assert_eq!(world.holding().await, Vec::<String>::new());
    let noted = world.logged("event_token").await;
    let events: Vec<_> = noted.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events[..5], unknown[..5]);
    assert_eq!(events[5], &long[..200]);
    assert!(noted.iter().all(|entry| entry["ignored"] == "it is no event that is known here"));
    // It is believed no sooner than any other: not unsigned, and not for somebody else.
    let other =
        world.token(&unknown[0], json!({}), json!({"aud": "https://other.example.com"}), json!({}));
    world.refused("for others", &other, "invalid_audience").await;
    let mallory = Issuer::start().await;
    let claims = json!({"iss": world.issuer.url, "aud": AUDIENCE, "jti": "j", "iat": NOW,
        "events": {&unknown[0]: {}}});
    let forged = mallory.sign(json!({"typ": "secevent+jwt"}), &claims);
    world.refused("forged", &forged, "invalid_key").await;
    assert_eq!(world.logged("event_token").await.len(), unknown.len());
}

#[tokio::test]
async fn while_the_keys_are_away_a_token_is_to_be_sent_again() {
    let world = World::start().await;
    world.issuer.behave(Manner::Failing(500));
    let token = world.told(&disabled(), json!({}));
    world.push(&token).await.refuses(503, "issuer_away");
    world.issuer.behave(Manner::Honest);
    world.server.time().pass(Span::seconds(11));
    world.push(&token).await.is(202);
    assert_eq!(world.holding().await, ["suspended"]);
}
