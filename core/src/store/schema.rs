//! The tables of `health.db`, and how the file is opened.
//!
//! Samples are clustered by (kind, start, id): a query by type and time reads neighbouring pages,
//! and a record that comes again is found where its like stand. Texts that repeat (sources,
//! devices, units, categories) are rows of small tables. Every write takes the next number of one
//! sequence, so that "what changed since" follows the order of writing, never the sample's date.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{
    StoreError,
    steps::{VERSION, bring_up},
};

/// `HsHd`: tells our files from any other SQLite database.
pub(super) const APPLICATION_ID: i64 = 0x4873_4864;

/// Size of a page of a new file, twice the usual one: half as many calls write pages into the log and move
/// them from there into the file.
const PAGE_BYTES: i64 = 8 * 1024;

/// In a file with a log, a page is written once a transaction, so that NORMAL loses at most whole imports
/// when the power fails, and never damages the file.
const SYNCHRONOUS: &str = "NORMAL";

/// How long a connection waits for another one that writes.
pub(super) const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(1);

/// Opens the file, makes it (0600) and its tables if they are missing, and refuses a file that is
/// not ours.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = open_private(path)?;
    prepare(&mut connection).map_err(|error| match error {
        StoreError::NotAStore { .. } => StoreError::NotAStore {
            path: Some(path.to_owned()),
        },
        other => other,
    })?;
    Ok(connection)
}

/// Opens a database, making it (0600) if it is missing.
pub(super) fn open_private(path: &Path) -> Result<Connection, StoreError> {
    create_private(path).map_err(|source| StoreError::Open {
        path: path.to_owned(),
        source,
    })?;
    // No SQLITE_OPEN_URI: a path is a path, also when it begins with `file:`.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// A store in memory, for tests and trials.
pub(super) fn open_in_memory() -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    prepare(&mut connection)?;
    Ok(connection)
}

fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    let found = version(connection)?;
    if found < VERSION {
        if found == 0 {
            connection.pragma_update(None, "page_size", PAGE_BYTES)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
        }
        connection.pragma_update(None, "synchronous", SYNCHRONOUS)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been faster.
        let found = version(&transaction)?;
        bring_up(&transaction, found)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
        // The tables stand in the file itself, so that emptying the log never needs room.
        empty_log(connection)?;
    }
    connection.pragma_update(None, "synchronous", SYNCHRONOUS)?;
    connection.execute_batch(
        "PRAGMA foreign_keys = ON;
         PRAGMA cache_size = -8192;
         PRAGMA trusted_schema = OFF;
         PRAGMA wal_autocheckpoint = 1000;
         PRAGMA journal_size_limit = 1048576;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Moves what the write-ahead log holds into the file and gives its room back to the disk. A
/// reader that still looks at an older state prevents it, which is no error.
pub(super) fn empty_log(connection: &Connection) -> Result<(), rusqlite::Error> {
    /// Readers that take longer are not waited for.
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

    connection.busy_timeout(PATIENCE)?;
    let emptied = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    connection.busy_timeout(BUSY_TIMEOUT)?;
    emptied
}

/// Version of the file's tables, 0 for an empty file.
pub(super) fn version(connection: &Connection) -> Result<i64, StoreError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let id = pragma("application_id")?;
    if id == APPLICATION_ID {
        let found = pragma("user_version")?;
        return if found > VERSION {
            Err(StoreError::Newer {
                found,
                known: VERSION,
            })
        } else {
            Ok(found)
        };
    }
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id == 0 && tables == 0 {
        Ok(0)
    } else {
        Err(StoreError::NotAStore { path: None })
    }
}

