//! By e-mail: over TLS or not at all, refused for now or for good as the mail server says.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use assent_core::time::Span;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::world::{channels, filed, notices, secret_in, telling};
use crate::support::{Server, approve};

/// How the mail server begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    StartTls,
    Implicit,
    /// It knows no TLS.
    Clear,
}

/// A mail server, as RFC 5321 has it, as far as a mail is handed in.
pub(crate) struct Smtp {
    pub(crate) address: SocketAddr,
    inside: Arc<Mutex<Inside>>,
    _running: JoinSet<()>,
}

#[derive(Default)]
struct Inside {
    mails: Vec<Mail>,
    /// What is answered to the next recipients instead.
    instead: Vec<String>,
    /// Everything that was said without TLS.
    clear: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Mail {
    from: String,
    pub(crate) to: String,
    signed_in: bool,
    text: String,
}

impl Mail {
    /// What stands in it, its lines as they were written (RFC 2045 section 6.7).
    pub(crate) fn said(&self) -> String {
        self.text.replace("=\r\n", "").replace("=3D", "=")
    }
}

impl Smtp {
    /// It proves who it is by a certificate of an authority whose own lies in this folder.
    pub(crate) async fn start(folder: &Path, manner: Manner) -> Self {
        let authority = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.clone().self_signed(&authority).unwrap();
        std::fs::write(folder.join("ca.pem"), certificate.pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let own = own.signed_by(&key, &Issuer::from_params(&params, &authority)).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inside = Arc::<Mutex<Inside>>::default();
        let mine = Arc::clone(&inside);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut calls = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, inside) = (acceptor.clone(), Arc::clone(&mine));
                calls.spawn(async move { drop(serve(stream, manner, &acceptor, &inside).await) });
            }
        });
        Self { address, inside, _running: running }
    }

    fn instead(&self, reply: &str) {
        self.inside.lock().unwrap().instead.push(reply.to_owned());
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.inside.lock().unwrap().mails.clone()
    }
}

async fn serve(
    stream: TcpStream,
    manner: Manner,
    acceptor: &TlsAcceptor,
    inside: &Arc<Mutex<Inside>>,
) -> std::io::Result<()> {
    if manner == Manner::Implicit {
        let stream = acceptor.accept(stream).await?;
        return talk(stream, Some("AUTH PLAIN"), true, inside).await.map(drop);
    }
    let offer = (manner == Manner::StartTls).then_some("STARTTLS");
    let Some(stream) = talk(stream, offer, true, inside).await? else { return Ok(()) };
    let stream = acceptor.accept(stream).await?;
    talk(stream, Some("AUTH PLAIN"), false, inside).await.map(drop)
}

/// Until the other side says that it is over; the stream where it wants TLS from here on.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    offer: Option<&str>,
    greet: bool,
    inside: &Arc<Mutex<Inside>>,
) -> std::io::Result<Option<S>> {
    let is_clear = offer != Some("AUTH PLAIN");
    let mut stream = BufReader::new(stream);
    if greet {
        stream.write_all(b"220 localhost\r\n").await?;
    }
    let (mut mail, mut line) = (None::<Mail>, String::new());
    let (mut from, mut signed_in) = (String::new(), false);
    loop {
        stream.flush().await?;
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        if is_clear {
            inside.lock().unwrap().clear.push_str(&line);
        }
        let said = line.trim_end();
        let reply = match said.split([' ', ':']).next().unwrap() {
            "EHLO" => match offer {
                Some(offer) => format!("250-localhost\r\n250 {offer}"),
                None => "250 localhost".to_owned(),
            },
            "STARTTLS" => {
                stream.write_all(b"220 go on\r\n").await?;
                stream.flush().await?;
                return Ok(Some(stream.into_inner()));
            }
            "AUTH" => {
                signed_in = true;
                "235 welcome".to_owned()
            }
            "MAIL" => {
                from = said.to_owned();
                "250 well".to_owned()
            }
            "RCPT" => {
                let instead = {
                    let mut inside = inside.lock().unwrap();
                    (!inside.instead.is_empty()).then(|| inside.instead.remove(0))
                };
                let (from, to) = (from.clone(), said.to_owned());
                mail = Some(Mail { from, to, signed_in, text: String::new() });
                instead.unwrap_or_else(|| "250 well".to_owned())
            }
            "DATA" => {
                stream.write_all(b"354 say it\r\n").await?;
                stream.flush().await?;
                let mut taken = mail.take().unwrap();
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).await?;
                    if line == ".\r\n" {
                        break;
                    }
                    taken.text.push_str(&line);
                }
                inside.lock().unwrap().mails.push(taken);
                "250 taken".to_owned()
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                stream.flush().await?;
                return Ok(None);
            }
            _ => "250 well".to_owned(),
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
}

