//! What stands between jobs and the authority, as a proxy does: it counts what they ask, and can keep an
//! answer back.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode, header};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// More than any plan has.
const LARGEST: usize = 64 << 20;

/// The relay. Everybody's calls go through it.
#[derive(Clone)]
pub(super) struct Relay {
    pub(super) url: String,
    inside: Arc<Inside>,
    _running: Arc<JoinSet<()>>,
}

struct Inside {
    authority: String,
    http: reqwest::Client,
    asked_by_jobs: Mutex<Vec<String>>,
    stall: Mutex<Option<Stall>>,
    stalled: Notify,
}

/// What is not answered as it should be: calls whose path ends like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stall {
    /// The authority does not hear of them.
    Before(&'static str),
    /// The authority does what is asked.
    After(&'static str),
    /// The relay ends them itself, as a proxy does that finds them too long.
    Cut(&'static str),
}

impl Relay {
    /// In front of the authority that will be there.
    pub(super) async fn start(authority: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inside = Arc::new(Inside {
            authority,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            asked_by_jobs: Mutex::default(),
            stall: Mutex::default(),
            stalled: Notify::new(),
        });
        let app = Router::new().fallback(pass).with_state(Arc::clone(&inside));
        let mut running = JoinSet::new();
        running.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, inside, _running: Arc::new(running) }
    }

    /// From now on it keeps these answers back, or none.
    pub(super) fn stall(&self, stall: Option<Stall>) {
        *self.inside.stall.lock().unwrap() = stall;
    }

    /// Until an answer is kept back.
    pub(super) async fn stalls(&self) {
        self.inside.stalled.notified().await;
    }

    /// Everything that jobs asked: method and path.
    pub(super) fn asked_by_jobs(&self) -> Vec<String> {
        self.inside.asked_by_jobs.lock().unwrap().clone()
    }
}

async fn pass(State(inside): State<Arc<Inside>>, asked: Request<Body>) -> Response<Body> {
    let (head, body) = asked.into_parts();
    let path = head.uri.path().to_owned();
    let agent = head.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    if agent.is_some_and(|agent| agent.starts_with("assent-action/")) {
        inside.asked_by_jobs.lock().unwrap().push(format!("{} {path}", head.method));
    }
    let stall = *inside.stall.lock().unwrap();
    match stall {
        Some(Stall::Before(end)) if path.ends_with(end) => inside.keep_back().await,
        Some(Stall::Cut(end)) if path.ends_with(end) => cut(StatusCode::GATEWAY_TIMEOUT),
        Some(Stall::After(end)) if path.ends_with(end) => {
            inside.passed_on(head, body).await;
            inside.keep_back().await
        }
        Some(_) | None => inside.passed_on(head, body).await,
    }
}

fn cut(status: StatusCode) -> Response<Body> {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

impl Inside {
    /// Until whoever asked has gone.
    async fn keep_back(&self) -> Response<Body> {
        self.stalled.notify_one();
        std::future::pending().await
    }

    async fn passed_on(&self, mut head: Parts, body: Body) -> Response<Body> {
        let to = format!("{}{}", self.authority, head.uri);
        head.headers.remove(header::HOST);
        let body = to_bytes(body, LARGEST).await.unwrap();
        let request = self.http.request(head.method, to).headers(head.headers).body(body);
        let Ok(answer) = request.send().await else { return cut(StatusCode::BAD_GATEWAY) };
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        headers.remove(header::TRANSFER_ENCODING);
        let Ok(body) = answer.bytes().await else { return cut(StatusCode::BAD_GATEWAY) };
        let mut response = Response::new(Body::from(body));
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        response
    }
}
