//! Finding the row that an incoming record is.
//!
//! A record takes a stored row of its key with an equal value that this file has not met yet, else
//! any unmet one of that key (then it is an update), else the next ordinal. Which rows stay unmet
//! is known only when the file ends: a record that equals no row could otherwise take one that a
//! later record of the same file equals. So records that would be updates are parked in a
//! temporary table, and settled at the end.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Statement, params};

use super::{
    known::{LOOKED_AT, WITHIN},
    met::Met,
    names::Names,
    pending::{METADATA_BYTES, TOGETHER, insert_many},
    row::{Described, Row, Stored, half, row_of, stored},
};
use crate::{
    identity::{self, Id, Key, MAX_ORDINAL},
    sample::Sample,
    store::written::Recorder,
};

/// More rows of one key than this are compared at the end only, in one sorted pass; comparing
/// each with each would let a hostile file take hours.
pub(super) const CHAIN: usize = 64;

/// What became of the records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) read: u64,
    pub(super) new: u64,
    pub(super) updated: u64,
    pub(super) unchanged: u64,
}

/// The new samples of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Added {
    pub(super) samples: i64,
    /// From start to end, at most.
    pub(super) longest_ms: i64,
}

/// Writes the samples of one file.
pub(super) struct Samples<'t> {
    pub(super) connection: &'t Connection,
    origin_id: i64,
    format_id: i64,
    pub(super) seq: i64,
    pub(super) rows: i64,
    pub(super) counts: Counts,
    /// New samples by kind and origin.
    pub(super) added: HashMap<(i64, i64), Added>,
    pub(super) met: Met,
    /// The last record was there already: look before inserting.
    pub(super) expects_known: bool,
    pub(super) parked: bool,
    /// Records for which no ordinal was left.
    pub(super) beyond: u64,
    /// Records that wait to be looked for or inserted together.
    pub(super) pending: Vec<Row>,
    /// Bytes of their metadata.
    pub(super) pending_bytes: usize,
    /// Row numbers that were given out and not taken.
    pub(super) spare: Vec<i64>,
    /// What was written, for the order of writing.
    pub(super) written: Recorder,
    insert: Statement<'t>,
    pub(super) insert_many: Statement<'t>,
    pub(super) find: Statement<'t>,
    pub(super) within: Statement<'t>,
    chain: Statement<'t>,
}

