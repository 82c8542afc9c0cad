//! Connections from Terraform.
//!
//! Every connection proves itself in a task of its own, so that a bad client
//! cannot keep a good one waiting; only proven ones reach the gRPC server.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::lifetime::{Lifetime, Presence};
use crate::log::{Level, log};

/// How long a client may take to prove itself.
const PROOF: Duration = Duration::from_secs(10);

/// How long to wait after a failure to accept, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Bytes in both directions.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// One proven connection.
pub(crate) struct Connection {
    io: Box<dyn Io>,
    /// Tells the process when the connection is gone.
    _presence: Presence,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection(..)")
    }
}

/// Proven connections, as they come, until the process ends.
///
/// With an acceptor, only its client gets through. Without one, whoever may
/// enter the socket's directory does: the user who started the process by hand.
pub(super) fn accept(
    listener: UnixListener,
    acceptor: Option<TlsAcceptor>,
    lifetime: Arc<Lifetime>,
) -> impl Stream<Item = io::Result<Connection>> {
    let (proven, connections) = mpsc::channel(8);
    tokio::spawn(async move {
        let ended = lifetime.ended();
        tokio::pin!(ended);
        loop {
            let accepted = tokio::select! {
                () = &mut ended => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, _)) => {
                    let proving = prove(socket, acceptor.clone(), Arc::clone(&lifetime));
                    tokio::spawn(hand_over(proving, proven.clone()));
                }
                Err(error) => {
                    log(Level::Error, format!("a connection cannot be accepted: {error}"));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    });
    ReceiverStream::new(connections)
}

/// Gives a connection to the gRPC server once it is proven, within the time for it.
///
/// Terraform shows every failure as "Plugin did not respond", so the cause must
/// be in the log.
async fn hand_over(
    proving: impl Future<Output = io::Result<Connection>>,
    proven: mpsc::Sender<io::Result<Connection>>,
) {
    let error = match tokio::time::timeout(PROOF, proving).await {
        Ok(Ok(connection)) => {
            // A closed channel means that the process is ending.
            let _ = proven.send(Ok(connection)).await;
            return;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it took too long".to_owned(),
    };
    log(Level::Error, format!("a client could not prove itself: {error}"));
}

/// Makes a socket connection a proven one.
async fn prove(
    socket: UnixStream,
    acceptor: Option<TlsAcceptor>,
    lifetime: Arc<Lifetime>,
) -> io::Result<Connection> {
    let decisive = acceptor.is_some();
    let io: Box<dyn Io> = match acceptor {
        Some(acceptor) => Box::new(acceptor.accept(socket).await?),
        None => Box::new(socket),
    };
    Ok(Connection { io, _presence: lifetime.connected(decisive) })
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
