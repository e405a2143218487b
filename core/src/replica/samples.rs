//! The table `samples`.
//!
//! | column | type | |
//! |---|---|---|
//! | `id` | TEXT | UUID |
//! | `type` | TEXT | |
//! | `value` | REAL | null for categories |
//! | `unit` | TEXT | empty for categories |
//! | `startDate`, `endDate` | TEXT | UTC, always with milliseconds: `2026-01-10T05:00:00.000Z` |
//! | `sourceName` | TEXT | |
//! | `category` | TEXT | null for quantities |
//!
//! and on demand `origin`, `device`, `creationDate`, `metadata` (TEXT, the last a JSON object).
//!
//! Dates have one length, so that comparing and sorting them as texts is right, and SQLite's own
//! date functions read them. The rows lie in the order (type, startDate, id): a range of one type
//! is read in one go, and no index stands beside the table.

use arrow_array::Array as _;
use rusqlite::{
    Connection, Statement,
    types::{ToSqlOutput, ValueRef},
};

use super::ReplicaError;
use crate::{
    batch::{Names, SampleBatch, SchemaMismatch},
    time::{push_rfc3339, rfc3339},
};

/// What makes the table.
pub(super) fn table(include_metadata: bool) -> String {
    named_table("samples", include_metadata)
}

/// The same under another name.
pub(super) fn named_table(name: &str, include_metadata: bool) -> String {
    let more = if include_metadata {
        "origin       TEXT NOT NULL,
         device       TEXT,
         creationDate TEXT,
         metadata     TEXT,"
    } else {
        ""
    };
    format!(
        "CREATE TABLE {name} (
         id           TEXT NOT NULL,
         type         TEXT NOT NULL,
         value        REAL,
         unit         TEXT NOT NULL,
         startDate    TEXT NOT NULL,
         endDate      TEXT NOT NULL,
         sourceName   TEXT NOT NULL,
         category     TEXT,
         {more}
         PRIMARY KEY (type, startDate, id)
         ) STRICT, WITHOUT ROWID"
    )
}

/// Adds the rows of a batch.
pub(super) fn insert(
    connection: &Connection,
    batch: &SampleBatch,
    include_metadata: bool,
) -> Result<(), ReplicaError> {
    let columns = batch.view()?;
    let more = match (include_metadata, &columns.more) {
        (false, _) => None,
        (true, Some(more)) => Some(more),
        (true, None) => {
            let missing = "the metadata columns are missing".to_owned();
            return Err(SchemaMismatch(missing).into());
        }
    };
    let places = if more.is_some() {
        "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
    } else {
        "?, ?, ?, ?, ?, ?, ?, ?"
    };
    let sql = format!("INSERT INTO samples VALUES ({places})");
    let mut statement = connection.prepare_cached(&sql)?;
    let (kinds, units) = (Texts::new(columns.kind), Texts::new(columns.unit));
    let (sources, categories) = (Texts::new(columns.source), Texts::new(columns.category));
    let more = more.map(|more| (Texts::new(more.origin), Texts::new(more.device), more));
    let mut date = Vec::new();
    for row in 0..batch.len() {
        let mut cells = Cells {
            statement: &mut statement,
            last: 0,
        };
        cells.text(columns.id.value(row))?;
        cells.push(kinds.cell(row))?;
        if columns.value.is_valid(row) && columns.value.value(row).is_finite() {
            cells.push(ValueRef::Real(columns.value.value(row)))?;
        } else {
            cells.push(ValueRef::Null)?;
        }
        cells.push(units.cell(row))?;
        cells.date(columns.start.value(row), &mut date)?;
        cells.date(columns.end.value(row), &mut date)?;
        cells.push(sources.cell(row))?;
        cells.push(categories.cell(row))?;
        if let Some((origins, devices, more)) = &more {
            cells.push(origins.cell(row))?;
            cells.push(devices.cell(row))?;
            if more.created.is_valid(row) {
                cells.date(more.created.value(row), &mut date)?;
            } else {
                cells.push(ValueRef::Null)?;
            }
            if more.metadata.is_valid(row) {
                cells.text(more.metadata.value(row))?;
            } else {
                cells.push(ValueRef::Null)?;
            }
        }
        statement.raw_execute()?;
    }
    Ok(())
}

/// A date with its milliseconds, also when there are none.
pub(super) fn date_text(ms: i64) -> String {
    let text = rfc3339(ms);
    if ms.rem_euclid(1000) == 0
        && let Some(whole) = text.strip_suffix('Z')
    {
        return format!("{whole}.000Z");
    }
    text
}

/// The cells of one row, from left to right.
struct Cells<'s, 'c> {
    statement: &'s mut Statement<'c>,
    last: usize,
}

impl Cells<'_, '_> {
    fn push(&mut self, cell: ValueRef<'_>) -> rusqlite::Result<()> {
        self.last += 1;
        self.statement
            .raw_bind_parameter(self.last, ToSqlOutput::Borrowed(cell))
    }

