//! Where keys rest. To add a store: one file, one line in [`open`]. Never a silent fall-back.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::secret::Secret;

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
}

/// The stores there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// A folder of encrypted files; only when named.
    File,
    /// macOS Keychain.
    Keychain,
    /// Secret Service (GNOME Keyring, KWallet) on Linux.
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
}

impl FromStr for StoreKind {
    type Err = KeyStoreError;
    fn from_str(_text: &str) -> Result<Self, KeyStoreError> {
        todo!()
    }
}

/// How to open a store.
pub struct OpenOptions<'a> {
    /// Folder of the file store.
    pub folder: PathBuf,
    /// Asked once, when the file store first needs it.
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
pub fn open(
    _kind: StoreKind,
    _options: OpenOptions<'_>,
) -> Result<Box<dyn KeyStore>, KeyStoreError> {
    todo!()
}

/// What a key store could not do. `code()`: KEY_STORE_LOCKED, KEY_STORE_MISSING, KEY_STORE_DENIED,
/// KEY_STORE_DAMAGED, KEY_STORE_UNKNOWN, PASSPHRASE_NEEDED, PASSPHRASE_WRONG, KEY_STORE_FAILED.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// No such kind of store, or not on this platform.
    #[error("there is no key store named {0:?} on this system")]
    Unknown(String),
    // Locked, Missing, Denied, Damaged, PassphraseNeeded, PassphraseWrong, Failed(#[source] ..)
}

impl KeyStoreError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        todo!()
    }
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        todo!()
    }
}
