//! Microsoft Teams: Adaptive Cards through a webhook of Workflows.
//!
//! What strangers wrote stands in text runs, which know no Markdown and no mentions; the one action of
//! a card opens the request's page.

use assent_core::credential::Secret;
use serde_json::{Value, json};

use super::NotTold;
use super::message::{Message, title};
use super::outside::{self, Outside};

/// How many messages a card shows; Teams takes 28 kB.
const MOST: usize = 12;

/// A webhook of Workflows.
#[derive(Debug)]
pub(super) struct Hook {
    outside: Outside,
    url: Secret,
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

fn shown(messages: &[Message]) -> Value {
    let mut body = Vec::new();
    let mut actions = Vec::new();
    for message in messages.iter().take(MOST) {
        body.push(text(&message.headline, "bolder"));
        body.push(text(&message.sentence, "default"));
        body.extend(
            message.facts.iter().map(|(name, value)| text(&format!("{name}: {value}"), "default")),
        );
        // Teams shows no more than six.
        if actions.len() < 6 {
            let title = if messages.len() == 1 { "Open in Assent" } else { &message.request };
            actions.push(json!({"type": "Action.OpenUrl", "title": title, "url": message.link}));
        }
    }
    if messages.len() > MOST {
        body.push(text(&format!("and {} more", messages.len() - MOST), "default"));
    }
    json!({
        "type": "message",
        "summary": title(messages),
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
                "actions": actions,
            },
        }],
    })
}

/// A line in which nothing means anything.
fn text(text: &str, weight: &str) -> Value {
    json!({
        "type": "RichTextBlock",
        "inlines": [{"type": "TextRun", "text": text, "weight": weight}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t36_what_strangers_write_is_text_and_the_only_action_opens_our_page() {
        let evil = "[click](https://evil.example) <at>everyone</at> **now**";
        let message = Message {
            id: "ntc_1".to_owned(),
            request: "req_1".to_owned(),
            headline: "Approval wanted".to_owned(),
            sentence: evil.to_owned(),
            facts: vec![("Reason", evil.to_owned())],
            link: "https://assent.example/requests/req_1".to_owned(),
            event: Value::Null,
        };
        let shown = shown(&[message]);
        let card = &shown["attachments"][0]["content"];
        for element in card["body"].as_array().unwrap() {
            assert_eq!(element["type"], "RichTextBlock", "{element}");
        }
        assert!(card.get("msteams").is_none(), "a mention needs an entity, and there is none");
        let actions = card["actions"].as_array().unwrap();
        assert_eq!(actions.len(), 1);
        assert_eq!(actions[0]["type"], "Action.OpenUrl");
        assert_eq!(actions[0]["url"], "https://assent.example/requests/req_1");
    }
}
