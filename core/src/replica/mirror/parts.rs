//! A copy that is kept as files, too: each table in parts of a year, the samples by type, too, and
//! which of them are not written yet.
//!
//! ```text
//! apply ──► rows ──(triggers)──► sync_parts: is_due      in one transaction, with the cursor
//! write_part ──► a file's bytes ──► settle: not due any more
//! ```
//!
//! The book is kept in the database of the copy, so a process that is killed between a page and the
//! file finds the part due when it starts again. Years are those of the start in UTC; of points of
//! routes those of their instant, of totals those of their date. Voltages have none. Where the files
//! lie is in [`place`].

mod place;

use std::io::Write;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use serde_json::Map;

pub use self::place::Place;
use super::{Mirror, columns::Columns};
use crate::{
    format::{Format, TableEncoder},
    replica::ReplicaError,
};

/// The year of what has no date.
const UNDATED: &str = "undated";
/// The year of what has a date without four digits for the year.
const BEYOND: &str = "beyond";

/// A table of the copy, and the column that says the year, if there is one.
struct Table {
    name: &'static str,
    date: Option<&'static str>,
    order: &'static str,
    /// Whether each type has parts of its own.
    has_kinds: bool,
}

/// The tables, and the order of their rows.
const TABLES: [Table; 7] = [
    Table {
        has_kinds: true,
        ..table("samples", "startDate", "startDate, id")
    },
    table("workouts", "startDate", "startDate, id"),
    table("correlations", "startDate", "startDate, id"),
    table("documents", "startDate", "startDate, id"),
    table("route_point", "date", "date, route, position"),
    Table {
        date: None,
        ..table("ecg_voltage", "", "ecg, position")
    },
    table("daily_totals", "date", "date, type, category, origin, unit"),
];

const fn table(name: &'static str, date: &'static str, order: &'static str) -> Table {
    Table {
        name,
        date: Some(date),
        order,
        has_kinds: false,
    }
}

/// The rows of a year of one table, of samples also of one type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    table: &'static str,
    /// The type; empty in tables whose types have no parts of their own.
    kind: String,
    /// `2026`, `undated` or `beyond`.
    year: String,
}

impl Part {
    /// The names of the tables.
    pub fn tables() -> [&'static str; 7] {
        TABLES.map(|table| table.name)
    }

    /// Where its file lies.
    pub fn place(&self) -> Place {
        let has_kinds = self.of().is_ok_and(|table| table.has_kinds);
        Place {
            table: self.table,
            folder: has_kinds.then(|| place::folder(&self.kind)),
            year: self.year.clone(),
        }
    }

    /// Whether the dates lie between two texts.
    fn has_bounds(&self) -> bool {
        self.of().is_ok_and(|table| table.date.is_some())
            && ![UNDATED, BEYOND].contains(&self.year.as_str())
    }

    fn of(&self) -> Result<&'static Table, ReplicaError> {
        let found = TABLES.iter().find(|table| table.name == self.table);
        found.ok_or(ReplicaError::NotACopy)
    }
}

impl Table {
    /// Type and year in a text of SQL; `row` is empty, or `NEW.` and the like.
    fn part_of(&self, row: &str) -> [String; 2] {
        let kind = if self.has_kinds {
            format!("{row}type")
        } else {
            "''".to_owned()
        };
        let year = match self.date {
            Some(date) => year_of(&format!("{row}{date}")),
            None => format!("'{UNDATED}'"),
        };
        [kind, year]
    }
}

/// The year in a text of SQL.
fn year_of(column: &str) -> String {
    format!(
        "CASE WHEN {column} GLOB '[0-9][0-9][0-9][0-9]-*' THEN substr({column}, 1, 4)
              WHEN {column} IS NULL THEN '{UNDATED}' ELSE '{BEYOND}' END"
    )
}

