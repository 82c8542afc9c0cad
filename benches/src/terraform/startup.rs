//! How soon a provider process answers its first call, over mutual TLS as terraform makes it.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::Request;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio_rustls::TlsConnector;

use crate::Effort;
use crate::report::{self, Spread};

/// Which terraform hands to each plugin that it starts.
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// How long one start took, until each of its steps.
struct Started {
    handshake: Duration,
    answer: Duration,
}

/// Measures and prints.
pub(super) fn run(provider: &Path, effort: Effort) -> Result<()> {
    let runtime = crate::host::runtime()?;
    let client = Client::fresh()?;
    let (mut nothing, mut handshakes, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.plans * 5 {
        let begun = Instant::now();
        let ran = std::process::Command::new("true").stdin(Stdio::null()).status()?;
        nothing.push(begun.elapsed());
        if !ran.success() {
            bail!("`true` failed");
        }
        let started = runtime.block_on(start(provider, &client))?;
        handshakes.push(started.handshake);
        answers.push(started.answer);
    }
    let row = |name: &str, times: &[Duration]| -> Result<Vec<String>> {
        Ok(vec![name.to_owned(), format!("{:.1}", Spread::of_durations(times)?)])
    };
    let rows = [
        row("`true`, until it has ended", &nothing)?,
        row("provider, until its handshake", &handshakes)?,
        row("provider, until its schema is there", &answers)?,
    ];
    report::table(&["process", "p50 / p99"], &rows);
    report::say(&format!("\n{} starts of each, in turn.\n", nothing.len()));
    Ok(())
}

/// Who starts providers, and may call them.
struct Client {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    pem: String,
}

impl Client {
    fn fresh() -> Result<Self> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(["localhost".to_owned()])?.self_signed(&key)?;
        Ok(Self { certificate: certificate.der().clone(), pem: certificate.pem(), key })
    }

    /// How to talk to the provider that shows this certificate.
    fn connector(&self, provider: CertificateDer<'static>) -> Result<TlsConnector> {
        let mut roots = RootCertStore::empty();
        roots.add(provider)?;
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(crypto);
        let config = config.with_safe_default_protocol_versions()?.with_root_certificates(roots);
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        let mut config =
            config.with_client_auth_cert(vec![self.certificate.clone()], key.into())?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// Starts a provider as terraform does and asks for the schema.
async fn start(provider: &Path, client: &Client) -> Result<Started> {
    let directory = tempfile::tempdir()?;
    let begun = Instant::now();
    let mut child = Command::new(provider)
        .env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
        .env("PLUGIN_PROTOCOL_VERSIONS", "5,6")
        .env("PLUGIN_CLIENT_CERT", &client.pem)
        .env("TMPDIR", directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let output = child.stdout.take().context("it has no output")?;
    let line = BufReader::new(output).lines().next_line().await?.context("no handshake")?;
    let handshake = begun.elapsed();
    let fields: Vec<&str> = line.split('|').collect();
    let [_, _, _, socket, _, certificate, ..] = fields.as_slice() else {
        bail!("no handshake is `{line}`");
    };
    let connector = client.connector(STANDARD_NO_PAD.decode(certificate)?.into())?;
    let read = schema(Path::new(socket), &connector).await?;
    let answer = begun.elapsed();
    if read < 1_000 {
        bail!("a schema of {read} bytes is none");
    }
    child.kill().await?;
    Ok(Started { handshake, answer })
}

/// One gRPC call by hand: `GetProviderSchema` with an empty message. How many bytes came back.
async fn schema(socket: &Path, connector: &TlsConnector) -> Result<usize> {
    let socket = UnixStream::connect(socket).await?;
    let stream = connector.connect(ServerName::try_from("localhost")?, socket).await?;
    let (client, connection) = h2::client::handshake(stream).await?;
    let driver = tokio::spawn(connection);
    let mut client = client.ready().await?;
    let request = Request::post("https://localhost/tfplugin6.Provider/GetProviderSchema")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())?;
    let (response, mut body) = client.send_request(request, false)?;
    // Not compressed, of no length.
    body.send_data(Bytes::from_static(&[0; 5]), true)?;
    let mut answer = response.await?.into_body();
    let mut read = 0;
    while let Some(part) = answer.data().await {
        let part = part?;
        read += part.len();
        answer.flow_control().release_capacity(part.len())?;
    }
    driver.abort();
    Ok(read)
}
