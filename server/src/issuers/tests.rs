//! What is fetched, and what never is.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;
use url::Url;

use super::fetch::Fetcher;
use super::guard::{Guard, Names, is_public};
use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn t27_only_addresses_of_the_internet_are_public() {
    for public in [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.254",
        "2600::1",
        "2001:4860:4860::8888",
        "2001:200::1",
        "64:ff9b::8.8.8.8",
        "::ffff:8.8.8.8",
    ] {
        assert!(is_public(ip(public)), "{public}");
    }
    for other in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::1",
        "3fff::1",
        "4000::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(!is_public(ip(other)), "{other}");
    }
}

fn checked(guard: &Guard, url: &str) -> Result<(), String> {
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    guard.check_url(&url).map_err(|error| error.to_string())
}

#[test]
fn t27_no_spelling_of_an_address_gets_past() {
    let guard = Guard::new(Vec::new(), false, Names::default());
    for url in [
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://0/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://2852039166/",
        "https://[fd00:ec2::254]/",
        "https://10.0.0.1:8443/",
        "https://192.168.0.1/",
        "https://\u{ff11}\u{ff12}\u{ff17}.0.0.1/",
        "https://user@issuer.example.com/",
        "https://user:password@issuer.example.com/",
        "https://issuer.example.com/#fragment",
        "http://issuer.example.com/",
        "http://localhost/",
        "http://127.0.0.1/",
        "ftp://issuer.example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:25/",
        "data:application/json,{}",
    ] {
        assert!(checked(&guard, url).is_err(), "{url}");
    }
    for url in
        ["https://issuer.example.com/", "https://issuer.example.com:8443/a", "https://8.8.8.8/"]
    {
        assert_eq!(checked(&guard, url), Ok(()), "{url}");
    }
    let lenient = Guard::new(vec!["10.0.0.0/8".parse().unwrap()], true, Names::default());
    for url in ["http://localhost:1/", "http://127.0.0.1/", "http://[::1]/", "https://10.1.2.3/"] {
        assert_eq!(checked(&lenient, url), Ok(()), "{url}");
    }
    for url in ["http://10.1.2.3/", "http://issuer.example.com/", "https://192.168.0.1/"] {
        assert!(checked(&lenient, url).is_err(), "{url}");
    }
}

/// Somebody on this machine who counts who comes.
async fn listening() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (port, seen) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&seen);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, seen)
}

#[tokio::test]
async fn t27_a_name_of_any_private_address_is_not_connected_to() {
    for addresses in [
        vec!["127.0.0.1"],
        vec!["8.8.8.8", "127.0.0.1"],
        vec!["127.0.0.1", "8.8.8.8"],
        vec!["::ffff:127.0.0.1"],
        vec!["169.254.169.254"],
        vec![],
    ] {
        let (port, seen) = listening().await;
        let addresses: Vec<IpAddr> = addresses.into_iter().map(ip).collect();
        let answer = addresses.clone();
        let names = Names::told_by(move |_| answer.clone());
        let fetcher = Fetcher::new(Reach { names, ..Reach::default() });
        let issuer = format!("https://rebound.example:{port}");
        let error = fetcher.keys(&issuer, None).await.unwrap_err();
        assert!(matches!(error, FetchError::Lost { .. }), "{addresses:?}: {error}");
        assert_eq!(seen.load(Ordering::SeqCst), 0, "{addresses:?}");
    }
}

#[tokio::test]
async fn t27_a_name_is_resolved_once_and_nothing_can_be_rebound_in_between() {
    let (port, seen) = listening().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // A reserved address that counts as listed here and answers nobody; then, this machine.
    let names = Names::told_by(move |_| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        vec![ip(if first { "240.0.0.1" } else { "127.0.0.1" })]
    });
    let networks = vec!["240.0.0.0/4".parse().unwrap()];
    let patience = Duration::from_millis(100);
    let fetcher = Fetcher::new(Reach { networks, patience, names, ..Reach::default() });
    let issuer = format!("https://rebound.example:{port}");
    fetcher.keys(&issuer, None).await.unwrap_err();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    fetcher.keys(&issuer, None).await.unwrap_err();
    assert_eq!((asked.load(Ordering::SeqCst), seen.load(Ordering::SeqCst)), (2, 0));
}
