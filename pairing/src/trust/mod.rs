//! The host's truth: device records in `trust.db`, their keys in the key store, the open window.

mod registry;

use std::{path::Path, sync::Arc};

use tokio::sync::broadcast;

use crate::{
    enroll::host::{Window, WindowOptions},
    environment::Environment,
    id::{KeyDigest, PairId},
    keystore::KeyStore,
};

/// A device that is or was paired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRecord {
    /// The pair.
    pub pair: PairId,
    /// SHA-256 of the client's SPKI; unique over all states.
    pub key: KeyDigest,
    /// What the device called itself, made inert.
    pub name: String,
    /// Its state.
    pub state: State,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub approved_at: Option<i64>,
    /// Unix seconds.
    pub last_seen_at: Option<i64>,
    /// End of the leaf last issued, Unix seconds.
    pub leaf_not_after: i64,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Issued, not yet acknowledged; rolled back after 120 s.
    Pending,
    /// May read.
    Active,
    /// A retired key appeared.
    Suspended,
    /// Never again.
    Revoked,
}

impl State {
    /// `pending`, `active`, `suspended`, `revoked`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }
}

/// An authenticated client; made from the TLS handshake alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The pair whose configuration was used.
    pub pair: PairId,
    /// Digest of the key that the handshake proved.
    pub key: KeyDigest,
    /// End of its certificate, Unix seconds.
    pub not_after: i64,
}

/// Why a peer may not go on; checked at the handshake and at each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No record of this pair and key.
    #[error("this device is not paired")]
    Unknown,
    /// Only the ack is open to it.
    #[error("the pairing is not yet acknowledged")]
    Pending,
    /// Suspended.
    #[error("this device is suspended")]
    Suspended,
    /// Revoked.
    #[error("this device was revoked")]
    Revoked,
    /// The certificate ran out since the handshake.
    #[error("the client certificate has expired")]
    Expired,
    /// The records cannot be read.
    #[error("the device records cannot be read")]
    Unavailable,
}

/// Device records, keys and the window. Cheap to share.
#[derive(Debug)]
pub struct Trust {}

/// What the trust store could not do. `code()`: TRUST_STORE_FAILED, PAIR_NOT_FOUND, PAIR_NAME_AMBIGUOUS,
/// WINDOW_OPEN, NO_WINDOW, WRONG_DIGITS, NOT_WAITING, and key store codes passed on.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// No pair has this name or id.
    #[error("there is no pair {0:?}")]
    NotFound(String),
    // ..
}

impl TrustError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        todo!()
    }
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        todo!()
    }
}

impl Trust {
    /// Opens `trust.db` (made 0600 if missing), deletes PENDING records past their deadline and
    /// keys without a record. Reads no key yet: a pair's configuration is made when first dialled.
    pub fn open(
        _database: &Path,
        _keys: Box<dyn KeyStore>,
        _environment: Environment,
    ) -> Result<Arc<Self>, TrustError> {
        todo!()
    }

    /// All records, oldest first.
    pub fn pairs(&self) -> Result<Vec<DeviceRecord>, TrustError> {
        todo!()
    }

    /// Revokes by pair id or unique name: deletes the pair's keys, makes its configuration
    /// refuse with the alert `certificate_revoked`, and tells [`Self::revocations`].
    pub fn revoke(&self, _pair_or_name: &str) -> Result<DeviceRecord, TrustError> {
        todo!()
    }

    /// Pairs as they are revoked (or suspended): cut their connections.
    pub fn revocations(&self) -> broadcast::Receiver<PairId> {
        todo!()
    }

    /// Checks a peer again; to be called for every request. Also notes last seen (at most once a minute).
    pub fn authorize(&self, _peer: &Peer) -> Result<DeviceRecord, Refusal> {
        todo!()
    }

    /// PENDING becomes ACTIVE (again: nothing changes). The window's events say `Paired`.
    pub fn acknowledge(&self, _peer: &Peer) -> Result<DeviceRecord, TrustError> {
        todo!()
    }

    /// Opens the one pairing window.
    pub fn open_window(self: &Arc<Self>, _options: WindowOptions) -> Result<Window, TrustError> {
        todo!()
    }

    /// Six digits typed by a person. Wrong: `WrongDigits` (three entries), `NotWaiting` when no device waits.
    pub fn approve(&self, _digits: &str) -> Result<(), TrustError> {
        todo!()
    }

    /// Refuses the device that waits and closes the window.
    pub fn refuse(&self) -> Result<(), TrustError> {
        todo!()
    }
}
