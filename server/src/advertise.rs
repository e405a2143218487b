//! Announces the server in the local network by mDNS, under names that mean nothing to others.
//!
//! The record says only where a server is: a random instance and host name, new at each start, and
//! a nonce. It is a hint and never trust: a client believes the certificate alone.

use std::{
    fmt::{self, Write as _},
    net::SocketAddr,
};

use healthsync_pairing::environment::Environment;
use mdns_sd::{IfKind, IfPredicate, ServiceDaemon, ServiceInfo};

use crate::addresses;

/// Service type, with the domain of mDNS.
const SERVICE: &str = "_healthsync._tcp.local.";

/// A running announcement; withdrawn when dropped.
pub struct Announcement {
    daemon: ServiceDaemon,
}

impl fmt::Debug for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcement").finish_non_exhaustive()
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Shutting down says goodbye for every service.
        if let Err(error) = self.daemon.shutdown() {
            tracing::debug!(%error, "the announcement could not be withdrawn");
        }
    }
}

/// Why nothing is announced.
#[derive(Debug, thiserror::Error)]
pub enum AdvertiseError {
    /// No name could be made.
    #[error(transparent)]
    Entropy(#[from] healthsync_pairing::environment::EntropyUnavailable),
    /// mDNS does not work here.
    #[error("mDNS does not work here")]
    Mdns(#[from] mdns_sd::Error),
}

/// Announces the server; `None` where only this computer reaches it.
pub fn announce(
    listening: &[SocketAddr],
    environment: &Environment,
) -> Result<Option<Announcement>, AdvertiseError> {
    let Some(port) = listening.first().map(SocketAddr::port) else {
        return Ok(None);
    };
    if addresses::are_loopback(listening) {
        return Ok(None);
    }
    let (instance, host) = (random_name(environment)?, random_name(environment)?);
    let nonce = random_name(environment)?;
    let properties = [("v", "1"), ("n", nonce.as_str())];
    let everywhere = listening
        .iter()
        .any(|address| address.ip().is_unspecified());
    let named: Vec<_> = listening.iter().map(SocketAddr::ip).collect();
    let info = ServiceInfo::new(
        SERVICE,
        &instance,
        &format!("{host}.local."),
        if everywhere { &[] } else { named.as_slice() },
        port,
        &properties[..],
    )?;
    let daemon = ServiceDaemon::new()?;
    let announcement = Announcement { daemon };
    announcement
        .daemon
        .disable_interface(IfKind::Predicate(IfPredicate::new(|interface| {
            interface.is_loopback() || addresses::is_virtual(&interface.name)
        })))?;
    announcement.daemon.register(if everywhere {
        info.enable_addr_auto()
    } else {
        info
    })?;
    Ok(Some(announcement))
}

/// 16 hexadecimal digits.
fn random_name(environment: &Environment) -> Result<String, AdvertiseError> {
    let mut bytes = [0_u8; 8];
    environment.entropy.fill(&mut bytes)?;
    let mut name = String::with_capacity(16);
    for byte in bytes {
        // Writing to a String cannot fail.
        write!(name, "{byte:02x}").unwrap_or_default();
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_not_announced() {
        let listening = ["127.0.0.1:8443".parse().unwrap()];
        assert!(
            announce(&listening, &Environment::system())
                .unwrap()
                .is_none()
        );
    }
}
