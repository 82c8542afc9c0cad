//! Where the keys come from: rotation, outage, and issuers that mean no good.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use assent_core::policy::Policy;
use assent_server::issuers::Names;
use rcgen::{CertificateParams, Issuer as Signer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::support::Manner;

/// A token that is good for all of a test, by the test's clock.
fn lasting(issuer: &Issuer) -> String {
    job(issuer, json!({"exp": NOW + 80_000}))
}

#[tokio::test]
async fn t29_a_rotated_key_is_found_within_a_minute_and_an_old_one_ends() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "single_use: false").await;
    let old = lasting(&issuer);
    presented(&server, &old).await.is(200);
    assert_eq!(issuer.asked(), 2, "metadata and keys");
    issuer.rotate("second");
    let new = lasting(&issuer);
    refused(&presented(&server, &new).await, 400, "invalid_grant");
    assert_eq!(issuer.asked(), 2, "not so soon again");
    server.time().pass(Span::seconds(60));
    presented(&server, &new).await.is(200);
    refused(&presented(&server, &old).await, 400, "invalid_grant");
    assert_eq!(issuer.asked(), 4);
    // A key that is taken away without another being asked for ends with the keys' freshness.
    issuer.rotate("third");
    server.time().pass(Span::minutes(4));
    presented(&server, &new).await.is(200);
    assert_eq!(issuer.asked(), 4);
    server.time().pass(Span::minutes(1));
    refused(&presented(&server, &new).await, 400, "invalid_grant");
}

#[tokio::test]
async fn t30_while_the_issuer_is_away_its_keys_are_good_for_an_hour() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "single_use: false").await;
    let token = lasting(&issuer);
    presented(&server, &token).await.is(200);
    issuer.behave(Manner::Failing(503));
    server.time().pass(Span::minutes(59));
    presented(&server, &token).await.is(200);
    server.time().pass(Span::minutes(1));
    let answer = presented(&server, &token).await;
    refused(&answer, 503, "temporarily_unavailable");
    assert_eq!(answer.headers["retry-after"], "1");
    let asked = issuer.asked();
    refused(&presented(&server, &token).await, 503, "temporarily_unavailable");
    assert_eq!(issuer.asked(), asked, "who is away is not asked again at once");
    issuer.behave(Manner::Honest);
    server.time().pass(Span::seconds(10));
    presented(&server, &token).await.is(200);
}

#[tokio::test]
async fn t22_a_flood_of_unknown_key_ids_asks_the_issuer_once_a_minute() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "single_use: false").await;
    presented(&server, &lasting(&issuer)).await.is(200);
    for minute in 1..4 {
        server.time().pass(Span::seconds(60));
        for kid in 0..20 {
            let claims = json!({"iss": issuer.url, "aud": AUDIENCE});
            let token = issuer.sign(json!({"kid": format!("unknown-{kid}")}), &claims);
            refused(&presented(&server, &token).await, 400, "invalid_grant");
        }
        assert_eq!(issuer.asked(), 2 + 2 * minute);
    }
}

/// Nothing is let in, and nobody else is asked, whatever the issuer answers.
#[tokio::test]
async fn t27_t28_an_issuer_that_leads_elsewhere_leads_nowhere() {
    let other = Issuer::start().await;
    for manner in [
        Manner::Redirecting(format!("{}/.well-known/openid-configuration", other.url)),
        Manner::Redirecting("http://169.254.169.254/latest/meta-data/".to_owned()),
        Manner::Posing(other.url.clone()),
        Manner::Posing(String::new()),
        Manner::Pointing(format!("{}/keys", other.url)),
        Manner::Pointing("http://169.254.169.254/keys".to_owned()),
        Manner::Pointing("file:///etc/passwd".to_owned()),
        Manner::Pointing("/keys".to_owned()),
        Manner::Pointing(String::new()),
        Manner::Flooding,
        Manner::Failing(404),
        Manner::Failing(204),
        Manner::Babbling("<html>"),
        Manner::Babbling("{\"keys\": [], \"keys\": []}"),
        Manner::Stalling,
    ] {
        let issuer = Issuer::start().await;
        issuer.behave(manner.clone());
        let patience = Duration::from_millis(300);
        let reach = Reach { patience, ..lenient() };
        let source = Source::Given(documents(&rules(&github(&issuer.url, "acme", ""))));
        let server = Server::set_up(Setup { source, reach, ..Setup::default() }).await;
        let answer = presented(&server, &job(&issuer, json!({}))).await;
        assert_eq!(answer.str("error"), "temporarily_unavailable", "{manner:?}");
        assert!(issuer.asked() > 0, "{manner:?}");
    }
    assert_eq!(other.asked(), 0);
}

