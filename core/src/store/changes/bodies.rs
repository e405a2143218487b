//! Workouts, correlations and documents as one JSON object each.

use rusqlite::Row as SqlRow;
use serde::Serialize;
use serde_json::{value::RawValue, value::to_raw_value};

use super::{Page, text};
use crate::{
    change::ChangeRow, identity::uuid, json::on_one_line, store::StoreError, time::rfc3339,
};

// The names stand in the order in which they are printed: that of the alphabet.

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Workout {
    activities: Vec<Activity>,
    duration_s: Option<f64>,
    events: Vec<Event>,
    statistics: Vec<Statistic>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Activity {
    duration_s: Option<f64>,
    end_date: Option<String>,
    metadata: Option<Box<RawValue>>,
    start_date: Option<String>,
    uuid: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    activity: Option<i64>,
    date: Option<String>,
    duration_s: Option<f64>,
    #[serde(rename = "event")]
    kind: String,
    metadata: Option<Box<RawValue>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Statistic {
    activity: Option<i64>,
    average: Option<f64>,
    end_date: Option<String>,
    maximum: Option<f64>,
    minimum: Option<f64>,
    start_date: Option<String>,
    sum: Option<f64>,
    #[serde(rename = "type")]
    kind: String,
    unit: String,
}

#[derive(Serialize)]
struct Correlation {
    members: Vec<Member>,
}

#[derive(Serialize)]
struct Member {
    id: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    content: Option<Box<RawValue>>,
    local_date: Option<String>,
    points: i64,
    workout: Option<String>,
}

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
        let body = printed(&Workout {
            activities: self.list(ACTIVITIES, row, activity)?,
            duration_s: found.get(5)?,
            events: self.list(EVENTS, row, event)?,
            statistics: self.list(STATISTICS, row, statistic)?,
        })?;
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
            body: Some(&body),
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
        let body = printed(&Correlation {
            members: self.list(MEMBERS, row, member)?,
        })?;
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
            body: Some(&body),
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
        let body = printed(&Document {
            content: object(found, 10)?,
            local_date: found.get(5)?,
            points: found.get(11)?,
            workout: workout.as_ref().map(uuid),
        })?;
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
            body: Some(&body),
            ..ChangeRow::default()
        });
        Ok(())
    }

    /// The parts of a row of another table, in their order.
    fn list<T>(
        &self,
        sql: &str,
        row: i64,
        part: fn(&SqlRow<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
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

fn statistic(row: &SqlRow<'_>) -> Result<Statistic, StoreError> {
    Ok(Statistic {
        kind: row.get(0)?,
        unit: row.get(1)?,
        start_date: date(row, 2)?,
        end_date: date(row, 3)?,
        average: row.get(4)?,
        minimum: row.get(5)?,
        maximum: row.get(6)?,
        sum: row.get(7)?,
        activity: row.get(8)?,
    })
}

const EVENTS: &str = "
SELECT event, at_ms, duration_s, metadata, activity
FROM workout_event WHERE workout_id = ?1 ORDER BY position";

fn event(row: &SqlRow<'_>) -> Result<Event, StoreError> {
    Ok(Event {
        kind: row.get(0)?,
        date: date(row, 1)?,
        duration_s: row.get(2)?,
        metadata: object(row, 3)?,
        activity: row.get(4)?,
    })
}

const ACTIVITIES: &str = "
SELECT uuid, start_ms, end_ms, duration_s, metadata
FROM workout_activity WHERE workout_id = ?1 ORDER BY position";

fn activity(row: &SqlRow<'_>) -> Result<Activity, StoreError> {
    Ok(Activity {
        uuid: row.get(0)?,
        start_date: date(row, 1)?,
        end_date: date(row, 2)?,
        duration_s: row.get(3)?,
        metadata: object(row, 4)?,
    })
}

const MEMBERS: &str = "
SELECT kind.name, sample_id FROM correlation_member JOIN kind ON kind.id = kind_id
WHERE correlation_id = ?1 ORDER BY position";

fn member(row: &SqlRow<'_>) -> Result<Member, StoreError> {
    Ok(Member {
        kind: row.get(0)?,
        id: uuid(&row.get(1)?),
    })
}

pub(super) fn printed(body: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(body).map_err(no_json)
}

fn date(row: &SqlRow<'_>, at: usize) -> Result<Option<String>, StoreError> {
    Ok(row.get::<_, Option<i64>>(at)?.map(rfc3339))
}

/// A stored text as it stands; one that is no JSON (which nobody writes) is kept as a text.
fn object(row: &SqlRow<'_>, at: usize) -> Result<Option<Box<RawValue>>, StoreError> {
    let Some(text) = as_text_or_null(row, at)? else {
        return Ok(None);
    };
    let json = on_one_line(text.to_owned()).or_else(|_| to_raw_value(text));
    json.map(Some).map_err(no_json)
}

fn no_json(error: serde_json::Error) -> StoreError {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error)).into()
}

fn as_text<'r>(row: &'r SqlRow<'_>, at: usize) -> Result<&'r str, StoreError> {
    Ok(row.get_ref(at)?.as_str().map_err(rusqlite::Error::from)?)
}

fn as_text_or_null<'r>(row: &'r SqlRow<'_>, at: usize) -> Result<Option<&'r str>, StoreError> {
    let text = row.get_ref(at)?.as_str_or_null();
    Ok(text.map_err(rusqlite::Error::from)?)
}
