//! All SQL of `trust.db`: the device records and the names of the items in the key store.
//!
//! The file is the truth; a copy of it in memory answers the question of every handshake and every
//! request. Only the server opens the file, and it changes the copy after the file.

use std::{
    collections::HashMap,
    fs::OpenOptions,
    io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError, RwLock},
};

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, named_params, params};

use super::{DeviceRecord, State, TrustError};
use crate::id::{KeyDigest, PairId};

/// A record with what only this crate needs.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) record: DeviceRecord,
    /// The client's public key: checks the signature when a new pair replaces this one.
    pub(crate) spki: Vec<u8>,
    /// The pair that ends when this one is acknowledged.
    pub(crate) replaces: Option<PairId>,
    /// While PENDING: rolled back at this time, Unix seconds.
    pub(crate) deadline: Option<i64>,
    /// Digest of the leaf last issued.
    pub(crate) leaf_digest: [u8; 32],
}

/// An item that this host wrote, or was about to write, to the key store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyItem {
    pub(crate) item: String,
    pub(crate) pair: PairId,
    /// Whether the CA's key is still in it.
    pub(crate) holds_ca_key: bool,
    /// End of the server leaf, Unix seconds: a revoked pair's item is of no use after it.
    pub(crate) leaf_not_after: i64,
}

/// `trust.db`.
#[derive(Debug)]
pub(crate) struct Registry {
    database: Mutex<Connection>,
    entries: RwLock<HashMap<PairId, Entry>>,
}

impl Registry {
    /// Opens the file, or makes it with mode 0600.
    pub(crate) fn open(path: &Path) -> Result<Self, TrustError> {
        create_private(path).map_err(TrustError::File)?;
        let mut database = Connection::open(path)?;
        database.busy_timeout(std::time::Duration::from_secs(5))?;
        prepare(&mut database)?;
        let entries = read_all(&database)?;
        Ok(Self {
            database: Mutex::new(database),
            entries: RwLock::new(entries),
        })
    }

    /// One record.
    pub(crate) fn entry(&self, pair: &PairId) -> Option<Entry> {
        self.read().get(pair).cloned()
    }

