//! A server in front of the real one that hears every call, and answers some of them itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// One call as it was heard.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) method: String,
    /// With its query.
    pub(super) path: String,
    headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Heard {
    /// What was presented.
    pub(super) fn bearer(&self) -> &str {
        let sent = self.headers.get("authorization").map(String::as_str);
        sent.and_then(|sent| sent.strip_prefix("Bearer ")).unwrap_or_default()
    }

    /// By which key a change is known.
    pub(super) fn key(&self) -> Option<&str> {
        self.headers.get("idempotency-key").map(String::as_str)
    }
}

/// What becomes of a call.
pub(super) enum Then {
    /// The real server answers it, as if this token was presented.
    Pass(String),
    /// This is the answer: status, one more header, body.
    Answer(u16, &'static str, String),
}

impl Then {
    /// An error as an Assent server tells it.
    pub(super) fn problem(status: u16, code: &str, fields: serde_json::Value) -> Self {
        let problem = serde_json::json!({
            "type": "about:blank", "title": "Error", "status": status, "code": code,
            "detail": "the double says no", "errors": fields,
        });
        Self::Answer(status, "content-type: application/problem+json", problem.to_string())
    }

    /// JSON.
    pub(super) fn json(body: &serde_json::Value) -> Self {
        Self::Answer(200, "content-type: application/json", body.to_string())
    }
}

type Rule = dyn Fn(&Heard) -> Then + Send + Sync;

/// The server.
pub(super) struct Relay {
    pub(super) base: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    serving: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Relay {
    /// In front of this server, by this rule.
    pub(super) async fn start(
        behind: &str,
        rule: impl Fn(&Heard) -> Then + Send + Sync + 'static,
    ) -> Self {
        Self::serve(behind, rule, None).await
    }

    /// The same over TLS, for which only this authority vouches.
    pub(super) async fn start_tls(
        behind: &str,
        authority: &Authority,
        rule: impl Fn(&Heard) -> Then + Send + Sync + 'static,
    ) -> Self {
        Self::serve(behind, rule, Some(authority.acceptor())).await
    }

    async fn serve(
        behind: &str,
        rule: impl Fn(&Heard) -> Then + Send + Sync + 'static,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let base = format!("{scheme}://{}", listener.local_addr().unwrap());
        let heard = Arc::default();
        let desk = Arc::new(Desk {
            rule: Box::new(rule),
            behind: behind.to_owned(),
            heard: Arc::clone(&heard),
            http: reqwest::Client::new(),
        });
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (desk, tls) = (Arc::clone(&desk), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => desk.attend(stream).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => desk.attend(stream).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { base, heard, serving }
    }

    /// Every call to this path so far.
    pub(super) fn calls(&self, path: &str) -> Vec<Heard> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|call| call.path.starts_with(path)).cloned().collect()
    }
}

struct Desk {
    rule: Box<Rule>,
    behind: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    http: reqwest::Client,
}

impl Desk {
    /// Answers one call on a connection.
    async fn attend(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Option<()> {
        let call = read(&mut stream).await?;
        self.heard.lock().unwrap().push(call.clone());
        let (status, header, body) = match (self.rule)(&call) {
            Then::Answer(status, header, body) => (status, header.to_owned(), body),
            Then::Pass(token) => self.pass(&call, &token).await?,
        };
        let head = format!(
            "HTTP/1.1 {status} So\r\n{header}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(body.as_bytes()).await.ok()?;
        stream.shutdown().await.ok()
    }

    async fn pass(&self, call: &Heard, token: &str) -> Option<(u16, String, String)> {
        let url = format!("{}{}", self.behind, call.path);
        let mut passed = self.http.request(call.method.parse().ok()?, url).bearer_auth(token);
        for name in ["content-type", "idempotency-key"] {
            if let Some(value) = call.headers.get(name) {
                passed = passed.header(name, value);
            }
        }
        let answer = passed.body(call.body.clone()).send().await.ok()?;
        let status = answer.status().as_u16();
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let header = format!("content-type: {}", kind.unwrap_or("application/json"));
        Some((status, header, answer.text().await.ok()?))
    }
}

/// Reads one call with its body.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Heard> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ').map(str::to_owned);
    let (method, path) = (first.next()?, first.next()?);
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(Ok(0), |text| text.parse()).ok()?;
    while bytes.len() < end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[end + 4..].to_vec()).ok()?;
    Some(Heard { method, path, headers, body })
}

/// A certificate authority that nobody trusts by themselves.
pub(super) struct Authority {
    /// Its certificate.
    pub(super) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(parameters, key) }
    }

    /// TLS with a certificate of this authority for this machine.
    fn acceptor(&self) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}
