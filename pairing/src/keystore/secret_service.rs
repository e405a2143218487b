//! Secret Service (GNOME Keyring, `KWallet`) over D-Bus, in Rust alone.

use std::{collections::HashMap, error::Error};

use zbus_secret_service_keyring_store::Store;

use super::{
    KeyStoreError, StoreKind,
    keyring::{Keyring, Meaning},
};

/// Connects to the Secret Service of the session.
pub(super) fn open() -> Result<Keyring, KeyStoreError> {
    // No bus and a bus without a Secret Service are the same to the person: it is not there.
    let store = Store::new().map_err(|error| KeyStoreError::Missing {
        store: StoreKind::SecretService,
        source: Some(Box::new(error)),
    })?;
    Ok(Keyring {
        kind: StoreKind::SecretService,
        store,
        modifiers: HashMap::from([("label", "healthsync pairing")]),
        judge,
    })
}

fn judge(error: &(dyn Error + 'static)) -> Meaning {
    use secret_service::Error as Reason;
    match error.downcast_ref::<Reason>() {
        // The prompt was dismissed or could not be shown; or no keyring was ever made, which
        // unlocking with a password cures as well.
        Some(Reason::Locked | Reason::NoResult | Reason::Prompt | Reason::PromptDisconnected) => {
            Meaning::Locked
        }
        Some(Reason::Unavailable) => Meaning::Missing,
        // A sandbox or the bus's policy: `org.freedesktop.DBus.Error.AccessDenied`.
        Some(other) if other.to_string().contains("AccessDenied") => Meaning::Denied,
        _ => Meaning::Failed,
    }
}