/// SQLite would make the file readable for others, where the umask lets it.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => {
            drop(file);
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::store::{steps::STEPS, written};

    #[test]
    fn opens_again_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("health.db");
        drop(open(&path).unwrap());
        let connection = open(&path).unwrap();
        let mode: String = connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn refuses_a_later_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("health.db");
        open(&path)
            .unwrap()
            .pragma_update(None, "user_version", VERSION + 1)
            .unwrap();
        assert!(matches!(
            open(&path),
            Err(StoreError::Newer { found, known: VERSION }) if found == VERSION + 1
        ));
    }

    /// A file as the program of version 1 made it, with one row in every table.
    fn first_version(path: &Path) {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = wal; BEGIN; {}
                 UPDATE counter SET seq = 3, rows = 1;
                 INSERT INTO origin VALUES (1, 'default');
                 INSERT INTO kind VALUES (1, 'steps', 'count');
                 INSERT INTO unit VALUES (1, 'count');
                 INSERT INTO category VALUES (1, 'awake');
                 INSERT INTO source VALUES (1, 'Phone', '18.2');
                 INSERT INTO device VALUES (1, 'name:iPhone', 'iPhone15,3');
                 INSERT INTO tolerance VALUES (1, 0.5);
                 INSERT INTO metadata VALUES (1, '{{\"a\":\"b\"}}');
                 INSERT INTO sample VALUES (1, 1000, x'8f000000000000000000000000000000', 2000, 1, 1, 1, 1, 1, 1, 12.0, NULL, 1,
                                            3000, 1, NULL);
                 INSERT INTO tally VALUES (1, 1, 1);
                 INSERT INTO tombstone VALUES (9, 1, x'01');
                 INSERT INTO workout VALUES (1, x'02', 2, 1, 'running', 1, 2, 1.0, 1, 1, 3, NULL);
                 INSERT INTO workout_statistic VALUES (1, 0, 1, 1, 2, 1, 1.0, 2.0, 3.0, 4.0, 0.5);
                 INSERT INTO workout_event VALUES (1, 0, 'pause', 1, NULL, NULL);
                 INSERT INTO correlation VALUES (1, x'03', 3, 1, 1, 1, 2, 1, NULL, NULL, NULL);
                 INSERT INTO correlation_member VALUES (1, 0, 1, 1000, x'8f000000000000000000000000000000');
                 PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1; COMMIT;",
                STEPS[0]
            ))
            .unwrap();
    }

    /// All rows of all tables of version 1, column by column.
    fn content(connection: &Connection) -> Vec<String> {
        let mut lines = Vec::new();
        for (table, columns) in [
            ("counter", "id, seq, rows"),
            ("origin", "id, name"),
            ("kind", "id, name, unit"),
            ("unit", "id, name"),
            ("category", "id, name"),
            ("source", "id, name, version"),
            ("device", "id, name, hardware"),
            ("tolerance", "id, half"),
            ("metadata", "id, text"),
            (
                "sample",
                "kind_id, start_ms, id, end_ms, row, seq, origin_id, source_id, unit_id, \
                 tolerance_id, value, category_id, device_id, created_ms, metadata_id, metadata",
            ),
            ("tally", "kind_id, origin_id, samples"),
            ("tombstone", "seq, kind_id, id"),
            (
                "workout",
                "workout_id, id, seq, origin_id, activity, start_ms, end_ms, duration_s, \
                 source_id, device_id, created_ms, metadata",
            ),
            (
                "workout_statistic",
                "workout_id, position, kind_id, start_ms, end_ms, unit_id, average, minimum, \
                 maximum, sum, tolerance",
            ),
            (
                "workout_event",
                "workout_id, position, event, at_ms, duration_s, metadata",
            ),
            (
                "correlation",
                "correlation_id, id, seq, origin_id, kind_id, start_ms, end_ms, source_id, \
                 device_id, created_ms, metadata",
            ),
            (
                "correlation_member",
                "correlation_id, position, kind_id, start_ms, sample_id",
            ),
        ] {
            let mut statement = connection
                .prepare(&format!("SELECT {columns} FROM {table}"))
                .unwrap();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let values: Vec<String> = (0..columns.split(',').count())
                    .map(|at| format!("{:?}", row.get_ref(at).unwrap()))
                    .collect();
                lines.push(format!("{table}: {}", values.join(" ")));
            }
        }
        lines
    }

    #[test]
    fn a_file_of_the_first_version_keeps_everything() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("health.db");
        first_version(&path);
        let before = content(&Connection::open(&path).unwrap());
        assert_eq!(before.len(), 17, "a row in every table");
        let connection = open(&path).unwrap();
        assert_eq!(version(&connection).unwrap(), VERSION);
        assert_eq!(content(&connection), before);
        let format: String = connection
            .query_row(
                "SELECT format.name FROM sample JOIN format ON format.id = format_id",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(format, "appleHealth");
        let mut written = Vec::new();
        let told = written::behind(&connection, 0, |place| {
            written.push((place.seq, place.kind_id, place.start_ms));
            ControlFlow::Continue(())
        });
        assert!(told.unwrap().is_continue());
        assert_eq!(written, [(1, 1, 1000)]);
        drop(connection);
        assert_eq!(content(&open(&path).unwrap()), before);
    }

    #[test]
    fn a_deletion_of_version_3_is_told_with_what_was_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("health.db");
        first_version(&path);
        Connection::open(&path)
            .unwrap()
            .execute_batch(&format!(
                "{}{}
                 UPDATE sample SET category_id = 1;
                 DELETE FROM sample;
                 INSERT INTO tombstone (seq, kind_id, id, noun, origin_id)
                 VALUES (10, 1, x'8f000000000000000000000000000000', 'sample', 1);
                 PRAGMA user_version = 3;",
                STEPS[1], STEPS[2]
            ))
            .unwrap();
        let connection = open(&path).unwrap();
        let told = |seq: i64| -> (Option<i64>, Option<i64>) {
            let sql = "SELECT start_ms, category_id FROM tombstone WHERE seq = ?1";
            let found = connection.query_row(sql, [seq], |row| Ok((row.get(0)?, row.get(1)?)));
            found.unwrap()
        };
        assert_eq!(told(10), (Some(1000), Some(1)));
        // Nobody knows any more what that one was.
        assert_eq!(told(9), (None, None));
    }

    #[test]
    fn an_older_file_has_the_tables_of_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let tables = |connection: &Connection| -> Vec<(String, String)> {
            let mut statement = connection
                .prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name")
                .unwrap();
            let rows = statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        };
        let old = folder.path().join("old.db");
        first_version(&old);
        let new = folder.path().join("new.db");
        assert_eq!(tables(&open(&old).unwrap()), tables(&open(&new).unwrap()));
    }

    #[test]
    fn refuses_other_files() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("notes.txt");
        std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&text)
            .unwrap();
        std::io::Write::write_all(
            &mut std::fs::OpenOptions::new()
                .append(true)
                .open(&text)
                .unwrap(),
            "not a database, and longer than a header of one. "
                .repeat(30)
                .as_bytes(),
        )
        .unwrap();
        assert!(matches!(
            open(&text),
            Err(StoreError::NotAStore { path: Some(_) })
        ));
        let other = folder.path().join("other.db");
        Connection::open(&other)
            .unwrap()
            .execute_batch("CREATE TABLE t (a)")
            .unwrap();
        assert!(matches!(
            open(&other),
            Err(StoreError::NotAStore { path: Some(_) })
        ));
    }
}
