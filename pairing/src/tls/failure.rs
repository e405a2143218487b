//! What an error of a connection means: rustls' reasons and alerts, found in any chain.

use std::error::Error;

/// Whose certificate or side is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// This end.
    Client,
    /// The peer.
    Server,
    /// The pair's CA.
    Ca,
}

/// A cause with its stable code (`CERT_HAS_EXPIRED`, `CERT_NOT_YET_VALID`, `CERT_REVOKED`,
/// `NO_CLIENT_CERTIFICATE`, `CERT_COMMON_NAME_INVALID`, `UNABLE_TO_VERIFY_LEAF_SIGNATURE`,
/// `SELF_SIGNED_CERT_IN_CHAIN`, `UNSUPPORTED_PROTOCOL`, `NOT_TLS`, `PAIR_UNKNOWN` (alert
/// unrecognized_name), `ECONNREFUSED`, `EHOSTUNREACH`, `ENOTFOUND`, `ETIMEDOUT`, `ECONNRESET`, `TLS_FAILED`).
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Stable code.
    pub code: &'static str,
    /// Whose.
    pub subject: Subject,
    /// What happened, in plain words.
    pub message: String,
    /// Name of the TLS alert, if one came.
    pub alert: Option<String>,
    /// The chain.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        todo!()
    }
    /// Whether the peer could not be reached at all (exit code 4), else it is not trusted (3).
    pub fn is_unreachable(&self) -> bool {
        todo!()
    }
}

/// Finds the cause in a chain, looking into `io::Error`s too. `None`: nothing about TLS or TCP,
/// or an unclear error that needs [`super::client::look`].
pub fn cause(_error: &(dyn Error + 'static)) -> Option<Failure> {
    todo!()
}
