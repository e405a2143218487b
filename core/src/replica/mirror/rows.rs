//! Changes as rows: each in the place of the former one of its id.

use arrow_array::{
    Array, BooleanArray, DictionaryArray, Float64Array, StringArray, TimestampMillisecondArray,
    types::Int32Type,
};
use rusqlite::{Connection, ErrorCode, params};

use super::{Applied, series};
use crate::{
    batch::SchemaMismatch,
    change::ChangeBatch,
    replica::{ReplicaError, samples::date_text},
};

/// Typed views of the columns of one batch.
struct Columns<'a> {
    noun: Texts<'a>,
    deleted: &'a BooleanArray,
    id: &'a StringArray,
    kind: Texts<'a>,
    value: &'a Float64Array,
    unit: Texts<'a>,
    start: &'a TimestampMillisecondArray,
    end: &'a TimestampMillisecondArray,
    source: Texts<'a>,
    category: Texts<'a>,
    origin: Texts<'a>,
    device: Texts<'a>,
    created: &'a TimestampMillisecondArray,
    metadata: &'a StringArray,
    body: &'a StringArray,
}

/// A column of texts that repeat.
struct Texts<'a> {
    keys: &'a DictionaryArray<Int32Type>,
    values: &'a StringArray,
}

impl<'a> Texts<'a> {
    fn text(&self, row: usize) -> Option<&'a str> {
        let key = self.keys.key(row)?;
        (key < self.values.len() && self.values.is_valid(key)).then(|| self.values.value(key))
    }
}

impl<'a> Columns<'a> {
    fn new(batch: &'a ChangeBatch) -> Result<Self, SchemaMismatch> {
        fn column<A: Array + 'static>(
            batch: &ChangeBatch,
            at: usize,
        ) -> Result<&A, SchemaMismatch> {
            let found = batch.columns().columns().get(at);
            found
                .and_then(|column| column.as_any().downcast_ref())
                .ok_or_else(|| SchemaMismatch(format!("column {at} has another type")))
        }
        let texts = |at| -> Result<Texts<'a>, SchemaMismatch> {
            let keys: &DictionaryArray<Int32Type> = column(batch, at)?;
            let values = keys.values().as_any().downcast_ref();
            Ok(Texts {
                keys,
                values: values
                    .ok_or_else(|| SchemaMismatch(format!("column {at} has another type")))?,
            })
        };
        Ok(Self {
            noun: texts(1)?,
            deleted: column(batch, 2)?,
            id: column(batch, 3)?,
            kind: texts(4)?,
            value: column(batch, 5)?,
            unit: texts(6)?,
            start: column(batch, 7)?,
            end: column(batch, 8)?,
            source: texts(9)?,
            category: texts(10)?,
            origin: texts(11)?,
            device: texts(12)?,
            created: column(batch, 13)?,
            metadata: column(batch, 14)?,
            body: column(batch, 15)?,
        })
    }
}

/// Writes a batch into the tables that begin with `prefix`.
pub(super) fn apply(
    connection: &Connection,
    prefix: &str,
    batch: &ChangeBatch,
    applied: &mut Applied,
) -> Result<(), ReplicaError> {
    let columns = Columns::new(batch)?;
    for row in 0..batch.len() {
        let noun = columns.noun.text(row).unwrap_or_default();
        if let Some(noun) = series::of_blocks(noun) {
            let body = text(columns.body, row).unwrap_or_default();
            series::apply(connection, prefix, noun, columns.id.value(row), body)?;
            continue;
        }
        if noun == "sample" {
            let has_start = columns.start.is_valid(row);
            applied.touch(if has_start {
                columns.start.value(row)
            } else {
                i64::MIN
            });
        }
        if columns.deleted.value(row) {
            let gone = delete(connection, prefix, noun, &columns, row)?;
            applied.grown -= gone;
            applied.deleted += 1;
        } else {
            match noun {
                "sample" => applied.grown += sample(connection, prefix, &columns, row)?,
                other => thing(connection, prefix, other, &columns, row)?,
            }
            applied.written += 1;
        }
    }
    Ok(())
}

