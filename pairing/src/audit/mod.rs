//! The audit log: what happened to the pairs and who read what, in a chain that cannot be changed
//! unseen.
//!
//! ```text
//! Audit -+- writer    (the one thread that appends; entry: what it keeps; repeated: floods counted)
//!        +- chain     (the keyed hashes; verify: the check of all of them)
//!        +- witness   (what clients keep and compare)
//! the tables: trust::audit
//! ```
//!
//! Entries are kept for 90 days; a daily purge leaves a sealed checkpoint, from which on the chain can
//! still be verified.

mod chain;
mod entry;
mod error;
mod repeated;
mod verify;
mod witness;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc::Sender},
};

use tokio::sync::oneshot;

pub(crate) use self::chain::Checkpoint;
pub use self::{
    entry::{Entry, Event, Hash, Note, OK},
    error::AuditError,
    verify::{Break, Verdict},
    witness::{Finding, Head, Rewritten, Seen, compare},
};
use self::{
    repeated::Repeated,
    writer::{Job, Shared},
};
pub(crate) use crate::trust::KEPT_SECONDS;
use crate::{environment::Environment, id::PairId, keystore::KeyStore, trust::AuditTable};

/// The log of a running server. Cheap to share. The default one keeps nothing: for a registry that
/// is only looked into.
#[derive(Clone, Debug, Default)]
pub struct Audit(Option<Arc<Log>>);

#[derive(Debug)]
struct Log {
    jobs: Sender<Job>,
    shared: Shared,
    repeated: Repeated,
    path: PathBuf,
    environment: Environment,
}

impl Audit {
    /// Opens the log in `trust.db`. The key is read when the first entry is written.
    pub(crate) fn open(
        database: &Path,
        keys: Arc<dyn KeyStore>,
        environment: Environment,
    ) -> Result<Self, AuditError> {
        let (jobs, shared) = writer::start(database, keys, environment.clone())?;
        Ok(Self(Some(Arc::new(Log {
            jobs,
            shared,
            repeated: Repeated::default(),
            path: database.to_owned(),
            environment,
        }))))
    }

    /// Notes what has happened; it is written soon, in order.
    pub fn note(&self, note: Note) {
        self.send(note, None);
    }

    /// Notes what somebody does again and again: the first time at once, then together.
    pub fn note_repeated(&self, event: Event, pair: PairId, result: &'static str) {
        if let Some(log) = &self.0 {
            let now = log.environment.clock.now();
            if let Some(note) = log.repeated.happened(event, pair, result, now) {
                self.note(note);
            }
        }
    }

    /// Notes what was counted so far.
    pub fn note_counted(&self) {
        if let Some(log) = &self.0 {
            for note in log.repeated.rest() {
                self.note(note);
            }
        }
    }

    /// Notes it and waits until the system has the entry: the death of this process does not take
    /// it back.
    pub async fn record(&self, note: Note) -> Result<(), AuditError> {
        let written = self.send_awaited(note).await;
        done(written.ok())
    }

    /// The same for a thread that may block.
    pub fn record_blocking(&self, note: Note) -> Result<(), AuditError> {
        done(self.send_awaited(note).blocking_recv().ok())
    }

    /// Waits until all that was noted is on the disk; gives the place of the chain then.
    pub async fn settle(&self) -> Result<Head, AuditError> {
        self.ask_to_settle()
            .await
            .map_err(|_| AuditError::Stopped)?
    }

    /// The same for a thread that may block.
    pub fn settle_blocking(&self) -> Result<Head, AuditError> {
        let settled = self.ask_to_settle().blocking_recv();
        settled.map_err(|_| AuditError::Stopped)?
    }

    /// The last place that is on the disk: what a client may be told. At first the place before the
    /// first entry.
    pub fn head(&self) -> Option<Head> {
        let log = self.0.as_ref()?;
        Some(*log.shared.head.borrow())
    }

    /// What stands at a place that a client saw. Blocks on the file.
    pub fn at(&self, sequence: u64) -> Result<Seen, AuditError> {
        if sequence == 0 {
            return Ok(Seen::Entry(Hash::START));
        }
        let table = self.table()?;
        table.snapshot(|table| {
            Ok(match table.hash(sequence)? {
                Some(hash) => Seen::Entry(hash),
                None if sequence <= table.purged()? => Seen::Purged,
                None => Seen::Missing,
            })
        })
    }

    /// Up to `limit` entries behind `after` that are not older than `since`, in order. Blocks on
    /// the file.
    pub fn entries(&self, after: u64, since: i64, limit: u32) -> Result<Vec<Entry>, AuditError> {
        self.table()?.entries(after, since, limit)
    }

    /// The same of a file that no server has open; no key is needed.
    pub fn recorded(
        database: &Path,
        after: u64,
        since: i64,
        limit: u32,
    ) -> Result<Vec<Entry>, AuditError> {
        match AuditTable::read(database)? {
            Some(table) => table.entries(after, since, limit),
            None => Ok(Vec::new()),
        }
    }

    /// Checks the whole chain. Blocks on the file, and on the key store if the key was not needed
    /// yet.
    pub fn verify(&self) -> Result<Verdict, AuditError> {
        let known = self.settle_blocking()?;
        let log = self.0.as_ref().ok_or(AuditError::Stopped)?;
        let key = log.shared.key.get().ok_or(AuditError::Stopped)?;
        verify::verify(&self.table()?, key, Some(known))
    }

    fn table(&self) -> Result<AuditTable, AuditError> {
        let log = self.0.as_ref().ok_or(AuditError::Stopped)?;
        AuditTable::read(&log.path)?.ok_or(AuditError::Stopped)
    }

    fn send(&self, note: Note, committed: Option<oneshot::Sender<bool>>) {
        let Some(log) = &self.0 else {
            return;
        };
        let time = log.environment.clock.now();
        let job = Job::Note {
            note,
            time,
            committed,
        };
        if log.jobs.send(job).is_err() {
            tracing::error!("an event is lost: nobody writes the audit log");
        }
    }

    fn send_awaited(&self, note: Note) -> oneshot::Receiver<bool> {
        let (committed, told) = oneshot::channel();
        self.send(note, Some(committed));
        told
    }

    fn ask_to_settle(&self) -> oneshot::Receiver<Result<Head, AuditError>> {
        let (answer, told) = oneshot::channel();
        if let Some(log) = &self.0 {
            // Without a thread the answer's other end is dropped, which says so.
            drop(log.jobs.send(Job::Settle(answer)));
        }
        told
    }
}

fn done(written: Option<bool>) -> Result<(), AuditError> {
    match written {
        Some(true) => Ok(()),
        Some(false) => Err(AuditError::NotWritten),
        None => Err(AuditError::Stopped),
    }
}

#[cfg(test)]
mod tests;
