//! Whoever stands before an authority and passes on what is asked of it: a test says where it lies, and
//! where it stops.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::support::{Asked, Reply, StandIn};

/// What is made of the call that fits.
pub(super) type Twist = Arc<dyn Fn(&Asked, Reply) -> Reply + Send + Sync>;

/// What it does with the next call that fits.
#[derive(Clone)]
pub(super) enum Then {
    /// It answers something else than it was given.
    Twist(Twist),
    /// It answers this, and passes nothing on.
    Keep(Reply),
    /// It stops before it passes the call on, and passes it on when it is told to.
    StopBefore,
    /// It stops when it has the answer, which is lost.
    StopAfter,
}

/// A call, by its method and the end of its path.
#[derive(Clone)]
struct Trap {
    method: &'static str,
    end: String,
    then: Then,
}

impl Trap {
    fn fits(&self, asked: &Asked) -> bool {
        let path = asked.path.split('?').next().unwrap_or_default();
        self.method == asked.method && path.ends_with(&self.end)
    }
}

/// What it passes on, and to whom.
#[derive(Default)]
struct Inside {
    trap: Mutex<Option<Trap>>,
    reached: Notify,
    go: Notify,
}

/// The running thing. Where it leads can be said once it is there.
#[derive(Clone)]
pub(super) struct Between {
    pub(super) front: StandIn,
    inside: Arc<Inside>,
}

impl Between {
    /// Before whatever answers at this URL.
    pub(super) async fn start(behind: String) -> Self {
        let inside = Arc::new(Inside::default());
        let within = Arc::clone(&inside);
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let http = http.build().unwrap();
        let front = StandIn::start(move |asked| {
            let (inside, http) = (Arc::clone(&within), http.clone());
            let behind = behind.clone();
            Box::pin(async move { inside.pass(&http, &behind, asked).await })
        })
        .await;
        Self { front, inside }
    }

    pub(super) fn url(&self) -> &str {
        &self.front.url
    }

    /// With the next call of this method whose path ends so, it does this, and with no other.
    pub(super) fn trap(&self, method: &'static str, end: impl Into<String>, then: Then) {
        *self.inside.trap.lock().unwrap() = Some(Trap { method, end: end.into(), then });
    }

    /// It passes everything on.
    pub(super) fn pass_all(&self) {
        *self.inside.trap.lock().unwrap() = None;
    }

    /// Until it has stopped.
    pub(super) async fn reached(&self) {
        self.inside.reached.notified().await;
    }

    /// It goes on.
    pub(super) fn go(&self) {
        self.inside.go.notify_one();
    }
}

impl Inside {
    async fn pass(&self, http: &reqwest::Client, behind: &str, asked: Asked) -> Reply {
        let trap = self.trap.lock().unwrap().clone().filter(|trap| trap.fits(&asked));
        let stops = matches!(&trap, Some(Trap { then: Then::StopBefore | Then::StopAfter, .. }));
        if stops {
            *self.trap.lock().unwrap() = None;
        }
        match trap.map(|trap| trap.then) {
            None => passed_on(http, behind, &asked).await,
            Some(Then::Keep(reply)) => reply,
            Some(Then::Twist(twist)) => twist(&asked, passed_on(http, behind, &asked).await),
            Some(Then::StopBefore) => {
                self.stop().await;
                passed_on(http, behind, &asked).await
            }
            Some(Then::StopAfter) => {
                passed_on(http, behind, &asked).await;
                self.stop().await;
                Reply::new(502, "")
            }
        }
    }

    async fn stop(&self) {
        self.reached.notify_one();
        self.go.notified().await;
    }
}

/// What is answered there; who is away there answers as gateways do.
async fn passed_on(http: &reqwest::Client, behind: &str, asked: &Asked) -> Reply {
    let mut call = http.request(asked.method.parse().unwrap(), format!("{behind}{}", asked.path));
    for name in ["authorization", "content-type", "idempotency-key"] {
        if !asked.header(name).is_empty() {
            call = call.header(name, asked.header(name));
        }
    }
    let Ok(response) = call.body(asked.body.clone()).send().await else {
        return Reply::new(502, "");
    };
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").cloned();
    let Ok(body) = response.text().await else { return Reply::new(502, "") };
    let kind = kind.map(|kind| ("content-type", kind.to_str().unwrap().to_owned()));
    Reply { headers: kind.into_iter().collect(), ..Reply::new(status, body) }
}