#[tokio::test]
async fn t21_keys_that_are_none_let_nobody_in() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "").await;
    issuer.behave(Manner::Babbling(
        "{\"keys\": [{\"kty\": \"oct\", \"kid\": \"first\", \"k\": \"AA\"}]}",
    ));
    refused(&presented(&server, &job(&issuer, json!({}))).await, 400, "invalid_grant");
}

#[tokio::test]
async fn t27_an_issuer_on_this_machine_is_not_asked_unless_that_is_allowed() {
    let issuer = Issuer::start().await;
    let port = issuer.url.rsplit_once(':').unwrap().1.to_owned();
    let urls = [
        issuer.url.clone(),
        format!("https://127.0.0.1:{port}"),
        format!("https://localhost:{port}"),
        format!("https://[::1]:{port}"),
        format!("https://2130706433:{port}"),
        format!("https://0x7f.1:{port}"),
    ];
    for url in urls {
        let text = rules(&github(&url, "acme", ""));
        let server = Server::ruled_by(&text).await;
        let token = job(&issuer, json!({"iss": url}));
        refused(&presented(&server, &token).await, 503, "temporarily_unavailable");
    }
    assert_eq!(issuer.asked(), 0);
}

/// Somebody on this machine who counts who comes, by either protocol, and answers nobody.
async fn canary() -> (u16, Arc<AtomicUsize>) {
    let (four, six) = loop {
        let four = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = four.local_addr().unwrap().port();
        // Another test may have the port of the other protocol.
        if let Ok(six) = TcpListener::bind(("::1", port)).await {
            break (four, six);
        }
    };
    let (port, seen) = (four.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    for listener in [four, six] {
        let counted = Arc::clone(&seen);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    // It sings: what comes is seen, by both.
    for place in ["127.0.0.1", "::1"] {
        tokio::net::TcpStream::connect((place, port)).await.unwrap();
    }
    while seen.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    seen.store(0, Ordering::SeqCst);
    (port, seen)
}

/// A trust of an issuer that is where it should not be, and one whose keys are.
fn leading_to(url: &str) -> [String; 2] {
    let keys = format!("jwks_uri: \"{url}/keys\"");
    [github(&format!("\"{url}\""), "acme", ""), github("https://issuer.example", "acme", &keys)]
}

#[tokio::test]
async fn t27_no_way_of_writing_an_address_of_ones_own_is_fetched_from() {
    let (port, seen) = canary().await;
    // How many are faults of the policy already, and how many are tried.
    let (mut faults, mut tried) = (0, 0);
    for place in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "0",
        "0.0.0.0",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "issuer.example@127.0.0.1",
        "issuer.example:443@127.0.0.1",
        "127.0.0.1#@issuer.example",
        "127.0.0.1?@issuer.example",
        "127.0.0.1\\\\@issuer.example",
        "169.254.169.254",
        "2852039166",
        "[fd00:ec2::254]",
        "[::ffff:a9fe:a9fe]",
        "metadata.google.internal",
    ] {
        for scheme in ["https", "http"] {
            for trust in leading_to(&format!("{scheme}://{place}:{port}")) {
                let text = rules(&trust);
                // Most of these are a fault of the policy already; the others are not connected to.
                let Ok(read) = Policy::compile(&documents(&text)) else {
                    faults += 1;
                    continue;
                };
                tried += 1;
                let issuer = read.trusts().next().unwrap().issuer().to_owned();
                let names = Names::told_by(|_| vec!["127.0.0.1".parse().unwrap()]);
                let patience = Duration::from_millis(300);
                let reach = Reach { patience, names, ..Reach::default() };
                let source = Source::Given(documents(&text));
                let server = Server::set_up(Setup { source, reach, ..Setup::default() }).await;
                let signer = Issuer::start().await;
                let answer = presented(&server, &job(&signer, json!({"iss": issuer}))).await;
                refused(&answer, 503, "temporarily_unavailable");
            }
        }
    }
    assert_eq!(seen.load(Ordering::SeqCst), 0);
    assert_eq!((faults, tried), (62, 50));
}

#[tokio::test]
async fn t27_a_name_that_is_rebound_leads_nowhere() {
    let (port, seen) = canary().await;
    let url = format!("https://issuer.example:{port}");
    // One address now, another a moment later; one of each at once; and none.
    for turns in [
        vec![vec!["127.0.0.1"]],
        vec![vec!["240.0.0.1"], vec!["127.0.0.1"]],
        vec![vec!["240.0.0.1", "127.0.0.1"]],
        vec![vec!["127.0.0.1", "240.0.0.1"]],
        vec![vec!["::ffff:127.0.0.1"]],
        vec![vec![]],
    ] {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let names = Names::told_by(move |_| {
            let turn = count.fetch_add(1, Ordering::SeqCst).min(turns.len() - 1);
            turns[turn].iter().map(|ip| ip.parse().unwrap()).collect()
        });
        // A reserved network that counts as listed here, and answers nobody.
        let networks = vec!["240.0.0.0/4".parse().unwrap()];
        let patience = Duration::from_millis(100);
        let reach = Reach { networks, patience, names, ..Reach::default() };
        let source = Source::Given(documents(&rules(&github(&url, "acme", ""))));
        let server = Server::set_up(Setup { source, reach, ..Setup::default() }).await;
        let signer = Issuer::start().await;
        let token = job(&signer, json!({"iss": url}));
        for _ in 0..2 {
            refused(&presented(&server, &token).await, 503, "temporarily_unavailable");
            server.time().pass(Span::seconds(60));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 2, "once for each fetch");
    }
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn t27_t28_keys_on_another_port_of_the_same_host_are_not_fetched() {
    let (port, seen) = canary().await;
    let issuer = Issuer::start().await;
    issuer.behave(Manner::Pointing(format!("http://127.0.0.1:{port}/keys")));
    let server = trusting(&issuer, "").await;
    refused(&presented(&server, &job(&issuer, json!({}))).await, 503, "temporarily_unavailable");
    assert_eq!((issuer.asked(), seen.load(Ordering::SeqCst)), (1, 0));
}

#[tokio::test]
async fn keys_are_where_the_trust_says_if_it_says_so() {
    let issuer = Issuer::start().await;
    issuer.behave(Manner::Pointing("https://elsewhere.example/keys".to_owned()));
    let at = format!("jwks_uri: {}/keys", issuer.url);
    let server = trusting(&issuer, &at).await;
    presented(&server, &job(&issuer, json!({}))).await.is(200);
    assert_eq!(issuer.asked(), 1);
}

/// A certificate authority, and what a server for `localhost` needs that it has signed.
fn authority() -> (String, TlsAcceptor) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).unwrap();
    let signer = Signer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let names = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = names.signed_by(&own, &signer).unwrap();
    let private = PrivateKeyDer::try_from(own.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    (ca.pem(), TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn t27_an_issuer_in_a_listed_network_is_asked_over_tls_that_is_believed() {
    let (pem, acceptor) = authority();
    let issuer = Issuer::start_tls(acceptor).await;
    let text = rules(&github(&issuer.url, "acme", ""));
    let networks = || vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    let exchanged = async |networks, authorities| {
        let reach = Reach { networks, authorities, ..Reach::default() };
        let source = Source::Given(documents(&text));
        let server = Server::set_up(Setup { source, reach, ..Setup::default() }).await;
        presented(&server, &job(&issuer, json!({}))).await.status
    };
    let pem = pem.into_bytes();
    assert_eq!(exchanged(networks(), vec![pem.clone()]).await, 200);
    let asked = issuer.asked();
    assert_eq!(exchanged(networks(), Vec::new()).await, 503);
    assert_eq!(exchanged(Vec::new(), vec![pem]).await, 503);
    assert_eq!(issuer.asked(), asked);
}
