//! Why the log cannot be written or read, and what to do then.

use crate::{environment::EntropyUnavailable, keystore::KeyStoreError};

/// Why the log cannot be written or read. `code()`: `AUDIT_FAILED`.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// SQLite refused.
    #[error("the audit log cannot be used")]
    Database(#[from] rusqlite::Error),
    /// The disk refused.
    #[error("the audit log cannot be brought to the disk")]
    Disk(#[source] std::io::Error),
    /// The key store refused.
    #[error("the key of the audit log cannot be read or made")]
    Key(#[from] KeyStoreError),
    /// The item in the key store is not a key of this log.
    #[error("the key of the audit log is damaged")]
    KeyDamaged,
    /// The system gave no randomness for a new key.
    #[error("no key for the audit log can be made")]
    NoKey(#[from] EntropyUnavailable),
    /// The thread that writes is gone, or was never there.
    #[error("nobody writes the audit log")]
    Stopped,
    /// The entry could not be written; the log of the server says why.
    #[error("the entry could not be written to the audit log")]
    NotWritten,
}

impl AuditError {
    /// Stable code.
    #[expect(
        clippy::unused_self,
        reason = "every error of this workspace has a code"
    )]
    pub const fn code(&self) -> &'static str {
        "AUDIT_FAILED"
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Key(error) => return error.hint(),
            Self::KeyDamaged => {
                "delete the item `audit` from the key store: a new key is made, and the old entries \
                 can no longer be verified"
            }
            Self::NoKey(_) | Self::Stopped => "restart the server: `healthsync-server start`",
            Self::Database(_) | Self::Disk(_) | Self::NotWritten => {
                "check that the data folder is yours, can be written, and has space"
            }
        };
        Some(hint.to_owned())
    }
}
