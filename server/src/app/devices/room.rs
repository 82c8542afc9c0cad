//! Who makes room where too many programs wait to be let in.
//!
//! Anybody may begin to wait, without showing anything; so whoever has many addresses could hold every
//! place. Then a newcomer takes a place from where most are held, and never from where fewer are held
//! than where it comes from: who floods takes places from themselves.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::IpAddr;

use assent_core::device::{Attempt, UserCode};
use assent_core::time::Timestamp;

use crate::rates::{Block, Stranger};

/// The program that gives way to one that comes from here: the one that has waited longest at the
/// address with most places, in the block of addresses with most. Where no other block has more than
/// the newcomer's, it is looked for there, and must be of an address with more than the newcomer's.
/// What a person has answered never gives way.
pub(super) fn who_gives_way(
    waiting: &BTreeMap<UserCode, Attempt>,
    newcomer: Option<IpAddr>,
    now: Timestamp,
) -> Option<UserCode> {
    let open = || waiting.iter().filter(|(_, attempt)| attempt.check_open(now).is_ok());
    let blocks = held(open().map(|(_, attempt)| (Block::at(attempt.from()), attempt.at())));
    let (own, fullest) = (Block::at(newcomer), self::fullest(&blocks)?);
    let elsewhere = count(&blocks, own) < count(&blocks, fullest);
    let block = if elsewhere { fullest } else { own };

    let inside = || open().filter(|(_, attempt)| Block::at(attempt.from()) == block);
    let strangers = held(inside().map(|(_, attempt)| (Stranger::at(attempt.from()), attempt.at())));
    let stranger = self::fullest(&strangers)?;
    if !elsewhere && count(&strangers, Stranger::at(newcomer)) >= count(&strangers, stranger) {
        return None;
    }
    let theirs = inside().filter(|(_, attempt)| Stranger::at(attempt.from()) == stranger);
    theirs.min_by_key(|(_, attempt)| attempt.at()).map(|(code, _)| *code)
}

/// How many places each has, and since when the first of them.
type Held<K> = HashMap<K, (usize, Reverse<Timestamp>)>;

fn held<K: Eq + Hash>(all: impl Iterator<Item = (K, Timestamp)>) -> Held<K> {
    let mut held = Held::new();
    for (key, at) in all {
        let (count, first) = held.entry(key).or_insert((0, Reverse(at)));
        *count += 1;
        *first = (*first).max(Reverse(at));
    }
    held
}

fn fullest<K: Copy>(held: &Held<K>) -> Option<K> {
    held.iter().max_by_key(|(_, has)| **has).map(|(key, _)| *key)
}

fn count<K: Eq + Hash>(held: &Held<K>, key: K) -> usize {
    held.get(&key).map_or(0, |(count, _)| *count)
}

#[cfg(test)]
mod tests {
    use assent_core::digest::Digest;
    use assent_core::time::Span;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(0).plus(Span::seconds(seconds))
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    /// Programs that began at these addresses, one a second.
    fn waiting(from: &[&str]) -> BTreeMap<UserCode, Attempt> {
        let letters = b"BCDFGHJKLMNPQRSTVWXZ";
        let attempt = |(n, from): (usize, &&str)| {
            let [first, second] = [letters[n / 20], letters[n % 20]].map(char::from);
            let code = format!("{first}{second}BB-BBBB").parse().unwrap();
            (code, Attempt::new(Digest::of(from.as_bytes()), ip(from), at(n as u64)))
        };
        from.iter().enumerate().map(attempt).collect()
    }

    /// Which of them, counted from nought, gives way to a program from there.
    fn gives_way(from: &[&str], newcomer: &str) -> Option<i64> {
        let waiting = waiting(from);
        let code = who_gives_way(&waiting, ip(newcomer), at(60))?;
        Some(waiting[&code].at().as_millis() / 1000)
    }

    #[test]
    fn t68_most_places_give_way_and_never_to_those_who_hold_as_many() {
        let crowd = ["192.0.2.1", "203.0.113.1", "203.0.113.2", "203.0.113.2", "198.51.100.1"];
        assert_eq!(
            gives_way(&crowd, "198.51.100.9"),
            Some(2),
            "the fullest address of the fullest"
        );
        assert_eq!(gives_way(&crowd, "8.8.8.8"), Some(2), "from where nobody waits");
        // From the fullest block: an address with fewer takes from one with more, and from nobody else.
        assert_eq!(gives_way(&crowd, "203.0.113.7"), Some(2));
        assert_eq!(gives_way(&crowd, "203.0.113.1"), Some(2));
        assert_eq!(gives_way(&crowd, "203.0.113.2"), None);
        let even = ["192.0.2.1", "203.0.113.1"];
        assert_eq!(gives_way(&even, "203.0.113.1"), None);
        assert_eq!(gives_way(&even, "192.0.2.7"), Some(0), "its neighbour");
        assert_eq!(gives_way(&even, "8.8.8.8"), Some(0), "who has waited longest");
        assert_eq!(gives_way(&[], "8.8.8.8"), None);
    }

    #[test]
    fn t68_a_block_of_addresses_is_what_one_owner_gets() {
        let crowd = ["2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:2::1", "::ffff:192.0.2.1"];
        assert_eq!(gives_way(&crowd, "2001:db8:2:ffff::1"), Some(0), "a /48 with two");
        assert_eq!(gives_way(&crowd, "192.0.2.200"), Some(0));
        assert_eq!(gives_way(&crowd, "2001:db8:1:3::1"), Some(0), "its own /48 has most");
        assert_eq!(gives_way(&crowd, "2001:db8:1:1::9"), None, "of the same /64");
    }

    #[test]
    fn t68_what_is_answered_or_over_gives_no_way() {
        let mut waiting = waiting(&["192.0.2.1", "192.0.2.1", "203.0.113.1"]);
        let newcomer = ip("198.51.100.1");
        for attempt in waiting.values_mut().take(2) {
            attempt.decide(None, at(10)).unwrap();
        }
        let code = who_gives_way(&waiting, newcomer, at(60)).unwrap();
        assert_eq!(waiting[&code].from(), ip("203.0.113.1"));
        assert_eq!(who_gives_way(&waiting, newcomer, at(700)), None);
    }
}
