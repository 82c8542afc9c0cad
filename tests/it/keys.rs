//! The keys of the real binary: killed in the middle of rotations, started with the wrong sealing
//! key, with another, with the key file of before; and administered by the command line.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assent_client::wire;
use assent_core::credential::{Algorithm, SigningKey};
use assent_server::chance::Chance;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::{Answer, Caller, cycles, program, until};

/// A running `assent serve`, as it is meant.
struct Served {
    child: Child,
    base: String,
    code: Option<String>,
}

fn serve(data: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--output", "json", "--data"])
        .arg(data)
        .args(more)
        .env_remove("CREDENTIALS_DIRECTORY")
        .env_remove("ASSENT_SEALING_KEY")
        .env("ASSENT_LOG", "debug")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Served {
    async fn start(data: &Path, more: &[&str]) -> Self {
        Self::run(serve(data, more)).await
    }

    async fn run(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let begun = async {
            let mut code = None;
            loop {
                let line = lines.next_line().await.unwrap();
                let line = line.expect("`assent serve` ended before it answered");
                let said: Value = serde_json::from_str(&line).unwrap();
                match said["type"].as_str() {
                    Some("bootstrap") => code = said["code"].as_str().map(str::to_owned),
                    Some("listening") => return (said["url"].as_str().unwrap().to_owned(), code),
                    _ => {}
                }
            }
        };
        let (base, code) = tokio::time::timeout(Duration::from_secs(120), begun).await.unwrap();
        Self { child, base, code }
    }

    /// The first administrator's token.
    async fn root(&self) -> String {
        let body = json!({"code": self.code.as_ref().unwrap(), "sub": "root"});
        Caller::new(&self.base, None).post("/v1/bootstrap", &body).await.is(201).str("token")
    }

    fn caller(&self, token: &str) -> Caller {
        Caller::new(&self.base, Some(token))
    }

    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// What a start says that must not come to be.
/// What it says that it does not start, ending with this code.
async fn refused(command: &mut Command, code: i32) -> String {
    let output = tokio::time::timeout(Duration::from_secs(120), command.output()).await;
    let output = output.expect("it started").unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn sealing_key(folder: &Path, name: &str, byte: u8) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder.join(name);
    std::fs::write(&file, STANDARD.encode([byte; 32])).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file
}

/// The idempotency key of a rotation, and the signing key it made if that was acknowledged.
type Rotation = (String, Option<String>);

async fn ids(who: &Caller) -> Vec<(String, String)> {
    let keys = who.client.signing_keys().await.unwrap().keys;
    keys.into_iter().filter(|key| key.algorithm == "ES256").map(|key| (key.id, key.stage)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t56_kill_9_in_the_middle_of_a_rotation_leaves_one_key_that_signs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut served = Served::start(&data, &[]).await;
    let token = served.root().await;
    let mut lost = 0;
    for cycle in 0..cycles(6) {
        let made: Arc<Mutex<Vec<Rotation>>> = Arc::default();
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let pressing: Vec<_> = (0..3)
            .map(|client| {
                let (who, made) = (served.caller(&token), Arc::clone(&made));
                let acknowledged = Arc::clone(&acknowledged);
                tokio::spawn(async move {
                    for n in 0.. {
                        let key = format!("rotation-{cycle}-{client}-{n}");
                        let call = who.call("POST", "/v1/keys").header("idempotency-key", &key);
                        let sent = call.json(&json!({"at_once": true})).send().await;
                        let answer = match sent {
                            Ok(response) => Answer::read(response).await.ok(),
                            Err(_) => None,
                        };
                        let id = answer.as_ref().map(|answer| answer.str("id"));
                        made.lock().unwrap().push((key, id));
                        if answer.is_none() {
                            return;
                        }
                        acknowledged.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        let enough = 2 + cycle * 3;
        until("some rotations", || acknowledged.load(Ordering::SeqCst) >= enough).await;
        served.kill().await;
        for press in pressing {
            press.await.unwrap();
        }

        served = Served::start(&data, &[]).await;
        let root = served.caller(&token);
        let all = ids(&root).await;
        let signing = all.iter().filter(|(_, stage)| stage == "signing").count();
        assert_eq!(signing, 1, "{all:?}");
        let set = root.client.jwks().await.unwrap();
        let made = std::mem::take(&mut *made.lock().unwrap());
        for (key, id) in made {
            let body = json!({"at_once": true});
            let again = root.post_again(&key, "/v1/keys", &body).await.is(201).str("id");
            match id {
                Some(id) => {
                    assert_eq!(again, id, "what was acknowledged was not there");
                    let is_published = |jwk: &Value| jwk["kid"] == id.as_str();
                    assert!(set["keys"].as_array().unwrap().iter().any(is_published), "{id}");
                }
                None => lost += 1,
            }
        }
        let checkpoint = root.client.checkpoint().await.unwrap();
        let (mut history, mut read) = (wire::History::default(), 0);
        while read < checkpoint.size {
            for entry in root.client.entries(read).await.unwrap().entries {
                history.read(&entry).unwrap();
                read += 1;
            }
        }
        history.finish(&checkpoint).unwrap();
    }
    assert!(lost > 0, "no answer was lost: the crashes come at the wrong moments");
    served.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_sealing_key_is_refused_with_the_name_of_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (right, wrong) = (sealing_key(folder.path(), "a", 1), sealing_key(folder.path(), "b", 2));
    let (right, wrong) = (right.to_str().unwrap(), wrong.to_str().unwrap());
    let served = Served::start(&data, &["--sealing-key", right]).await;
    let token = served.root().await;
    let before = ids(&served.caller(&token)).await;
    served.kill().await;
    assert!(!data.join("sealing-key").exists());

    // The name of 32 bytes of 1, by what stands in front of everything sealed.
    let name =
        STANDARD.encode([1; 32]).parse::<assent_server::sealing::SealingKey>().unwrap().name();
    // As every setting that is wrong does, it ends with 2.
    let told = refused(&mut serve(&data, &["--sealing-key", wrong]), 2).await;
    assert!(told.contains(&name.to_string()) && told.contains("--earlier-sealing-key"), "{told}");
    let lost = refused(&mut serve(&data, &[]), 2).await;
    assert!(lost.contains("sealing-key is gone"), "{lost}");
    assert!(!data.join("sealing-key").exists(), "a key was made that opens nothing");

    // Beside the one of before it takes over, and is enough from then on.
    let both = ["--sealing-key", wrong, "--earlier-sealing-key", right];
    let served = Served::start(&data, &both).await;
    assert_eq!(ids(&served.caller(&token)).await, before);
    let entries = served.caller(&token).client.entries(0).await.unwrap().entries;
    assert!(entries.iter().any(|entry| entry.event["type"] == "keys_resealed"));
    served.kill().await;
    let mut given = serve(&data, &[]);
    given.env("ASSENT_SEALING_KEY", URL_SAFE_NO_PAD.encode([2; 32]));
    let served = Served::run(given).await;
    assert_eq!(ids(&served.caller(&token)).await, before);
    served.kill().await;

    // systemd hands over a file of this name.
    let credentials = folder.path().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    std::fs::copy(wrong, credentials.join("assent-sealing-key")).unwrap();
    let mut handed = serve(&data, &[]);
    let served = Served::run({
        handed.env("CREDENTIALS_DIRECTORY", &credentials);
        handed
    })
    .await;
    served.kill().await;

    let mut nonsense = serve(&data, &[]);
    let told = refused(nonsense.env("ASSENT_SEALING_KEY", "hunter2-canary"), 2).await;
    assert!(told.contains("ASSENT_SEALING_KEY") && !told.contains("canary"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn t66_the_key_file_of_before_is_taken_over_and_lies_nowhere_readable() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // A ledger of before: it has no keys.
    std::fs::create_dir(&data).unwrap();
    drop(assent_server::ledger::SqliteLedger::open(&data.join("ledger.sqlite")).unwrap());
    let pkcs8 = SigningKey::generate(Algorithm::Es256, Chance::default().source()).unwrap();
    let key = SigningKey::read(&pkcs8).unwrap();
    let file = data.join("signing-key.p8");
    let write = || {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(&file, &*pkcs8).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    write();
    let served = Served::start(&data, &[]).await;
    let token = served.root().await;
    let id = key.id().to_string();
    assert_eq!(ids(&served.caller(&token)).await, [(id.clone(), "signing".to_owned())]);
    assert!(!file.exists());
    served.kill().await;
    let scalar = &pkcs8[36..68];
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(scalar.len()).any(|window| window == scalar);
        assert!(!found, "the private key is in {}", path.display());
    }

    // After a crash between the ledger and the file, the file is just removed.
    write();
    let served = Served::start(&data, &[]).await;
    assert_eq!(ids(&served.caller(&token)).await, [(id, "signing".to_owned())]);
    assert!(!file.exists());
    served.kill().await;

    // A key that the ledger does not know is not taken for it.
    let strange = SigningKey::generate(Algorithm::Es256, Chance::default().source()).unwrap();
    write();
    std::fs::write(&file, &*strange).unwrap();
    let told = refused(&mut serve(&data, &[]), 3).await;
    assert!(told.contains("which the ledger does not know"), "{told}");
    assert!(file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_lists_rotates_brings_and_revokes_keys() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let lead = ["--key-lead", "0s", "--sign-for", "https://own.example.com=EdDSA"];
    let served = Served::start(&data, &lead).await;
    let token = served.root().await;
    let run = async |words: &[&str]| {
        let mut command = Command::new(program());
        command.args(["admin", "key"]).args(words).args(["--server", &served.base]);
        command.env("ASSENT_TOKEN", &token).env("HOME", folder.path());
        let output = command.output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let (done, listed, told) = run(&["list"]).await;
    assert!(done && listed.contains("ES256") && listed.contains("signing"), "{listed}");
    assert!(told.contains("AWS"), "{told}");
    let (done, rotated, _) = run(&["rotate", "--now", "--output", "json"]).await;
    assert!(done, "{rotated}");
    let rotated: Value = serde_json::from_str(&rotated).unwrap();
    let id = rotated["id"].as_str().unwrap();
    let (done, revoked, told) = run(&["revoke", id, "--reason", "a drill"]).await;
    assert!(done && revoked.contains("revoked"), "{revoked}{told}");

    let pkcs8 = SigningKey::generate(Algorithm::EdDsa, Chance::default().source()).unwrap();
    let text = STANDARD.encode(&*pkcs8);
    let file = folder.path().join("key.pem");
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    std::fs::write(&file, pem).unwrap();
    let (done, brought, _) = run(&["import", file.to_str().unwrap(), "--now"]).await;
    assert!(done && brought.contains("EdDSA") && brought.contains("imported"), "{brought}");
    assert!(brought.contains("https://own.example.com"), "{brought}");
    std::fs::write(&file, "canary").unwrap();
    let (done, _, told) = run(&["import", file.to_str().unwrap()]).await;
    assert!(!done && told.contains("openssl pkcs8") && !told.contains("canary"), "{told}");
    for nobody in ["a", "-"] {
        let (done, _, told) = run(&["retire", &format!("{nobody}{}", "A".repeat(42))]).await;
        assert!(!done && told.contains("no key"), "{told}");
    }
    served.kill().await;

    for bad in [
        ["--sign-for", "x=HS256"],
        ["--sign-for", "RS256"],
        ["--rotate-keys-every", "1h"],
        ["--key-lead", "30d"],
    ] {
        let told = refused(&mut serve(&data, &bad), 2).await;
        assert!(told.contains(bad[0]), "{told}");
    }
}
