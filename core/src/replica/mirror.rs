//! A copy that follows a server: what `sync` keeps.
//!
//! Rows and the cursor up to which they go are written in one transaction, so a process that is
//! killed at any place goes on where it was. When the server's history starts anew, the new rows are
//! gathered beside the old ones, which stay readable, and take their place in one transaction.
//!
//! ```text
//! page ──► apply ──► samples, workouts, ..          cursor
//!     └──► (history starts anew) staged_samples, ..  staged cursor ──► swap
//! ```
//!
//! What people look into is in [`tables`]; the rest is `sync_state`. A copy that is kept as files, too,
//! notes in [`parts`] which of them are due.

mod columns;
mod parts;
mod rows;
mod series;
mod tables;
mod totals;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

pub use self::{
    parts::{Part, Place},
    totals::TotalsDue,
};
use super::ReplicaError;
use crate::change::ChangeBatch;

/// `HsRp`: tells a copy from any other SQLite database.
const APPLICATION_ID: i64 = 0x4873_5270;
/// Version of the tables.
const VERSION: i64 = 3;
/// Of the tables before the samples were counted.
const WITHOUT_COUNTS: i64 = 2;
/// Of the tables before there were series.
const WITHOUT_SERIES: i64 = 1;

/// How long another program that writes into the copy is waited for.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// A copy; one process writes it.
#[derive(Debug)]
pub struct Mirror {
    connection: Connection,
}

/// SQLite takes a link anywhere in a path for one that it must not follow: only the file's own
/// counts.
fn resolved(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| {
        let is_here = folder.as_os_str().is_empty();
        let folder = if is_here { Path::new(".") } else { folder };
        folder.canonicalize().ok()
    });
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// Where a copy stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The pair whose copy it is; empty before the first page.
    pub pair: String,
    /// Up to where the readable rows go; `None`: there are none yet.
    pub cursor: Option<String>,
    /// A full copy is being gathered beside them.
    pub is_staging: bool,
    /// Up to where that one goes.
    pub staged_cursor: Option<String>,
}

impl Standing {
    /// Where the next page begins.
    pub fn after(&self) -> Option<&str> {
        if self.is_staging {
            self.staged_cursor.as_deref()
        } else {
            self.cursor.as_deref()
        }
    }
}

/// What a page did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Things written, new or again.
    pub written: u64,
    /// Things taken away.
    pub deleted: u64,
    /// The earliest start of a sample among them, milliseconds UTC; the least number if it is not
    /// known of one.
    pub from_ms: Option<i64>,
    /// By how many samples the table grew.
    grown: i64,
}

impl Applied {
    fn touch(&mut self, start_ms: i64) {
        self.from_ms = Some(self.from_ms.map_or(start_ms, |from| from.min(start_ms)));
    }
}

