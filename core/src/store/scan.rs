//! Answering queries: what there is, and samples in the order (type, start, id).
//!
//! One statement a type walks the clustered table from the first row of the answer to its last,
//! so memory is that of one batch, and a page costs as much as its rows, wherever it begins.

mod walk;

use std::ops::ControlFlow;

use rusqlite::{Connection, Transaction, TransactionBehavior, params_from_iter};

pub(super) use self::walk::Walk;
use super::{
    Packs, Scanned, Store, StoreError, TypeSummary,
    packs::Reading,
    plan::{Part, Plan, Stretch},
};
use crate::{
    batch::SampleBatch,
    query::{Cursor, Query},
};

/// Rows of a full batch: about a megabyte, less than a hundredth of a second's work.
const BATCH_ROWS: usize = 8192;

impl Store {
    /// What the store holds, by type name. Fast: no scan of all rows.
    pub fn types(&self) -> Result<Vec<TypeSummary>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT kind.name, kind.unit, sum(tally.samples),
                    (SELECT start_ms FROM sample WHERE kind_id = kind.id
                     ORDER BY start_ms ASC LIMIT 1),
                    (SELECT start_ms FROM sample WHERE kind_id = kind.id
                     ORDER BY start_ms DESC LIMIT 1)
             FROM kind JOIN tally ON tally.kind_id = kind.id
             GROUP BY kind.id HAVING sum(tally.samples) > 0 ORDER BY kind.name",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(TypeSummary {
                kind: row.get(0)?,
                unit: row.get(1)?,
                count: unsigned(row.get(2)?),
                first_ms: row.get::<_, Option<i64>>(3)?.unwrap_or_default(),
                last_ms: row.get::<_, Option<i64>>(4)?.unwrap_or_default(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many samples there are.
    pub fn count(&self) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(sum(samples), 0) FROM tally";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(unsigned(statement.query_row([], |row| row.get(0))?))
    }

    /// Runs `work` on one state of the store: an import that ends meanwhile is not seen. A page
    /// and its [`Store::next_cursor`] belong together in one snapshot.
    pub fn snapshot<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = self.read_transaction()?;
        let result = work(self);
        drop(transaction);
        result
    }

    /// Position behind which a query with a limit goes on, or `None` when the limit cuts nothing.
    pub fn next_cursor(&self, query: &Query) -> Result<Option<Cursor>, StoreError> {
        let Some(limit) = query.limit.filter(|limit| *limit > 0) else {
            return Ok(None);
        };
        let _snapshot = self.read_transaction()?;
        let mut before = query.offset.saturating_add(limit);
        let mut last = None;
        for part in Plan::new(&self.connection, query)?.parts {
            if last.is_some() {
                if count(&self.connection, &part, 1)? > 0 {
                    return Ok(last);
                }
                continue;
            }
            // One more than fits, to see whether there is one.
            let rows = count(&self.connection, &part, before.saturating_add(1))?;
            if rows >= before {
                last = Some(nth(&self.connection, &part, before)?);
                if rows > before {
                    return Ok(last);
                }
            } else {
                before -= rows;
            }
        }
        Ok(None)
    }

    /// Hands the samples of `query` to `sink`, batch by batch (a few thousand rows each), in one
    /// read transaction. `Break` ends the scan early.
    pub fn scan(
        &self,
        query: &Query,
        sink: &mut dyn FnMut(SampleBatch) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        self.scan_packed(query, None, &mut |piece| match piece {
            Piece::Rows { batch, .. } => sink(batch),
            // There are no packs.
            Piece::Packed { .. } => ControlFlow::Continue(()),
        })
    }

    /// The same, with packs in place of the rows that they hold; packs are without the columns on demand.
    pub fn scan_packed(
        &self,
        query: &Query,
        packs: Option<&Packs>,
        sink: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        let _snapshot = self.read_transaction()?;
        let plan = Plan::new(&self.connection, query)?;
        let packs = packs.filter(|_| !query.include_metadata);
        let mut scan = Scan {
            walk: Walk::new(&self.connection, query.include_metadata, BATCH_ROWS)?,
            // Begun behind the snapshot: packs of a later state are not taken.
            packs: packs.and_then(|packs| packs.read(&self.connection)),
        };
        scan.walk.left = query.limit.unwrap_or(u64::MAX);
        scan.walk.skip = query.offset;
        for part in &plan.parts {
            if scan.part(part, sink)?.is_break() {
                return Ok(scan.walk.scanned);
            }
        }
        // The sink's answer does not matter any more: this was the last batch.
        let _ = scan.walk.flush(sink)?;
        Ok(scan.walk.scanned)
    }

    /// A read transaction, unless the caller holds one already.
    fn read_transaction(&self) -> Result<Option<Transaction<'_>>, StoreError> {
        if !self.connection.is_autocommit() {
            return Ok(None);
        }
        let transaction =
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Deferred)?;
        Ok(Some(transaction))
    }
}

