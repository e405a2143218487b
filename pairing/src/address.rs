//! Which addresses may be dialled. Parsed as addresses, never judged by how their text begins.
//!
//! | addresses | taken | why |
//! |---|---|---|
//! | 127.0.0.0/8, ::1 | yes | this computer |
//! | 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 | yes | private (RFC 1918) |
//! | 169.254.0.0/16, fe80::/10 | yes | link-local |
//! | fc00::/7 | yes | unique local (RFC 4193) |
//! | 100.64.0.0/10 | yes | shared (RFC 6598); overlay networks use it |
//! | ::ffff:0:0/96 | as the IPv4 address inside | the same host under another name |
//! | all others | no | public, multicast, broadcast, unspecified, translated, reserved |

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::defence::{Defence, holds};

/// The port of the server when none is given.
pub const DEFAULT_PORT: u16 = 8443;

/// Whether an address may be dialled: loopback, private, link-local, unique local, shared.
pub fn is_local(address: &IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || is_shared(address)
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// Reads `ADDRESS`, `ADDRESS:PORT`, `[IPV6]` or `[IPV6]:PORT`, as a person types it. A zone is
/// taken as a number behind a link-local address in brackets: `[fe80::1%2]`.
pub fn parse_host(text: &str) -> Result<SocketAddr, HostError> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = if let Ok(address) = text.parse::<IpAddr>() {
        SocketAddr::new(address, DEFAULT_PORT)
    } else if bare.is_some() {
        format!("{text}:{DEFAULT_PORT}")
            .parse()
            .map_err(|_| HostError::Invalid)?
    } else {
        text.parse().map_err(|_| HostError::Invalid)?
    };
    if address.port() == 0 {
        return Err(HostError::Invalid);
    }
    match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 && !v6.ip().is_unicast_link_local() => {
            Err(HostError::Invalid)
        }
        other if is_local(&other.ip()) || !holds(Defence::HostAddresses) => Ok(other),
        other => Err(HostError::NotLocal(other.ip())),
    }
}

/// Not an address that may be dialled. The text is not repeated: it may be a pairing code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// No address of any form.
    #[error("the host is not an IP address, or its port is not valid")]
    Invalid,
    /// An address somewhere else.
    #[error("{0} is not an address of the local network")]
    NotLocal(IpAddr),
}

impl HostError {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid => "HOST_INVALID",
            Self::NotLocal(_) => "HOST_NOT_LOCAL",
        }
    }

    /// What to do next.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "all errors of this crate give their hint in one shape"
    )]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Invalid => {
                "give an address such as `192.168.1.20`, `192.168.1.20:8443` or `[fd00::1]:8443`"
            }
            Self::NotLocal(_) => {
                "give the address that the server has in this network; `healthsync-server status` prints it"
            }
        };
        Some(hint.to_owned())
    }
}

