//! What is remembered of a token, between its opening and its closing.

use assent_core::credential::Secret;
use assent_core::time::Timestamp;
use zeroize::Zeroizing;

use crate::broker::outside;

/// The longest token that is taken.
const LONGEST: usize = 1024;

/// A token as it goes into a header and a variable.
pub(super) fn word(text: &str) -> Option<Secret> {
    outside::word(text, LONGEST)
}

/// A token that was received.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) secret: Secret,
    pub(super) expires_at: Timestamp,
}

impl Token {
    /// Whether it may still be good.
    pub(super) fn lives(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

/// What may exist outside.
#[derive(Default)]
pub(super) struct Record {
    /// The token that was handed out, or was about to be.
    pub(super) token: Option<Token>,
    /// Until when one may exist that was asked for and whose answer never came.
    pub(super) lost_until: Option<Timestamp>,
}

impl Record {
    /// Until when any of it matters.
    pub(super) fn matters_until(&self) -> Option<Timestamp> {
        self.token.as_ref().map(|token| token.expires_at).max(self.lost_until)
    }

    /// One line each: until when one may be lost, until when the token is good, the token.
    pub(super) fn written(&self) -> Zeroizing<Vec<u8>> {
        let millis = |at: Option<Timestamp>| at.map_or(0, Timestamp::as_millis);
        let token = self.token.as_ref();
        let ends = millis(token.map(|token| token.expires_at));
        let secret = token.map_or("", |token| token.secret.expose());
        let mut all = Zeroizing::new(Vec::with_capacity(64 + secret.len()));
        all.extend_from_slice(format!("{}\n{ends}\n", millis(self.lost_until)).as_bytes());
        all.extend_from_slice(secret.as_bytes());
        all
    }

    /// What was written.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let fault = || "what is kept of it is of another form".to_owned();
        let text = std::str::from_utf8(bytes).map_err(|_| fault())?;
        let mut lines = text.splitn(3, '\n');
        let mut time = || -> Result<Option<Timestamp>, String> {
            let millis = lines.next().and_then(|line| line.parse::<i64>().ok());
            let millis = millis.ok_or_else(fault)?;
            Ok((millis != 0).then(|| Timestamp::from_millis(millis)))
        };
        let (lost_until, ends) = (time()?, time()?);
        let token = match (ends, lines.next().ok_or_else(fault)?) {
            (None, "") => None,
            (Some(expires_at), text) => {
                Some(Token { secret: word(text).ok_or_else(fault)?, expires_at })
            }
            (None, _) => return Err(fault()),
        };
        Ok(Self { token, lost_until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let at = Timestamp::from_millis(1_800_000_000_000);
        let token = || Token { secret: Secret::new("ghs_x".to_owned()), expires_at: at };
        for (record, matters) in [
            (Record::default(), None),
            (Record { token: None, lost_until: Some(at) }, Some(at)),
            (Record { token: Some(token()), lost_until: None }, Some(at)),
            (
                Record { token: Some(token()), lost_until: Some(Timestamp::from_millis(7)) },
                Some(at),
            ),
        ] {
            let read = Record::read(&record.written()).unwrap();
            assert_eq!(read.lost_until, record.lost_until);
            assert_eq!(read.matters_until(), matters);
            let secret = |record: &Record| record.token.as_ref().map(|t| t.secret.clone());
            assert_eq!(secret(&read), secret(&record));
        }
        for bad in ["", "1", "1\n2", "x\n2\nt", "1\n0\nt", "1\n2\n", "1\n2\na b", "1\n2\na\nb"] {
            assert!(Record::read(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
