//! Parking records until the file ends, and settling them then.

use rusqlite::params;

use super::{
    names::Names,
    row::{Row, Stored, content, half, parked_row},
    samples::Samples,
};
use crate::identity::{self, Key};

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
  metadata_id INTEGER, metadata TEXT, origin_id INTEGER);";

const PARK: &str = "
INSERT INTO temp.parked VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

const PARKED_KEYS: &str = "
SELECT DISTINCT kind_id, start_ms, id FROM temp.parked ORDER BY kind_id, start_ms, id";

const PARKED: &str = "
SELECT rowid, unit_id, category_id, value, tolerance_id FROM temp.parked
WHERE kind_id = ?1 AND start_ms = ?2 AND id = ?3";

const PARKED_ONE: &str = "
SELECT kind_id, start_ms, id, end_ms, source_id, unit_id, tolerance_id, value, category_id,
       device_id, created_ms, metadata_id, metadata, origin_id
FROM temp.parked WHERE rowid = ?1";

impl Samples<'_> {
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
                self.add(&row, next)?;
                next += 1;
            }
            self.written.keep_full(connection)?;
        }
        Ok(())
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
        self.written
            .add(self.seq, row.kind_id, row.start_ms, stored.id);
        self.met.insert(stored.row);
        self.counts.updated += 1;
        Ok(())
    }

    pub(super) fn park(&mut self, row: &Row) -> rusqlite::Result<()> {
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
            row.origin_id,
        ])?;
        Ok(())
    }
}
