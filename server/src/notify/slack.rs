//! Slack: messages by `chat.postMessage`, changed by `chat.update` once the request is decided, or
//! through an incoming webhook, which can change nothing.
//!
//! A message has links and nothing to press: nobody votes in a chat. What strangers wrote stands in
//! texts of the type `plain_text`, which has no mentions, links or formatting; in the line that
//! Slack shows as a notification `&`, `<` and `>` are escaped, as its documentation asks.

use assent_core::credential::Secret;
use assent_core::digest::Digest;
use serde_json::{Value, json};
use url::Url;

use super::message::{Message, title};
use super::outside::{Answer, Outside};
use super::{NotTold, outside};
use crate::broker::outside::short;

/// How many messages a digest shows; Slack takes 50 blocks.
const MOST: usize = 12;

/// A workspace that a bot's token is for.
#[derive(Debug)]
pub(super) struct Workspace {
    outside: Outside,
    api: Url,
    token: Secret,
}

/// An incoming webhook.
#[derive(Debug)]
pub(super) struct Hook {
    outside: Outside,
    url: Secret,
}

impl Workspace {
    pub(super) fn new(outside: Outside, api: Url, token: Secret) -> Self {
        Self { outside, api, token }
    }

    /// Posts to a channel or a person, or changes the message that stands there. Answers by what it is
    /// known: the channel's id and the message's time.
    pub(super) async fn tell(
        &self,
        place: &str,
        messages: &[Message],
        standing: Option<&str>,
    ) -> Result<String, NotTold> {
        if let Some((channel, ts)) = standing.and_then(|standing| standing.split_once(' ')) {
            let body = with(shown(messages), json!({"channel": channel, "ts": ts}));
            match self.call("chat.update", &body).await? {
                Ok(_) => return Ok(format!("{channel} {ts}")),
                // Somebody removed it, or it may not be changed any more: then it is said anew.
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(refused(&error)),
            }
        }
        let own = json!({
            "channel": place,
            "client_msg_id": uuid(messages),
            "unfurl_links": false,
            "unfurl_media": false,
        });
        match self.call("chat.postMessage", &with(shown(messages), own)).await? {
            Ok(answer) => {
                let text =
                    |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
                Ok(format!("{} {}", text("channel"), text("ts")))
            }
            Err(error) => Err(refused(&error)),
        }
    }

    /// What it answers: what was done, or by which word it was not.
    async fn call(&self, method: &str, body: &Value) -> Result<Result<Value, String>, NotTold> {
        let mut url = self.api.clone();
        url.set_path(&format!("{}/{method}", self.api.path().trim_end_matches('/')));
        let call = self.outside.post(&url).bearer_auth(self.token.expose()).json(body);
        let Answer { status, retry_after, body } = self.outside.send(call).await?;
        if status != 200 {
            return Err(NotTold::away(format!("Slack answered {status}"), retry_after));
        }
        let answer: Value = serde_json::from_slice(&body)
            .map_err(|_| NotTold::away("Slack's answer is no JSON", None))?;
        let error = answer.get("error").and_then(Value::as_str).unwrap_or("it does not say why");
        match answer.get("ok").and_then(Value::as_bool) {
            Some(true) => Ok(Ok(answer)),
            Some(false) | None => Ok(Err(short(error))),
        }
    }
}

impl Hook {
    pub(super) fn new(outside: Outside, url: Secret) -> Result<Self, String> {
        outside.check(&outside::secret_url(&url)?)?;
        Ok(Self { outside, url })
    }

    pub(super) async fn tell(&self, messages: &[Message]) -> Result<(), NotTold> {
        let url = outside::secret_url(&self.url).map_err(NotTold::never)?;
        self.outside.deliver(self.outside.post(&url).json(&shown(messages))).await
    }
}

fn is_gone(error: &str) -> bool {
    matches!(error, "message_not_found" | "cant_update_message" | "edit_window_closed")
}

