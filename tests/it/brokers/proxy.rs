//! A way to the database that stops at a chosen word, so that a crash meets a chosen moment.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Where it stops.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// What holds this word does not reach the database.
    Before(&'static str),
    /// It does, but no answer comes back.
    After(&'static str),
}

/// Passes on what is sent until it stops; then nothing moves any more.
pub(super) struct Proxy {
    pub(super) port: u16,
    stopped: Arc<Notify>,
    _running: JoinSet<()>,
}

impl Proxy {
    pub(super) async fn start(database: u16, stop: Stop) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stopped = Arc::new(Notify::new());
        let mut running = JoinSet::new();
        let told = Arc::clone(&stopped);
        running.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                connections.spawn(pass(client, database, stop, Arc::clone(&told)));
            }
        });
        Self { port, stopped, _running: running }
    }

    /// Until it has stopped.
    pub(super) async fn stopped(&self) {
        self.stopped.notified().await;
    }
}

async fn pass(client: TcpStream, database: u16, stop: Stop, stopped: Arc<Notify>) {
    let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], database))).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = async {
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = from_client.read(&mut buffer).await.unwrap_or(0);
            if read == 0 {
                return false;
            }
            let sent = &buffer[..read];
            let holds = |word: &str| sent.windows(word.len()).any(|part| part == word.as_bytes());
            match stop {
                Stop::Before(word) if holds(word) => return true,
                Stop::After(word) if holds(word) => {
                    to_server.write_all(sent).await.unwrap();
                    return true;
                }
                Stop::Before(_) | Stop::After(_) => to_server.write_all(sent).await.unwrap(),
            }
        }
    };
    let answering = tokio::io::copy(&mut from_server, &mut to_client);
    let has_stopped = tokio::select! {
        // What is not passed on must not be answered either.
        biased;
        stop = asking => stop,
        _ = answering => false,
    };
    if has_stopped {
        if let Stop::After(_) = stop {
            // The database has done it when it answers; only then is it told that it stopped.
            let mut answer = [0; 1];
            let _ = from_server.read_exact(&mut answer).await;
        }
        stopped.notify_one();
        // The client's end is read until it goes; then the database sees an end too.
        let mut rest = Vec::new();
        let _ = from_client.read_to_end(&mut rest).await;
    }
}