    /// All records, oldest first.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<_> = self.read().values().cloned().collect();
        entries.sort_by_key(|entry| (entry.record.created_at, entry.record.pair));
        entries
    }

    /// Whether a record of any state has this key: a key is enrolled once.
    pub(crate) fn knows_key(&self, key: &KeyDigest) -> bool {
        self.read().values().any(|entry| entry.record.key == *key)
    }

    /// Adds a PENDING record.
    pub(crate) fn insert(&self, entry: Entry) -> Result<(), TrustError> {
        let DeviceRecord {
            pair,
            key,
            name,
            state,
            created_at,
            approved_at,
            last_seen_at,
            leaf_not_after,
        } = &entry.record;
        self.database().execute(
            "INSERT INTO device (pair, key, spki, name, state, created_at, approved_at,
                 last_seen_at, leaf_not_after, leaf_digest, replaces, deadline)
             VALUES (:pair, :key, :spki, :name, :state, :created, :approved,
                 :seen, :not_after, :digest, :replaces, :deadline)",
            named_params! {
                ":pair": pair.0, ":key": key.0, ":spki": entry.spki, ":name": name,
                ":state": state.as_str(), ":created": created_at, ":approved": approved_at,
                ":seen": last_seen_at, ":not_after": leaf_not_after, ":digest": entry.leaf_digest,
                ":replaces": entry.replaces.map(|pair| pair.0), ":deadline": entry.deadline,
            },
        )?;
        self.write().insert(*pair, entry);
        Ok(())
    }

    /// Deletes a record that is still PENDING; `false` if it is not.
    pub(crate) fn remove_pending(&self, pair: &PairId) -> Result<bool, TrustError> {
        let removed = self.database().execute(
            "DELETE FROM device WHERE pair = ?1 AND state = 'pending'",
            params![pair.0],
        )?;
        if removed > 0 {
            self.write().remove(pair);
        }
        Ok(removed > 0)
    }

    /// PENDING becomes ACTIVE, and the pair that it replaces REVOKED, in one transaction. Gives the
    /// record, and the replaced pair if it was revoked by this call.
    pub(crate) fn activate(
        &self,
        pair: &PairId,
        now: i64,
    ) -> Result<(DeviceRecord, Option<PairId>), TrustError> {
        let entry = self
            .entry(pair)
            .ok_or_else(|| TrustError::NotFound(pair.to_string()))?;
        let mut database = self.database();
        let change = database.transaction()?;
        let activated = change.execute(
            "UPDATE device SET state = 'active', approved_at = ?2, deadline = NULL
             WHERE pair = ?1 AND state = 'pending'",
            params![pair.0, now],
        )? > 0;
        // Only the step from PENDING to ACTIVE ends the old pair: a revoked newcomer ends nobody.
        let replaced = match entry.replaces {
            Some(old) if activated && set_revoked(&change, &old, now)? => Some(old),
            _ => None,
        };
        change.commit()?;
        drop(database);
        let mut entries = self.write();
        if let Some(old) = replaced.and_then(|old| entries.get_mut(&old)) {
            old.record.state = State::Revoked;
        }
        let active = entries
            .get_mut(pair)
            .ok_or_else(|| TrustError::NotFound(pair.to_string()))?;
        if active.record.state == State::Pending {
            active.record.state = State::Active;
            active.record.approved_at = Some(now);
            active.deadline = None;
        }
        Ok((active.record.clone(), replaced))
    }

    /// REVOKED, for ever. `false`: it was before.
    pub(crate) fn revoke(&self, pair: &PairId, now: i64) -> Result<bool, TrustError> {
        let mut database = self.database();
        let change = database.transaction()?;
        let changed = set_revoked(&change, pair, now)?;
        change.commit()?;
        drop(database);
        if let Some(entry) = self.write().get_mut(pair) {
            entry.record.state = State::Revoked;
            entry.deadline = None;
        }
        Ok(changed)
    }

    /// Notes when a device was last seen.
    pub(crate) fn seen(&self, pair: &PairId, now: i64) -> Result<(), TrustError> {
        if let Some(entry) = self.write().get_mut(pair) {
            entry.record.last_seen_at = Some(now);
        }
        self.database()
            .prepare_cached("UPDATE device SET last_seen_at = ?2 WHERE pair = ?1")?
            .execute(params![pair.0, now])?;
        Ok(())
    }

    /// Names an item before it is written to the key store, so that a crash leaves no nameless key.
    pub(crate) fn reserve(&self, item: &KeyItem) -> Result<(), TrustError> {
        self.database().execute(
            "INSERT INTO key_item (item, pair, holds_ca_key, leaf_not_after)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (item) DO UPDATE SET holds_ca_key = excluded.holds_ca_key,
                 leaf_not_after = excluded.leaf_not_after",
            params![
                item.item,
                item.pair.0,
                item.holds_ca_key,
                item.leaf_not_after
            ],
        )?;
        Ok(())
    }

    /// The item was deleted from the key store.
    pub(crate) fn release(&self, item: &str) -> Result<(), TrustError> {
        self.database()
            .execute("DELETE FROM key_item WHERE item = ?1", params![item])?;
        Ok(())
    }

    /// One item.
    pub(crate) fn key_item(&self, item: &str) -> Result<Option<KeyItem>, TrustError> {
        Ok(self
            .database()
            .query_row(
                "SELECT item, pair, holds_ca_key, leaf_not_after FROM key_item WHERE item = ?1",
                params![item],
                read_key_item,
            )
            .optional()?)
    }

    /// All items.
    pub(crate) fn key_items(&self) -> Result<Vec<KeyItem>, TrustError> {
        let database = self.database();
        let mut statement =
            database.prepare("SELECT item, pair, holds_ca_key, leaf_not_after FROM key_item")?;
        let items = statement.query_map([], read_key_item)?;
        Ok(items.collect::<Result<_, _>>()?)
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere leaves SQLite consistent: an open transaction was rolled back.
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<PairId, Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<PairId, Entry>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn set_revoked(change: &Transaction<'_>, pair: &PairId, now: i64) -> Result<bool, TrustError> {
    let changed = change.execute(
        "UPDATE device SET state = 'revoked', deadline = NULL, revoked_at = ?2
         WHERE pair = ?1 AND state <> 'revoked'",
        params![pair.0, now],
    )?;
    Ok(changed > 0)
}

fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

fn prepare(database: &mut Connection) -> Result<(), TrustError> {
    let application: i64 = database.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 =
        database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_new = application == 0 && version == 0 && tables == 0;
    if !is_new && (application != APPLICATION_ID || version < 1) {
        return Err(TrustError::Foreign);
    }
    if version > SCHEMA_VERSION {
        return Err(TrustError::TooNew);
    }
    database.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // Few writes, each of which somebody relies on: a revocation must survive a power cut.
    database.pragma_update(None, "synchronous", "FULL")?;
    database.pragma_update(None, "trusted_schema", false)?;
    database.pragma_update(None, "secure_delete", true)?;
    if is_new {
        let make = database.transaction()?;
        make.execute_batch(SCHEMA)?;
        make.pragma_update(None, "application_id", APPLICATION_ID)?;
        make.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        make.commit()?;
    }
    Ok(())
}

fn read_all(database: &Connection) -> Result<HashMap<PairId, Entry>, TrustError> {
    let mut statement = database.prepare(
        "SELECT pair, key, spki, name, state, created_at, approved_at, last_seen_at,
             leaf_not_after, leaf_digest, replaces, deadline
         FROM device",
    )?;
    let rows = statement.query_map([], read_entry)?;
    let mut entries = HashMap::new();
    for entry in rows {
        let entry = entry?;
        entries.insert(entry.record.pair, entry);
    }
    Ok(entries)
}

fn read_entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let state: String = row.get("state")?;
    Ok(Entry {
        record: DeviceRecord {
            pair: PairId(row.get("pair")?),
            key: KeyDigest(row.get("key")?),
            name: row.get("name")?,
            // The table takes the four words only; anything else may never read.
            state: match state.as_str() {
                "pending" => State::Pending,
                "active" => State::Active,
                "suspended" => State::Suspended,
                _ => State::Revoked,
            },
            created_at: row.get("created_at")?,
            approved_at: row.get("approved_at")?,
            last_seen_at: row.get("last_seen_at")?,
            leaf_not_after: row.get("leaf_not_after")?,
        },
        spki: row.get("spki")?,
        replaces: row.get::<_, Option<[u8; 16]>>("replaces")?.map(PairId),
        deadline: row.get("deadline")?,
        leaf_digest: row.get("leaf_digest")?,
    })
}

