//! The file of packs.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::store::{StoreError, schema::open_private};

/// `HsPk`
const APPLICATION_ID: i64 = 0x4873_506b;
/// Goes up whenever packs or their tables look otherwise.
pub(super) const VERSION: i64 = 1;

const TABLES: &str = "
DROP TABLE IF EXISTS as_of;
DROP TABLE IF EXISTS pack;
DROP TABLE IF EXISTS body;
CREATE TABLE as_of (
  id     INTEGER PRIMARY KEY CHECK (id = 1),
  seq    INTEGER NOT NULL,        -- place in the sequence of health.db
  token  BLOB    NOT NULL,        -- of whoever took it
  tables INTEGER NOT NULL,        -- version of health.db
  schema TEXT    NOT NULL         -- of the batches
) STRICT;
CREATE TABLE pack (
  pack_id  INTEGER PRIMARY KEY,
  kind_id  INTEGER NOT NULL,      -- numbers of health.db
  start_ms INTEGER NOT NULL,      -- first row
  id       BLOB    NOT NULL,
  last_ms  INTEGER NOT NULL,      -- last row
  last_id  BLOB    NOT NULL,
  rows     INTEGER NOT NULL,
  crc      INTEGER NOT NULL,      -- CRC-32 of all that and the messages
  UNIQUE (kind_id, start_ms, id)
) STRICT;
CREATE TABLE body (pack_id INTEGER PRIMARY KEY, messages BLOB NOT NULL) STRICT;
";

/// To write; makes what is missing.
pub(super) fn open(path: &Path, patience: Duration) -> Result<Connection, StoreError> {
    let mut connection = open_private(path)?;
    connection.busy_timeout(patience)?;
    // What is deleted is written over, also what another version made.
    connection.pragma_update(None, "secure_delete", true)?;
    if !is_known(&connection)? {
        connection.pragma_update(None, "page_size", 64 * 1024)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !is_known(&transaction)? {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()?;
    }
    // Pages are large: the log has a few megabytes.
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL;
         PRAGMA cache_size = -1024;
         PRAGMA trusted_schema = OFF;
         PRAGMA wal_autocheckpoint = 32;
         PRAGMA journal_size_limit = 1048576;",
    )?;
    Ok(connection)
}

/// To read; `None` if there is none of this version.
pub(super) fn open_to_read(
    path: &Path,
    patience: Duration,
) -> Result<Option<Connection>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    // Not read-only: who opens a log that another process left may have to recover it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(patience)?;
    connection.execute_batch("PRAGMA cache_size = -1024; PRAGMA trusted_schema = OFF;")?;
    Ok(is_known(&connection)?.then_some(connection))
}

fn is_known(connection: &Connection) -> rusqlite::Result<bool> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok((pragma("application_id")?, pragma("user_version")?) == (APPLICATION_ID, VERSION))
}
