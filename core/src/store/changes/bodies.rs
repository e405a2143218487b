//! Workouts, correlations and documents as one JSON object each.

use rusqlite::Row as SqlRow;
use serde_json::{Map, Value, json};

use super::{Page, text};
use crate::{change::ChangeRow, identity::uuid, store::StoreError, time::rfc3339};

impl Page<'_> {
    pub(super) fn workout(&mut self, seq: i64, row: i64) -> Result<(), StoreError> {
        let sql = "SELECT id, origin_id, activity, start_ms, end_ms, duration_s, source_id,
                          device_id, created_ms, metadata
                   FROM workout WHERE workout_id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([row])?;
        let Some(found) = rows.next()? else {
            return Ok(());
        };
        let origin = found.get(1)?;
        if !self.filter.shows_noun("workout", Some(origin)) {
            return Ok(());
        }
        let body = json!({
            "durationS": found.get::<_, Option<f64>>(5)?,
            "statistics": self.list(STATISTICS, row, statistic)?,
            "events": self.list(EVENTS, row, event)?,
            "activities": self.list(ACTIVITIES, row, activity)?,
        });
        let texts = &mut self.texts;
        self.builder.push(&ChangeRow {
            seq,
            noun: "workout",
            id: found.get(0)?,
            kind: Some(as_text(found, 2)?),
            start_ms: found.get(3)?,
            end_ms: found.get(4)?,
            source: Some(texts.source.text(found.get(6)?)?),
            origin: Some(texts.origin.text(origin)?),
            device: text(&mut texts.device, found.get(7)?)?,
            created_ms: found.get(8)?,
            metadata: as_text_or_null(found, 9)?,
            body: Some(&body.to_string()),
            ..ChangeRow::default()
        });
        Ok(())
    }

    pub(super) fn correlation(&mut self, seq: i64, row: i64) -> Result<(), StoreError> {
        let sql = "SELECT id, origin_id, kind_id, start_ms, end_ms, source_id, device_id,
                          created_ms, metadata
                   FROM correlation WHERE correlation_id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([row])?;
        let Some(found) = rows.next()? else {
            return Ok(());
        };
        let (origin, kind) = (found.get(1)?, found.get(2)?);
        if !self.filter.shows_kind(kind, Some(origin)) {
            return Ok(());
        }
        let body = json!({ "members": self.list(MEMBERS, row, member)? });
        let texts = &mut self.texts;
        self.builder.push(&ChangeRow {
            seq,
            noun: "correlation",
            id: found.get(0)?,
            kind: Some(texts.kind.text(kind)?),
            start_ms: found.get(3)?,
            end_ms: found.get(4)?,
            source: Some(texts.source.text(found.get(5)?)?),
            origin: Some(texts.origin.text(origin)?),
            device: text(&mut texts.device, found.get(6)?)?,
            created_ms: found.get(7)?,
            metadata: as_text_or_null(found, 8)?,
            body: Some(&body.to_string()),
            ..ChangeRow::default()
        });
        Ok(())
    }

    pub(super) fn document(&mut self, seq: i64, row: i64) -> Result<(), StoreError> {
        let sql = "SELECT d.id, d.origin_id, d.noun, d.start_ms, d.end_ms, d.local_date,
                          d.source_id, d.device_id, d.created_ms, d.metadata, d.body, d.points,
                          w.id
                   FROM document d LEFT JOIN workout w USING (workout_id)
                   WHERE d.document_id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([row])?;
        let Some(found) = rows.next()? else {
            return Ok(());
        };
        let (origin, noun) = (found.get(1)?, as_text(found, 2)?);
        if !self.filter.shows_noun(noun, Some(origin)) {
            return Ok(());
        }
        let workout: Option<[u8; 16]> = found.get(12)?;
        let body = json!({
            "localDate": found.get::<_, Option<String>>(5)?,
            "workout": workout.as_ref().map(uuid),
            "points": found.get::<_, i64>(11)?,
            "content": object(found, 10)?,
        });
        let texts = &mut self.texts;
        self.builder.push(&ChangeRow {
            seq,
            noun,
            id: found.get(0)?,
            start_ms: found.get(3)?,
            end_ms: found.get(4)?,
            source: text(&mut texts.source, found.get(6)?)?,
            origin: Some(texts.origin.text(origin)?),
            device: text(&mut texts.device, found.get(7)?)?,
            created_ms: found.get(8)?,
            metadata: as_text_or_null(found, 9)?,
            body: Some(&body.to_string()),
            ..ChangeRow::default()
        });
        Ok(())
    }

    /// The parts of a row of another table, in their order.
    fn list(
        &self,
        sql: &str,
        row: i64,
        part: fn(&SqlRow<'_>) -> Result<Value, StoreError>,
    ) -> Result<Vec<Value>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([row])?;
        let mut parts = Vec::new();
        while let Some(row) = rows.next()? {
            parts.push(part(row)?);
        }
        Ok(parts)
    }
}

