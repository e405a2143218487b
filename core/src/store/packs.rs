//! Batches that are encoded already: whole stretches of one type, as they travel.
//!
//! ```text
//! health.db ──► rows ──► Arrow messages ──► packs.db
//!     │                                        │
//!     └─ changes behind the place that ────────┴──► Known: the packs that are true of this snapshot
//!        packs.db is as of
//! ```
//!
//! A file of its own that may be deleted at any time. Nobody who writes samples needs to know of it: a pack is
//! true as long as the sequence has no change of its stretch behind the place as of which it was made, and
//! that is looked up by every reader in its own snapshot of the store.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Bound, ControlFlow},
    path::Path,
};

use rusqlite::{
    Connection, OptionalExtension as _, Transaction, TransactionBehavior, params, params_from_iter,
};

use super::{
    Store, StoreError,
    changes::token,
    plan::{Part, Plan, Stretch},
    scan::{Piece, Walk},
    schema::open_private,
};
use crate::{format::packed, query::Query};

/// `HsPk`
const APPLICATION_ID: i64 = 0x4873_506b;
/// Goes up whenever packs look otherwise.
const VERSION: i64 = 1;

const TABLES: &str = "
DROP TABLE IF EXISTS as_of;
DROP TABLE IF EXISTS pack;
DROP TABLE IF EXISTS body;
CREATE TABLE as_of (
  id    INTEGER PRIMARY KEY CHECK (id = 1),
  seq   INTEGER NOT NULL,         -- place in the sequence of health.db
  token BLOB    NOT NULL          -- of whoever took it
) STRICT;
CREATE TABLE pack (
  pack_id  INTEGER PRIMARY KEY,
  kind_id  INTEGER NOT NULL,      -- numbers of health.db
  start_ms INTEGER NOT NULL,      -- first row
  id       BLOB    NOT NULL,
  last_ms  INTEGER NOT NULL,      -- last row
  last_id  BLOB    NOT NULL,
  rows     INTEGER NOT NULL,
  UNIQUE (kind_id, start_ms, id)
) STRICT;
CREATE TABLE body (pack_id INTEGER PRIMARY KEY, messages BLOB NOT NULL) STRICT;
";

/// Where a row stands within its type.
pub(super) type At = (i64, [u8; 16]);

/// The packs of one data folder; one connection.
#[derive(Debug)]
pub struct Packs {
    connection: Connection,
    sizes: Sizes,
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
    at_once: 128,
    changes: 100_000,
};

/// A pack, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pack {
    number: i64,
    pub(super) last: At,
    pub(super) rows: u64,
}

/// Packs that are true of one snapshot of the store, by type and first row.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<(i64, At), Pack>);

impl Packs {
    /// Opens the file, making it (0600) if it is missing, and anew if another version made it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut connection = open_private(path)?;
        let pragma = |connection: &Connection, name| {
            connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
        };
        let known = (APPLICATION_ID, VERSION);
        let found = |connection: &Connection| -> rusqlite::Result<_> {
            Ok((
                pragma(connection, "application_id")?,
                pragma(connection, "user_version")?,
            ))
        };
        if found(&connection)? != known {
            connection.pragma_update(None, "page_size", 64 * 1024)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if found(&transaction)? != known {
                transaction.execute_batch(TABLES)?;
                transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
            }
            transaction.commit()?;
        }
        connection.execute_batch(
            "PRAGMA synchronous = NORMAL;
             PRAGMA cache_size = -1024;
             PRAGMA trusted_schema = OFF;
             PRAGMA journal_size_limit = 1048576;",
        )?;
        Ok(Self {
            connection,
            sizes: SIZES,
        })
    }

    /// Drops what is not true any more and makes some of what is missing; whether there is more to be made.
    pub fn fill(&mut self, store: &Store) -> Result<bool, StoreError> {
        self.renew(store, self.sizes.at_once)
    }

    /// Drops what is not true any more: deleted samples are not kept here either.
    pub fn sweep(&mut self, store: &Store) -> Result<(), StoreError> {
        self.renew(store, 0).map(|_| ())
    }

    fn renew(&mut self, store: &Store, most: usize) -> Result<bool, StoreError> {
        let sizes = self.sizes;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let more = store.snapshot(|store| -> Result<bool, StoreError> {
            let connection = &store.connection;
            let known = known(&transaction, connection, sizes)?;
            drop_others(&transaction, &known)?;
            let seq = place(connection)?;
            if let Some(token) = token(connection, seq)? {
                let sql = "INSERT OR REPLACE INTO as_of VALUES (1, ?1, ?2)";
                transaction.execute(sql, params![seq, token])?;
            } else {
                return Ok(false);
            }
            let mut left = most;
            for part in &Plan::new(connection, &Query::default())?.parts {
                for stretch in known.gaps(part.kind_id) {
                    if left == 0 {
                        return Ok(most > 0);
                    }
                    pack(&transaction, connection, (part, stretch), sizes, &mut left)?;
                }
            }
            Ok(left == 0)
        })?;
        transaction.commit()?;
        Ok(more)
    }

    /// Begins to read: the packs that are true of the store's present snapshot, which the caller holds.
    pub(super) fn read(&self, store: &Connection) -> Result<Reading<'_>, StoreError> {
        let transaction =
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Deferred)?;
        let known = known(&transaction, store, self.sizes)?;
        Ok(Reading { transaction, known })
    }
}

