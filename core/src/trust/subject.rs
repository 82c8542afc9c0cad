//! How a workload is named: text in which claims of the token stand.

use std::fmt;
use std::str::FromStr;

use crate::principal::is_visible;
use crate::token::VerifiedToken;

/// A name with claims in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Claim(String),
}

/// The text is no such name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name for a workload: write text and claims, such as `repo:{{repository_id}}`")]
pub(super) struct NotASubject(String);

impl FromStr for Subject {
    type Err = NotASubject;

    fn from_str(text: &str) -> Result<Self, NotASubject> {
        let fault = || NotASubject(text.escape_debug().to_string());
        let unfit = |c: char| c == '#' || c == '%' || c.is_whitespace() || !is_visible(c);
        if text.is_empty() || text.len() > 255 || text.chars().any(unfit) {
            return Err(fault());
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (claim, after) = after.split_once('}').ok_or_else(fault)?;
            if claim.is_empty() || claim.contains('{') || before.contains('}') {
                return Err(fault());
            }
            // Between two claims stands what neither can hold: else they could swap characters and
            // two workloads be named alike.
            if !pieces.is_empty() && before.bytes().all(is_plain) && has_claim(&pieces) {
                return Err(fault());
            }
            pieces.extend((!before.is_empty()).then(|| Piece::Text(before.to_owned())));
            pieces.push(Piece::Claim(claim.to_owned()));
            rest = after;
        }
        if rest.contains('}') {
            return Err(fault());
        }
        pieces.extend((!rest.is_empty()).then(|| Piece::Text(rest.to_owned())));
        Ok(Self(pieces))
    }
}

impl fmt::Display for Subject {
    /// As it is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Claim(claim) => write!(f, "{{{claim}}}"),
        })
    }
}

impl Subject {
    /// The name by this token.
    ///
    /// # Errors
    /// The claim that is missing.
    pub(super) fn of(&self, token: &VerifiedToken) -> Result<String, String> {
        let mut name = String::new();
        // A claim that is all of the name stands as it is; beside others it is escaped, so that no
        // value can look like the text around it.
        let alone = self.0.len() == 1;
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => name.push_str(text),
                Piece::Claim(claim) => {
                    let value = token.claim(claim).ok_or_else(|| claim.clone())?;
                    if alone { name.push_str(value) } else { escape(value, &mut name) }
                }
            }
        }
        Ok(name)
    }
}

fn has_claim(pieces: &[Piece]) -> bool {
    pieces.iter().any(|piece| matches!(piece, Piece::Claim(_)))
}

/// Letters, digits and `-._~/`: what stands for itself in a value.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte)
}

/// Percent-encoding (RFC 3986 section 2.1) of all that is not plain.
fn escape(value: &str, into: &mut String) {
    for byte in value.bytes() {
        match is_plain(byte) {
            true => into.push(char::from(byte)),
            false => into.push_str(&format!("%{byte:02X}")),
        }
    }
}
