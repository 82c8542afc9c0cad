//! A server whose people sign in at a certified provider, and a browser that remembers cookies.

use std::collections::BTreeMap;
use std::path::Path;

use assent_core::credential::Secret;
use assent_core::time::Span;
use assent_server::issuers::Reach;
use assent_server::policy::Source;
use assent_server::sign_in::SignIn;
use serde_json::json;

use crate::pages::field;
use crate::support::{Answer, Caller, Provider, Remains, Server, Setup, documents, sent};

/// What the people of the provider may approve.
pub(super) const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
groups:
  release-managers: {identity: true}
rules:
  - id: one
    when: {intent.environment: one}
    require:
      stages: [{name: release, approvals: 1, from: [group:release-managers]}]
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h}
  - id: two
    when: {intent.environment: two}
    require:
      stages: [{name: release, approvals: 2, from: [group:release-managers]}]
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h}
  - id: fresh
    when: {intent.environment: fresh}
    require:
      stages: [{name: release, approvals: 1, from: [group:release-managers], login_within: 10m}]
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h}
";

/// A rule of which nobody's word counts whose provider has not vouched for their passkey.
const SIGNED: &str = "
  - id: signed
    when: {intent.environment: signed}
    require:
      stages:
        - {name: release, approvals: 1, from: [group:release-managers],
           signature: {passkey: any, vouched: true}}
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h}
";

/// What a browser says that it is.
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0";

/// What secrets the settings of tests name.
pub(super) fn variable(name: &str) -> Option<Secret> {
    (name == "SECRET").then(|| Secret::new("a-secret-of-the-tests-alone".to_owned()))
}

/// The settings of this text.
#[track_caller]
pub(super) fn settings(text: &str) -> SignIn {
    let text = format!("apiVersion: assent/v1\nkind: SignIn\n{text}");
    SignIn::of_text(Path::new("sign-in.yaml"), &text, &variable).unwrap()
}

/// A provider of this issuer, by this name.
pub(super) fn oidc(name: &str, issuer: &str) -> String {
    format!(
        "  {name}: {{type: oidc, issuer: '{issuer}', client_id: assent, client_secret_env: SECRET, \
         groups: {{claim: groups, of: [release-managers, admins]}}}}\n"
    )
}

/// A server and the provider at which its people sign in.
pub(super) struct World {
    pub(super) server: Server,
    pub(super) provider: Provider,
}

impl World {
    pub(super) async fn start() -> Self {
        Self::set_up(Setup::default()).await
    }

    /// The same, set up like this.
    pub(super) async fn set_up(setup: Setup) -> Self {
        Self::at(Remains::fresh(), setup).await
    }

    /// The same, at this place.
    pub(super) async fn at(remains: Remains, setup: Setup) -> Self {
        Self::governed(remains, setup, POLICY, "").await
    }

    /// The same, under this policy and with this in the settings of sign-in. `ISSUER` stands for the
    /// provider in both.
    pub(super) async fn governed(remains: Remains, setup: Setup, policy: &str, more: &str) -> Self {
        let mut provider = Provider::start(0, &remains.time).await;
        let base = setup.public.clone().unwrap_or_else(|| remains.base());
        provider.client(&format!("{base}/login/corp/callback")).await;
        for name in ["alice", "bob", "carol", "root"] {
            let groups = match name {
                "alice" => vec![],
                "root" => vec!["admins"],
                _ => vec!["release-managers"],
            };
            provider.person(&json!({"sub": name, "groups": groups, "amr": ["pwd"]})).await;
        }
        let sign_in = settings(&format!(
            "providers:\n{}administrators: ['group:admins']\n{}",
            oidc("corp", &provider.url),
            more.replace("ISSUER", &provider.url)
        ));
        let reach = Reach { loopback: true, ..Reach::default() };
        let policy = format!("{}{SIGNED}", policy.trim_end());
        let source = Source::Given(documents(&policy.replace("ISSUER", &provider.url)));
        let setup = Setup { sign_in, reach, source, ..setup };
        Self { server: Server::placed(remains, setup).await, provider }
    }

    /// Under the name by which browsers find it, and let passkeys be used.
    pub(super) async fn for_browsers() -> Self {
        let remains = Remains::fresh();
        let public = format!("http://localhost:{}", remains.address.port());
        Self::at(remains, Setup { public: Some(public), ..Setup::default() }).await
    }

    /// A browser that nobody has used.
    pub(super) fn browser(&self) -> Browser {
        Browser::new(&self.server)
    }

    /// A browser in which this person has signed in.
    pub(super) async fn signed_in(&self, who: &str) -> Browser {
        let mut browser = self.browser();
        browser.sign_in("corp", who).await.is(303);
        browser
    }

    /// Whoever holds a token of this scope that this person has made.
    pub(super) async fn holder(&self, who: &str, scope: &str) -> Caller {
        let form = [("name", "cli"), ("scope", scope), ("expires_after", "24h")];
        let mut browser = self.signed_in(who).await;
        let page = browser.form("/settings/tokens", "/settings/tokens", &form).await.is(200).text;
        let token = page.split("<pre>").nth(1).unwrap().split('<').next().unwrap();
        self.server.holder_of(token)
    }

    /// Lets time pass, here and at the provider.
    pub(super) async fn pass(&mut self, span: Span) {
        self.server.time().pass(span);
        self.provider.keep_time(self.server.time()).await;
    }

