//! Samples at rest: one SQLite file.

mod changes;
mod documents;
mod ingest;
mod lookup;
mod packs;
mod plan;
mod priority;
mod range;
mod scan;
mod schema;
mod steps;
mod summary;
mod totals;
mod workouts;
mod written;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{document::Noun, query::Cursor, report::Hint};

pub use changes::{Changes, ChangesError, ChangesQuery};
pub use documents::{NounSummary, StoredDocument};
pub use ingest::{
    Consent, Deletion, ImportFailed, ImportOptions, ImportProgress, NotPruned, Settled,
};
pub use packs::Packs;
pub use priority::{Preference, RankedSource};
pub use range::{Paged, Place, Range};
pub use scan::Piece;
pub use totals::{KeptTotals, TotalsError};
pub use workouts::{
    Member, StoredActivity, StoredCorrelation, StoredEvent, StoredStatistic, StoredWorkout,
};

/// The store of one data folder; cheap to open, one connection.
#[derive(Debug)]
pub struct Store {
    connection: rusqlite::Connection,
}

/// What the store could not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process kept writing.
    #[error("another process is writing to the store")]
    Busy(#[source] rusqlite::Error),
    /// The file is damaged.
    #[error("the store is damaged")]
    Damaged(#[source] rusqlite::Error),
    /// No space is left.
    #[error("no space is left for the store")]
    Full(#[source] rusqlite::Error),
    /// A later program made the file.
    #[error("the store has version {found}, this program knows version {known}")]
    Newer {
        /// Version of the file.
        found: i64,
        /// Version of this program.
        known: i64,
    },
    /// The file is something else.
    #[error("{} is not a healthsync store", .path.as_deref().unwrap_or_else(|| Path::new("the file")).display())]
    NotAStore {
        /// Its path.
        path: Option<PathBuf>,
    },
    /// The file cannot be opened or made.
    #[error("could not open the store {}", .path.display())]
    Open {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite refused for another reason.
    #[error("the store could not be used")]
    Sqlite(#[source] rusqlite::Error),
}

impl StoreError {
    /// Whether what stands in the file is wrong, and not the disk, the system or another process.
    pub fn is_about_content(&self) -> bool {
        use rusqlite::{Error, ErrorCode};

        match self {
            // A table that is missing has no code of its own.
            Self::Sqlite(Error::SqliteFailure(failure, _)) => failure.code == ErrorCode::Unknown,
            Self::Damaged(_) | Self::NotAStore { .. } | Self::Sqlite(_) => true,
            Self::Busy(_) | Self::Full(_) | Self::Newer { .. } | Self::Open { .. } => false,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;

        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(error),
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged(error),
            Some(ErrorCode::DiskFull) => Self::Full(error),
            Some(ErrorCode::NotADatabase) => Self::NotAStore { path: None },
            _ => Self::Sqlite(error),
        }
    }
}

impl Hint for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Busy(_) => "STORE_BUSY",
            Self::Damaged(_) => "STORE_DAMAGED",
            Self::Full(_) => "DISK_FULL",
            Self::Newer { .. } => "STORE_TOO_NEW",
            Self::NotAStore { .. } => "NOT_A_STORE",
            Self::Open { .. } => "STORE_NOT_OPENED",
            Self::Sqlite(_) => "STORE_FAILED",
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Busy(_) => "wait until the other import has ended, then try again",
            Self::Damaged(_) => {
                "move `health.db` away and import the exports again: `healthsync-server import FILE`"
            }
            Self::Full(_) => {
                "make room on the disk and run the same command again; nothing was changed"
            }
            Self::Newer { .. } => "install the version of healthsync that wrote it, or a later one",
            Self::NotAStore { .. } => "name another folder with `--data-dir`",
            Self::Open { .. } => {
                "check that the data folder exists and belongs to you, or name another with `--data-dir`"
            }
            Self::Sqlite(_) => return None,
        };
        Some(text.to_owned())
    }
}

/// One type that the store holds.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeSummary {
    /// Its name.
    pub kind: String,
    /// Canonical unit; empty for categories.
    pub unit: String,
    /// Samples.
    pub count: u64,
    /// Earliest start, milliseconds UTC.
    pub first_ms: i64,
    /// Latest start.
    pub last_ms: i64,
}

