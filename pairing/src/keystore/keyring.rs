//! The platforms' own stores, all behind `keyring-core`: service `healthsync`, user = item name.

use std::{collections::HashMap, fmt, sync::Arc};

use keyring_core::{CredentialStore, Entry, Error};

use super::{KeyStore, KeyStoreError, StoreKind};
use crate::secret::Secret;

/// A store of the platform.
pub(super) struct Keyring {
    /// Which it is.
    pub(super) kind: StoreKind,
    /// The handle; there is no global default store.
    pub(super) store: Arc<CredentialStore>,
    /// What the store wants to know about a new item.
    pub(super) modifiers: HashMap<&'static str, &'static str>,
    /// What the platform's own error means.
    pub(super) judge: fn(&(dyn std::error::Error + 'static)) -> Meaning,
}

/// What an error of the platform means to the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A person, or the store's own rules, refused.
    Denied,
    /// None of the others.
    Failed,
    /// Nobody unlocked the store.
    Locked,
    /// There is no such store here.
    Missing,
}

impl Meaning {
    /// The error that says so.
    pub(super) fn explain(
        self,
        store: StoreKind,
        source: Box<dyn std::error::Error + Send + Sync>,
    ) -> KeyStoreError {
        match self {
            Self::Denied => KeyStoreError::Denied {
                store,
                reason: "access was not allowed".to_owned(),
                source: Some(source),
            },
            Self::Failed => KeyStoreError::Failed { store, source },
            Self::Locked => KeyStoreError::Locked {
                store,
                source: Some(source),
            },
            Self::Missing => KeyStoreError::Missing {
                store,
                source: Some(source),
            },
        }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keyring").field(&self.kind.as_str()).finish()
    }
}

impl KeyStore for Keyring {
    fn kind(&self) -> StoreKind {
        self.kind
    }

    fn read(&self, item: &str) -> Result<Option<Secret>, KeyStoreError> {
        match self.entry(item)?.get_secret() {
            Ok(value) => Ok(Some(Secret::new(value))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(self.explain(item, error)),
        }
    }

    fn write(&self, item: &str, value: &Secret) -> Result<(), KeyStoreError> {
        self.entry(item)?
            .set_secret(value.expose())
            .map_err(|error| self.explain(item, error))
    }

    fn delete(&self, item: &str) -> Result<bool, KeyStoreError> {
        match self.entry(item)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(self.explain(item, error)),
        }
    }
}

impl Keyring {
    fn entry(&self, item: &str) -> Result<Entry, KeyStoreError> {
        self.store
            .build(SERVICE, item, Some(&self.modifiers))
            .map_err(|error| self.explain(item, error))
    }

    /// Turns the library's errors into ours. Those that carry an item's bytes are not kept as a
    /// cause: their `Debug` would print them.
    fn explain(&self, item: &str, error: Error) -> KeyStoreError {
        let store = self.kind;
        match error {
            Error::BadEncoding(bytes) | Error::BadDataFormat(bytes, _) => {
                drop(Secret::new(bytes));
                KeyStoreError::Damaged {
                    store,
                    item: item.to_owned(),
                }
            }
            Error::BadStoreFormat(_) | Error::Ambiguous(_) => KeyStoreError::Damaged {
                store,
                item: item.to_owned(),
            },
            Error::NoStorageAccess(source) | Error::PlatformFailure(source) => {
                (self.judge)(source.as_ref()).explain(store, source)
            }
            other => KeyStoreError::Failed {
                store,
                source: Box::new(other),
            },
        }
    }
}

/// What our items are filed under.
const SERVICE: &str = "healthsync";

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring() -> Keyring {
        Keyring {
            kind: StoreKind::SecretService,
            store: keyring_core::mock::Store::new().unwrap(),
            modifiers: HashMap::new(),
            judge: |error| match error.to_string().as_str() {
                "locked" => Meaning::Locked,
                "no" => Meaning::Denied,
                "gone" => Meaning::Missing,
                _ => Meaning::Failed,
            },
        }
    }

    #[test]
    fn items_come_back_until_deleted() {
        super::super::tests::check_contract(&keyring());
    }

    #[test]
    fn errors_are_told_apart_and_hold_no_secret() {
        let other = |text: &str| Box::new(std::io::Error::other(text.to_owned()));
        for (error, code) in [
            (Error::BadEncoding(b"canary".to_vec()), "KEY_STORE_DAMAGED"),
            (
                Error::BadDataFormat(b"canary".to_vec(), other("cause")),
                "KEY_STORE_DAMAGED",
            ),
            (Error::Ambiguous(Vec::new()), "KEY_STORE_DAMAGED"),
            (Error::NoStorageAccess(other("locked")), "KEY_STORE_LOCKED"),
            (Error::NoStorageAccess(other("no")), "KEY_STORE_DENIED"),
            (Error::PlatformFailure(other("no")), "KEY_STORE_DENIED"),
            (Error::PlatformFailure(other("gone")), "KEY_STORE_MISSING"),
            (Error::PlatformFailure(other("?")), "KEY_STORE_FAILED"),
            (Error::TooLong("secret".into(), 3), "KEY_STORE_FAILED"),
        ] {
            let explained = keyring().explain("client:a", error);
            assert_eq!(explained.code(), code);
            let canary = format!("{:?}", b"canary");
            assert!(!format!("{explained:?}").contains(canary.trim_matches(['[', ']'])));
            assert!(explained.hint().is_some());
        }
    }
}
