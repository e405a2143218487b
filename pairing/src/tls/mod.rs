//! Every TLS configuration of the project (RFC 8446): TLS 1.3 alone, no tickets, no resumption, no
//! early data, one crypto provider with the hybrid post-quantum key exchange preferred.

pub mod channel;
pub mod client;
pub mod door;
pub mod failure;
mod hello;
mod identity;
pub(crate) mod pin;
mod pinned_ca;
pub mod recording;
pub(crate) mod seen;
pub(crate) mod server;
pub mod trace;
mod verifier;
mod watched;

use std::{sync::Arc, time::Duration};

use rustls::{crypto::CryptoProvider, pki_types::UnixTime, time_provider::TimeProvider};

use crate::{
    defence::{Defence, holds},
    environment::{Clock, Environment},
};

/// The one provider: aws-lc-rs, X25519MLKEM768 first.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    if !holds(Defence::HybridKeyExchange) {
        let hybrid = rustls::NamedGroup::X25519MLKEM768;
        provider.kx_groups.retain(|group| group.name() != hybrid);
    }
    Arc::new(provider)
}

/// The versions of every configuration.
pub(crate) fn versions() -> &'static [&'static rustls::SupportedProtocolVersion] {
    const TLS13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
    if holds(Defence::Tls13Alone) {
        TLS13
    } else {
        rustls::ALL_VERSIONS
    }
}

/// The protocol of a pairing window (RFC 7301).
pub(crate) const PAIRING: &[u8] = b"healthsync-pair/1";
/// Renewal of a certificate that has run out.
pub(crate) const RENEWAL: &[u8] = b"healthsync-renew/1";

/// rustls judges dates by the clock that we are given.
#[derive(Debug)]
struct Time(Arc<dyn Clock>);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        unix_time(self.0.now())
    }
}

/// The time source of a configuration.
pub(crate) fn time(environment: &Environment) -> Arc<dyn TimeProvider> {
    Arc::new(Time(Arc::clone(&environment.clock)))
}

/// Seconds since 1970 as rustls has them.
pub(crate) fn unix_time(seconds: i64) -> Option<UnixTime> {
    let seconds = u64::try_from(seconds).ok()?;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}
