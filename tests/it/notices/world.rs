//! Receivers as their documentation has them, and servers that tell them.

use std::path::Path;
use std::sync::{Arc, Mutex};

use assent_client::wire;
use assent_server::ledger::{Ledger, SqliteLedger};
use assent_server::notify::Channels;
use assent_server::policy::Source;
use serde_json::{Value, json};

use crate::support::{
    POLICY, Remains, Reply, Server, Setup, StandIn, documents, filing, fresh_key,
};

/// The bot's token at the emulated Slack.
pub(super) const TOKEN: &str = "xoxb-canary-token-0123456789";
/// The secret of the webhook's receiver.
pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Slack's Web API: `chat.postMessage` and `chat.update`, with the errors of their documentation.
#[derive(Clone)]
pub(super) struct Slack {
    pub(super) stand_in: StandIn,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Default)]
struct Inside {
    messages: Vec<Value>,
    /// What is answered instead, first to last.
    instead: Vec<Reply>,
    updates: usize,
}

impl Slack {
    pub(super) async fn start() -> Self {
        let inside = Arc::<Mutex<Inside>>::default();
        let mine = Arc::clone(&inside);
        let stand_in = StandIn::start(move |asked| {
            let mut inside = mine.lock().unwrap();
            let reply = match inside.instead.is_empty() {
                false => inside.instead.remove(0),
                true if asked.bearer() != TOKEN => refusing("invalid_auth"),
                true => {
                    let body: Value = serde_json::from_slice(&asked.body).unwrap();
                    inside.take(&asked.path, body)
                }
            };
            Box::pin(async move { reply })
        })
        .await;
        Self { stand_in, inside }
    }

    /// Answers this instead, once.
    pub(super) fn instead(&self, reply: Reply) {
        self.inside.lock().unwrap().instead.push(reply);
    }

    /// Every message that stands, as it stands.
    pub(super) fn messages(&self) -> Vec<Value> {
        self.inside.lock().unwrap().messages.clone()
    }

    /// Where each stands and how it begins: `C0000000001 Approval wanted`.
    pub(super) fn told(&self) -> Vec<String> {
        let line = |message: &Value| {
            let (place, head) = (&message["channel"], &message["blocks"][0]["text"]["text"]);
            format!("{} {}", place.as_str().unwrap(), head.as_str().unwrap())
        };
        self.messages().iter().map(line).collect()
    }

    pub(super) fn updates(&self) -> usize {
        self.inside.lock().unwrap().updates
    }
}

impl Inside {
    fn take(&mut self, path: &str, body: Value) -> Reply {
        let place = body["channel"].as_str().unwrap_or_default().to_owned();
        let is_known = |id: &str| ["C0000000001", "D0000000002", "D0000000003"].contains(&id);
        match path {
            "/api/chat.postMessage" => {
                // A person is written to in a channel of their own.
                let channel = place.replace("U000000000", "D000000000");
                if !is_known(&channel) {
                    return refusing("channel_not_found");
                }
                let same = |one: &&Value| one["client_msg_id"] == body["client_msg_id"];
                if let Some(before) = self.messages.iter().find(same) {
                    return saying(&channel, before["ts"].as_str().unwrap());
                }
                let ts = format!("1800000000.{:06}", self.messages.len());
                let mut message = body;
                message["channel"] = json!(channel);
                message["ts"] = json!(ts);
                self.messages.push(message);
                saying(&channel, &ts)
            }
            "/api/chat.update" => {
                let same = |one: &&mut Value| {
                    (&one["channel"], &one["ts"]) == (&body["channel"], &body["ts"])
                };
                let Some(message) = self.messages.iter_mut().find(same) else {
                    return refusing("message_not_found");
                };
                message["blocks"] = body["blocks"].clone();
                message["text"] = body["text"].clone();
                self.updates += 1;
                saying(&place, message["ts"].as_str().unwrap())
            }
            _ => refusing("unknown_method"),
        }
    }
}

fn saying(channel: &str, ts: &str) -> Reply {
    Reply::new(200, json!({"ok": true, "channel": channel, "ts": ts}).to_string())
}

pub(super) fn refusing(error: &str) -> Reply {
    Reply::new(200, json!({"ok": false, "error": error}).to_string())
}

/// A receiver of webhooks that takes everything.
pub(super) async fn receiver() -> StandIn {
    StandIn::start(|_| Box::pin(async { Reply::new(202, "") })).await
}

/// The channels of this file, with secrets beside it.
pub(crate) fn channels(folder: &Path, text: &str) -> Channels {
    Channels::read(&channels_in(folder, text)).unwrap()
}

/// The file itself.
pub(super) fn channels_in(folder: &Path, text: &str) -> std::path::PathBuf {
    let file = folder.join("channels.yaml");
    std::fs::write(
        &file,
        format!("apiVersion: assent/v1\nkind: Channels\nallow_loopback: true\n{text}"),
    )
    .unwrap();
    secret_in(folder, "token", TOKEN);
    secret_in(folder, "secret", SECRET);
    file
}

/// A secret that only its owner reads.
pub(crate) fn secret_in(folder: &Path, name: &str, text: &str) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(folder.join(name)).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
}

/// At this Slack: the channel `prod`, and bob and carol.
pub(super) fn at_slack(slack: &Slack) -> String {
    format!(
        "slack: {{token_file: token, url: \"{}/api\"}}\n\
         channels:\n  prod: {{slack: {{channel: C0000000001}}}}\n\
         people:\n  bob: {{slack: U0000000002}}\n  alice: {{slack: U0000000003}}\n",
        slack.stand_in.url
    )
}

/// By webhook: the channel `siem`.
pub(super) fn at_hook(hook: &StandIn) -> String {
    format!("channels:\n  siem: {{webhook: {{url: \"{}/in\", secret_file: secret}}}}\n", hook.url)
}

/// A server that tells by these, under the policy of tests and this.
pub(super) async fn telling(channels: Channels, more: &str) -> Server {
    let source = Source::Given(documents(&format!("{POLICY}{more}")));
    Server::set_up(Setup { source, channels, ..Setup::default() }).await
}

/// The same with its ledger in a file.
pub(super) async fn telling_on(
    file: &Path,
    remains: Remains,
    channels: Channels,
    more: &str,
) -> Server {
    let source = Source::Given(documents(&format!("{POLICY}{more}")));
    let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(file).unwrap());
    Server::placed_on(ledger, remains, Setup { source, channels, ..Setup::default() }).await
}

/// A request of alice's.
pub(super) async fn filed(server: &Server, environment: &str, reason: &str) -> wire::Request {
    let alice = server.person("alice").await;
    alice.client.file(&filing(environment, reason), &fresh_key()).await.unwrap()
}

/// Every notice there is, newest last: `granted channel:siem sent`.
pub(super) async fn notices(server: &Server) -> Vec<String> {
    let root = server.administrator().await;
    let all = root.client.notices(None).await.unwrap().notices;
    let line = |n: &wire::Notice| format!("{} {} {}", n.occasion, n.to, n.state);
    let mut lines: Vec<_> = all.iter().map(line).collect();
    lines.sort();
    lines
}
