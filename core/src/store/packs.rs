//! Batches that are encoded already: whole stretches of one type, as they travel.
//!
//! ```text
//! health.db ──► rows ──► Arrow messages ──► packs.db
//!     │                                        │
//!     └─ changes behind the place that ────────┴──► Known: the packs that are true of this snapshot
//!        packs.db is as of
//! ```
//!
//! A file of its own, and never the only place of anything. Nobody who writes samples needs to know of it, as all
//! of them keep the order of writing: a pack is true as long as that has no change of its stretch behind the place
//! as of which the pack was made, and each reader looks that up in its own snapshot of the store.

mod file;
mod known;
mod make;

use std::{cell::RefCell, path::Path, time::Duration};

use rusqlite::{Connection, Transaction, TransactionBehavior, ffi, params};

pub(super) use self::known::Pack;
use self::known::{Known, known};
use super::{
    Store, StoreError,
    changes::token,
    plan::Plan,
    schema::{BUSY_TIMEOUT, empty_log},
    steps,
};
use crate::{batch::SCHEMA_VERSION, query::Query};

/// An answer waits no longer for who writes packs; it does without.
const PATIENCE: Duration = Duration::from_millis(100);

/// Where a row stands within its type.
pub(super) type At = (i64, [u8; 16]);

/// The packs of one data folder; one connection.
#[derive(Debug)]
pub struct Packs {
    connection: Connection,
    sizes: Sizes,
    failure: RefCell<Option<StoreError>>,
}

/// How large packs are.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Rows of a full pack; as many as a batch has.
    rows: usize,
    /// Fewer neighbours are not worth a pack.
    least: usize,
    /// Packs that are made in one transaction.
    at_once: usize,
    /// Behind so many changes nothing is looked for any more.
    changes: usize,
}

const SIZES: Sizes = Sizes {
    rows: 8192,
    least: 2048,
    at_once: 16,
    changes: 100_000,
};

impl Packs {
    /// Opens the file to write it, making it (0600) if it is missing, and anew if another version made it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self::of(file::open(path, BUSY_TIMEOUT)?))
    }

    /// Opens the file to read it; `None`: there is none that can be read.
    pub fn open_to_read(path: &Path) -> Result<Option<Self>, StoreError> {
        Ok(file::open_to_read(path, PATIENCE)?.map(Self::of))
    }

    const fn of(connection: Connection) -> Self {
        Self {
            connection,
            sizes: SIZES,
            failure: RefCell::new(None),
        }
    }

    /// Drops what is not true any more and makes some of what is missing; whether there is more to be made.
    pub fn fill(&mut self, store: &Store) -> Result<bool, StoreError> {
        self.renew(store, self.sizes.at_once)
    }

    /// Drops what is not true any more: deleted samples are not kept here either.
    pub fn sweep(&mut self, store: &Store) -> Result<(), StoreError> {
        self.renew(store, 0)?;
        // Nor in the log, unless somebody still reads an older state.
        Ok(empty_log(&self.connection)?)
    }

    /// What kept a scan from using packs; it used rows then.
    pub fn failure(&self) -> Option<StoreError> {
        self.failure.take()
    }

    fn renew(&mut self, store: &Store, most: usize) -> Result<bool, StoreError> {
        let sizes = self.sizes;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        // The store's snapshot is taken behind the lock, so that states follow each other.
        let more = store.snapshot(|store| -> Result<bool, StoreError> {
            let connection = &store.connection;
            let known = known(&transaction, connection, sizes)?;
            make::drop_others(&transaction, &known)?;
            let seq = place(connection)?;
            let Some(token) = token(connection, seq)? else {
                return Ok(false);
            };
            let sql = "INSERT OR REPLACE INTO as_of VALUES (1, ?1, ?2, ?3, ?4)";
            let as_of = params![seq, token, steps::VERSION, SCHEMA_VERSION];
            transaction.execute(sql, as_of)?;
            let mut left = most;
            for part in &Plan::new(connection, &Query::default())?.parts {
                for stretch in known.gaps(part.kind_id) {
                    if left == 0 {
                        return Ok(most > 0);
                    }
                    make::packs(&transaction, connection, (part, stretch), sizes, &mut left)?;
                }
            }
            Ok(left == 0)
        })?;
        transaction.commit()?;
        Ok(more)
    }

    /// Begins to read: the packs that are true of the store's present snapshot, which the caller holds. `None`
    /// when that cannot be found out.
    pub(super) fn read(&self, store: &Connection) -> Option<Reading<'_>> {
        let begun = Transaction::new_unchecked(&self.connection, TransactionBehavior::Deferred)
            .map_err(StoreError::from)
            .and_then(|transaction| {
                let known = known(&transaction, store, self.sizes)?;
                Ok(Reading {
                    transaction,
                    known,
                    failure: &self.failure,
                })
            });
        begun
            .map_err(|error| self.failure.replace(Some(error)))
            .ok()
    }
}

/// One state of the packs.
#[derive(Debug)]
pub(super) struct Reading<'p> {
    transaction: Transaction<'p>,
    pub(super) known: Known,
    failure: &'p RefCell<Option<StoreError>>,
}

impl Reading<'_> {
    /// The messages of a pack, as they were written; `None` when they cannot be read.
    pub(super) fn messages(&self, kind_id: i64, first: At, pack: &Pack) -> Option<Vec<u8>> {
        let read = || -> Result<Vec<u8>, StoreError> {
            let sql = "SELECT messages FROM body WHERE pack_id = ?1";
            let mut statement = self.transaction.prepare_cached(sql)?;
            let messages: Vec<u8> = statement.query_row([pack.number], |row| row.get(0))?;
            if known::crc(kind_id, first, pack, &messages) != pack.crc {
                let damaged = ffi::Error::new(ffi::SQLITE_CORRUPT);
                return Err(rusqlite::Error::SqliteFailure(damaged, None).into());
            }
            Ok(messages)
        };
        read()
            .map_err(|error| self.failure.replace(Some(error)))
            .ok()
    }
}

/// The place of the last change.
fn place(store: &Connection) -> Result<i64, StoreError> {
    Ok(store.query_row("SELECT seq FROM counter", [], |row| row.get(0))?)
}

#[cfg(test)]
mod tests;