const TABLES_OF_BOOK: &str = "
CREATE TABLE sync_parts (         -- what the files of a folder hold
  name   TEXT    NOT NULL,        -- of the table
  kind   TEXT    NOT NULL,        -- the type; '' where types have no files of their own
  year   TEXT    NOT NULL,
  is_due INTEGER NOT NULL,        -- its file is older than the rows
  PRIMARY KEY (name, kind, year)
) STRICT, WITHOUT ROWID;
CREATE TABLE sync_format (        -- one row
  id     INTEGER PRIMARY KEY CHECK (id = 1),
  format TEXT    NOT NULL
) STRICT;
";

/// What notes the part of each row that comes or goes; `REPLACE` lets one go, too, because
/// `recursive_triggers` are on.
fn triggers() -> String {
    let of = |table: &Table| {
        let name = table.name;
        let trigger = |event: &str, row: &str| {
            let [kind, year] = table.part_of(row);
            format!(
                "CREATE TRIGGER IF NOT EXISTS {name}_{event} AFTER {event} ON {name}
                 WHEN NOT EXISTS (SELECT 1 FROM sync_parts
                                  WHERE name = '{name}' AND kind = {kind} AND year = {year} AND is_due)
                 BEGIN INSERT OR REPLACE INTO sync_parts VALUES ('{name}', {kind}, {year}, 1); END;\n"
            )
        };
        // Samples lie in the order of type and start already.
        let index = match table.date {
            Some(date) if !table.has_kinds => {
                format!("CREATE INDEX IF NOT EXISTS {name}_{date} ON {name} ({date});\n")
            }
            Some(_) | None => String::new(),
        };
        [index, trigger("INSERT", "NEW."), trigger("DELETE", "OLD.")].concat()
    };
    TABLES.iter().map(of).collect()
}

/// Everything is due: what is there, and what was.
fn all_due() -> String {
    let found = |table: &Table| {
        let [kind, year] = table.part_of("");
        let name = table.name;
        format!(
            "INSERT OR REPLACE INTO sync_parts
             SELECT DISTINCT '{name}', {kind}, {year}, 1 FROM {name};\n"
        )
    };
    let found: String = TABLES.iter().map(found).collect();
    format!("UPDATE sync_parts SET is_due = 1;\n{found}")
}

/// Whether files are kept.
pub(super) fn are_kept(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'sync_parts'";
    connection.query_row(sql, [], |row| row.get(0))
}

/// Rows are on the disk before a file is made of them. Otherwise a power cut might take the rows and
/// leave the file: what the server deletes then would stay in it for ever.
pub(super) fn rows_come_first(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")
}

/// New tables have taken the place of those that were watched.
pub(super) fn begin_anew(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&triggers())?;
    connection.execute_batch(&all_due())
}

impl Mirror {
    /// The format of the files; `None`: there are none.
    pub fn kept_format(&self) -> Result<Option<String>, ReplicaError> {
        if !are_kept(&self.connection)? {
            return Ok(None);
        }
        let sql = "SELECT format FROM sync_format";
        let found = self.connection.query_row(sql, [], |row| row.get(0));
        Ok(found.optional()?)
    }

    /// From now on files of this format are kept.
    pub fn keep_format(&mut self, format: &Format) -> Result<(), ReplicaError> {
        rows_come_first(&self.connection)?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !are_kept(&transaction)? {
            transaction.execute_batch(TABLES_OF_BOOK)?;
        }
        begin_anew(&transaction)?;
        transaction.execute(
            "INSERT OR REPLACE INTO sync_format VALUES (1, ?1)",
            [format.name],
        )?;
        Ok(transaction.commit()?)
    }