/// A server that tells bob and alice by mail.
async fn mailing(folder: &Path, smtp: &Smtp, tls: &str) -> Server {
    secret_in(folder, "password", "canary-password");
    let text = format!(
        "email:\n  host: localhost\n  port: {}\n  tls: {tls}\n  from: Assent <assent@example.com>\n  \
         username: assent\n  password_file: password\n  ca_file: ca.pem\n\
         people:\n  bob: {{email: bob@example.com}}\n  alice: {{email: Alice <alice@example.com>}}\n",
        smtp.address.port()
    );
    telling(channels(folder, &text), "").await
}

#[tokio::test]
async fn a_mail_is_handed_in_over_tls_with_a_text_and_a_page() {
    for (manner, tls) in [(Manner::StartTls, "starttls"), (Manner::Implicit, "implicit")] {
        let folder = tempfile::tempdir().unwrap();
        let smtp = Smtp::start(folder.path(), manner).await;
        let server = mailing(folder.path(), &smtp, tls).await;
        let request = filed(&server, "one", "deploy").await;
        server.authority.tell_due().await.unwrap();
        let mail = smtp.mails().remove(0);
        assert!(mail.from.contains("assent@example.com"), "{mail:?}");
        assert!(mail.to.contains("bob@example.com") && mail.signed_in, "{mail:?}");
        let head = mail.text.split("\r\n\r\n").next().unwrap();
        let subject = "Subject: Approval wanted: terraform.apply in one on workspace payments";
        assert!(head.contains(subject), "{head}");
        assert!(head.contains("Auto-Submitted: auto-generated"), "{head}");
        assert!(head.contains("Message-ID: <ntc_"), "{head}");
        assert!(mail.text.contains("text/plain") && mail.text.contains("text/html"), "{mail:?}");
        approve(&server.person("bob").await, &request).await.unwrap();
        server.authority.tell_due().await.unwrap();
        let mail = smtp.mails().remove(1);
        assert!(mail.to.contains("alice@example.com"), "{mail:?}");
        let clear = smtp.inside.lock().unwrap().clear.clone();
        assert!(!clear.contains("AUTH") && !clear.contains("MAIL"), "{clear}");
    }
}

#[tokio::test]
async fn without_tls_nothing_is_handed_in() {
    let folder = tempfile::tempdir().unwrap();
    let smtp = Smtp::start(folder.path(), Manner::Clear).await;
    let server = mailing(folder.path(), &smtp, "starttls").await;
    filed(&server, "one", "deploy").await;
    server.authority.tell_due().await.unwrap();
    assert!(smtp.mails().is_empty());
    let clear = smtp.inside.lock().unwrap().clear.clone();
    assert!(clear.starts_with("EHLO") && !clear.contains("MAIL"), "{clear}");
    assert_eq!(notices(&server).await, ["stage_opened person:bob by email waiting"]);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_not_believed() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let smtp = Smtp::start(other.path(), Manner::StartTls).await;
    let another = Smtp::start(folder.path(), Manner::StartTls).await;
    let server = mailing(folder.path(), &smtp, "starttls").await;
    filed(&server, "one", "deploy").await;
    server.authority.tell_due().await.unwrap();
    assert!(smtp.mails().is_empty() && another.mails().is_empty());
    assert_eq!(notices(&server).await, ["stage_opened person:bob by email waiting"]);
}

#[tokio::test]
async fn a_mail_server_says_whether_it_is_for_now_or_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let smtp = Smtp::start(folder.path(), Manner::StartTls).await;
    let server = mailing(folder.path(), &smtp, "starttls").await;
    smtp.instead("450 4.7.1 greylisted, come back in a minute");
    filed(&server, "one", "greylisted").await;
    server.authority.tell_due().await.unwrap();
    assert_eq!(notices(&server).await, ["stage_opened person:bob by email waiting"]);
    server.time().pass(Span::minutes(5));
    server.authority.tell_due().await.unwrap();
    assert_eq!(smtp.mails().len(), 1, "it came back");
    smtp.instead("550 5.1.1 no such mailbox");
    filed(&server, "one", "no such mailbox").await;
    server.authority.tell_due().await.unwrap();
    let dead = server.administrator().await.client.notices(Some("dead")).await.unwrap().notices;
    assert_eq!(dead.len(), 1);
    assert!(dead[0].problem.as_deref().unwrap().contains("no such mailbox"), "{dead:?}");
}

#[tokio::test]
async fn t36_what_strangers_write_becomes_no_header_and_no_tag() {
    let folder = tempfile::tempdir().unwrap();
    let smtp = Smtp::start(folder.path(), Manner::StartTls).await;
    let server = mailing(folder.path(), &smtp, "starttls").await;
    filed(&server, "one", "x\nBcc: eve@example.com\n\n<img src=https://evil.example/>").await;
    server.authority.tell_due().await.unwrap();
    let mail = smtp.mails().remove(0);
    let head = mail.text.split("\r\n\r\n").next().unwrap();
    assert!(!head.contains("Bcc") && !head.contains("eve@"), "{head}");
    let page = mail.text.split("text/html").nth(1).unwrap();
    assert!(!page.contains("<img"), "{page}");
}
