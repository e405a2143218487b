//! Answering queries: what there is, and samples in the order (type, start, id).
//!
//! One statement a type walks the clustered table from the first row of the answer to its last,
//! so memory is that of one batch, and a page costs as much as its rows, wherever it begins.

use std::ops::ControlFlow;

use rusqlite::{Connection, Row as SqlRow, Transaction, TransactionBehavior, params_from_iter};

use super::{
    Packs, Scanned, Store, StoreError, TypeSummary,
    lookup::{Lookup, SharedTexts},
    packs::{At, Pack, Reading},
    plan::{Part, Plan, Stretch},
};
use crate::{
    batch::{BatchBuilder, More, Row, SampleBatch},
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
            packs: packs
                .map(|packs| packs.read(&self.connection))
                .transpose()?,
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
                    stretch.behind = Some(walk.at);
                }
                if walk.left < pack.rows {
                    break;
                }
                if walk.flush(sink)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                let messages = packs.messages(&pack)?;
                if walk.pass(part, &pack, messages, sink).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                stretch.behind = Some(pack.last);
            }
        }
        walk.rows(part, &stretch, sink)
    }
}

/// Rows become batches.
pub(super) struct Walk<'c> {
    connection: &'c Connection,
    builder: BatchBuilder,
    lookups: Lookups<'c>,
    /// Samples that the limit still lets through.
    left: u64,
    /// Samples to pass over first.
    skip: u64,
    scanned: Scanned,
    /// Places of the first row of the next batch and of the last one.
    first: Option<At>,
    at: At,
    /// Position of the last sample that the limit let through, once it lets none through.
    last: Option<Cursor>,
}

/// Columns of `sample` that every row needs, in the order in which they are stored.
const COLUMNS: &str = "start_ms, id, end_ms, source_id, unit_id, value, category_id";
/// Those on demand.
const MORE_COLUMNS: &str = ", origin_id, device_id, created_ms, metadata_id, metadata";

impl<'c> Walk<'c> {
    /// Of batches of so many rows, without a limit.
    pub(super) fn new(
        connection: &'c Connection,
        include_metadata: bool,
        batch_rows: usize,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            connection,
            builder: BatchBuilder::new(include_metadata, batch_rows),
            lookups: Lookups::new(connection)?,
            left: u64::MAX,
            skip: 0,
            scanned: Scanned::default(),
            first: None,
            at: (0, [0; 16]),
            last: None,
        })
    }

    /// Rows that wait for their batch.
    pub(super) fn waiting(&self) -> usize {
        self.builder.len()
    }

    /// Goes through the rows of a part that stand in this stretch of it.
    pub(super) fn rows(
        &mut self,
        part: &Part,
        stretch: &Stretch,
        sink: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let more = self.builder.more().map_or("", |_| MORE_COLUMNS);
        let gap;
        let (condition, parameters) = if *stretch == part.stretch {
            (&part.condition, &part.parameters)
        } else {
            gap = stretch.condition(part.kind_id);
            (&gap.0, &gap.1)
        };
        let sql = format!("SELECT {COLUMNS}{more} FROM sample {condition} ORDER BY start_ms, id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(parameters))?;
        let kind = self.builder.kinds.add(&part.kind);
        while let Some(row) = rows.next()? {
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            if self.left == 0 {
                // This one is behind the limit.
                self.scanned.next_cursor = self.last.take();
                let _ = self.flush(sink)?;
                return Ok(ControlFlow::Break(()));
            }
            self.push(row, kind)?;
            self.pay(part, 1, self.at);
            if self.builder.is_full() && self.flush(sink)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Hands on a pack; what was gone through before was flushed.
    fn pass(
        &mut self,
        part: &Part,
        pack: &Pack,
        messages: Vec<u8>,
        sink: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.pay(part, pack.rows, pack.last);
        self.scanned.count += pack.rows;
        self.scanned.packed += pack.rows;
        sink(Piece::Packed {
            rows: pack.rows,
            messages,
        })
    }

    /// Takes rows from what the limit lets through.
    fn pay(&mut self, part: &Part, rows: u64, (start_ms, id): At) {
        self.left -= rows;
        if self.left == 0 {
            self.last = Some(Cursor {
                kind: part.kind.clone(),
                start_ms,
                id,
            });
        }
    }

    fn push(&mut self, row: &SqlRow<'_>, kind: i32) -> Result<(), StoreError> {
        let (start_ms, id) = (row.get(0)?, row.get(1)?);
        self.at = (start_ms, id);
        self.first = self.first.or(Some(self.at));
        let builder = &mut self.builder;
        let sample = Row {
            id,
            kind,
            start_ms,
            end_ms: row.get(2)?,
            source: self.lookups.source.key(row.get(3)?, &mut builder.sources)?,
            unit: self.lookups.unit.key(row.get(4)?, &mut builder.units)?,
            value: row.get(5)?,
            category: match row.get(6)? {
                Some(id) => Some(self.lookups.category.key(id, &mut builder.categories)?),
                None => None,
            },
        };
        builder.push(&sample);
        if let Some(more) = builder.more() {
            let origin = self.lookups.origin.key(row.get(7)?, &mut more.origins)?;
            let device = match row.get(8)? {
                Some(id) => Some(self.lookups.device.key(id, &mut more.devices)?),
                None => None,
            };
            let metadata = match row.get(10)? {
                Some(id) => Some(self.lookups.metadata.text(id)?),
                None => row
                    .get_ref(11)?
                    .as_str_or_null()
                    .map_err(rusqlite::Error::from)?,
            };
            more.push(&More {
                origin,
                device,
                created_ms: row.get(9)?,
                metadata,
            });
        }
        Ok(())
    }

    /// Hands on the rows that wait, if there are some.
    pub(super) fn flush(
        &mut self,
        sink: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let Some(first) = self.first.take() else {
            return Ok(ControlFlow::Continue(()));
        };
        // The builder keeps its columns equally long, so this does not fail; if it ever does, it
        // is told as what it is: a value that could not be converted.
        let batch = self.builder.take().map_err(|error| {
            StoreError::from(rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
        })?;
        self.scanned.count += u64::try_from(batch.len()).unwrap_or_default();
        Ok(sink(Piece::Rows {
            batch,
            first,
            last: self.at,
        }))
    }
}

/// What the numbers in a row stand for.
struct Lookups<'c> {
    source: Lookup<'c>,
    unit: Lookup<'c>,
    category: Lookup<'c>,
    origin: Lookup<'c>,
    device: Lookup<'c>,
    metadata: SharedTexts<'c>,
}

impl<'c> Lookups<'c> {
    fn new(connection: &'c Connection) -> Result<Self, StoreError> {
        Ok(Self {
            source: Lookup::new(connection, "SELECT name FROM source WHERE id = ?1")?,
            unit: Lookup::new(connection, "SELECT name FROM unit WHERE id = ?1")?,
            category: Lookup::new(connection, "SELECT name FROM category WHERE id = ?1")?,
            origin: Lookup::new(connection, "SELECT name FROM origin WHERE id = ?1")?,
            device: Lookup::new(connection, "SELECT name FROM device WHERE id = ?1")?,
            metadata: SharedTexts::new(connection, "SELECT text FROM metadata WHERE id = ?1")?,
        })
    }
}

#[cfg(test)]
mod tests;
