//! Documents and their series, read back.

use std::ops::ControlFlow;

use rusqlite::{OptionalExtension, types::Value};

use super::{
    Store, StoreError,
    range::{Paged, Range, points, scan},
    scan::unsigned,
};
use crate::{document::Noun, identity::Id, series};

/// A document as the store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDocument {
    /// What it is.
    pub noun: Noun,
    /// Its id, a UUID of version 8.
    pub id: Id,
    /// Position of its last write in the sequence.
    pub seq: i64,
    /// Whose it is.
    pub origin: String,
    /// Start, milliseconds since 1970-01-01T00:00:00Z. Of what belongs to a day: that day's
    /// midnight as if it were UTC; ask for `local_date` then.
    pub start_ms: i64,
    /// End, same unit.
    pub end_ms: i64,
    /// The day in the phone's calendar (`2026-01-10`), of what belongs to one.
    pub local_date: Option<String>,
    /// When it was written on the phone.
    pub created_ms: Option<i64>,
    /// Name of the writing app or device.
    pub source: Option<String>,
    /// Its version.
    pub source_version: Option<String>,
    /// The device.
    pub device: Option<String>,
    /// Id of the workout that it belongs to.
    pub workout: Option<Id>,
    /// What it says: a JSON object.
    pub body: String,
    /// What else the writer said: a JSON object.
    pub metadata: Option<String>,
    /// Points of its series, to be read with [`Store::series`].
    pub points: u64,
}

/// How many documents of a noun there are, and from when to when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NounSummary {
    /// The noun.
    pub noun: Noun,
    /// Documents.
    pub count: u64,
    /// Earliest start, milliseconds UTC.
    pub first_ms: i64,
    /// Latest start.
    pub last_ms: i64,
}

const SELECT: &str = "
SELECT it.start_ms, it.id, it.seq, origin.name, it.end_ms, it.local_date, it.created_ms,
       source.name, nullif(source.version, ''), device.name, workout.id, it.body, it.metadata,
       it.points
FROM document AS it
JOIN origin ON origin.id = it.origin_id
LEFT JOIN source ON source.id = it.source_id
LEFT JOIN device ON device.id = it.device_id
LEFT JOIN workout USING (workout_id)";

impl Store {
    /// Hands the documents of a noun to `sink`, one by one, in the order (start, id). `Break` ends
    /// the scan early.
    pub fn documents(
        &self,
        noun: Noun,
        range: &Range,
        sink: &mut dyn FnMut(StoredDocument) -> ControlFlow<()>,
    ) -> Result<Paged, StoreError> {
        let mut read = |row: &rusqlite::Row<'_>| {
            Ok(StoredDocument {
                noun,
                start_ms: row.get(0)?,
                id: row.get(1)?,
                seq: row.get(2)?,
                origin: row.get(3)?,
                end_ms: row.get(4)?,
                local_date: row.get(5)?,
                created_ms: row.get(6)?,
                source: row.get(7)?,
                source_version: row.get(8)?,
                device: row.get(9)?,
                workout: row.get(10)?,
                body: row.get(11)?,
                metadata: row.get(12)?,
                points: points(row, 13)?,
            })
        };
        let only: [Value; 1] = [noun.as_str().to_owned().into()];
        let only = (" AND it.noun = ?", only.as_slice());
        scan(&self.connection, SELECT, only, range, &mut read, sink)
    }

    /// Hands the series of a document to `sink`, chunk by chunk: the columns of
    /// [`Noun::columns`], equally long, NaN where a number is missing. Says how many points there
    /// were; `None` if there is no such document.
    pub fn series(
        &self,
        id: Id,
        sink: &mut dyn FnMut(&[Vec<f64>]) -> ControlFlow<()>,
    ) -> Result<Option<u64>, StoreError> {
        let document = self
            .connection
            .prepare_cached("SELECT document_id, noun FROM document WHERE id = ?1")?
            .query_row([id], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })
            .optional()?;
        let Some((document, noun)) = document else {
            return Ok(None);
        };
        let columns = noun.parse().map_or(0, |noun: Noun| noun.columns().len());
        let mut statement = self.connection.prepare_cached(
            "SELECT points, data FROM series WHERE document_id = ?1 ORDER BY position",
        )?;
        let mut rows = statement.query([document])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let points = unsigned(row.get(0)?);
            let data = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            let length = usize::try_from(points).unwrap_or(usize::MAX);
            let decoded = series::decode(length, columns, data).map_err(|error| {
                let kind = rusqlite::types::Type::Blob;
                rusqlite::Error::FromSqlConversionFailure(1, kind, Box::new(error))
            })?;
            count += points;
            if sink(&decoded).is_break() {
                break;
            }
        }
        Ok(Some(count))
    }

    /// Which nouns there are, of these origins (of all, if none is named), by name.
    pub fn nouns(&self, origins: &[String]) -> Result<Vec<NounSummary>, StoreError> {
        let mut nouns = Vec::new();
        let marks = vec!["?"; origins.len()].join(", ");
        let condition = if origins.is_empty() {
            String::new()
        } else {
            format!("WHERE origin_id IN (SELECT id FROM origin WHERE name IN ({marks}))")
        };
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT noun, count(*), min(start_ms), max(start_ms) FROM document {condition}
             GROUP BY noun ORDER BY noun"
        ))?;
        let mut rows = statement.query(rusqlite::params_from_iter(origins))?;
        while let Some(row) = rows.next()? {
            // A noun of a later program is none of ours.
            let Ok(noun) = row.get::<_, String>(0)?.parse() else {
                continue;
            };
            nouns.push(NounSummary {
                noun,
                count: points(row, 1)?,
                first_ms: row.get(2)?,
                last_ms: row.get(3)?,
            });
        }
        Ok(nouns)
    }
}
