//! Texts that rows name by number: read when first met, remembered while a scan lasts.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection};

use super::StoreError;
use crate::batch::Texts;

/// Maps the numbers of a small table to positions in a column of texts.
pub(super) struct Lookup<'c> {
    statement: CachedStatement<'c>,
    /// Position of each small number, or [`UNKNOWN`]: tables number their rows from 1 on.
    dense: Vec<i32>,
    /// Positions of the others.
    sparse: HashMap<i64, i32>,
}

const UNKNOWN: i32 = -1;
/// Numbers below it are small.
const DENSE: usize = 1 << 16;

impl<'c> Lookup<'c> {
    /// `sql` gives the text of the number `?1`.
    pub(super) fn new(connection: &'c Connection, sql: &str) -> Result<Self, StoreError> {
        Ok(Self {
            statement: connection.prepare_cached(sql)?,
            dense: Vec::new(),
            sparse: HashMap::new(),
        })
    }

    /// Position in `texts` of the text with this number.
    pub(super) fn key(&mut self, id: i64, texts: &mut Texts) -> Result<i32, StoreError> {
        let small = usize::try_from(id).ok().filter(|id| *id < DENSE);
        let known = match small {
            Some(small) => self.dense.get(small).copied().unwrap_or(UNKNOWN),
            None => self.sparse.get(&id).copied().unwrap_or(UNKNOWN),
        };
        if known != UNKNOWN {
            return Ok(known);
        }
        let key = self
            .statement
            .query_row([id], |row| Ok(texts.add(row.get_ref(0)?.as_str()?)))?;
        if let Some(small) = small {
            if self.dense.len() <= small {
                self.dense.resize(small + 1, UNKNOWN);
            }
            if let Some(place) = self.dense.get_mut(small) {
                *place = key;
            }
        } else {
            self.sparse.insert(id, key);
        }
        Ok(key)
    }
}

/// The texts of a table that may be large: only some of them are remembered.
pub(super) struct SharedTexts<'c> {
    statement: CachedStatement<'c>,
    known: HashMap<i64, String>,
}

impl<'c> SharedTexts<'c> {
    /// `sql` gives the text of the number `?1`.
    pub(super) fn new(connection: &'c Connection, sql: &str) -> Result<Self, StoreError> {
        Ok(Self {
            statement: connection.prepare_cached(sql)?,
            known: HashMap::new(),
        })
    }

    /// The text with this number.
    pub(super) fn text(&mut self, id: i64) -> Result<&str, StoreError> {
        const MOST: usize = 4096;
        if self.known.len() >= MOST && !self.known.contains_key(&id) {
            self.known.clear();
        }
        match self.known.entry(id) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(unknown) => {
                let text = self.statement.query_row([id], |row| row.get(0))?;
                Ok(unknown.insert(text))
            }
        }
    }
}
