//! Where people come back to once they are signed in: pages of ours, by what they are, and never what
//! somebody else wrote into an address.

use assent_core::digest::Digest;
use assent_core::id::RequestId;
use axum::http::Uri;
use axum::response::{IntoResponse, Redirect, Response};

use crate::github::is_slug;

/// Where a person goes once they are signed in. One of these, and never where somebody says.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Next {
    Inbox,
    Device,
    /// Where the GitHub App is made, perhaps for an organization.
    Github(Option<String>),
    /// Another page of ours, by its path, and what was looked for there.
    Page(String),
}

/// Pages to come back to, beside those of one request and one intent.
const PAGES: [&str; 10] = [
    "/policy/try",
    "/settings",
    "/settings/sessions",
    "/settings/accounts",
    "/settings/tokens",
    "/settings/passkeys",
    "/settings/notifications",
    "/settings/absence",
    "/admin/people",
    "/admin/notifications",
];

/// Pages that are come back to with what was looked for: each with what its address may say.
const SEARCHES: [(&str, &[&str]); 4] = [
    (
        "/history",
        &[
            "q",
            "state",
            "environment",
            "kind",
            "requester",
            "reviewer",
            "rule",
            "since",
            "until",
            "before",
        ],
    ),
    ("/policy", &["q", "after"]),
    ("/insights", &["days"]),
    ("/audit", &["kind", "by", "request", "before"]),
];
/// Longer searches are forgotten: what they are kept in is small.
const LONGEST_SEARCH: usize = 1024;

/// Whether this is the path of a page to come back to, and nothing else: no address, no query.
fn is_page(path: &str) -> bool {
    let is_id = |id: &str| id.parse::<RequestId>().is_ok();
    let rest = |start: &str| path.strip_prefix(start);
    let of_request = |rest: &str| {
        let part = rest.strip_suffix("/plan").or_else(|| rest.strip_suffix("/intent"));
        is_id(part.unwrap_or(rest))
    };
    let is_number = |text: &str| {
        (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    PAGES.contains(&path)
        || rest("/requests/").is_some_and(of_request)
        || rest("/intents/").is_some_and(|hex| Digest::from_hex(hex).is_ok())
        || rest("/audit/entries/").is_some_and(is_number)
}

/// The address of a page to come back to with what was looked for, written anew: nothing else of what
/// was said is in it.
fn search(path: &str, query: &str) -> Option<String> {
    let (path, known) = SEARCHES.iter().find(|(known, _)| *known == path)?;
    let said: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let mut kept = url::form_urlencoded::Serializer::new(String::new());
    for name in *known {
        let mut values = said.iter().filter(|(said, value)| said == name && !value.is_empty());
        if let Some((_, value)) = values.next() {
            kept.append_pair(name, value);
        }
    }
    let kept = kept.finish();
    let is_any = !kept.is_empty() && kept.len() <= LONGEST_SEARCH;
    Some(if is_any { format!("{path}?{kept}") } else { (*path).to_owned() })
}

impl Next {
    /// Back to the page of this address.
    pub(super) fn of(uri: &Uri) -> Self {
        let path = uri.path();
        if path.starts_with("/device") {
            return Self::Device;
        }
        let query = uri.query().unwrap_or_default();
        if path != "/admin/github" {
            return Self::at(path, query);
        }
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let named = pairs.find(|(name, _)| name == "organization");
        Self::Github(named.map(|(_, name)| name.into_owned()).filter(|name| is_slug(name)))
    }

    /// The page of this path, if it is one to come back to, with what was looked for there.
    fn at(path: &str, query: &str) -> Self {
        let page = is_page(path).then(|| path.to_owned()).or_else(|| search(path, query));
        page.map_or(Self::Inbox, Self::Page)
    }

    /// As it stands in an address and in a form: `device`, `github`, `github:ORGANIZATION`, or the path
    /// of a page.
    pub(super) fn read(word: Option<&str>) -> Self {
        match word {
            Some(path) if path.starts_with('/') => match path.split_once('?') {
                None => Self::at(path, ""),
                Some((path, query)) => search(path, query).map_or(Self::Inbox, Self::Page),
            },
            Some("device") => Self::Device,
            Some("github") => Self::Github(None),
            Some(word) => match word.strip_prefix("github:").filter(|name| is_slug(name)) {
                Some(name) => Self::Github(Some(name.to_owned())),
                None => Self::Inbox,
            },
            None => Self::Inbox,
        }
    }

    pub(super) fn word(&self) -> Option<String> {
        match self {
            Self::Inbox => None,
            Self::Page(path) => Some(path.clone()),
            Self::Device => Some("device".to_owned()),
            Self::Github(None) => Some("github".to_owned()),
            Self::Github(Some(name)) => Some(format!("github:{name}")),
        }
    }

    pub(super) fn path(&self) -> String {
        match self {
            Self::Inbox => "/".to_owned(),
            Self::Page(path) => path.clone(),
            Self::Device => "/device".to_owned(),
            Self::Github(None) => "/admin/github".to_owned(),
            Self::Github(Some(name)) => format!("/admin/github?organization={name}"),
        }
    }

    /// The word as a part of an address.
    pub(super) fn encoded(&self) -> Option<String> {
        let word: String = url::form_urlencoded::byte_serialize(self.word()?.as_bytes()).collect();
        // These mean nothing there, and addresses stay readable.
        Some(word.replace("%2F", "/").replace("%3A", ":"))
    }

    pub(super) fn to_login(&self) -> Response {
        let login = match self.encoded() {
            None => "/login".to_owned(),
            Some(word) => format!("/login?next={word}"),
        };
        Redirect::to(&login).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_come_back_to_pages_of_ours_with_what_they_looked_for() {
        let intent = "/requests/req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z/intent";
        for (said, path) in [
            ("/history?q=a%26b&state=denied", "/history?q=a%26b&state=denied"),
            ("/history?state=denied&q=caf\u{e9}", "/history?q=caf%C3%A9&state=denied"),
            ("/history?q=x&q=y&to=//evil.example", "/history?q=x"),
            ("/audit?kind=filed&before=7", "/audit?kind=filed&before=7"),
            ("/audit/entries/12", "/audit/entries/12"),
            ("/policy/try", "/policy/try"),
            (intent, intent),
            ("/policy?q=%0d%0aSet-Cookie:a", "/policy?q=%0D%0ASet-Cookie%3Aa"),
        ] {
            let next = Next::read(Some(said));
            assert_eq!(next.path(), path, "{said}");
            let login = format!("/login?next={}", next.encoded().unwrap());
            let query = login.split_once('?').unwrap().1;
            let back = url::form_urlencoded::parse(query.as_bytes()).next().unwrap().1;
            assert!(Next::read(Some(&back)) == next, "{login}");
        }
        let long = format!("/history?q={}", "x".repeat(LONGEST_SEARCH));
        assert_eq!(Next::read(Some(&long)).path(), "/history");
    }

    #[test]
    fn t65_nobody_is_led_elsewhere() {
        for said in [
            "//evil.example",
            "/\\evil.example",
            "/history//evil.example",
            "/history/../..//evil.example",
            "/audit/entries/1/x",
            "/audit/entries/-1",
            "/audit/entries/\u{661}",
            "/audit/entries/12345678901234567890",
            "https://evil.example/history?q=x",
            "/history\r\nSet-Cookie: a=b",
            "/requests/req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z/intent/plan",
            "/requests/req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z?x=https://evil.example",
            "/logout",
        ] {
            assert_eq!(Next::read(Some(said)).path(), "/", "{said}");
        }
    }
}
