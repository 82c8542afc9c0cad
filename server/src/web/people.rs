//! How people and programs are called on pages: briefly, with the whole id at hand.

use assent_core::membership::Approver;
use assent_core::principal::{LOCAL_ISSUER, Principal, PrincipalId};
use serde_json::Value;

use crate::app::Authority;
use crate::web::text::plain;

/// The claims in which providers say what somebody is called (OpenID Connect Core section 5.1). For eyes
/// alone: the subject stands beside it.
const CALLED: [&str; 3] = ["name", "preferred_username", "nickname"];
/// Longer names end here.
const LONGEST: usize = 48;

/// A name to be read, and the whole id where it says more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) short: String,
    pub(super) full: Option<String>,
}

impl Name {
    /// Whoever has this id.
    pub(super) fn of(id: &PrincipalId) -> Self {
        if id.iss() == LOCAL_ISSUER {
            return Self { short: plain(id.sub()), full: None };
        }
        let host = id.iss().split("://").last().unwrap_or(id.iss());
        let host = host.split('/').next().unwrap_or(host);
        let short = format!("{} at {}", brief(id.sub()), brief(host));
        Self { short: plain(&short), full: Some(plain(&id.to_string())) }
    }

    /// Whoever has this id, by what their provider calls them where they sign in here.
    pub(super) fn known(authority: &Authority, id: &PrincipalId) -> Self {
        match authority.display_name(id) {
            Some(called) => Self::called(&called, id),
            None => Self::of(id),
        }
    }

    /// A name that somebody chose is never shown alone: it may be another's.
    fn called(called: &str, id: &PrincipalId) -> Self {
        Self {
            short: plain(&format!("{} ({})", brief(called), Self::of(id).short)),
            full: Some(plain(&id.to_string())),
        }
    }

    /// A principal, by what its issuer says it is called.
    pub(super) fn of_principal(who: &Principal) -> Self {
        let called = CALLED.iter().find_map(|claim| who.claims.get(*claim).and_then(Value::as_str));
        let called = called.map(str::trim).filter(|called| !called.is_empty());
        match called {
            Some(called) if called != who.id.sub() => Self::called(called, &who.id),
            Some(_) | None => Self::of(&who.id),
        }
    }

    /// Whoever is named like this where ids are written as texts: `bob`, `ISSUER#SUBJECT`.
    pub(super) fn read(text: &str) -> Self {
        read_id(text).map_or_else(|| Self { short: plain(text), full: None }, |id| Self::of(&id))
    }

    /// The same, by what their provider calls them where they sign in here.
    pub(super) fn read_known(authority: &Authority, text: &str) -> Self {
        read_id(text).map_or_else(|| Self::read(text), |id| Self::known(authority, &id))
    }
}

fn read_id(text: &str) -> Option<PrincipalId> {
    let (iss, sub) = text.rsplit_once('#')?;
    PrincipalId::new(iss, sub).ok()
}

fn brief(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Whoever asks: the principal, and for whom it acts.
pub(super) fn requester(who: &Principal) -> (Name, Vec<Name>) {
    (Name::of_principal(who), who.acts_for.iter().map(Name::of).collect())
}

/// Who is asked, in words: a group by its name, a person by theirs.
pub(super) fn approver(approver: &Approver) -> String {
    match approver {
        Approver::Group(group) => group.clone(),
        Approver::Person(person) => Name::of(person).short,
    }
}

/// The same of what callers are shown: `group:release-managers`, `person:bob`, `authority:partner`.
pub(super) fn approver_text(text: &str) -> String {
    match text.split_once(':') {
        Some(("group", group)) => plain(group),
        Some(("person", person)) => Name::read(person).short,
        Some(("authority", name)) => format!("the people of {}", plain(name)),
        Some(_) | None => plain(text),
    }
}

/// Everybody in a row: `bob, carol and 3 more`.
pub(super) fn row(names: &[Name], most: usize) -> String {
    let shown: Vec<_> = names.iter().take(most).map(|name| name.short.as_str()).collect();
    match names.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody(claims: &serde_json::Value) -> Principal {
        let (groups, acts_for) = Default::default();
        Principal {
            id: PrincipalId::new("https://id.example.com/realms/acme", "4711").unwrap(),
            kind: assent_core::principal::PrincipalKind::Person,
            groups,
            acts_for,
            claims: claims.as_object().unwrap().clone(),
        }
    }

    #[test]
    fn people_are_called_briefly_and_their_id_stays_at_hand() {
        let bob = Name::of(&PrincipalId::local("bob").unwrap());
        assert_eq!(bob, Name { short: "bob".to_owned(), full: None });
        let other = Name::read("https://id.example.com/realms/acme#4711");
        assert_eq!(other.short, "4711 at id.example.com");
        assert_eq!(other.full.as_deref(), Some("https://id.example.com/realms/acme#4711"));
    }

    #[test]
    fn t09_a_name_that_somebody_chose_never_stands_alone() {
        let name = Name::of_principal(&somebody(&serde_json::json!({"name": "bob"})));
        assert_eq!(name.short, "bob (4711 at id.example.com)");
        let hidden = Name::of_principal(&somebody(&serde_json::json!({"name": "b\u{202e}ob"})));
        assert!(hidden.short.starts_with("b\\u{202e}ob"), "{hidden:?}");
        let empty = Name::of_principal(&somebody(&serde_json::json!({"name": " "})));
        assert_eq!(empty.short, "4711 at id.example.com");
    }
}
