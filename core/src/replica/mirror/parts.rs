//! A copy that is kept as files, too: each table in parts of a month, and which of them are not
//! written yet.
//!
//! ```text
//! apply ──► rows ──(triggers)──► sync_parts: is_due      in one transaction, with the cursor
//! write_part ──► a file's bytes ──► settle: not due any more
//! ```
//!
//! The book is kept in the database of the copy, so a process that is killed between a page and the
//! file finds the part due when it starts again. Months are those of the start in UTC; of totals,
//! those of their date.

use std::io::Write;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use serde_json::Map;

use super::{Mirror, columns::Columns};
use crate::{
    format::{Format, TableEncoder},
    replica::ReplicaError,
};

/// The month of what has no date with four digits for the year.
const UNDATED: &str = "undated";

/// A table of the copy, and the column that says the month.
struct Table {
    name: &'static str,
    date: &'static str,
    order: &'static str,
}

/// The tables, and the order of their rows.
const TABLES: [Table; 5] = [
    table("samples", "startDate", "startDate, id"),
    table("workouts", "startDate", "startDate, id"),
    table("correlations", "startDate", "startDate, id"),
    table("documents", "startDate", "startDate, id"),
    table("daily_totals", "date", "date, type, category, origin, unit"),
];

const fn table(name: &'static str, date: &'static str, order: &'static str) -> Table {
    Table { name, date, order }
}

/// The rows of a month of one table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The table.
    pub table: &'static str,
    /// `2026-01`, or `undated`.
    pub month: String,
}

impl Part {
    /// The names of the tables.
    pub fn tables() -> [&'static str; 5] {
        TABLES.map(|table| table.name)
    }

    /// `None`: no part is called so.
    pub fn new(table: &'static str, month: &str) -> Option<Self> {
        (is_month(month) || month == UNDATED).then(|| Self {
            table,
            month: month.to_owned(),
        })
    }
}

fn is_month(text: &str) -> bool {
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('-').is_some_and(|(year, month)| {
        year.len() == 4 && month.len() == 2 && is_digits(year) && is_digits(month)
    })
}

/// The month in a text of SQL.
fn month_of(column: &str) -> String {
    format!(
        "CASE WHEN {column} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-*' THEN substr({column}, 1, 7)
              ELSE '{UNDATED}' END"
    )
}

const TABLES_OF_BOOK: &str = "
CREATE TABLE sync_parts (         -- what the files of a folder hold
  name   TEXT    NOT NULL,        -- of the table
  month  TEXT    NOT NULL,
  is_due INTEGER NOT NULL,        -- its file is older than the rows
  PRIMARY KEY (name, month)
) STRICT, WITHOUT ROWID;
CREATE TABLE sync_format (        -- one row
  id     INTEGER PRIMARY KEY CHECK (id = 1),
  format TEXT    NOT NULL
) STRICT;
";

/// What notes the month of each row that comes or goes; `REPLACE` lets one go, too, because
/// `recursive_triggers` are on.
fn triggers() -> String {
    let of = |Table { name, date, .. }: &Table| {
        let trigger = |event: &str, row: &str| {
            let month = month_of(&format!("{row}.{date}"));
            format!(
                "CREATE TRIGGER IF NOT EXISTS {name}_{event} AFTER {event} ON {name}
                 WHEN NOT EXISTS (SELECT 1 FROM sync_parts
                                  WHERE name = '{name}' AND month = {month} AND is_due)
                 BEGIN INSERT OR REPLACE INTO sync_parts VALUES ('{name}', {month}, 1); END;\n"
            )
        };
        // Samples lie in the order of type and start already.
        let index = if *name == "samples" {
            String::new()
        } else {
            format!("CREATE INDEX IF NOT EXISTS {name}_{date} ON {name} ({date});\n")
        };
        [index, trigger("INSERT", "NEW"), trigger("DELETE", "OLD")].concat()
    };
    TABLES.iter().map(of).collect()
}

/// Everything is due: what is there, and what was.
fn all_due() -> String {
    let found = |Table { name, date, .. }: &Table| {
        let month = month_of(date);
        format!(
            "INSERT OR REPLACE INTO sync_parts SELECT DISTINCT '{name}', {month}, 1 FROM {name};\n"
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
        let sql = "SELECT month, is_due FROM sync_parts WHERE name = ?1 ORDER BY month";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([table])?;
        let mut parts = Vec::new();
        while let Some(row) = rows.next()? {
            let month: String = row.get(0)?;
            let part = Part::new(table, &month).ok_or(ReplicaError::NotACopy)?;
            parts.push((part, row.get(1)?));
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
        if part.table == "samples" {
            let mut kind = String::new();
            while let Some(next) = self.kind_after(&kind)? {
                self.rows(part, Some(&next), &mut columns, &mut file)?;
                kind = next;
            }
        } else {
            self.rows(part, None, &mut columns, &mut file)?;
        }
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
                "INSERT OR REPLACE INTO sync_parts VALUES (?1, ?2, 0)"
            } else {
                "DELETE FROM sync_parts WHERE name = ?1 AND month = ?2"
            };
            transaction
                .prepare_cached(sql)?
                .execute(params![part.table, part.month])?;
        }
        Ok(transaction.commit()?)
    }

    /// The next type of which there are samples.
    fn kind_after(&self, kind: &str) -> Result<Option<String>, ReplicaError> {
        let sql = "SELECT min(type) FROM samples WHERE type > ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([kind], |row| row.get(0))?)
    }

    /// Passes the rows of a part on, of one type or of all.
    fn rows(
        &self,
        part: &Part,
        kind: Option<&str>,
        columns: &mut Columns,
        file: &mut File<'_>,
    ) -> Result<(), ReplicaError> {
        let sql = select(part, columns, kind.is_some())?;
        let mut statement = self.connection.prepare_cached(&sql)?;
        let from = format!("{}-", part.month);
        // The character behind it.
        let to = format!("{}.", part.month);
        let mut rows = if part.month == UNDATED {
            statement.query(rusqlite::params_from_iter(kind))?
        } else {
            let bounds = [from.as_str(), to.as_str()];
            statement.query(rusqlite::params_from_iter(kind.into_iter().chain(bounds)))?
        };
        while let Some(row) = rows.next()? {
            columns.push(row)?;
            if columns.is_full() {
                file.take(columns)?;
            }
        }
        Ok(())
    }
}

fn select(part: &Part, columns: &Columns, has_kind: bool) -> Result<String, ReplicaError> {
    let found = TABLES.iter().find(|table| table.name == part.table);
    let Table { name, date, order } = found.ok_or(ReplicaError::NotACopy)?;
    let kind = if has_kind { "type = ? AND" } else { "" };
    let month = if part.month == UNDATED {
        format!("{} = '{UNDATED}'", month_of(date))
    } else {
        format!("{date} >= ? AND {date} < ?")
    };
    let cells = columns.cells();
    Ok(format!(
        "SELECT {cells} FROM {name} WHERE {kind} {month} ORDER BY {order}"
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
