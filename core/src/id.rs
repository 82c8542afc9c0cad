//! Ids: ULIDs with a prefix that says what they name.

use std::fmt;
use std::str::FromStr;

use ulid::Ulid;

use crate::time::Timestamp;

/// The text is not an id of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what} id; one looks like {prefix}01JD5K3N7Q8R9S0T1V2W3X4Y5Z")]
pub struct NotAnId {
    text: String,
    what: &'static str,
    prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// A new id from the time and 80 bits of chance.
            pub fn new(at: Timestamp, chance: [u8; 10]) -> Self {
                let mut bytes = [0; 16];
                let (_, low) = bytes.split_at_mut(6);
                low.copy_from_slice(&chance);
                let millis = at.as_millis().max(0).unsigned_abs();
                Self(Ulid::from_parts(millis, u128::from_be_bytes(bytes)))
            }

            /// The 16 bytes, which sort by time.
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_bytes()
            }

            /// The id that these bytes are.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Ulid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            /// Only the form that is printed is read: one thing has one id.
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let fault = || NotAnId {
                    text: text.chars().take(64).collect(),
                    what: $what,
                    prefix: $prefix,
                };
                let ulid = text.strip_prefix($prefix).ok_or_else(fault)?;
                let id = Self(Ulid::from_string(ulid).map_err(|_| fault())?);
                if id.to_string() == text { Ok(id) } else { Err(fault()) }
            }
        }
    };
}

id!(
    /// Names a [`Request`](crate::request::Request).
    RequestId, "req_", "request"
);
id!(
    /// Names a [`Review`](crate::request::Review).
    ReviewId, "rev_", "review"
);
id!(
    /// Names a credential; the `jti` of its token.
    CredentialId, "crd_", "credential"
);
id!(
    /// Names an access token, with which a caller proves to the authority who it is.
    AccessId, "acc_", "access token"
);
id!(
    /// Names a [`Signal`](crate::signal::Signal).
    SignalId, "sig_", "signal"
);
id!(
    /// Names a [`Passkey`](crate::passkey::Passkey).
    PasskeyId, "psk_", "passkey"
);
id!(
    /// Names the bytes of an exact plan, as they were sent once.
    UploadId, "upl_", "upload"
);
id!(
    /// Names one evaluation that was denied and may be asked for.
    EvaluationId, "evl_", "evaluation"
);
id!(
    /// Names one notice to one recipient. Whoever is told twice knows it again by this.
    NoticeId, "ntc_", "notice"
);

id!(
    /// Names an [`Absence`](crate::absence::Absence).
    AbsenceId, "abs_", "absence"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print_and_sort_by_time() {
        let first = RequestId::new(Timestamp::from_millis(1_000), [255; 10]);
        let second = RequestId::new(Timestamp::from_millis(1_001), [0; 10]);
        assert!(first < second);
        assert_eq!(first.to_string().parse::<RequestId>().unwrap(), first);
        assert_eq!(RequestId::from_bytes(first.to_bytes()), first);
    }

    #[test]
    fn another_kind_or_another_spelling_is_refused() {
        let id = RequestId::new(Timestamp::from_millis(1_000), [7; 10]).to_string();
        assert!(id.parse::<ReviewId>().is_err());
        assert!(id.to_lowercase().parse::<RequestId>().is_err());
        for text in ["", "req_", "req_1", "req_81111111111111111111111111", "../req_1"] {
            assert!(text.parse::<RequestId>().is_err(), "{text}");
        }
    }
}
