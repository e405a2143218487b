//! Where keys rest. To add a store: one file, one line in [`open`]. Never a silent fall-back.
//!
//! ```text
//! open(kind) -> KeyStore -+- keyring (macOS Keychain, Secret Service, Windows Credential Manager)
//!                         +- file    (a folder of encrypted files; only when named)
//! ```
//!
//! An item is a small secret under a name such as `client:<pair id>`; it is replaced whole. What
//! an item holds is said in [`crate::credentials`]; no store looks inside.

mod error;
pub mod file;
mod keyring;
#[cfg(target_os = "macos")]
mod macos;
#[doc(hidden)]
pub mod memory;
#[cfg(target_os = "linux")]
mod secret_service;
#[cfg(target_os = "windows")]
mod windows;

use std::{fmt, path::PathBuf, str::FromStr};

pub use error::KeyStoreError;

use crate::{id::PairId, secret::Secret};

/// Keeps small secret items by name.
pub trait KeyStore: Send + Sync + fmt::Debug {
    /// Which it is.
    fn kind(&self) -> StoreKind;

    /// The item, or `None`.
    fn read(&self, item: &str) -> Result<Option<Secret>, KeyStoreError>;

    /// Writes or replaces the item whole.
    fn write(&self, item: &str, value: &Secret) -> Result<(), KeyStoreError>;

    /// Deletes it; `false` if there was none.
    fn delete(&self, item: &str) -> Result<bool, KeyStoreError>;

    /// Whether items can be written now: writes one and deletes it. To be asked before a pairing
    /// begins, so that a locked store does not leave half a pair behind.
    fn check_writable(&self) -> Result<(), KeyStoreError> {
        let item = "check";
        self.write(item, &Secret::new(vec![1]))?;
        self.delete(item).map(drop)
    }

    /// Puts copies of a pair's certificates (not secret, not trusted) where the system shows
    /// certificates to its user. Only macOS has such a place; elsewhere this does nothing.
    fn publish_certificates(
        &self,
        _pair: &PairId,
        _leaf: &[u8],
        _ca: &[u8],
    ) -> Result<(), KeyStoreError> {
        Ok(())
    }

    /// Takes the copies of [`Self::publish_certificates`] away.
    fn withdraw_certificates(&self, _pair: &PairId) -> Result<(), KeyStoreError> {
        Ok(())
    }
}

/// The stores there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// A folder of encrypted files; only when named.
    File,
    /// macOS Keychain.
    Keychain,
    /// Secret Service (GNOME Keyring, `KWallet`) on Linux.
    SecretService,
    /// Windows Credential Manager.
    WindowsCredentialManager,
}

impl StoreKind {
    /// The platform's own.
    pub const fn platform() -> Self {
        if cfg!(target_os = "macos") {
            Self::Keychain
        } else if cfg!(target_os = "windows") {
            Self::WindowsCredentialManager
        } else {
            Self::SecretService
        }
    }

    /// `file`, `keychain`, `secret-service`, `windows-credential-manager`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Keychain => "keychain",
            Self::SecretService => "secret-service",
            Self::WindowsCredentialManager => "windows-credential-manager",
        }
    }

    /// Its name in a sentence.
    pub const fn title(self) -> &'static str {
        match self {
            Self::File => "the file key store",
            Self::Keychain => "the macOS Keychain",
            Self::SecretService => "the Secret Service (GNOME Keyring, KWallet)",
            Self::WindowsCredentialManager => "the Windows Credential Manager",
        }
    }
}

impl FromStr for StoreKind {
    type Err = KeyStoreError;

    /// A store of this platform, by [`Self::as_str`].
    fn from_str(text: &str) -> Result<Self, KeyStoreError> {
        [Self::File, Self::platform()]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| KeyStoreError::Unknown(text.to_owned()))
    }
}

/// How to open a store.
pub struct OpenOptions<'a> {
    /// Folder of the file store.
    pub folder: PathBuf,
    /// Asked once, when the file store is opened; no other store asks.
    pub passphrase: &'a mut dyn FnMut() -> Result<Secret, KeyStoreError>,
    /// Randomness for salts and nonces.
    pub environment: crate::environment::Environment,
}

impl fmt::Debug for OpenOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// Opens the store `kind`.
pub fn open(kind: StoreKind, options: OpenOptions<'_>) -> Result<Box<dyn KeyStore>, KeyStoreError> {
    match kind {
        StoreKind::File => {
            let passphrase = (options.passphrase)()?;
            let store =
                file::FileStore::open(options.folder, passphrase, options.environment.entropy)?;
            Ok(Box::new(store))
        }
        #[cfg(target_os = "macos")]
        StoreKind::Keychain => Ok(Box::new(macos::open()?)),
        #[cfg(target_os = "linux")]
        StoreKind::SecretService => Ok(Box::new(secret_service::open()?)),
        #[cfg(target_os = "windows")]
        StoreKind::WindowsCredentialManager => Ok(Box::new(windows::open()?)),
        other => Err(KeyStoreError::Unknown(other.as_str().to_owned())),
    }
}

/// The longest name of an item, bytes.
pub const ITEM_NAME_LIMIT: usize = 64;

/// What every store does, whatever it is.
#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn check_contract(store: &dyn KeyStore) {
        let read = |item| store.read(item).unwrap().map(|s| s.expose().to_vec());
        assert_eq!(read("client:a"), None);
        assert!(!store.delete("client:a").unwrap());

        let all_bytes: Vec<u8> = (0..=255).cycle().take(2_559).collect();
        store
            .write("client:a", &Secret::new(all_bytes.clone()))
            .unwrap();
        store.write("client:b", &Secret::new(vec![7])).unwrap();
        assert_eq!(read("client:a"), Some(all_bytes));

        store.write("client:a", &Secret::new(vec![1, 0])).unwrap();
        assert_eq!(read("client:a"), Some(vec![1, 0]));
        assert_eq!(read("client:b"), Some(vec![7]));

        assert!(store.delete("client:a").unwrap());
        assert_eq!(read("client:a"), None);
        assert!(store.delete("client:b").unwrap());

        store.check_writable().unwrap();
        assert_eq!(read("check"), None);
    }

    #[test]
    fn a_kind_is_named_only_on_its_platform() {
        let platform = StoreKind::platform();
        for (text, expected) in [
            ("file", Some(StoreKind::File)),
            (platform.as_str(), Some(platform)),
            ("File", None),
            ("", None),
            ("keyutils", None),
        ] {
            assert_eq!(text.parse::<StoreKind>().ok(), expected, "{text:?}");
        }
        let elsewhere = if cfg!(target_os = "macos") {
            "secret-service"
        } else {
            "keychain"
        };
        let error = elsewhere.parse::<StoreKind>().unwrap_err();
        assert_eq!(error.code(), "KEY_STORE_UNKNOWN");
    }

    #[test]
    fn a_store_of_another_platform_is_not_replaced_by_one_of_ours() {
        let elsewhere = if cfg!(target_os = "macos") {
            StoreKind::SecretService
        } else {
            StoreKind::Keychain
        };
        let options = OpenOptions {
            folder: PathBuf::from("/nonexistent"),
            passphrase: &mut || panic!("only the file store needs a passphrase"),
            environment: crate::environment::Environment::system(),
        };
        let error = open(elsewhere, options).unwrap_err();
        assert_eq!(error.code(), "KEY_STORE_UNKNOWN");
    }
}
