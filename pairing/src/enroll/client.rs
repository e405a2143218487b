//! The new device's side.

use std::net::SocketAddr;

use crate::{
    credentials::ClientCredentials, device::DeviceKey, environment::Environment, invite::Invite,
};

/// What happens on the way; nothing in it was chosen by the peer before F7.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Connected to this address.
    Connected(SocketAddr),
    /// Six digits to show; the person types them on the host within so many seconds.
    Digits {
        /// `123456`.
        digits: String,
        /// Seconds to decide.
        seconds: u8,
    },
}

/// What came out. Not yet ACTIVE: store it, then POST the ack over mutual TLS.
#[derive(Debug)]
pub struct Enrolled {
    /// For the key store.
    pub credentials: ClientCredentials,
    /// The server's name, checked and inert.
    pub server_name: String,
    /// Where the server says it listens (already checked to be local), dialled one first.
    pub addresses: Vec<SocketAddr>,
    /// When to renew, Unix seconds.
    pub renew_after: i64,
}

/// Enrols `key` under `name`: dials the invitation's addresses, proves, waits for the person.
pub async fn enroll(
    _invite: &Invite,
    _key: DeviceKey,
    _name: &str,
    _environment: &Environment,
    _events: &mut (dyn FnMut(Event) + Send),
) -> Result<Enrolled, EnrollError> {
    todo!()
}

/// Why it did not. `code()`: PAIRING_EXPIRED, PAIRING_USED, PAIRING_REFUSED, PAIRING_WRONG_SERVER,
/// PAIRING_WRONG_CODE, PAIRING_TIMEOUT, PAIRING_VERSION, PAIRING_ATTACK, ECONNREFUSED, ETIMEDOUT, ..
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// Abort 2.
    #[error("another device used this code before you")]
    Used,
    // ..
}

impl EnrollError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        todo!()
    }
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        todo!()
    }
    /// Whether no address answered (exit code 4).
    pub fn is_unreachable(&self) -> bool {
        todo!()
    }
}
