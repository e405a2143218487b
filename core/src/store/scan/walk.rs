//! Walking over the rows of one type after another: rows become batches.

use std::ops::ControlFlow;

use rusqlite::{Connection, Row as SqlRow, params_from_iter};

use super::Piece;
use crate::{
    batch::{BatchBuilder, More, Row},
    query::Cursor,
    store::{
        Scanned, StoreError,
        lookup::{Lookup, SharedTexts},
        packs::{At, Pack},
        plan::{Part, Stretch},
    },
};

/// Rows become batches.
pub(in crate::store) struct Walk<'c> {
    connection: &'c Connection,
    builder: BatchBuilder,
    lookups: Lookups<'c>,
    /// Rows of a batch whose texts are its own; `None`: a batch has those of the batches before it, too.
    separate: Option<usize>,
    /// Samples that the limit still lets through.
    pub(super) left: u64,
    /// Samples to pass over first.
    pub(super) skip: u64,
    pub(super) scanned: Scanned,
    /// Places of the first row of the next batch and of the last one.
    first: Option<At>,
    pub(super) at: At,
    /// Position of the last sample that the limit let through, once it lets none through.
    last: Option<Cursor>,
}

/// Columns of `sample` that every row needs, in the order in which they are stored.
const COLUMNS: &str = "start_ms, id, end_ms, source_id, unit_id, value, category_id";
/// Those on demand.
const MORE_COLUMNS: &str = ", origin_id, device_id, created_ms, metadata_id, metadata";

impl<'c> Walk<'c> {
    /// Of batches of so many rows, without a limit.
    pub(in crate::store) fn new(
        connection: &'c Connection,
        include_metadata: bool,
        batch_rows: usize,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            connection,
            builder: BatchBuilder::new(include_metadata, batch_rows),
            lookups: Lookups::new(connection)?,
            separate: None,
            left: u64::MAX,
            skip: 0,
            scanned: Scanned::default(),
            first: None,
            at: (0, [0; 16]),
            last: None,
        })
    }

    /// Of batches that know no texts but those of their own rows, without the columns on demand.
    pub(in crate::store) fn separate(
        connection: &'c Connection,
        batch_rows: usize,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            separate: Some(batch_rows),
            ..Self::new(connection, false, batch_rows)?
        })
    }

    /// Rows that wait for their batch.
    pub(in crate::store) fn waiting(&self) -> usize {
        self.builder.len()
    }

    /// Goes through the rows of a part that stand in this stretch of it.
    pub(in crate::store) fn rows(
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
        let mut kind = self.builder.kinds.add(&part.kind);
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
            if self.builder.is_full() {
                if self.flush(sink)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                kind = self.builder.kinds.add(&part.kind);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Hands on a pack; what was gone through before was flushed.
    pub(super) fn pass(
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
    pub(in crate::store) fn flush(
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
        if let Some(batch_rows) = self.separate {
            self.builder = BatchBuilder::new(false, batch_rows);
            self.lookups = Lookups::new(self.connection)?;
        }
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