fn instant(column: &TimestampMillisecondArray, row: usize) -> Option<String> {
    column.is_valid(row).then(|| date_text(column.value(row)))
}

fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

/// Gives how many samples there are more: SQLite does not say whether `REPLACE` has replaced one.
fn sample(
    connection: &Connection,
    prefix: &str,
    columns: &Columns<'_>,
    row: usize,
) -> Result<i64, ReplicaError> {
    let value = columns
        .value
        .is_valid(row)
        .then(|| columns.value.value(row));
    let (start, end) = (instant(columns.start, row), instant(columns.end, row));
    let created = instant(columns.created, row);
    let write = |or: &str| {
        let sql = format!(
            "INSERT {or} INTO {prefix}samples
             (id, type, value, unit, startDate, endDate, sourceName, category, origin, device,
              creationDate, metadata)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
        );
        connection.prepare_cached(&sql)?.execute(params![
            columns.id.value(row),
            columns.kind.text(row),
            value.filter(|value| value.is_finite()),
            columns.unit.text(row).unwrap_or_default(),
            start,
            end,
            columns.source.text(row),
            columns.category.text(row),
            columns.origin.text(row),
            columns.device.text(row),
            created,
            text(columns.metadata, row),
        ])
    };
    // Not OR IGNORE: what an outer statement does about conflicts holds for the triggers of `parts`, too.
    let is_new = match write("") {
        Ok(_) => true,
        Err(rusqlite::Error::SqliteFailure(error, _))
            if error.code == ErrorCode::ConstraintViolation =>
        {
            write("OR REPLACE")?;
            false
        }
        Err(error) => return Err(error.into()),
    };
    Ok(i64::from(is_new))
}

/// The table of a noun, and its column that samples do not have.
fn table(noun: &str) -> (&'static str, &'static str) {
    match noun {
        "workout" => ("workouts", "activity"),
        "correlation" => ("correlations", "type"),
        _ => ("documents", "noun"),
    }
}

fn thing(
    connection: &Connection,
    prefix: &str,
    noun: &str,
    columns: &Columns<'_>,
    row: usize,
) -> Result<(), ReplicaError> {
    series::forget(connection, prefix, noun, columns.id.value(row))?;
    let (table, first) = table(noun);
    let sql = format!(
        "INSERT OR REPLACE INTO {prefix}{table}
         (id, {first}, startDate, endDate, sourceName, origin, device, creationDate, metadata, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    );
    let first = if first == "noun" {
        Some(noun)
    } else {
        columns.kind.text(row)
    };
    connection.prepare_cached(&sql)?.execute(params![
        columns.id.value(row),
        first,
        instant(columns.start, row),
        instant(columns.end, row),
        columns.source.text(row),
        columns.origin.text(row),
        columns.device.text(row),
        instant(columns.created, row),
        text(columns.metadata, row),
        text(columns.body, row),
    ])?;
    Ok(())
}

/// Gives how many samples are gone.
fn delete(
    connection: &Connection,
    prefix: &str,
    noun: &str,
    columns: &Columns<'_>,
    row: usize,
) -> Result<i64, ReplicaError> {
    let id = columns.id.value(row);
    if noun != "sample" {
        series::forget(connection, prefix, noun, id)?;
        let (table, _) = table(noun);
        let sql = format!("DELETE FROM {prefix}{table} WHERE id = ?1");
        connection.prepare_cached(&sql)?.execute([id])?;
        return Ok(0);
    }
    // With its start a sample is found at once; without it the type is looked through.
    let kind = columns.kind.text(row);
    let gone = if let Some(start) = instant(columns.start, row) {
        let sql =
            format!("DELETE FROM {prefix}samples WHERE type = ?1 AND startDate = ?2 AND id = ?3");
        connection
            .prepare_cached(&sql)?
            .execute(params![kind, start, id])?
    } else {
        let sql =
            format!("DELETE FROM {prefix}samples WHERE (?1 IS NULL OR type = ?1) AND id = ?2");
        connection
            .prepare_cached(&sql)?
            .execute(params![kind, id])?
    };
    Ok(i64::try_from(gone).unwrap_or_default())
}