const STATISTICS: &str = "
SELECT kind.name, unit.name, start_ms, end_ms, average, minimum, maximum, sum, activity
FROM workout_statistic JOIN kind ON kind.id = kind_id JOIN unit ON unit.id = unit_id
WHERE workout_id = ?1 ORDER BY position";

fn statistic(row: &SqlRow<'_>) -> Result<Value, StoreError> {
    Ok(json!({
        "type": row.get::<_, String>(0)?,
        "unit": row.get::<_, String>(1)?,
        "startDate": date(row, 2)?,
        "endDate": date(row, 3)?,
        "average": row.get::<_, Option<f64>>(4)?,
        "minimum": row.get::<_, Option<f64>>(5)?,
        "maximum": row.get::<_, Option<f64>>(6)?,
        "sum": row.get::<_, Option<f64>>(7)?,
        "activity": row.get::<_, Option<i64>>(8)?,
    }))
}

const EVENTS: &str = "
SELECT event, at_ms, duration_s, metadata, activity
FROM workout_event WHERE workout_id = ?1 ORDER BY position";

fn event(row: &SqlRow<'_>) -> Result<Value, StoreError> {
    Ok(json!({
        "event": row.get::<_, String>(0)?,
        "date": date(row, 1)?,
        "durationS": row.get::<_, Option<f64>>(2)?,
        "metadata": object(row, 3)?,
        "activity": row.get::<_, Option<i64>>(4)?,
    }))
}

const ACTIVITIES: &str = "
SELECT uuid, start_ms, end_ms, duration_s, metadata
FROM workout_activity WHERE workout_id = ?1 ORDER BY position";

fn activity(row: &SqlRow<'_>) -> Result<Value, StoreError> {
    Ok(json!({
        "uuid": row.get::<_, Option<String>>(0)?,
        "startDate": date(row, 1)?,
        "endDate": date(row, 2)?,
        "durationS": row.get::<_, Option<f64>>(3)?,
        "metadata": object(row, 4)?,
    }))
}

const MEMBERS: &str = "
SELECT kind.name, sample_id FROM correlation_member JOIN kind ON kind.id = kind_id
WHERE correlation_id = ?1 ORDER BY position";

fn member(row: &SqlRow<'_>) -> Result<Value, StoreError> {
    Ok(json!({
        "type": row.get::<_, String>(0)?,
        "id": uuid(&row.get(1)?),
    }))
}

fn date(row: &SqlRow<'_>, at: usize) -> Result<Option<String>, StoreError> {
    Ok(row.get::<_, Option<i64>>(at)?.map(rfc3339))
}

/// The object that a text is; a text that is none (which nobody writes) is kept as a text.
fn object(row: &SqlRow<'_>, at: usize) -> Result<Value, StoreError> {
    let Some(json) = as_text_or_null(row, at)? else {
        return Ok(Value::Null);
    };
    Ok(serde_json::from_str::<Map<String, Value>>(json)
        .map_or_else(|_| Value::from(json), Value::Object))
}

fn as_text<'r>(row: &'r SqlRow<'_>, at: usize) -> Result<&'r str, StoreError> {
    Ok(row.get_ref(at)?.as_str().map_err(rusqlite::Error::from)?)
}

fn as_text_or_null<'r>(row: &'r SqlRow<'_>, at: usize) -> Result<Option<&'r str>, StoreError> {
    let text = row.get_ref(at)?.as_str_or_null();
    Ok(text.map_err(rusqlite::Error::from)?)
}
