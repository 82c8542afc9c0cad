//! Signing a program in by a browser (RFC 8628): one attempt, from the code on a terminal to the
//! token.
//!
//! A program shows a short code; a person who is signed in types it into a page, sees what asks and
//! from where, and says yes or no; the program, which polls by a secret of its own, gets a token that
//! is that person's. There is no link that holds the code (RFC 8628 section 3.3.1): a link can be
//! sent to somebody, and all that they would have to do is press a button.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::access::Device;
use crate::digest::Digest;
use crate::id::AccessId;
use crate::principal::Principal;
use crate::time::{Span, Timestamp};

/// How long a code is good.
pub const LIFE: Span = Span::minutes(10);
/// How long a program waits between two polls.
pub const INTERVAL: Span = Span::seconds(2);
/// How much longer, each time that it does not (RFC 8628 section 3.5).
const SLOWER: Span = Span::seconds(5);
/// The longest life of a token that is got so.
pub const TOKEN_LIFE: Span = Span::hours(12);

/// No vowels, so that no words come out, and nothing that looks like something else (RFC 8628
/// section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

/// The code that a person carries from the terminal to the page: 20^8 of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserCode([u8; LENGTH]);

/// A text that is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("that is no code: it has eight letters, such as `WDJB-MJHT`")]
pub struct NotACode;

impl UserCode {
    /// The code of these bytes of chance; `None` where they do not give eight letters, each as likely
    /// as any other.
    pub fn of_chance(bytes: &[u8; 32]) -> Option<Self> {
        // 240 is the largest multiple of 20 that a byte reaches.
        let even = bytes.iter().filter(|byte| **byte < 240);
        let letters: Vec<u8> = even
            .filter_map(|byte| LETTERS.get(usize::from(*byte) % LETTERS.len()).copied())
            .take(LENGTH)
            .collect();
        letters.try_into().ok().map(Self)
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters: String = self.0.iter().copied().map(char::from).collect();
        let (first, second) = letters.split_at(LENGTH / 2);
        write!(f, "{first}-{second}")
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode")
    }
}

impl FromStr for UserCode {
    type Err = NotACode;

    /// As people type it: in small letters, without the stroke, with blanks.
    fn from_str(text: &str) -> Result<Self, NotACode> {
        let typed = text.bytes().filter(|byte| !matches!(byte, b'-' | b' '));
        let letters: Vec<u8> = typed.take(LENGTH + 1).map(|b| b.to_ascii_uppercase()).collect();
        let letters: [u8; LENGTH] = letters.try_into().map_err(|_| NotACode)?;
        let known = letters.iter().all(|letter| LETTERS.contains(letter));
        known.then_some(Self(letters)).ok_or(NotACode)
    }
}

/// A program that wants to be signed in.
#[derive(Clone, Debug)]
pub struct Attempt {
    secret: Digest,
    from: Option<IpAddr>,
    at: Timestamp,
    interval: Span,
    polled_at: Option<Timestamp>,
    verdict: Option<Verdict>,
}

/// What the person said.
#[derive(Clone, Debug)]
enum Verdict {
    Yes(Box<Approval>),
    No,
}

/// Whose the program may be.
#[derive(Clone, Debug)]
pub struct Approval {
    /// The person who said so.
    pub principal: Principal,
    /// Whether they administer; the program does then, too.
    pub administrator: bool,
    /// By which they said it: the record of their browser's session.
    pub session: AccessId,
    /// The token that their browser was signed in with, if it was: what they gave ends with it.
    pub parent: Option<AccessId>,
    /// When that ends.
    pub until: Option<Timestamp>,
    /// Where their browser is.
    pub from: Option<IpAddr>,
}

impl Approval {
    /// How long a token may live that is made now.
    pub fn life(&self, now: Timestamp) -> Span {
        self.until.map_or(TOKEN_LIFE, |until| TOKEN_LIFE.min(now.until(until)))
    }
}

/// What a program is told that polls.
#[derive(Clone, Debug)]
pub enum Poll {
    /// Nobody has said anything yet.
    Pending,
    /// The same, and it polls too often.
    TooSoon,
    /// The person said no.
    Denied,
    /// Nobody said anything in time.
    Over,
    /// The person said yes: who, and what is to be recorded.
    Approved(Box<Approval>, Device),
}

/// Why a verdict does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecideError {
    /// Too late.
    #[error("this code is over; start again in the terminal")]
    Over,
    /// Somebody was first.
    #[error("this code was answered already")]
    Already,
}

impl Attempt {
    /// One that begins now, of a program that polls by the secret of this digest.
    pub fn new(secret: Digest, from: Option<IpAddr>, now: Timestamp) -> Self {
        Self { secret, from, at: now, interval: INTERVAL, polled_at: None, verdict: None }
    }

    /// Whether it is the one of this secret.
    pub fn is_of(&self, secret: Digest) -> bool {
        self.secret == secret
    }

    /// Where the program is, as far as is known.
    pub fn from(&self) -> Option<IpAddr> {
        self.from
    }

    /// When it began.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Whether a person can still answer.
    ///
    /// # Errors
    /// [`DecideError`].
    pub fn check_open(&self, now: Timestamp) -> Result<(), DecideError> {
        match &self.verdict {
            _ if self.is_over(now) => Err(DecideError::Over),
            Some(_) => Err(DecideError::Already),
            None => Ok(()),
        }
    }

