//! The host's truth: device records in `trust.db`, their keys in the key store, the open window.
//!
//! ```text
//! Trust -+- registry  (trust.db, all SQL, the copy in memory that every request asks)
//!        +- keys      (the pairs' items in the key store; recognizers: the marks of announcements)
//!        +- served    (the TLS configuration of each pair, made when it is first dialled)
//!        +- desk      (the pairing window, in enroll)
//!        +- audit     (the tables of the audit log; the log itself is crate::audit)
//! ```
//!
//! Methods that touch the key store block; they say so.

mod audit;
mod error;
mod keys;
mod recognizers;
mod record;
mod registry;
mod revocation;
mod served;

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

pub(crate) use audit::{AuditTable, KEPT_SECONDS, Place as AuditPlace, START as AUDIT_START};
pub use error::TrustError;
pub(crate) use keys::{Certificates, NewPair};
pub use record::{DeviceRecord, Peer, Refusal, Scope, State};
pub(crate) use registry::{Entry, Registry};
pub use revocation::Crl;
pub(crate) use served::Serving;

use self::{keys::HostKeys, served::Served};
use crate::{
    audit::{Audit, Event, Note},
    ca,
    defence::{Defence, holds},
    device::DeviceKey,
    discovery::{Nonce, Tag},
    enroll::{
        codes::Codes,
        desk::{Admission, Desk, Entered, Opening, Settings},
        host::{Closer, HostEvent, Window, WindowOptions},
        name,
    },
    environment::Environment,
    id::{KeyDigest, PairId},
    invite::Invite,
    keystore::KeyStore,
    renewal::{self, Reissued},
    secret::Secret,
    tls::{self, server::Errand},
};

/// A pair that is not acknowledged so many seconds after F7 is rolled back.
pub(crate) const ACKNOWLEDGE_SECONDS: i64 = 120;

/// Device records, keys and the window. Cheap to share.
#[derive(Debug)]
pub struct Trust {
    registry: Arc<Registry>,
    keys: HostKeys,
    served: Served,
    desk: Arc<Desk>,
    /// Who is told when a PENDING pair becomes ACTIVE or is rolled back.
    unacknowledged: Mutex<HashMap<PairId, mpsc::Sender<HostEvent>>>,
    environment: Environment,
}

impl Trust {
    /// Opens `trust.db` (made 0600 if missing), deletes PENDING records past their deadline and
    /// keys without a record. Reads no key yet: a pair's configuration is made when first dialled.
    ///
    /// Blocks on the key store when a crash left something to delete.
    pub fn open(
        database: &Path,
        keys: Box<dyn KeyStore>,
        environment: Environment,
    ) -> Result<Arc<Self>, TrustError> {
        let store: Arc<dyn KeyStore> = Arc::from(keys);
        let registry = Registry::open(database)?;
        let audit = Audit::open(database, Arc::clone(&store), environment.clone())?;
        let registry = Arc::new(registry.audited(audit));
        let keys = HostKeys::new(store, Arc::clone(&registry), environment.clone());
        let trust = Arc::new(Self {
            served: Served::new(Arc::clone(&registry), environment.clone()),
            registry,
            keys,
            desk: Arc::default(),
            unacknowledged: Mutex::default(),
            environment,
        });
        for entry in trust.registry.entries() {
            if trust.is_overdue(&entry) {
                trust.registry.remove_pending(&entry.record.pair)?;
                trust.note_rolled_back(entry.record.pair);
            } else if let Some(deadline) = entry.deadline {
                trust.roll_back_at(entry.record.pair, deadline);
            }
        }
        trust.keys.sweep();
        Ok(trust)
    }

    /// The records of a database that no [`Trust`] has open, oldest first, without a key store.
    pub fn recorded(database: &Path) -> Result<Vec<DeviceRecord>, TrustError> {
        let entries = Registry::open(database)?.entries();
        Ok(entries.into_iter().map(|entry| entry.record).collect())
    }

    /// The audit log.
    pub fn audit(&self) -> &Audit {
        self.registry.audit()
    }

