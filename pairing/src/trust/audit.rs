//! The SQL of the audit log in `trust.db`: two tables to which rows are only added. A purge deletes
//! what its checkpoint covers; triggers refuse every other change by mistake. (Against purpose
//! stands the chain, not SQL: see [`crate::audit`].)

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{
    Connection, OpenFlags, OptionalExtension as _, Row, TransactionBehavior, named_params, params,
};

use crate::{
    audit::{AuditError, Checkpoint, Entry, Hash},
    id::{KeyDigest, PairId},
};

/// The log in an open file.
#[derive(Debug)]
pub(crate) struct AuditTable {
    database: Connection,
    path: PathBuf,
}

/// Where the chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) sequence: u64,
    pub(crate) hash: Hash,
    /// Of the entry; Unix seconds.
    pub(crate) time: i64,
}

/// Before the first entry.
pub(crate) const START: Place = Place {
    sequence: 0,
    hash: Hash::START,
    time: 0,
};

impl AuditTable {
    /// Opens it for the one writer, in a file that the registry has made.
    pub(crate) fn open(path: &Path) -> Result<Self, AuditError> {
        let database = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        database.busy_timeout(BUSY)?;
        // A commit reaches the system, which survives our death; `sync` brings it to the disk.
        database.pragma_update(None, "synchronous", "NORMAL")?;
        database.pragma_update(None, "trusted_schema", false)?;
        database.execute_batch(SCHEMA)?;
        Ok(Self {
            database,
            path: path.to_owned(),
        })
    }

    /// Opens it for a reader; `None` if the file has no log.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, AuditError> {
        if !path.exists() {
            return Ok(None);
        }
        let database = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        database.busy_timeout(BUSY)?;
        let tables: i64 = database.query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name IN ('audit', 'audit_checkpoint')",
            [],
            |row| row.get(0),
        )?;
        Ok((tables == 2).then(|| Self {
            database,
            path: path.to_owned(),
        }))
    }

    /// The last entry, or the last checkpoint behind which none stands.
    pub(crate) fn last(&self) -> Result<Place, AuditError> {
        let place = |row: &Row<'_>| {
            Ok(Place {
                sequence: row.get(0)?,
                hash: Hash(row.get(1)?),
                time: row.get(2)?,
            })
        };
        let entry = self
            .database
            .query_row(
                "SELECT sequence, hash, time FROM audit ORDER BY sequence DESC LIMIT 1",
                [],
                place,
            )
            .optional()?;
        let checkpoint = self
            .database
            .query_row(
                "SELECT sequence, hash, time FROM audit_checkpoint ORDER BY sequence DESC LIMIT 1",
                [],
                place,
            )
            .optional()?;
        Ok(match (entry, checkpoint) {
            (Some(entry), Some(checkpoint)) if entry.sequence < checkpoint.sequence => checkpoint,
            (Some(entry), _) => entry,
            (None, Some(checkpoint)) => checkpoint,
            (None, None) => START,
        })
    }

    /// Adds entries in one transaction, after what `purge` deletes.
    pub(crate) fn append(
        &mut self,
        purge: Option<&Checkpoint>,
        entries: &[Entry],
    ) -> Result<(), AuditError> {
        let change = self
            .database
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(checkpoint) = purge {
            change.execute(
                "INSERT INTO audit_checkpoint (sequence, hash, time, previous, seal)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    checkpoint.sequence,
                    checkpoint.hash.0,
                    checkpoint.time,
                    checkpoint.previous.0,
                    checkpoint.seal.0
                ],
            )?;
            change.execute(
                "DELETE FROM audit WHERE sequence <= ?1",
                params![checkpoint.sequence],
            )?;
            change.execute(
                "DELETE FROM audit_checkpoint WHERE time < ?1 AND sequence < ?2",
                params![checkpoint.time - KEPT_SECONDS, checkpoint.sequence],
            )?;
        }
        {
            let mut insert = change.prepare_cached(
                "INSERT INTO audit (sequence, time, event, pair, key, result, request, types,
                     \"rows\", count, hash)
                 VALUES (:sequence, :time, :event, :pair, :key, :result, :request, :types,
                     :rows, :count, :hash)",
            )?;
            for entry in entries {
                insert.execute(named_params! {
                    ":sequence": entry.sequence, ":time": entry.time, ":event": entry.event,
                    ":pair": entry.pair.map(|pair| pair.0), ":key": entry.key.map(|key| key.0),
                    ":result": entry.result, ":request": entry.request, ":types": entry.types,
                    ":rows": entry.rows, ":count": entry.count, ":hash": entry.hash.0,
                })?;
            }
        }
        change.commit()?;
        Ok(())
    }

    /// Brings what was committed to the disk.
    pub(crate) fn sync(&self) -> Result<(), AuditError> {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        match File::open(&log).and_then(|file| file.sync_data()) {
            Ok(()) => Ok(()),
            // SQLite has moved it into the database, and synchronized that.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(AuditError::Disk(error)),
        }
    }

    /// The last of the entries at the beginning that are all older than `time`, and how many; of one
    /// state of the file, whoever else writes to it.
    pub(crate) fn older_than(&self, time: i64) -> Result<Option<(Place, u64)>, AuditError> {
        self.snapshot(|table| table.older(time))
    }

    fn older(&self, time: i64) -> Result<Option<(Place, u64)>, AuditError> {
        let kept: Option<u64> = self
            .database
            .query_row(
                "SELECT sequence FROM audit WHERE time >= ?1 ORDER BY sequence LIMIT 1",
                params![time],
                |row| row.get(0),
            )
            .optional()?;
        let end = kept.map_or(i64::MAX, |kept| i64::try_from(kept).unwrap_or(i64::MAX));
        let last = self
            .database
            .query_row(
                "SELECT sequence, hash, time FROM audit WHERE sequence < ?1
                 ORDER BY sequence DESC LIMIT 1",
                params![end],
                |row| {
                    Ok(Place {
                        sequence: row.get(0)?,
                        hash: Hash(row.get(1)?),
                        time: row.get(2)?,
                    })
                },
            )
            .optional()?;
        let Some(last) = last else {
            return Ok(None);
        };
        let count = self.database.query_row(
            "SELECT count(*) FROM audit WHERE sequence <= ?1",
            params![last.sequence],
            |row| row.get(0),
        )?;
        Ok(Some((last, count)))
    }

    /// The hash at a place, of an entry or of a checkpoint.
    pub(crate) fn hash(&self, sequence: u64) -> Result<Option<Hash>, AuditError> {
        let Ok(sequence) = i64::try_from(sequence) else {
            return Ok(None);
        };
        let hash = self
            .database
            .query_row(
                "SELECT hash FROM audit WHERE sequence = ?1
                 UNION ALL SELECT hash FROM audit_checkpoint WHERE sequence = ?1 LIMIT 1",
                params![sequence],
                |row| row.get(0),
            )
            .optional()?;
        Ok(hash.map(Hash))
    }

    /// Up to `limit` entries behind `after` that are not older than `since`, in order.
    pub(crate) fn entries(
        &self,
        after: u64,
        since: i64,
        limit: u32,
    ) -> Result<Vec<Entry>, AuditError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let mut statement = self.database.prepare_cached(
            "SELECT sequence, time, event, pair, key, result, request, types, \"rows\", count, hash
             FROM audit WHERE sequence > ?1 AND time >= ?2 ORDER BY sequence LIMIT ?3",
        )?;
        let rows = statement.query_map(params![after, since, limit], read_entry)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Up to here entries were purged; 0 if none were.
    pub(crate) fn purged(&self) -> Result<u64, AuditError> {
        let purged = self.database.query_row(
            "SELECT coalesce(max(sequence), 0) FROM audit_checkpoint",
            [],
            |row| row.get(0),
        )?;
        Ok(purged)
    }

    /// All checkpoints, in order.
    pub(crate) fn checkpoints(&self) -> Result<Vec<Checkpoint>, AuditError> {
        let mut statement = self.database.prepare(
            "SELECT sequence, hash, time, previous, seal FROM audit_checkpoint ORDER BY sequence",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Checkpoint {
                sequence: row.get(0)?,
                hash: Hash(row.get(1)?),
                time: row.get(2)?,
                previous: Hash(row.get(3)?),
                seal: Hash(row.get(4)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Runs `read` over one state of the file.
    pub(crate) fn snapshot<T>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, AuditError>,
    ) -> Result<T, AuditError> {
        let snapshot = self.database.unchecked_transaction()?;
        let outcome = read(self);
        snapshot.finish()?;
        outcome
    }
}

fn number(value: Option<i64>) -> Option<u64> {
    value.map(|value| u64::try_from(value).unwrap_or(u64::MAX))
}

fn read_entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        sequence: row.get(0)?,
        time: row.get(1)?,
        event: row.get(2)?,
        pair: row.get::<_, Option<[u8; 16]>>(3)?.map(PairId),
        key: row.get::<_, Option<[u8; 32]>>(4)?.map(KeyDigest),
        result: row.get(5)?,
        request: row.get(6)?,
        types: row.get(7)?,
        // A number that we never write makes another entry of it, which does not verify.
        rows: number(row.get(8)?),
        count: number(row.get(9)?),
        hash: Hash(row.get(10)?),
    })
}

