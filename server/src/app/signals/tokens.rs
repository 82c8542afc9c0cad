//! Security event tokens as they are pushed (RFC 8935): believed if a transmitter that policy lists
//! signed them for us, and heard once.
//!
//! As with tokens to exchange, nothing is fetched for anybody who is not listed, and strangers may have
//! only so many checked, and told of in the log. A token that was heard
//! before is acknowledged again and does nothing (RFC 8935 section 2).

use assent_core::id::SignalId;
use assent_core::policy::situation::Network;
use assent_core::signal::event_token::{Message, Outcome, Untold};
use assent_core::signal::source::Transmitter;
use assent_core::signal::{Says, Signal, Teller};
use assent_core::time::{Span, Timestamp};
use assent_core::token::{TokenError, UnverifiedToken, VerifiedEvent};
use serde_json::{Value, json};

use crate::app::{AppError, Authority};
use crate::ledger::{Hearing, Spent};
use crate::rates::Stranger;

/// Why a security event token is not taken: the error codes of RFC 8935 section 2.4.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// `invalid_request`: it is none, or tells nothing that can be taken.
    #[error("{0}")]
    Request(String),
    /// `invalid_key`: not signed with a key of the transmitter's.
    #[error("{0}")]
    Key(String),
    /// `invalid_issuer`.
    #[error("policy lists no transmitter of this issuer")]
    Issuer,
    /// `invalid_audience`.
    #[error("it is not for the audience that policy states, and for nobody else")]
    Audience,
    /// Too often, from one place.
    #[error("too many security event tokens from your address; send it again later")]
    TooMany(Span),
    /// The transmitter's keys are not to be had now.
    #[error("the transmitter's keys are not to be had; send it again")]
    Away,
    /// As of any use case.
    #[error(transparent)]
    App(#[from] AppError),
}

impl Authority {
    /// Takes in a security event token.
    ///
    /// # Errors
    /// [`PushError`]; nothing was heard then.
    pub async fn take_event_token(&self, text: &str, network: &Network) -> Result<(), PushError> {
        let (stranger, now) = (Stranger::at(network.ip), self.clock.now());
        let policy = self.policy();
        let token = UnverifiedToken::read_event_token(text);
        // Only issuers that are listed, or whoever makes names up would never run out of buckets.
        let issuer = token.as_ref().ok().map(UnverifiedToken::unverified_issuer);
        let issuer = issuer.filter(|issuer| policy.transmitters().any(|t| t.issuer == *issuer));
        let key = (stranger, issuer.map(str::to_owned));
        self.events.take(key, now).map_err(PushError::TooMany)?;
        let taken = match token {
            Ok(token) => self.take(&token).await,
            Err(error) => Err(PushError::Request(error.to_string())),
        };
        // Whatever anybody sends ends here.
        if let Err(error) = &taken
            && let Some(left_out) = self.event_lines.take(stranger, now)
        {
            tracing::info!(reason = %error, left_out, "a security event token was not taken");
        }
        taken
    }

    async fn take(&self, token: &UnverifiedToken) -> Result<(), PushError> {
        let policy = self.policy();
        let of_issuer = |one: &&Transmitter| one.issuer == token.unverified_issuer();
        let mut of_issuer = policy.transmitters().filter(of_issuer).peekable();
        of_issuer.peek().ok_or(PushError::Issuer)?;
        // For us alone: what others get too, any of them could have kept and sent on.
        let for_us = |one: &&Transmitter| token.unverified_audiences().iter().eq([&one.audience]);
        let transmitter = of_issuer.find(for_us).ok_or(PushError::Audience)?;
        let now = self.clock.now();
        let (issuer, key) = (&transmitter.issuer, token.unverified_key_id());
        let keys = self.issuers.keys_of(issuer, &transmitter.keys, key, now).await;
        let keys = keys.map_err(|_| PushError::Away)?;
        let event = token.verify_event_token(&keys, self.clock.now()).map_err(not_believed)?;
        let told = Message::read(&event).map_err(|error| not_told(&error))?;
        self.hear_from(transmitter, &event, told).await
    }

