//! Where a caller calls from: by the connection, or by what a trusted proxy says of it.
//!
//! Headers are anybody's to send. They are read only where the connection comes from an address
//! that the operator has named, and then strictly: what cannot be read without doubt is absent, and
//! absent never permits.

use std::net::IpAddr;

use assent_core::policy::cidr::{Cidr, address};
use assent_core::policy::situation::Network;
use axum::http::HeaderMap;
pub use axum::http::HeaderName;

/// How many hops are read. A chain that is longer was made up.
const MOST_HOPS: usize = 32;
const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// Who is at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The proxies whose word is taken.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    trusted: Vec<Cidr>,
    country: Option<HeaderName>,
}

impl Proxies {
    /// These addresses, and the header in which they say the country; nobody, where there are none.
    pub fn new(trusted: Vec<Cidr>, country: Option<HeaderName>) -> Self {
        Self { trusted, country }
    }

    /// Where a call comes from.
    pub(crate) fn locate(&self, peer: Option<Peer>, headers: &HeaderMap) -> Network {
        let Some(Peer(peer)) = peer else { return Network::default() };
        if !self.trusts(peer) {
            return Network { ip: Some(peer.to_canonical()), country: None };
        }
        Network { ip: self.client(headers), country: self.country(headers) }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|range| range.contains(address))
    }

    /// The right-most address that is no trusted proxy: each proxy adds at the right whom it was
    /// called by, and whatever stands further left was sent by that caller itself.
    fn client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let has = |name: &str| headers.contains_key(name);
        let hops = match (has("forwarded"), has(X_FORWARDED_FOR)) {
            (true, false) => forwarded(&joined(headers, "forwarded")?)?,
            (false, true) => joined(headers, X_FORWARDED_FOR)?
                .split(',')
                .map(|hop| Some(hop.trim_matches([' ', '\t']).to_owned()))
                .collect(),
            // Two that may differ, or none.
            (true, true) | (false, false) => return None,
        };
        if hops.len() > MOST_HOPS {
            return None;
        }
        for hop in hops.iter().rev() {
            let address = node(hop.as_deref()?)?;
            if !self.trusts(address) {
                return Some(address);
            }
        }
        None
    }

    fn country(&self, headers: &HeaderMap) -> Option<String> {
        let mut all = headers.get_all(self.country.as_ref()?).iter();
        let (first, second) = (all.next()?, all.next());
        let text = first.to_str().ok().filter(|_| second.is_none())?;
        let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        // XX and ZZ are user-assigned (ISO 3166-1) and used for "not known".
        (is_code && !matches!(text, "XX" | "ZZ")).then(|| text.to_owned())
    }
}

/// A header that may be sent in several lines (RFC 9110 section 5.3), as one.
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines: Result<Vec<_>, _> = headers.get_all(name).iter().map(|line| line.to_str()).collect();
    lines.ok().map(|lines| lines.join(","))
}

/// An address, also with a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn node(text: &str) -> Option<IpAddr> {
    let is_port = |text: &str| {
        (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        let fits = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
        let address = address(inside).ok().filter(|_| inside.contains(':'));
        return address.filter(|_| fits);
    }
    match text.split_once(':') {
        Some((ip, port)) if ip.contains('.') => address(ip).ok().filter(|_| is_port(port)),
        Some(_) | None => address(text).ok(),
    }
}

/// The `for` of each element of a `Forwarded` header (RFC 7239 section 4); an element without one is
/// `None`. `None` for the whole where its form is not exactly that.
fn forwarded(text: &str) -> Option<Vec<Option<String>>> {
    let mut hops = Vec::new();
    let mut rest = text;
    loop {
        let (hop, after) = element(rest)?;
        hops.push(hop);
        match after {
            None => return Some(hops),
            Some(after) => rest = after,
        }
    }
}

/// One element, and what follows its comma.
fn element(text: &str) -> Option<(Option<String>, Option<&str>)> {
    let mut hop = None;
    let mut rest = text.trim_start_matches([' ', '\t']);
    loop {
        let (name, after) = rest.split_once('=')?;
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        let (value, after) = value(after)?;
        if name.eq_ignore_ascii_case("for") && hop.replace(value).is_some() {
            return None;
        }
        let after = after.trim_start_matches([' ', '\t']);
        match after.chars().next() {
            None => return Some((hop, None)),
            Some(',') => return Some((hop, after.get(1..))),
            Some(';') => rest = after.get(1..)?,
            Some(_) => return None,
        }
    }
}

