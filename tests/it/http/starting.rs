//! Starting, from what was configured: what is said, and why it is refused.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use assent_server::issuers::Reach;
use assent_server::network::Proxies;
use assent_server::policy::Source;
use assent_server::{Announcement, Config, StartError, run};
use tokio_util::sync::CancellationToken;

use crate::support::{Caller, POLICY, filing, fresh_key};

fn config(folder: &Path) -> Config {
    Config {
        channels: Default::default(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        public_url: None,
        data: folder.join("data"),
        policy: Source::Nowhere,
        proxies: Proxies::default(),
        reach: Reach::default(),
        dev: false,
        authzen: Default::default(),
        brokers: Default::default(),
        github: None,
        sign_in: assent_server::sign_in::SignIn::default(),
        plan_retention: None,
        most_pending: assent_server::app::MOST_PENDING,
        sealing: Default::default(),
        earlier_sealing: Vec::new(),
        keys: Default::default(),
    }
}

/// Starts, gathers what is announced, lets it be used, and ends it.
async fn started<T, F: Future<Output = T>>(
    config: Config,
    using: impl FnOnce(Vec<Announcement>, String) -> F,
) -> T {
    let closing = CancellationToken::new();
    let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
    let running = {
        let closing = closing.clone();
        tokio::spawn(async move {
            let mut announce = |announcement| send.send(announcement).unwrap();
            run(config, closing, &mut announce).await
        })
    };
    let mut said = Vec::new();
    let base = loop {
        match receive.recv().await.expect("it ended before it answered") {
            Announcement::Listening { url } => break url,
            other @ (Announcement::Policy { .. }
            | Announcement::Bootstrap { .. }
            | Announcement::DevLogin { .. }
            | Announcement::DevToken { .. }) => said.push(other),
        }
    };
    let result = using(said, base).await;
    closing.cancel();
    running.await.unwrap().unwrap();
    result
}

async fn refused(config: Config) -> StartError {
    let mut silent = |_| {};
    run(config, CancellationToken::new(), &mut silent).await.expect_err("it started")
}

fn tokens(said: &[Announcement]) -> Vec<String> {
    let token = |one: &Announcement| match one {
        Announcement::DevToken { token, .. } => Some(token.expose().to_owned()),
        Announcement::Policy { .. }
        | Announcement::Bootstrap { .. }
        | Announcement::DevLogin { .. }
        | Announcement::Listening { .. } => None,
    };
    said.iter().filter_map(token).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_people_are_let_in_by_what_is_announced_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Config { dev: true, ..config(folder.path()) };
    let (first, id) = started(dev.clone(), |said, base| async move {
        let tokens = tokens(&said);
        assert_eq!((said.len(), tokens.len()), (7, 3), "policy, three links, three tokens");
        let alice = Caller::new(&base, Some(&tokens[0]));
        let request = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
        assert_eq!(request.state, "pending");
        (tokens, request.id)
    })
    .await;
    started(dev, |said, base| async move {
        for token in first.iter().chain(&tokens(&said)) {
            let who = Caller::new(&base, Some(token));
            assert_eq!(who.client.request(&id).await.unwrap().state, "pending");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t68_the_bootstrap_code_is_announced_until_somebody_came_in() {
    let folder = tempfile::tempdir().unwrap();
    let code = |said: &[Announcement]| {
        said.iter().find_map(|one| match one {
            Announcement::Bootstrap { link, code } => {
                assert!(link.ends_with(&format!("/bootstrap/{}", code.expose())), "{link}");
                Some(code.expose().to_owned())
            }
            Announcement::Policy { .. }
            | Announcement::DevToken { .. }
            | Announcement::DevLogin { .. }
            | Announcement::Listening { .. } => None,
        })
    };
    let unused = started(config(folder.path()), |said, _| async move { code(&said) }).await;
    started(config(folder.path()), |said, base| async move {
        let fresh = code(&said).unwrap();
        let stranger = Caller::new(&base, None);
        let enter = |code: String| {
            let stranger = stranger.clone();
            async move { stranger.client.bootstrap(&code, "root", &fresh_key()).await }
        };
        assert_eq!(enter(unused.unwrap()).await.unwrap_err().code(), Some("wrong_code"));
        let root = enter(fresh).await.unwrap();
        let root = Caller::new(&base, Some(&root.token));
        let denied = root.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
        assert_eq!(denied.state, "denied", "without a policy everything is refused");
    })
    .await;
    let said = started(config(folder.path()), |said, _| async move { code(&said) }).await;
    assert_eq!(said, None);
}

#[tokio::test]
async fn what_cannot_be_started_from_is_refused_with_why() {
    let folder = tempfile::tempdir().unwrap();
    let here = config(folder.path());
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let error = refused(Config { listen: everywhere, dev: true, ..here.clone() }).await;
    assert!(matches!(error, StartError::DevNotLoopback(_)), "{error}");
    for url in [
        "http://assent.example.com",
        "https://assent.example.com/path",
        "https://me:secret@assent.example.com",
        "https://assent.example.com/?query",
        "ftp://assent.example.com",
    ] {
        let public_url = Some(url.parse().unwrap());
        let error = refused(Config { public_url, ..here.clone() }).await;
        assert!(matches!(error, StartError::PublicUrl(_)), "{url}: {error}");
    }
    let policy = Source::Directory(folder.path().join("nowhere"));
    let error = refused(Config { policy, ..here.clone() }).await;
    assert!(matches!(error, StartError::PolicySource(_)), "{error}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let error = refused(Config { listen, ..here.clone() }).await;
    assert!(error.to_string().contains(&listen.to_string()), "{error}");
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = refused(Config { data: file.join("data"), ..here }).await;
    assert!(matches!(error, StartError::Data { .. }), "{error}");
}

#[tokio::test]
async fn a_policy_with_faults_is_refused_with_every_place() {
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policy");
    std::fs::create_dir(&policies).unwrap();
    let two =
        POLICY.replace("approvals: 2", "approvals: 9").replace("max_ttl: 15m, g", "colour: red, g");
    std::fs::write(policies.join("policy.yaml"), two).unwrap();
    let error =
        refused(Config { policy: Source::Directory(policies), ..config(folder.path()) }).await;
    let StartError::Policy(faults) = error else { panic!("{error}") };
    let texts: Vec<String> = faults.iter().map(|fault| format!("{fault:?}")).collect();
    assert!(texts.len() >= 2, "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("colour")), "{texts:?}");
    assert!(faults.iter().all(|fault| fault.place.line > 1), "{texts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signing_key_is_for_its_owner_alone_and_stays_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let keys = async || {
        started(config(folder.path()), |_, base| async move {
            Caller::new(&base, None).client.jwks().await.unwrap()
        })
        .await
    };
    let first = keys().await["keys"][0].clone();
    assert_eq!(keys().await["keys"][0], first);
    let file = folder.path().join("data/sealing-key");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = refused(config(folder.path())).await;
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("chmod 600"), "{cause}");
    std::fs::write(&file, "no key").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(refused(config(folder.path())).await, StartError::Sealing(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_directory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let second = config(folder.path());
    started(config(folder.path()), |_, base| async move {
        let error = refused(second).await;
        assert!(error.to_string().contains("in use by another Assent"), "{error}");
        assert_eq!(Caller::new(&base, None).get("/readyz").await.status, 200);
    })
    .await;
}
