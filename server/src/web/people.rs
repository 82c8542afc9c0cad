//! Who asks and who is asked, as pages call them.

use assent_core::membership::Approver;
use assent_core::principal::Principal;
use serde_json::Value;

use crate::app::Authority;
pub(super) use crate::name::Name;
use crate::web::text::plain;

/// The claims in which issuers say what somebody is called (OpenID Connect Core section 5.1). For eyes
/// alone: the subject stands beside it.
const CALLED: [&str; 3] = ["name", "preferred_username", "nickname"];

/// A principal, by what its issuer says it is called, or else by what it is called where it signs in.
pub(super) fn principal(authority: &Authority, who: &Principal) -> Name {
    let called = CALLED.iter().find_map(|claim| who.claims.get(*claim).and_then(Value::as_str));
    match called.filter(|called| !called.trim().is_empty()) {
        Some(called) => Name::called(called, &who.id),
        None => authority.name_of(&who.id),
    }
}

/// Whoever asks: the principal, and for whom it acts.
pub(super) fn requester(authority: &Authority, who: &Principal) -> (Name, Vec<Name>) {
    let behind = who.acts_for.iter().map(|id| authority.name_of(id));
    (principal(authority, who), behind.collect())
}

/// Who is asked, in words: a group by its name, a person by theirs.
pub(super) fn approver(authority: &Authority, approver: &Approver) -> String {
    match approver {
        Approver::Group(group) => group.clone(),
        Approver::Person(person) => authority.name_of(person).short,
    }
}

/// The same of what callers are shown: `group:release-managers`, `person:bob`, `authority:partner`.
pub(super) fn approver_text(authority: &Authority, text: &str) -> String {
    match text.split_once(':') {
        Some(("group", group)) => plain(group),
        Some(("person", person)) => authority.name_read(person).short,
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
