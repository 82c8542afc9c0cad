//! The ways by which people and other systems are told: Slack, Microsoft Teams, e-mail, webhooks.
//!
//! A way takes a message, or says why not: that it is away itself, that this one message must wait,
//! or that it will never be taken. Whatever strangers wrote is escaped here, for each way as that
//! one reads. None of them takes an answer: who decides does that on the pages or by the API.

mod email;
mod message;
mod outside;
mod settings;
mod slack;
mod teams;
mod webhook;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use assent_core::notice::Means;
use assent_core::principal::PrincipalId;
use assent_core::time::{Span, Timestamp};

use crate::ledger::outbox::To;
pub(crate) use message::Message;

/// Every way that is set up, and where people are to be found.
#[derive(Debug, Default)]
pub struct Channels {
    slack: Option<slack::Workspace>,
    email: Option<email::Mailer>,
    channels: BTreeMap<String, Way>,
    people: BTreeMap<PrincipalId, Addresses>,
}

/// One channel.
#[derive(Debug)]
enum Way {
    Slack(String),
    SlackHook(slack::Hook),
    Teams(teams::Hook),
    Webhook(webhook::Hook),
    Email(email::Address),
}

/// Somebody who is to be told.
#[derive(Debug, Default)]
pub(crate) struct Person {
    /// The accounts by which they are known.
    pub(crate) known_as: BTreeSet<PrincipalId>,
    /// Where they get mail by their provider's word, which counts where the settings name no address.
    pub(crate) mail: Option<String>,
}

/// Where a person is to be found.
#[derive(Clone, Debug, Default)]
struct Addresses {
    slack: Option<String>,
    email: Option<email::Address>,
}

/// Why something was not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct NotTold {
    /// In words that can be shown: no secret, nothing that steers a terminal.
    pub problem: String,
    /// What follows.
    pub then: Then,
}

/// What follows from that something was not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The way itself is away: nothing else goes by it for now, at least for so long.
    Away(Option<Span>),
    /// This one is tried again later.
    Later,
    /// This one is never taken.
    Never,
}

impl NotTold {
    fn away(problem: impl Into<String>, retry_after: Option<Span>) -> Self {
        Self { problem: problem.into(), then: Then::Away(retry_after) }
    }

    fn later(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), then: Then::Later }
    }

    fn never(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), then: Then::Never }
    }
}

impl Channels {
    /// The names and kinds of all ways, as notices name them.
    pub fn ways(&self) -> Vec<(String, &'static str)> {
        let channels = self.channels.iter().map(|(name, way)| {
            let kind = match way {
                Way::Slack(_) | Way::SlackHook(_) => "slack",
                Way::Teams(_) => "teams",
                Way::Webhook(_) => "webhook",
                Way::Email(_) => "email",
            };
            (format!("channel:{name}"), kind)
        });
        let slack = self.slack.iter().map(|_| ("people:slack".to_owned(), "slack"));
        let email = self.email.iter().map(|_| ("people:email".to_owned(), "email"));
        channels.chain(slack).chain(email).collect()
    }

    /// Whether there is a channel of this name.
    pub fn has(&self, channel: &str) -> bool {
        self.channels.contains_key(channel)
    }

    /// Whether no person reads what is told there.
    pub fn is_for_programs(&self, to: &To) -> bool {
        match to {
            To::Person(..) => false,
            To::Channel(name) => matches!(self.channels.get(name), Some(Way::Webhook(_))),
        }
    }

    /// Whether a message that was told there can be changed.
    pub fn changes(&self, to: &To) -> bool {
        match to {
            To::Person(_, means) => *means == Means::Slack,
            To::Channel(name) => matches!(self.channels.get(name), Some(Way::Slack(_))),
        }
    }

    /// By what somebody can be told.
    pub(crate) fn means_of(&self, who: &Person) -> Vec<Means> {
        let can = |means: &Means| match means {
            Means::Slack => self.slack.is_some() && self.slack_of(who).is_some(),
            Means::Email => self.email.is_some() && self.email_of(who).is_some(),
        };
        Means::ALL.into_iter().map(|(_, means)| means).filter(can).collect()
    }

    fn slack_of(&self, who: &Person) -> Option<&str> {
        who.known_as.iter().find_map(|id| self.people.get(id)?.slack.as_deref())
    }

    fn email_of(&self, who: &Person) -> Option<Cow<'_, email::Address>> {
        let named = who.known_as.iter().find_map(|id| self.people.get(id)?.email.as_ref());
        let vouched = || email::Address::bare(who.mail.as_deref()?).map(Cow::Owned);
        named.map(Cow::Borrowed).or_else(vouched)
    }

    /// Tells it; several messages are told as one. Where `standing` names a message that tells of the
    /// same request already, that one is changed. Answers by what the message is known from now on,
    /// where the way can change it.
    ///
    /// # Errors
    /// [`NotTold`].
    pub(crate) async fn tell(
        &self,
        to: &To,
        who: &Person,
        messages: &[Message],
        standing: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<String>, NotTold> {
        let nowhere = || NotTold::never(format!("there is no address for {to}"));
        match to {
            To::Person(_, Means::Slack) => {
                let (slack, user) =
                    self.slack.as_ref().zip(self.slack_of(who)).ok_or_else(nowhere)?;
                slack.tell(user, messages, standing).await.map(Some)
            }
            To::Person(_, Means::Email) => {
                let (mailer, address) =
                    self.email.as_ref().zip(self.email_of(who)).ok_or_else(nowhere)?;
                mailer.tell(&address, messages).await.map(|()| None)
            }
            To::Channel(name) => {
                let missing = || NotTold::never(format!("no channel `{name}` is set up"));
                match self.channels.get(name).ok_or_else(missing)? {
                    Way::Slack(channel) => {
                        let slack = self.slack.as_ref().ok_or_else(nowhere)?;
                        slack.tell(channel, messages, standing).await.map(Some)
                    }
                    Way::SlackHook(hook) => hook.tell(messages).await.map(|()| None),
                    Way::Teams(hook) => hook.tell(messages).await.map(|()| None),
                    Way::Webhook(hook) => hook.tell(messages, now).await.map(|()| None),
                    Way::Email(address) => {
                        let mailer = self.email.as_ref().ok_or_else(nowhere)?;
                        mailer.tell(address, messages).await.map(|()| None)
                    }
                }
            }
        }
    }
}