    /// All parts that have rows, or had some when their file was written, and whether they are due.
    pub fn parts(&self, table: &'static str) -> Result<Vec<(Part, bool)>, ReplicaError> {
        let sql = "SELECT kind, year, is_due FROM sync_parts WHERE name = ?1 ORDER BY kind, year";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([table])?;
        let mut parts = Vec::new();
        while let Some(row) = rows.next()? {
            let (kind, year) = (row.get(0)?, row.get(1)?);
            let part = Part { table, kind, year };
            // It becomes the name of a file.
            if !place::is_year(&part.year) {
                return Err(ReplicaError::NotACopy);
            }
            parts.push((part, row.get(2)?));
        }
        Ok(parts)
    }

    /// Writes a part as a file of this format, some rows at a time; gives how many there are.
    pub fn write_part(
        &self,
        part: &Part,
        format: &Format,
        out: &mut dyn Write,
    ) -> Result<u64, ReplicaError> {
        let mut columns = Columns::of(part.table)?;
        let encoder = TableEncoder::of_file(format, columns.schema());
        let mut file = File {
            encoder: encoder.ok_or(ReplicaError::NotACopy)?,
            bytes: Vec::new(),
            out,
        };
        file.encoder.start(&mut file.bytes)?;
        self.rows(part, &mut columns, &mut file)?;
        file.take(&mut columns)?;
        file.encoder.finish(Map::new(), &mut file.bytes)?;
        file.flush()?;
        Ok(file.encoder.count())
    }

    /// The files of these parts are what the rows are; where there are none, there is no file.
    pub fn settle(&mut self, written: &[(Part, bool)]) -> Result<(), ReplicaError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (part, has_rows) in written {
            let sql = if *has_rows {
                "INSERT OR REPLACE INTO sync_parts VALUES (?1, ?2, ?3, 0)"
            } else {
                "DELETE FROM sync_parts WHERE name = ?1 AND kind = ?2 AND year = ?3"
            };
            transaction
                .prepare_cached(sql)?
                .execute(params![part.table, part.kind, part.year])?;
        }
        Ok(transaction.commit()?)
    }

    /// Passes the rows of a part on.
    fn rows(
        &self,
        part: &Part,
        columns: &mut Columns,
        file: &mut File<'_>,
    ) -> Result<(), ReplicaError> {
        let sql = select(part, columns)?;
        let mut statement = self.connection.prepare_cached(&sql)?;
        let kind = part.of()?.has_kinds.then_some(part.kind.as_str());
        let from = format!("{}-", part.year);
        // The character behind it.
        let to = format!("{}.", part.year);
        let bounds = [from.as_str(), to.as_str()];
        let bounds = bounds.into_iter().filter(|_| part.has_bounds());
        let values = kind.into_iter().chain(bounds);
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            columns.push(row)?;
            if columns.is_full() {
                file.take(columns)?;
            }
        }
        Ok(())
    }
}

fn select(part: &Part, columns: &Columns) -> Result<String, ReplicaError> {
    let table = part.of()?;
    let Table {
        name, date, order, ..
    } = table;
    let kind = if table.has_kinds { "type = ? AND" } else { "" };
    let year = match date {
        Some(date) if part.has_bounds() => format!("{date} >= ? AND {date} < ?"),
        Some(date) if part.year == UNDATED => format!("{date} IS NULL"),
        Some(date) => format!("{} = '{BEYOND}'", year_of(date)),
        None => "1".to_owned(),
    };
    let cells = columns.cells();
    Ok(format!(
        "SELECT {cells} FROM {name} WHERE {kind} {year} ORDER BY {order}"
    ))
}

/// A file under way.
struct File<'a> {
    encoder: TableEncoder,
    bytes: Vec<u8>,
    out: &'a mut dyn Write,
}

impl File<'_> {
    fn take(&mut self, columns: &mut Columns) -> Result<(), ReplicaError> {
        self.encoder.batch(&columns.take()?, &mut self.bytes)?;
        self.flush()
    }

    fn flush(&mut self) -> Result<(), ReplicaError> {
        let written = self.out.write_all(&self.bytes);
        self.bytes.clear();
        written.map_err(ReplicaError::Write)
    }
}

#[cfg(test)]
mod tests;
