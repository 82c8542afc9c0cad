//! Address ranges so wide that they can only mean everybody.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A range of so many addresses of the internet, or several together, mean everybody: one `/8`.
pub(super) const WIDE: u64 = 1 << 24;
/// What stands for all of IPv4, or for more of IPv6 than anybody has.
const ALL: u64 = 1 << 32;

/// How many addresses of the internet a text names, counted as IPv4: `10.0.0.0/8` has none.
pub(super) fn addresses(text: &str) -> u64 {
    let text = text.trim();
    if let Some((first, last)) = text.split_once('-') {
        return between(first, last);
    }
    let Some((address, length)) = text.split_once('/') else { return 0 };
    let Ok(length) = length.trim().parse::<u8>() else { return 0 };
    let plain = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
    if length == 0 && address.contains(['.', ':']) && address.chars().all(plain) {
        return ALL;
    }
    match address.trim().parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => of_v4(address, length),
        Ok(IpAddr::V6(address)) => of_v6(address, length),
        Err(_) => 0,
    }
}

/// How many addresses of the internet lie from one to another.
pub(super) fn between(first: &str, last: &str) -> u64 {
    let number = |text: &str| text.trim().parse::<Ipv4Addr>().map(u32::from);
    let (Ok(first), Ok(last)) = (number(first), number(last)) else { return 0 };
    let count = u64::from(last.saturating_sub(first)) + u64::from(last >= first);
    // Within one private network, or the like.
    let is_private = first >> 24 == last >> 24 && of_v4(Ipv4Addr::from(first), 8) == 0;
    if is_private { 0 } else { count }
}

fn of_v4(address: Ipv4Addr, length: u8) -> u64 {
    // A shorter length reaches beyond the private network that it begins in.
    let is_private = length >= 8 && matches!(address.octets(), [10 | 127, ..])
        || length >= 12 && matches!(address.octets(), [172, 16..=31, ..])
        || length >= 16 && matches!(address.octets(), [192, 168, ..]);
    if is_private {
        0
    } else {
        1_u64.checked_shl(32_u32.saturating_sub(length.into())).unwrap_or(0)
    }
}

fn of_v6(address: Ipv6Addr, length: u8) -> u64 {
    // All of IPv4 stands in `::ffff:0:0/96`, and again in `64:ff9b::/96` (RFC 6052).
    let [high, low, .., a, b] = address.segments();
    let holds_v4 = address.to_ipv4_mapped().is_some() || (high, low) == (0x64, 0xff9b);
    if holds_v4 && length >= 96 {
        return of_v4(Ipv4Addr::from(u32::from(a) << 16 | u32::from(b)), length - 96);
    }
    if (high, low) == (0, 0) || (high, low) == (0x64, 0xff9b) {
        return ALL;
    }
    let is_private = length >= 7 && address.is_unique_local() || address.is_multicast();
    // `2002::/16` has all of IPv4 as well (RFC 3056).
    if length <= 16 && !is_private { ALL } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t38_the_ranges_of_everybody() {
        for text in [
            "0.0.0.0/0",
            "::/0",
            "128.0.0.0/1",
            "10.0.0.0/7",
            "8.0.0.0/8",
            "2000::/3",
            "2002::/16",
            " 0.0.0.0/0",
            "000.0.0.0/0",
            "::ffff:0:0/96",
            "::ffff:0.0.0.0/97",
            "64:ff9b::/96",
            "0.0.0.0-255.255.255.255",
            "1.0.0.0-255.255.255.255",
        ] {
            assert!(addresses(text) >= WIDE, "{text}");
        }
        for text in [
            "10.0.0.0/8",
            "127.0.0.0/8",
            "172.16.0.0/12",
            "fd00::/8",
            "2001:db8::/32",
            "::ffff:10.0.0.0/104",
            "0.0.0.0",
            "a/0",
            "arn:aws:x/0",
            "0.0.0.0/33x",
            "10.0.0.1-10.0.0.9",
            "5.0.0.0-4.0.0.0",
        ] {
            assert!(addresses(text) < WIDE, "{text}");
        }
    }
}
