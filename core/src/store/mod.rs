//! Samples at rest: one SQLite file.

use std::{ops::ControlFlow, path::Path};

use crate::{
    batch::SampleBatch,
    query::{Cursor, Query},
};

/// The store of one data folder; cheap to open, one connection.
#[derive(Debug)]
pub struct Store {
    _connection: rusqlite::Connection,
}

/// What the store could not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("the store could not be used")]
    Sqlite(#[from] rusqlite::Error),
    // Full (disk full), Busy (another writer), Newer (schema of a later version), NotAStore ..
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
    /// What was passed over.
    pub skipped: Vec<SkippedCount>,
}

/// Things passed over for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedCount {
    /// Why.
    pub reason: String,
    /// How often.
    pub count: u64,
    /// Where first, line from 1.
    pub first_line: u64,
}

impl Store {
    /// Opens `health.db`, making it if it is missing. The file is 0600.
    pub fn open(_path: &Path) -> Result<Self, StoreError> {
        todo!()
    }

    /// What the store holds, by type name. Fast: no scan of all rows.
    pub fn types(&self) -> Result<Vec<TypeSummary>, StoreError> {
        todo!()
    }

    /// How many samples there are.
    pub fn count(&self) -> Result<u64, StoreError> {
        todo!()
    }

    /// Position behind which a query with a limit goes on, or `None` when the limit cuts nothing.
    pub fn next_cursor(&self, _query: &Query) -> Result<Option<Cursor>, StoreError> {
        todo!()
    }

    /// Hands the samples of `query` to `sink`, batch by batch (a few thousand rows each), in one
    /// read transaction. `Break` ends the scan early.
    pub fn scan(
        &self,
        _query: &Query,
        _sink: &mut dyn FnMut(SampleBatch) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        todo!()
    }
}

// store::ingest: `Store::import(&mut self, origin: &str, file_name: &str, source: &mut dyn Source,
//   options: &ImportOptions { keep_partial: bool }, progress: &mut dyn FnMut(Progress)) -> Result<Imported, ImportFailed>`
