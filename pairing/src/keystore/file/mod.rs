//! A folder of encrypted files, for machines without a key store of their own; only when named.
//!
//! ```text
//! FOLDER/           0700, not a link
//!   store           random id of this store, sealed; shows at once whether the passphrase is right
//!   client=3a...key one item, sealed under the id and its own name: it works nowhere else
//! ```
//!
//! Every file is written new, under a new salt and nonce, and appears complete or not at all; the
//! passphrase is stretched once a run for all of them (and once for each that an older version wrote).
//! The byte layout is in [`format`]. A passphrase file beside the store is as good as plain text.

#[cfg_attr(windows, path = "folder_windows.rs")]
mod folder;
mod format;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use folder::Folder;
pub use format::Cost;
use format::Header;

use super::{ITEM_NAME_LIMIT, KeyStore, KeyStoreError, StoreKind};
use crate::{environment::Entropy, secret::Secret};

/// An open folder of sealed items.
#[derive(Debug)]
pub struct FileStore {
    folder: Folder,
    passphrase: Secret,
    cost: Cost,
    entropy: Arc<dyn Entropy>,
    id: [u8; 16],
    /// With which the passphrase is stretched for what is written.
    salt: [u8; 16],
    derived: Mutex<BTreeMap<([u8; 16], Cost), Secret>>,
}

impl FileStore {
    /// Opens the store in `folder`, or makes one; checks the passphrase.
    pub fn open(
        folder: PathBuf,
        passphrase: Secret,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, KeyStoreError> {
        Self::open_at_cost(folder, passphrase, entropy, Cost::STANDARD)
    }

    /// The same with another cost for what is written; tests cannot wait for the standard one.
    #[doc(hidden)]
    pub fn open_at_cost(
        folder: PathBuf,
        passphrase: Secret,
        entropy: Arc<dyn Entropy>,
        cost: Cost,
    ) -> Result<Self, KeyStoreError> {
        if passphrase.expose().is_empty() {
            return Err(KeyStoreError::PassphraseNeeded);
        }
        let mut store = Self {
            folder: Folder::open(folder)?,
            passphrase,
            cost,
            entropy,
            id: [0; 16],
            salt: [0; 16],
            derived: Mutex::default(),
        };
        store.salt = store.random()?;
        (store.id, store.salt) = store.read_or_make_id()?;
        Ok(store)
    }

    /// The id is an item like any other, under the id of zeros. Also the salt for what is written:
    /// that of the id's file, whose passphrase is stretched already.
    fn read_or_make_id(&self) -> Result<([u8; 16], [u8; 16]), KeyStoreError> {
        if self.folder.read(STORE)?.is_none() {
            if self.folder.names()?.iter().any(|name| name.ends_with(ITEM)) {
                // A new id would make every item look damaged.
                return Err(damaged(STORE));
            }
            let id: [u8; 16] = self.random()?;
            let sealed = self.seal(STORE, &Secret::new(id.to_vec()))?;
            // If another process was quicker, its id counts.
            self.folder.create(STORE, self.random()?, &sealed)?;
        }
        let sealed = self.folder.read(STORE)?.ok_or_else(|| damaged(STORE))?;
        let id = self.unseal(STORE, &sealed)?;
        let id = id.ok_or(KeyStoreError::PassphraseWrong)?;
        let id = id.expose().try_into().map_err(|_| damaged(STORE))?;
        // A file of another cost was stretched otherwise.
        let found = Header::parse(&sealed).filter(|(header, _)| header.cost == self.cost);
        Ok((id, found.map_or(self.salt, |(header, _)| header.salt)))
    }

    fn seal(&self, item: &str, value: &Secret) -> Result<Vec<u8>, KeyStoreError> {
        let header = Header {
            cost: self.cost,
            salt: self.salt,
            own_salt: Some(self.random()?),
            nonce: self.random()?,
        };
        self.with_key(&header, |key| header.seal(key, &self.id, item, value))?
            .ok_or_else(|| failed("the item could not be encrypted"))
    }

    /// `None`: the key is wrong, or the file was changed.
    fn unseal(&self, item: &str, sealed: &[u8]) -> Result<Option<Secret>, KeyStoreError> {
        let (header, body) = Header::parse(sealed).ok_or_else(|| damaged(item))?;
        if !header.cost.is_acceptable(self.cost) {
            return Err(damaged(item));
        }
        self.with_key(&header, |key| header.unseal(key, &self.id, item, body))
    }

    /// Runs `work` with the passphrase, stretched for this salt. The lock keeps it to one stretch, and
    /// so to one piece of memory, at a time; for each salt it is stretched once a run.
    fn with_key<T>(
        &self,
        header: &Header,
        work: impl FnOnce(&Secret) -> T,
    ) -> Result<T, KeyStoreError> {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        let stretch = (header.salt, header.cost);
        if let Some(key) = derived.get(&stretch) {
            return Ok(work(key));
        }
        let key = header
            .stretch(&self.passphrase)
            .ok_or_else(|| failed("the passphrase could not be stretched (out of memory?)"))?;
        let result = work(&key);
        if derived.len() >= DERIVED_LIMIT {
            derived.clear();
        }
        derived.insert(stretch, key);
        Ok(result)
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], KeyStoreError> {
        let mut bytes = [0; N];
        self.entropy
            .fill(&mut bytes)
            .map_err(|error| KeyStoreError::Failed {
                store: StoreKind::File,
                source: Box::new(error),
            })?;
        Ok(bytes)
    }
}

impl KeyStore for FileStore {
    fn kind(&self) -> StoreKind {
        StoreKind::File
    }

