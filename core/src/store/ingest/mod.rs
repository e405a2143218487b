//! Keeping what an importer reads: one file, one transaction.
//!
//! ```text
//!  thread                 thread                      this thread
//!  inflate, clean ──────► parse, key ───────────────► match, write
//!               256 kB pieces        batches of items
//! ```
//!
//! Both queues are short, so memory does not grow with the file. The transaction makes a file
//! visible whole or not at all, also when the process is killed.

mod chain;
mod correlations;
mod failed;
mod met;
mod names;
mod samples;
mod workouts;

use std::{
    borrow::Cow,
    io::{self, Read, Seek, SeekFrom},
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use rusqlite::{Transaction, TransactionBehavior};

use self::{
    correlations::{Correlations, Resolved},
    names::Names,
    samples::Samples,
    workouts::Workouts,
};
use crate::{
    correlation::Correlation,
    identity::Key,
    import::{IMPORTERS, Importer, Item, ReadError, Source, Stopped},
    sample::{Metadata, Sample},
    store::{Imported, SkippedCount, Store, StoreError},
    workout::Workout,
};

pub use failed::ImportFailed;

/// What an import may do.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Keep what a cut-off file held.
    pub keep_partial: bool,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportProgress {
    /// Position in the file, bytes.
    pub bytes: u64,
    /// Its length, if it is known.
    pub total: Option<u64>,
    /// Records read so far.
    pub records: u64,
}

impl Store {
    /// Imports one file in one transaction: all of it is kept, or nothing. `total` is the length
    /// of the file, for the progress. Waits for another import that is under way.
    pub fn import(
        &mut self,
        origin: &str,
        source: &mut dyn Source,
        total: Option<u64>,
        options: &ImportOptions,
        progress: &mut dyn FnMut(ImportProgress),
    ) -> Result<Imported, ImportFailed> {
        let importer = recognize(source)?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let imported = {
            let mut ingest = Ingest::new(&transaction, origin)?;
            let position = AtomicU64::new(0);
            let mut source = Counting {
                source,
                position: &position,
            };
            let outcome = run(importer, origin, &mut source, |batch| {
                ingest.take(batch)?;
                let bytes = position.load(Ordering::Relaxed);
                progress(ImportProgress {
                    bytes,
                    total,
                    records: ingest.samples.counts.read,
                });
                Ok(())
            });
            match outcome {
                Err(ImportFailed::Truncated { line }) if options.keep_partial => {
                    ingest.skip(line, 1, "all that followed: the export is cut off".into());
                }
                other => other?,
            }
            if ingest.samples.counts.read == 0 {
                return Err(ImportFailed::Empty);
            }
            ingest.finish()?
        };
        transaction.commit()?;
        Ok(imported)
    }
}

fn recognize(source: &mut dyn Source) -> Result<&'static dyn Importer, ImportFailed> {
    for importer in IMPORTERS {
        if importer.recognize(source)? {
            return Ok(*importer);
        }
    }
    Err(ImportFailed::NotAnExport)
}

/// An item with its key, which costs a hash and is made where there is time for it.
enum Keyed {
    Sample(Box<Sample>, Key),
    Workout(Box<Workout>, Key),
    Correlation(Box<Correlation>, Key, Vec<Key>),
    Skipped {
        line: u64,
        count: u64,
        reason: Cow<'static, str>,
    },
}

impl Keyed {
    fn new(origin: &str, item: Item) -> Self {
        match item {
            Item::Sample(sample) => {
                let key = Key::of_sample(origin, &sample);
                Self::Sample(sample, key)
            }
            Item::Workout(workout) => {
                let key = Key::of_workout(origin, &workout);
                Self::Workout(workout, key)
            }
            Item::Correlation(correlation) => {
                let key = Key::of_correlation(origin, &correlation);
                let members = &correlation.members;
                let members = members
                    .iter()
                    .map(|sample| Key::of_sample(origin, sample))
                    .collect();
                Self::Correlation(correlation, key, members)
            }
            Item::Skipped {
                line,
                count,
                reason,
            } => Self::Skipped {
                line,
                count,
                reason,
            },
        }
    }
}

const BATCH: usize = 256;
const BATCHES_WAITING: usize = 8;

/// A batch of few, but heavy items is full, too (bytes, roughly).
const WEIGHT: usize = 1 << 20;

fn weight(item: &Item) -> usize {
    const PART: usize = 500;
    let of = |metadata: &Metadata| {
        let entries = metadata.entries.iter();
        entries
            .map(|(key, value)| key.len() + value.len())
            .sum::<usize>()
            + metadata.beats.len() * PART
    };
    match item {
        Item::Sample(sample) => of(&sample.metadata),
        Item::Workout(workout) => {
            let events = workout
                .events
                .iter()
                .map(|event| PART + of(&event.metadata));
            of(&workout.metadata) + workout.statistics.len() * PART + events.sum::<usize>()
        }
        Item::Correlation(correlation) => {
            let members = correlation.members.iter();
            of(&correlation.metadata)
                + members
                    .map(|member| PART + of(&member.metadata))
                    .sum::<usize>()
        }
        Item::Skipped { .. } => 0,
    }
}

