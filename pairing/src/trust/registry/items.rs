//! The names of the items that this host has in the key store, so that a crash leaves no nameless key.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Registry, TrustError};
use crate::id::PairId;

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

impl Registry {
    /// Names an item before it is written to the key store.
    pub(crate) fn reserve(&self, item: &KeyItem) -> Result<(), TrustError> {
        name(&self.database(), item)
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
}

/// Notes the name of an item.
pub(super) fn name(database: &Connection, item: &KeyItem) -> Result<(), TrustError> {
    database.execute(
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

fn read_key_item(row: &Row<'_>) -> rusqlite::Result<KeyItem> {
    Ok(KeyItem {
        item: row.get(0)?,
        pair: PairId(row.get(1)?),
        holds_ca_key: row.get(2)?,
        leaf_not_after: row.get(3)?,
    })
}
