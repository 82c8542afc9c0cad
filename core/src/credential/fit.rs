//! Whether those who would take credentials can: what clouds demand of an issuer, held against what
//! the issuer is.
//!
//! Only what shows in the URL is judged; whether it can be reached, nobody here knows.

use std::net::IpAddr;

use crate::credential::Algorithm;

/// Something that somebody demands and the issuer is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Who demands it.
    pub who: &'static str,
    /// What does not fit, and what to do.
    pub problem: String,
}

/// What clouds demand that this issuer, signing with these algorithms, is not. The issuer is a base
/// URL without query or fragment.
pub fn misfits(issuer: &str, algorithms: &[Algorithm]) -> Vec<Misfit> {
    let mut all = Vec::new();
    let mut tell = |who, problem: &str| all.push(Misfit { who, problem: problem.to_owned() });
    let (scheme, rest) = issuer.split_once("://").unwrap_or(("", issuer));
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, has_port) = host(authority);
    if scheme != "https" {
        tell(
            "AWS, Google Cloud and Azure",
            "take only https issuers: put a proxy with a certificate in front and name it by --public-url",
        );
    }
    if has_port {
        // IAM, "Create an OpenID Connect (OIDC) identity provider": no port numbers.
        tell("AWS", "takes no issuer with a port: use 443, which is not written");
    }
    if is_private(host) {
        tell(
            "AWS and Azure",
            "fetch the keys from the internet, where this host is not found: use a public name",
        );
        tell(
            "Google Cloud",
            "cannot fetch the keys from this host: upload the key set to the pool's provider, and again \
             before another key signs",
        );
    }
    if !algorithms.contains(&Algorithm::Rs256) {
        tell("Azure", "takes RS256 alone, and there is no key for it yet");
    }
    all
}

/// The host of an authority, and whether a port is written behind it (RFC 3986 section 3.2).
fn host(authority: &str) -> (&str, bool) {
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, !rest.is_empty()),
        None => match authority.split_once(':') {
            Some((host, _)) => (host, true),
            None => (authority, false),
        },
    }
}

/// A host that nobody beyond one's own network finds (RFC 1918, RFC 4193, RFC 6761, RFC 6762).
fn is_private(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    match host.parse() {
        Ok(IpAddr::V4(ip)) => return ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => {
            return ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local();
        }
        Err(_) => {}
    }
    let is_one_label = !host.contains('.');
    let own = [".localhost", ".local", ".internal", ".home.arpa", ".lan", ".test"];
    is_one_label || own.iter().any(|suffix| host.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Algorithm; 2] = [Algorithm::Es256, Algorithm::Rs256];

    fn who(issuer: &str) -> Vec<&'static str> {
        misfits(issuer, &BOTH).into_iter().map(|misfit| misfit.who).collect()
    }

    #[test]
    fn a_public_https_name_fits_everybody() {
        assert!(who("https://assent.example.com").is_empty());
        assert!(who("https://93.184.215.14").is_empty());
    }

    #[test]
    fn what_does_not_fit_is_told_with_whom() {
        assert_eq!(who("https://assent.example.com:8443"), ["AWS"]);
        let unreachable = ["AWS and Azure", "Google Cloud"];
        for host in ["10.0.0.7", "assent.internal", "assent", "assent.corp.local.", "[fd00::1]"] {
            assert_eq!(who(&format!("https://{host}")), unreachable, "{host}");
        }
        let all = ["AWS, Google Cloud and Azure", "AWS", "AWS and Azure", "Google Cloud"];
        for loopback in ["http://127.0.0.1:8420", "http://localhost:8420", "http://[::1]:8420"] {
            assert_eq!(who(loopback), all, "{loopback}");
        }
        let without = misfits("https://assent.example.com", &[Algorithm::Es256]);
        assert_eq!(without.len(), 1);
        assert_eq!(without[0].who, "Azure");
    }
}