fn read_key_item(row: &Row<'_>) -> rusqlite::Result<KeyItem> {
    Ok(KeyItem {
        item: row.get(0)?,
        pair: PairId(row.get(1)?),
        holds_ca_key: row.get(2)?,
        leaf_not_after: row.get(3)?,
    })
}

/// `HSTR`.
const APPLICATION_ID: i64 = 0x4853_5452;
const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE device (
        pair           BLOB PRIMARY KEY CHECK (length(pair) = 16),
        key            BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
        spki           BLOB NOT NULL CHECK (length(spki) = 91),
        name           TEXT NOT NULL,
        state          TEXT NOT NULL
                       CHECK (state IN ('pending', 'active', 'suspended', 'revoked')),
        role           TEXT NOT NULL DEFAULT 'read' CHECK (role IN ('read')),
        types          TEXT,              -- JSON array of type names; NULL: all
        origins        TEXT,              -- JSON array of origins; NULL: all
        created_at     INTEGER NOT NULL,  -- all times: Unix seconds
        approved_at    INTEGER,
        last_seen_at   INTEGER,
        revoked_at     INTEGER,
        leaf_not_after INTEGER NOT NULL,
        leaf_digest    BLOB NOT NULL CHECK (length(leaf_digest) = 32),
        replaces       BLOB CHECK (length(replaces) = 16),
        deadline       INTEGER CHECK ((deadline IS NOT NULL) = (state = 'pending'))
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE key_item (
        item           TEXT PRIMARY KEY,
        pair           BLOB NOT NULL CHECK (length(pair) = 16),
        holds_ca_key   INTEGER NOT NULL,
        leaf_not_after INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;";

#[cfg(test)]
mod tests;