/// A token or a quoted text, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (inside, after) = quoted.split_once('"')?;
        // An escaped character has no place in an address.
        return (!inside.contains('\\')).then(|| (inside.to_owned(), after));
    }
    let end = text.bytes().position(|byte| !is_token(byte)).unwrap_or(text.len());
    let (token, after) = text.split_at_checked(end)?;
    (!token.is_empty()).then(|| (token.to_owned(), after))
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// Where a call of this peer with these headers comes from, behind proxies in 10.0.0.0/8.
    fn located(peer: &str, headers: &[(&'static str, &str)]) -> (Option<String>, Option<String>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let trusted = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let proxies = Proxies::new(trusted, Some(HeaderName::from_static("cf-ipcountry")));
        let found = proxies.locate(Some(Peer(peer.parse().unwrap())), &map);
        (found.ip.map(|ip| ip.to_string()), found.country)
    }

    fn ip(peer: &str, headers: &[(&'static str, &str)]) -> Option<String> {
        located(peer, headers).0
    }

    const PROXY: &str = "10.0.0.1";

    #[test]
    fn headers_of_strangers_are_not_read() {
        let headers = [("x-forwarded-for", "192.0.2.7"), ("cf-ipcountry", "DE")];
        let found = located("203.0.113.9", &headers);
        assert_eq!(found, (Some("203.0.113.9".to_owned()), None));
        assert_eq!(ip("::ffff:203.0.113.9", &headers).as_deref(), Some("203.0.113.9"));
    }

    #[test]
    fn the_right_most_that_is_no_proxy_of_ours_calls() {
        for (sent, wanted) in [
            ("192.0.2.7", "192.0.2.7"),
            ("198.51.100.1, 192.0.2.7", "192.0.2.7"),
            ("10.9.9.9, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
            ("nonsense, 192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:4711", "192.0.2.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(ip(PROXY, &[("x-forwarded-for", sent)]).as_deref(), Some(wanted), "{sent}");
        }
        let lines = [("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(ip(PROXY, &lines).as_deref(), Some("192.0.2.7"));
    }

    #[test]
    fn what_cannot_be_read_without_doubt_is_absent() {
        let many = vec!["10.0.0.2"; 33].join(",");
        for sent in [
            "",
            "unknown",
            "192.0.2.7, ",
            "192.0.2.7, unknown",
            "192.0.2.007",
            "192.0.2.7:x",
            "192.0.2.7:123456",
            "fe80::1%eth0",
            "[192.0.2.7]",
            "10.0.0.2, 10.0.0.3",
            &many,
        ] {
            assert_eq!(ip(PROXY, &[("x-forwarded-for", sent)]), None, "{sent}");
        }
        assert_eq!(ip(PROXY, &[]), None, "the proxy is not who calls");
        let both = [("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.7")];
        assert_eq!(ip(PROXY, &both), None);
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_has_it() {
        for (sent, wanted) in [
            ("for=192.0.2.7", Some("192.0.2.7")),
            ("For=192.0.2.7;proto=https;by=10.0.0.1", Some("192.0.2.7")),
            ("for=198.51.100.1, for=192.0.2.7; host=\"a,b\"", None),
            ("for=198.51.100.1,for=192.0.2.7;host=\"a,b\"", Some("192.0.2.7")),
            ("for=\"[2001:db8::1]:4711\", for=10.0.0.2", Some("2001:db8::1")),
            ("for=\"192.0.2.7:80\"", Some("192.0.2.7")),
            ("for=_hidden, for=10.0.0.2", None),
            ("for=unknown", None),
            ("proto=https", None),
            ("for=192.0.2.7;for=192.0.2.8", None),
            ("for=192.0.2.7 for=192.0.2.8", None),
            ("for=\"192.0.2.7", None),
            ("for=\"192.0.2\\.7\"", None),
            ("for=192.0.2.7,", None),
        ] {
            assert_eq!(ip(PROXY, &[("forwarded", sent)]).as_deref(), wanted, "{sent}");
        }
    }

    #[test]
    fn a_country_is_two_capitals_said_once_by_a_proxy() {
        let country = |lines: &[&str]| {
            let lines: Vec<_> = lines.iter().map(|line| ("cf-ipcountry", *line)).collect();
            located(PROXY, &lines).1
        };
        assert_eq!(country(&["DE"]).as_deref(), Some("DE"));
        for lines in [&[][..], &["de"], &["T1"], &["XX"], &["DEU"], &["D"], &["DE", "US"]] {
            assert_eq!(country(lines), None, "{lines:?}");
        }
    }
}