/// What follows from the words by which Slack refuses (the documentation of `chat.postMessage`).
fn refused(error: &str) -> NotTold {
    let problem = format!("Slack: {error}");
    match error {
        "ratelimited"
        | "rate_limited"
        | "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout" => NotTold::away(problem, None),
        _ => NotTold::never(problem),
    }
}

/// The message as blocks, and as the one line that is shown as a notification.
fn shown(messages: &[Message]) -> Value {
    let mut blocks = Vec::new();
    for message in messages.iter().take(MOST) {
        blocks.push(json!({"type": "header", "text": text(&message.headline, 150)}));
        blocks.push(json!({"type": "section", "text": text(&message.sentence, 3000)}));
        let lines: Vec<_> =
            message.facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        blocks.push(json!({"type": "section", "text": text(&lines.join("\n"), 3000)}));
        blocks.push(json!({
            "type": "context",
            "elements": [{"type": "mrkdwn", "text": format!("<{}|Open in Assent>", message.link)}],
        }));
    }
    if messages.len() > MOST {
        let more = format!("and {} more", messages.len() - MOST);
        blocks.push(json!({"type": "section", "text": text(&more, 150)}));
    }
    json!({"text": escaped(&title(messages)), "blocks": blocks})
}

/// A text in which nothing means anything.
fn text(text: &str, longest: usize) -> Value {
    let text: String = text.chars().take(longest).collect();
    json!({"type": "plain_text", "text": text, "emoji": false})
}

/// As Slack's documentation says that texts are escaped.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn with(mut body: Value, more: Value) -> Value {
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

/// The same messages are known again by the same.
fn uuid(messages: &[Message]) -> String {
    let ids: Vec<_> = messages.iter().map(|message| message.id.as_bytes()).collect();
    let hex = Digest::of_parts(&ids).hex();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    // Version 8 and its variant (RFC 9562 section 5.8): made of what we like.
    format!("{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(reason: &str) -> Message {
        Message {
            id: "ntc_1".to_owned(),
            request: "req_1".to_owned(),
            headline: "Approval wanted".to_owned(),
            sentence: reason.to_owned(),
            facts: vec![("Reason", reason.to_owned())],
            link: "https://assent.example/requests/req_1".to_owned(),
            event: Value::Null,
        }
    }

    #[test]
    fn t36_nobody_is_mentioned_and_nothing_is_linked_by_what_strangers_write() {
        let evil = "<!channel> <@U123> *bold* <https://evil.example|click> & @here";
        let shown = shown(&[message(evil)]);
        let line = shown["text"].as_str().unwrap();
        assert!(!line.contains('<') && line.contains("&lt;!channel&gt;"), "{line}");
        for block in shown["blocks"].as_array().unwrap() {
            let is_ours = block["type"] == "context";
            let kind = &block["text"]["type"];
            assert!(is_ours || kind == "plain_text", "{block}");
        }
        let links = shown.to_string().matches("mrkdwn").count();
        assert_eq!(links, 1, "only our own link is more than text");
    }

    #[test]
    fn nothing_in_a_message_can_be_pressed() {
        let shown = shown(&[message("r"), message("s")]).to_string();
        for word in ["button", "actions", "action_id", "callback"] {
            assert!(!shown.contains(word), "{shown}");
        }
    }

    #[test]
    fn a_long_digest_says_how_many_more_there_are() {
        let many: Vec<_> = (0..20).map(|_| message("r")).collect();
        let shown = shown(&many);
        let blocks = shown["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50, "{}", blocks.len());
        assert!(shown.to_string().contains("and 8 more"));
    }

    #[test]
    fn the_same_messages_have_the_same_id_of_the_form_of_a_uuid() {
        let one = uuid(&[message("r")]);
        assert_eq!((one.len(), one.matches('-').count()), (36, 4), "{one}");
        assert_eq!(one, uuid(&[message("other words")]));
        assert_ne!(one, uuid(&[message("r"), message("r")]));
    }
}
