//! The pairs' items in the key store. Everything here blocks.
//!
//! An item's name is written to `trust.db` before the item is written to the key store, and deleted
//! after it: so a process that dies at any moment leaves no key that nobody knows of.

mod retire;

use std::sync::Arc;

use super::{
    DeviceRecord, Refusal, Scope, State, TrustError,
    recognizers::Recognizers,
    registry::{Entry, IssuedLeaf, KeyItem, NextKey, Registry, Staged},
};
use crate::{
    ca,
    certificate::Certificate,
    credentials::HostCredentials,
    defence::{Defence, holds},
    device::{DeviceKey, SPKI_LENGTH},
    environment::Environment,
    id::{KeyDigest, PairId, sha256},
    keystore::KeyStore,
    renewal::Reissued,
    secret::Secret,
};

/// A device that a person let in.
#[derive(Debug)]
pub(crate) struct NewPair {
    pub(crate) pair: PairId,
    pub(crate) spki: [u8; SPKI_LENGTH],
    /// Inert.
    pub(crate) name: String,
    pub(crate) replaces: Option<PairId>,
    pub(crate) discovery_key: Secret,
    pub(crate) leaf_days: u16,
    pub(crate) scope: Scope,
}

/// What the new device gets.
#[derive(Debug)]
pub(crate) struct Certificates {
    pub(crate) pair: PairId,
    pub(crate) leaf: Vec<u8>,
    pub(crate) ca: Vec<u8>,
    /// A third of the leaf's life is left then; Unix seconds.
    pub(crate) renew_after: u64,
}

/// The host's items.
#[derive(Debug)]
pub(crate) struct HostKeys {
    store: Arc<dyn KeyStore>,
    registry: Arc<Registry>,
    environment: Environment,
    recognizers: Recognizers,
}

impl HostKeys {
    pub(crate) fn new(
        store: Arc<dyn KeyStore>,
        registry: Arc<Registry>,
        environment: Environment,
    ) -> Self {
        Self {
            store,
            registry,
            environment,
            recognizers: Recognizers::default(),
        }
    }

    /// What announcements are marked with, of the items that were read or written so far.
    pub(crate) const fn recognizers(&self) -> &Recognizers {
        &self.recognizers
    }

    /// Reads the item of a pair whose recognizer is not known yet.
    pub(crate) fn recognize(&self, pair: &PairId) -> Result<(), TrustError> {
        if !self.recognizers.knows(pair) {
            self.read(pair)?;
        }
        Ok(())
    }

    /// Makes a pair: CA, server leaf and client leaf, then the item, then the PENDING record.
    pub(crate) fn create(&self, new: NewPair, deadline: i64) -> Result<Certificates, TrustError> {
        let authority = ca::authority(&new.pair, &self.environment)?;
        let leaf_key = generate()?;
        let server_leaf = ca::server_leaf(
            &authority.key,
            &authority.certificate,
            &new.pair,
            &leaf_key.spki(),
            &self.environment,
        )?;
        let leaf = ca::client_leaf(
            &authority.key,
            &authority.certificate,
            &new.pair,
            &new.spki,
            new.leaf_days,
            &self.environment,
        )?;
        let parsed = parse(&leaf)?;
        let now = self.environment.clock.now();
        let credentials = HostCredentials {
            pair: new.pair,
            ca_key: Some(authority.key),
            ca: authority.certificate,
            leaf_key,
            leaf: server_leaf,
            discovery_key: new.discovery_key,
        };
        let leaves = [issued(&credentials.leaf)?, issued(&leaf)?];
        self.write(&credentials, &leaves)?;
        let recorded = self.registry.insert(Entry {
            record: DeviceRecord {
                pair: new.pair,
                key: KeyDigest::of_spki(&new.spki),
                name: new.name,
                state: State::Pending,
                created_at: now,
                approved_at: None,
                last_seen_at: None,
                last_address: None,
                leaf_not_after: parsed.not_after,
                scope: new.scope,
            },
            spki: new.spki.to_vec(),
            replaces: new.replaces,
            deadline: Some(deadline),
            leaf_digest: sha256(&leaf),
            leaf_days: new.leaf_days,
            next: None,
            retired: Vec::new(),
            renewed_at: None,
        });
        if let Err(error) = recorded {
            self.delete(&new.pair)?;
            return Err(error);
        }
        // Only now is the pair one that is announced.
        self.recognizers.tell();
        Ok(Certificates {
            pair: new.pair,
            ca: credentials.ca,
            leaf,
            renew_after: renew_after(now, parsed.not_after),
        })
    }

