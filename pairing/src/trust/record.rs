//! Who is or was paired, and who is there now.

use std::net::IpAddr;

use crate::id::{KeyDigest, PairId};

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
    /// Where it was last seen.
    pub last_address: Option<IpAddr>,
    /// End of the leaf last issued, Unix seconds.
    pub leaf_not_after: i64,
    /// What it may read.
    pub scope: Scope,
}

/// What a device may read, in words that only the server of the data understands: this crate keeps
/// them and gives them back. The default is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Types; `None` means all, an empty list none.
    pub types: Option<Vec<String>>,
    /// Origins; `None` means all, an empty list none.
    pub origins: Option<Vec<String>>,
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
    /// Serial number of its certificate, lower-case hex.
    pub serial: String,
    /// Where the connection comes from: shown, and never a reason to believe anything.
    pub address: IpAddr,
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
    /// A new key that some record knows already.
    #[error("the new key was used before")]
    KeyUsed,
    /// The new key did not sign this request, or the request has another form.
    #[error("the new key did not sign this request")]
    NotProved,
    /// The certificate ran out since the handshake.
    #[error("the client certificate has expired")]
    Expired,
    /// A certificate that has run out is renewed once an hour at most.
    #[error("this certificate was renewed less than an hour ago")]
    TooSoon {
        /// Seconds until it may be renewed again.
        wait: u32,
    },
    /// The records cannot be read.
    #[error("the device records cannot be read")]
    Unavailable,
}