    /// A request of a workload's in this environment.
    pub(super) async fn filed(&self, environment: &str) -> (Caller, String) {
        let ci = self.server.workload("ci", &[]).await;
        let intent = json!({
            "kind": "terraform.apply", "environment": environment, "reason": "resize",
        });
        let answer = ci.post("/v1/requests", &json!({"intent": intent})).await.is(201);
        (ci, answer.str("id"))
    }
}

/// A browser without a screen: it follows links and sends forms when it is told to, and keeps cookies.
#[derive(Clone)]
pub(super) struct Browser {
    caller: Caller,
    http: reqwest::Client,
    pub(super) base: String,
    /// By origin and name.
    pub(super) cookies: BTreeMap<(String, String), String>,
}

fn origin(url: &str) -> String {
    url::Url::parse(url).unwrap().origin().ascii_serialization()
}

impl Browser {
    pub(super) fn new(server: &Server) -> Self {
        let redirect = reqwest::redirect::Policy::none();
        Self {
            caller: server.stranger(),
            http: reqwest::Client::builder().redirect(redirect).no_proxy().build().unwrap(),
            base: server.base().to_owned(),
            cookies: BTreeMap::new(),
        }
    }

    /// The cookie of this name, of the server.
    pub(super) fn cookie(&self, name: &str) -> Option<&String> {
        self.cookies.get(&(self.base.clone(), name.to_owned()))
    }

    async fn send(&mut self, url: &str, call: reqwest::RequestBuilder) -> Answer {
        let from = origin(url);
        let own = self.cookies.iter().filter(|((of, _), _)| *of == from);
        let line: Vec<_> = own.map(|((_, name), value)| format!("{name}={value}")).collect();
        let answer = sent(call.header("cookie", line.join("; "))).await;
        for line in answer.headers.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            let key = (from.clone(), name.to_owned());
            match value.is_empty() {
                true => drop(self.cookies.remove(&key)),
                false => drop(self.cookies.insert(key, value.to_owned())),
            }
        }
        answer
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        let call = self.caller.call("GET", path).header("user-agent", AGENT);
        self.send(&self.base.clone(), call).await
    }

    /// The same, where our script asks and nobody does anything.
    pub(super) async fn look(&mut self, path: &str) -> Answer {
        let call = self.caller.call("GET", path).header("x-assent-live", "1");
        self.send(&self.base.clone(), call).await
    }

    /// Sends a form of this page with these fields, as a browser does.
    pub(super) async fn form(&mut self, page: &str, path: &str, more: &[(&str, &str)]) -> Answer {
        let page = self.get(page).await.text;
        let csrf = field(&page, "csrf");
        let csrf = [("csrf", csrf.as_str())].into_iter();
        let fields: Vec<_> = csrf.chain(more.iter().copied()).collect();
        self.post(path, &fields).await
    }

    /// Sends these fields, as a page of the server's does.
    pub(super) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let call = self.caller.call("POST", path).header("origin", &self.base).form(fields);
        self.send(&self.base.clone(), call).await
    }

    /// Goes wherever that leads.
    pub(super) async fn follow(&mut self, url: &str) -> Answer {
        let call = self.http.get(url).header("user-agent", AGENT);
        self.send(url, call).await
    }

    /// Begins to sign in, and gives where the provider sends this browser back.
    pub(super) async fn at_provider(&mut self, to: &str, who: &str) -> String {
        let mut to = to.to_owned();
        for _ in 0..8 {
            if to.starts_with(&self.base) {
                return to;
            }
            let answer = self.follow(&to).await;
            let here = url::Url::parse(&to).unwrap();
            let next = match answer.headers.get("location") {
                Some(next) => next.to_str().unwrap().to_owned(),
                None => {
                    assert_eq!(answer.status, 200, "{answer:?}");
                    let call = self.http.post(&to).form(&[("who", who)]);
                    let answer = self.send(&to, call).await;
                    let next =
                        answer.headers.get("location").unwrap_or_else(|| panic!("{answer:?}"));
                    next.to_str().unwrap().to_owned()
                }
            };
            to = here.join(&next).unwrap().into();
        }
        panic!("never back from {to}");
    }

    /// Where this link leads.
    pub(super) async fn led(&mut self, path: &str) -> String {
        let answer = self.get(path).await.is(303);
        answer.headers["location"].to_str().unwrap().to_owned()
    }

    /// The whole way of signing in, to its answer.
    pub(super) async fn sign_in(&mut self, provider: &str, who: &str) -> Answer {
        let to = self.led(&format!("/login/{provider}/begin")).await;
        let back = self.at_provider(&to, who).await;
        self.follow(&back).await
    }

    /// Forgets whoever was signed in elsewhere than here.
    pub(super) fn leave_providers(&mut self) {
        let base = self.base.clone();
        self.cookies.retain(|(origin, _), _| *origin == base);
    }

    /// The whole way of signing in again.
    pub(super) async fn sign_in_again(&mut self, provider: &str, who: &str, back: &str) -> Answer {
        self.leave_providers();
        let to = self.led(&format!("/login/{provider}/again?return={back}")).await;
        let back = self.at_provider(&to, who).await;
        self.follow(&back).await
    }

    /// Approves or denies a request by its page.
    pub(super) async fn decide(&mut self, id: &str, verdict: &str) -> Answer {
        let path = format!("/requests/{id}");
        // The page shows it also to whoever may not decide.
        let page = self.get(&path).await.is(200).text;
        let digest = page.split("<code>sha256:").nth(1).unwrap().split('<').next().unwrap();
        let digest = format!("sha256:{digest}");
        let fields = [("digest", digest.as_str()), ("verdict", verdict), ("comment", "seen")];
        self.form(&path, &format!("{path}/review"), &fields).await
    }
}
