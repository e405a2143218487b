//! A record as a row of the table, and when two are equal.

use std::cmp::Ordering;

use rusqlite::Row as SqlRow;

use super::names::Names;
use crate::{
    identity::{Id, Key},
    sample::{Sample, Value},
    unit::nearly_equal,
};

/// A record as the table keeps it, but for row number, sequence and ordinal.
pub(super) struct Row {
    pub(super) origin_id: i64,
    pub(super) kind_id: i64,
    pub(super) start_ms: i64,
    pub(super) key: Key,
    pub(super) end_ms: i64,
    pub(super) source_id: i64,
    pub(super) device_id: Option<i64>,
    pub(super) created_ms: Option<i64>,
    pub(super) metadata_id: Option<i64>,
    pub(super) metadata: Option<String>,
    pub(super) content: Content,
}

/// What makes two records of one key equal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    pub(super) unit_id: i64,
    pub(super) category_id: Option<i64>,
    pub(super) value: Option<f64>,
    pub(super) tolerance_id: Option<i64>,
    pub(super) half: f64,
}

impl Content {
    pub(super) fn equals(&self, other: &Self) -> bool {
        let values = match (self.value, other.value) {
            (Some(a), Some(b)) => nearly_equal(a, self.half, b, other.half),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        values && self.unit_id == other.unit_id && self.category_id == other.category_id
    }

    /// An order in which nearly equal contents are neighbours.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let value = |content: &Self| content.value.unwrap_or(f64::NEG_INFINITY);
        (self.unit_id, self.category_id)
            .cmp(&(other.unit_id, other.category_id))
            .then_with(|| value(self).total_cmp(&value(other)))
    }

    pub(super) fn distance(&self, other: &Self) -> f64 {
        (self.value.unwrap_or_default() - other.value.unwrap_or_default()).abs()
    }
}

/// A row of one key that the store has.
pub(super) struct Stored {
    pub(super) id: Id,
    pub(super) row: i64,
    pub(super) content: Content,
}

/// A record with its metadata as JSON.
pub(super) type Described<'a> = (&'a Sample, Option<&'a str>);

pub(super) fn row_of(
    (sample, text): Described<'_>,
    key: Key,
    origin_id: i64,
    names: &mut Names<'_>,
) -> rusqlite::Result<Row> {
    let (source_id, device_id) = names.writer(&sample.provenance)?;
    let metadata_id = match text {
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
        origin_id,
        kind_id: names.kind(&sample.kind, &sample.unit)?,
        start_ms: sample.start_ms,
        key,
        end_ms: sample.end_ms,
        source_id,
        device_id,
        created_ms: sample.created_ms,
        metadata_id,
        metadata: text.filter(|_| metadata_id.is_none()).map(str::to_owned),
        content,
    })
}

pub(super) fn stored(row: &SqlRow<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        id: row.get(0)?,
        row: row.get(1)?,
        content: content(row, 2)?,
    })
}

/// Four columns from `at` on; the tolerance is looked up by the caller.
pub(super) fn content(row: &SqlRow<'_>, at: usize) -> rusqlite::Result<Content> {
    Ok(Content {
        unit_id: row.get(at)?,
        category_id: row.get(at + 1)?,
        value: row.get(at + 2)?,
        tolerance_id: row.get(at + 3)?,
        half: 0.0,
    })
}

pub(super) fn half(content: Content, names: &mut Names<'_>) -> rusqlite::Result<f64> {
    content.tolerance_id.map_or(Ok(0.0), |id| names.half(id))
}

pub(super) fn parked_row(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        origin_id: row.get(13)?,
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
