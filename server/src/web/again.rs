//! Signing in again, where that is what is missing: what is wanted, by what it can be met, and what to do
//! where it cannot. Whoever comes back as they went is told so, and not sent round again.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use assent_core::digest::Digest;
use assent_core::passkey::Passkey;
use assent_core::request::{ReviewError, SignInWanted};
use assent_core::sign_in::Login;
use assent_core::time::Span;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use crate::app::{Aim, AppError, Authority, BY_PASSKEY};
use crate::sign_in::Demands;
use crate::web::session::{Next, SignedIn, cookie, set_named};
use crate::web::sign_in::go;
use crate::web::text::plain;
use crate::web::view::{self, Page};

/// How long after a sign-in another one there would say the same.
const A_MOMENT: Span = Span::minutes(2);
/// Where somebody links accounts: by a provider's word alone.
const LINKING: &str = "/settings/accounts";
/// All that a passkey says of how it was used (RFC 8176 section 2).
const OF_PASSKEYS: [&str; 3] = ["hwk", "swk", "user"];

#[derive(Template)]
#[template(path = "again.html")]
struct AgainPage {
    page: Page,
    /// What is wanted, in words that follow "a sign-in".
    wanted: Option<String>,
    way: Option<Way>,
    /// Why signing in again at the provider would not help.
    vain: Option<Vain>,
    /// Whether a passkey of theirs does as well.
    passkey: bool,
    /// Whether one would, which they do not have.
    no_passkey: bool,
    linking: bool,
    back: String,
}

struct Way {
    link: String,
    title: String,
}

struct Vain {
    /// What the last sign-in said; nothing where its provider never says anything.
    said: Option<String>,
    /// Whether the class or the methods are what is missing.
    of_means: bool,
}

#[derive(Deserialize)]
pub(super) struct AgainQuery {
    #[serde(rename = "return")]
    back: Option<String>,
    within: Option<String>,
    #[serde(default)]
    acr: String,
    #[serde(default)]
    amr: String,
}

/// The words of a list that came in an address: some, and none that is too long.
fn words(text: &str) -> BTreeSet<String> {
    let fit = text.split(' ').filter(|one| (1..=255).contains(&one.len()));
    fit.take(8).map(str::to_owned).collect()
}

impl AgainQuery {
    fn wanted(&self) -> SignInWanted {
        let within = self.within.as_deref().and_then(|within| within.parse().ok());
        SignInWanted { within, acr: words(&self.acr), amr: words(&self.amr) }
    }
}

/// Whether a passkey could ever meet this: it says when and by what, and of no class.
fn fits_passkeys(wanted: &SignInWanted) -> bool {
    let by_one = |amr: &BTreeSet<String>| OF_PASSKEYS.iter().any(|method| amr.contains(*method));
    wanted.acr.is_empty() && (wanted.amr.is_empty() || by_one(&wanted.amr))
}

/// What is known of a sign-in, for whoever wonders why it does not do.
fn said_of(login: &Login) -> String {
    let mut parts = Vec::new();
    if login.at.is_none() {
        parts.push("no time".to_owned());
    }
    parts.push(match &login.acr {
        Some(acr) => format!("class {acr}"),
        None => "no class".to_owned(),
    });
    parts.push(match login.amr.is_empty() {
        true => "no methods".to_owned(),
        false => format!("methods {}", login.amr.iter().cloned().collect::<Vec<_>>().join(", ")),
    });
    plain(&parts.join("; "))
}

/// Signing in again: what is wanted, why, and where to.
pub(super) async fn page(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    me: SignedIn,
    Query(query): Query<AgainQuery>,
) -> Response {
    let (next, wanted) = (Next::read(query.back.as_deref()), query.wanted());
    let now = authority.clock().now();
    let access = me.caller.access();
    // Whoever is sent here by a sign-in of just now was not helped by it.
    let moment = wanted.within.map_or(A_MOMENT, |within| within.min(A_MOMENT));
    let is_wanted = wanted != SignInWanted::default();
    let just_now = access.login.as_ref().filter(|_| is_wanted);
    let just_now = just_now.filter(|_| access.created_at.until(now) < moment);
    let by_passkey = just_now.is_some_and(|login| login.provider == BY_PASSKEY);
    let just_now =
        just_now.filter(|_| !by_passkey && was_asked(&authority, &headers, &me, &wanted));
    let provider = authority.provider_of(&me.caller);
    let is_silent = provider.is_some() && !authority.provider_tells(&me.caller);
    let vain = match is_silent && is_wanted {
        true => Some(None),
        false => just_now.map(|login| Some(said_of(login))),
    };
    let of_means = !wanted.acr.is_empty() || !wanted.amr.is_empty();
    let way = provider.filter(|_| vain.is_none()).map(|(name, title)| {
        let mut pairs = Serializer::new(String::new());
        pairs.append_pair("return", &next.path());
        if !wanted.acr.is_empty() {
            pairs.append_pair("acr", &query.acr);
        }
        Way { link: format!("/login/{name}/again?{}", pairs.finish()), title }
    });
    let linking = next.path() == LINKING;
    let would = authority.relying_party().is_ok() && fits_passkeys(&wanted) && !linking;
    let has = would
        && authority.passkeys(&me.caller).await.is_ok_and(|all| all.iter().any(Passkey::is_live));
    view::html(&AgainPage {
        page: me.page("Sign in again"),
        wanted: is_wanted.then(|| plain(&wanted.to_string())),
        way,
        vain: vain.map(|said| Vain { said, of_means }),
        passkey: has && !by_passkey,
        no_passkey: would && !has,
        linking,
        back: next.path(),
    })
}