const INSERT: &str = "
INSERT INTO sample (kind_id, start_ms, id, end_ms, row, seq, origin_id, source_id, unit_id,
                    tolerance_id, value, category_id, device_id, created_ms, metadata_id, metadata,
                    format_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
ON CONFLICT (kind_id, start_ms, id) DO NOTHING";

const FIND: &str = "
SELECT id, row, unit_id, category_id, value, tolerance_id
FROM sample WHERE kind_id = ?1 AND start_ms = ?2 AND id = ?3";

const CHAIN_OF: &str = "
SELECT id, row, unit_id, category_id, value, tolerance_id
FROM sample WHERE kind_id = ?1 AND start_ms = ?2 AND id BETWEEN ?3 AND ?4 ORDER BY id LIMIT ?5";

impl<'t> Samples<'t> {
    pub(super) fn new(
        connection: &'t Connection,
        origin_id: i64,
        format_id: i64,
        (seq, rows): (i64, i64),
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            origin_id,
            format_id,
            seq,
            rows,
            counts: Counts::default(),
            added: HashMap::new(),
            met: Met::default(),
            expects_known: false,
            parked: false,
            beyond: 0,
            pending: Vec::with_capacity(TOGETHER),
            pending_bytes: 0,
            spare: Vec::new(),
            written: Recorder::default(),
            insert: connection.prepare(INSERT)?,
            insert_many: connection.prepare(&insert_many(origin_id, format_id))?,
            find: connection.prepare(FIND)?,
            within: connection.prepare(WITHIN)?,
            chain: connection.prepare(CHAIN_OF)?,
        })
    }

    /// Takes one record.
    pub(super) fn take(
        &mut self,
        described: Described<'_>,
        key: Key,
        names: &mut Names<'_>,
    ) -> rusqlite::Result<()> {
        self.counts.read += 1;
        let row = row_of(described, key, self.origin_id, names)?;
        self.pending_bytes += row.metadata.as_ref().map_or(0, String::len);
        self.pending.push(row);
        let enough = if self.expects_known {
            LOOKED_AT
        } else {
            TOGETHER
        };
        if self.pending.len() < enough && self.pending_bytes < METADATA_BYTES {
            return Ok(());
        }
        self.flush(names)
    }

    /// Takes one record that is there already, as it seems.
    pub(super) fn take_known(&mut self, row: &Row, names: &mut Names<'_>) -> rusqlite::Result<()> {
        let first = self
            .find
            .query_row(params![row.kind_id, row.start_ms, row.key.id(0)], stored)
            .optional()?;
        match first {
            None if self.insert(row, 0)? => {
                self.expects_known = false;
                return Ok(());
            }
            Some(mut stored) if !self.met.contains(stored.row) => {
                stored.content.half = half(stored.content, names)?;
                if stored.content.equals(&row.content) {
                    self.expects_known = true;
                    self.keep(stored.row);
                    return Ok(());
                }
            }
            Some(_) | None => {}
        }
        self.take_among(row, names)
    }

    /// The id of the stored sample that a correlation means.
    pub(super) fn member(
        &mut self,
        sample: &Sample,
        key: Key,
        names: &mut Names<'_>,
    ) -> rusqlite::Result<(i64, Id)> {
        let metadata = sample.metadata.to_json();
        let described = (sample, metadata.as_deref());
        let row = row_of(described, key, self.origin_id, names)?;
        let chain = self.chain(&row, CHAIN, names)?;
        let equal = chain
            .iter()
            .find(|stored| stored.content.equals(&row.content));
        Ok((
            row.kind_id,
            equal.map_or_else(|| key.id(0), |stored| stored.id),
        ))
    }

    /// The first ordinal is taken, or has another value: look at all of them.
    pub(super) fn take_among(&mut self, row: &Row, names: &mut Names<'_>) -> rusqlite::Result<()> {
        let chain = self.chain(row, CHAIN + 1, names)?;
        if chain.len() > CHAIN {
            return self.park(row);
        }
        let unmet = || chain.iter().filter(|stored| !self.met.contains(stored.row));
        let nearest = unmet()
            .filter(|stored| stored.content.equals(&row.content))
            .min_by(|a, b| {
                a.content
                    .distance(&row.content)
                    .total_cmp(&b.content.distance(&row.content))
            })
            .map(|stored| stored.row);
        let any = unmet().next().is_some();
        let next = chain
            .last()
            .map_or(0, |stored| identity::ordinal(stored.id) + 1);
        match nearest {
            Some(found) => self.keep(found),
            None if any => self.park(row)?,
            None => self.add(row, next)?,
        }
        Ok(())
    }

    /// Inserts a record behind all of its key; counts it where no ordinal is left.
    pub(super) fn add(&mut self, row: &Row, ordinal: u32) -> rusqlite::Result<()> {
        if ordinal > MAX_ORDINAL || !self.insert(row, ordinal)? {
            self.beyond += 1;
            self.counts.read = self.counts.read.saturating_sub(1);
        }
        Ok(())
    }

    pub(super) fn keep(&mut self, row: i64) {
        self.met.insert(row);
        self.counts.unchanged += 1;
    }

    /// Says whether the place was free.
    pub(super) fn insert(&mut self, row: &Row, ordinal: u32) -> rusqlite::Result<bool> {
        let content = &row.content;
        let number = self.number();
        let inserted = self.insert.execute(params![
            row.kind_id,
            row.start_ms,
            row.key.id(ordinal),
            row.end_ms,
            number.row,
            number.seq,
            row.origin_id,
            row.source_id,
            content.unit_id,
            content.tolerance_id,
            content.value,
            content.category_id,
            row.device_id,
            row.created_ms,
            row.metadata_id,
            row.metadata,
            self.format_id,
        ])?;
        if inserted == 0 {
            self.give_back(number);
            return Ok(false);
        }
        self.inserted(row, ordinal, number);
        Ok(true)
    }

    pub(super) fn chain(
        &mut self,
        row: &Row,
        limit: usize,
        names: &mut Names<'_>,
    ) -> rusqlite::Result<Vec<Stored>> {
        self.chain_of(row.kind_id, row.start_ms, row.key, limit, names)
    }

    /// All rows of a key, by ordinal.
    pub(super) fn chain_of(
        &mut self,
        kind_id: i64,
        start_ms: i64,
        key: Key,
        limit: usize,
        names: &mut Names<'_>,
    ) -> rusqlite::Result<Vec<Stored>> {
        let limit = i64::try_from(limit).unwrap_or(-1);
        let (first, last) = (key.id(0), key.id(MAX_ORDINAL));
        let mut found = self
            .chain
            .query(params![kind_id, start_ms, first, last, limit])?;
        let mut chain = Vec::new();
        while let Some(row) = found.next()? {
            let mut stored = stored(row)?;
            stored.content.half = half(stored.content, names)?;
            chain.push(stored);
        }
        Ok(chain)
    }
}
