//! Keeping what an importer reads: one file, one transaction.

use crate::{
    import::Source,
    report::Hint,
    store::{Imported, Store, StoreError},
};

/// What an import may do.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Keep what a cut-off file held.
    pub keep_partial: bool,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportProgress {
    /// Position in the file, bytes.
    pub bytes: u64,
    /// Its length, if it is known.
    pub total: Option<u64>,
    /// Records read so far.
    pub records: u64,
}

/// A file was not imported; nothing of it is in the store.
#[derive(Debug, thiserror::Error)]
pub enum ImportFailed {
    /// No importer knows it.
    #[error("the file is not a health data export")]
    NotAnExport,
    /// It holds no record.
    #[error("the export holds no records")]
    Empty,
    /// It ends too early.
    #[error("the export is cut off at line {line}")]
    Truncated {
        /// Last line.
        line: u64,
    },
    /// It cannot be understood.
    #[error("the export is damaged at line {line}: {reason}")]
    Malformed {
        /// Where.
        line: u64,
        /// What is wrong; no value.
        reason: String,
    },
    /// The archive cannot be read.
    #[error("the archive is damaged")]
    Archive(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The reader failed.
    #[error("could not read the file")]
    Read(#[source] std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Hint for ImportFailed {
    fn code(&self) -> &'static str {
        match self {
            Self::NotAnExport => "NOT_AN_EXPORT",
            Self::Empty => "EMPTY_EXPORT",
            Self::Truncated { .. } => "TRUNCATED_EXPORT",
            Self::Malformed { .. } => "MALFORMED_EXPORT",
            Self::Archive(_) => "DAMAGED_ARCHIVE",
            Self::Read(_) => "READ_FAILED",
            Self::Store(error) => error.code(),
        }
    }
}

impl Store {
    /// Imports one file in one transaction: all of it is kept, or nothing. `total` is the length
    /// of the file, for the progress.
    pub fn import(
        &mut self,
        _origin: &str,
        _source: &mut dyn Source,
        _total: Option<u64>,
        _options: &ImportOptions,
        _progress: &mut dyn FnMut(ImportProgress),
    ) -> Result<Imported, ImportFailed> {
        todo!()
    }
}