    fn read(&self, item: &str) -> Result<Option<Secret>, KeyStoreError> {
        let Some(sealed) = self.folder.read(&file_name(item)?)? else {
            return Ok(None);
        };
        // The passphrase was checked when the store was opened: only a changed file is left.
        let value = self.unseal(item, &sealed)?.ok_or_else(|| damaged(item))?;
        Ok(Some(value))
    }

    fn write(&self, item: &str, value: &Secret) -> Result<(), KeyStoreError> {
        let name = file_name(item)?;
        if value.expose().len() > VALUE_LIMIT {
            return Err(failed("the item is too large"));
        }
        let sealed = self.seal(item, value)?;
        self.folder.replace(&name, self.random()?, &sealed)
    }

    fn delete(&self, item: &str) -> Result<bool, KeyStoreError> {
        self.folder.delete(&file_name(item)?)
    }
}

/// Deletes items without the passphrase: a forgotten one must not keep a key alive. The store's own
/// file goes with the last item, so that the next passphrase can be another one. Returns the names
/// of the items that were there; a folder that is not there holds none and is not made.
pub fn discard(folder: &Path, items: &[String]) -> Result<Vec<String>, KeyStoreError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let folder = Folder::open(folder.to_owned())?;
    let mut gone = Vec::new();
    for item in items {
        if folder.delete(&file_name(item)?)? {
            gone.push(item.clone());
        }
    }
    if !folder.names()?.iter().any(|name| name.ends_with(ITEM)) {
        folder.delete(STORE)?;
    }
    Ok(gone)
}

/// One name for each item, with no character that any file system takes for its own. Upper case
/// is written out, because some file systems do not tell it from lower case.
fn file_name(item: &str) -> Result<String, KeyStoreError> {
    if item.is_empty() || item.len() > ITEM_NAME_LIMIT {
        return Err(failed("the name of the item is empty or too long"));
    }
    let mut name = String::with_capacity(item.len() + 8);
    for byte in item.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            other => {
                name.push('=');
                name.push_str(&crate::id::hex(&[other]));
            }
        }
    }
    name.push_str(ITEM);
    Ok(name)
}

fn damaged(item: &str) -> KeyStoreError {
    KeyStoreError::Damaged {
        store: StoreKind::File,
        item: item.to_owned(),
    }
}

fn failed(why: &'static str) -> KeyStoreError {
    KeyStoreError::Failed {
        store: StoreKind::File,
        source: why.into(),
    }
}

/// File (and item) that holds the store's id. No item's file has this name: they all have [`ITEM`].
const STORE: &str = "store";

/// How the file names of items end.
const ITEM: &str = ".key";

/// The largest value, bytes; ours stay under 2,560.
const VALUE_LIMIT: usize = 32 * 1024;

/// So many derived keys are kept for the run.
const DERIVED_LIMIT: usize = 64;

#[cfg(test)]
mod tests;
