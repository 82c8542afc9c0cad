//! What security event tokens (RFC 8417) of the OpenID Shared Signals Framework tell: the events of
//! CAEP and RISC that speak of a person's account, session, credential, device or risk, and those of
//! the framework itself about the stream they come in.
//!
//! The subject is a subject identifier (RFC 9493). A person is known by issuer and subject, or by an
//! id or account that policy gives a name here; never by an e-mail address or a telephone number,
//! which are given to somebody else when their owner leaves.

use serde_json::{Map, Value};

use crate::canonical;
use crate::principal::PrincipalId;
use crate::signal::source::{Transmitter, are_listed};
use crate::signal::{Says, Subject};
use crate::time::Timestamp;
use crate::token::{LEEWAY, VerifiedEvent};

/// A kind of event that can be told of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// CAEP section 3.1.
    SessionRevoked,
    /// CAEP section 3.3.
    CredentialChange,
    /// CAEP section 3.4. Its opposite is the same with `increase`.
    AssuranceLevelChange,
    /// CAEP section 3.5. Its opposite is the same with `compliant`.
    DeviceComplianceChange,
    /// CAEP section 3.8. Its opposite is the same with `LOW`.
    RiskLevelChange,
    /// RISC section 2.3. Its opposite is `account-enabled`.
    AccountDisabled,
    /// RISC section 2.2.
    AccountPurged,
    /// RISC section 2.1.
    AccountCredentialChangeRequired,
    /// RISC section 2.7.
    CredentialCompromise,
}

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const SSF: &str = "https://schemas.openid.net/secevent/ssf/event-type/";

impl Event {
    /// Each by its word, which is the end of its URI.
    pub const ALL: [(&str, Self); 9] = [
        ("session-revoked", Self::SessionRevoked),
        ("credential-change", Self::CredentialChange),
        ("assurance-level-change", Self::AssuranceLevelChange),
        ("device-compliance-change", Self::DeviceComplianceChange),
        ("risk-level-change", Self::RiskLevelChange),
        ("account-disabled", Self::AccountDisabled),
        ("account-purged", Self::AccountPurged),
        ("account-credential-change-required", Self::AccountCredentialChangeRequired),
        ("credential-compromise", Self::CredentialCompromise),
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, event)| *event == self);
        found.map_or("", |(word, _)| word)
    }

    fn family(self) -> &'static str {
        match self {
            Self::SessionRevoked
            | Self::CredentialChange
            | Self::AssuranceLevelChange
            | Self::DeviceComplianceChange
            | Self::RiskLevelChange => CAEP,
            Self::AccountDisabled
            | Self::AccountPurged
            | Self::AccountCredentialChangeRequired
            | Self::CredentialCompromise => RISC,
        }
    }
}

/// What a token tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Something of a person.
    Of {
        /// What.
        event: Event,
        /// Whether it is the opposite of the matter: an account enabled, a device in order again.
        is_over: bool,
        /// Of whom.
        about: Identifier,
        /// On what of theirs: the event's word, and what tells one device or session from another.
        topic: String,
        /// When it happened.
        at: Timestamp,
    },
    /// That the stream works (SSF section 8.1.4).
    Verification,
    /// That the stream was changed at the other end (SSF section 8.1.5).
    StreamUpdated {
        /// Its status now.
        status: String,
    },
    /// Something that is not known here, of whatever form.
    Unknown {
        /// The event's URI, no more than its beginning.
        uri: String,
    },
}

/// A subject identifier (RFC 9493 section 3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// By issuer and subject.
    IssSub(PrincipalId),
    /// By something that only the transmitter understands, or an account's URI.
    Named(String),
    /// Several names of one subject.
    Aliases(Vec<Identifier>),
}

/// Why a token tells nothing that can be taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untold {
    /// A claim is missing or not of its form.
    #[error("`{0}` is missing or not of its form")]
    Claim(&'static str),
    /// `sub` is how tokens say whom they are for; a statement of events has `sub_id`.
    #[error("`sub` has no place in it: whom it is about stands in `sub_id` (SSF section 4.1)")]
    Sub,
    /// None, or several.
    #[error("it tells of {0} events: expected one")]
    Events(usize),
    /// By an address that can come to be somebody else's, or by a form that is not known.
    #[error("its subject is given by `{0}`, which names nobody here for certain")]
    Format(String),
}

