//! The bytes of a plan as text: UTF-8 with or without a byte order mark, or UTF-16 with one.

use std::borrow::Cow;

use crate::plan::error::{LooksLike, PlanError};

/// The text, and how a place in it becomes a place in the bytes that were given.
#[derive(Debug)]
pub(super) struct Text<'a> {
    pub(super) text: Cow<'a, str>,
    form: Form,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Utf8 { mark: usize },
    Utf16,
}

impl Text<'_> {
    /// Where a byte of the text stands in the bytes that were given.
    pub(super) fn byte(&self, at: usize) -> usize {
        match self.form {
            Form::Utf8 { mark } => at + mark,
            Form::Utf16 => {
                let before = self.text.get(..at).unwrap_or(&self.text);
                2 + 2 * before.encode_utf16().count()
            }
        }
    }
}

/// Decodes the bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<Text<'_>, PlanError> {
    match bytes {
        [b'P', b'K', 3, 4, ..] => Err(PlanError::NotAPlan(LooksLike::SavedPlan)),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest, 3),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => utf8(bytes, 0),
    }
}

fn utf8(bytes: &[u8], mark: usize) -> Result<Text<'_>, PlanError> {
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        let problem = "a zero byte; text in UTF-16 must begin with a byte order mark";
        return Err(PlanError::Encoding { byte: at + mark, problem });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| PlanError::Encoding {
        byte: error.valid_up_to() + mark,
        problem: "not UTF-8",
    })?;
    Ok(Text { text: Cow::Borrowed(text), form: Form::Utf8 { mark } })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Text<'_>, PlanError> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    if !odd.is_empty() {
        let problem = "half a UTF-16 unit at the end; the text is cut off";
        return Err(PlanError::Encoding { byte: bytes.len() + 1, problem });
    }
    let mut text = String::with_capacity(pairs.len());
    let mut at = 2;
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let problem = "half a surrogate pair, which is not UTF-16";
        let c = decoded.map_err(|_| PlanError::Encoding { byte: at, problem })?;
        at += 2 * c.len_utf16();
        text.push(c);
    }
    Ok(Text { text: Cow::Owned(text), form: Form::Utf16 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_gives_the_same_text_and_finds_its_bytes() {
        let text = "{\"ä\": 1}";
        let units: Vec<u16> = text.encode_utf16().collect();
        let with = |mark: &[u8], bytes: Vec<u8>| [mark, &bytes].concat();
        let little = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        let forms = [
            (text.as_bytes().to_vec(), 4),
            (with(&[0xef, 0xbb, 0xbf], text.into()), 7),
            (with(&[0xff, 0xfe], little), 8),
            (with(&[0xfe, 0xff], big), 8),
        ];
        for (bytes, quote) in forms {
            let decoded = decode(&bytes).unwrap();
            assert_eq!(decoded.text, text);
            // The quote after the two-byte letter.
            assert_eq!(decoded.byte(4), quote);
        }
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_byte() {
        for (bytes, at) in [
            (&b"{\xff}"[..], 1),
            (b"\xef\xbb\xbf{\xff}", 4),
            (b"{\0\"\0", 1),
            (b"\xff\xfe{\0\x00\xd8", 4),
            (b"\xff\xfe{", 2),
        ] {
            let error = decode(bytes).unwrap_err();
            assert!(matches!(error, PlanError::Encoding { byte, .. } if byte == at), "{error:?}");
        }
    }
}
