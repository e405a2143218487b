//! The client's configuration and a bare connection.

use std::sync::Arc;

use crate::{credentials::ClientCredentials, environment::Environment};

/// Mutual TLS with exactly this pair's server: pinned CA, its dates and profile checked too;
/// ALPN h2 and http/1.1. For `reqwest::ClientBuilder::tls_backend_preconfigured` (wants the value).
pub fn configuration(
    _credentials: &ClientCredentials,
    _environment: &Environment,
) -> Result<Arc<rustls::ClientConfig>, ConfigurationError> {
    todo!()
}

/// What one connection showed; every claim of `status` comes from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `TLSv1.3`.
    pub version: String,
    /// `TLS13_AES_256_GCM_SHA384`.
    pub cipher_suite: String,
    /// `X25519MLKEM768`.
    pub group: String,
    /// `h2`.
    pub alpn: Option<String>,
    /// The server's leaf, DER.
    pub server_leaf: Vec<u8>,
    /// Whether the server asked for and took our certificate (no alert after the second look).
    pub client_authenticated: bool,
}

/// Opens a connection of its own to `address`, sends nothing, reads once: shows what was
/// negotiated, or gives the reason (also the alert that reqwest loses: "the second look").
pub async fn look(
    _configuration: Arc<rustls::ClientConfig>,
    _pair: &crate::id::PairId,
    _address: std::net::SocketAddr,
    _timeout: std::time::Duration,
) -> Result<Shown, super::failure::Failure> {
    todo!()
}

/// The credentials cannot make a configuration.
#[derive(Debug, thiserror::Error)]
#[error("the stored certificate or key cannot be used")]
pub struct ConfigurationError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
