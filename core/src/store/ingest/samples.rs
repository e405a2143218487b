//! Finding the row that an incoming record is.
//!
//! A record takes a stored row of its key with an equal value that this file has not met yet, else
//! any unmet one of that key (then it is an update), else the next ordinal. Which rows stay unmet
//! is known only when the file ends: a record that equals no row could otherwise take one that a
//! later record of the same file equals. So records that would be updates are parked in a
//! temporary table, and settled at the end.

use std::cmp::Ordering;

use rusqlite::{Connection, OptionalExtension, Row as SqlRow, Statement, params};

use super::{met::Met, names::Names};
use crate::{
    identity::{self, Id, Key, MAX_ORDINAL},
    sample::{Sample, Value},
    unit::nearly_equal,
};

/// More rows of one key than this are compared at the end only, in one sorted pass; comparing
/// each with each would let a hostile file take hours.
const CHAIN: usize = 64;

/// A record as the table keeps it, but for row number, sequence and ordinal.
pub(super) struct Row {
    pub(super) kind_id: i64,
    pub(super) start_ms: i64,
    pub(super) key: Key,
    end_ms: i64,
    source_id: i64,
    device_id: Option<i64>,
    created_ms: Option<i64>,
    metadata_id: Option<i64>,
    metadata: Option<String>,
    content: Content,
}

/// What makes two records of one key equal.
#[derive(Clone, Copy, Debug)]
struct Content {
    unit_id: i64,
    category_id: Option<i64>,
    value: Option<f64>,
    tolerance_id: Option<i64>,
    half: f64,
}

impl Content {
    fn equals(&self, other: &Self) -> bool {
        let values = match (self.value, other.value) {
            (Some(a), Some(b)) => nearly_equal(a, self.half, b, other.half),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        values && self.unit_id == other.unit_id && self.category_id == other.category_id
    }

    /// An order in which nearly equal contents are neighbours.
    fn order(&self, other: &Self) -> Ordering {
        let value = |content: &Self| content.value.unwrap_or(f64::NEG_INFINITY);
        (self.unit_id, self.category_id)
            .cmp(&(other.unit_id, other.category_id))
            .then_with(|| value(self).total_cmp(&value(other)))
    }

    fn distance(&self, other: &Self) -> f64 {
        (self.value.unwrap_or_default() - other.value.unwrap_or_default()).abs()
    }
}

/// A row of one key that the store has.
struct Stored {
    id: Id,
    row: i64,
    content: Content,
}

/// What became of the records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) read: u64,
    pub(super) new: u64,
    pub(super) updated: u64,
    pub(super) unchanged: u64,
}

/// Writes the samples of one file.
pub(super) struct Samples<'t> {
    connection: &'t Connection,
    origin_id: i64,
    pub(super) seq: i64,
    pub(super) rows: i64,
    pub(super) counts: Counts,
    /// New samples by kind.
    pub(super) added: std::collections::HashMap<i64, i64>,
    met: Met,
    /// The last record was there already: look before inserting.
    expects_known: bool,
    parked: bool,
    insert: Statement<'t>,
    find: Statement<'t>,
    chain: Statement<'t>,
}

const INSERT: &str = "
INSERT INTO sample (kind_id, start_ms, id, end_ms, row, seq, origin_id, source_id, unit_id,
                    tolerance_id, value, category_id, device_id, created_ms, metadata_id, metadata)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
ON CONFLICT (kind_id, start_ms, id) DO NOTHING";

const FIND: &str = "
SELECT id, row, unit_id, category_id, value, tolerance_id
FROM sample WHERE kind_id = ?1 AND start_ms = ?2 AND id = ?3";

const CHAIN_OF: &str = "
SELECT id, row, unit_id, category_id, value, tolerance_id
FROM sample WHERE kind_id = ?1 AND start_ms = ?2 AND id BETWEEN ?3 AND ?4 ORDER BY id LIMIT ?5";

const UPDATE: &str = "
UPDATE sample SET seq = ?4, source_id = ?5, unit_id = ?6, tolerance_id = ?7, value = ?8,
                  category_id = ?9, device_id = ?10, created_ms = ?11, metadata_id = ?12,
                  metadata = ?13
WHERE kind_id = ?1 AND start_ms = ?2 AND id = ?3";

const MAKE_PARKED: &str = "
DROP TABLE IF EXISTS temp.parked;
CREATE TEMP TABLE parked (
  kind_id INTEGER, start_ms INTEGER, id BLOB, end_ms INTEGER, source_id INTEGER, unit_id INTEGER,
  tolerance_id INTEGER, value REAL, category_id INTEGER, device_id INTEGER, created_ms INTEGER,
  metadata_id INTEGER, metadata TEXT);";

const PARK: &str = "
INSERT INTO temp.parked VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

const PARKED_KEYS: &str = "
SELECT DISTINCT kind_id, start_ms, id FROM temp.parked ORDER BY kind_id, start_ms, id";

