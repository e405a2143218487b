//! What can go wrong with a key store, and what to do then.

use super::StoreKind;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a key store could not do. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// An item (or the store itself) cannot be read any more.
    #[error("the item {item:?} in {} is damaged", .store.title())]
    Damaged {
        /// Which store.
        store: StoreKind,
        /// Its name.
        item: String,
    },
    /// The store, or the protection of its files, forbids it.
    #[error("{} refuses access: {reason}", .store.title())]
    Denied {
        /// Which store.
        store: StoreKind,
        /// Why, in plain words.
        reason: String,
        /// The chain.
        #[source]
        source: Option<Cause>,
    },
    /// Anything else that the system says.
    #[error("{} failed", .store.title())]
    Failed {
        /// Which store.
        store: StoreKind,
        /// The chain.
        #[source]
        source: Cause,
    },
    /// The store is there, but locked, and nobody unlocked it.
    #[error("{} is locked", .store.title())]
    Locked {
        /// Which store.
        store: StoreKind,
        /// The chain.
        #[source]
        source: Option<Cause>,
    },
    /// The store does not run on this system.
    #[error("{} is not there", .store.title())]
    Missing {
        /// Which store.
        store: StoreKind,
        /// The chain.
        #[source]
        source: Option<Cause>,
    },
    /// The file store has a passphrase, and nobody can be asked for it.
    #[error("the file key store needs its passphrase")]
    PassphraseNeeded,
    /// The passphrase does not open the file store. A cipher cannot tell this from a changed file.
    #[error("wrong passphrase for the file key store, or its file `store` is damaged")]
    PassphraseWrong,
    /// No such kind of store, or not on this platform.
    #[error("there is no key store named {0:?} on this system")]
    Unknown(String),
}

impl KeyStoreError {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Damaged { .. } => "KEY_STORE_DAMAGED",
            Self::Denied { .. } => "KEY_STORE_DENIED",
            Self::Failed { .. } => "KEY_STORE_FAILED",
            Self::Locked { .. } => "KEY_STORE_LOCKED",
            Self::Missing { .. } => "KEY_STORE_MISSING",
            Self::PassphraseNeeded => "PASSPHRASE_NEEDED",
            Self::PassphraseWrong => "PASSPHRASE_WRONG",
            Self::Unknown(_) => "KEY_STORE_UNKNOWN",
        }
    }

    /// What to do next.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "all errors of this crate give their hint in one shape"
    )]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Damaged { item, .. } if item.starts_with("host:") => {
                return Some(format!(
                    "restore it from a backup, or run `healthsync-server revoke {}` and pair again",
                    item.trim_start_matches("host:")
                ));
            }
            Self::Damaged { .. } => {
                "restore it from a backup, or remove it with `healthsync keychain clear` and pair again"
            }
            Self::Denied {
                store: StoreKind::File,
                ..
            } => {
                "the folder must be yours with mode 0700 and its files 0600: \
                 `chmod 700 FOLDER; chmod 600 FOLDER/*`"
            }
            Self::Denied {
                store: StoreKind::Keychain,
                ..
            } => {
                "run the command again and choose Allow when macOS asks for `healthsync` in the keychain"
            }
            Self::Denied { .. } => {
                "allow the access when the system asks, then run the command again"
            }
            Self::Failed {
                store: StoreKind::File,
                ..
            } => "check that the folder can be written and that the disk is not full",
            Self::Failed { .. } => {
                "run the command again; if it stays so, pair anew with `--key-store file`"
            }
            Self::Locked {
                store: StoreKind::Keychain,
                ..
            } => "run `security unlock-keychain`, then the command again",
            Self::Locked {
                store: StoreKind::SecretService,
                ..
            } => {
                "log in to the desktop, or run `gnome-keyring-daemon --unlock` (it reads the \
                 password from stdin, and makes a keyring if there is none), then the command \
                 again; without a desktop, pair anew with `--key-store file`"
            }
            Self::Locked { .. } => "log in, then run the command again",
            Self::Missing {
                store: StoreKind::SecretService,
                ..
            } => {
                "install `gnome-keyring` and run the command in a desktop session or in \
                 `dbus-run-session`; without one, name the file store: `--key-store file`"
            }
            Self::Missing { .. } => "name the file store: `--key-store file`",
            Self::PassphraseNeeded => {
                "run the command on a terminal, or set HEALTHSYNC_PASSPHRASE_FILE to a file that \
                 holds the passphrase"
            }
            Self::PassphraseWrong => {
                "run the command again with the passphrase that the store was made with"
            }
            Self::Unknown(_) => {
                return Some(format!(
                    "use `--key-store {}` or `--key-store file`",
                    StoreKind::platform().as_str()
                ));
            }
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_code_and_names_the_next_step() {
        let store = StoreKind::SecretService;
        let damaged = |item: &str| KeyStoreError::Damaged {
            store,
            item: item.to_owned(),
        };
        for (error, code, part) in [
            (
                damaged("client:a"),
                "KEY_STORE_DAMAGED",
                "healthsync keychain clear",
            ),
            (
                damaged("host:a"),
                "KEY_STORE_DAMAGED",
                "healthsync-server revoke a`",
            ),
            (
                KeyStoreError::Denied {
                    store: StoreKind::File,
                    reason: "open to other users".to_owned(),
                    source: None,
                },
                "KEY_STORE_DENIED",
                "chmod",
            ),
            (
                KeyStoreError::Failed {
                    store,
                    source: "cause".into(),
                },
                "KEY_STORE_FAILED",
                "--key-store file",
            ),
            (
                KeyStoreError::Locked {
                    store,
                    source: None,
                },
                "KEY_STORE_LOCKED",
                "gnome-keyring-daemon --unlock",
            ),
            (
                KeyStoreError::Missing {
                    store,
                    source: None,
                },
                "KEY_STORE_MISSING",
                "--key-store file",
            ),
            (
                KeyStoreError::PassphraseNeeded,
                "PASSPHRASE_NEEDED",
                "HEALTHSYNC_PASSPHRASE_FILE",
            ),
            (KeyStoreError::PassphraseWrong, "PASSPHRASE_WRONG", "again"),
            (
                KeyStoreError::Unknown("keyutils".to_owned()),
                "KEY_STORE_UNKNOWN",
                "--key-store file",
            ),
        ] {
            assert_eq!(error.code(), code);
            let hint = error.hint().unwrap();
            assert!(hint.contains(part), "{hint}");
            assert!(!hint.ends_with('.') && !error.to_string().ends_with('.'));
        }
    }
}
