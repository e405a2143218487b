//! The one thread that writes the log: what waits is written together, in the order in which it
//! came, in one transaction.
//!
//! Two strengths of "written":
//! - *committed*: the system has it, so it survives the death of this process. An answer waits for
//!   this alone, which costs no wait for the disk.
//! - *synchronized*: the disk has it, so it survives a power cut. At most a second later, and always
//!   before a client is told of it: a client that was told of an entry which a power cut then takes
//!   would believe that the log was rewritten.

use std::{
    path::Path,
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::Duration,
};

use tokio::sync::{oneshot, watch};

use super::{AuditError, Entry, Event, KEPT_SECONDS, Note, chain::ChainKey, witness::Head};
use crate::{
    environment::Environment,
    keystore::KeyStore,
    trust::{AuditPlace, AuditTable},
};

/// So many entries are written in one transaction.
const TOGETHER: usize = 512;
/// How long an entry may wait for the disk when nobody asks for it.
const UNSYNCHRONIZED: Duration = Duration::from_secs(1);
/// How often a server that nobody asks looks whether something is to be purged.
const REST: Duration = Duration::from_hours(1);
const DAY_SECONDS: i64 = 86_400;
/// So many notes that nobody waits for are kept while the log cannot be written.
const RETAINED: usize = 10_000;

/// Work for the thread.
#[derive(Debug)]
pub(super) enum Job {
    /// Write this; who waits is told when it is committed.
    Note {
        note: Note,
        time: i64,
        committed: Option<oneshot::Sender<bool>>,
    },
    /// Bring everything to the disk and say where the chain stands then.
    Settle(oneshot::Sender<Result<Head, AuditError>>),
}

/// What the thread shares with who asks it.
#[derive(Debug)]
pub(super) struct Shared {
    /// What is on the disk; the chain's own beginning at first.
    pub(super) head: watch::Receiver<Head>,
    /// The chain's key, once it was needed.
    pub(super) key: Arc<OnceLock<ChainKey>>,
}

struct Writer {
    table: AuditTable,
    key: Arc<OnceLock<ChainKey>>,
    store: Arc<dyn KeyStore>,
    environment: Environment,
    /// The last entry that is committed.
    place: AuditPlace,
    head: watch::Sender<Head>,
    is_dirty: bool,
    looked_for_old: Option<i64>,
    retained: Vec<(Note, i64)>,
}

