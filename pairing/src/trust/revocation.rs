//! Revoking pairs, and the lists that tell other verifiers of it.
//!
//! ```text
//! record REVOKED ─ connections cut ─ last list signed and kept ─ CA key deleted from the key store
//! ```
//!
//! The record and the missing key are each enough: a backup of one of them revives nobody.

use tokio::sync::broadcast;

use super::{DeviceRecord, Peer, State, Trust, TrustError};
use crate::{
    audit::{Event, Note},
    id::PairId,
};

/// A pair's certificate revocation list (RFC 5280).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl {
    /// The pair.
    pub record: DeviceRecord,
    /// The list, DER, signed by the pair's CA.
    pub der: Vec<u8>,
}

impl Trust {
    /// Revokes by pair id or unique name: makes its configuration refuse with the alert
    /// `certificate_revoked`, tells [`Self::revocations`], signs the pair's last revocation list and
    /// deletes the CA's key, so that nothing can be issued in this pair again. Revoking again tries
    /// the deletion again.
    ///
    /// Blocks on the key store. After an error of the key store the device is revoked all the
    /// same; only the CA's key is still there.
    pub fn revoke(&self, pair_or_name: &str) -> Result<DeviceRecord, TrustError> {
        self.revoke_as(pair_or_name, Event::Revoked)
    }

    /// The same, as the device itself wishes.
    ///
    /// Blocks on the key store.
    pub fn unpair(&self, peer: &Peer) -> Result<DeviceRecord, TrustError> {
        self.revoke_as(&peer.pair.to_string(), Event::Unpaired)
    }

    fn revoke_as(&self, pair_or_name: &str, event: Event) -> Result<DeviceRecord, TrustError> {
        let pair = self.find(pair_or_name)?;
        if self.registry.revoke(&pair, self.environment.clock.now())? {
            self.audit().note(Note::new(event).of(pair));
        }
        self.cut(pair, "PAIRING_REFUSED");
        self.keys.retire(&pair)?;
        let entry = self.registry.entry(&pair);
        entry
            .map(|entry| entry.record)
            .ok_or_else(|| TrustError::NotFound(pair_or_name.to_owned()))
    }

    /// Closes the pairing window and revokes every pair; gives those that were not revoked before.
    ///
    /// Blocks on the key store. After an error of the key store all devices are revoked all the
    /// same; some CA's key is still there, and revoking again tries its deletion again.
    pub fn reset(&self) -> Result<Vec<DeviceRecord>, TrustError> {
        self.desk.shut();
        let now = self.environment.clock.now();
        let mut revoked = Vec::new();
        let entries = self.registry.entries();
        for entry in &entries {
            let pair = entry.record.pair;
            if self.registry.revoke(&pair, now)? {
                let note = Note::new(Event::Revoked).of(pair);
                self.audit().note(note.ending("RESET"));
                self.cut(pair, "PAIRING_REFUSED");
                revoked.extend(self.registry.entry(&pair).map(|entry| entry.record));
            }
        }
        // All are out before the first key store is waited for.
        let mut failed = None;
        for entry in entries {
            if let Err(error) = self.keys.retire(&entry.record.pair) {
                tracing::warn!(%error, pair = %entry.record.pair, "the CA key of a revoked pair is still there");
                failed = Some(error);
            }
        }
        failed.map_or(Ok(revoked), Err)
    }

    /// Pairs as they are revoked (or suspended): cut their connections.
    pub fn revocations(&self) -> broadcast::Receiver<PairId> {
        self.registry.cuts().subscribe()
    }

    /// The revocation list of a pair, by pair id or name; of several revoked ones of that name the
    /// one paired last. Of a revoked pair it is the list that was signed when it was revoked, else a
    /// new one, which is good for a week.
    ///
    /// Blocks on the key store.
    pub fn crl(&self, pair_or_name: &str) -> Result<Crl, TrustError> {
        let pair = match self.find(pair_or_name) {
            Err(TrustError::NotFound(name)) => {
                let records = self
                    .registry
                    .entries()
                    .into_iter()
                    .map(|entry| entry.record);
                let mut revoked = records
                    .filter(|record| record.state == State::Revoked && record.name == pair_or_name);
                let last = revoked.next_back();
                last.ok_or(TrustError::NotFound(name))?.pair
            }
            found => found?,
        };
        let der = self.keys.crl(&pair)?.ok_or(TrustError::NoCrl)?;
        let entry = self.registry.entry(&pair);
        let record = entry
            .map(|entry| entry.record)
            .ok_or_else(|| TrustError::NotFound(pair_or_name.to_owned()))?;
        Ok(Crl { record, der })
    }
}
