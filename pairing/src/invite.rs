//! The invitation: what the QR code and the pasted text carry.

use std::net::SocketAddr;

use crate::{id::KeyDigest, secret::Secret};

/// `HS1:` + base45(CBOR), at most 154 alphanumeric characters.
#[derive(Debug)]
pub struct Invite {
    /// Session of the pairing window.
    pub session: [u8; 8],
    /// SHA-256 of the pairing certificate's SPKI.
    pub key: KeyDigest,
    /// One-time secret, 16 bytes.
    pub secret: Secret,
    /// Where the server listens, best first.
    pub addresses: Vec<SocketAddr>,
    /// When the window closes, Unix seconds by the server's clock.
    pub expires_at: i64,
}

impl Invite {
    /// The text; drops addresses from the end until it fits.
    pub fn to_text(&self) -> Result<Secret, InviteError> {
        todo!()
    }

    /// Reads a pasted text (white space around and inside is forgiven); local addresses only.
    pub fn parse(_text: &str) -> Result<Self, InviteError> {
        todo!()
    }
}

/// Whether an address may be dialled: loopback, private, link-local, ULA, CGNAT..; parsed, never by prefix.
pub fn is_local(_address: &std::net::IpAddr) -> bool {
    todo!()
}

/// Not a usable invitation. `code()`: INVITE_NOT_FOUND, INVITE_DAMAGED, INVITE_VERSION, INVITE_ADDRESS_NOT_LOCAL.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// No `HS1:` in it.
    #[error("this is not a healthsync pairing code")]
    NotFound,
    // ..
}

impl InviteError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        todo!()
    }
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        todo!()
    }
}
