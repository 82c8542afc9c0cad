//! Ranges of IP addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.
//!
//! Written as RFC 4632 section 3.1 and RFC 4291 section 2.3 have it, and stricter: a range with
//! bits set beyond its prefix is refused, since one cannot tell what its author meant. IPv4-mapped
//! IPv6 (RFC 4291 section 2.5.5.2) is IPv4 spelled otherwise, so it is folded before anything is
//! compared: `::ffff:10.0.0.1` is in `10.0.0.0/8`, and no IPv4 address is in `::/0`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A range of addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

/// The text is not a range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotACidr {
    /// What stands before the `/` is no address.
    #[error(transparent)]
    Address(#[from] NotAnAddress),
    /// What stands after the `/` is no prefix length of this family.
    #[error("`{written}` has no prefix length from 0 to {most} after the `/`")]
    Prefix {
        /// The range.
        written: String,
        /// The number of bits of an address.
        most: u8,
    },
    /// The address has bits set beyond the prefix.
    #[error("`{written}` has bits set beyond its prefix; the range that holds it is `{network}`")]
    HostBits {
        /// The range.
        written: String,
        /// The range with those bits cleared.
        network: Cidr,
    },
}

/// The text is not an IP address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an IP address such as 192.0.2.1 or 2001:db8::1; no zone, port or leading zeros"
)]
pub struct NotAnAddress(String);

/// The address that this text spells, IPv4-mapped IPv6 folded.
///
/// # Errors
/// [`NotAnAddress`] for anything but four decimal numbers without leading zeros (RFC 6943 section
/// 3.1.1 tells what the looser forms led to), or the form of RFC 4291 section 2.2; in particular
/// for a zone id (RFC 4007 section 11), which means something on one machine only.
pub fn address(text: &str) -> Result<IpAddr, NotAnAddress> {
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(address.to_canonical()),
        Err(_) => Err(NotAnAddress(start_of(text))),
    }
}

impl FromStr for Cidr {
    type Err = NotACidr;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address_text, prefix_text) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr =
            address_text.parse().map_err(|_| NotAnAddress(start_of(address_text)))?;
        let most = width(written);
        let bad_prefix = || NotACidr::Prefix { written: start_of(text), most };
        let prefix = match prefix_text {
            Some(digits) => decimal(digits).filter(|n| *n <= most).ok_or_else(bad_prefix)?,
            None => most,
        };
        let range = Self { network: cleared(written, prefix), prefix };
        if range.network != written {
            let network = range.folded();
            return Err(NotACidr::HostBits { written: start_of(text), network });
        }
        Ok(range.folded())
    }
}

impl Cidr {
    /// Whether the address is in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        width(address) == width(self.network) && cleared(address, self.prefix) == self.network
    }

    /// A range that lies within the IPv4-mapped addresses is the range of IPv4 that they map.
    fn folded(self) -> Self {
        let mapped = width(self.network) - width(self.network.to_canonical());
        match self.prefix.checked_sub(mapped) {
            Some(prefix) => Self { network: self.network.to_canonical(), prefix },
            None => self,
        }
    }
}

/// How many bits an address has.
fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with all bits beyond the prefix cleared.
fn cleared(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            let beyond = u32::MAX.checked_shr(prefix).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & !beyond).into())
        }
        IpAddr::V6(v6) => {
            let beyond = u128::MAX.checked_shr(prefix).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & !beyond).into())
        }
    }
}

/// A number of up to three digits, without sign and leading zeros.
fn decimal(digits: &str) -> Option<u8> {
    let canonical = digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'));
    if canonical { digits.parse().ok() } else { None }
}

/// As much of a text as a message can bear.
fn start_of(text: &str) -> String {
    text.chars().take(64).collect()
}

