//! The key that no reader of `trust.db` has, and what it computes: HMAC-SHA-256 (RFC 2104).
//!
//! ```text
//! hash of an entry  HMAC(key, "healthsync audit v1 entry"      ‖ 0x00 ‖ hash before ‖ canonical)
//! seal of a purge   HMAC(key, "healthsync audit v1 checkpoint" ‖ 0x00 ‖ seal before
//!                             ‖ u64 sequence ‖ hash ‖ i64 time)
//! ```
//!
//! Whoever changes, deletes or reorders entries without the key cannot compute the hashes behind
//! them. A seal says that the beginning of the chain was purged, and where it goes on.

use aws_lc_rs::hmac;

use super::{AuditError, Entry, Hash};
use crate::{
    defence::{Defence, holds},
    environment::Entropy,
    keystore::KeyStore,
    secret::Secret,
};

/// Its item in the key store: a version and 32 bytes.
const ITEM: &str = "audit";
const VERSION: u8 = 1;

const ENTRY: &[u8] = b"healthsync audit v1 entry\0";
const CHECKPOINT: &[u8] = b"healthsync audit v1 checkpoint\0";

/// The beginning of the chain was deleted up to here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The last entry that was deleted.
    pub(crate) sequence: u64,
    /// Its hash: the chain goes on from it.
    pub(crate) hash: Hash,
    /// When; Unix seconds.
    pub(crate) time: i64,
    /// The seal of the checkpoint before.
    pub(crate) previous: Hash,
    /// Over all of the above.
    pub(crate) seal: Hash,
}

/// The key of the chain.
#[derive(Debug)]
pub(crate) struct ChainKey(hmac::Key);

impl ChainKey {
    /// The host's key; made and stored when there is none. Blocks on the key store.
    pub(crate) fn open(store: &dyn KeyStore, entropy: &dyn Entropy) -> Result<Self, AuditError> {
        if let Some(item) = store.read(ITEM)? {
            return match item.expose().split_first_chunk::<1>() {
                Some((&[VERSION], key)) if key.len() == 32 => Ok(Self::new(key)),
                _ => Err(AuditError::KeyDamaged),
            };
        }
        let mut item = zeroize::Zeroizing::new([VERSION; 33]);
        if let Some((_, key)) = item.split_first_chunk_mut::<1>() {
            entropy.fill(key)?;
        }
        let item = Secret::new(item.to_vec());
        store.write(ITEM, &item)?;
        Ok(Self::new(item.expose().get(1..).unwrap_or_default()))
    }

    pub(crate) fn new(key: &[u8]) -> Self {
        // Without a key of its own the chain is one that anybody can compute.
        let key = if holds(Defence::AuditKey) {
            key
        } else {
            &[0; 32]
        };
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The place of `entry` behind `previous`.
    pub(crate) fn link(&self, previous: &Hash, entry: &Entry) -> Hash {
        let previous = if holds(Defence::AuditLink) {
            previous
        } else {
            &Hash::START
        };
        self.compute(&[ENTRY, &previous.0, &entry.canonical()])
    }

    /// A checkpoint behind the one with the seal `previous`.
    pub(crate) fn checkpoint(
        &self,
        previous: Hash,
        sequence: u64,
        hash: Hash,
        time: i64,
    ) -> Checkpoint {
        let seal = self.compute(&[
            CHECKPOINT,
            &previous.0,
            &sequence.to_be_bytes(),
            &hash.0,
            &time.to_be_bytes(),
        ]);
        Checkpoint {
            sequence,
            hash,
            time,
            previous,
            seal,
        }
    }

    /// Whether this key made it.
    pub(crate) fn sealed(&self, checkpoint: &Checkpoint) -> bool {
        let Checkpoint {
            sequence,
            hash,
            time,
            previous,
            ..
        } = checkpoint;
        !holds(Defence::AuditSeal)
            || self.checkpoint(*previous, *sequence, *hash, *time) == *checkpoint
    }

    fn compute(&self, parts: &[&[u8]]) -> Hash {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.sign().as_ref());
        Hash(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{Event, Note},
        environment::SystemEntropy,
        keystore::memory::MemoryStore,
    };

    #[test]
    fn a_key_is_made_once_and_read_again() {
        let store = MemoryStore::default();
        let entry = Entry::new(1, 7, Note::new(Event::ServerStarted));
        let hash = |store: &MemoryStore| {
            let key = ChainKey::open(store, &SystemEntropy).unwrap();
            key.link(&Hash::START, &entry)
        };
        assert_eq!(hash(&store), hash(&store));
        assert_ne!(hash(&store), hash(&MemoryStore::default()));

        for damaged in [&[][..], &[VERSION; 32], &[VERSION; 34], &[2; 33]] {
            store.write(ITEM, &Secret::new(damaged.to_vec())).unwrap();
            let error = ChainKey::open(&store, &SystemEntropy).unwrap_err();
            assert!(matches!(error, AuditError::KeyDamaged), "{error:?}");
        }
    }

    /// Computed by Python's `hmac` over the bytes that the module's head names.
    #[test]
    fn hashes_are_those_that_the_documents_name() {
        let key = ChainKey::new(&[7; 32]);
        let mut entry = Entry::new(1, 1_800_000_000, Note::new(Event::ServerStarted));
        entry.hash = key.link(&Hash::START, &entry);
        assert_eq!(entry.hash.to_string(), ENTRY_HASH);
        let checkpoint = key.checkpoint(Hash::START, 1, entry.hash, 1_807_776_000);
        assert_eq!(checkpoint.seal.to_string(), SEAL);
        assert!(key.sealed(&checkpoint));
    }

    const ENTRY_HASH: &str = "fa34f5cd9f6fa141ec574ae133c167f1612f1a1be454cd2889e6a2a40c4da9d1";
    const SEAL: &str = "0b73750adcff11a8f449f0e52d55e53850940341e3fc5b5f609594621c1af3e1";
}
