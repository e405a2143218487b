//! All SQL of `trust.db`: the device records and the names of the items in the key store.
//!
//! The file is the truth; a copy of it in memory answers the question of every handshake and every
//! request. Only the server opens the file, and it changes the copy after the file.

mod issued;
mod items;

use std::{
    collections::HashMap,
    fs::OpenOptions,
    io,
    net::IpAddr,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError, RwLock},
};

use rusqlite::{
    Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, named_params, params,
};
use tokio::sync::broadcast;

pub(crate) use self::{issued::IssuedLeaf, items::KeyItem};
use super::{DeviceRecord, Scope, State, TrustError};
use crate::{
    audit::Audit,
    defence::{Defence, holds},
    id::{KeyDigest, PairId},
};

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
    /// Digest of the leaf last issued to this key.
    pub(crate) leaf_digest: [u8; 32],
    /// How long its leaves live.
    pub(crate) leaf_days: u16,
    /// A new key that was certified and not used yet.
    pub(crate) next: Option<NextKey>,
    /// Keys that gave way to newer ones: whoever shows one has a copy.
    pub(crate) retired: Vec<KeyDigest>,
    /// When a leaf was last issued in a renewal, Unix seconds.
    pub(crate) renewed_at: Option<i64>,
}

/// A certified key that takes the place of the present one when it is first used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NextKey {
    pub(crate) key: KeyDigest,
    pub(crate) spki: Vec<u8>,
    pub(crate) leaf_digest: [u8; 32],
    pub(crate) leaf_not_after: i64,
}

/// What became of a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Staged {
    /// It takes over when it is first used.
    Done,
    /// The pair is not ACTIVE, or some record knows the key.
    Refused,
    /// The last renewal is too near.
    TooSoon {
        /// Seconds to wait.
        wait: u32,
    },
}

/// `trust.db`.
#[derive(Debug)]
pub(crate) struct Registry {
    database: Mutex<Connection>,
    entries: RwLock<HashMap<PairId, Entry>>,
    /// Pairs as they are revoked or suspended.
    cuts: broadcast::Sender<PairId>,
    audit: Audit,
}

impl Registry {
    /// Opens the file, or makes it with mode 0600.
    pub(crate) fn open(path: &Path) -> Result<Self, TrustError> {
        create_private(path).map_err(TrustError::File)?;
        let mut database = Connection::open(path)?;
        database.busy_timeout(std::time::Duration::from_secs(5))?;
        // The audit log writes to the file, too: a transaction that first reads and then finds the file
        // taken could not wait for its turn.
        database.set_transaction_behavior(TransactionBehavior::Immediate);
        prepare(&mut database)?;
        let entries = read_all(&database)?;
        Ok(Self {
            database: Mutex::new(database),
            entries: RwLock::new(entries),
            cuts: broadcast::Sender::new(64),
            audit: Audit::default(),
        })
    }

    /// With a log of what happens.
    pub(crate) fn audited(self, audit: Audit) -> Self {
        Self { audit, ..self }
    }