/// What a scan did besides calling its sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Samples handed on.
    pub count: u64,
    /// Those of them that came from packs.
    pub packed: u64,
    /// Those that could come from packs, were there any.
    pub loose: u64,
    /// Where the next page begins, if a limit cut the answer.
    pub next_cursor: Option<Cursor>,
}

/// What one import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Records read.
    pub read: u64,
    /// Rows that are new.
    pub new: u64,
    /// Rows whose value changed.
    pub updated: u64,
    /// Rows that were there already.
    pub unchanged: u64,
    /// Rows removed (only with prune).
    pub deleted: u64,
    /// Workouts of the file.
    pub workouts: Tally,
    /// Correlations of the file; their records count as records once.
    pub correlations: Tally,
    /// Documents of the file, by noun; only nouns that it has.
    pub documents: BTreeMap<Noun, Tally>,
    /// What was passed over.
    pub skipped: Vec<SkippedCount>,
}

/// What became of things that are not records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Read from the file.
    pub read: u64,
    /// New.
    pub new: u64,
    /// Changed.
    pub updated: u64,
    /// There already.
    pub unchanged: u64,
    /// Removed (only with prune).
    pub deleted: u64,
}

/// Things passed over for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedCount {
    /// Why.
    pub reason: String,
    /// How often.
    pub count: u64,
    /// Where first, line from 1; 0 for what is no line of the export (another file beside it).
    pub first_line: u64,
}

impl Store {
    /// Opens `health.db`, making it if it is missing. The file is 0600.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            connection: schema::open(path)?,
        })
    }

    /// The same for who goes through it once, beside others: it keeps few pages in memory.
    pub fn open_to_walk(path: &Path) -> Result<Self, StoreError> {
        let store = Self::open(path)?;
        store
            .connection
            .execute_batch("PRAGMA cache_size = -1024")?;
        Ok(store)
    }

    /// A store that lives as long as this value, for tests and trials.
    pub fn in_memory() -> Result<Self, StoreError> {
        Ok(Self {
            connection: schema::open_in_memory()?,
        })
    }

    /// Bounds the size of the file, so that a test meets a full disk, and the pages in memory, so
    /// that a small import fills the log as a large one does.
    #[doc(hidden)]
    pub fn limit_pages(&self, pages: u32) -> Result<(), StoreError> {
        self.connection
            .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        self.connection.execute_batch("PRAGMA cache_size = 10")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    /// `.cargo/config.toml` leaves them out; a build without it has them again.
    #[test]
    fn sqlite_has_no_tables_that_nobody_asks_for() {
        let store = Store::in_memory().unwrap();
        let mut options = store.connection.prepare("PRAGMA compile_options").unwrap();
        let options = options
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap();
        for option in options.map(Result::unwrap) {
            assert!(
                !option.contains("FTS") && !option.contains("RTREE"),
                "{option}"
            );
        }
    }

    #[test]
    fn what_sqlite_says_gets_a_word() {
        for (code, word) in [
            (ffi::SQLITE_BUSY, "STORE_BUSY"),
            (ffi::SQLITE_LOCKED, "STORE_BUSY"),
            (ffi::SQLITE_CORRUPT, "STORE_DAMAGED"),
            (ffi::SQLITE_FULL, "DISK_FULL"),
            (ffi::SQLITE_NOTADB, "NOT_A_STORE"),
            (ffi::SQLITE_IOERR, "STORE_FAILED"),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(StoreError::from(error).code(), word);
        }
    }
}
