//! The tables of `health.db`, and how the file is opened.
//!
//! Samples are clustered by (kind, start, id): a query by type and time reads neighbouring pages,
//! and a record that comes again is found where its like stand. Texts that repeat (sources,
//! devices, units, categories) are rows of small tables. Every write takes the next number of one
//! sequence, so that "what changed since" follows the order of writing, never the sample's date.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::StoreError;

/// `HsHd`: tells our files from any other SQLite database.
pub(super) const APPLICATION_ID: i64 = 0x4873_4864;

/// Version of the tables below; a file with a higher one was written by a later program.
pub(super) const VERSION: i64 = 1;

/// How long a connection waits for another one that writes.
pub(super) const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(1);

const TABLES: &str = "
CREATE TABLE counter (            -- one row
  id   INTEGER PRIMARY KEY CHECK (id = 1),
  seq  INTEGER NOT NULL,          -- last position of the sequence that was given out
  rows INTEGER NOT NULL           -- last row number that was given to a sample
) STRICT;
INSERT INTO counter VALUES (1, 0, 0);

CREATE TABLE origin   (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE kind     (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
                       unit TEXT NOT NULL) STRICT;  -- of its first sample; '' for categories
CREATE TABLE unit     (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE category (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE source   (id INTEGER PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL,
                       UNIQUE (name, version)) STRICT;      -- version '' when unknown
CREATE TABLE device   (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
                       hardware TEXT) STRICT;
-- Half of the last printed digit, in the unit of the row.
CREATE TABLE tolerance (id INTEGER PRIMARY KEY, half REAL NOT NULL UNIQUE) STRICT;
-- Short metadata that many samples share (a JSON object as text).
CREATE TABLE metadata (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE sample (
  kind_id      INTEGER NOT NULL,
  start_ms     INTEGER NOT NULL,  -- since 1970-01-01T00:00:00Z
  id           BLOB    NOT NULL,  -- UUIDv8 of the key, 16 bytes
  end_ms       INTEGER NOT NULL,
  row          INTEGER NOT NULL,  -- dense and unique: a bitmap of rows costs one bit each
  seq          INTEGER NOT NULL,
  origin_id    INTEGER NOT NULL,
  source_id    INTEGER NOT NULL,
  unit_id      INTEGER NOT NULL,
  tolerance_id INTEGER,           -- null when there is no number
  value        REAL,
  category_id  INTEGER,
  device_id    INTEGER,
  created_ms   INTEGER,
  metadata_id  INTEGER,           -- at most one of these two is set
  metadata     TEXT,              -- a JSON object
  PRIMARY KEY (kind_id, start_ms, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX sample_seq ON sample (seq);

-- How many samples there are, kept by the same transactions that write them.
CREATE TABLE tally (
  kind_id   INTEGER NOT NULL,
  origin_id INTEGER NOT NULL,
  samples   INTEGER NOT NULL,
  PRIMARY KEY (kind_id, origin_id)
) STRICT, WITHOUT ROWID;

-- A deletion is a position in the sequence, too.
CREATE TABLE tombstone (
  seq     INTEGER PRIMARY KEY,
  kind_id INTEGER,                -- null for workouts and correlations
  id      BLOB NOT NULL
) STRICT;

CREATE TABLE workout (
  workout_id INTEGER PRIMARY KEY,
  id         BLOB    NOT NULL UNIQUE,
  seq        INTEGER NOT NULL,
  origin_id  INTEGER NOT NULL REFERENCES origin,
  activity   TEXT    NOT NULL,    -- HealthKit's name without its prefix (`running`)
  start_ms   INTEGER NOT NULL,
  end_ms     INTEGER NOT NULL,
  duration_s REAL,                -- without pauses
  source_id  INTEGER NOT NULL REFERENCES source,
  device_id  INTEGER REFERENCES device,
  created_ms INTEGER,
  metadata   TEXT
) STRICT;
CREATE INDEX workout_start ON workout (start_ms);
CREATE INDEX workout_seq ON workout (seq);
CREATE TABLE workout_statistic (
  workout_id INTEGER NOT NULL REFERENCES workout ON DELETE CASCADE,
  position   INTEGER NOT NULL,
  kind_id    INTEGER NOT NULL REFERENCES kind,
  start_ms   INTEGER,
  end_ms     INTEGER,
  unit_id    INTEGER NOT NULL REFERENCES unit,
  average    REAL,
  minimum    REAL,
  maximum    REAL,
  sum        REAL,
  tolerance  REAL NOT NULL,       -- the widest of the four
  PRIMARY KEY (workout_id, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE workout_event (
  workout_id INTEGER NOT NULL REFERENCES workout ON DELETE CASCADE,
  position   INTEGER NOT NULL,
  event      TEXT    NOT NULL,    -- `pause`, `resume`, `lap`, ..
  at_ms      INTEGER NOT NULL,
  duration_s REAL,
  metadata   TEXT,
  PRIMARY KEY (workout_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE correlation (
  correlation_id INTEGER PRIMARY KEY,
  id             BLOB    NOT NULL UNIQUE,
  seq            INTEGER NOT NULL,
  origin_id      INTEGER NOT NULL REFERENCES origin,
  kind_id        INTEGER NOT NULL REFERENCES kind,
  start_ms       INTEGER NOT NULL,
  end_ms         INTEGER NOT NULL,
  source_id      INTEGER NOT NULL REFERENCES source,
  device_id      INTEGER REFERENCES device,
  created_ms     INTEGER,
  metadata       TEXT
) STRICT;
CREATE INDEX correlation_start ON correlation (kind_id, start_ms);
CREATE INDEX correlation_seq ON correlation (seq);
-- Which samples belong together; they are rows of `sample` like any other.
CREATE TABLE correlation_member (
  correlation_id INTEGER NOT NULL REFERENCES correlation ON DELETE CASCADE,
  position       INTEGER NOT NULL,
  kind_id        INTEGER NOT NULL REFERENCES kind,
  start_ms       INTEGER NOT NULL,
  sample_id      BLOB    NOT NULL,
  PRIMARY KEY (correlation_id, position)
) STRICT, WITHOUT ROWID;
";

/// Opens the file, makes it (0600) and its tables if they are missing, and refuses a file that is
/// not ours.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    create_private(path).map_err(|source| StoreError::Open {
        path: path.to_owned(),
        source,
    })?;
    // No SQLITE_OPEN_URI: a path is a path, also when it begins with `file:`.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    prepare(&mut connection).map_err(|error| match error {
        StoreError::NotAStore { .. } => StoreError::NotAStore {
            path: Some(path.to_owned()),
        },
        other => other,
    })?;
    Ok(connection)
}

/// A store in memory, for tests and trials.
pub(super) fn open_in_memory() -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    prepare(&mut connection)?;
    Ok(connection)
}

fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    if identify(connection)? == Identity::Empty {
        connection.pragma_update(None, "journal_mode", "wal")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been faster.
        if identify(&transaction)? == Identity::Empty {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()?;
        // The tables stand in the file itself, so that emptying the log never needs room.
        empty_log(connection)?;
    }
    // A page is written once a transaction, so that NORMAL loses at most whole imports when the
    // power fails, and never damages the file.
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL;
         PRAGMA foreign_keys = ON;
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

#[derive(PartialEq, Eq)]
enum Identity {
    Empty,
    Ours,
}

fn identify(connection: &Connection) -> Result<Identity, StoreError> {
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
            Ok(Identity::Ours)
        };
    }
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id == 0 && tables == 0 {
        Ok(Identity::Empty)
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
    use super::*;

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
            Err(StoreError::Newer { found: 2, known: 1 })
        ));
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