    /// The log; none unless [`Self::audited`] gave one.
    pub(crate) const fn audit(&self) -> &Audit {
        &self.audit
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

    /// Whether a record of any state has, had or will have this key: a key is certified once.
    pub(crate) fn knows_key(&self, key: &KeyDigest) -> bool {
        self.read().values().any(|entry| {
            entry.record.key == *key
                || entry.next.as_ref().is_some_and(|next| next.key == *key)
                || entry.retired.contains(key)
        })
    }

    /// Pairs as they are revoked or suspended.
    pub(crate) const fn cuts(&self) -> &broadcast::Sender<PairId> {
        &self.cuts
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
            last_address,
            leaf_not_after,
            scope,
        } = &entry.record;
        self.database().execute(
            "INSERT INTO device (pair, key, spki, name, state, created_at, approved_at,
                 last_seen_at, last_address, leaf_not_after, leaf_digest, leaf_days, replaces,
                 deadline, types, origins)
             VALUES (:pair, :key, :spki, :name, :state, :created, :approved,
                 :seen, :address, :not_after, :digest, :days, :replaces, :deadline,
                 :types, :origins)",
            named_params! {
                ":pair": pair.0, ":key": key.0, ":spki": entry.spki, ":name": name,
                ":state": state.as_str(), ":created": created_at, ":approved": approved_at,
                ":seen": last_seen_at, ":address": last_address.map(|at| at.to_string()),
                ":not_after": leaf_not_after, ":digest": entry.leaf_digest,
                ":days": entry.leaf_days,
                ":replaces": entry.replaces.map(|pair| pair.0), ":deadline": entry.deadline,
                ":types": words(scope.types.as_deref()), ":origins": words(scope.origins.as_deref()),
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

    /// Notes a certified new key beside the present one, in place of an earlier one that was never
    /// used; not within `interval` seconds after the last renewal.
    pub(crate) fn stage(
        &self,
        pair: &PairId,
        next: NextKey,
        now: i64,
        interval: i64,
    ) -> Result<Staged, TrustError> {
        let mut database = self.database();
        let change = database.transaction()?;
        let renewed_at: Option<i64> = change
            .query_row(
                "SELECT renewed_at FROM device WHERE pair = ?1",
                params![pair.0],
                |row| row.get(0),
            )
            .optional()?
            .flatten();
        // A renewal that seems to lie in the future does not lock the device out.
        let since = renewed_at.map(|then| now - then).filter(|age| *age >= 0);
        if let Some(age) = since.filter(|age| *age < interval && holds(Defence::LateOnceAnHour)) {
            return Ok(Staged::TooSoon {
                wait: u32::try_from(interval - age).unwrap_or(u32::MAX),
            });
        }
        let staged = change.execute(
            "UPDATE device SET next_key = ?2, next_spki = ?3, next_leaf_digest = ?4,
                 next_leaf_not_after = ?5, renewed_at = ?6
             WHERE pair = ?1 AND state = 'active'
                 AND NOT EXISTS (SELECT 1 FROM device WHERE key = ?2 OR next_key = ?2)
                 AND NOT EXISTS (SELECT 1 FROM retired_key WHERE key = ?2)",
            params![
                pair.0,
                next.key.0,
                next.spki,
                next.leaf_digest,
                next.leaf_not_after,
                now
            ],
        )? > 0;
        change.commit()?;
        if !staged {
            return Ok(Staged::Refused);
        }
        // The copy changes under the lock of the file: two changes cannot overtake each other.
        if let Some(entry) = self.write().get_mut(pair) {
            entry.next = Some(next);
            entry.renewed_at = Some(now);
        }
        drop(database);
        Ok(Staged::Done)
    }

    /// The new key was used: it takes the place of the old one, which is retired for ever, in one
    /// transaction. `false`: it is not, or no longer, the pair's next key.
    pub(crate) fn promote(
        &self,
        pair: &PairId,
        key: &KeyDigest,
        now: i64,
    ) -> Result<bool, TrustError> {
        let mut database = self.database();
        let change = database.transaction()?;
        let retired = change.execute(
            "INSERT INTO retired_key (key, pair, retired_at)
             SELECT key, pair, ?3 FROM device
             WHERE pair = ?1 AND next_key = ?2 AND state = 'active'",
            params![pair.0, key.0, now],
        )? > 0;
        if retired {
            change.execute(
                "UPDATE device SET key = next_key, spki = next_spki,
                     leaf_digest = next_leaf_digest, leaf_not_after = next_leaf_not_after,
                     next_key = NULL, next_spki = NULL, next_leaf_digest = NULL,
                     next_leaf_not_after = NULL
                 WHERE pair = ?1",
                params![pair.0],
            )?;
        }
        change.commit()?;
        if retired
            && let Some(entry) = self.write().get_mut(pair)
            && let Some(next) = entry.next.take()
        {
            entry.retired.push(entry.record.key);
            entry.record.key = next.key;
            entry.record.leaf_not_after = next.leaf_not_after;
            entry.spki = next.spki;
            entry.leaf_digest = next.leaf_digest;
        }
        Ok(retired)
    }

    /// ACTIVE becomes SUSPENDED, and whoever listens is told. `false`: it was not ACTIVE.
    pub(crate) fn suspend(&self, pair: &PairId) -> Result<bool, TrustError> {
        let database = self.database();
        let suspended = database.execute(
            "UPDATE device SET state = 'suspended' WHERE pair = ?1 AND state = 'active'",
            params![pair.0],
        )? > 0;
        if suspended {
            if let Some(entry) = self.write().get_mut(pair) {
                entry.record.state = State::Suspended;
            }
            // Nobody may be listening.
            drop(self.cuts.send(*pair));
        }
        drop(database);
        Ok(suspended)
    }

    /// Changes what a device may read; `None` if it is revoked.
    pub(crate) fn allow(
        &self,
        pair: &PairId,
        change: impl FnOnce(&mut Scope),
    ) -> Result<Option<DeviceRecord>, TrustError> {
        // Held over the whole change: two changes do not mix, and the copy follows the file.
        let database = self.database();
        let mut entries = self.write();
        let entry = entries
            .get_mut(pair)
            .ok_or_else(|| TrustError::NotFound(pair.to_string()))?;
        if entry.record.state == State::Revoked {
            return Ok(None);
        }
        let mut scope = entry.record.scope.clone();
        change(&mut scope);
        database.execute(
            "UPDATE device SET types = ?2, origins = ?3 WHERE pair = ?1",
            params![
                pair.0,
                words(scope.types.as_deref()),
                words(scope.origins.as_deref())
            ],
        )?;
        entry.record.scope = scope;
        Ok(Some(entry.record.clone()))
    }

    /// Notes when and where a device was last seen.
    pub(crate) fn seen(&self, pair: &PairId, now: i64, from: IpAddr) -> Result<(), TrustError> {
        if let Some(entry) = self.write().get_mut(pair) {
            entry.record.last_seen_at = Some(now);
            entry.record.last_address = Some(from);
        }
        self.database()
            .prepare_cached(
                "UPDATE device SET last_seen_at = ?2, last_address = ?3 WHERE pair = ?1",
            )?
            .execute(params![pair.0, now, from.to_string()])?;
        Ok(())
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

/// A list as the table keeps it: JSON, or NULL for "all".
fn words(list: Option<&[String]>) -> Option<String> {
    // Strings alone cannot fail to become JSON; if they ever do, nothing is allowed.
    list.map(|list| serde_json::to_string(list).unwrap_or_else(|_| "[]".to_owned()))
}

/// Reads it back. What cannot be read allows nothing.
fn list(text: Option<String>) -> Option<Vec<String>> {
    text.map(|text| serde_json::from_str(&text).unwrap_or_default())
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
    // A new file goes through all versions, an older one through those that it lacks.
    for (step, to) in SCHEMA.iter().zip(1..) {
        if version < to {
            let make = database.transaction()?;
            make.execute_batch(step)?;
            make.pragma_update(None, "application_id", APPLICATION_ID)?;
            make.pragma_update(None, "user_version", to)?;
            make.commit()?;
        }
    }
    Ok(())
}

fn read_all(database: &Connection) -> Result<HashMap<PairId, Entry>, TrustError> {
    let mut statement = database.prepare(
        "SELECT pair, key, spki, name, state, created_at, approved_at, last_seen_at,
             last_address, leaf_not_after, leaf_digest, leaf_days, next_key, next_spki, next_leaf_digest,
             next_leaf_not_after, renewed_at, replaces, deadline, types, origins
         FROM device",
    )?;
    let rows = statement.query_map([], read_entry)?;
    let mut entries = HashMap::new();
    for entry in rows {
        let entry = entry?;
        entries.insert(entry.record.pair, entry);
    }
    let mut statement =
        database.prepare("SELECT pair, key FROM retired_key ORDER BY retired_at")?;
    let rows = statement.query_map([], |row| {
        Ok((PairId(row.get("pair")?), KeyDigest(row.get("key")?)))
    })?;
    for retired in rows {
        let (pair, key) = retired?;
        if let Some(entry) = entries.get_mut(&pair) {
            entry.retired.push(key);
        }
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
            last_address: row
                .get::<_, Option<String>>("last_address")?
                .and_then(|text| text.parse().ok()),
            leaf_not_after: row.get("leaf_not_after")?,
            scope: Scope {
                types: list(row.get("types")?),
                origins: list(row.get("origins")?),
            },
        },
        spki: row.get("spki")?,
        replaces: row.get::<_, Option<[u8; 16]>>("replaces")?.map(PairId),
        deadline: row.get("deadline")?,
        leaf_digest: row.get("leaf_digest")?,
        leaf_days: row.get("leaf_days")?,
        next: match row.get::<_, Option<[u8; 32]>>("next_key")? {
            None => None,
            Some(key) => Some(NextKey {
                key: KeyDigest(key),
                spki: row.get("next_spki")?,
                leaf_digest: row.get("next_leaf_digest")?,
                leaf_not_after: row.get("next_leaf_not_after")?,
            }),
        },
        retired: Vec::new(),
        renewed_at: row.get("renewed_at")?,
    })
}

/// `HSTR`.
const APPLICATION_ID: i64 = 0x4853_5452;
const SCHEMA_VERSION: i64 = 2;
/// What each version of the file adds to the one before.
const SCHEMA: &[&str] = &[FIRST_SCHEMA, issued::SCHEMA];
const FIRST_SCHEMA: &str = "
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
        leaf_days      INTEGER NOT NULL CHECK (leaf_days BETWEEN 1 AND 398),
        next_key       BLOB UNIQUE CHECK (length(next_key) = 32),  -- certified, not used yet
        next_spki      BLOB CHECK (length(next_spki) = 91),
        next_leaf_digest BLOB CHECK (length(next_leaf_digest) = 32),
        next_leaf_not_after INTEGER,
        renewed_at     INTEGER,           -- the last renewal that issued a leaf
        replaces       BLOB CHECK (length(replaces) = 16),
        deadline       INTEGER CHECK ((deadline IS NOT NULL) = (state = 'pending'))
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE retired_key (
        key            BLOB PRIMARY KEY CHECK (length(key) = 32),
        pair           BLOB NOT NULL CHECK (length(pair) = 16),
        retired_at     INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE key_item (
        item           TEXT PRIMARY KEY,
        pair           BLOB NOT NULL CHECK (length(pair) = 16),
        holds_ca_key   INTEGER NOT NULL,
        leaf_not_after INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;";

#[cfg(test)]
mod tests;
