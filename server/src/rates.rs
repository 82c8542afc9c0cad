//! How often a stranger may knock: token buckets.
//!
//! A bucket is one caller's, never a name's alone: whoever could empty the bucket of an issuer or of a
//! person by saying their name would lock them out. Callers are told apart by their address, and of
//! IPv6 by the network that one customer gets. What is held is bounded; beyond that, all newcomers
//! share one bucket.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use assent_core::time::{Span, Timestamp};

/// How many callers are told apart.
const MOST: usize = 16_384;

/// So many at once, and one more each time that this has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// How long until there is one more.
    pub each: Span,
}

/// What strangers may do how often.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Present a token of an issuer, or poll with a device code: of each address and issuer.
    pub tokens: Rate,
    /// Push a security event token: of each address and issuer.
    pub events: Rate,
    /// Have it written to the log why what they pushed was not taken: of each address.
    pub lines: Rate,
    /// The same, of all together.
    pub all_lines: Rate,
    /// Begin to sign a program in: of each address.
    pub devices: Rate,
    /// Type a code that a program shows: of each person.
    pub codes: Rate,
    /// Begin to sign in at a provider: of each address.
    pub sign_ins: Rate,
    /// Begin or end to sign in by a passkey: of each address.
    pub passkeys: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            tokens: Rate { burst: 500, each: Span::from_millis(20) },
            events: Rate { burst: 500, each: Span::from_millis(20) },
            lines: Rate { burst: 20, each: Span::seconds(6) },
            all_lines: Rate { burst: 200, each: Span::from_millis(100) },
            devices: Rate { burst: 20, each: Span::seconds(6) },
            codes: Rate { burst: 10, each: Span::seconds(6) },
            sign_ins: Rate { burst: 30, each: Span::seconds(2) },
            passkeys: Rate { burst: 60, each: Span::seconds(1) },
        }
    }
}

/// A caller, as far as strangers are told apart. Those of whom nothing is known are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stranger(Option<IpAddr>);

impl Stranger {
    /// Whoever calls from here.
    pub(crate) fn at(ip: Option<IpAddr>) -> Self {
        Self(ip.map(|ip| match ip.to_canonical() {
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            v4 @ IpAddr::V4(_) => v4,
        }))
    }
}

/// A block of addresses that one owner gets: a /24 of IPv4, a /48 of IPv6 (RFC 6177 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Block(Option<IpAddr>);

impl Block {
    /// Where this address is.
    pub(crate) fn at(ip: Option<IpAddr>) -> Self {
        Self(ip.map(|ip| match ip.to_canonical() {
            IpAddr::V6(ip) => {
                let [a, b, c, ..] = ip.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
            }
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                IpAddr::V4(Ipv4Addr::new(a, b, c, 0))
            }
        }))
    }
}

/// The buckets of one rate.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    rate: Rate,
    /// When each is full again; none is held that is full. The one without a key is for all whom there
    /// is no room to tell apart.
    full_at: Mutex<HashMap<Option<K>, Timestamp>>,
}

impl<K: Eq + Hash> Buckets<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, full_at: Mutex::default() }
    }

    /// Takes one out of this caller's bucket.
    ///
    /// # Errors
    /// How long until there is one.
    pub(crate) fn take(&self, key: K, now: Timestamp) -> Result<(), Span> {
        let mut held = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = Some(key);
        if held.len() >= MOST && !held.contains_key(&key) {
            held.retain(|_, full_at| *full_at > now);
            key = key.filter(|_| held.len() < MOST);
        }
        let Rate { burst, each } = self.rate;
        let full_at = held.get(&key).copied().unwrap_or(now);
        let full_at = if full_at < now { now } else { full_at }.plus(each);
        let deepest = now.plus(Span::from_millis(millis(each).saturating_mul(u64::from(burst))));
        if full_at > deepest {
            return Err(deepest.until(full_at));
        }
        held.insert(key, full_at);
        Ok(())
    }
}

