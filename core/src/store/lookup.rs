//! Texts that rows name by number: read when first met, remembered while a scan lasts.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection};

use super::StoreError;
use crate::batch::Texts;

/// Maps the numbers of a small table to positions in a column of texts.
pub(super) struct Lookup<'c> {
    statement: CachedStatement<'c>,
    known: HashMap<i64, i32>,
    /// Neighbouring rows mostly name the same text.
    last: Option<(i64, i32)>,
}

impl<'c> Lookup<'c> {
    /// `sql` gives the text of the number `?1`.
    pub(super) fn new(connection: &'c Connection, sql: &str) -> Result<Self, StoreError> {
        Ok(Self {
            statement: connection.prepare_cached(sql)?,
            known: HashMap::new(),
            last: None,
        })
    }

    /// Position in `texts` of the text with this number.
    pub(super) fn key(&mut self, id: i64, texts: &mut Texts) -> Result<i32, StoreError> {
        if let Some((last, key)) = self.last
            && last == id
        {
            return Ok(key);
        }
        let key = if let Some(&key) = self.known.get(&id) {
            key
        } else {
            let key = self
                .statement
                .query_row([id], |row| Ok(texts.add(row.get_ref(0)?.as_str()?)))?;
            self.known.insert(id, key);
            key
        };
        self.last = Some((id, key));
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
