//! What the trust store could not do, and what to do then.

use super::Refusal;
use crate::{
    audit::AuditError, ca::IssueError, environment::EntropyUnavailable, keystore::KeyStoreError,
};

/// What the trust store could not do. `code()`: `TRUST_STORE_FAILED`, `TRUST_STORE_FOREIGN`,
/// `TRUST_STORE_TOO_NEW`, `PAIR_NOT_FOUND`, `PAIR_NAME_AMBIGUOUS`, `CRL_MISSING`, `PAIR_REFUSED`, `WINDOW_OPEN`,
/// `WINDOW_OPTIONS`, `NO_WINDOW`, `WRONG_DIGITS`, `NOT_WAITING`, `ISSUING_FAILED`, `AUDIT_FAILED`, and
/// the codes of the key store.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The audit log refused.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Several pairs have this name.
    #[error("several pairs are named {0:?}")]
    Ambiguous(String),
    /// SQLite refused.
    #[error("the device records cannot be used")]
    Database(#[from] rusqlite::Error),
    /// The file cannot be made.
    #[error("the file of device records cannot be made")]
    File(#[source] std::io::Error),
    /// Some other database.
    #[error("the file is not a store of device records")]
    Foreign,
    /// A certificate or key could not be made.
    #[error("the certificates of the pair cannot be made")]
    Issuing(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The key store refused.
    #[error("the key store cannot be used")]
    KeyStore(#[from] KeyStoreError),
    /// No revocation list was kept, and the key that could sign one is gone.
    #[error("there is no revocation list of this pair, and nobody can sign one any more")]
    NoCrl,
    /// No pairing window is open.
    #[error("no pairing window is open")]
    NoWindow,
    /// No pair has this name or id.
    #[error("there is no pair {0:?}")]
    NotFound(String),
    /// No device waits for a decision.
    #[error("no device waits for its digits")]
    NotWaiting,
    /// A window's time or a certificate's life is out of range.
    #[error("{0}")]
    Options(&'static str),
    /// The peer may not do this.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Written by a later version of this program.
    #[error("the device records are of a later version")]
    TooNew,
    /// One window at a time.
    #[error("a pairing window is open already")]
    WindowOpen,
    /// Other digits than the device shows.
    #[error("wrong digits; {left} entries left")]
    WrongDigits {
        /// 2, 1, or 0: the window is closed.
        left: u8,
    },
}

impl TrustError {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Audit(error) => error.code(),
            Self::Ambiguous(_) => "PAIR_NAME_AMBIGUOUS",
            Self::Database(_) | Self::File(_) => "TRUST_STORE_FAILED",
            Self::Foreign => "TRUST_STORE_FOREIGN",
            Self::Issuing(_) => "ISSUING_FAILED",
            Self::KeyStore(error) => error.code(),
            Self::NoCrl => "CRL_MISSING",
            Self::NoWindow => "NO_WINDOW",
            Self::NotFound(_) => "PAIR_NOT_FOUND",
            Self::NotWaiting => "NOT_WAITING",
            Self::Options(_) => "WINDOW_OPTIONS",
            Self::Refused(_) => "PAIR_REFUSED",
            Self::TooNew => "TRUST_STORE_TOO_NEW",
            Self::WindowOpen => "WINDOW_OPEN",
            Self::WrongDigits { .. } => "WRONG_DIGITS",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Audit(error) => return error.hint(),
            Self::Ambiguous(_) => "name the pair by its id: `healthsync-server pairs` lists both",
            Self::Database(_) | Self::File(_) => {
                "check that the data folder is yours, can be written, and has space"
            }
            Self::Foreign => "give the server's own folder with `--data-dir`",
            Self::Issuing(_) => {
                "check the clock of this computer, then run `healthsync-server pair`"
            }
            Self::KeyStore(error) => return error.hint(),
            Self::NoCrl => {
                "let the other verifier trust this pair's CA no longer; the server refuses the pair"
            }
            Self::NoWindow => "open one with `healthsync-server pair`",
            Self::NotFound(_) => "`healthsync-server pairs` lists the pairs",
            Self::NotWaiting => {
                "wait until a device shows six digits, then type them: `healthsync-server approve DIGITS`"
            }
            Self::Options(_) => "run `healthsync-server pair --help`",
            Self::Refused(_) => "pair the device again: `healthsync-server pair`",
            Self::TooNew => {
                "start the version of healthsync that wrote this folder, or a later one"
            }
            Self::WindowOpen => "finish or cancel the other `healthsync-server pair` first",
            Self::WrongDigits { left: 0 } => {
                "the window is closed; if it was not your device, somebody has seen the code: cover \
                 the screen and run `healthsync-server pair` again"
            }
            Self::WrongDigits { .. } => "type the six digits that the device YOU are pairing shows",
        };
        Some(hint.to_owned())
    }
}

impl From<IssueError> for TrustError {
    fn from(error: IssueError) -> Self {
        Self::Issuing(error.into())
    }
}

impl From<EntropyUnavailable> for TrustError {
    fn from(error: EntropyUnavailable) -> Self {
        Self::Issuing(error.into())
    }
}