/// What is written to the log of what strangers send, which is as much as they like: some of each, and
/// so much of all.
#[derive(Debug)]
pub(crate) struct Lines {
    each: Buckets<Stranger>,
    all: Buckets<()>,
    left_out: AtomicU64,
}

impl Lines {
    pub(crate) fn new(rates: Rates) -> Self {
        let (each, all) = (Buckets::new(rates.lines), Buckets::new(rates.all_lines));
        Self { each, all, left_out: AtomicU64::new(0) }
    }

    /// Whether there is room for a line about this one; if so, how many were left out before it.
    pub(crate) fn take(&self, stranger: Stranger, now: Timestamp) -> Option<u64> {
        let room = self.each.take(stranger, now).and_then(|()| self.all.take((), now));
        match room {
            Ok(()) => Some(self.left_out.swap(0, Ordering::Relaxed)),
            Err(_) => {
                self.left_out.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

fn millis(span: Span) -> u64 {
    span.as_millis().unsigned_abs()
}

/// Whole seconds, as `Retry-After` says them (RFC 9110 section 10.2.3): at least one.
pub(crate) fn seconds(wait: Span) -> u64 {
    millis(wait).div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn buckets() -> Buckets<u32> {
        Buckets::new(Rate { burst: 3, each: Span::from_millis(100) })
    }

    #[test]
    fn t68_a_bucket_has_so_many_and_fills_again() {
        let buckets = buckets();
        let taken = |now| buckets.take(1, at(now));
        assert!((0..3).all(|_| taken(0).is_ok()));
        assert_eq!(taken(0), Err(Span::from_millis(100)));
        assert_eq!(taken(40), Err(Span::from_millis(60)));
        assert_eq!((taken(100), taken(100)), (Ok(()), Err(Span::from_millis(100))));
        assert!(
            (0..3).all(|_| taken(10_000).is_ok()) && taken(10_000).is_err(),
            "never more than full"
        );
    }

    #[test]
    fn t68_who_empties_a_bucket_empties_their_own() {
        let buckets = buckets();
        while buckets.take(1, at(0)).is_ok() {}
        assert_eq!(buckets.take(2, at(0)), Ok(()));
    }

    #[test]
    fn t68_what_is_held_is_bounded_and_those_who_were_there_stay() {
        let buckets = buckets();
        for key in 0..MOST as u32 {
            buckets.take(key, at(0)).unwrap();
        }
        let late = MOST as u32 + 1;
        assert!((0..3).all(|more| buckets.take(late + more, at(0)).is_ok()));
        assert!(buckets.take(late + 9, at(0)).is_err(), "all newcomers share one");
        assert_eq!(buckets.take(7, at(0)), Ok(()));
        assert!(buckets.full_at.lock().unwrap().len() <= MOST + 1);
        assert_eq!(buckets.take(late + 9, at(1_000)), Ok(()), "those that are full are forgotten");
        assert!(buckets.full_at.lock().unwrap().len() < 9);
    }

    #[test]
    fn t68_one_customer_of_ipv6_is_one_caller() {
        let of = |text: &str| Stranger::at(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn t68_strangers_fill_no_log_and_what_was_left_out_is_counted() {
        let rate = |burst, each| Rate { burst, each: Span::from_millis(each) };
        let (lines, all_lines) = (rate(2, 1_000), rate(3, 100));
        let lines = Lines::new(Rates { lines, all_lines, ..Rates::default() });
        let stranger = |n: u8| Stranger::at(Some([192, 0, 2, n].into()));
        let told: Vec<_> = (0..5).map(|_| lines.take(stranger(1), at(0))).collect();
        assert_eq!(told, [Some(0), Some(0), None, None, None]);
        assert_eq!(lines.take(stranger(2), at(0)), Some(3), "another has room, and tells of it");
        assert_eq!(lines.take(stranger(3), at(0)), None, "all together have none");
        assert_eq!(lines.take(stranger(3), at(100)), Some(1));
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds() {
        let told: Vec<u64> = [0, 1, 1000, 1001].map(|ms| seconds(Span::from_millis(ms))).into();
        assert_eq!(told, [1, 1, 1, 2]);
    }
}
