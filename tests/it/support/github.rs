//! GitHub, as far as an App with a deployment protection rule sees it: it keeps state, is as strict as
//! its REST API is documented, counts what it is asked and misbehaves when it is told to. That its
//! answers are of the shape that GitHub describes is checked by `tests/it/github/described.rs`.

mod app;
mod gates;
mod people;
mod route;
mod shapes;
mod state;
mod webhooks;

use std::sync::{Arc, Mutex, MutexGuard};

use assent_core::digest::Digest;
use serde_json::{Value, json};

use super::{Asked, Reply, StandIn, now};
pub(crate) use app::{APP, private_key, settings, settings_at};
pub(crate) use gates::our_rule;
pub(crate) use route::Route;
pub(crate) use state::{Change, Commit, Environment, Gate, Pull, Run, State, closed, repository};
pub(crate) use webhooks::{WEBHOOK_SECRET, fresh_delivery};

/// What an installation may ask in an hour.
const HOURLY: usize = 5_000;

/// What it does instead of answering, or after it has done what it was asked.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This is answered, and nothing done.
    Saying(Reply),
    /// It is done, and this is answered.
    Lying(Reply),
    /// It hangs up, having done nothing.
    HangingUp,
    /// It hangs up, having done it.
    HangingUpAfter,
    /// It never answers, having done nothing.
    Silent,
    /// It never answers, having done it.
    SilentAfter,
}

/// One call that came.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) route: Route,
    pub(crate) body: Value,
    pub(crate) status: u16,
}

/// The running service. It ends with the last of its handles.
#[derive(Clone)]
pub(crate) struct Github {
    /// Where it answers.
    pub(crate) url: String,
    inside: Arc<Mutex<Inside>>,
    stand_in: StandIn,
}

struct Inside {
    state: State,
    calls: Vec<Call>,
    faults: Vec<(Route, usize, Fault)>,
    /// How much of the hour's calls is used.
    used: usize,
}

impl Github {
    /// With nothing in it.
    pub(crate) async fn start() -> Self {
        let (state, calls, faults) = (State::default(), Vec::new(), Vec::new());
        let inside = Arc::new(Mutex::new(Inside { state, calls, faults, used: 0 }));
        let serving = Arc::clone(&inside);
        let stand_in = StandIn::start(move |asked| {
            let inside = Arc::clone(&serving);
            Box::pin(async move { inside.lock().unwrap().answer(&asked) })
        })
        .await;
        let url = stand_in.url.clone();
        inside.lock().unwrap().state.url.clone_from(&url);
        Self { url, inside, stand_in }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    /// Looks at what it holds, or changes it.
    pub(crate) fn with<T>(&self, see: impl FnOnce(&mut State) -> T) -> T {
        see(&mut self.inside().state)
    }

    /// The links that it gives lead here: to whoever stands before it.
    pub(crate) fn seen_at(&self, url: &str) {
        self.with(|state| url.clone_into(&mut state.url));
    }

    /// The next so many calls of this route go wrong like this.
    pub(crate) fn fail(&self, route: Route, times: usize, fault: Fault) {
        self.inside().faults.push((route, times, fault));
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        self.inside().faults.clear();
    }

    /// So much of the hour's calls is left.
    pub(crate) fn leave(&self, calls: usize) {
        self.inside().used = HOURLY - calls;
    }

    /// Everything it was asked.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.inside().calls.clone()
    }

    /// What it was asked of this.
    pub(crate) fn calls_of(&self, route: Route) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.route == route).collect()
    }

    /// Forgets what it was asked.
    pub(crate) fn forget_calls(&self) {
        self.inside().calls.clear();
    }

    /// Until it has fallen silent in the middle of a call.
    pub(crate) async fn fell_silent(&self) {
        self.stand_in.stopped().await;
    }
}

impl Inside {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let path: Vec<String> = path.split('/').skip(1).map(decoded).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let route = Route::of(&asked.method, &path);
        let fault = self.faults.iter_mut().find(|(of, times, _)| *of == route && *times > 0);
        let fault = fault.map(|(_, times, fault)| {
            *times -= 1;
            fault.clone()
        });
        let mut honest = || self.state.answer(route, &path, query, asked);
        let reply = match fault {
            None => honest(),
            Some(Fault::Saying(reply)) => reply,
            Some(Fault::HangingUp) => Reply::hanging_up(),
            Some(Fault::Silent) => Reply::silent(),
            Some(Fault::Lying(reply)) => {
                honest();
                reply
            }
            Some(Fault::HangingUpAfter) => {
                honest();
                Reply::hanging_up()
            }
            Some(Fault::SilentAfter) => {
                honest();
                Reply::silent()
            }
        };
        let reply = self.counted(asked, reply);
        let body = serde_json::from_slice(&asked.body).unwrap_or(Value::Null);
        self.calls.push(Call { route, body, status: reply.status });
        reply
    }

    /// With what a conditional request and the limit of an hour make of it: an answer that has not
    /// changed is free ("Best practices for using the REST API").
    fn counted(&mut self, asked: &Asked, mut reply: Reply) -> Reply {
        if reply.status < 200 {
            return reply;
        }
        let tag = format!("\"{}\"", Digest::of(reply.body.as_bytes()));
        if asked.method == "GET" && reply.status == 200 {
            if asked.header("if-none-match") == tag {
                reply = Reply { headers: reply.headers, ..Reply::new(304, "") };
            }
            reply.headers.push(("etag", tag));
        }
        if reply.status != 304 {
            self.used += 1;
        }
        if self.used > HOURLY {
            self.used = HOURLY;
            reply = message(403, "API rate limit exceeded for installation ID 77.");
        }
        let reset = self.state.resets_at.unwrap_or_else(|| now().as_seconds() + 1800);
        let limits = [
            ("x-ratelimit-limit", HOURLY.to_string()),
            ("x-ratelimit-remaining", (HOURLY - self.used).to_string()),
            ("x-ratelimit-used", self.used.to_string()),
            ("x-ratelimit-reset", reset.to_string()),
            ("x-ratelimit-resource", "core".to_owned()),
        ];
        reply.headers.extend(limits);
        if !reply.headers.iter().any(|(name, _)| *name == "content-type") {
            reply.headers.push(("content-type", "application/json; charset=utf-8".to_owned()));
        }
        reply
    }
}

/// What GitHub says when it refuses.
pub(crate) fn message(status: u16, text: &str) -> Reply {
    let body = json!({
        "message": text,
        "documentation_url": "https://docs.github.com/rest",
        "status": status.to_string(),
    });
    Reply::new(status, body.to_string())
}

fn decoded(part: &str) -> String {
    let pair = format!("x={}", part.replace('+', "%2B"));
    let found = url::form_urlencoded::parse(pair.as_bytes()).next();
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// One value of a query.
fn queried(query: &str, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
