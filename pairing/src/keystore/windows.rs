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
        // The library shows Windows' error, but does not name its type.
        judge: |error| match error.to_string().as_str() {
            // Nobody is logged in whose credentials could be opened.
            "Windows ERROR_NO_SUCH_LOGON_SESSION" => Meaning::Locked,
            // ERROR_ACCESS_DENIED
            "Windows error code 5" => Meaning::Denied,
            // ERROR_NOT_SUPPORTED: an edition or a policy without the Credential Manager.
            "Windows error code 50" => Meaning::Missing,
            _ => Meaning::Failed,
        },
    })
}
