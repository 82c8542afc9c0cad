//! Somebody else's HTTP service, as a test plays it: what it answers is the test's, and so is how it
//! misbehaves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// By names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    /// What is presented as a bearer token.
    pub(crate) fn bearer(&self) -> &str {
        self.header("authorization").strip_prefix("Bearer ").unwrap_or_default()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// A page.
    pub(crate) fn html(page: &str) -> Self {
        let headers = vec![("content-type", "text/html; charset=utf-8".to_owned())];
        Self { headers, ..Self::new(200, page) }
    }

    /// No answer: it hangs up.
    pub(crate) fn hanging_up() -> Self {
        Self::new(0, "")
    }

    /// No answer: it never says anything.
    pub(crate) fn silent() -> Self {
        Self::new(1, "")
    }
}

/// How it answers.
#[derive(Clone, Debug)]
pub(crate) enum Ways {
    /// As it should.
    Honest,
    /// With this, having done nothing.
    Saying(Reply),
    /// It does what is asked and answers this.
    Lying(Reply),
    /// With more than anybody wants.
    Flooding,
    /// With a body that does not end.
    Endless,
    /// It hangs up at once.
    HangingUp,
    /// It does nothing, and never answers.
    StoppingBefore,
    /// It does what is asked, and never answers.
    StoppingAfter,
}

type Answering = Pin<Box<dyn Future<Output = Reply> + Send>>;
type Service = Arc<dyn Fn(Asked) -> Answering + Send + Sync>;

/// The running service. It ends with the last of its handles.
#[derive(Clone)]
pub(crate) struct StandIn {
    pub(crate) url: String,
    inside: Arc<Inside>,
    _running: Arc<JoinSet<()>>,
}

struct Inside {
    ways: Mutex<Ways>,
    asked: Mutex<Vec<Asked>>,
    stopped: Notify,
    service: Service,
}

impl StandIn {
    /// On a port of its own.
    pub(crate) async fn start(
        service: impl Fn(Asked) -> Answering + Send + Sync + 'static,
    ) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), service).await
    }

    /// In the place of somebody else.
    pub(crate) async fn start_at(
        place: SocketAddr,
        service: impl Fn(Asked) -> Answering + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(place).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inside = Arc::new(Inside {
            ways: Mutex::new(Ways::Honest),
            asked: Mutex::default(),
            stopped: Notify::new(),
            service: Arc::new(service),
        });
        let mut running = JoinSet::new();
        let serving = Arc::clone(&inside);
        running.spawn(async move {
            let mut calls = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let inside = Arc::clone(&serving);
                calls.spawn(async move { drop(inside.answer(stream).await) });
                while calls.try_join_next().is_some() {}
            }
        });
        Self { url, inside, _running: Arc::new(running) }
    }

    /// From now on it answers so.
    pub(crate) fn behave(&self, ways: Ways) {
        *self.inside.ways.lock().unwrap() = ways;
    }

    /// Everything that was asked of it.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inside.asked.lock().unwrap().clone()
    }

    /// Until it has stopped in the middle of a call.
    pub(crate) async fn stopped(&self) {
        self.inside.stopped.notified().await;
    }
}

impl Inside {
    async fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let ways = self.ways.lock().unwrap().clone();
        if matches!(ways, Ways::HangingUp) {
            return Ok(());
        }
        let asked = read(&mut stream).await?;
        self.asked.lock().unwrap().push(asked.clone());
        let reply = match ways {
            Ways::Honest => (self.service)(asked).await,
            Ways::Saying(reply) => reply,
            Ways::Lying(reply) => {
                (self.service)(asked).await;
                reply
            }
            Ways::Flooding => Reply::new(200, " ".repeat(4 << 20)),
            Ways::StoppingBefore => return self.stop(stream).await,
            Ways::StoppingAfter => {
                (self.service)(asked).await;
                return self.stop(stream).await;
            }
            Ways::Endless => return pour(stream).await,
            Ways::HangingUp => return Ok(()),
        };
        match reply.status {
            0 => return Ok(()),
            1 => return self.stop(stream).await,
            _ => {}
        }
        let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if ![204, 304].contains(&reply.status) {
            head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
        }
        stream.write_all(format!("{head}\r\n{}", reply.body).as_bytes()).await?;
        stream.shutdown().await
    }

    /// Until whoever asked has gone.
    async fn stop(&self, mut stream: TcpStream) -> std::io::Result<()> {
        self.stopped.notify_one();
        stream.read_to_end(&mut Vec::new()).await.map(drop)
    }
}

/// Until whoever asked has had enough.
async fn pour(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n[").await?;
    loop {
        stream.write_all(&[b' '; 1 << 16]).await?;
    }
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ').map(str::to_owned);
    let (method, path) = (first.next().unwrap(), first.next().unwrap());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<_, _> =
        headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let size = headers.get("content-length").map_or(0, |size| size.parse().unwrap());
    let mut body = vec![0; size];
    stream.read_exact(&mut body).await?;
    Ok(Asked { method, path, headers, body })
}
