//! What marks the announcements for each pair's client. In memory only: the discovery keys rest in
//! the pairs' key items.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::{
    credentials::HostCredentials,
    discovery::{Nonce, Recognizer, Tag},
    id::PairId,
};

#[derive(Debug)]
pub(crate) struct Recognizers {
    known: Mutex<HashMap<PairId, Recognizer>>,
    changes: watch::Sender<u64>,
}

impl Default for Recognizers {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

impl Recognizers {
    pub(crate) fn knows(&self, pair: &PairId) -> bool {
        self.lock().contains_key(pair)
    }

    /// A pair without its CA's key is revoked and needs none.
    pub(crate) fn learn(&self, credentials: &HostCredentials) {
        if credentials.ca_key.is_none() || self.knows(&credentials.pair) {
            return;
        }
        let recognizer = Recognizer::new(&credentials.discovery_key);
        self.lock().insert(credentials.pair, recognizer);
        self.tell();
    }

    pub(crate) fn forget(&self, pair: &PairId) {
        if self.lock().remove(pair).is_some() {
            self.tell();
        }
    }

    pub(crate) fn tags<'a>(
        &self,
        pairs: impl Iterator<Item = &'a PairId>,
        nonce: Nonce,
    ) -> Vec<Tag> {
        let known = self.lock();
        pairs
            .filter_map(|pair| Some(known.get(pair)?.tag(nonce)))
            .collect()
    }

    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The tags may be others now.
    pub(crate) fn tell(&self) {
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PairId, Recognizer>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
