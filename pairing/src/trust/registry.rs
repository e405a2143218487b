//! `trust.db`: the device records, and which key items may exist. All SQL of this crate.
//!
//! A key item is reserved here before it is written to the key store. So whatever moment the
//! process dies at, the next start finds items without a device record and deletes them.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{DeviceRecord, State};
use crate::id::{KeyDigest, PairId};

/// Marks the file as ours (`hsTR`).
const APPLICATION_ID: i32 = 0x6873_5452;
const SCHEMA_VERSION: i32 = 1;
const SCHEMA: &str = "
    CREATE TABLE device (
        pair           BLOB PRIMARY KEY CHECK (length(pair) = 16),
        key            BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
        name           TEXT NOT NULL,
        state          TEXT NOT NULL CHECK (state IN ('pending', 'active', 'suspended', 'revoked')),
        role           TEXT NOT NULL DEFAULT 'read' CHECK (role IN ('read')),
        types          TEXT,             -- JSON array of type names; NULL: all
        origins        TEXT,             -- JSON array of origins; NULL: all
        created_at     INTEGER NOT NULL, -- all times: Unix seconds
        deadline_at    INTEGER,          -- only while pending
        approved_at    INTEGER,
        last_seen_at   INTEGER,
        revoked_at     INTEGER,
        leaf_not_after INTEGER NOT NULL,
        leaf_digest    BLOB NOT NULL CHECK (length(leaf_digest) = 32),
        replaces       BLOB CHECK (length(replaces) = 16)
    ) STRICT;
    CREATE TABLE key_item (
        pair        BLOB PRIMARY KEY CHECK (length(pair) = 16),
        reserved_at INTEGER NOT NULL
    ) STRICT;";
const COLUMNS: &str =
    "pair, key, name, state, created_at, approved_at, last_seen_at, leaf_not_after";

/// The records of one data folder.
#[derive(Debug)]
pub(crate) struct Registry {
    connection: Mutex<Connection>,
}

/// A device that is about to be paired.
#[derive(Clone, Debug)]
pub(crate) struct NewDevice {
    /// Its pair.
    pub(crate) pair: PairId,
    /// Its key.
    pub(crate) key: KeyDigest,
    /// Its name, made inert.
    pub(crate) name: String,
    /// Unix seconds.
    pub(crate) created_at: i64,
    /// Until when it must acknowledge.
    pub(crate) deadline_at: i64,
    /// End of its leaf.
    pub(crate) leaf_not_after: i64,
    /// SHA-256 of its leaf.
    pub(crate) leaf_digest: [u8; 32],
    /// The pair that it replaces, proved by that pair's key.
    pub(crate) replaces: Option<PairId>,
}

/// What the records could not do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistryError {
    /// Written by a later version of this program.
    #[error("the device records are of a later version ({0})")]
    Newer(i32),
    /// Some other database.
    #[error("the file is not a store of device records")]
    Foreign,
    /// The key stands in a record already, whatever its state.
    #[error("the device's key is known already")]
    KnownKey,
    /// SQLite refused.
    #[error("the device records could not be used")]
    Sqlite(#[from] rusqlite::Error),
}

