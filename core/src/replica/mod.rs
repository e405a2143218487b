//! Samples in a SQLite file of a person's own: what `fetch --format sqlite` makes, and the copy that
//! `sync` keeps. Unlike the store they are made to be looked into: texts instead of numbers.

mod mirror;
mod samples;

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::{
    api::Code,
    batch::{SampleBatch, SchemaMismatch},
    format::FormatError,
    report::Hint,
};

pub use self::mirror::{Applied, Mirror, Part, Place, Standing, TotalsDue};

/// Version of the tables, as `PRAGMA user_version` says it.
pub const VERSION: i64 = 1;

/// A file that is being filled. It is whole after [`Database::finish`] only.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    include_metadata: bool,
}

impl Database {
    /// Makes the tables in an empty file, which the caller has made, under a name that nobody
    /// looks at: a process that dies leaves a damaged file, because no journal is kept.
    pub fn create(path: &Path, include_metadata: bool) -> Result<Self, ReplicaError> {
        // No SQLITE_OPEN_URI: a path is a path, also when it begins with `file:`.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.execute_batch(
            "PRAGMA journal_mode = OFF;
             PRAGMA synchronous = OFF;
             PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA cache_size = -8192;",
        )?;
        connection.pragma_update(None, "user_version", VERSION)?;
        connection.execute_batch("BEGIN")?;
        connection.execute_batch(&samples::table(include_metadata))?;
        Ok(Self {
            connection,
            include_metadata,
        })
    }

    /// Adds samples; those that come in the order of the table are quickest.
    pub fn add(&self, batch: &SampleBatch) -> Result<(), ReplicaError> {
        samples::insert(&self.connection, batch, self.include_metadata)
    }

    /// Writes what is held.
    pub fn finish(self) -> Result<(), ReplicaError> {
        self.connection.execute_batch("COMMIT")?;
        let closed = self.connection.close();
        closed.map_err(|(_, error)| error.into())
    }
}

/// A file could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// A batch has other columns than samples have.
    #[error("these are no samples")]
    Columns(#[from] SchemaMismatch),
    /// Another process has written into the copy meanwhile.
    #[error("another process has changed the copy")]
    Moved,
    /// The file is something else, or of another version.
    #[error("the file is no copy that this program keeps")]
    NotACopy,
    /// A file of it could not be made.
    #[error("a file of the copy could not be made")]
    Encode(#[from] FormatError),
    /// A file of it could not be written.
    #[error("a file of the copy could not be written")]
    Write(#[source] std::io::Error),
    /// SQLite refused.
    #[error("the database could not be written")]
    Sqlite(#[from] rusqlite::Error),
}

impl Hint for ReplicaError {
    fn code(&self) -> &'static str {
        self.kind().as_str()
    }

    fn hint(&self) -> Option<String> {
        Some(self.kind().advice().to_owned())
    }
}

impl ReplicaError {
    fn kind(&self) -> Code {
        match self {
            Self::Columns(_) => Code::AnswerDamaged,
            Self::Moved => Code::SyncRunning,
            Self::NotACopy => Code::NotACopy,
            Self::Encode(_) => Code::Internal,
            Self::Write(_) | Self::Sqlite(_) => Code::OutputFailed,
        }
    }
}