impl Mirror {
    /// Opens a copy, or makes one in an empty file, which the caller has made; the file is no link.
    pub fn open(path: &Path) -> Result<Self, ReplicaError> {
        // No SQLITE_OPEN_URI: a path is a path, also when it begins with `file:`.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut connection = Connection::open_with_flags(resolved(path), flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        let pragma = |connection: &Connection, name: &str| {
            connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
        };
        let id = pragma(&connection, "application_id").map_err(|_| ReplicaError::NotACopy)?;
        if id != APPLICATION_ID {
            let held: i64 =
                connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if id != 0 || held != 0 {
                return Err(ReplicaError::NotACopy);
            }
            connection.pragma_update(None, "journal_mode", "wal")?;
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(&tables::all())?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.commit()?;
        }
        let version = pragma(&connection, "user_version")?;
        if ![VERSION, WITHOUT_COUNTS, WITHOUT_SERIES].contains(&version) {
            return Err(ReplicaError::NotACopy);
        }
        connection.execute_batch(
            "PRAGMA synchronous = NORMAL;
             PRAGMA cache_size = -8192;
             PRAGMA recursive_triggers = ON;
             PRAGMA trusted_schema = OFF;",
        )?;
        if parts::are_kept(&connection)? {
            parts::rows_come_first(&connection)?;
        }
        let mut mirror = Self { connection };
        if version != VERSION {
            mirror.bring_up_to_date()?;
        }
        Ok(mirror)
    }

    /// Gives an older copy what this version keeps.
    fn bring_up_to_date(&mut self) -> Result<(), ReplicaError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have done it meanwhile.
        let version: i64 =
            transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version != VERSION {
            transaction.execute_batch(tables::COUNTS)?;
        }
        if version == WITHOUT_SERIES {
            // The server tells series with their documents, so a copy without them is made again.
            transaction.execute_batch(&series::tables(""))?;
            begin_anew(&transaction)?;
        } else if standing(&transaction)?.is_staging {
            transaction.execute_batch(&tables::count(tables::STAGED))?;
        }
        if version != VERSION {
            transaction.execute_batch(&tables::count(""))?;
        }
        transaction.pragma_update(None, "user_version", VERSION)?;
        Ok(transaction.commit()?)
    }

    /// Where it stands.
    pub fn standing(&self) -> Result<Standing, ReplicaError> {
        standing(&self.connection)
    }

    /// Begins a full copy beside the readable rows; what an earlier one has gathered is dropped.
    pub fn begin_anew(&mut self) -> Result<(), ReplicaError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        begin_anew(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// Takes a page: rows and cursor in one transaction. `before` is where the copy must stand: if it
    /// does not, another process has moved it, and nothing is changed. With the last page of a full
    /// copy, its rows take the place of the old ones.
    pub fn apply(
        &mut self,
        pair: &str,
        before: &Standing,
        batches: &[ChangeBatch],
        (next, has_more): (&str, bool),
    ) -> Result<Applied, ReplicaError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if standing(&transaction)? != *before {
            return Err(ReplicaError::Moved);
        }
        let prefix = if before.is_staging {
            tables::STAGED
        } else {
            ""
        };
        let mut applied = Applied::default();
        for batch in batches {
            rows::apply(&transaction, prefix, batch, &mut applied)?;
        }
        if applied.grown != 0 {
            let sql = format!("UPDATE sync_state SET {prefix}samples = {prefix}samples + ?1");
            transaction.execute(&sql, [applied.grown])?;
        }
        if before.is_staging {
            transaction.execute("UPDATE sync_state SET staged_cursor = ?1", [next])?;
            if !has_more {
                transaction.execute_batch(&tables::swap())?;
                // Those of types that may no longer be read must not stay until others are there.
                transaction.execute("DELETE FROM daily_totals", [])?;
                if parts::are_kept(&transaction)? {
                    parts::begin_anew(&transaction)?;
                }
                transaction.execute(
                    "UPDATE sync_state SET cursor = staged_cursor, staged_cursor = NULL,
                                           samples = staged_samples, staged_samples = 0,
                                           is_staging = 0, pair = ?1, totals_from_ms = ?2",
                    params![pair, i64::MIN],
                )?;
            }
        } else {
            transaction.execute(
                "UPDATE sync_state SET cursor = ?1, pair = ?2,
                   totals_from_ms = CASE WHEN ?3 IS NULL THEN totals_from_ms
                                         ELSE min(?3, coalesce(totals_from_ms, ?3)) END",
                params![next, pair, applied.from_ms],
            )?;
        }
        transaction.commit()?;
        Ok(applied)
    }

    /// How many samples are readable, as [`Mirror::apply`] has counted.
    pub fn samples(&self) -> Result<u64, ReplicaError> {
        let sql = "SELECT samples FROM sync_state";
        let count: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

fn begin_anew(connection: &Connection) -> Result<(), ReplicaError> {
    connection.execute_batch(&tables::drop_staged())?;
    // Without rows there is nothing to be kept readable meanwhile.
    let has_rows = standing(connection)?.cursor.is_some();
    if has_rows {
        connection.execute_batch(&tables::make_staged())?;
    }
    connection.execute(
        "UPDATE sync_state SET is_staging = ?1, staged_cursor = NULL, staged_samples = 0",
        [has_rows],
    )?;
    Ok(())
}

fn standing(connection: &Connection) -> Result<Standing, ReplicaError> {
    let sql = "SELECT pair, cursor, is_staging, staged_cursor FROM sync_state";
    let found = connection
        .query_row(sql, [], |row| {
            Ok(Standing {
                pair: row.get(0)?,
                cursor: row.get(1)?,
                is_staging: row.get(2)?,
                staged_cursor: row.get(3)?,
            })
        })
        .optional()?;
    found.ok_or(ReplicaError::NotACopy)
}

#[cfg(test)]
mod tests;