impl fmt::Display for Cidr {
    /// `10.0.0.0/8`; the form that is read back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(range: &str, inside: &[&str], outside: &[&str]) {
        for text in inside {
            assert!(cidr(range).contains(address(text).unwrap()), "{text} is in {range}");
        }
        for text in outside {
            assert!(!cidr(range).contains(address(text).unwrap()), "{text} is not in {range}");
        }
    }

    #[test]
    fn a_range_holds_the_addresses_that_share_its_prefix() {
        check("10.0.0.0/8", &["10.0.0.0", "10.255.255.255"], &["9.255.255.255", "11.0.0.0"]);
        check("192.0.2.128/25", &["192.0.2.128", "192.0.2.255"], &["192.0.2.127", "192.0.3.128"]);
        check("0.0.0.0/0", &["0.0.0.0", "255.255.255.255"], &["::", "::1"]);
        check("2001:db8::/32", &["2001:db8::", "2001:db8:ffff::1"], &["2001:db9::", "10.0.0.1"]);
        check("::/0", &["::", "ffff::1", "::10.0.0.1"], &["0.0.0.0", "10.0.0.1"]);
        check("192.0.2.1", &["192.0.2.1"], &["192.0.2.0", "192.0.2.2"]);
        check("::1", &["::1"], &["::", "::2"]);
    }

    #[test]
    fn mapped_addresses_are_folded_on_either_side() {
        check(
            "10.0.0.0/8",
            &["::ffff:10.0.0.1", "::ffff:a00:1"],
            &["::10.0.0.1", "::ffff:11.0.0.1"],
        );
        check("::/0", &[], &["::ffff:10.0.0.1"]);
        check("::ffff:0:0/96", &["10.0.0.1", "::ffff:10.0.0.1"], &["::1"]);
        assert_eq!(cidr("::ffff:10.0.0.0/104"), cidr("10.0.0.0/8"));
        assert_eq!(cidr("::ffff:192.0.2.1"), cidr("192.0.2.1/32"));
        let mapped = IpAddr::V6(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped());
        assert!(cidr("10.0.0.0/8").contains(mapped));
    }

    #[test]
    fn bits_beyond_the_prefix_are_refused_with_the_range_that_was_meant() {
        #[track_caller]
        fn check(text: &str, network: &str) {
            let fault = text.parse::<Cidr>().unwrap_err().to_string();
            let meant = format!("the range that holds it is `{network}`");
            assert_eq!(fault, format!("`{text}` has bits set beyond its prefix; {meant}"));
        }
        check("10.0.0.1/8", "10.0.0.0/8");
        check("1.2.3.4/0", "0.0.0.0/0");
        check("192.0.2.1/31", "192.0.2.0/31");
        check("2001:db8::1/64", "2001:db8::/64");
        check("::ffff:10.0.0.1/104", "10.0.0.0/8");
        check("::ffff:10.0.0.1/90", "::ffc0:0:0/90");
    }

    #[test]
    fn addresses_are_read_strictly() {
        for text in [
            "",
            " 10.0.0.1",
            "10.0.0.1 ",
            "10.0.0",
            "10.1",
            "10.0.0.256",
            "010.0.0.1",
            "10.0.0.08",
            "0x0a.0.0.1",
            "167772161",
            "10.0.0.1.",
            "+1.0.0.1",
            "10.0.0.1:80",
            "fe80::1%eth0",
            "fe80::1%1",
            "[::1]",
            "::ffff:010.0.0.1",
            ":::1",
            "1::2::3",
            "12345::",
            "1:2:3:4:5:6:7:8:9",
            "\u{661}.0.0.1",
            "localhost",
        ] {
            assert_eq!(address(text).unwrap_err(), NotAnAddress(text.to_owned()));
            assert!(text.parse::<Cidr>().is_err(), "{text}");
            assert!(format!("{text}/8").parse::<Cidr>().is_err(), "{text}/8");
        }
        let fault = "fe80::1%eth0".parse::<Cidr>().unwrap_err().to_string();
        assert!(fault.starts_with("`fe80::1%eth0` is not an IP address such as"), "{fault}");
    }

    #[test]
    fn prefixes_are_read_strictly() {
        for prefix in ["", "33", "08", "+8", "-8", "8 ", " 8", "8/8", "256", "255.0.0.0", "\u{668}"]
        {
            let text = format!("0.0.0.0/{prefix}");
            let fault = text.parse::<Cidr>().unwrap_err().to_string();
            assert_eq!(fault, format!("`{text}` has no prefix length from 0 to 32 after the `/`"));
        }
        assert!("::/129".parse::<Cidr>().unwrap_err().to_string().contains("from 0 to 128"));
        assert!("0.0.0.0/0".parse::<Cidr>().is_ok());
        assert!("::1/128".parse::<Cidr>().is_ok());
    }

    fn any_address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<Ipv4Addr>().prop_map(IpAddr::V4),
            any::<Ipv6Addr>().prop_map(IpAddr::V6),
            any::<Ipv4Addr>().prop_map(|v4| IpAddr::V6(v4.to_ipv6_mapped())),
        ]
    }

    /// The bits of an address, first to last, once it is folded.
    fn bits(address: IpAddr) -> String {
        match address.to_canonical() {
            IpAddr::V4(v4) => format!("{:032b}", v4.to_bits()),
            IpAddr::V6(v6) => format!("{:0128b}", v6.to_bits()),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_comparing_bit_by_bit(
            base in any_address(), other in any_address(), prefix in 0u8..=128, near in 0u8..=128,
        ) {
            let base = base.to_canonical();
            let prefix = prefix.min(width(base));
            let range = cidr(&format!("{}/{prefix}", cleared(base, prefix)));
            prop_assert!(range.contains(base));
            let shared = |address: IpAddr| {
                let (ours, theirs) = (bits(base), bits(address));
                let prefix = usize::from(prefix);
                ours.len() == theirs.len() && ours[..prefix] == theirs[..prefix]
            };
            prop_assert_eq!(range.contains(other), shared(other));
            let near = match base {
                IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() ^ (1 << (near % 32))).into()),
                IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() ^ (1 << (near % 128))).into()),
            };
            prop_assert_eq!(range.contains(near), shared(near));
        }

        #[test]
        fn what_is_printed_reads_back(base in any_address(), prefix in 0u8..=128) {
            let prefix = prefix.min(width(base));
            let range = cidr(&format!("{}/{prefix}", cleared(base, prefix)));
            prop_assert_eq!(range.to_string().parse::<Cidr>().unwrap(), range);
            prop_assert_eq!(address(&base.to_string()).unwrap(), base.to_canonical());
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9a-f:./%]{0,30}|.{0,60}") {
            let _ = address(&text);
            if let Ok(range) = text.parse::<Cidr>() {
                prop_assert_eq!(range.to_string().parse::<Cidr>().unwrap(), range);
            }
        }
    }
}
