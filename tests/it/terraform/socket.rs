//! Who may talk to the provider: the terraform that started it, and nobody else.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio_rustls::TlsConnector;

use super::process::{LONG, provider};

/// What terraform sets when it starts a provider.
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// How HTTP/2 begins: the preface and empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Somebody with a certificate.
struct Client {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    pem: String,
}

impl Client {
    fn fresh() -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate: certificate.der().clone(), pem: certificate.pem(), key }
    }
}

/// A provider that only one client may talk to.
struct Provider {
    socket: PathBuf,
    certificate: CertificateDer<'static>,
    child: Child,
    _directory: TempDir,
}

impl Provider {
    async fn start(client: &Client) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(provider())
            .env_clear()
            .env("TMPDIR", directory.path())
            .env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
            .env("PLUGIN_PROTOCOL_VERSIONS", "5,6")
            .env("PLUGIN_CLIENT_CERT", &client.pem)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(LONG, lines.next_line()).await.unwrap().unwrap().unwrap();
        let fields: Vec<_> = line.split('|').collect();
        assert_eq!((fields[0], fields[1], fields[2], fields[4]), ("1", "6", "unix", "grpc"));
        let certificate = STANDARD_NO_PAD.decode(fields[5]).unwrap().into();
        Self { socket: fields[3].into(), certificate, child, _directory: directory }
    }

    /// What it answers to the beginning of HTTP/2; nothing if it hangs up.
    async fn answer(&self, client: Option<&Client>) -> Vec<u8> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(crypto);
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots);
        let mut config = match client {
            None => config.with_no_client_auth(),
            Some(client) => {
                let key = PrivatePkcs8KeyDer::from(client.key.serialize_der());
                let chain = vec![client.certificate.clone()];
                config.with_client_auth_cert(chain, PrivateKeyDer::from(key)).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let socket = UnixStream::connect(&self.socket).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let Ok(mut stream) = TlsConnector::from(Arc::new(config)).connect(name, socket).await
        else {
            return Vec::new();
        };
        exchange(&mut stream).await
    }

    /// What it answers without TLS.
    async fn plain_answer(&self) -> Vec<u8> {
        exchange(&mut UnixStream::connect(&self.socket).await.unwrap()).await
    }
}

/// Begins HTTP/2 and reads the head of the first frame.
async fn exchange(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> Vec<u8> {
    let exchange = async {
        stream.write_all(PREFACE).await.ok()?;
        let mut head = vec![0; 9];
        stream.read_exact(&mut head).await.ok()?;
        Some(head)
    };
    tokio::time::timeout(LONG, exchange).await.unwrap().unwrap_or_default()
}

#[tokio::test]
async fn only_the_certificate_that_started_it_gets_through() {
    let (ours, other) = (Client::fresh(), Client::fresh());
    let mut provider = Provider::start(&ours).await;
    // The fourth byte says that it is a SETTINGS frame.
    assert_eq!(provider.answer(Some(&ours)).await.get(3), Some(&4));
    assert!(provider.answer(None).await.is_empty());
    assert!(provider.answer(Some(&other)).await.is_empty());
    let plain = provider.plain_answer().await;
    assert_ne!(plain.get(3), Some(&4), "it talks without TLS");
    // Its only client has gone, and so does it.
    let ended = tokio::time::timeout(LONG, provider.child.wait()).await.unwrap().unwrap();
    assert!(ended.success());
    assert!(!provider.socket.exists());
}

#[tokio::test]
async fn whoever_is_not_terraform_or_speaks_another_protocol_is_not_served() {
    let cases =
        [("wrong", "5,6", "is not run directly"), (COOKIE, "5", "speaks plugin protocol 5")];
    for (cookie, versions, words) in cases {
        let mut command = Command::new(provider());
        command.env_clear().env("TF_PLUGIN_MAGIC_COOKIE", cookie);
        let ran = command.env("PLUGIN_PROTOCOL_VERSIONS", versions).output().await.unwrap();
        assert_eq!(ran.status.code(), Some(1));
        assert!(ran.stdout.is_empty());
        let said = String::from_utf8(ran.stderr).unwrap();
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test]
async fn a_client_that_can_multiplex_is_told_that_it_is_not_done() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(provider())
        .env_clear()
        .env("TMPDIR", directory.path())
        .env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
        .env("PLUGIN_PROTOCOL_VERSIONS", "6")
        .env("PLUGIN_CLIENT_CERT", &Client::fresh().pem)
        .env("PLUGIN_MULTIPLEX_GRPC", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(LONG, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert_eq!(line.split('|').nth(6), Some("false"), "{line}");
    child.kill().await.unwrap();
}

#[tokio::test]
async fn a_person_who_starts_it_learns_what_it_is() {
    let ran = Command::new(provider()).env_clear().output().await.unwrap();
    assert_eq!(ran.status.code(), Some(1));
    assert!(ran.stdout.is_empty());
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(said.contains("is a Terraform plugin and is not run directly"), "{said}");
}