    /// The person says yes, or no. What was said stays said.
    ///
    /// # Errors
    /// [`DecideError`].
    pub fn decide(
        &mut self,
        approval: Option<Approval>,
        now: Timestamp,
    ) -> Result<(), DecideError> {
        self.check_open(now)?;
        self.verdict = Some(approval.map_or(Verdict::No, |yes| Verdict::Yes(Box::new(yes))));
        Ok(())
    }

    /// The program asks. A yes is told as often as it is asked for: who asks by the secret takes the
    /// attempt away, and gives one token for it.
    pub fn poll(&mut self, now: Timestamp) -> Poll {
        if self.is_over(now) {
            return Poll::Over;
        }
        match &self.verdict {
            Some(Verdict::No) => Poll::Denied,
            Some(Verdict::Yes(approval)) => {
                let (asked_from, approved_from) = (self.from, approval.from);
                let session = Some(approval.session);
                let device = Device { asked_from, approved_from, session };
                Poll::Approved(approval.clone(), device)
            }
            None => {
                let soonest = self.polled_at.map(|at| at.plus(self.interval));
                self.polled_at = Some(now);
                if soonest.is_none_or(|soonest| now >= soonest) {
                    return Poll::Pending;
                }
                let slower = u64::saturating_add(self.interval.as_seconds(), SLOWER.as_seconds());
                self.interval = Span::seconds(slower);
                Poll::TooSoon
            }
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        now >= self.at.plus(LIFE)
    }

    /// Whether nobody needs to be told any more that it is over.
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        now >= self.at.plus(LIFE).plus(LIFE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::{PrincipalId, PrincipalKind};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(0).plus(Span::seconds(seconds))
    }

    fn begun() -> Attempt {
        Attempt::new(Digest::of(b"secret"), None, at(0))
    }

    fn alice() -> Approval {
        let (groups, acts_for) = Default::default();
        let id = PrincipalId::local("alice").unwrap();
        let kind = PrincipalKind::Person;
        let principal = Principal { id, kind, groups, acts_for, claims: Default::default() };
        let session = AccessId::new(at(0), [1; 10]);
        let (parent, until, from) = (None, None, None);
        Approval { principal, administrator: false, session, parent, until, from }
    }

    #[test]
    fn a_code_is_read_as_people_type_it_and_nothing_else_is() {
        let code = UserCode(*b"WDJBMJHT");
        assert_eq!(code.to_string(), "WDJB-MJHT");
        for typed in ["WDJB-MJHT", "wdjbmjht", " wdjb mjht ", "w-d-j-b-m-j-h-t"] {
            assert_eq!(typed.parse(), Ok(code), "{typed}");
        }
        for none in ["", "WDJB", "WDJB-MJHTT", "ADJB-MJHT", "WDJB_MJHT", "WDJB-MJH1", "ŴDJB-MJHT"]
        {
            assert_eq!(none.parse::<UserCode>(), Err(NotACode), "{none}");
        }
        assert!("B".repeat(1 << 20).parse::<UserCode>().is_err());
    }

    #[test]
    fn every_letter_of_a_code_is_as_likely_as_any_other() {
        let mut seen = std::collections::BTreeMap::new();
        for byte in 0..240_u8 {
            let code = UserCode::of_chance(&[byte; 32]).unwrap();
            *seen.entry(code.0[0]).or_insert(0) += 1;
        }
        assert_eq!(
            (seen.len(), seen.values().min(), seen.values().max()),
            (20, Some(&12), Some(&12))
        );
        assert!(UserCode::of_chance(&[250; 32]).is_none());
        let mut late = [255; 32];
        late[24..].fill(0);
        assert_eq!(UserCode::of_chance(&late), Some(UserCode(*b"BBBBBBBB")));
    }

    #[test]
    fn a_program_that_polls_too_often_is_told_to_slow_down() {
        let mut attempt = begun();
        assert!(matches!(attempt.poll(at(0)), Poll::Pending));
        assert!(matches!(attempt.poll(at(2)), Poll::Pending));
        assert!(matches!(attempt.poll(at(3)), Poll::TooSoon));
        assert!(matches!(attempt.poll(at(9)), Poll::TooSoon), "seven seconds now");
        assert!(matches!(attempt.poll(at(21)), Poll::Pending), "twelve seconds now");
    }

    #[test]
    fn a_person_answers_once_and_in_time() {
        let mut attempt = begun();
        attempt.decide(None, at(599)).unwrap();
        assert_eq!(attempt.decide(Some(alice()), at(599)), Err(DecideError::Already));
        assert!(matches!(attempt.poll(at(599)), Poll::Denied));
        let mut late = begun();
        assert_eq!(late.decide(Some(alice()), at(600)), Err(DecideError::Over));
        assert!(matches!(late.poll(at(600)), Poll::Over));
    }

    #[test]
    fn a_yes_that_is_not_fetched_in_time_is_over() {
        let mut attempt = begun();
        attempt.decide(Some(alice()), at(1)).unwrap();
        assert!(matches!(attempt.poll(at(599)), Poll::Approved(..)));
        assert!(matches!(attempt.poll(at(600)), Poll::Over));
    }

    #[test]
    fn a_token_lives_no_longer_than_what_the_browser_was_signed_in_with() {
        let approval = Approval { until: Some(at(3600)), ..alice() };
        assert_eq!(approval.life(at(600)), Span::seconds(3000));
        assert_eq!(alice().life(at(600)), TOKEN_LIFE);
        let later = Approval { until: Some(at(1_000_000)), ..alice() };
        assert_eq!(later.life(at(600)), TOKEN_LIFE);
    }
}