/// One state of the packs.
#[derive(Debug)]
pub(super) struct Reading<'p> {
    transaction: Transaction<'p>,
    pub(super) known: Known,
}

impl Reading<'_> {
    /// The messages of a pack.
    pub(super) fn messages(&self, pack: &Pack) -> Result<Vec<u8>, StoreError> {
        let sql = "SELECT messages FROM body WHERE pack_id = ?1";
        let mut statement = self.transaction.prepare_cached(sql)?;
        Ok(statement.query_row([pack.number], |row| row.get(0))?)
    }
}

impl Known {
    /// The packs of a type that lie within a stretch, with their first rows, in order.
    pub(super) fn within(
        &self,
        kind_id: i64,
        stretch: Stretch,
    ) -> impl Iterator<Item = (At, Pack)> {
        let from = stretch.from_ms.unwrap_or(i64::MIN);
        self.of(kind_id, (from, [0; 16]))
            .skip_while(move |(first, _)| stretch.behind.is_some_and(|behind| *first <= behind))
            .take_while(move |(_, pack)| stretch.reaches(pack.last))
    }

    fn of(&self, kind_id: i64, from: At) -> impl Iterator<Item = (At, Pack)> {
        let rows = (
            Bound::Included((kind_id, from)),
            Bound::Included((kind_id, (i64::MAX, [255; 16]))),
        );
        let found = self.0.range(rows);
        found.map(|((_, first), pack)| (*first, *pack))
    }

    /// What lies before, between and behind the packs of a type.
    fn gaps(&self, kind_id: i64) -> Vec<Stretch> {
        let mut gaps = Vec::new();
        let mut gap = Stretch::default();
        for (first, pack) in self.of(kind_id, (i64::MIN, [0; 16])) {
            gap.before = Some(first);
            gaps.push(gap);
            gap = Stretch {
                behind: Some(pack.last),
                ..Stretch::default()
            };
        }
        gaps.push(gap);
        gaps
    }
}

/// The packs that are true of the store's snapshot.
fn known(packs: &Connection, store: &Connection, sizes: Sizes) -> Result<Known, StoreError> {
    let sql = "SELECT seq, token FROM as_of";
    let as_of = packs.query_row(sql, [], |row| Ok((row.get(0)?, row.get::<_, [u8; 16]>(1)?)));
    let Some((seq, whose)) = as_of.optional()? else {
        return Ok(Known::default());
    };
    // Made by another history, or of a later state than this snapshot.
    if seq > place(store)? || token(store, seq)? != Some(whose) {
        return Ok(Known::default());
    }
    let mut known = BTreeMap::new();
    let mut statement = packs.prepare_cached(
        "SELECT kind_id, start_ms, id, pack_id, last_ms, last_id, rows FROM pack",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let pack = Pack {
            number: row.get(3)?,
            last: (row.get(4)?, row.get(5)?),
            rows: row.get(6)?,
        };
        known.insert((row.get(0)?, (row.get(1)?, row.get(2)?)), pack);
    }
    let mut known = Known(known);
    if !known.0.is_empty() && !known.forget_changed(store, seq, sizes.changes)? {
        known.0.clear();
    }
    Ok(known)
}