/// Reads in a thread of its own; `take` writes here.
fn run(
    importer: &'static dyn Importer,
    origin: &str,
    source: &mut dyn Source,
    mut take: impl FnMut(Vec<Keyed>) -> Result<(), StoreError>,
) -> Result<(), ImportFailed> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(BATCHES_WAITING);
        let reading = scope.spawn(move || read(importer, origin, source, &sender));
        let written = write(&receiver, &mut take);
        // A reader that still sends gets to know that nobody listens.
        drop(receiver);
        let read = reading.join();
        written?;
        match read {
            Ok(result) => Ok(result?),
            Err(_) => Err(ImportFailed::Read(io::Error::other(
                "the parsing thread panicked",
            ))),
        }
    })
}

fn read(
    importer: &dyn Importer,
    origin: &str,
    source: &mut dyn Source,
    sender: &SyncSender<Vec<Keyed>>,
) -> Result<(), ReadError> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut weight = 0;
    let result = importer.read(source, &mut |item| {
        weight += self::weight(&item);
        batch.push(Keyed::new(origin, item));
        if batch.len() < BATCH && weight < WEIGHT {
            return Ok(());
        }
        weight = 0;
        let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
        sender.send(full).map_err(|_| Stopped)
    });
    // What came before an error counts, too: it may be kept.
    sender.send(batch).map_err(|_| ReadError::Stopped)?;
    result
}

fn write(
    receiver: &Receiver<Vec<Keyed>>,
    take: &mut impl FnMut(Vec<Keyed>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for batch in receiver {
        take(batch)?;
    }
    Ok(())
}

/// Writes one file.
struct Ingest<'t> {
    transaction: &'t Transaction<'t>,
    origin_id: i64,
    names: Names<'t>,
    samples: Samples<'t>,
    workouts: Workouts<'t>,
    correlations: Correlations<'t>,
    skipped: Vec<SkippedCount>,
}

/// Different reasons that are told one by one.
const REASONS: usize = 100;

impl<'t> Ingest<'t> {
    fn new(transaction: &'t Transaction<'t>, origin: &str) -> Result<Self, StoreError> {
        let names = Names::new(transaction)?;
        let origin_id = names.origin(origin)?;
        let counters = transaction.query_row("SELECT seq, rows FROM counter", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        Ok(Self {
            transaction,
            origin_id,
            names,
            samples: Samples::new(transaction, origin_id, counters)?,
            workouts: Workouts::new(transaction, origin_id),
            correlations: Correlations::new(transaction, origin_id),
            skipped: Vec::new(),
        })
    }

    fn take(&mut self, batch: Vec<Keyed>) -> Result<(), StoreError> {
        for keyed in batch {
            match keyed {
                Keyed::Sample(sample, key) => self.samples.take(&sample, key, &mut self.names)?,
                Keyed::Workout(workout, key) => {
                    let seq = &mut self.samples.seq;
                    self.workouts.take(workout, key, &mut self.names, seq)?;
                }
                Keyed::Correlation(correlation, key, member_keys) => {
                    let mut members = Vec::with_capacity(member_keys.len());
                    for (sample, key) in correlation.members.iter().zip(member_keys) {
                        let (kind_id, id) = self.samples.member(sample, key, &mut self.names)?;
                        members.push((kind_id, sample.start_ms, id));
                    }
                    let resolved = Resolved {
                        correlation,
                        members,
                    };
                    let seq = &mut self.samples.seq;
                    self.correlations
                        .take(resolved, key, &mut self.names, seq)?;
                }
                Keyed::Skipped {
                    line,
                    count,
                    reason,
                } => self.skip(line, count, reason),
            }
        }
        Ok(())
    }

    fn skip(&mut self, line: u64, count: u64, reason: Cow<'static, str>) {
        if let Some(known) = self.skipped.iter_mut().find(|known| known.reason == reason) {
            known.count += count;
            return;
        }
        let reason = if self.skipped.len() < REASONS {
            reason
        } else {
            "other reasons".into()
        };
        match self.skipped.iter_mut().find(|known| known.reason == reason) {
            Some(known) => known.count += count,
            None => self.skipped.push(SkippedCount {
                reason: reason.into_owned(),
                count,
                first_line: line,
            }),
        }
    }

    fn finish(mut self) -> Result<Imported, StoreError> {
        self.samples.settle(&mut self.names)?;
        self.workouts
            .settle(&mut self.names, &mut self.samples.seq)?;
        self.correlations
            .settle(&mut self.names, &mut self.samples.seq)?;
        for (kind_id, added) in &self.samples.added {
            self.transaction.execute(
                "INSERT INTO tally (kind_id, origin_id, samples) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET samples = samples + excluded.samples",
                [*kind_id, self.origin_id, *added],
            )?;
        }
        self.transaction.execute(
            "UPDATE counter SET seq = ?1, rows = ?2",
            [self.samples.seq, self.samples.rows],
        )?;
        let counts = self.samples.counts;
        Ok(Imported {
            read: counts.read,
            new: counts.new,
            updated: counts.updated,
            unchanged: counts.unchanged,
            deleted: 0,
            workouts: self.workouts.matcher.tally,
            correlations: self.correlations.matcher.tally,
            skipped: self.skipped,
        })
    }
}

/// Knows how far the file was read.
struct Counting<'a> {
    source: &'a mut dyn Source,
    position: &'a AtomicU64,
}

impl Read for Counting<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(target)?;
        self.position
            .fetch_add(u64::try_from(read).unwrap_or_default(), Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Counting<'_> {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let position = self.source.seek(target)?;
        self.position.store(position, Ordering::Relaxed);
        Ok(position)
    }
}