/// How many rows a part has, as far as `most`.
fn count(connection: &Connection, part: &Part, most: u64) -> Result<u64, StoreError> {
    if let Some(rows) = part.known_rows {
        return Ok(rows);
    }
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM sample {} LIMIT {})",
        part.condition,
        i64::try_from(most).unwrap_or(i64::MAX)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_row(params_from_iter(&part.parameters), |row| row.get(0))?;
    Ok(unsigned(rows))
}

/// SQLite counts with a sign.
pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// Position of the row at `ordinal`, counted from 1.
fn nth(connection: &Connection, part: &Part, ordinal: u64) -> Result<Cursor, StoreError> {
    let sql = format!(
        "SELECT start_ms, id FROM sample {} ORDER BY start_ms, id LIMIT 1 OFFSET {}",
        part.condition,
        i64::try_from(ordinal).unwrap_or(i64::MAX).saturating_sub(1)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(
        statement.query_row(params_from_iter(&part.parameters), |row| {
            Ok(Cursor {
                kind: part.kind.clone(),
                start_ms: row.get(0)?,
                id: row.get(1)?,
            })
        })?,
    )
}

/// What a scan hands on.
#[derive(Debug)]
pub enum Piece {
    /// Rows, with the places of the first and the last of them if they are of one type.
    Rows {
        /// The rows.
        batch: SampleBatch,
        /// Start and id of the first row.
        first: (i64, [u8; 16]),
        /// Of the last row.
        last: (i64, [u8; 16]),
    },
    /// Rows that are messages of an Arrow stream already, with the dictionaries that they need.
    Packed {
        /// How many.
        rows: u64,
        /// The messages.
        messages: Vec<u8>,
    },
}

/// One scan: rows, and packs where there are some.
struct Scan<'c> {
    walk: Walk<'c>,
    packs: Option<Reading<'c>>,
}

impl Scan<'_> {
    /// Goes through one type.
    fn part(
        &mut self,
        part: &Part,
        sink: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let walk = &mut self.walk;
        if walk.skip > 0
            && let Some(rows) = part.known_rows.filter(|rows| *rows <= walk.skip)
        {
            walk.skip -= rows;
            return Ok(ControlFlow::Continue(()));
        }
        let mut stretch = part.stretch;
        let packs = self.packs.iter().filter(|_| part.is_whole);
        for packs in packs {
            for (first, pack) in packs.known.within(part.kind_id, stretch) {
                // With a page's edge in it, its rows are gone through one by one.
                if walk.skip > 0 || walk.left < pack.rows {
                    break;
                }
                let gap = Stretch {
                    before: Some(first),
                    ..stretch
                };
                let left = walk.left;
                if walk.rows(part, &gap, sink)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                if walk.left < left {
                    walk.scanned.loose += left - walk.left;
                    stretch.behind = Some(walk.at);
                }
                if walk.left < pack.rows {
                    break;
                }
                if walk.flush(sink)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                let Some(messages) = packs.messages(part.kind_id, first, &pack) else {
                    break;
                };
                if walk.pass(part, &pack, messages, sink).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                stretch.behind = Some(pack.last);
            }
        }
        let (left, skip) = (walk.left, walk.skip);
        let flow = walk.rows(part, &stretch, sink)?;
        if part.is_whole && skip == 0 {
            walk.scanned.loose += left - walk.left;
        }
        Ok(flow)
    }
}

#[cfg(test)]
mod tests;
