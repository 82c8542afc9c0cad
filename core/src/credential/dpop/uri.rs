//! Whether two URLs name one place (RFC 3986 sections 6.2.2 and 6.2.3), as far as RFC 9449 asks for
//! it: query and fragment left away, case and default ports evened out, and no more. Where two texts
//! could name one place in a way that is not evened out here, they do not.

/// Whether these name the same place. What is no http URL names none.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    Place::read(one).is_some_and(|one| Place::read(other) == Some(one))
}

#[derive(PartialEq, Eq)]
struct Place {
    scheme: String,
    host: String,
    port: Option<u16>,
    path: String,
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
            return None;
        }
        let text = text.split(['?', '#']).next()?;
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let default = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = split_port(authority)?;
        if host.is_empty() || host.contains('@') {
            return None;
        }
        let port = port.filter(|port| *port != default);
        let path = if path.is_empty() { "/".to_owned() } else { evened(path)? };
        Some(Self { scheme, host: host.to_ascii_lowercase(), port, path })
    }
}

/// The port is what follows the last colon, unless that is inside an IPv6 address.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            let port = digits.then(|| port.parse().ok())??;
            Some((host, Some(port)))
        }
        _ => Some((authority, None)),
    }
}

/// A path whose percent-encodings have one spelling each: none for what needs none, capitals for the
/// rest.
fn evened(path: &str) -> Option<String> {
    let mut parts = path.split('%');
    let mut even = parts.next()?.to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        if !code.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let byte = u8::from_str_radix(code, 16).ok()?;
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                even.push(char::from(byte));
            }
            _ => even.push_str(&format!("%{byte:02X}")),
        }
        even.push_str(rest);
    }
    Some(even)
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn query_case_and_default_ports_do_not_matter() {
        let good = "https://orders.example.com/deploy/api";
        for same in [
            good,
            "https://orders.example.com/deploy/api?x=1",
            "https://orders.example.com/deploy/api#x",
            "HTTPS://Orders.Example.COM:443/deploy/api",
            "https://orders.example.com/deploy/%61pi",
        ] {
            assert!(is_same(same, good) && is_same(good, same), "{same}");
        }
        assert!(is_same("http://[::1]:8080", "http://[::1]:8080/"));
        assert!(is_same("http://a.example/%c3%a9", "http://a.example:80/%C3%A9"));
    }

    #[test]
    fn whatever_else_differs_is_another_place() {
        let good = "https://orders.example.com/deploy/api";
        for other in [
            "",
            "/deploy/api",
            "http://orders.example.com/deploy/api",
            "https://orders.example.com:8443/deploy/api",
            "https://orders.example.com:/deploy/api",
            "https://orders.example.com:0443x/deploy/api",
            "https://orders.example.com.evil.example/deploy/api",
            "https://orders.example.com@evil.example/deploy/api",
            "https://evil.example/https://orders.example.com/deploy/api",
            "https://orders.example.com/Deploy/api",
            "https://orders.example.com/deploy/api/",
            "https://orders.example.com//deploy/api",
            "https://orders.example.com/deploy/x/../api",
            "https://orders.example.com/deploy%2Fapi",
            "https://orders.example.com/deploy/ap%",
            "https://orders.example.com/deploy/%zzapi",
            "https://orders.example.com\\deploy\\api",
            " https://orders.example.com/deploy/api",
            "ftp://orders.example.com/deploy/api",
            "https:///deploy/api",
        ] {
            assert!(!is_same(other, good) && !is_same(good, other), "{other}");
        }
        assert!(!is_same("", "") && !is_same("nonsense", "nonsense"));
    }
}