impl Message {
    /// What a verified token tells.
    ///
    /// # Errors
    /// [`Untold`].
    pub fn read(token: &VerifiedEvent) -> Result<Self, Untold> {
        let claims = token.claims();
        if claims.contains_key("sub") {
            return Err(Untold::Sub);
        }
        let events = claims.get("events").and_then(Value::as_object);
        let events = events.ok_or(Untold::Claim("events"))?;
        let mut each = events.iter();
        let (Some((uri, payload)), None) = (each.next(), each.next()) else {
            return Err(Untold::Events(events.len()));
        };
        let payload = payload.as_object().ok_or(Untold::Claim("events"))?;
        if let Some(word) = uri.strip_prefix(SSF) {
            return of_stream(word, uri, payload);
        }
        let Some((event, is_over)) = kind(uri, payload)? else { return Ok(unknown(uri)) };
        let stated = stated_subject(claims, payload)?;
        let about = identifier(stated, 0)?;
        let topic = topic(event, stated, payload);
        Ok(Self::Of { event, is_over, about, topic, at: happened(token, payload) })
    }
}

/// Nothing is known of its subject or payload, so neither is read. RFC 8935 section 2.4 has no error
/// for an event that the receiver does not support: it is a good token that comes to nothing.
fn unknown(uri: &str) -> Message {
    Message::Unknown { uri: uri.chars().take(200).collect() }
}

fn of_stream(word: &str, uri: &str, payload: &Map<String, Value>) -> Result<Message, Untold> {
    match word {
        "verification" => Ok(Message::Verification),
        "stream-updated" => {
            let status = payload.get("status").and_then(Value::as_str);
            let status = status.filter(|s| ["enabled", "paused", "disabled"].contains(s));
            let status = status.ok_or(Untold::Claim("status"))?.to_owned();
            Ok(Message::StreamUpdated { status })
        }
        _ => Ok(unknown(uri)),
    }
}

/// Which event it is, if it is a known one, and whether it says that the matter is over.
fn kind(uri: &str, payload: &Map<String, Value>) -> Result<Option<(Event, bool)>, Untold> {
    if uri.strip_prefix(RISC) == Some("account-enabled") {
        return Ok(Some((Event::AccountDisabled, true)));
    }
    let found =
        Event::ALL.into_iter().find(|(word, event)| uri.strip_prefix(event.family()) == Some(word));
    let Some((_, event)) = found else { return Ok(None) };
    let says = |claim: &'static str, matter: &[&str], over: &[&str]| match payload
        .get(claim)
        .and_then(Value::as_str)
    {
        Some(word) if over.contains(&word) => Ok(true),
        Some(word) if matter.contains(&word) => Ok(false),
        Some(_) | None => Err(Untold::Claim(claim)),
    };
    let is_over = match event {
        Event::DeviceComplianceChange => {
            says("current_status", &["not-compliant"], &["compliant"])?
        }
        Event::AssuranceLevelChange => says("change_direction", &["decrease"], &["increase"])?,
        Event::RiskLevelChange => says("current_level", &["MEDIUM", "HIGH"], &["LOW"])?,
        Event::SessionRevoked
        | Event::CredentialChange
        | Event::AccountDisabled
        | Event::AccountPurged
        | Event::AccountCredentialChangeRequired
        | Event::CredentialCompromise => false,
    };
    Ok(Some((event, is_over)))
}

/// `sub_id` beside the events, or `subject` within one, as before SSF was final; where both stand they
/// say the same.
fn stated_subject<'a>(
    claims: &'a Map<String, Value>,
    payload: &'a Map<String, Value>,
) -> Result<&'a Value, Untold> {
    match (claims.get("sub_id"), payload.get("subject")) {
        (Some(one), Some(other)) if one != other => Err(Untold::Claim("sub_id")),
        (Some(one), _) | (None, Some(one)) => Ok(one),
        (None, None) => Err(Untold::Claim("sub_id")),
    }
}

/// What a later word of the transmitter replaces. Good news of one device, session or scale says
/// nothing of another: so what stands beside the user in a complex subject (SSF section 3.3), whose
/// risk it is (CAEP section 3.8) and on which scale (CAEP section 3.4) keep words apart.
fn topic(event: Event, subject: &Value, payload: &Map<String, Value>) -> String {
    let beside = |(name, _): &(&String, &Value)| !["format", "user"].contains(&name.as_str());
    let is_complex = subject.get("format").is_some_and(|format| format == "complex");
    let complex = subject.as_object().filter(|_| is_complex);
    let beside = complex.into_iter().flatten().filter(beside);
    let scale = ["principal", "namespace"].into_iter();
    let scale = scale.filter_map(|name| payload.get_key_value(name));
    let apart: Map<_, _> = beside.chain(scale).map(|(k, v)| (k.clone(), v.clone())).collect();
    match apart.is_empty() {
        true => event.word().to_owned(),
        false => format!("{} {}", event.word(), canonical::digest(&Value::Object(apart)).hex()),
    }
}

