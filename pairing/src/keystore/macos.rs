//! macOS Keychain: items in the login keychain, and copies of certificates beside them.

use std::{collections::HashMap, error::Error, sync::Arc};

use apple_native_keyring_store::keychain::Store;
use security_framework::{
    base::Error as Status,
    certificate::SecCertificate,
    item::{ItemClass, ItemSearchOptions, Limit, Reference, SearchResult},
    os::macos::keychain::{SecKeychain, SecPreferencesDomain},
};

use super::{
    KeyStore, KeyStoreError, StoreKind,
    keyring::{Keyring, Meaning},
};
use crate::{id::PairId, secret::Secret};

/// The login keychain.
#[derive(Debug)]
pub(super) struct Keychain(Keyring);

/// The login keychain of the user.
pub(super) fn open() -> Result<Keychain, KeyStoreError> {
    let store: Arc<Store> = Store::new().map_err(|error| KeyStoreError::Missing {
        store: StoreKind::Keychain,
        source: Some(Box::new(error)),
    })?;
    Ok(Keychain(Keyring {
        kind: StoreKind::Keychain,
        store,
        modifiers: HashMap::new(),
        judge,
    }))
}

impl KeyStore for Keychain {
    fn kind(&self) -> StoreKind {
        self.0.kind()
    }

    fn read(&self, item: &str) -> Result<Option<Secret>, KeyStoreError> {
        self.0.read(item)
    }

    fn write(&self, item: &str, value: &Secret) -> Result<(), KeyStoreError> {
        self.0.write(item, value)
    }

    fn delete(&self, item: &str) -> Result<bool, KeyStoreError> {
        self.0.delete(item)
    }

    fn publish_certificates(
        &self,
        pair: &PairId,
        leaf: &[u8],
        ca: &[u8],
    ) -> Result<(), KeyStoreError> {
        self.withdraw_certificates(pair)?;
        for der in [leaf, ca] {
            SecCertificate::from_der(der)
                .and_then(|certificate| certificate.add_to_keychain(Some(login()?)))
                .map_err(explain)?;
        }
        Ok(())
    }

    fn withdraw_certificates(&self, pair: &PairId) -> Result<(), KeyStoreError> {
        // The subjects are the same for all pairs; the pair id stands in each certificate.
        let pair = pair.to_string();
        for certificate in ours().map_err(explain)? {
            let der = certificate.to_der();
            if der.windows(pair.len()).any(|part| part == pair.as_bytes()) {
                certificate.delete().map_err(explain)?;
            }
        }
        Ok(())
    }
}

fn login() -> Result<SecKeychain, Status> {
    SecKeychain::default_for_domain(SecPreferencesDomain::User)
}

/// The certificates in the login keychain whose subject is one of ours.
fn ours() -> Result<Vec<SecCertificate>, Status> {
    let found = ItemSearchOptions::new()
        .keychains(&[login()?])
        .class(ItemClass::certificate())
        .load_refs(true)
        .limit(Limit::All)
        .search();
    let found = match found {
        Err(status) if status.code() == NOT_FOUND => return Ok(Vec::new()),
        other => other?,
    };
    Ok(found
        .into_iter()
        .filter_map(|result| match result {
            SearchResult::Ref(Reference::Certificate(certificate))
                if certificate.subject_summary().starts_with("healthsync") =>
            {
                Some(certificate)
            }
            _ => None,
        })
        .collect())
}

fn explain(status: Status) -> KeyStoreError {
    judge(&status).explain(StoreKind::Keychain, Box::new(status))
}

fn judge(error: &(dyn Error + 'static)) -> Meaning {
    match error.downcast_ref::<Status>().map(|status| status.code()) {
        // userCanceled, errSecAuthFailed, errSecInvalidOwnerEdit, errSecReadOnly, wrPermErr
        Some(-128 | -25293 | -25244 | -25292 | -61) => Meaning::Denied,
        // errSecInteractionNotAllowed, errSecInteractionRequired
        Some(-25308 | -25315) => Meaning::Locked,
        // errSecNotAvailable, errSecNoSuchKeychain, errSecInvalidKeychain, errSecNoDefaultKeychain
        Some(-25291 | -25294 | -25295 | -25307) => Meaning::Missing,
        _ => Meaning::Failed,
    }
}

/// `errSecItemNotFound`
const NOT_FOUND: i32 = -25300;