/// To the provider, to prove again who one is.
pub(super) async fn go_again(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Path(provider): Path<String>,
    Query(query): Query<AgainQuery>,
) -> Response {
    let next = Next::read(query.back.as_deref());
    let wanted = query.wanted();
    let asked = asked(&me, &wanted);
    let demands = Demands { again: true, acr: wanted.acr.into_iter().collect(), hint: None };
    let from = me.caller.network().ip;
    let who = (Some(&me.caller), from);
    let mut there = go(&authority, &provider, (Aim::Again, demands), who, &next).await;
    let cookie = set_named(&authority, cookie_name(&authority), &asked, 600);
    if let Some(cookie) = cookie {
        there.headers_mut().append(header::SET_COOKIE, cookie);
    }
    there
}

/// What a browser keeps when it is sent to sign in again: in which session, and which classes were asked
/// for. It decides what is offered, and nothing else.
fn asked(me: &SignedIn, wanted: &SignInWanted) -> String {
    let acr: Vec<_> = wanted.acr.iter().map(String::as_str).collect();
    format!("{}.{}", me.caller.access().id, Digest::of(acr.join(" ").as_bytes()).hex())
}

/// Whether this session is what came of signing in again for this.
fn was_asked(
    authority: &Authority,
    headers: &HeaderMap,
    me: &SignedIn,
    wanted: &SignInWanted,
) -> bool {
    let Some(kept) = cookie(headers, cookie_name(authority)) else { return false };
    let now = asked(me, wanted);
    let classes = |text: &str| text.split_once('.').map(|(_, classes)| classes.to_owned());
    kept.expose() != now && classes(kept.expose()) == classes(&now)
}

fn cookie_name(authority: &Authority) -> &'static str {
    match authority.base().starts_with("https:") {
        true => "__Host-assent-again",
        false => "assent-again",
    }
}

/// To a sign-in where that is what is missing to a decision, and back to its request then.
pub(super) fn step_up(me: &SignedIn, id: &str, error: &AppError) -> Option<Response> {
    let AppError::Review(ReviewError::SignInAgain(wanted)) = error else { return None };
    me.caller.access().login.as_ref()?;
    let mut pairs = Serializer::new(String::new());
    pairs.append_pair("return", &Next::read(Some(&format!("/requests/{id}"))).path());
    if let Some(within) = wanted.within {
        pairs.append_pair("within", &within.to_string());
    }
    for (name, all) in [("acr", &wanted.acr), ("amr", &wanted.amr)] {
        if !all.is_empty() {
            let all: Vec<_> = all.iter().map(String::as_str).collect();
            pairs.append_pair(name, &all.join(" "));
        }
    }
    Some(Redirect::to(&format!("/login/again?{}", pairs.finish())).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passkey_is_offered_where_it_can_be_what_is_wanted() {
        let wanted = |acr: &str, amr: &str| SignInWanted {
            within: Some(Span::minutes(5)),
            acr: words(acr),
            amr: words(amr),
        };
        assert!(fits_passkeys(&wanted("", "")) && fits_passkeys(&wanted("", "otp hwk")));
        assert!(!fits_passkeys(&wanted("", "otp")) && !fits_passkeys(&wanted("strong", "hwk")));
    }

    #[test]
    fn t65_an_address_brings_few_words_and_none_that_is_long() {
        assert_eq!(words("a  b a"), ["a", "b"].map(str::to_owned).into());
        let long = "x".repeat(256);
        assert_eq!(words(&format!("{long} b")), ["b".to_owned()].into());
        let many: Vec<_> = (0..99).map(|n| n.to_string()).collect();
        assert_eq!(words(&many.join(" ")).len(), 8);
    }
}
