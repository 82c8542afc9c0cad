//! As much of CBOR (RFC 8949) as WebAuthn needs, in the canonical form of CTAP2 section 8: definite
//! lengths, each number in its shortest form, and no more depth than keys and extensions have.

use crate::webauthn::WebauthnError;

/// The deepest nesting of extensions and statements of attestation.
const MAX_DEPTH: u8 = 4;

/// One value; what is inside lists and maps is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    Int(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Other,
}

/// Reads values one after the other.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

fn bad() -> WebauthnError {
    WebauthnError::Malformed("it is not canonical CBOR")
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], WebauthnError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(bad)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The major type and argument of the next value (RFC 8949 section 3).
    fn head(&mut self) -> Result<(u8, u64), WebauthnError> {
        let &[first] = self.take(1)? else { return Err(bad()) };
        let (major, info) = (first >> 5, first & 0x1f);
        let (size, least) = match info {
            0..=23 => return Ok((major, u64::from(info))),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            _ => return Err(bad()),
        };
        let digits = self.take(size)?;
        let value = digits.iter().fold(0, |value: u64, digit| value << 8 | u64::from(*digit));
        // A float of any size is no number that we count with.
        if value >= least && major != 7 { Ok((major, value)) } else { Err(bad()) }
    }

    /// How many pairs the map has that comes next.
    pub(super) fn map(&mut self) -> Result<u64, WebauthnError> {
        match self.head()? {
            (5, pairs) if pairs <= 64 => Ok(pairs),
            _ => Err(bad()),
        }
    }

    pub(super) fn item(&mut self) -> Result<Item<'a>, WebauthnError> {
        self.item_at(0)
    }

    fn item_at(&mut self, depth: u8) -> Result<Item<'a>, WebauthnError> {
        if depth > MAX_DEPTH {
            return Err(bad());
        }
        let (major, value) = self.head()?;
        let size = || usize::try_from(value).map_err(|_| bad());
        match major {
            0 => Ok(Item::Int(i64::try_from(value).map_err(|_| bad())?)),
            1 => Ok(Item::Int(-1 - i64::try_from(value).map_err(|_| bad())?)),
            2 => Ok(Item::Bytes(self.take(size()?)?)),
            3 => Ok(Item::Text(std::str::from_utf8(self.take(size()?)?).map_err(|_| bad())?)),
            4 | 5 => {
                for _ in 0..value.saturating_mul(u64::from(major) - 3) {
                    self.item_at(depth + 1)?;
                }
                Ok(Item::Other)
            }
            // False, true and null.
            7 if (20..=22).contains(&value) => Ok(Item::Other),
            _ => Err(bad()),
        }
    }
}

/// The authenticator data in an attestation object (WebAuthn section 6.5.4): a map of `fmt`, `attStmt`
/// and `authData`, each once, and nothing after it.
pub(super) fn attested(object: &[u8]) -> Result<&[u8], WebauthnError> {
    let mut reader = Reader::new(object);
    let pairs = reader.map()?;
    let (mut data, mut format, mut statement) = (None, false, false);
    for _ in 0..pairs {
        let is_new = match (reader.item()?, reader.item()?) {
            (Item::Text("authData"), Item::Bytes(bytes)) => data.replace(bytes).is_none(),
            (Item::Text("fmt"), Item::Text(_)) => !std::mem::replace(&mut format, true),
            (Item::Text("attStmt"), Item::Other) => !std::mem::replace(&mut statement, true),
            _ => false,
        };
        if !is_new {
            return Err(bad());
        }
    }
    let is_whole = format && statement && reader.rest().is_empty();
    data.filter(|_| is_whole).ok_or_else(bad)
}
