//! Places on loopback for what is started later, or again.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{SocketAddr, TcpListener};

/// Ports that systems do not give out by themselves (Linux, `ip_local_port_range`): of those, somebody
/// else has one the moment that nobody listens there.
const OWN: std::ops::Range<u16> = 10_240..32_768;

/// A place where nobody listens, and where nobody comes by chance.
pub(crate) fn free_place() -> SocketAddr {
    let width = u64::from(OWN.end - OWN.start);
    let mut places = (0..1_000).map(|_| {
        let chance = RandomState::new().hash_one(std::process::id()) % width;
        SocketAddr::from(([127, 0, 0, 1], OWN.start + u16::try_from(chance).unwrap()))
    });
    places.find(|place| TcpListener::bind(place).is_ok()).expect("no port is free")
}
