//! How people and programs are called where people read of them: briefly, with the whole id at hand.

use assent_core::principal::{LOCAL_ISSUER, PrincipalId};

use crate::text::plain;

/// Longer names end here.
const LONGEST: usize = 48;

/// A name to be read, and the whole id where it says more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) short: String,
    pub(crate) full: Option<String>,
}

impl Name {
    /// Whoever has this id: `bob`, `4711 at id.example.com`.
    pub(crate) fn of(id: &PrincipalId) -> Self {
        if id.iss() == LOCAL_ISSUER {
            return Self { short: plain(id.sub()), full: None };
        }
        let host = id.iss().split("://").last().unwrap_or(id.iss());
        let host = host.split('/').next().unwrap_or(host);
        let short = format!("{} at {}", brief(id.sub()), brief(host));
        Self { short: plain(&short), full: Some(plain(&id.to_string())) }
    }

    /// The same, called like this: `Bob (4711 at id.example.com)`. A name that somebody chose is never
    /// shown alone: it may be another's.
    pub(crate) fn called(called: &str, id: &PrincipalId) -> Self {
        let called = called.trim();
        let of = Self::of(id);
        if called.is_empty() || called == id.sub() {
            return of;
        }
        let full = Some(plain(&id.to_string()));
        Self { short: plain(&format!("{} ({})", brief(called), of.short)), full }
    }

    /// What is no id of anybody's.
    pub(crate) fn plainly(text: &str) -> Self {
        Self { short: plain(text), full: None }
    }

    /// Whether these words, in small letters, are in it.
    pub(crate) fn holds(&self, words: &str) -> bool {
        let texts = [Some(&self.short), self.full.as_ref()];
        texts.into_iter().flatten().any(|text| text.to_lowercase().contains(words))
    }
}

/// The id that a text names where ids are written as texts: `bob`, `ISSUER#SUBJECT`.
pub(crate) fn read_id(text: &str) -> Option<PrincipalId> {
    match text.split_once('#') {
        Some((iss, sub)) => PrincipalId::new(iss, sub).ok(),
        None => PrincipalId::local(text).ok(),
    }
}

fn brief(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_called_briefly_and_their_id_stays_at_hand() {
        let bob = Name::of(&PrincipalId::local("bob").unwrap());
        assert_eq!(bob, Name { short: "bob".to_owned(), full: None });
        let other = Name::of(&read_id("https://id.example.com/realms/acme#4711").unwrap());
        assert_eq!(other.short, "4711 at id.example.com");
        assert_eq!(other.full.as_deref(), Some("https://id.example.com/realms/acme#4711"));
        assert_eq!(read_id("bob"), PrincipalId::local("bob").ok());
    }

    #[test]
    fn t09_a_name_that_somebody_chose_never_stands_alone() {
        let id = PrincipalId::new("https://id.example.com/realms/acme", "4711").unwrap();
        let short = |called: &str| Name::called(called, &id).short;
        assert_eq!(short("bob"), "bob (4711 at id.example.com)");
        assert!(short("b\u{202e}ob").starts_with("b\\u{202e}ob"), "{}", short("b\u{202e}ob"));
        assert_eq!(short(" "), "4711 at id.example.com");
        assert_eq!(short("4711"), "4711 at id.example.com");
    }
}
