//! Windows Credential Manager.

use std::collections::HashMap;

use windows_native_keyring_store::Store;

use super::{
    KeyStoreError, StoreKind,
    keyring::{Keyring, Meaning},
};

/// The credentials of the user who is logged in.
pub(super) fn open() -> Result<Keyring, KeyStoreError> {
    let store = Store::new().map_err(|error| KeyStoreError::Missing {
        store: StoreKind::WindowsCredentialManager,
        source: Some(Box::new(error)),
    })?;
    Ok(Keyring {
        kind: StoreKind::WindowsCredentialManager,
        store,
        // A pairing key stays on its computer: no roaming to others of the same domain.
        modifiers: HashMap::from([("persistence", "Local")]),
        judge: |error| {
            // ERROR_NO_SUCH_LOGON_SESSION: nobody is logged in whose credentials could be opened.
            if error.to_string().contains("ERROR_NO_SUCH_LOGON_SESSION") {
                Meaning::Locked
            } else {
                Meaning::Failed
            }
        },
    })
}