/// Entries are kept for 90 days.
pub(crate) const KEPT_SECONDS: i64 = 90 * 86_400;

const BUSY: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS audit (
        sequence INTEGER PRIMARY KEY CHECK (sequence > 0),
        time     INTEGER NOT NULL,  -- Unix seconds
        event    TEXT NOT NULL,
        pair     BLOB CHECK (length(pair) = 16),
        key      BLOB CHECK (length(key) = 32),
        result   TEXT NOT NULL,
        request  TEXT,
        types    TEXT,
        \"rows\" INTEGER,
        count    INTEGER,
        hash     BLOB NOT NULL CHECK (length(hash) = 32)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS audit_checkpoint (
        sequence INTEGER PRIMARY KEY CHECK (sequence > 0),
        hash     BLOB NOT NULL CHECK (length(hash) = 32),
        time     INTEGER NOT NULL,
        previous BLOB NOT NULL CHECK (length(previous) = 32),
        seal     BLOB NOT NULL CHECK (length(seal) = 32)
    ) STRICT;
    CREATE TRIGGER IF NOT EXISTS audit_stays BEFORE UPDATE ON audit
        BEGIN SELECT raise(ABORT, 'entries of the audit log never change'); END;
    CREATE TRIGGER IF NOT EXISTS audit_kept BEFORE DELETE ON audit
        WHEN old.sequence > (SELECT coalesce(max(sequence), 0) FROM audit_checkpoint)
        BEGIN SELECT raise(ABORT, 'only a purge deletes entries of the audit log'); END;";