    /// What the server serves this pair with. The server leaf is made anew, with a new key, when a
    /// third of its life is left. `None`: the keys are gone, or a revoked pair's leaf has ended.
    pub(crate) fn current(&self, pair: &PairId) -> Result<Option<HostCredentials>, TrustError> {
        let Some(mut credentials) = self.read(pair)? else {
            return Ok(None);
        };
        let now = self.environment.clock.now();
        let not_after = parse(&credentials.leaf)?.not_after;
        // A key store that was restored after a revocation has the CA's key again.
        let state = self.registry.entry(pair).map(|entry| entry.record.state);
        if state == Some(State::Revoked) && credentials.ca_key.is_some() {
            self.bury(&mut credentials)?;
        }
        if credentials.ca_key.is_none() {
            return Ok((now < not_after).then_some(credentials));
        }
        // After the CA's own end nothing can be signed; the old leaf lets the client say so.
        let is_due = not_after - now <= ca::SERVER_LEAF_SECONDS / 3;
        if is_due && now < parse(&credentials.ca)?.not_after {
            match self.renew(&mut credentials) {
                Ok(()) => tracing::info!(%pair, "made the server's certificate anew"),
                Err(error) if now < not_after => {
                    tracing::warn!(%error, %pair, "the server's certificate could not be made anew");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some(credentials))
    }

    /// Certifies a new key of an ACTIVE pair's client, and notes it beside the present one; not
    /// within `interval` seconds after the last time.
    pub(crate) fn renew_client(
        &self,
        entry: &Entry,
        spki: &[u8],
        interval: i64,
    ) -> Result<Reissued, TrustError> {
        let pair = &entry.record.pair;
        let credentials = self.read(pair)?.ok_or(Refusal::Unavailable)?;
        let ca_key = credentials.ca_key.as_ref().ok_or(Refusal::Revoked)?;
        let leaf = ca::client_leaf(
            ca_key,
            &credentials.ca,
            pair,
            spki,
            entry.leaf_days,
            &self.environment,
        )?;
        let not_after = parse(&leaf)?.not_after;
        let now = self.environment.clock.now();
        let next = NextKey {
            key: KeyDigest::of_spki(spki),
            spki: spki.to_vec(),
            leaf_digest: sha256(&leaf),
            leaf_not_after: not_after,
        };
        self.registry.issue(pair, &[issued(&leaf)?], None)?;
        match self.registry.stage(pair, next, now, interval)? {
            Staged::Done => {}
            Staged::Refused => return Err(Refusal::Unknown.into()),
            Staged::TooSoon { wait } => return Err(Refusal::TooSoon { wait }.into()),
        }
        Ok(Reissued {
            leaf,
            renew_after: renew_after(now, not_after),
        })
    }

    /// A new server leaf with a new key; nothing changes unless it is stored.
    fn renew(&self, credentials: &mut HostCredentials) -> Result<(), TrustError> {
        let Some(ca_key) = credentials.ca_key.as_ref() else {
            return Ok(());
        };
        let leaf_key = generate()?;
        let leaf = ca::server_leaf(
            ca_key,
            &credentials.ca,
            &credentials.pair,
            &leaf_key.spki(),
            &self.environment,
        )?;
        let leaves = [issued(&leaf)?];
        let old_leaf = std::mem::replace(&mut credentials.leaf, leaf);
        let old_key = std::mem::replace(&mut credentials.leaf_key, leaf_key);
        let written = self.write(credentials, &leaves);
        if written.is_err() {
            credentials.leaf = old_leaf;
            credentials.leaf_key = old_key;
        }
        written
    }

    /// Deletes a pair's item.
    pub(crate) fn delete(&self, pair: &PairId) -> Result<(), TrustError> {
        let item = HostCredentials::item(pair);
        self.recognizers.forget(pair);
        self.store.delete(&item)?;
        self.registry.release(&item)?;
        if let Err(error) = self.store.withdraw_certificates(pair) {
            tracing::warn!(%error, %pair, "copies of certificates are still shown by the system");
        }
        Ok(())
    }

    /// Finishes what a crash or a locked key store left: items without a record, CA keys of revoked
    /// pairs, and items of revoked pairs whose server leaf has ended. What fails is tried again at
    /// the next start.
    pub(crate) fn sweep(&self) {
        let items = match self.registry.key_items() {
            Ok(items) => items,
            Err(error) => {
                tracing::warn!(%error, "could not look for left-over keys");
                return;
            }
        };
        let now = self.environment.clock.now();
        if let Err(error) = self.registry.forget_ended(now) {
            tracing::warn!(%error, "certificates that have ended are still noted");
        }
        for item in items {
            let state = self
                .registry
                .entry(&item.pair)
                .map(|entry| entry.record.state);
            let swept = match state {
                None if holds(Defence::SweptKeys) => self.delete(&item.pair),
                Some(State::Revoked) if item.leaf_not_after <= now => self.delete(&item.pair),
                Some(State::Revoked) if item.holds_ca_key => self.retire(&item.pair),
                _ => Ok(()),
            };
            if let Err(error) = swept {
                tracing::warn!(%error, pair = %item.pair, "a left-over key is still there");
            }
        }
    }

    fn read(&self, pair: &PairId) -> Result<Option<HostCredentials>, TrustError> {
        let Some(item) = self.store.read(&HostCredentials::item(pair))? else {
            return Ok(None);
        };
        let credentials =
            HostCredentials::decode(&item).map_err(|error| TrustError::Issuing(error.into()))?;
        if credentials.ca_key.is_none() {
            self.believe_the_mark(pair)?;
        }
        self.recognizers.learn(&credentials);
        Ok(Some(credentials))
    }

    /// The CA's key is gone from the item: the pair was revoked, whatever a `trust.db` says that was
    /// restored from a backup.
    fn believe_the_mark(&self, pair: &PairId) -> Result<(), TrustError> {
        let entry = self.registry.entry(pair);
        let revives = entry.is_some_and(|entry| entry.record.state != State::Revoked);
        if revives && holds(Defence::RevokedMark) {
            self.registry.revoke(pair, self.environment.clock.now())?;
            tracing::warn!(%pair, "this pair was revoked before its record was restored: it stays revoked");
            // Nobody may be listening.
            drop(self.registry.cuts().send(*pair));
        }
        Ok(())
    }

    /// Writes the item, of which `leaves` are new.
    fn write(
        &self,
        credentials: &HostCredentials,
        leaves: &[IssuedLeaf],
    ) -> Result<(), TrustError> {
        let item = credentials
            .encode()
            .map_err(|error| TrustError::Issuing(error.into()))?;
        let name = HostCredentials::item(&credentials.pair);
        let noted = KeyItem {
            item: name.clone(),
            pair: credentials.pair,
            // Until the write is done, the old item with the key in it may still be there.
            holds_ca_key: true,
            leaf_not_after: parse(&credentials.leaf)?.not_after,
        };
        let named = holds(Defence::NamedKeys).then_some(&noted);
        self.registry.issue(&credentials.pair, leaves, named)?;
        self.store.write(&name, &item)?;
        if !holds(Defence::NamedKeys) {
            self.registry.reserve(&noted)?;
        }
        if credentials.ca_key.is_none() {
            self.registry.reserve(&KeyItem {
                holds_ca_key: false,
                ..noted
            })?;
        }
        self.recognizers.learn(credentials);
        let copied =
            self.store
                .publish_certificates(&credentials.pair, &credentials.leaf, &credentials.ca);
        if let Err(error) = copied {
            tracing::warn!(%error, "the system will not show copies of the certificates");
        }
        Ok(())
    }
}

/// When a third of a life that begins now is left.
fn renew_after(now: i64, not_after: i64) -> u64 {
    let life = not_after - now;
    u64::try_from(now + life - life / 3).unwrap_or(0)
}

fn generate() -> Result<DeviceKey, TrustError> {
    DeviceKey::generate().map_err(|error| TrustError::Issuing(error.into()))
}

/// What is noted of a leaf.
fn issued(leaf: &[u8]) -> Result<IssuedLeaf, TrustError> {
    let parsed = parse(leaf)?;
    let serial = u128::from_str_radix(&parsed.serial, 16)
        .map_err(|error| TrustError::Issuing(error.into()))?;
    Ok(IssuedLeaf {
        serial: serial.to_be_bytes(),
        digest: sha256(leaf),
        not_after: parsed.not_after,
    })
}

fn parse(der: &[u8]) -> Result<Certificate, TrustError> {
    Certificate::from_der(der).map_err(|error| TrustError::Issuing(error.into()))
}
