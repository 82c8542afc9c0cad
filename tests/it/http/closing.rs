//! A server that stops, one that comes back, and callers that will not let go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use assent_client::{ErrorKind, Progress};
use assent_server::ledger::{Ledger, MemoryLedger, SqliteLedger};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::support::{Caller, Server, approve, filing, fresh_key, mint};

/// Waits until it is settled, and tells what happens meanwhile.
fn waits(
    who: &Caller,
    id: &str,
) -> (tokio::task::JoinHandle<String>, mpsc::UnboundedReceiver<&'static str>) {
    let (send, receive) = mpsc::unbounded_channel();
    let (who, id) = (who.clone(), id.to_owned());
    let task = tokio::spawn(async move {
        let tell = |progress: Progress<'_>| {
            let _ = send.send(match progress {
                Progress::Changed(_) => "changed",
                Progress::Lost(_) => "lost",
            });
        };
        who.client.until_settled(&id, None, tell).await.unwrap().state
    });
    (task, receive)
}

#[tokio::test(flavor = "multi_thread")]
async fn t59_who_is_parked_when_the_server_stops_is_told_to_try_again() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let request = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    let parked = {
        let (alice, path) = (alice.clone(), format!("/v1/requests/{}/wait?after=1", request.id));
        tokio::spawn(async move { alice.get(&path).await })
    };
    let log = {
        let alice = alice.clone();
        tokio::spawn(async move { alice.get("/v1/audit/entries?from=99&wait=60s").await })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?} to stop", begun.elapsed());
    for answer in [parked.await.unwrap(), log.await.unwrap()] {
        assert_eq!(answer.headers["retry-after"], "1");
        assert!(answer.refuses(503, "closing").contains("try again"));
    }
    let gone = alice.client.wait(&request.id, 1, Duration::from_secs(1)).await.unwrap_err();
    assert_eq!((gone.kind, gone.retryable), (ErrorKind::Unreachable, true));
}

async fn survives(ledger: Arc<dyn Ledger>, reopen: impl FnOnce() -> Arc<dyn Ledger>) {
    let server = Server::with(ledger).await;
    let (alice, bob, carol) = server.people().await;
    let request = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    approve(&bob, &request).await.unwrap();
    let (waiting, mut told) = waits(&alice, &request.id);
    assert_eq!(told.recv().await, Some("changed"));
    let remains = server.stop().await;
    assert_eq!(told.recv().await, Some("lost"));
    let server = Server::again(reopen(), remains).await;
    assert_eq!(approve(&carol, &request).await.unwrap().state, "approved");
    let settled = tokio::time::timeout(Duration::from_secs(15), waiting).await;
    assert_eq!(settled.unwrap().unwrap(), "approved");
    mint(&alice, &request).await.unwrap();
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn t59_who_waits_resumes_over_a_restart() {
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::default());
    let same = Arc::clone(&ledger);
    survives(ledger, || same).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t59_who_waits_resumes_over_a_restart_on_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.sqlite");
    let open = || -> Arc<dyn Ledger> { Arc::new(SqliteLedger::open(&file).unwrap()) };
    survives(open(), open).await;
}

#[tokio::test]
async fn a_wait_with_a_deadline_ends_while_the_server_is_away() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let request = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    server.stop().await;
    let deadline = Instant::now() + Duration::from_millis(600);
    let lost = alice.client.until_settled(&request.id, Some(deadline), |_| {}).await.unwrap_err();
    assert_eq!(lost.kind, ErrorKind::Unreachable);
    assert!(Instant::now() < deadline + Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_when_the_server_stops_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file(&folder.path().join("ledger.sqlite")).await;
    let alice = server.person("alice").await;
    let filings: Vec<_> = (0..50)
        .map(|number| {
            let alice = alice.clone();
            let body = serde_json::to_value(filing("one", &format!("r{number}"))).unwrap();
            let key = fresh_key();
            tokio::spawn(async move {
                let call =
                    alice.call("POST", "/v1/requests").header("idempotency-key", key.as_str());
                call.json(&body).send().await.map(|answer| answer.status().as_u16())
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(10)).await;
    let authority = Arc::clone(&server.authority);
    server.stop().await;
    let mut acknowledged = 0;
    for filing in filings {
        match filing.await.unwrap() {
            Ok(201) => acknowledged += 1,
            Ok(status) => assert_eq!(status, 503),
            Err(error) => assert!(error.is_connect() || error.is_request(), "{error:?}"),
        }
    }
    let size = authority.ledger().head().await.unwrap().size;
    assert!(size > acknowledged, "one token and {acknowledged} filings, but {size} entries");
}

#[tokio::test(flavor = "multi_thread")]
async fn t61_heads_that_do_not_end_keep_nobody_else_away() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(server.remains.address).await.unwrap();
        stream.write_all(b"GET /v1/whoami HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
        slow.push(stream);
    }
    let begun = Instant::now();
    for _ in 0..20 {
        alice.client.whoami().await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let mut one = slow.pop().unwrap();
    let mut rest = Vec::new();
    let cut = tokio::time::timeout(Duration::from_secs(20), one.read_to_end(&mut rest)).await;
    cut.expect("a head that does not end is not cut off").ok();
}

#[tokio::test]
async fn what_is_no_http_is_cut_off() {
    let server = Server::start().await;
    for junk in
        [&b"\x16\x03\x01\x02\x00"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"hello\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(server.remains.address).await.unwrap();
        stream.write_all(junk).await.unwrap();
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(5), reading).await.unwrap().ok();
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_the_log_is_let_go_when_the_server_stops() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let mut stream = alice.call("GET", "/v1/events?after=0").send().await.unwrap();
    alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    stream.chunk().await.unwrap().expect("the stream ended early");
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?} to stop", begun.elapsed());
    while let Ok(Some(_)) = stream.chunk().await {}
}
