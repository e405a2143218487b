//! Names of pairs and of keys.

use std::{fmt, str::FromStr};

/// A pair: 16 bytes derived by both ends (never chosen), shown as 26 characters of base32
/// (RFC 4648, lower case, no padding).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairId(pub [u8; 16]);

impl PairId {
    /// The name in the server's certificate that clients dial: `<id>.healthsync.internal`.
    pub fn server_name(&self) -> String {
        format!("{self}.healthsync.internal")
    }

    /// The other name in it: `hs-<id>.local`.
    pub fn local_name(&self) -> String {
        format!("hs-{self}.local")
    }

    /// The pair named by an SNI value, either name; ASCII case is ignored.
    pub fn from_server_name(_name: &str) -> Option<Self> {
        todo!()
    }
}

impl fmt::Display for PairId {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl FromStr for PairId {
    type Err = InvalidId;
    fn from_str(_text: &str) -> Result<Self, InvalidId> {
        todo!()
    }
}

/// SHA-256 of a SubjectPublicKeyInfo, shown as `sha256:<64 hex>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyDigest(pub [u8; 32]);

impl KeyDigest {
    /// Digest of a DER SubjectPublicKeyInfo.
    pub fn of_spki(_spki: &[u8]) -> Self {
        todo!()
    }

    /// First 8 bytes for people: `ab12 cd34 ef56 7890`.
    pub fn short(&self) -> String {
        todo!()
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl FromStr for KeyDigest {
    type Err = InvalidId;
    fn from_str(_text: &str) -> Result<Self, InvalidId> {
        todo!()
    }
}

/// Not a pair id or key digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id")]
pub struct InvalidId;