const fn is_shared(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [100, 64..=127, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_policy() {
        for (text, expected) in [
            // This computer.
            ("127.0.0.1", Ok("127.0.0.1:8443")),
            ("127.255.255.254", Ok("127.255.255.254:8443")),
            ("[::1]", Ok("[::1]:8443")),
            ("::1", Ok("[::1]:8443")),
            // Private and its edges.
            ("10.0.0.0", Ok("10.0.0.0:8443")),
            ("10.255.255.255", Ok("10.255.255.255:8443")),
            ("172.16.0.1", Ok("172.16.0.1:8443")),
            ("172.31.255.254", Ok("172.31.255.254:8443")),
            ("192.168.1.20", Ok("192.168.1.20:8443")),
            ("192.168.1.20:9000", Ok("192.168.1.20:9000")),
            ("9.255.255.255", Err("HOST_NOT_LOCAL")),
            ("11.0.0.0", Err("HOST_NOT_LOCAL")),
            ("172.15.255.255", Err("HOST_NOT_LOCAL")),
            ("172.32.0.0", Err("HOST_NOT_LOCAL")),
            ("192.167.255.255", Err("HOST_NOT_LOCAL")),
            ("192.169.0.0", Err("HOST_NOT_LOCAL")),
            // Link-local.
            ("169.254.10.20", Ok("169.254.10.20:8443")),
            ("169.253.10.20", Err("HOST_NOT_LOCAL")),
            ("fe80::1", Ok("[fe80::1]:8443")),
            ("[fe80::1%2]", Ok("[fe80::1%2]:8443")),
            ("[fe80::1%2]:9000", Ok("[fe80::1%2]:9000")),
            ("[febf::1]:9000", Ok("[febf::1]:9000")),
            ("fec0::1", Err("HOST_NOT_LOCAL")),
            // Shared (CGNAT).
            ("100.64.0.1", Ok("100.64.0.1:8443")),
            ("100.127.255.254", Ok("100.127.255.254:8443")),
            ("100.63.255.255", Err("HOST_NOT_LOCAL")),
            ("100.128.0.0", Err("HOST_NOT_LOCAL")),
            // Unique local.
            ("fc00::1", Ok("[fc00::1]:8443")),
            ("[fdff:ffff::1]:8443", Ok("[fdff:ffff::1]:8443")),
            ("fbff::1", Err("HOST_NOT_LOCAL")),
            ("fe00::1", Err("HOST_NOT_LOCAL")),
            // Public, and what is nobody's.
            ("8.8.8.8", Err("HOST_NOT_LOCAL")),
            ("[2606:4700::1111]:443", Err("HOST_NOT_LOCAL")),
            ("0.0.0.0", Err("HOST_NOT_LOCAL")),
            ("0.0.0.1", Err("HOST_NOT_LOCAL")),
            ("::", Err("HOST_NOT_LOCAL")),
            ("255.255.255.255", Err("HOST_NOT_LOCAL")),
            ("224.0.0.251", Err("HOST_NOT_LOCAL")),
            ("239.255.255.250", Err("HOST_NOT_LOCAL")),
            ("ff02::fb", Err("HOST_NOT_LOCAL")),
            ("192.0.2.1", Err("HOST_NOT_LOCAL")),
            ("198.18.0.1", Err("HOST_NOT_LOCAL")),
            ("240.0.0.1", Err("HOST_NOT_LOCAL")),
            ("2001:db8::1", Err("HOST_NOT_LOCAL")),
            // IPv4 within IPv6: mapped is the same host, the rest leads through a translator.
            ("::ffff:192.168.1.20", Ok("[::ffff:192.168.1.20]:8443")),
            ("::ffff:8.8.8.8", Err("HOST_NOT_LOCAL")),
            ("[::ffff:c0a8:114]:1", Ok("[::ffff:192.168.1.20]:1")),
            ("::127.0.0.1", Err("HOST_NOT_LOCAL")),
            ("64:ff9b::10.0.0.1", Err("HOST_NOT_LOCAL")),
            ("2002:0a00:0001::1", Err("HOST_NOT_LOCAL")),
            ("2001:0:10.0.0.1::", Err("HOST_INVALID")),
            // Zones belong to link-local addresses, and are numbers.
            ("fe80::1%eth0", Err("HOST_INVALID")),
            ("[fe80::1%eth0]:8443", Err("HOST_INVALID")),
            ("[fd00::1%2]:8443", Err("HOST_INVALID")),
            // Other spellings of an address are none: octal, hex, one number, short forms.
            ("010.0.0.1", Err("HOST_INVALID")),
            ("0x7f.0.0.1", Err("HOST_INVALID")),
            ("2130706433", Err("HOST_INVALID")),
            ("127.1", Err("HOST_INVALID")),
            ("127.0.0.01", Err("HOST_INVALID")),
            ("10.0.0.256", Err("HOST_INVALID")),
            ("１０.0.0.1", Err("HOST_INVALID")),
            // Names, users and paths: an address never begins a longer text.
            ("localhost", Err("HOST_INVALID")),
            ("127.0.0.1.evil.example", Err("HOST_INVALID")),
            ("127.0.0.1@evil.example", Err("HOST_INVALID")),
            ("user@127.0.0.1", Err("HOST_INVALID")),
            ("https://127.0.0.1", Err("HOST_INVALID")),
            ("127.0.0.1/x", Err("HOST_INVALID")),
            ("127.0.0.1:8443#x", Err("HOST_INVALID")),
            (" 127.0.0.1", Err("HOST_INVALID")),
            ("", Err("HOST_INVALID")),
            // Ports.
            ("127.0.0.1:0", Err("HOST_INVALID")),
            ("127.0.0.1:65535", Ok("127.0.0.1:65535")),
            ("127.0.0.1:65536", Err("HOST_INVALID")),
            ("127.0.0.1:+80", Err("HOST_INVALID")),
            ("127.0.0.1:", Err("HOST_INVALID")),
            ("[127.0.0.1]:80", Err("HOST_INVALID")),
            ("[::1", Err("HOST_INVALID")),
            ("[::1]:", Err("HOST_INVALID")),
            ("[[::1]]", Err("HOST_INVALID")),
        ] {
            let parsed = parse_host(text);
            let shown = parsed
                .map(|address| address.to_string())
                .map_err(|error| error.code());
            assert_eq!(shown.as_deref(), expected.as_ref().copied(), "{text:?}");
        }
    }

    #[test]
    fn an_error_does_not_repeat_the_text() {
        let error = parse_host("HS1:SECRET").unwrap_err();
        assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("SECRET"));
    }
}