    /// All records, oldest first.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "a registry that reads the file may fail; callers are ready for it"
    )]
    pub fn pairs(&self) -> Result<Vec<DeviceRecord>, TrustError> {
        let entries = self.registry.entries().into_iter();
        Ok(entries
            .filter(|entry| !self.is_overdue(entry))
            .map(|entry| entry.record)
            .collect())
    }

    /// ACTIVE pairs whose device should have renewed its certificate by now: under 30 days are
    /// left, or under a third of a short life.
    pub fn ending(&self) -> Vec<DeviceRecord> {
        let now = self.environment.clock.now();
        let is_late = |entry: &Entry| {
            let third = i64::from(entry.leaf_days) * 86_400 / 3;
            entry.record.leaf_not_after - now < third.min(30 * 86_400)
        };
        let entries = self.registry.entries().into_iter();
        entries
            .filter(|entry| entry.record.state == State::Active && is_late(entry))
            .map(|entry| entry.record)
            .collect()
    }

    /// Changes what a device may read, from its next request on; by pair id or unique name. Nothing
    /// is given to a device that is revoked.
    pub fn allow(
        &self,
        pair_or_name: &str,
        change: impl FnOnce(&mut Scope),
    ) -> Result<DeviceRecord, TrustError> {
        let pair = self.find(pair_or_name)?;
        let record = self.registry.allow(&pair, change)?;
        let record = record.ok_or(Refusal::Revoked)?;
        let changed = Note::new(Event::ScopeChanged).of(pair).by(record.key);
        self.audit().note(match &record.scope.types {
            Some(types) => changed.about(types.iter().map(String::as_str)),
            None => changed.about(["all"]),
        });
        Ok(record)
    }

    /// The tags that tell living pairs' clients from an announcement that it is ours, the pair that
    /// was seen last first. Only of pairs whose key item was read or written in this run: see
    /// [`Self::recognize`].
    pub fn tags(&self, nonce: Nonce) -> Vec<Tag> {
        let mut entries = self.registry.entries();
        entries.retain(|entry| self.is_announced(entry));
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.record.last_seen_at));
        let pairs = entries.iter().map(|entry| &entry.record.pair);
        self.keys.recognizers().tags(pairs, nonce)
    }

    /// Changes whenever [`Self::tags`] may give others.
    pub fn tags_changed(&self) -> watch::Receiver<u64> {
        self.keys.recognizers().changed()
    }

    /// Reads the key items that [`Self::tags`] still needs. What cannot be read is logged: its
    /// client keeps to the saved addresses until the pair is dialled.
    ///
    /// Blocks on the key store.
    pub fn recognize(&self) {
        for entry in self.registry.entries() {
            let pair = entry.record.pair;
            if self.is_announced(&entry)
                && let Err(error) = self.keys.recognize(&pair)
            {
                tracing::warn!(%error, %pair, "this device will not recognize the announcement");
            }
        }
    }

    /// Checks a peer again; to be called for every request. Also notes when and where it
    /// was last seen (at most once a minute, or from elsewhere).
    pub fn authorize(&self, peer: &Peer) -> Result<DeviceRecord, Refusal> {
        let mut record = self.active_peer(peer)?.record;
        let now = self.environment.clock.now();
        if peer.not_after < now && holds(Defence::DatesEachRequest) {
            return Err(Refusal::Expired);
        }
        let is_elsewhere = record.last_address != Some(peer.address);
        if is_elsewhere
            || record
                .last_seen_at
                .is_none_or(|seen| (now - seen).abs() >= SEEN_SECONDS)
        {
            if let Err(error) = self.registry.seen(&record.pair, now, peer.address) {
                tracing::warn!(%error, "could not note when a device was last seen");
            }
            record.last_seen_at = Some(now);
            record.last_address = Some(peer.address);
        }
        Ok(record)
    }

    /// PENDING becomes ACTIVE (again: nothing changes). The window's events say `Paired`. A pair
    /// that this one replaces is revoked in the same transaction.
    pub fn acknowledge(self: &Arc<Self>, peer: &Peer) -> Result<DeviceRecord, TrustError> {
        let entry = self.known(peer)?;
        match entry.record.state {
            State::Pending | State::Active => {}
            State::Suspended => return Err(Refusal::Suspended.into()),
            State::Revoked => return Err(Refusal::Revoked.into()),
        }
        let now = self.environment.clock.now();
        if peer.not_after < now {
            return Err(Refusal::Expired.into());
        }
        let (record, replaced) = self.registry.activate(&peer.pair, now)?;
        if entry.record.state == State::Pending {
            let acknowledged = Note::new(Event::PairingAcknowledged).of(record.pair);
            self.audit().note(acknowledged.by(record.key));
        }
        if let Some(events) = self.waiters().remove(&peer.pair) {
            drop(events.try_send(HostEvent::Paired {
                pair: record.pair,
                name: record.name.clone(),
            }));
        }
        if let Some(old) = replaced {
            let revoked = Note::new(Event::Revoked).of(old);
            self.audit().note(revoked.ending("REPLACED"));
            self.cut(old, "PAIRING_REFUSED");
            let trust = Arc::clone(self);
            in_background(move || {
                if let Err(error) = trust.keys.retire(&old) {
                    tracing::warn!(%error, pair = %old, "the CA key of a replaced pair is still there");
                }
            });
        }
        Ok(record)
    }

    /// Certifies a new key of an ACTIVE pair's client, which proved on this very channel that it
    /// has it. The present key stays good until the new one is first used.
    ///
    /// Blocks on the key store.
    pub fn renew(
        &self,
        peer: &Peer,
        request: &renewal::Request,
        exporter: &[u8; 32],
    ) -> Result<Reissued, TrustError> {
        let entry = self.active_peer(peer)?;
        if peer.not_after < self.environment.clock.now() {
            return Err(Refusal::Expired.into());
        }
        self.certify(&entry, request, exporter, 0)
    }

    /// The same for a peer that came to renew what has run out: up to 90 days after the end, once an
    /// hour at most.
    ///
    /// Blocks on the key store.
    pub fn renew_late(
        &self,
        peer: &Peer,
        request: &renewal::Request,
        exporter: &[u8; 32],
    ) -> Result<Reissued, TrustError> {
        let entry = self.may_renew_late(peer)?;
        self.certify(&entry, request, exporter, renewal::LATE_INTERVAL_SECONDS)
    }

    /// Checks a peer that came to renew what has run out; to be called for every request.
    pub fn authorize_late(&self, peer: &Peer) -> Result<DeviceRecord, Refusal> {
        self.may_renew_late(peer).map(|entry| entry.record)
    }

    fn may_renew_late(&self, peer: &Peer) -> Result<Entry, Refusal> {
        let entry = self.active_peer(peer)?;
        let late = self.environment.clock.now() - peer.not_after;
        if late > renewal::GRACE_SECONDS && holds(Defence::GraceLimit) {
            return Err(Refusal::Expired);
        }
        Ok(entry)
    }

    fn certify(
        &self,
        entry: &Entry,
        request: &renewal::Request,
        exporter: &[u8; 32],
        interval: i64,
    ) -> Result<Reissued, TrustError> {
        request.verify(exporter, &entry.record.pair)?;
        if self.registry.knows_key(&request.key()) {
            return Err(Refusal::KeyUsed.into());
        }
        let reissued = self.keys.renew_client(entry, request.spki(), interval)?;
        let renewed = Note::new(Event::Renewed).of(entry.record.pair);
        self.audit().note(renewed.by(request.key()));
        Ok(reissued)
    }

    /// Opens the one pairing window. Needs a tokio runtime, for its time limit.
    pub fn open_window(self: &Arc<Self>, options: WindowOptions) -> Result<Window, TrustError> {
        if !(30..=900).contains(&options.seconds) {
            return Err(TrustError::Options(
                "a window is open for 30 to 900 seconds",
            ));
        }
        if !(1..=398).contains(&options.leaf_days) {
            return Err(TrustError::Options("a certificate lives 1 to 398 days"));
        }
        if self.desk.is_open() {
            return Err(TrustError::WindowOpen);
        }
        let issuing = |error: Box<dyn std::error::Error + Send + Sync>| TrustError::Issuing(error);
        let key = DeviceKey::generate().map_err(|error| issuing(error.into()))?;
        let certificate = ca::window_certificate(&key, &self.environment)?;
        let configuration = tls::server::pairing(&key, certificate, &self.environment)
            .map_err(|error| issuing(error.into()))?;
        let mut session = [0; 8];
        self.environment.entropy.fill(&mut session)?;
        let mut secret = zeroize::Zeroizing::new([0; 16]);
        self.environment.entropy.fill(secret.as_mut())?;

        let expires_at = self.environment.clock.now() + i64::from(options.seconds);
        let until = Instant::now() + Duration::from_secs(options.seconds.into());
        let invite = Invite {
            session,
            key: key.digest(),
            secret: Secret::new(secret.to_vec()),
            addresses: options.addresses.clone(),
            expires_at,
        };
        let text = invite.to_text().map_err(|error| issuing(error.into()))?;
        let (events, received) = mpsc::channel(16);
        let mut addresses: Vec<_> = options.addresses.iter().map(SocketAddr::ip).collect();
        addresses.dedup();
        addresses.truncate(8);
        let opened = self.desk.open(
            Opening {
                session,
                secret: Secret::new(secret.to_vec()),
                codes: Codes::new(Arc::clone(&self.environment.entropy)),
                key: key.digest(),
                configuration,
                events,
                audit: self.audit().clone(),
            },
            Settings {
                approval: options.approval,
                addresses,
                server_name: name::clean(&options.server_name, "healthsync-server"),
                leaf_days: options.leaf_days,
                scope: options.scope,
            },
        );
        if !opened {
            return Err(TrustError::WindowOpen);
        }
        self.audit().note(Note::new(Event::WindowOpened));
        let desk = Arc::downgrade(&self.desk);
        tokio::spawn(async move {
            sleep_until(until).await;
            if let Some(desk) = desk.upgrade() {
                desk.expire(session);
            }
        });
        Ok(Window {
            text,
            expires_at,
            events: received,
            closer: Closer {
                desk: Arc::downgrade(&self.desk),
                session,
            },
        })
    }

    /// Six digits typed by a person (spaces and hyphens do not count; nothing typed refuses).
    /// Wrong: `WrongDigits` (three entries), `NotWaiting` when no device waits.
    pub fn approve(&self, digits: &str) -> Result<(), TrustError> {
        let typed: String = digits
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .collect();
        if typed.is_empty() {
            return self.refuse();
        }
        entered(self.desk.enter(&typed))
    }

    /// Refuses the device that waits and closes the window.
    pub fn refuse(&self) -> Result<(), TrustError> {
        entered(self.desk.refuse())
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Lets a connection for pairing in; `None` without a window, or when too many wait.
    pub(crate) fn admit(&self, from: SocketAddr) -> Option<Admission> {
        self.desk.admit(from)
    }

    /// Whether a record of any state has this key.
    pub(crate) fn knows_key(&self, key: &KeyDigest) -> bool {
        self.registry.knows_key(key)
    }

    /// An ACTIVE pair with its client's key.
    pub(crate) fn active(&self, pair: &PairId) -> Option<(DeviceRecord, Vec<u8>)> {
        let entry = self.registry.entry(pair)?;
        (entry.record.state == State::Active).then_some((entry.record, entry.spki))
    }

    /// Makes the pair's CA and certificates, stores its keys, then its PENDING record.
    pub(crate) async fn issue(self: &Arc<Self>, new: NewPair) -> Result<Certificates, TrustError> {
        let trust = Arc::clone(self);
        blocking(move || {
            let deadline = trust.environment.clock.now() + ACKNOWLEDGE_SECONDS;
            let certificates = trust.keys.create(new, deadline)?;
            trust.roll_back_at(certificates.pair, deadline);
            Ok(certificates)
        })
        .await
    }

    /// Who is told what becomes of a PENDING pair.
    pub(crate) fn expect_acknowledgement(&self, pair: PairId, events: mpsc::Sender<HostEvent>) {
        self.waiters().insert(pair, events);
    }

    /// The TLS configuration of a pair for an errand; `None` if there is no such pair.
    pub(crate) async fn configuration(
        self: &Arc<Self>,
        pair: &PairId,
        errand: Errand,
    ) -> Result<Option<Serving>, TrustError> {
        let Some(entry) = self.registry.entry(pair) else {
            return Ok(None);
        };
        if self.is_overdue(&entry) {
            return Ok(None);
        }
        let _one_at_a_time = match self.served.ready(pair, errand) {
            Some(ready) => return Ok(Some(ready)),
            None => self.served.loading().await,
        };
        if let Some(ready) = self.served.ready(pair, errand) {
            return Ok(Some(ready));
        }
        let trust = Arc::clone(self);
        let pair = *pair;
        blocking(move || {
            let credentials = trust.keys.current(&pair)?;
            credentials
                .map(|credentials| trust.served.make(&credentials, errand))
                .transpose()
        })
        .await
    }

    /// The record of this pair and key, in any state.
    fn known(&self, peer: &Peer) -> Result<Entry, Refusal> {
        let entry = self.registry.entry(&peer.pair).ok_or(Refusal::Unknown)?;
        let is_its_key = entry.record.key == peer.key
            || !holds(Defence::KeyOfThisPair) && self.registry.knows_key(&peer.key);
        if is_its_key && !self.is_overdue(&entry) {
            Ok(entry)
        } else {
            Err(Refusal::Unknown)
        }
    }

    /// The record of this pair and key, if it is ACTIVE.
    fn active_peer(&self, peer: &Peer) -> Result<Entry, Refusal> {
        let entry = self.known(peer)?;
        match entry.record.state {
            State::Active => Ok(entry),
            State::Pending => Err(Refusal::Pending),
            State::Suspended => Err(Refusal::Suspended),
            State::Revoked if !holds(Defence::RevokedRefused) => Ok(entry),
            State::Revoked => Err(Refusal::Revoked),
        }
    }

    fn find(&self, pair_or_name: &str) -> Result<PairId, TrustError> {
        if let Ok(pair) = pair_or_name.parse::<PairId>()
            && self.registry.entry(&pair).is_some()
        {
            return Ok(pair);
        }
        let entries = self.registry.entries();
        let mut named = entries
            .iter()
            .map(|entry| &entry.record)
            .filter(|record| record.name == pair_or_name && record.state != State::Revoked);
        match (named.next(), named.next()) {
            (Some(only), None) => Ok(only.pair),
            (None, _) => Err(TrustError::NotFound(pair_or_name.to_owned())),
            (Some(_), Some(_)) => Err(TrustError::Ambiguous(pair_or_name.to_owned())),
        }
    }

    fn is_announced(&self, entry: &Entry) -> bool {
        matches!(entry.record.state, State::Active | State::Pending) && !self.is_overdue(entry)
    }

    fn is_overdue(&self, entry: &Entry) -> bool {
        let now = self.environment.clock.now();
        entry.deadline.is_some_and(|deadline| deadline <= now) && holds(Defence::RollBack)
    }

    /// Cuts the connections of a pair and tells who still waits for it.
    fn cut(&self, pair: PairId, code: &'static str) {
        if let Some(events) = self.waiters().remove(&pair) {
            drop(events.try_send(HostEvent::Closed { code }));
        }
        self.keys.recognizers().forget(&pair);
        // Nobody may be listening.
        drop(self.registry.cuts().send(pair));
    }

    /// Rolls a PENDING pair back at its deadline (Unix seconds).
    fn roll_back_at(self: &Arc<Self>, pair: PairId, deadline: i64) {
        let left = u64::try_from(deadline - self.environment.clock.now()).unwrap_or(0);
        let trust = Arc::downgrade(self);
        // Without a runtime nothing is served either; the next start finds the record.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            sleep(Duration::from_secs(left)).await;
            if let Some(trust) = trust.upgrade() {
                in_background(move || trust.roll_back(&pair));
            }
        });
    }

    fn roll_back(&self, pair: &PairId) {
        match self.registry.remove_pending(pair) {
            Ok(false) => {}
            Ok(true) => {
                self.note_rolled_back(*pair);
                self.served.forget(pair);
                self.cut(*pair, "PAIRING_NOT_ACKNOWLEDGED");
                if let Err(error) = self.keys.delete(pair) {
                    tracing::warn!(%error, %pair, "keys without a record; the next start deletes them");
                }
            }
            Err(error) => {
                tracing::warn!(%error, %pair, "a pair that nobody acknowledged is still recorded");
            }
        }
    }

    fn note_rolled_back(&self, pair: PairId) {
        self.audit()
            .note(Note::new(Event::PairingRolledBack).of(pair));
    }

    fn waiters(&self) -> MutexGuard<'_, HashMap<PairId, mpsc::Sender<HostEvent>>> {
        self.unacknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

const SEEN_SECONDS: i64 = 60;

fn entered(entry: Entered) -> Result<(), TrustError> {
    match entry {
        Entered::Done => Ok(()),
        Entered::Wrong { left } => Err(TrustError::WrongDigits { left }),
        Entered::NobodyWaits => Err(TrustError::NotWaiting),
        Entered::NoWindow => Err(TrustError::NoWindow),
    }
}

/// Runs what blocks where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TrustError> + Send + 'static,
) -> Result<T, TrustError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| TrustError::Issuing(error.into()))?
}

/// Runs what blocks beside us; without a runtime, here.
fn in_background(work: impl FnOnce() + Send + 'static) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(work)),
        Err(_) => work(),
    }
}