impl Known {
    /// Forgets what has changed behind this place; `false`: too much has, or nobody knows what.
    fn forget_changed(
        &mut self,
        store: &Connection,
        seq: i64,
        most: usize,
    ) -> Result<bool, StoreError> {
        let mut changes = 0;
        for sql in [
            // By the index of the sequence, which has the key in it.
            "SELECT kind_id, start_ms, id FROM sample INDEXED BY sample_seq WHERE seq > ?1",
            "SELECT kind_id, start_ms, id FROM tombstone
             WHERE seq > ?1 AND (kind_id IS NOT NULL OR noun IS 'sample')",
        ] {
            let mut statement = store.prepare_cached(sql)?;
            let mut rows = statement.query([seq])?;
            while let Some(row) = rows.next()? {
                changes += 1;
                let kind_id: Option<i64> = row.get(0)?;
                let (Some(kind_id), Some(start_ms)) = (kind_id, row.get(1)?) else {
                    return Ok(false);
                };
                if changes > most {
                    return Ok(false);
                }
                self.forget(kind_id, (start_ms, row.get(2)?));
            }
        }
        Ok(true)
    }

    /// Forgets the pack that holds this place.
    fn forget(&mut self, kind_id: i64, at: At) {
        let before = self.0.range(..=(kind_id, at)).next_back();
        if let Some((&key, pack)) = before
            && key.0 == kind_id
            && at <= pack.last
        {
            self.0.remove(&key);
        }
    }
}

/// The place of the last change.
fn place(store: &Connection) -> Result<i64, StoreError> {
    Ok(store.query_row("SELECT seq FROM counter", [], |row| row.get(0))?)
}

fn drop_others(packs: &Connection, known: &Known) -> Result<(), StoreError> {
    let kept: BTreeSet<i64> = known.0.values().map(|pack| pack.number).collect();
    let mut statement = packs.prepare_cached("SELECT pack_id FROM pack")?;
    let all = statement.query_map([], |row| row.get::<_, i64>(0))?;
    let all = all.collect::<Result<Vec<_>, _>>()?;
    for number in all.iter().filter(|number| !kept.contains(number)) {
        for sql in [
            "DELETE FROM pack WHERE pack_id = ?1",
            "DELETE FROM body WHERE pack_id = ?1",
        ] {
            packs.prepare_cached(sql)?.execute([number])?;
        }
    }
    Ok(())
}

/// Makes packs of the rows of a stretch without any, as many as are left to be made.
fn pack(
    packs: &Connection,
    store: &Connection,
    (part, stretch): (&Part, Stretch),
    sizes: Sizes,
    left: &mut usize,
) -> Result<(), StoreError> {
    if count(store, part, &stretch, sizes.least)? < sizes.least {
        return Ok(());
    }
    let mut walk = Walk::new(store, false, sizes.rows)?;
    let mut made = Ok(());
    let mut keep = |piece: Piece| {
        made = keep(packs, part.kind_id, &piece);
        *left -= 1;
        if made.is_err() || *left == 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    if walk.rows(part, &stretch, &mut keep)?.is_continue() && walk.waiting() >= sizes.least {
        // What the sink says does not matter any more.
        let _ = walk.flush(&mut keep)?;
    }
    made
}

/// How many rows stand there, as far as `most`.
fn count(
    store: &Connection,
    part: &Part,
    stretch: &Stretch,
    most: usize,
) -> Result<usize, StoreError> {
    let (condition, parameters) = stretch.condition(part.kind_id);
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM sample {condition} LIMIT {most})");
    let mut statement = store.prepare_cached(&sql)?;
    Ok(statement.query_row(params_from_iter(&parameters), |row| row.get(0))?)
}

fn keep(packs: &Connection, kind_id: i64, piece: &Piece) -> Result<(), StoreError> {
    let Piece::Rows { batch, first, last } = piece else {
        return Ok(());
    };
    let messages = packed(batch).map_err(|error| {
        StoreError::from(rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    })?;
    let mut body = packs.prepare_cached("INSERT INTO body (messages) VALUES (?1)")?;
    body.execute([messages])?;
    let sql = "INSERT INTO pack VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    packs.prepare_cached(sql)?.execute(params![
        packs.last_insert_rowid(),
        kind_id,
        first.0,
        first.1,
        last.0,
        last.1,
        batch.len(),
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests;
