//! Inserting many records by one statement.
//!
//! A statement that inserts one row looks for its place from the root of the tree. Within one statement the
//! place of the row before is the place of the next, as long as a file brings records in order. So records that
//! are probably new wait for each other.

use std::mem;

use rusqlite::{OptionalExtension, params};

use super::{
    names::Names,
    row::{Row, stored},
    samples::Samples,
};

/// How many are inserted together.
pub(super) const TOGETHER: usize = 32;

/// So much metadata waits for nobody.
pub(super) const METADATA_BYTES: usize = 1 << 20;

/// Columns that differ from row to row.
const COLUMNS: usize = 15;

/// A row's own number, and its place in the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) row: i64,
    pub(super) seq: i64,
}

/// The statement for [`TOGETHER`] rows of one origin and format.
pub(super) fn insert_many(origin_id: i64, format_id: i64) -> String {
    let row = format!("({origin_id}, {format_id}{})", ", ?".repeat(COLUMNS));
    let rows = vec![row; TOGETHER].join(", ");
    format!(
        "INSERT OR IGNORE INTO sample (
             origin_id, format_id, kind_id, start_ms, id, end_ms, row, seq, source_id, unit_id,
             tolerance_id, value, category_id, device_id, created_ms, metadata_id, metadata)
         VALUES {rows}"
    )
}

impl Samples<'_> {
    /// Numbers for the next row. Places of the sequence are never used later than others behind them.
    pub(super) fn number(&mut self) -> Number {
        self.seq += 1;
        let row = self.spare.pop().unwrap_or_else(|| {
            self.rows += 1;
            self.rows
        });
        Number { row, seq: self.seq }
    }

    /// Takes numbers back that no row has.
    pub(super) fn give_back(&mut self, number: Number) {
        if number.seq == self.seq {
            self.seq -= 1;
        }
        if number.row == self.rows {
            self.rows -= 1;
        } else {
            self.spare.push(number.row);
        }
    }

    /// Takes what waits.
    pub(super) fn flush(&mut self, names: &mut Names<'_>) -> rusqlite::Result<()> {
        let mut rows = mem::take(&mut self.pending);
        self.pending_bytes = 0;
        if self.expects_known {
            self.meet_together(&rows, names)?;
        } else if rows.len() < TOGETHER {
            for row in &rows {
                if !self.insert(row, 0)? {
                    self.take_known(row, names)?;
                }
            }
        } else {
            self.insert_together(&rows, names)?;
        }
        rows.clear();
        self.pending = rows;
        self.written.keep_full(self.connection)
    }

    fn insert_together(&mut self, rows: &[Row], names: &mut Names<'_>) -> rusqlite::Result<()> {
        let mut numbers = Vec::with_capacity(rows.len());
        let mut at = 0;
        for row in rows {
            let number = self.number();
            numbers.push(number);
            let Row {
                kind_id,
                start_ms,
                key,
                end_ms,
                source_id,
                device_id,
                created_ms,
                metadata_id,
                metadata,
                content,
                origin_id: _,
            } = row;
            let values = params![
                kind_id,
                start_ms,
                key.id(0),
                end_ms,
                number.row,
                number.seq,
                source_id,
                content.unit_id,
                content.tolerance_id,
                content.value,
                content.category_id,
                device_id,
                created_ms,
                metadata_id,
                metadata,
            ];
            for value in values {
                at += 1;
                self.insert_many.raw_bind_parameter(at, value)?;
            }
        }
        let inserted = self.insert_many.raw_execute()?;
        if inserted == rows.len() {
            for (row, number) in rows.iter().zip(numbers) {
                self.inserted(row, 0, number);
            }
            return Ok(());
        }
        // Some were there already, or stand in the list twice: those whose number is not in the
        // table were not inserted.
        let mut left = Vec::new();
        for (row, number) in rows.iter().zip(numbers).rev() {
            let place = params![row.kind_id, row.start_ms, row.key.id(0)];
            let found = self.find.query_row(place, stored).optional()?;
            if found.is_some_and(|found| found.row == number.row) {
                self.inserted(row, 0, number);
            } else {
                self.give_back(number);
                left.push(row);
            }
        }
        for row in left.into_iter().rev() {
            self.take_known(row, names)?;
        }
        Ok(())
    }

    /// A new row stands in the table.
    pub(super) fn inserted(&mut self, row: &Row, ordinal: u32, number: Number) {
        self.met.insert(number.row);
        let id = row.key.id(ordinal);
        self.written.add(number.seq, row.kind_id, row.start_ms, id);
        self.counts.new += 1;
        let added = self.added.entry((row.kind_id, row.origin_id)).or_default();
        added.samples += 1;
        let length = row.end_ms.saturating_sub(row.start_ms);
        added.longest_ms = added.longest_ms.max(length);
    }
}
