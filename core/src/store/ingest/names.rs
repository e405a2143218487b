//! The small tables of texts that repeat, and which number each has.

use std::{collections::HashMap, sync::Arc};

use rusqlite::{Connection, OptionalExtension, params};

use crate::{kind::Kind, sample::Provenance};

/// Entries of a cache; a full one begins anew, so that a hostile file cannot fill the memory.
const CACHE: usize = 1024;

/// Metadata up to this length is worth a row of its own, when there are not too many.
const SHARED_LENGTH: usize = 200;
const SHARED_ROWS: i64 = 2048;

/// Numbers of texts, found or made.
pub(super) struct Names<'t> {
    connection: &'t Connection,
    origins: Cache<Arc<str>>,
    kinds: Cache<Kind>,
    units: Cache<Arc<str>>,
    categories: Cache<Arc<str>>,
    writers: Cache<Arc<Provenance>, (i64, Option<i64>)>,
    tolerances: Cache<u64>,
    halves: Cache<i64, f64>,
    shared: HashMap<String, i64>,
    shared_rows: i64,
}

impl<'t> Names<'t> {
    pub(super) fn new(connection: &'t Connection) -> rusqlite::Result<Self> {
        let mut shared = HashMap::new();
        let mut statement = connection.prepare("SELECT text, id FROM metadata")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            shared.insert(row.get(0)?, row.get(1)?);
        }
        let shared_rows = i64::try_from(shared.len()).unwrap_or(i64::MAX);
        Ok(Self {
            connection,
            origins: Cache::default(),
            kinds: Cache::default(),
            units: Cache::default(),
            categories: Cache::default(),
            writers: Cache::default(),
            tolerances: Cache::default(),
            halves: Cache::default(),
            shared,
            shared_rows,
        })
    }

    pub(super) fn origin(&mut self, name: &Arc<str>) -> rusqlite::Result<i64> {
        let connection = self.connection;
        self.origins.find(
            name,
            |known| Arc::ptr_eq(known, name),
            || one(connection, "origin", name),
        )
    }

    /// Number of an importer's format.
    pub(super) fn format(&self, id: &str) -> rusqlite::Result<i64> {
        one(self.connection, "format", id)
    }

    pub(super) fn kind(&mut self, kind: &Kind, unit: &str) -> rusqlite::Result<i64> {
        let connection = self.connection;
        self.kinds.find(
            kind,
            |known| std::ptr::eq(&raw const **known, &raw const **kind),
            || {
                connection.execute(
                    "INSERT INTO kind (name, unit) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                    params![kind.as_str(), kind.unit().unwrap_or(unit)],
                )?;
                connection.query_row(
                    "SELECT id FROM kind WHERE name = ?1",
                    [kind.as_str()],
                    |row| row.get(0),
                )
            },
        )
    }

    pub(super) fn unit(&mut self, unit: &Arc<str>) -> rusqlite::Result<i64> {
        let connection = self.connection;
        self.units.find(
            unit,
            |known| Arc::ptr_eq(known, unit),
            || one(connection, "unit", unit),
        )
    }

    pub(super) fn category(&mut self, category: &Arc<str>) -> rusqlite::Result<i64> {
        let connection = self.connection;
        self.categories.find(
            category,
            |known| Arc::ptr_eq(known, category),
            || one(connection, "category", category),
        )
    }

    /// Source and device.
    pub(super) fn writer(
        &mut self,
        writer: &Arc<Provenance>,
    ) -> rusqlite::Result<(i64, Option<i64>)> {
        let connection = self.connection;
        self.writers.find(
            writer,
            |known| Arc::ptr_eq(known, writer),
            || {
                let version = writer.source_version.as_deref().unwrap_or_default();
                connection.execute(
                    "INSERT INTO source (name, version) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                    params![writer.source_name, version],
                )?;
                let source = connection.query_row(
                    "SELECT id FROM source WHERE name = ?1 AND version = ?2",
                    params![writer.source_name, version],
                    |row| row.get(0),
                )?;
                let Some(device) = &writer.device else {
                    return Ok((source, None));
                };
                connection.execute(
                    "INSERT INTO device (name, hardware) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                    params![device, writer.hardware],
                )?;
                let device = connection.query_row(
                    "SELECT id FROM device WHERE name = ?1",
                    [device],
                    |row| row.get(0),
                )?;
                Ok((source, Some(device)))
            },
        )
    }

    pub(super) fn tolerance(&mut self, half: f64) -> rusqlite::Result<i64> {
        let connection = self.connection;
        let bits = half.to_bits();
        self.tolerances.find(
            &bits,
            |known| *known == bits,
            || {
                connection.execute(
                    "INSERT INTO tolerance (half) VALUES (?1) ON CONFLICT DO NOTHING",
                    [half],
                )?;
                connection.query_row("SELECT id FROM tolerance WHERE half = ?1", [half], |row| {
                    row.get(0)
                })
            },
        )
    }

    /// The other way round: what a stored number stands for.
    pub(super) fn half(&mut self, id: i64) -> rusqlite::Result<f64> {
        let connection = self.connection;
        self.halves.find(
            &id,
            |known| *known == id,
            || {
                let half = connection
                    .query_row("SELECT half FROM tolerance WHERE id = ?1", [id], |row| {
                        row.get(0)
                    })
                    .optional()?;
                Ok(half.unwrap_or_default())
            },
        )
    }

    /// Number of a text that many records share; `None` if the record keeps it itself.
    pub(super) fn metadata(&mut self, text: &str) -> rusqlite::Result<Option<i64>> {
        if let Some(id) = self.shared.get(text) {
            return Ok(Some(*id));
        }
        if text.len() > SHARED_LENGTH || self.shared_rows >= SHARED_ROWS {
            return Ok(None);
        }
        self.connection
            .execute("INSERT INTO metadata (text) VALUES (?1)", [text])?;
        let id = self.connection.last_insert_rowid();
        self.shared_rows += 1;
        self.shared.insert(text.to_owned(), id);
        Ok(Some(id))
    }
}

/// Number of a name in a table of names.
fn one(connection: &Connection, table: &str, name: &str) -> rusqlite::Result<i64> {
    let insert = format!("INSERT INTO {table} (name) VALUES (?1) ON CONFLICT DO NOTHING");
    connection.execute(&insert, [name])?;
    let select = format!("SELECT id FROM {table} WHERE name = ?1");
    connection.query_row(&select, [name], |row| row.get(0))
}

/// Numbers that were looked up; most records repeat the text of the one before.
struct Cache<K, V = i64> {
    last: Option<(K, V)>,
    known: HashMap<K, V>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self {
            last: None,
            known: HashMap::new(),
        }
    }
}

impl<K: Clone + Eq + std::hash::Hash, V: Copy> Cache<K, V> {
    fn find(
        &mut self,
        key: &K,
        is_same: impl Fn(&K) -> bool,
        look_up: impl FnOnce() -> rusqlite::Result<V>,
    ) -> rusqlite::Result<V> {
        if let Some((known, value)) = &self.last
            && is_same(known)
        {
            return Ok(*value);
        }
        let value = if let Some(value) = self.known.get(key) {
            *value
        } else {
            let value = look_up()?;
            if self.known.len() >= CACHE {
                self.known.clear();
            }
            self.known.insert(key.clone(), value);
            value
        };
        self.last = Some((key.clone(), value));
        Ok(value)
    }
}
