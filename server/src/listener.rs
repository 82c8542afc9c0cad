//! Connections: limits on what a stranger can make us hold, and an orderly end.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tower_http::timeout::TimeoutLayer;

use crate::network::Peer;

/// The largest body of a call.
const MAX_BODY: usize = 1024 * 1024;
/// How long a head may take to arrive.
const HEAD: Duration = Duration::from_secs(10);
/// How long a whole call may take; a parked one is answered within a minute.
const CALL: Duration = Duration::from_secs(90);
/// The read buffer, which also bounds the head. Small, because thousands of callers are parked.
const BUFFER: usize = 8 * 1024;
/// How many connections at once.
const CONNECTIONS: usize = 20_000;
/// How long answers under way have when the server stops.
const GRACE: Duration = Duration::from_secs(10);

/// A router with the limits that every call is under.
pub(crate) fn limited(router: Router) -> Router {
    router
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, CALL))
        .layer(middleware::from_fn(log))
}

/// One line a call. The route's pattern, never the path itself: codes stand in paths.
async fn log(request: Request, next: Next) -> Response {
    let began = tokio::time::Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%method, route, status = response.status().as_u16(), millis, "answered");
    response
}

/// Answers until `closing`, then lets answers under way finish.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    closing: CancellationToken,
) -> std::io::Result<()> {
    let connections = TaskTracker::new();
    let places = std::sync::Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closing.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok((stream, address)) => (stream, Peer(address.ip())),
            Err(error) => {
                // Out of descriptors, most likely: some will come free.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(place) = std::sync::Arc::clone(&places).try_acquire_owned() else { continue };
        let _ = stream.set_nodelay(true);
        let (router, closing) = (router.clone(), closing.clone());
        connections.spawn(async move {
            connection(stream, peer, router, closing).await;
            drop(place);
        });
    }
    connections.close();
    if tokio::time::timeout(GRACE, connections.wait()).await.is_err() {
        tracing::warn!(left = connections.len(), "some answers were cut off");
    }
    Ok(())
}

async fn connection(
    stream: tokio::net::TcpStream,
    peer: Peer,
    router: Router,
    closing: CancellationToken,
) {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(BUFFER);
    let from_peer = move |mut request: axum::http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        request
    };
    let service = TowerToHyperService::new(router.map_request(from_peer));
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // A caller that went away mid-call is no fault of ours and not worth a line.
        _ = &mut connection => return,
        () = closing.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
