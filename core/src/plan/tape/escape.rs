//! Escapes in the texts of JSON (RFC 8259 section 7).

use std::borrow::Cow;

/// The character that a `\u` escape at the beginning of the text stands for, and its length.
pub(super) fn unicode_escape(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(())?;
        u16::from_str_radix(digits, 16).ok()
    };
    let first = unit(text)?;
    if let Some(c) = char::from_u32(first.into()) {
        return Some((c, 6));
    }
    let second = unit(text.get(6..)?)?;
    Some((char::decode_utf16([first, second]).next()?.ok()?, 12))
}

/// What a text with its quotes says. It has been checked.
pub(super) fn unescaped(raw: &str) -> Cow<'_, str> {
    let inner = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let (c, length) = match escape.bytes().next() {
            Some(b'n') => ('\n', 1),
            Some(b't') => ('\t', 1),
            Some(b'r') => ('\r', 1),
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'u') => match unicode_escape(rest.get(plain.len()..).unwrap_or_default()) {
                Some((c, length)) => (c, length - 1),
                None => ('\u{fffd}', 1),
            },
            Some(other) => (char::from(other), 1),
            None => ('\u{fffd}', 0),
        };
        text.push(c);
        rest = escape.get(length..).unwrap_or_default();
    }
    text.push_str(rest);
    Cow::Owned(text)
}
