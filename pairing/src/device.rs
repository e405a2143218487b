//! A P-256 key pair that is born here and never leaves.

use crate::{id::KeyDigest, secret::Secret};

/// A P-256 key pair.
#[derive(Debug)]
pub struct DeviceKey {
    _pkcs8: Secret,
}

/// The key could not be made or read.
#[derive(Debug, thiserror::Error)]
#[error("the key is not a P-256 key")]
pub struct InvalidKey;

impl DeviceKey {
    /// A new one.
    pub fn generate() -> Result<Self, InvalidKey> {
        todo!()
    }

    /// From PKCS#8 DER.
    pub fn from_pkcs8(_pkcs8: Secret) -> Result<Self, InvalidKey> {
        todo!()
    }

    /// PKCS#8 DER, for the key store only.
    pub fn pkcs8(&self) -> &Secret {
        &self._pkcs8
    }

    /// The 91-byte DER SubjectPublicKeyInfo.
    pub fn spki(&self) -> [u8; 91] {
        todo!()
    }

    /// Digest of it.
    pub fn digest(&self) -> KeyDigest {
        todo!()
    }

    /// ECDSA P-256 SHA-256, `r ‖ s`.
    pub fn sign(&self, _message: &[u8]) -> Result<[u8; 64], InvalidKey> {
        todo!()
    }
}
