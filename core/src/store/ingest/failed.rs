//! Why an import failed.

use std::fmt::Write as _;

use super::options::Deletion;
use crate::{
    import::ReadError,
    report::Hint,
    store::{SkippedCount, StoreError},
    time::rfc3339,
};

/// A file was not imported; nothing of it is in the store.
#[derive(Debug, thiserror::Error)]
pub enum ImportFailed {
    /// The archive cannot be read.
    #[error("the archive is damaged")]
    Archive(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It holds no record, or none that can be kept.
    #[error("{}", nothing_kept(.skipped))]
    Empty {
        /// What was passed over.
        skipped: Vec<SkippedCount>,
    },
    /// It cannot be understood.
    #[error("the export is damaged at line {line}: {reason}")]
    Malformed {
        /// Where.
        line: u64,
        /// What is wrong; no value.
        reason: String,
    },
    /// No importer knows it.
    #[error("the file is not a health data export")]
    NotAnExport,
    /// The file was not to prune.
    #[error("nothing was imported or deleted")]
    NotPruned(#[source] NotPruned),
    /// The program stumbled over it, which is a fault of the program; so it would again.
    #[error("the program stumbled over the file")]
    Panicked,
    /// The reader failed.
    #[error("could not read the file")]
    Read(#[source] std::io::Error),
    /// Somebody still writes the file.
    #[error("the file changed while it was read")]
    StillChanging,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It ends too early.
    #[error("the export is cut off at line {line}")]
    Truncated {
        /// Last line.
        line: u64,
    },
}

/// Why an export must not delete anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPruned {
    /// It would delete a large part, and nobody agreed.
    #[error("{} of {} rows would be deleted", .0.rows, .0.of)]
    NotConfirmed(Deletion),
    /// A newer one was imported already.
    #[error(
        "the export of {} is older than what the store holds of {}",
        rfc3339(*.at_ms),
        rfc3339(*.newest_ms)
    )]
    Older {
        /// When the phone made it.
        at_ms: i64,
        /// When the phone made the newest one, or wrote the newest record.
        newest_ms: i64,
    },
    /// It is cut off.
    #[error("the export is cut off, so it does not say what was deleted")]
    Partial,
    /// It does not say when it was made.
    #[error("the export does not say when it was made")]
    Undated,
}

impl From<NotPruned> for ImportFailed {
    fn from(error: NotPruned) -> Self {
        Self::NotPruned(error)
    }
}

/// Why nothing is left of an export.
fn nothing_kept(skipped: &[SkippedCount]) -> String {
    /// Reasons that are told one by one.
    const TOLD: usize = 5;

    if skipped.is_empty() {
        return "the export holds no records".to_owned();
    }
    let mut text = "the export holds no record that can be kept".to_owned();
    for (index, skipped) in skipped.iter().take(TOLD).enumerate() {
        let SkippedCount {
            reason,
            count,
            first_line,
        } = skipped;
        let mark = if index == 0 { ':' } else { ';' };
        // Writing to a string cannot fail.
        let _ = write!(text, "{mark} {count} skipped: {reason}");
        if *first_line > 0 {
            let _ = write!(text, " (first in line {first_line})");
        }
    }
    let more = skipped.len().saturating_sub(TOLD);
    if more > 0 {
        let _ = write!(text, "; and {more} other reasons");
    }
    text
}

impl From<ReadError> for ImportFailed {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Archive(source) => Self::Archive(source),
            ReadError::Malformed { line, reason } => Self::Malformed {
                line,
                reason: reason.into_owned(),
            },
            ReadError::Read(source) => Self::Read(source),
            // The ingest stops a reader only when it fails itself, and reports that.
            ReadError::Stopped => Self::Read(std::io::Error::other(ReadError::Stopped)),
            ReadError::Truncated { line } => Self::Truncated { line },
        }
    }
}

impl From<rusqlite::Error> for ImportFailed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Hint for ImportFailed {
    fn code(&self) -> &'static str {
        match self {
            Self::Archive(_) => "DAMAGED_ARCHIVE",
            Self::Empty { .. } => "EMPTY_EXPORT",
            Self::Malformed { .. } => "MALFORMED_EXPORT",
            Self::NotAnExport => "NOT_AN_EXPORT",
            Self::NotPruned(NotPruned::NotConfirmed(_)) => "PRUNE_NOT_CONFIRMED",
            Self::NotPruned(NotPruned::Older { .. }) => "PRUNE_OF_OLDER_EXPORT",
            Self::NotPruned(NotPruned::Partial) => "PRUNE_OF_PARTIAL_EXPORT",
            Self::NotPruned(NotPruned::Undated) => "PRUNE_WITHOUT_DATE",
            Self::Panicked => "IMPORT_PANICKED",
            Self::Read(_) => "READ_FAILED",
            Self::StillChanging => "FILE_STILL_CHANGING",
            Self::Store(error) => error.code(),
            Self::Truncated { .. } => "TRUNCATED_EXPORT",
        }
    }

    fn hint(&self) -> Option<String> {
        const AGAIN: &str = "export again on the phone (Health > your picture > Export All Health \
                             Data), then run `healthsync-server import export.zip`";
        let text = match self {
            Self::Archive(_) | Self::Malformed { .. } => AGAIN.to_owned(),
            Self::NotAnExport => format!(
                "{AGAIN}; also read are the JSON of Health Auto Export, the zip of Health Connect, and \
                 what `healthsync fetch --include-metadata` wrote"
            ),
            Self::Empty { .. } => format!("nothing was imported; {AGAIN}"),
            Self::NotPruned(NotPruned::NotConfirmed(_)) => {
                "look at it with `healthsync-server import --prune --dry-run FILE`, then agree with \
                 `--yes`"
                    .to_owned()
            }
            Self::NotPruned(NotPruned::Older { .. }) => format!(
                "{AGAIN} and `--prune`, or run the command without `--prune`, which deletes nothing"
            ),
            Self::NotPruned(NotPruned::Partial) => format!(
                "leave out `--prune`, which deletes nothing; or {AGAIN} and `--prune`"
            ),
            Self::NotPruned(NotPruned::Undated) => {
                "run the command without `--prune`, which deletes nothing".to_owned()
            }
            Self::StillChanging => {
                "wait until the file is copied, then run the command again; nothing was imported"
                    .to_owned()
            }
            Self::Panicked => {
                "nothing was imported; please report it with the message above (never with the file)"
                    .to_owned()
            }
            Self::Read(_) => {
                "check that the file can be read, then run the command again".to_owned()
            }
            Self::Store(error) => return error.hint(),
            Self::Truncated { .. } => format!(
                "nothing was imported; {AGAIN}, or keep what the file holds with \
                 `healthsync-server import --keep-partial FILE`"
            ),
        };
        Some(text)
    }
}