/// Opens the log and starts its thread, which ends when the last sender of jobs is gone.
pub(super) fn start(
    database: &Path,
    store: Arc<dyn KeyStore>,
    environment: Environment,
) -> Result<(Sender<Job>, Shared), AuditError> {
    let table = AuditTable::open(database)?;
    let place = table.last()?;
    // What the process before committed may not be on the disk yet.
    table.sync()?;
    let (jobs, received) = channel();
    let (head, watched) = watch::channel(head_of(place));
    let writer = Writer {
        table,
        key: Arc::default(),
        store,
        environment,
        place,
        head,
        is_dirty: false,
        looked_for_old: None,
        retained: Vec::new(),
    };
    let shared = Shared {
        head: watched,
        key: Arc::clone(&writer.key),
    };
    std::thread::Builder::new()
        .name("audit".to_owned())
        .spawn(move || writer.run(&received))
        .map_err(AuditError::Disk)?;
    Ok((jobs, shared))
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let wait = if self.is_dirty { UNSYNCHRONIZED } else { REST };
            let mut batch = match jobs.recv_timeout(wait) {
                Ok(first) => vec![first],
                Err(RecvTimeoutError::Timeout) => {
                    self.write(Vec::new());
                    self.synchronize();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.write(Vec::new());
                    self.synchronize();
                    return;
                }
            };
            batch.extend(jobs.try_iter().take(TOGETHER));
            self.work(batch);
        }
    }

    fn work(&mut self, batch: Vec<Job>) {
        let mut notes = Vec::new();
        let mut asked = Vec::new();
        for job in batch {
            match job {
                Job::Note {
                    note,
                    time,
                    committed,
                } => notes.push((note, time, committed)),
                Job::Settle(answer) => asked.push(answer),
            }
        }
        let written = self.write(notes);
        if asked.is_empty() {
            return;
        }
        let synchronized = written && self.synchronize();
        for answer in asked {
            // Who asked may be gone.
            drop(answer.send(if synchronized {
                Ok(*self.head.borrow())
            } else {
                Err(AuditError::NotWritten)
            }));
        }
    }

    /// Commits what waits and what could not be written before; `false`: it could not be.
    fn write(&mut self, notes: Vec<(Note, i64, Option<oneshot::Sender<bool>>)>) -> bool {
        let waiting = std::mem::take(&mut self.retained);
        let all = waiting
            .into_iter()
            .chain(notes.iter().map(|(note, time, _)| (note.clone(), *time)));
        let all: Vec<_> = all.collect();
        let outcome = self.append(&all);
        let is_written = outcome.is_ok();
        if let Err(error) = outcome {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, cause, "the audit log cannot be written; nothing is read meanwhile");
            // A read that was not noted was not answered: only what happened all the same is kept.
            let awaited = notes.iter().filter(|(_, _, who)| who.is_some()).count();
            let unasked = all.len() - notes.len();
            self.retained = all.into_iter().take(unasked).collect();
            let happened = notes.iter().filter(|(_, _, who)| who.is_none());
            self.retained
                .extend(happened.map(|(note, time, _)| (note.clone(), *time)));
            if self.retained.len() > RETAINED {
                tracing::error!(awaited, "events are lost that the audit log should have");
                self.retained.truncate(RETAINED);
            }
        }
        for (_, _, committed) in notes {
            if let Some(committed) = committed {
                // Who asked may be gone.
                committed.send(is_written).unwrap_or_default();
            }
        }
        is_written
    }

    fn append(&mut self, notes: &[(Note, i64)]) -> Result<(), AuditError> {
        let now = self.environment.clock.now();
        let is_purge_due = self
            .looked_for_old
            .is_none_or(|last| now < last || now - last >= DAY_SECONDS);
        let old = if is_purge_due {
            self.table.older_than(now.saturating_sub(KEPT_SECONDS))?
        } else {
            None
        };
        if notes.is_empty() && old.is_none() {
            self.looked_for_old = Some(now);
            return Ok(());
        }
        if self.key.get().is_none() {
            let key = ChainKey::open(&*self.store, &*self.environment.entropy)?;
            // Nobody else sets it.
            drop(self.key.set(key));
        }
        let key = self.key.get().ok_or(AuditError::Stopped)?;

        let mut place = self.place;
        let mut entries = Vec::with_capacity(notes.len() + 1);
        let mut add = |note: Note, time: i64| {
            let mut entry = Entry::new(place.sequence + 1, time, note);
            entry.hash = key.link(&place.hash, &entry);
            place = AuditPlace {
                sequence: entry.sequence,
                hash: entry.hash,
                time,
            };
            entries.push(entry);
        };
        let mut purge = None;
        if let Some((last, count)) = old {
            let before = self.table.checkpoints()?;
            let before = before.last().map_or(super::Hash::START, |one| one.seal);
            purge = Some(key.checkpoint(before, last.sequence, last.hash, now));
            add(Note::new(Event::Purged).times(count), now);
        }
        for (note, time) in notes {
            add(note.clone(), *time);
        }
        self.table.append(purge.as_ref(), &entries)?;
        self.place = place;
        self.is_dirty = true;
        self.looked_for_old = Some(now);
        Ok(())
    }

    /// `false`: the disk refuses.
    fn synchronize(&mut self) -> bool {
        if !self.is_dirty {
            return true;
        }
        match self.table.sync() {
            Ok(()) => {
                self.is_dirty = false;
                self.head.send_replace(head_of(self.place));
                true
            }
            Err(error) => {
                tracing::error!(%error, "the audit log cannot be brought to the disk");
                false
            }
        }
    }
}

const fn head_of(place: AuditPlace) -> Head {
    Head {
        sequence: place.sequence,
        hash: place.hash,
        time: place.time,
    }
}
