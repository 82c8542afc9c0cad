//! Which addresses may be connected to. A name is resolved once, every address it has is checked,
//! and the connection goes to one of those: nothing can be rebound in between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use assent_core::policy::cidr::Cidr;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// An address that is not to be connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Neither https nor, where that is allowed, http to this machine.
    #[error("`{0}` is not https")]
    Scheme(String),
    /// It holds more than a place: a user, a password, a fragment.
    #[error("`{0}` says more than where to go")]
    Form(String),
    /// Not a public address, and in no listed network.
    #[error("{0} is no public address, and is not among the networks that may be reached")]
    Address(IpAddr),
    /// The name has no address.
    #[error("`{0}` has no address")]
    Nowhere(String),
}

/// How a name becomes addresses: by the system's resolver, unless something else is said.
#[derive(Clone)]
pub struct Names(Arc<dyn Fn(String) -> Found + Send + Sync>);

type Found = Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>>;

impl Default for Names {
    fn default() -> Self {
        Self(Arc::new(|name| Box::pin(system_lookup(name))))
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

impl Names {
    /// As this says, each time that it is asked.
    pub fn told_by(tell: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |name| {
            let told = tell(&name);
            Box::pin(async move { Ok(told) })
        }))
    }
}

/// What may be connected to.
#[derive(Clone)]
pub(crate) struct Guard {
    networks: Vec<Cidr>,
    loopback: bool,
    names: Names,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { networks, loopback, .. } = self;
        f.debug_struct("Guard")
            .field("networks", networks)
            .field("loopback", loopback)
            .finish_non_exhaustive()
    }
}

impl Guard {
    pub(crate) fn new(networks: Vec<Cidr>, loopback: bool, names: Names) -> Self {
        Self { networks, loopback, names }
    }

    /// Whether this may be fetched, as far as can be said before its name is resolved.
    pub(crate) fn check_url(&self, url: &Url) -> Result<(), Forbidden> {
        let is_clear = match url.scheme() {
            "https" => false,
            "http" if self.loopback => true,
            _ => return Err(Forbidden::Scheme(url.to_string())),
        };
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(Forbidden::Form(url.host_str().unwrap_or_default().to_owned()));
        }
        // An address in place of a name is not resolved, so that the resolver does not see it.
        let literal = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) => None,
            None => return Err(Forbidden::Form(url.to_string())),
        };
        if let Some(ip) = literal {
            self.check(ip)?;
        }
        let is_here =
            literal.is_some_and(|ip| ip.is_loopback()) || url.host_str() == Some("localhost");
        match is_clear && !is_here {
            true => Err(Forbidden::Scheme(url.to_string())),
            false => Ok(()),
        }
    }

    fn check(&self, ip: IpAddr) -> Result<(), Forbidden> {
        let ip = ip.to_canonical();
        let listed = self.networks.iter().any(|network| network.contains(ip));
        let here = self.loopback && ip.is_loopback();
        match listed || here || is_public(ip) {
            true => Ok(()),
            false => Err(Forbidden::Address(ip)),
        }
    }
}

async fn system_lookup(name: String) -> std::io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found = (guard.names.0)(name.clone()).await?;
            // All of them: which one is connected to is not ours to choose.
            found.iter().try_for_each(|ip| guard.check(*ip))?;
            if found.is_empty() {
                return Err(Forbidden::Nowhere(name).into());
            }
            let addresses: Vec<_> = found.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the internet's: allocated for global unicast and for no special
/// purpose (IANA special-purpose address registries, RFC 6890 and its updates).
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let special = match ip.octets() {
        // This network, shared address space, protocol assignments, relays, benchmarks, reserved.
        [0 | 240..=255, ..] | [192, 0, 0, _] | [192, 88, 99, _] | [198, 18 | 19, ..] => true,
        [100, second, ..] => (64..128).contains(&second),
        _ => false,
    };
    !(special
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_documentation())
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // IPv4 behind a translator (RFC 6052): what is behind decides.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocol assignments with Teredo, documentation, 6to4, documentation.
        [0x2001, 0..=0x01ff, ..]
        | [0x2001, 0x0db8, ..]
        | [0x2002, ..]
        | [0x3fff, 0..=0x0fff, ..] => false,
        // Global unicast is 2000::/3 and nothing else.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}