const PARKED: &str = "
SELECT rowid, unit_id, category_id, value, tolerance_id FROM temp.parked
WHERE kind_id = ?1 AND start_ms = ?2 AND id = ?3";

const PARKED_ONE: &str = "
SELECT kind_id, start_ms, id, end_ms, source_id, unit_id, tolerance_id, value, category_id,
       device_id, created_ms, metadata_id, metadata
FROM temp.parked WHERE rowid = ?1";

impl<'t> Samples<'t> {
    pub(super) fn new(
        connection: &'t Connection,
        origin_id: i64,
        (seq, rows): (i64, i64),
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            origin_id,
            seq,
            rows,
            counts: Counts::default(),
            added: std::collections::HashMap::new(),
            met: Met::default(),
            expects_known: false,
            parked: false,
            insert: connection.prepare(INSERT)?,
            find: connection.prepare(FIND)?,
            chain: connection.prepare(CHAIN_OF)?,
        })
    }

    /// Takes one record.
    pub(super) fn take(
        &mut self,
        sample: &Sample,
        key: Key,
        names: &mut Names<'_>,
    ) -> rusqlite::Result<()> {
        self.counts.read += 1;
        let row = row_of(sample, key, names)?;
        if !self.expects_known && self.insert(&row, 0)? {
            return Ok(());
        }
        let first = self
            .find
            .query_row(params![row.kind_id, row.start_ms, key.id(0)], |found| {
                stored(found)
            })
            .optional()?;
        match first {
            None if self.insert(&row, 0)? => {
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
        self.take_among(&row, names)
    }

    /// The id of the stored sample that a correlation means.
    pub(super) fn member(
        &mut self,
        sample: &Sample,
        key: Key,
        names: &mut Names<'_>,
    ) -> rusqlite::Result<(i64, Id)> {
        let row = row_of(sample, key, names)?;
        let chain = self.chain(&row, CHAIN, names)?;
        let equal = chain
            .iter()
            .find(|stored| stored.content.equals(&row.content));
        Ok((
            row.kind_id,
            equal.map_or_else(|| key.id(0), |stored| stored.id),
        ))
    }

    /// Ends the file: settles what was parked.
    pub(super) fn settle(&mut self, names: &mut Names<'_>) -> rusqlite::Result<()> {
        if !self.parked {
            return Ok(());
        }
        let connection = self.connection;
        connection
            .execute_batch("CREATE INDEX temp.parked_key ON parked (kind_id, start_ms, id)")?;
        let mut keys = connection.prepare(PARKED_KEYS)?;
        let mut keys = keys.query([])?;
        while let Some(key) = keys.next()? {
            self.settle_key(key.get(0)?, key.get(1)?, Key::of_id(key.get(2)?), names)?;
        }
        Ok(())
    }

    fn settle_key(
        &mut self,
        kind_id: i64,
        start_ms: i64,
        key: Key,
        names: &mut Names<'_>,
    ) -> rusqlite::Result<()> {
        let connection = self.connection;
        let mut parked = Vec::new();
        let mut statement = connection.prepare_cached(PARKED)?;
        let mut found = statement.query(params![kind_id, start_ms, key.id(0)])?;
        while let Some(row) = found.next()? {
            let mut content = content(row, 1)?;
            content.half = half(content, names)?;
            parked.push((row.get::<_, i64>(0)?, content));
        }
        let mut unmet = self.chain_of(kind_id, start_ms, key, usize::MAX, names)?;
        let next = unmet
            .last()
            .map_or(0, |stored| identity::ordinal(stored.id) + 1);
        unmet.retain(|stored| !self.met.contains(stored.row));
        unmet.sort_by(|a, b| a.content.order(&b.content));
        parked.sort_by(|(_, a), (_, b)| a.order(b));

        // Both lists are sorted: equal ones meet, the rest is left over on its side.
        let mut left_parked = Vec::new();
        let mut left_stored = Vec::new();
        let mut stored = unmet.into_iter().peekable();
        for (rowid, content) in parked {
            while let Some(passed) = stored.next_if(|stored| {
                !stored.content.equals(&content) && stored.content.order(&content).is_lt()
            }) {
                left_stored.push(passed);
            }
            match stored.next_if(|stored| stored.content.equals(&content)) {
                Some(stored) => self.keep(stored.row),
                None => left_parked.push(rowid),
            }
        }
        left_stored.extend(stored);

        // The oldest ordinal is changed first.
        left_stored.sort_by_key(|stored| stored.id);
        let mut left_stored = left_stored.into_iter();
        let mut next = next;
        for rowid in left_parked {
            let row = connection
                .prepare_cached(PARKED_ONE)?
                .query_row([rowid], parked_row)?;
            if let Some(stored) = left_stored.next() {
                self.update(&row, &stored)?;
            } else {
                self.insert(&row, next)?;
                next += 1;
            }
        }
        Ok(())
    }

    /// The first ordinal is taken, or has another value: look at all of them.
    fn take_among(&mut self, row: &Row, names: &mut Names<'_>) -> rusqlite::Result<()> {
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
            None => {
                self.insert(row, next)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, row: i64) {
        self.met.insert(row);
        self.counts.unchanged += 1;
    }

    /// Says whether the place was free.
    fn insert(&mut self, row: &Row, ordinal: u32) -> rusqlite::Result<bool> {
        let content = &row.content;
        let inserted = self.insert.execute(params![
            row.kind_id,
            row.start_ms,
            row.key.id(ordinal),
            row.end_ms,
            self.rows + 1,
            self.seq + 1,
            self.origin_id,
            row.source_id,
            content.unit_id,
            content.tolerance_id,
            content.value,
            content.category_id,
            row.device_id,
            row.created_ms,
            row.metadata_id,
            row.metadata,
        ])?;
        if inserted == 0 {
            return Ok(false);
        }
        self.rows += 1;
        self.seq += 1;
        self.met.insert(self.rows);
        self.counts.new += 1;
        *self.added.entry(row.kind_id).or_default() += 1;
        Ok(true)
    }

    fn update(&mut self, row: &Row, stored: &Stored) -> rusqlite::Result<()> {
        self.seq += 1;
        let content = &row.content;
        self.connection.prepare_cached(UPDATE)?.execute(params![
            row.kind_id,
            row.start_ms,
            stored.id,
            self.seq,
            row.source_id,
            content.unit_id,
            content.tolerance_id,
            content.value,
            content.category_id,
            row.device_id,
            row.created_ms,
            row.metadata_id,
            row.metadata,
        ])?;
        self.met.insert(stored.row);
        self.counts.updated += 1;
        Ok(())
    }

    fn park(&mut self, row: &Row) -> rusqlite::Result<()> {
        if !self.parked {
            self.connection.execute_batch(MAKE_PARKED)?;
            self.parked = true;
        }
        let content = &row.content;
        self.connection.prepare_cached(PARK)?.execute(params![
            row.kind_id,
            row.start_ms,
            row.key.id(0),
            row.end_ms,
            row.source_id,
            content.unit_id,
            content.tolerance_id,
            content.value,
            content.category_id,
            row.device_id,
            row.created_ms,
            row.metadata_id,
            row.metadata,
        ])?;
        Ok(())
    }

    fn chain(
        &mut self,
        row: &Row,
        limit: usize,
        names: &mut Names<'_>,
    ) -> rusqlite::Result<Vec<Stored>> {
        self.chain_of(row.kind_id, row.start_ms, row.key, limit, names)
    }

    /// All rows of a key, by ordinal.
    fn chain_of(
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

fn row_of(sample: &Sample, key: Key, names: &mut Names<'_>) -> rusqlite::Result<Row> {
    let (source_id, device_id) = names.writer(&sample.provenance)?;
    let text = sample.metadata.to_json();
    let metadata_id = match &text {
        Some(text) => names.metadata(text)?,
        None => None,
    };
    let unit_id = names.unit(&sample.unit)?;
    let mut content = Content {
        unit_id,
        category_id: None,
        value: None,
        tolerance_id: None,
        half: 0.0,
    };
    match &sample.value {
        Value::Quantity { value, tolerance } => {
            content.value = Some(*value);
            content.half = *tolerance;
            content.tolerance_id = Some(names.tolerance(*tolerance)?);
        }
        Value::Category(name) => content.category_id = Some(names.category(name)?),
        Value::None => {}
    }
    Ok(Row {
        kind_id: names.kind(&sample.kind, &sample.unit)?,
        start_ms: sample.start_ms,
        key,
        end_ms: sample.end_ms,
        source_id,
        device_id,
        created_ms: sample.created_ms,
        metadata_id,
        metadata: if metadata_id.is_some() { None } else { text },
        content,
    })
}

fn stored(row: &SqlRow<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        id: row.get(0)?,
        row: row.get(1)?,
        content: content(row, 2)?,
    })
}

/// Four columns from `at` on; the tolerance is looked up by the caller.
fn content(row: &SqlRow<'_>, at: usize) -> rusqlite::Result<Content> {
    Ok(Content {
        unit_id: row.get(at)?,
        category_id: row.get(at + 1)?,
        value: row.get(at + 2)?,
        tolerance_id: row.get(at + 3)?,
        half: 0.0,
    })
}

fn half(content: Content, names: &mut Names<'_>) -> rusqlite::Result<f64> {
    content.tolerance_id.map_or(Ok(0.0), |id| names.half(id))
}

fn parked_row(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        kind_id: row.get(0)?,
        start_ms: row.get(1)?,
        key: Key::of_id(row.get(2)?),
        end_ms: row.get(3)?,
        source_id: row.get(4)?,
        device_id: row.get(9)?,
        created_ms: row.get(10)?,
        metadata_id: row.get(11)?,
        metadata: row.get(12)?,
        content: Content {
            unit_id: row.get(5)?,
            tolerance_id: row.get(6)?,
            value: row.get(7)?,
            category_id: row.get(8)?,
            half: 0.0,
        },
    })
}
