//! The server's configurations: one for each pair, one for each pairing window. They share no
//! state, so nothing that one gives (a ticket, a session) is worth anything at another.

use std::sync::Arc;

use rustls::{ServerConfig, server::NoServerSessionStorage};

use super::{PAIRING, RENEWAL, identity::identity, seen::Seen, verifier::PairVerifier};
use crate::{
    credentials::HostCredentials,
    defence::{Defence, holds},
    device::DeviceKey,
    environment::Environment,
    trust::Registry,
};

/// What a paired client comes for. Each has a configuration of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// The data, and all that concerns its pair.
    Data,
    /// A certificate in the place of one that has run out, and nothing else.
    Renewal,
}

/// Mutual TLS with one pair's client; what was read of its certificate is in `seen` afterwards.
pub(crate) fn paired(
    credentials: &HostCredentials,
    errand: Errand,
    registry: Arc<Registry>,
    seen: Arc<Seen>,
    environment: &Environment,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let verifier = PairVerifier::new(
        credentials.pair,
        &credentials.ca,
        errand,
        registry,
        seen,
        environment,
    )?;
    let configuration =
        ServerConfig::builder_with_details(super::provider(), super::time(environment))
            .with_protocol_versions(super::versions())?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(identity(&credentials.leaf_key, credentials.leaf.clone())?);
    let alpn: &[&[u8]] = match errand {
        Errand::Data => &[b"h2", b"http/1.1"],
        Errand::Renewal => &[RENEWAL],
    };
    Ok(hardened(configuration, alpn))
}

/// The channel of a pairing window: the client proves itself inside it, not by a certificate.
pub(crate) fn pairing(
    key: &DeviceKey,
    certificate: Vec<u8>,
    environment: &Environment,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let configuration =
        ServerConfig::builder_with_details(super::provider(), super::time(environment))
            .with_protocol_versions(super::versions())?
            .with_no_client_auth()
            .with_cert_resolver(identity(key, certificate)?);
    Ok(hardened(configuration, &[PAIRING]))
}

/// No tickets, no sessions, no early data: a resumed session would skip the client's certificate,
/// and a revoked device would come back in.
fn hardened(mut configuration: ServerConfig, alpn: &[&[u8]]) -> Arc<ServerConfig> {
    configuration.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    if holds(Defence::NoResumption) {
        configuration.send_tls13_tickets = 0;
        configuration.session_storage = Arc::new(NoServerSessionStorage {});
    }
    configuration.max_early_data_size = 0;
    Arc::new(configuration)
}
