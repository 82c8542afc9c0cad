//! Addresses of resources and modules, as Terraform writes them: `module.a["x"].aws_vpc.main[0]`.

use std::borrow::Cow;

use crate::plan::secrets::{MARKER, Secrets};

/// Longer names and addresses are refused.
pub(super) const MAX_NAME: usize = 4096;

/// What the addresses within a module of this name begin with; `None` if that is too long already.
pub(super) fn within_module(path: &str, name: &str) -> Option<String> {
    (path.len() + name.len() < MAX_NAME).then(|| format!("{path}module.{name}."))
}

/// The address without its instance keys: which block of the configuration it is.
pub(super) fn without_keys(address: &str) -> String {
    let mut bare = String::with_capacity(address.len());
    for part in parts(address) {
        if let Part::Name(text) = part {
            bare.push_str(text);
        }
    }
    bare
}

/// The address with each instance key that is a secret replaced by the marker.
pub(super) fn without_secrets<'a>(address: &'a str, secrets: &Secrets<'_>) -> Cow<'a, str> {
    if !address.contains('[') || secrets.is_empty() {
        return Cow::Borrowed(address);
    }
    let mut clean = String::with_capacity(address.len());
    for part in parts(address) {
        match part {
            Part::Key(text) if secrets.hold_key(&key(text)) => {
                clean.push_str(&format!("[\"{MARKER}\"]"));
            }
            Part::Name(text) | Part::Key(text) => clean.push_str(text),
        }
    }
    Cow::Owned(clean)
}

/// One stretch of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    Name(&'a str),
    /// With its brackets.
    Key(&'a str),
}

/// The stretches of an address, which together are the whole of it.
fn parts(address: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = address;
    std::iter::from_fn(move || {
        let (part, after) = match rest.starts_with('[') {
            true => {
                let (key, after) = rest.split_at_checked(key_length(rest))?;
                (Part::Key(key), after)
            }
            false => {
                let (name, after) = rest.split_at_checked(rest.find('[').unwrap_or(rest.len()))?;
                (Part::Name(name), after)
            }
        };
        let is_over = rest.is_empty();
        rest = after;
        (!is_over).then_some(part)
    })
}

/// How long the key is that the text begins with; a bracket inside quotes does not end it.
fn key_length(text: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// What stands in a key's brackets and quotes. HCL escapes what JSON does, and `${` and `%{`.
fn key(part: &str) -> String {
    let inner = part.strip_prefix('[').and_then(|part| part.strip_suffix(']')).unwrap_or(part);
    let inner = inner.strip_prefix('"').and_then(|part| part.strip_suffix('"')).unwrap_or(inner);
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(match chars.next() {
                Some('n') => Some('\n'),
                Some('t') => Some('\t'),
                Some('r') => Some('\r'),
                other => other,
            }),
            c => text.push(c),
        }
    }
    text.replace("$${", "${").replace("%%{", "%{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_names() {
        let address = r#"module.a["x]\"[y"].aws_vpc.main[0]"#;
        assert_eq!(without_keys(address), "module.a.aws_vpc.main");
        let wanted = [
            Part::Name("module.a"),
            Part::Key(r#"["x]\"[y"]"#),
            Part::Name(".aws_vpc.main"),
            Part::Key("[0]"),
        ];
        assert_eq!(parts(address).collect::<Vec<_>>(), wanted);
        assert_eq!(key(r#"["a\"$${b}"]"#), "a\"${b}");
    }

    #[test]
    fn an_address_is_the_sum_of_its_parts() {
        for address in ["", "[", "]", "a[", "a[\"", "a[\"\\", "a]b[c]d", "ü[ß]", "[[\"]\"]]"] {
            let text = |part| match part {
                Part::Name(text) | Part::Key(text) => text,
            };
            assert_eq!(parts(address).map(text).collect::<String>(), address);
        }
    }
}
