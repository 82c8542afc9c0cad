//! Who: verified persons and workloads.
//!
//! Built from verified claims only. A display name is for eyes and never decides anything; two
//! principals are the same when issuer and subject are the same bytes.

use std::collections::BTreeSet;
use std::fmt;

/// The issuer of people and workloads that this authority itself knows, by access token.
pub const LOCAL_ISSUER: &str = "assent:local";

/// Issuer and subject, compared byte for byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrincipalId {
    iss: String,
    sub: String,
}

/// The text cannot name a principal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrincipalIdError {
    /// The issuer or the subject is empty or longer than 255 bytes.
    #[error("issuer and subject must each have 1 to 255 bytes")]
    Length,
    /// A character that cannot be seen.
    #[error("issuer and subject must not hold spaces, control characters or `#`")]
    Character,
    /// Somebody else speaks of those whom this authority alone knows.
    #[error("no other issuer names the principals of `{LOCAL_ISSUER}`")]
    Local,
}

impl PrincipalId {
    /// A principal of this issuer.
    ///
    /// # Errors
    /// [`PrincipalIdError`] when a part is empty, too long (RFC 7519 has no limit; OpenID Connect
    /// Core section 2 has 255 for `sub`), or holds what cannot be seen.
    pub fn new(iss: &str, sub: &str) -> Result<Self, PrincipalIdError> {
        for part in [iss, sub] {
            if part.is_empty() || part.len() > 255 {
                return Err(PrincipalIdError::Length);
            }
            if part.chars().any(|c| c == '#' || c.is_whitespace() || !is_visible(c)) {
                return Err(PrincipalIdError::Character);
            }
        }
        Ok(Self { iss: iss.to_owned(), sub: sub.to_owned() })
    }

    /// A principal that this authority itself knows.
    ///
    /// # Errors
    /// As [`PrincipalId::new`].
    pub fn local(sub: &str) -> Result<Self, PrincipalIdError> {
        Self::new(LOCAL_ISSUER, sub)
    }

    /// The same as the authority of this URL knows them: whoever others know as of that issuer is one
    /// of its own.
    #[must_use]
    pub fn seen_by(self, authority: &str) -> Self {
        match self.iss == authority {
            true => Self { iss: LOCAL_ISSUER.to_owned(), ..self },
            false => self,
        }
    }

    /// A principal in another issuer's words: it writes its own without an issuer and everybody
    /// else's as `issuer#subject`, and has no name for those that only this authority knows.
    ///
    /// # Errors
    /// As [`PrincipalId::new`]; [`PrincipalIdError::Local`].
    pub fn said_by(issuer: &str, name: &str) -> Result<Self, PrincipalIdError> {
        match name.rsplit_once('#').unwrap_or((issuer, name)) {
            (LOCAL_ISSUER, _) => Err(PrincipalIdError::Local),
            (iss, sub) => Self::new(iss, sub),
        }
    }

    /// The one way in which that issuer writes it: its own without an issuer.
    pub fn as_said_by(&self, issuer: &str) -> String {
        if self.iss == issuer { self.sub.clone() } else { format!("{}#{}", self.iss, self.sub) }
    }

    /// Who vouches for the subject.
    pub fn iss(&self) -> &str {
        &self.iss
    }

    /// The subject, as that issuer names it.
    pub fn sub(&self) -> &str {
        &self.sub
    }

    /// As entries of the audit log name whoever did something.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({"iss": self.iss, "sub": self.sub})
    }
}

impl fmt::Display for PrincipalId {
    /// `bob` for our own, `issuer#subject` for everybody else's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.iss == LOCAL_ISSUER {
            f.write_str(&self.sub)
        } else {
            write!(f, "{}#{}", self.iss, self.sub)
        }
    }
}

impl fmt::Debug for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a character shows itself: not a control, not a format character that reorders or hides
/// text (Unicode TR 36 section 3.3 and UAX 9).
pub fn is_visible(c: char) -> bool {
    !(c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || (c.is_whitespace() && c != ' '))
}

/// What a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A human being. Only people review.
    Person,
    /// A program: a job, a run, a service.
    Workload,
}

/// A verified caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Who.
    pub id: PrincipalId,
    /// Person or workload.
    pub kind: PrincipalKind,
    /// Groups that the issuer vouches for, beside those of the policy documents.
    pub groups: BTreeSet<String>,
    /// The people a workload acts for. They are behind whatever it asks for, and so never count.
    pub acts_for: BTreeSet<PrincipalId>,
    /// What else the issuer vouches for, as its token says it.
    pub claims: serde_json::Map<String, serde_json::Value>,
}

impl Principal {
    /// Everybody who is behind what this principal asks for: itself and those it acts for.
    pub fn behind(&self) -> BTreeSet<&PrincipalId> {
        self.acts_for.iter().chain([&self.id]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t09_ids_are_opaque_bytes() {
        let bob = PrincipalId::local("bob").unwrap();
        for other in ["Bob", "bob+x", "b\u{43e}b", "bob."] {
            assert_ne!(PrincipalId::local(other).unwrap(), bob);
        }
        for hidden in [
            "",
            " bob",
            "bob\u{200b}",
            "bob\u{34f}",
            "bob\u{2800}",
            "bob\u{3000}",
            "b\u{202e}ob",
            "bob\n",
            "a#b",
        ] {
            assert!(PrincipalId::local(hidden).is_err(), "{hidden:?}");
        }
    }

    #[test]
    fn the_same_subject_of_another_issuer_is_somebody_else() {
        let ours = PrincipalId::local("bob").unwrap();
        let theirs = PrincipalId::new("https://id.example.com", "bob").unwrap();
        assert_ne!(ours, theirs);
        assert_eq!(theirs.to_string(), "https://id.example.com#bob");
    }
}
