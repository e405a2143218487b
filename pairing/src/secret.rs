//! Bytes that nobody else may see.

use std::fmt;

use zeroize::Zeroizing;

/// A key, a one-time secret or a passphrase: wiped on drop; no Clone, no Display, no Serialize.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes. Only the files listed in `tests/it/secret_confinement.rs` may call this.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