impl Registry {
    /// Opens the file, making it if it is missing. (The caller makes it 0600 first.)
    pub(crate) fn open(path: &Path) -> Result<Self, RegistryError> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // Device records are few and precious: every commit reaches the disk.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "secure_delete", "ON")?;
        prepare(&mut connection)?;
        Ok(Self {
            connection: Mutex::new(connection),
        })
    }

    /// All records, oldest first.
    pub(crate) fn all(&self) -> Result<Vec<DeviceRecord>, RegistryError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM device ORDER BY created_at, pair"
        ))?;
        let records = statement.query_map([], record)?.collect::<Result<_, _>>()?;
        Ok(records)
    }

    /// The record of a pair.
    pub(crate) fn find(&self, pair: &PairId) -> Result<Option<DeviceRecord>, RegistryError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM device WHERE pair = ?1"))?;
        Ok(statement.query_row([pair.0], record).optional()?)
    }

    /// Whether a key stands in any record, of any state.
    pub(crate) fn knows_key(&self, key: &KeyDigest) -> Result<bool, RegistryError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("SELECT 1 FROM device WHERE key = ?1")?;
        Ok(statement.exists([key.0])?)
    }

    /// Notes that the pair's key item is about to be written.
    pub(crate) fn reserve_item(&self, pair: &PairId, now: i64) -> Result<(), RegistryError> {
        self.lock().execute(
            "INSERT INTO key_item VALUES (?1, ?2) ON CONFLICT (pair) DO NOTHING",
            params![pair.0, now],
        )?;
        Ok(())
    }

    /// Notes that the pair's key item is gone.
    pub(crate) fn release_item(&self, pair: &PairId) -> Result<(), RegistryError> {
        self.lock()
            .execute("DELETE FROM key_item WHERE pair = ?1", [pair.0])?;
        Ok(())
    }

    /// Pairs whose key item may exist although there is no record: left over by a crash.
    pub(crate) fn orphan_items(&self) -> Result<Vec<PairId>, RegistryError> {
        let connection = self.lock();
        let mut statement = connection
            .prepare("SELECT pair FROM key_item WHERE pair NOT IN (SELECT pair FROM device)")?;
        let orphans = statement
            .query_map([], |row| row.get(0).map(PairId))?
            .collect::<Result<_, _>>()?;
        Ok(orphans)
    }

    /// Adds a PENDING record.
    pub(crate) fn insert_pending(&self, device: &NewDevice) -> Result<(), RegistryError> {
        let inserted = self.lock().execute(
            "INSERT INTO device (pair, key, name, state, created_at, deadline_at, leaf_not_after,
                                 leaf_digest, replaces)
             VALUES (?1, ?2, ?3, 'pending', ?4, ?5, ?6, ?7, ?8)",
            params![
                device.pair.0,
                device.key.0,
                device.name,
                device.created_at,
                device.deadline_at,
                device.leaf_not_after,
                device.leaf_digest,
                device.replaces.map(|pair| pair.0),
            ],
        );
        match inserted {
            Err(rusqlite::Error::SqliteFailure(error, _))
                if error.code == rusqlite::ErrorCode::ConstraintViolation =>
            {
                Err(RegistryError::KnownKey)
            }
            other => other.map(|_| ()).map_err(RegistryError::from),
        }
    }

    /// PENDING becomes ACTIVE; the pair that it replaces is revoked in the same transaction.
    /// `Some(replaced)` if it did become active now, `None` if there was nothing to do.
    pub(crate) fn acknowledge(
        &self,
        pair: &PairId,
        now: i64,
    ) -> Result<Option<Option<PairId>>, RegistryError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let replaces: Option<Option<[u8; 16]>> = transaction
            .query_row(
                "UPDATE device SET state = 'active', approved_at = ?2, deadline_at = NULL
                 WHERE pair = ?1 AND state = 'pending' AND deadline_at >= ?2 RETURNING replaces",
                params![pair.0, now],
                |row| row.get(0),
            )
            .optional()?;
        if let Some(Some(old)) = replaces {
            transaction.execute(
                "UPDATE device SET state = 'revoked', revoked_at = ?2 WHERE pair = ?1",
                params![old, now],
            )?;
        }
        transaction.commit()?;
        Ok(replaces.map(|old| old.map(PairId)))
    }

    /// Deletes PENDING records whose deadline is over; gives their pairs.
    pub(crate) fn expire_pending(&self, now: i64) -> Result<Vec<PairId>, RegistryError> {
        self.delete_returning(
            "DELETE FROM device WHERE state = 'pending' AND deadline_at < ?1 RETURNING pair",
            params![now],
        )
    }

    /// Deletes this pair's record if it is PENDING.
    pub(crate) fn delete_pending(&self, pair: &PairId) -> Result<bool, RegistryError> {
        let deleted = self.delete_returning(
            "DELETE FROM device WHERE state = 'pending' AND pair = ?1 RETURNING pair",
            params![pair.0],
        )?;
        Ok(!deleted.is_empty())
    }

    /// Any state becomes REVOKED; `false` if it was so already or there is no record.
    pub(crate) fn revoke(&self, pair: &PairId, now: i64) -> Result<bool, RegistryError> {
        let changed = self.lock().execute(
            "UPDATE device SET state = 'revoked', revoked_at = ?2, deadline_at = NULL
             WHERE pair = ?1 AND state <> 'revoked'",
            params![pair.0, now],
        )?;
        Ok(changed > 0)
    }

    /// Notes when a device was last here.
    pub(crate) fn note_seen(&self, pair: &PairId, now: i64) -> Result<(), RegistryError> {
        self.lock().execute(
            "UPDATE device SET last_seen_at = ?2 WHERE pair = ?1",
            params![pair.0, now],
        )?;
        Ok(())
    }

    fn delete_returning(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<Vec<PairId>, RegistryError> {
        let connection = self.lock();
        let mut statement = connection.prepare(sql)?;
        let pairs = statement
            .query_map(parameters, |row| row.get(0).map(PairId))?
            .collect::<Result<_, _>>()?;
        Ok(pairs)
    }

    /// A panic of another thread leaves the connection usable: its transaction was rolled back.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn prepare(connection: &mut Connection) -> Result<(), RegistryError> {
    let pragma = |connection: &Connection, name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0))
    };
    let version = pragma(connection, "user_version")?;
    let application = pragma(connection, "application_id")?;
    match (application, version) {
        (APPLICATION_ID, SCHEMA_VERSION) => Ok(()),
        (APPLICATION_ID, newer) => Err(RegistryError::Newer(newer)),
        (0, 0) => {
            let transaction = connection.transaction()?;
            let tables: i64 =
                transaction
                    .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if tables > 0 {
                return Err(RegistryError::Foreign);
            }
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            transaction.commit()?;
            Ok(())
        }
        _ => Err(RegistryError::Foreign),
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<DeviceRecord> {
    let state: String = row.get(3)?;
    Ok(DeviceRecord {
        pair: PairId(row.get(0)?),
        key: KeyDigest(row.get(1)?),
        name: row.get(2)?,
        state: match state.as_str() {
            "pending" => State::Pending,
            "active" => State::Active,
            "suspended" => State::Suspended,
            // The table allows four words; what is not one of the three above may do nothing.
            _ => State::Revoked,
        },
        created_at: row.get(4)?,
        approved_at: row.get(5)?,
        last_seen_at: row.get(6)?,
        leaf_not_after: row.get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn device(number: u8) -> NewDevice {
        NewDevice {
            pair: PairId([number; 16]),
            key: KeyDigest([number; 32]),
            name: format!("device {number}"),
            created_at: NOW,
            deadline_at: NOW + 120,
            leaf_not_after: NOW + 1000,
            leaf_digest: [number; 32],
            replaces: None,
        }
    }

    fn registry() -> Registry {
        Registry::open(Path::new(":memory:")).expect("opens")
    }

    fn state(registry: &Registry, number: u8) -> Option<State> {
        let found = registry.find(&PairId([number; 16])).expect("reads");
        found.map(|record| record.state)
    }

    #[test]
    fn a_pending_device_becomes_active_once_and_in_time() {
        let registry = registry();
        registry.insert_pending(&device(1)).expect("inserts");
        assert_eq!(state(&registry, 1), Some(State::Pending));
        let late = registry.acknowledge(&PairId([1; 16]), NOW + 121);
        assert_eq!(late.expect("answers"), None);
        let first = registry.acknowledge(&PairId([1; 16]), NOW + 120);
        assert_eq!(first.expect("answers"), Some(None));
        let again = registry.acknowledge(&PairId([1; 16]), NOW + 120);
        assert_eq!(again.expect("answers"), None);
        assert_eq!(state(&registry, 1), Some(State::Active));
    }

    #[test]
    fn a_key_stands_in_one_record_whatever_its_state() {
        let registry = registry();
        registry.insert_pending(&device(1)).expect("inserts");
        registry.revoke(&PairId([1; 16]), NOW).expect("revokes");
        let twin = NewDevice {
            pair: PairId([2; 16]),
            ..device(1)
        };
        assert!(matches!(
            registry.insert_pending(&twin),
            Err(RegistryError::KnownKey)
        ));
        assert!(registry.knows_key(&KeyDigest([1; 32])).expect("reads"));
    }

    #[test]
    fn a_replaced_pair_is_revoked_with_the_acknowledgement() {
        let registry = registry();
        registry.insert_pending(&device(1)).expect("inserts");
        registry.acknowledge(&PairId([1; 16]), NOW).expect("acks");
        let new = NewDevice {
            replaces: Some(PairId([1; 16])),
            ..device(2)
        };
        registry.insert_pending(&new).expect("inserts");
        assert_eq!(state(&registry, 1), Some(State::Active));
        let replaced = registry.acknowledge(&PairId([2; 16]), NOW).expect("acks");
        assert_eq!(replaced, Some(Some(PairId([1; 16]))));
        assert_eq!(state(&registry, 1), Some(State::Revoked));
    }

    #[test]
    fn what_a_crash_leaves_is_found() {
        let registry = registry();
        registry.reserve_item(&PairId([1; 16]), NOW).expect("notes");
        registry.reserve_item(&PairId([2; 16]), NOW).expect("notes");
        registry.insert_pending(&device(2)).expect("inserts");
        assert_eq!(registry.orphan_items().expect("reads"), [PairId([1; 16])]);
        let expired = registry.expire_pending(NOW + 121).expect("expires");
        assert_eq!(expired, [PairId([2; 16])]);
        assert_eq!(registry.orphan_items().expect("reads").len(), 2);
        registry.release_item(&PairId([1; 16])).expect("notes");
        assert_eq!(registry.orphan_items().expect("reads"), [PairId([2; 16])]);
    }

    #[test]
    fn foreign_and_later_files_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("trust.db");
        drop(Registry::open(&path).expect("makes it"));
        drop(Registry::open(&path).expect("opens it again"));
        let raw = Connection::open(&path).expect("opens");
        raw.pragma_update(None, "user_version", 2).expect("writes");
        assert!(matches!(
            Registry::open(&path),
            Err(RegistryError::Newer(2))
        ));
        raw.pragma_update(None, "application_id", 7)
            .expect("writes");
        assert!(matches!(Registry::open(&path), Err(RegistryError::Foreign)));
    }
}
