//! A foreign SQLite database, opened so that nothing in it can run.

use std::collections::HashMap;

use rusqlite::{Connection, OpenFlags, Row, config::DbConfig, types::ValueRef};
use tempfile::NamedTempFile;

use crate::import::ReadError;

/// The database, and which tables and columns it has.
pub(super) struct Database {
    connection: Connection,
    tables: HashMap<String, Vec<String>>,
    /// Elsewhere than on Unix an open file has a name.
    #[cfg(not(unix))]
    _copy: NamedTempFile,
}

/// A schema with more tables, or columns of all tables, is none of Health Connect's.
const TABLES: usize = 2000;

impl Database {
    /// Opens a copy. Its name is taken away once its schema was read: then nothing is left of it in
    /// the temporary folder, even of a process that is killed.
    pub(super) fn open(copy: NamedTempFile) -> Result<Self, ReadError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(copy.path(), flags).map_err(failed)?;
        for (config, on) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        ] {
            connection.set_db_config(config, on).map_err(failed)?;
        }
        connection
            .execute_batch(
                "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA query_only = ON;
                 PRAGMA cache_size = -8192;",
            )
            .map_err(failed)?;
        let tables = tables(&connection).map_err(failed)?;
        #[cfg(unix)]
        copy.close().map_err(ReadError::Read)?;
        Ok(Self {
            connection,
            tables,
            #[cfg(not(unix))]
            _copy: copy,
        })
    }

    /// Whether there is such a table.
    pub(super) fn has(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    /// Whether the table has such a column, that is no expression.
    pub(super) fn has_column(&self, table: &str, column: &str) -> bool {
        let columns = self.tables.get(table);
        columns.is_some_and(|columns| columns.iter().any(|own| own == column))
    }

    /// All tables, by name.
    pub(super) fn tables(&self) -> impl Iterator<Item = &str> {
        let mut names: Vec<&str> = self.tables.keys().map(String::as_str).collect();
        names.sort_unstable();
        names.into_iter()
    }

    /// How many rows a table has.
    pub(super) fn count(&self, table: &str) -> Result<u64, ReadError> {
        let sql = format!("SELECT count(*) FROM {}", quoted(table));
        let count: i64 = self
            .connection
            .query_row(&sql, [], |row| row.get(0))
            .map_err(failed)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Hands the wanted columns of each row to `visit`; a column that is missing is empty. `from`
    /// names the table under the alias of the columns that stand before a dot.
    pub(super) fn rows(
        &self,
        from: &From<'_>,
        columns: &[(&str, &str)],
        visit: &mut dyn FnMut(&Cells<'_, '_>) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let mut names = Vec::new();
        let mut selected = Vec::new();
        for (alias, column) in columns {
            let table = from.table(alias);
            if self.has_column(table, column) {
                selected.push(format!("{alias}.{}", quoted(column)));
                names.push((*alias, *column));
            }
        }
        if selected.is_empty() {
            return Ok(());
        }
        let sql = format!("SELECT {} FROM {}", selected.join(", "), from.sql());
        let mut statement = self.connection.prepare(&sql).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            visit(&Cells { names: &names, row })?;
        }
        Ok(())
    }
}

/// Which tables are read.
pub(super) struct From<'a> {
    /// The table under the alias `r`.
    pub(super) record: &'a str,
    /// A table under the alias `c` whose rows name a row of the first as `parent_key`.
    pub(super) child: Option<&'a str>,
    /// A column of the child to order by, behind its parent.
    pub(super) order: Option<&'a str>,
}

impl<'a> From<'a> {
    pub(super) fn one(record: &'a str) -> Self {
        Self {
            record,
            child: None,
            order: None,
        }
    }

    pub(super) fn with_child(record: &'a str, child: &'a str) -> Self {
        Self {
            record,
            child: Some(child),
            order: None,
        }
    }

    fn table(&self, alias: &str) -> &str {
        match (alias, self.child) {
            ("c", Some(child)) => child,
            _ => self.record,
        }
    }

    fn sql(&self) -> String {
        let record = quoted(self.record);
        let Some(child) = self.child else {
            return format!("{record} AS r");
        };
        // The outer table is read in its own order; each of its rows finds its parent by key.
        let joined = format!(
            "{} AS c CROSS JOIN {record} AS r ON r.row_id = c.parent_key",
            quoted(child)
        );
        match self.order {
            Some(order) => format!("{joined} ORDER BY c.parent_key, c.{}", quoted(order)),
            None => joined,
        }
    }
}

/// A name in quotes; ours hold none.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// One row.
pub(super) struct Cells<'r, 's> {
    names: &'r [(&'r str, &'r str)],
    row: &'r Row<'s>,
}

