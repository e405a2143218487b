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
mod documents;
mod failed;
mod met;
mod names;
mod pipeline;
mod returning;
mod row;
mod samples;
mod settle;
mod workouts;

use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
};

use rusqlite::{Transaction, TransactionBehavior};

use self::{
    correlations::{Correlations, Resolved},
    documents::Documents,
    names::Names,
    pipeline::{Counting, Keyed, Keying, recognize, run},
    returning::Place,
    samples::Samples,
    workouts::Workouts,
};
use crate::{
    document::Noun,
    identity::Keys,
    import::Source,
    store::{Imported, SkippedCount, Store, StoreError, schema::empty_log},
};

pub use failed::ImportFailed;

/// What an import may do.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Keep what a cut-off file held.
    pub keep_partial: bool,
    /// Records that name their origin themselves (those of our own CSV) keep it.
    pub keep_origins: bool,
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
        let imported = self.import_whole(origin, source, total, options, progress);
        // Also after a failure: what was rolled back would fill the disk for good. The outcome
        // stands already, and whoever writes next tries again.
        drop(empty_log(&self.connection));
        imported
    }

    fn import_whole(
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
            let mut ingest = Ingest::new(&transaction, origin, importer.id())?;
            let position = AtomicU64::new(0);
            let mut source = Counting {
                source,
                position: &position,
            };
            let keying = Keying {
                keys: Keys::new(origin.into()),
                keep_origins: options.keep_origins,
            };
            let outcome = run(importer, keying, &mut source, |batch| {
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
                    ingest.is_partial = true;
                    ingest.skip(line, 1, "all that followed: the export is cut off".into());
                }
                other => other?,
            }
            if ingest.is_empty() {
                return Err(ImportFailed::Empty {
                    skipped: ingest.skipped,
                });
            }
            ingest.finish()?
        };
        transaction.commit()?;
        Ok(imported)
    }
}

/// Writes one file.
struct Ingest<'t> {
    transaction: &'t Transaction<'t>,
    origin_id: i64,
    names: Names<'t>,
    samples: Samples<'t>,
    workouts: Workouts<'t>,
    correlations: Correlations<'t>,
    documents: Documents<'t>,
    skipped: Vec<SkippedCount>,
    format_id: i64,
    /// When the phone made the file.
    exported_ms: Option<i64>,
    /// Of what the file does not say all.
    uncovered: BTreeSet<Noun>,
    /// The file was cut off.
    is_partial: bool,
}

/// Different reasons that are told one by one.
const REASONS: usize = 100;

impl<'t> Ingest<'t> {
    fn new(
        transaction: &'t Transaction<'t>,
        origin: &str,
        format: &str,
    ) -> Result<Self, StoreError> {
        let mut names = Names::new(transaction)?;
        let origin_id = names.origin(&origin.into())?;
        let format_id = names.format(format)?;
        let counters = transaction.query_row("SELECT seq, rows FROM counter", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        Ok(Self {
            transaction,
            origin_id,
            names,
            samples: Samples::new(transaction, origin_id, format_id, counters)?,
            workouts: Workouts::new(transaction, origin_id, format_id),
            correlations: Correlations::new(transaction, origin_id, format_id),
            documents: Documents::new(transaction, origin_id, format_id),
            skipped: Vec::new(),
            format_id,
            exported_ms: None,
            uncovered: BTreeSet::new(),
            is_partial: false,
        })
    }

    fn take(&mut self, batch: Vec<Keyed>) -> Result<(), StoreError> {
        for keyed in batch {
            match keyed {
                Keyed::Sample(sample, key) => self.samples.take(&sample, key, &mut self.names)?,
                Keyed::Returning {
                    sample,
                    key,
                    ordinal,
                    origin,
                    line,
                } => {
                    let origin_id = self.names.origin(&origin)?;
                    let place = Place {
                        key,
                        ordinal,
                        origin_id,
                    };
                    if !self
                        .samples
                        .take_returning(&sample, place, &mut self.names)?
                    {
                        self.skip(line, 1, "rows that came before in the same file".into());
                    }
                }
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
                Keyed::Document(document, key) => {
                    let (names, seq) = (&mut self.names, &mut self.samples.seq);
                    let workout = |number| self.workouts.row(number);
                    self.documents.take(document, key, names, seq, &workout)?;
                }
                Keyed::Exported(at_ms) => self.exported_ms = Some(at_ms),
                Keyed::Uncovered(noun) => {
                    self.uncovered.insert(noun);
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

    /// Whether the file held nothing that could be kept.
    fn is_empty(&self) -> bool {
        self.samples.counts.read == 0
            && self.workouts.matcher.tally.read == 0
            && self.correlations.matcher.tally.read == 0
            && self.documents.tallies().values().all(|it| it.read == 0)
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
        let workout = |number| self.workouts.row(number);
        self.documents
            .settle(&mut self.names, &mut self.samples.seq, &workout)?;
        for ((kind_id, origin_id), added) in &self.samples.added {
            self.transaction.execute(
                "INSERT INTO tally (kind_id, origin_id, samples) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET samples = samples + excluded.samples",
                [*kind_id, *origin_id, *added],
            )?;
        }
        if let Some(at_ms) = self.exported_ms.filter(|_| !self.is_partial) {
            self.transaction.execute(
                "INSERT INTO exported (origin_id, format_id, at_ms) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET at_ms = max(at_ms, excluded.at_ms)",
                [self.origin_id, self.format_id, at_ms],
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
            documents: self.documents.tallies(),
            skipped: self.skipped,
        })
    }
}

#[cfg(test)]
mod tests;
