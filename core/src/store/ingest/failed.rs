//! Why an import failed.

use std::fmt::Write as _;

use crate::{
    import::ReadError,
    report::Hint,
    store::{SkippedCount, StoreError},
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
    /// The reader failed.
    #[error("could not read the file")]
    Read(#[source] std::io::Error),
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
            Self::Read(_) => "READ_FAILED",
            Self::Store(error) => error.code(),
            Self::Truncated { .. } => "TRUNCATED_EXPORT",
        }
    }

    fn hint(&self) -> Option<String> {
        const AGAIN: &str = "export again on the phone (Health > your picture > Export All Health \
                             Data), then run `healthsync-server import export.zip`";
        let text = match self {
            Self::Archive(_) | Self::Malformed { .. } | Self::NotAnExport => AGAIN.to_owned(),
            Self::Empty { .. } => format!("nothing was imported; {AGAIN}"),
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