impl Cells<'_, '_> {
    fn value(&self, alias: &str, column: &str) -> ValueRef<'_> {
        let place = self
            .names
            .iter()
            .position(|(own, name)| *own == alias && *name == column);
        place
            .and_then(|place| self.row.get_ref(place).ok())
            .unwrap_or(ValueRef::Null)
    }

    /// Whether nothing stands there.
    pub(super) fn is_null(&self, alias: &str, column: &str) -> bool {
        self.value(alias, column) == ValueRef::Null
    }

    /// A whole number; also one that stands there as text or with a point.
    pub(super) fn integer(&self, alias: &str, column: &str) -> Option<i64> {
        match self.value(alias, column) {
            ValueRef::Integer(number) => Some(number),
            ValueRef::Real(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                format!("{number:.0}").parse().ok()
            }
            ValueRef::Text(text) => str::from_utf8(text).ok()?.trim().parse().ok(),
            ValueRef::Real(_) | ValueRef::Null | ValueRef::Blob(_) => None,
        }
    }

    /// A finite number. Health Connect writes the smallest double that there is for what was not
    /// recorded (`Double.MIN_VALUE`).
    pub(super) fn number(&self, alias: &str, column: &str) -> Option<f64> {
        const NOT_RECORDED: f64 = f64::from_bits(1);
        let number = match self.value(alias, column) {
            ValueRef::Integer(number) => number.to_string().parse().ok()?,
            ValueRef::Real(number) => number,
            ValueRef::Text(text) => str::from_utf8(text).ok()?.trim().parse().ok()?,
            ValueRef::Null | ValueRef::Blob(_) => return None,
        };
        let recorded = number.to_bits() != NOT_RECORDED.to_bits();
        (number.is_finite() && recorded).then_some(number)
    }

    /// A text that a person wrote, and whether it was cut.
    pub(super) fn note(&self, alias: &str, column: &str) -> Option<(String, bool)> {
        let kept = self.text(alias, column)?;
        let whole = match self.value(alias, column) {
            ValueRef::Text(text) => String::from_utf8_lossy(text).trim().len(),
            _ => kept.len(),
        };
        let is_cut = kept.len() < whole;
        Some((kept, is_cut))
    }

    /// A text that is not empty.
    pub(super) fn text(&self, alias: &str, column: &str) -> Option<String> {
        match self.value(alias, column) {
            ValueRef::Text(text) => {
                let text = String::from_utf8_lossy(text);
                let text = crate::import::limits::name(text.trim());
                (!text.is_empty()).then(|| text.to_owned())
            }
            ValueRef::Integer(number) => Some(number.to_string()),
            ValueRef::Real(number) => Some(number.to_string()),
            ValueRef::Null | ValueRef::Blob(_) => None,
        }
    }

    /// 16 bytes, the first one first, as a UUID (RFC 9562).
    pub(super) fn uuid(&self, alias: &str, column: &str) -> Option<String> {
        let ValueRef::Blob(bytes) = self.value(alias, column) else {
            return self.text(alias, column);
        };
        let bytes: [u8; 16] = bytes.try_into().ok()?;
        let digits = format!("{:032x}", u128::from_be_bytes(bytes));
        let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
        Some(format!(
            "{}-{}-{}-{}-{}",
            part(0..8),
            part(8..12),
            part(12..16),
            part(16..20),
            part(20..32)
        ))
    }
}

/// Names of the ordinary tables and of their ordinary columns. Virtual tables and views are left
/// out, and so are generated columns: they are code.
fn tables(connection: &Connection) -> rusqlite::Result<HashMap<String, Vec<String>>> {
    let mut statement = connection.prepare(
        "SELECT m.name, c.name FROM sqlite_schema AS m JOIN pragma_table_xinfo(m.name) AS c
         WHERE m.type = 'table' AND m.rootpage > 0 AND c.hidden = 0
           AND m.name NOT LIKE 'sqlite_%' LIMIT ?1",
    )?;
    let limit = i64::try_from(TABLES * 50).unwrap_or(i64::MAX);
    let mut rows = statement.query([limit])?;
    let mut tables: HashMap<String, Vec<String>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let (table, column): (String, String) = (row.get(0)?, row.get(1)?);
        if tables.len() < TABLES || tables.contains_key(&table) {
            tables.entry(table).or_default().push(column);
        }
    }
    Ok(tables)
}

/// What SQLite refuses is damage of the file, unless the disk fails.
fn failed(error: rusqlite::Error) -> ReadError {
    use rusqlite::ErrorCode;

    match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure | ErrorCode::DiskFull | ErrorCode::CannotOpen) => {
            ReadError::Read(std::io::Error::other(error))
        }
        _ => ReadError::Archive(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that is killed cleans nothing up.
    #[test]
    fn an_open_copy_has_no_name() {
        let copy = NamedTempFile::new().unwrap();
        let path = copy.path().to_owned();
        let made = Connection::open(&path).unwrap();
        made.execute_batch("CREATE TABLE a (b); INSERT INTO a VALUES (1), (2)")
            .unwrap();
        drop(made);
        let database = Database::open(copy).unwrap();
        assert_eq!(path.exists(), cfg!(not(unix)));
        assert_eq!(database.count("a").unwrap(), 2);
        drop(database);
        assert!(!path.exists());
    }
}
