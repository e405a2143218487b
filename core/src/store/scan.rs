//! Answering queries: what there is, and samples in the order (type, start, id).
//!
//! One statement a type walks the clustered table from the first row of the answer to its last,
//! so memory is that of one batch, and a page costs as much as its rows, wherever it begins.

use std::ops::ControlFlow;

use rusqlite::{Connection, Row as SqlRow, Transaction, TransactionBehavior, params_from_iter};

use super::{
    Scanned, Store, StoreError, TypeSummary,
    lookup::{Lookup, SharedTexts},
    plan::{Part, Plan},
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
        let _snapshot = self.read_transaction()?;
        let plan = Plan::new(&self.connection, query)?;
        let mut scan = Scan {
            builder: BatchBuilder::new(query.include_metadata, BATCH_ROWS),
            lookups: Lookups::new(&self.connection)?,
            left: query.limit.unwrap_or(u64::MAX),
            skip: query.offset,
            scanned: Scanned::default(),
            last: None,
        };
        for part in &plan.parts {
            if scan.part(&self.connection, part, sink)?.is_break() {
                return Ok(scan.scanned);
            }
        }
        if scan.builder.len() > 0 {
            // The sink's answer does not matter any more: this was the last batch.
            let _ = scan.flush(sink)?;
        }
        Ok(scan.scanned)
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

/// The state of one scan.
struct Scan<'c> {
    builder: BatchBuilder,
    lookups: Lookups<'c>,
    /// Samples that the limit still lets through.
    left: u64,
    /// Samples to pass over first.
    skip: u64,
    scanned: Scanned,
    /// Position of the last sample that the limit let through, once it lets none through.
    last: Option<Cursor>,
}

/// Columns of `sample` that every row needs, in the order in which they are stored.
const COLUMNS: &str = "start_ms, id, end_ms, source_id, unit_id, value, category_id";
/// Those on demand.
const MORE_COLUMNS: &str = ", origin_id, device_id, created_ms, metadata_id, metadata";

impl Scan<'_> {
    /// Walks one type.
    fn part(
        &mut self,
        connection: &Connection,
        part: &Part,
        sink: &mut dyn FnMut(SampleBatch) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        if self.skip > 0
            && let Some(rows) = part.known_rows.filter(|rows| *rows <= self.skip)
        {
            self.skip -= rows;
            return Ok(ControlFlow::Continue(()));
        }
        let more = self.builder.more().map_or("", |_| MORE_COLUMNS);
        let sql = format!(
            "SELECT {COLUMNS}{more} FROM sample {} ORDER BY start_ms, id",
            part.condition
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(&part.parameters))?;
        let kind = self.builder.kinds.add(&part.kind);
        while let Some(row) = rows.next()? {
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            if self.left == 0 {
                // This one is behind the limit.
                self.scanned.next_cursor = self.last.take();
                if self.builder.len() > 0 {
                    let _ = self.flush(sink)?;
                }
                return Ok(ControlFlow::Break(()));
            }
            let (start_ms, id) = self.push(row, kind)?;
            self.left -= 1;
            if self.left == 0 {
                self.last = Some(Cursor {
                    kind: part.kind.clone(),
                    start_ms,
                    id,
                });
            }
            if self.builder.is_full() && self.flush(sink)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn push(&mut self, row: &SqlRow<'_>, kind: i32) -> Result<(i64, [u8; 16]), StoreError> {
        let (start_ms, id) = (row.get(0)?, row.get(1)?);
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
        Ok((start_ms, id))
    }

    fn flush(
        &mut self,
        sink: &mut dyn FnMut(SampleBatch) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        // The builder keeps its columns equally long, so this does not fail; if it ever does, it
        // is told as what it is: a value that could not be converted.
        let batch = self.builder.take().map_err(|error| {
            StoreError::from(rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
        })?;
        self.scanned.count += u64::try_from(batch.len()).unwrap_or_default();
        Ok(sink(batch))
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