    async fn hear_from(
        &self,
        transmitter: &Transmitter,
        event: &VerifiedEvent,
        told: Message,
    ) -> Result<(), PushError> {
        let now = self.clock.now();
        let Message::Of { event: kind, is_over, about, topic, at: told_at } = told else {
            return self.note(transmitter, event, of_nobody(&told, &transmitter.name)).await;
        };
        let ignored = |why: &str| json!({"event": kind.word(), "ignored": why});
        match transmitter.outcome((kind, is_over), &about, &self.base, now) {
            Outcome::CountsAsNothing => {
                self.note(transmitter, event, ignored("policy counts it as nothing")).await
            }
            Outcome::Nobody => {
                let why = "it is about nobody of whom policy lets the transmitter speak";
                self.note(transmitter, event, ignored(why)).await
            }
            Outcome::Signal { about, says, until } => {
                let over = if is_over { " is over" } else { "" };
                let signal = Signal {
                    id: id_of(event),
                    at: now,
                    about,
                    says,
                    until,
                    reason: format!("{}{over}, says {}", kind.word(), transmitter.name),
                    teller: Teller::Transmitter(transmitter.name.clone()),
                    topic: Some(topic),
                    told_at,
                    reactions: self.policy().on_signal().to(says),
                };
                debug_assert!(is_over == (says == Says::Clear));
                let token = Some((spent(event), origin(transmitter, event)));
                self.hear(signal, None, token, None).await.map_err(PushError::App)?;
                Ok(())
            }
        }
    }

    /// Puts on record what was told that is no signal.
    async fn note(
        &self,
        transmitter: &Transmitter,
        event: &VerifiedEvent,
        said: Value,
    ) -> Result<(), PushError> {
        let at: Timestamp = self.clock.now();
        let mut entry = json!({
            "v": 1, "type": "event_token", "at": at.to_string(),
            "transmitter": transmitter.name, "token": origin(transmitter, event),
        });
        if let (Value::Object(entry), Value::Object(said)) = (&mut entry, said) {
            entry.extend(said);
        }
        let token = Some(spent(event));
        let hearing = Hearing { signal: None, asked: None, token, at, entry };
        self.ledger.hear(hearing).await.map_err(AppError::from)?;
        self.waiters.wake_log();
        Ok(())
    }
}

/// What is on record of something that is told of nobody.
fn of_nobody(told: &Message, transmitter: &str) -> Value {
    match told {
        Message::StreamUpdated { status } => {
            tracing::warn!(transmitter, status, "the transmitter has changed its stream");
            json!({"event": "stream-updated", "status": status})
        }
        Message::Unknown { uri } => {
            json!({"event": uri, "ignored": "it is no event that is known here"})
        }
        Message::Verification | Message::Of { .. } => json!({"event": "verification"}),
    }
}

/// An id that this token and no other gives.
fn id_of(event: &VerifiedEvent) -> SignalId {
    SignalId::from_bytes(event.mark().head())
}

fn spent(event: &VerifiedEvent) -> Spent {
    Spent { mark: event.mark(), until: event.believed_until() }
}

fn origin(transmitter: &Transmitter, event: &VerifiedEvent) -> Value {
    json!({
        "issuer": transmitter.issuer,
        "issued_at": event.issued_at().to_string(),
        "mark": event.mark().to_string(),
    })
}

fn not_believed(error: TokenError) -> PushError {
    let told = error.to_string();
    match error {
        TokenError::UnknownKey | TokenError::Algorithm { .. } | TokenError::Signature => {
            PushError::Key(told)
        }
        TokenError::Malformed(_)
        | TokenError::Header(_)
        | TokenError::Claim(_)
        | TokenError::Expired(_)
        | TokenError::TooEarly(_)
        | TokenError::Bound
        | TokenError::TooLong => PushError::Request(told),
    }
}

fn not_told(error: &Untold) -> PushError {
    PushError::Request(error.to_string())
}
