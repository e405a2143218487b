//! A store that forgets, for tests. [`super::open`] never gives it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{KeyStore, KeyStoreError, StoreKind};
use crate::secret::Secret;

/// Items in memory. Says that it is a [`StoreKind::File`].
#[derive(Debug, Default)]
pub struct MemoryStore {
    items: Mutex<BTreeMap<String, Secret>>,
}

impl MemoryStore {
    /// The names of the items, in order.
    pub fn items(&self) -> Vec<String> {
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.keys().cloned().collect()
    }
}

impl KeyStore for MemoryStore {
    fn kind(&self) -> StoreKind {
        StoreKind::File
    }

    fn read(&self, item: &str) -> Result<Option<Secret>, KeyStoreError> {
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(items
            .get(item)
            .map(|value| Secret::new(value.expose().to_vec())))
    }

    fn write(&self, item: &str, value: &Secret) -> Result<(), KeyStoreError> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.insert(item.to_owned(), Secret::new(value.expose().to_vec()));
        Ok(())
    }

    fn delete(&self, item: &str) -> Result<bool, KeyStoreError> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(items.remove(item).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_until_deleted() {
        super::super::tests::check_contract(&MemoryStore::default());
    }
}