    fn text(&mut self, text: &str) -> rusqlite::Result<()> {
        self.push(ValueRef::Text(text.as_bytes()))
    }

    /// A date with its milliseconds, also when there are none.
    fn date(&mut self, ms: i64, text: &mut Vec<u8>) -> rusqlite::Result<()> {
        text.clear();
        push_rfc3339(ms, text);
        if ms.rem_euclid(1000) == 0 {
            text.pop();
            text.extend_from_slice(b".000Z");
        }
        self.push(ValueRef::Text(text))
    }
}

/// A column of texts that repeat.
struct Texts<'a> {
    names: Names<'a>,
    distinct: Vec<Option<&'a str>>,
}

impl<'a> Texts<'a> {
    fn new(names: Names<'a>) -> Self {
        let distinct = names.distinct().collect();
        Self { names, distinct }
    }

    fn cell(&self, row: usize) -> ValueRef<'a> {
        let key = self.names.key(row);
        let found = key.and_then(|key| self.distinct.get(key).copied().flatten());
        found.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::types::Value;

    use super::super::Database;
    use crate::{batch::SampleBatch, batch::tests::hard_samples};

    fn filled(include_metadata: bool, batches: &[SampleBatch]) -> rusqlite::Connection {
        let file = tempfile::NamedTempFile::new().unwrap();
        let database = Database::create(file.path(), include_metadata).unwrap();
        for batch in batches {
            database.add(batch).unwrap();
        }
        database.finish().unwrap();
        // What is read back is what lies on the disk.
        let copy = tempfile::NamedTempFile::new().unwrap();
        std::fs::copy(file.path(), copy.path()).unwrap();
        let connection = rusqlite::Connection::open(copy.path()).unwrap();
        let sound: String = connection
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(sound, "ok");
        connection
    }

    fn rows(connection: &rusqlite::Connection, sql: &str) -> Vec<Vec<Value>> {
        let mut statement = connection.prepare(sql).unwrap();
        let count = statement.column_count();
        let rows = statement.query_map([], |row| (0..count).map(|at| row.get(at)).collect());
        rows.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn every_sample_is_a_row_with_its_own_types() {
        let connection = filled(true, &[hard_samples(true)]);
        let found = rows(&connection, "SELECT * FROM samples ORDER BY id");
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(found.len(), 5);
        assert_eq!(
            found[0],
            [
                text("00000000-0000-0000-0000-000000000000"),
                text("steps"),
                Value::Real(523.0),
                text("count"),
                text("2026-01-10T05:00:00.000Z"),
                text("2026-01-10T05:01:00.000Z"),
                text("Ana’s iPhone"),
                Value::Null,
                text("default"),
                text("Watch, \"7\""),
                text("2026-01-10T05:00:00.000Z"),
                text(r#"{"HKTimeZone":"Europe/Vienna","a":"\"\n,"}"#),
            ]
        );
        assert_eq!(found[1][4], text("2026-01-10T05:00:00.001Z"));
        assert_eq!(found[1][6], text("a,b;c\t\"d\"\r\ne"));
        assert_eq!(found[1][2], Value::Real(0.1 + 0.2));
        assert_eq!(found[1][9..], [Value::Null, Value::Null, Value::Null]);
        assert_eq!(
            (&found[2][2], &found[2][7]),
            (&Value::Null, &text("asleepCore"))
        );
    }

    #[test]
    fn columns_on_demand_are_there_on_demand() {
        let connection = filled(false, &[hard_samples(true)]);
        let found = rows(&connection, "SELECT * FROM samples");
        assert_eq!((found.len(), found[0].len()), (5, 8));
        assert_eq!(
            rows(&connection, "PRAGMA user_version")[0],
            [Value::Integer(1)]
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        let database = Database::create(file.path(), true).unwrap();
        assert!(database.add(&hard_samples(false)).is_err());
    }

    #[test]
    fn a_range_of_one_type_needs_no_scan() {
        let connection = filled(false, &[hard_samples(false)]);
        let plan = rows(
            &connection,
            "EXPLAIN QUERY PLAN SELECT sum(value) FROM samples
             WHERE type = 'steps' AND startDate >= '2026-01-10' AND startDate < '2026-01-11'",
        );
        let Value::Text(plan) = &plan[0][3] else {
            panic!()
        };
        assert!(
            plan.contains("SEARCH") && plan.contains("startDate>"),
            "{plan}"
        );
        let sum = rows(
            &connection,
            "SELECT sum(value), min(date(startDate)) FROM samples
             WHERE type = 'steps' AND startDate >= '2026-01-10' AND startDate < '2026-01-11'",
        );
        assert_eq!(sum[0][0], Value::Real(523.0 + (0.1 + 0.2)));
        assert_eq!(sum[0][1], Value::Text("2026-01-10".to_owned()));
    }

    #[test]
    fn a_sample_that_comes_twice_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let database = Database::create(file.path(), false).unwrap();
        database.add(&hard_samples(false)).unwrap();
        assert!(database.add(&hard_samples(false)).is_err());
    }
}
