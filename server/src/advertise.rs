//! Announces the server in the local network by mDNS, under names that mean nothing to others.
//!
//! The instance and the host have random names, new at each start. The record's text
//! ([`discovery`]) is new each hour, and when a pair or a pairing window comes or goes. It is a hint
//! and never trust: a client believes the certificate alone.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use healthsync_pairing::{
    defence::{Defence, holds},
    discovery::{self, Nonce, is_virtual},
    environment::{EntropyUnavailable, Environment},
};
use mdns_sd::{IfKind, IfPredicate, ServiceDaemon, ServiceInfo};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use crate::app::App;

/// A nonce is announced no longer.
const NONCE_LIFE: Duration = Duration::from_hours(1);
/// The network is told that the server goes, if that is quick.
const FAREWELL: Duration = Duration::from_millis(500);

/// A running announcement; withdrawn when dropped.
pub struct Announcement {
    daemon: ServiceDaemon,
    keeper: JoinHandle<()>,
}

impl fmt::Debug for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcement").finish_non_exhaustive()
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        self.keeper.abort();
        // Shutting down says goodbye for every service.
        match self.daemon.shutdown() {
            Ok(done) => drop(done.recv_timeout(FAREWELL)),
            Err(error) => tracing::debug!(%error, "the announcement could not be withdrawn"),
        }
    }
}

/// Why nothing is announced.
#[derive(Debug, thiserror::Error)]
pub enum AdvertiseError {
    /// No name could be made.
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
    /// mDNS does not work here.
    #[error("mDNS does not work here")]
    Mdns(#[from] mdns_sd::Error),
}

/// Announces the server; `None` where only this computer reaches it. Needs a tokio runtime, and
/// reads the pairs' keys in the background.
pub fn announce(app: &Arc<App>) -> Result<Option<Announcement>, AdvertiseError> {
    let Some(sign) = Sign::new(app.listening(), app.environment())? else {
        return Ok(None);
    };
    let mut nonce = sign.nonce()?;
    let mut tags = app.trust().tags_changed();
    let mut windows = app.windows_changed();
    let daemon = ServiceDaemon::new()?;
    daemon.disable_interface(IfKind::Predicate(IfPredicate::new(|interface| {
        interface.is_loopback() || is_virtual(&interface.name)
    })))?;
    daemon.register(sign.service(app, nonce)?)?;

    let keeper = tokio::spawn({
        let (daemon, app) = (daemon.clone(), Arc::clone(app));
        async move {
            let trust = Arc::clone(app.trust());
            let reading = tokio::task::spawn_blocking(move || trust.recognize());
            let mut until = Instant::now() + NONCE_LIFE;
            loop {
                let changed = tokio::select! {
                    changed = tags.changed() => changed,
                    changed = windows.changed() => changed,
                    () = sleep_until(until) => {
                        until = Instant::now() + NONCE_LIFE;
                        match sign.nonce() {
                            Ok(new) => nonce = new,
                            Err(error) => tracing::warn!(%error, "the announcement grows old"),
                        }
                        Ok(())
                    }
                };
                if changed.is_err() {
                    break;
                }
                let again = sign
                    .service(&app, nonce)
                    .and_then(|service| Ok(daemon.register(service)?));
                if let Err(error) = again {
                    tracing::warn!(%error, "the announcement could not be brought up to date");
                }
            }
            drop(reading.await);
        }
    });
    Ok(Some(Announcement { daemon, keeper }))
}

/// A name that says nothing about this computer or its user.
fn unrelated_name(environment: &Environment) -> Result<String, EntropyUnavailable> {
    if holds(Defence::RandomNames) {
        discovery::random_name(environment)
    } else {
        let own = rustix::system::uname();
        Ok(own.nodename().to_string_lossy().into_owned())
    }
}

/// What stays the same while the server runs.
struct Sign {
    instance: String,
    host: String,
    port: u16,
    listening: Vec<SocketAddr>,
    environment: Environment,
}

impl Sign {
    fn new(
        listening: &[SocketAddr],
        environment: &Environment,
    ) -> Result<Option<Self>, EntropyUnavailable> {
        let mut reachable = listening
            .iter()
            .filter(|address| !address.ip().is_loopback());
        let Some(port) = reachable.next().map(SocketAddr::port) else {
            return Ok(None);
        };
        Ok(Some(Self {
            instance: unrelated_name(environment)?,
            host: format!("{}.local.", unrelated_name(environment)?),
            port,
            listening: listening.to_vec(),
            environment: environment.clone(),
        }))
    }

    fn nonce(&self) -> Result<Nonce, EntropyUnavailable> {
        let mut nonce = Nonce::default();
        self.environment.entropy.fill(&mut nonce)?;
        Ok(nonce)
    }

    fn service(&self, app: &App, nonce: Nonce) -> Result<ServiceInfo, AdvertiseError> {
        let tags = app.trust().tags(nonce);
        let txt =
            discovery::Announcement::new(nonce, tags, app.is_window_open(), &self.environment)?
                .to_txt();
        let everywhere = self
            .listening
            .iter()
            .any(|address| address.ip().is_unspecified());
        let named: Vec<_> = self
            .listening
            .iter()
            .map(SocketAddr::ip)
            .filter(|ip| !ip.is_loopback())
            .collect();
        let service = ServiceInfo::new(
            discovery::SERVICE,
            &self.instance,
            &self.host,
            if everywhere { &[] } else { named.as_slice() },
            self.port,
            txt.as_slice(),
        )?;
        Ok(if everywhere {
            service.enable_addr_auto()
        } else {
            service
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_not_announced() {
        for (listening, expected) in [
            (&["127.0.0.1:8443"][..], false),
            (&["127.0.0.1:8443", "[::1]:8443"], false),
            (&[], false),
            (&["127.0.0.1:8443", "192.168.1.2:8443"], true),
            (&["0.0.0.0:8443"], true),
        ] {
            let parsed: Vec<_> = listening.iter().map(|text| text.parse().unwrap()).collect();
            let sign = Sign::new(&parsed, &Environment::system()).unwrap();
            assert_eq!(sign.is_some(), expected, "{listening:?}");
        }
    }

    #[test]
    fn names_are_new_at_each_start() {
        let listening = ["0.0.0.0:8443".parse().unwrap()];
        let sign = || {
            Sign::new(&listening, &Environment::system())
                .unwrap()
                .unwrap()
        };
        let (one, other) = (sign(), sign());
        assert_ne!(one.instance, other.instance);
        assert_ne!(one.host, other.host);
        assert_ne!(one.instance, one.host.trim_end_matches(".local."));
    }
}
