//! Totals by day, as the server made them: only it knows which source is believed first.

use arrow_array::{
    Array, DictionaryArray, Float64Array, Int64Array, StringArray, TimestampMillisecondArray,
    types::Int32Type,
};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::Mirror;
use crate::{
    aggregate::TotalsBatch,
    batch::SchemaMismatch,
    replica::{ReplicaError, samples::date_text},
};

/// Which totals must be made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TotalsDue {
    /// All of them.
    All,
    /// Those of days that a sample with this start (milliseconds UTC), or a later one, touches.
    From(i64),
}

impl Mirror {
    /// From when on the totals must be made anew: the earliest start of a sample that they do not
    /// know. `None`: they know all of this zone.
    pub fn totals_due(&self, timezone: &str) -> Result<Option<TotalsDue>, ReplicaError> {
        let sql = "SELECT timezone IS ?1, totals_from_ms FROM sync_state";
        let due = self.connection.query_row(sql, [timezone], |row| {
            let is_same: bool = row.get(0)?;
            let from_ms: Option<i64> = row.get(1)?;
            Ok(match (is_same, from_ms) {
                (false, _) | (true, Some(i64::MIN)) => Some(TotalsDue::All),
                (true, Some(ms)) => Some(TotalsDue::From(ms)),
                (true, None) => None,
            })
        });
        Ok(due?)
    }

    /// Replaces the totals of a local date and all later ones, in one transaction; `None`: all.
    pub fn keep_totals(
        &mut self,
        batches: &[TotalsBatch],
        from_date: Option<&str>,
        timezone: &str,
    ) -> Result<(), ReplicaError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        forget_from(&transaction, from_date.unwrap_or_default())?;
        for batch in batches {
            let columns = Columns::new(batch)?;
            let mut statement = transaction.prepare_cached(
                "INSERT OR REPLACE INTO daily_totals
                 (date, type, category, origin, unit, total, average, min, max, count, startDate,
                  endDate)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?;
            for row in 0..batch.len() {
                statement.execute(params![
                    columns.text(0, row)?,
                    columns.name(1, row)?,
                    columns.name(8, row)?.unwrap_or_default(),
                    columns.name(9, row)?,
                    columns.name(7, row)?,
                    columns.number(2, row)?,
                    columns.number(3, row)?,
                    columns.number(4, row)?,
                    columns.number(5, row)?,
                    columns.column::<Int64Array>(6)?.value(row),
                    columns.date(10, row)?,
                    columns.date(11, row)?,
                ])?;
            }
        }
        transaction.execute(
            "UPDATE sync_state SET totals_from_ms = NULL, timezone = ?1",
            [timezone],
        )?;
        Ok(transaction.commit()?)
    }
}

/// Takes away the totals of a local date and all later ones: type by type, as they lie, because a
/// look through all of them takes the longer the more years there are.
fn forget_from(connection: &Connection, date: &str) -> rusqlite::Result<()> {
    let next = "SELECT type FROM daily_totals WHERE type > ?1 ORDER BY type LIMIT 1";
    let mut next = connection.prepare_cached(next)?;
    let forget = "DELETE FROM daily_totals WHERE type = ?1 AND date >= ?2";
    let mut forget = connection.prepare_cached(forget)?;
    let mut kind = String::new();
    // No type of ours is called nothing, but a copy may have got one.
    forget.execute([kind.as_str(), date])?;
    while let Some(found) = next
        .query_row([&kind], |row| row.get::<_, String>(0))
        .optional()?
    {
        forget.execute([&found, date])?;
        kind = found;
    }
    Ok(())
}

struct Columns<'a>(&'a TotalsBatch);

impl<'a> Columns<'a> {
    fn new(batch: &'a TotalsBatch) -> Result<Self, SchemaMismatch> {
        let columns = Self(batch);
        columns.column::<Int64Array>(6)?;
        Ok(columns)
    }

    fn column<A: Array + 'static>(&self, at: usize) -> Result<&'a A, SchemaMismatch> {
        let found = self.0.columns().columns().get(at);
        found
            .and_then(|column| column.as_any().downcast_ref())
            .ok_or_else(|| SchemaMismatch(format!("column {at} has another type")))
    }

    fn text(&self, at: usize, row: usize) -> Result<Option<&'a str>, SchemaMismatch> {
        let texts: &StringArray = self.column(at)?;
        Ok(texts.is_valid(row).then(|| texts.value(row)))
    }

    fn name(&self, at: usize, row: usize) -> Result<Option<&'a str>, SchemaMismatch> {
        let names: &DictionaryArray<Int32Type> = self.column(at)?;
        let texts = names.values().as_any().downcast_ref::<StringArray>();
        let texts = texts.ok_or_else(|| SchemaMismatch(format!("column {at} has no texts")))?;
        Ok(names
            .key(row)
            .filter(|key| *key < texts.len() && texts.is_valid(*key))
            .map(|key| texts.value(key)))
    }

    fn number(&self, at: usize, row: usize) -> Result<Option<f64>, SchemaMismatch> {
        let numbers: &Float64Array = self.column(at)?;
        Ok(numbers
            .is_valid(row)
            .then(|| numbers.value(row))
            .filter(|number| number.is_finite()))
    }

    fn date(&self, at: usize, row: usize) -> Result<String, SchemaMismatch> {
        let instants: &TimestampMillisecondArray = self.column(at)?;
        Ok(date_text(instants.value(row)))
    }
}
