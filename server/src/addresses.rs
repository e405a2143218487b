//! Under which addresses other devices reach this server, best first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use healthsync_core::report::Hint;
use healthsync_pairing::{discovery::is_virtual, invite::is_local};

/// The server listens on no address that a device may dial.
#[derive(Debug, thiserror::Error)]
#[error("this computer has no address in a local network")]
pub struct NoAddress;

impl Hint for NoAddress {
    fn code(&self) -> &'static str {
        "NO_LOCAL_ADDRESS"
    }

    fn hint(&self) -> Option<String> {
        Some(
            "connect it to a network, or serve this computer alone: `healthsync-server start \
             --listen 127.0.0.1:8443`"
                .to_owned(),
        )
    }
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name (`en0`).
    pub name: String,
    /// One of its addresses.
    pub address: IpAddr,
}

/// The addresses of this computer as the system lists them.
pub fn interfaces() -> Vec<Interface> {
    if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| Interface {
            address: interface.ip(),
            name: interface.name,
        })
        .collect()
}

/// The source address of packets that leave through the default route. Connecting a UDP socket
/// sends nothing; the destinations are documentation addresses (RFC 5737, RFC 3849).
pub fn default_route() -> Vec<IpAddr> {
    let source = |bind: IpAddr, to: IpAddr| {
        let socket = UdpSocket::bind((bind, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_unspecified())
    };
    [
        source(
            Ipv4Addr::UNSPECIFIED.into(),
            Ipv4Addr::new(192, 0, 2, 1).into(),
        ),
        source(
            Ipv6Addr::UNSPECIFIED.into(),
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a device may dial: `listening` with its unspecified addresses replaced by those of
/// `interfaces`, the default route's first. Loopback is named only when nothing else listens.
pub fn reachable(
    listening: &[SocketAddr],
    default_route: &[IpAddr],
    interfaces: &[Interface],
) -> Result<Vec<SocketAddr>, NoAddress> {
    let mut found = Vec::new();
    for address in listening {
        if !address.ip().is_unspecified() {
            found.push(*address);
            continue;
        }
        let real = interfaces
            .iter()
            .filter(|interface| !is_virtual(&interface.name));
        for ip in default_route
            .iter()
            .copied()
            .chain(real.map(|interface| interface.address))
        {
            if ip.is_ipv4() == address.is_ipv4() && is_worth_naming(&ip) {
                found.push(SocketAddr::new(ip, address.port()));
            }
        }
    }
    let rank = |address: &SocketAddr| {
        let ip = address.ip();
        (ip.is_loopback(), !default_route.contains(&ip), ip.is_ipv6())
    };
    found.retain(|address| is_local(&address.ip()));
    found.sort_by_key(rank);
    found.dedup();
    let mut seen = Vec::with_capacity(found.len());
    for address in found {
        if !seen.contains(&address) {
            seen.push(address);
        }
    }
    if seen.iter().any(|address| !address.ip().is_loopback()) {
        seen.retain(|address| !address.ip().is_loopback());
    }
    if seen.is_empty() {
        Err(NoAddress)
    } else {
        Ok(seen)
    }
}

/// Whether every address is loopback, so that no other computer reaches the server.
pub fn are_loopback(listening: &[SocketAddr]) -> bool {
    !listening.is_empty() && listening.iter().all(|address| address.ip().is_loopback())
}

/// Loopback and link-local addresses mean nothing on another computer (the latter need a zone).
fn is_worth_naming(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local() && !ip.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listening: &[&str], route: &[&str], interfaces: &[(&str, &str)]) -> Vec<String> {
        let listening: Vec<_> = listening.iter().map(|text| text.parse().unwrap()).collect();
        let route: Vec<_> = route.iter().map(|text| text.parse().unwrap()).collect();
        let interfaces: Vec<_> = interfaces
            .iter()
            .map(|(name, address)| Interface {
                name: (*name).to_owned(),
                address: address.parse().unwrap(),
            })
            .collect();
        reachable(&listening, &route, &interfaces)
            .unwrap_or_default()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn default_route_comes_first_and_virtual_interfaces_not_at_all() {
        let interfaces = [
            ("lo", "127.0.0.1"),
            ("lo", "::1"),
            ("docker0", "172.17.0.1"),
            ("eth1", "10.0.0.7"),
            ("eth0", "192.168.1.5"),
            ("eth0", "fe80::1"),
            ("eth0", "fd00::5"),
        ];
        assert_eq!(
            check(
                &["0.0.0.0:8443", "[::]:8443"],
                &["192.168.1.5"],
                &interfaces
            ),
            ["192.168.1.5:8443", "10.0.0.7:8443", "[fd00::5]:8443"]
        );
    }

    #[test]
    fn named_addresses_are_taken_as_they_are() {
        assert_eq!(
            check(&["127.0.0.1:5"], &["192.168.1.5"], &[]),
            ["127.0.0.1:5"]
        );
        assert_eq!(
            check(&["127.0.0.1:5", "192.168.1.9:5"], &[], &[]),
            ["192.168.1.9:5"]
        );
        assert!(check(&["0.0.0.0:5"], &[], &[("lo", "127.0.0.1")]).is_empty());
    }

    #[test]
    fn loopback_only_is_seen() {
        let all = |texts: &[&str]| {
            let parsed: Vec<_> = texts.iter().map(|text| text.parse().unwrap()).collect();
            are_loopback(&parsed)
        };
        assert!(all(&["127.0.0.1:1", "[::1]:1"]));
        assert!(!all(&["127.0.0.1:1", "0.0.0.0:1"]));
        assert!(!all(&["192.168.1.2:1"]));
        assert!(!all(&[]));
    }
}