fn identifier(value: &Value, depth: usize) -> Result<Identifier, Untold> {
    let object = value.as_object().ok_or(Untold::Claim("sub_id"))?;
    let text = |name: &str| {
        let text = object.get(name).and_then(Value::as_str);
        text.filter(|text| (1..=255).contains(&text.len())).ok_or(Untold::Claim("sub_id"))
    };
    match text("format")? {
        "iss_sub" => {
            let id = PrincipalId::new(text("iss")?, text("sub")?);
            id.map(Identifier::IssSub).map_err(|_| Untold::Claim("sub_id"))
        }
        "opaque" => Ok(Identifier::Named(text("id")?.to_owned())),
        "account" => Ok(Identifier::Named(text("uri")?.to_owned())),
        // SSF section 3.3: of a complex subject, the user is whom policy knows.
        "complex" if depth == 0 => {
            identifier(object.get("user").ok_or(Untold::Claim("sub_id"))?, 1)
        }
        "aliases" if depth == 0 => {
            let all = object.get("identifiers").and_then(Value::as_array);
            let all = all.filter(|all| (1..=16).contains(&all.len()));
            let all = all.ok_or(Untold::Claim("sub_id"))?;
            // Those by which nobody is known are no harm beside one by which somebody is.
            let read: Vec<_> = all.iter().filter_map(|one| identifier(one, 1).ok()).collect();
            match read.is_empty() {
                true => Err(Untold::Format("aliases".to_owned())),
                false => Ok(Identifier::Aliases(read)),
            }
        }
        other => Err(Untold::Format(other.chars().take(40).collect())),
    }
}

/// When it happened: what the event says (CAEP section 2), or the token (RFC 8417 section 2.2), but
/// never later than the token was issued.
fn happened(token: &VerifiedEvent, payload: &Map<String, Value>) -> Timestamp {
    let latest = token.issued_at().plus(LEEWAY);
    let stated = [payload.get("event_timestamp"), token.claims().get("toe")];
    let mut stated = stated.into_iter().flatten().filter_map(Value::as_i64);
    let at = stated.next().filter(|seconds| (0..1 << 40).contains(seconds));
    let at = at.map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000)));
    at.filter(|at| *at <= latest).unwrap_or(token.issued_at())
}

/// What a transmitter's word comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A signal about somebody.
    Signal {
        /// About whom.
        about: Subject,
        /// What it says.
        says: Says,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// Policy counts the event as nothing.
    CountsAsNothing,
    /// It is about nobody whom policy lets the transmitter speak of.
    Nobody,
}

impl Transmitter {
    /// What this event means, as policy has it, to the authority of this URL.
    pub fn outcome(
        &self,
        (event, is_over): (Event, bool),
        about: &Identifier,
        ours: &str,
        now: Timestamp,
    ) -> Outcome {
        let Some(meaning) = self.events.get(&event) else { return Outcome::CountsAsNothing };
        let Some(who) = self.person(about, ours) else { return Outcome::Nobody };
        let says = if is_over { Says::Clear } else { Says::Is(meaning.concern) };
        let until = meaning.lasts.filter(|_| !is_over).map(|lasts| now.plus(lasts));
        Outcome::Signal { about: Subject::Person(who), says, until }
    }

    /// Who it is about. Of several names, all that are known must be one person's.
    fn person(&self, about: &Identifier, ours: &str) -> Option<PrincipalId> {
        match about {
            Identifier::IssSub(id) => {
                let named = self.people.get(id.sub()).filter(|_| id.iss() == self.issuer);
                let who = id.clone().seen_by(ours);
                let own = are_listed(&self.issuers, &who, ours).then_some(who);
                named.cloned().or(own)
            }
            Identifier::Named(name) => self.people.get(name).cloned(),
            Identifier::Aliases(all) => {
                let mut known: Vec<_> =
                    all.iter().filter_map(|one| self.person(one, ours)).collect();
                known.dedup();
                let [one] = known.as_slice() else { return None };
                Some(one.clone())
            }
        }
    }
}
