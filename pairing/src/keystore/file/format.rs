//! The bytes of one sealed file.
//!
//! ```text
//! 0   4  "HSKS"
//! 4   1  version, 2
//! 5   4  Argon2id: memory, KiB (big-endian, as all numbers here)
//! 9   4  Argon2id: passes
//! 13  4  Argon2id: lanes
//! 17 16  salt of Argon2id, the same in all files of a store
//! 33 16  salt of this file, never used again
//! 49 12  nonce
//! 61     AES-256-GCM of the value, with its tag of 16 bytes
//! ```
//!
//! Associated data: the 61 bytes above, the store's id (16 bytes), the item's name. The passphrase is
//! stretched by Argon2id (RFC 9106, version 1.3), once a run for all files of a store; the key of a
//! file is HKDF-SHA256 (RFC 5869) of that and the file's own salt.
//!
//! Version 1, which is still read, has no salt of the file (45 bytes before the value): Argon2id alone
//! gives the key, so that each file costs a stretch of its own.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf,
};

use crate::secret::Secret;

/// What deriving a key costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost {
    /// KiB.
    pub memory: u32,
    /// How often the memory is passed over.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// 64 MiB, 3 passes, 4 lanes: the second recommended option of RFC 9106 §4.
    pub const STANDARD: Self = Self {
        memory: 64 * 1024,
        passes: 3,
        lanes: 4,
    };

    /// Next to nothing, for tests.
    #[doc(hidden)]
    pub const TEST: Self = Self {
        memory: 64,
        passes: 1,
        lanes: 1,
    };

    /// Whether a file may ask for it: it must not exhaust the machine, and less than the least
    /// that is advised today is a sign of a changed file. What `ours` is may always be read.
    pub(super) fn is_acceptable(self, ours: Self) -> bool {
        let least = self.memory >= LEAST_MEMORY && self.passes >= 1 && self.lanes >= 1;
        let most = self.memory <= 1024 * 1024 && self.passes <= 10 && self.lanes <= 8;
        (least && most) || self == ours
    }
}

/// What stands before the encrypted value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) cost: Cost,
    /// Of Argon2id.
    pub(super) salt: [u8; 16],
    /// Of this file alone; `None` in version 1.
    pub(super) own_salt: Option<[u8; 16]>,
    pub(super) nonce: [u8; 12],
}

impl Header {
    /// Splits a file; `None` if it is none of ours.
    pub(super) fn parse(file: &[u8]) -> Option<(Self, &[u8])> {
        let (magic, rest) = file.split_first_chunk::<4>()?;
        let (version, rest) = rest.split_first_chunk::<1>()?;
        let (memory, rest) = rest.split_first_chunk::<4>()?;
        let (passes, rest) = rest.split_first_chunk::<4>()?;
        let (lanes, rest) = rest.split_first_chunk::<4>()?;
        let (salt, rest) = rest.split_first_chunk::<16>()?;
        let (own_salt, rest) = match *version {
            [VERSION] => {
                let (own, rest) = rest.split_first_chunk::<16>()?;
                (Some(*own), rest)
            }
            [WITHOUT_OWN_SALT] => (None, rest),
            _ => return None,
        };
        let (nonce, body) = rest.split_first_chunk::<12>()?;
        let header = Self {
            cost: Cost {
                memory: u32::from_be_bytes(*memory),
                passes: u32::from_be_bytes(*passes),
                lanes: u32::from_be_bytes(*lanes),
            },
            salt: *salt,
            own_salt,
            nonce: *nonce,
        };
        (magic == MAGIC).then_some((header, body))
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(61);
        bytes.extend_from_slice(MAGIC);
        bytes.push(self.own_salt.map_or(WITHOUT_OWN_SALT, |_| VERSION));
        bytes.extend_from_slice(&self.cost.memory.to_be_bytes());
        bytes.extend_from_slice(&self.cost.passes.to_be_bytes());
        bytes.extend_from_slice(&self.cost.lanes.to_be_bytes());
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(self.own_salt.as_ref().map_or(&[], |own| &own[..]));
        bytes.extend_from_slice(&self.nonce);
        bytes
    }

    /// What Argon2id makes of the passphrase for this salt and cost.
    pub(super) fn stretch(&self, passphrase: &Secret) -> Option<Secret> {
        let params = argon2::Params::new(
            self.cost.memory,
            self.cost.passes,
            self.cost.lanes,
            Some(KEY_LENGTH),
        )
        .ok()?;
        let mut key = vec![0; KEY_LENGTH];
        argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
            .hash_password_into(passphrase.expose(), &self.salt, &mut key)
            .ok()?;
        Some(Secret::new(key))
    }

    /// The key of this file.
    pub(super) fn key(&self, stretched: &Secret) -> Option<Secret> {
        let mut key = vec![0; KEY_LENGTH];
        match &self.own_salt {
            None => key.copy_from_slice(stretched.expose().get(..KEY_LENGTH)?),
            Some(own) => hkdf::Salt::new(hkdf::HKDF_SHA256, own)
                .extract(stretched.expose())
                .expand(&[INFO], &AES_256_GCM)
                .and_then(|bytes| bytes.fill(&mut key))
                .ok()?,
        }
        Some(Secret::new(key))
    }

    fn cipher(&self, stretched: &Secret) -> Option<LessSafeKey> {
        let key = self.key(stretched)?;
        let key = UnboundKey::new(&AES_256_GCM, key.expose()).ok()?;
        Some(LessSafeKey::new(key))
    }

    /// The whole file.
    pub(super) fn seal(
        &self,
        stretched: &Secret,
        store: &[u8; 16],
        item: &str,
        value: &Secret,
    ) -> Option<Vec<u8>> {
        let mut file = self.to_bytes();
        // The buffer holds the value in the clear until it is encrypted: wiped if that fails.
        let mut body = zeroize::Zeroizing::new(value.expose().to_vec());
        body.reserve_exact(AES_256_GCM.tag_len());
        self.cipher(stretched)?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(self.nonce),
                self.associated(store, item),
                &mut *body,
            )
            .ok()?;
        file.extend_from_slice(&body);
        Some(file)
    }

    /// The value; `None` if the key is wrong or anything was changed.
    pub(super) fn unseal(
        &self,
        stretched: &Secret,
        store: &[u8; 16],
        item: &str,
        body: &[u8],
    ) -> Option<Secret> {
        let mut body = zeroize::Zeroizing::new(body.to_vec());
        let value = self
            .cipher(stretched)?
            .open_in_place(
                Nonce::assume_unique_for_key(self.nonce),
                self.associated(store, item),
                &mut body,
            )
            .ok()?;
        Some(Secret::new(value.to_vec()))
    }

    /// Unambiguous: the first two parts have a fixed length.
    fn associated(&self, store: &[u8; 16], item: &str) -> Aad<Vec<u8>> {
        Aad::from([&self.to_bytes(), &store[..], item.as_bytes()].concat())
    }
}

const MAGIC: &[u8; 4] = b"HSKS";
const VERSION: u8 = 2;
const WITHOUT_OWN_SALT: u8 = 1;
/// What the key is for, so that no other use of the stretched passphrase gives the same.
const INFO: &[u8] = b"healthsync key store file";
const KEY_LENGTH: usize = 32;

/// 19 MiB, KiB.
const LEAST_MEMORY: u32 = 19 * 1024;
