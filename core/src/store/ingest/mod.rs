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
mod known;
mod met;
mod names;
mod options;
mod pending;
mod pipeline;
mod prune;
mod returning;
mod row;
mod samples;
mod settle;
mod whole;
mod workouts;

use std::{borrow::Cow, collections::BTreeSet};

use rusqlite::Transaction;

use self::{
    correlations::{Correlations, Resolved},
    documents::Documents,
    names::Names,
    pipeline::Keyed,
    prune::Deleted,
    returning::Place,
    samples::Samples,
    workouts::Workouts,
};
use crate::{
    document::{Document, Noun},
    store::{Imported, SkippedCount, StoreError},
};

pub use failed::{ImportFailed, NotPruned};
pub use options::{Consent, Deletion, ImportOptions, Settled};
pub use whole::ImportProgress;

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
    with_identity: bool,
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
            with_identity: false,
        })
    }

    /// Takes a batch; leaves what has to be freed.
    fn take(&mut self, batch: &mut [Keyed]) -> Result<(), StoreError> {
        for keyed in batch {
            if let Keyed::Sample(sample, key, metadata) = keyed {
                let described = (&*sample, metadata.as_deref());
                self.samples.take(described, *key, &mut self.names)?;
                continue;
            }
            match std::mem::replace(keyed, Keyed::Taken) {
                Keyed::Sample(..) | Keyed::Taken => {}
                Keyed::Returning {
                    sample,
                    key,
                    ordinal,
                    origin,
                    line,
                } => {
                    self.samples.flush(&mut self.names)?;
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
                    self.samples.flush(&mut self.names)?;
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
                Keyed::Document(mut document, key) => {
                    if !self.with_identity && self.drop_identity(&mut document) {
                        continue;
                    }
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

    /// Drops who the person is, and tells it; says whether nothing is left.
    fn drop_identity(&mut self, document: &mut Document) -> bool {
        let line = document.line;
        let is_person = document.noun == Noun::Characteristics;
        if is_person {
            self.uncovered.insert(Noun::Characteristics);
            self.skip(line, 1, "personal details (kept only on request)".into());
        } else if document.body.drop_identity() {
            let reason = format!(
                "names and birth dates in {} (dropped)",
                document.noun.plural()
            );
            self.skip(line, 1, reason.into());
        }
        is_person
    }

    /// Whether the file held nothing that could be kept.
    fn is_empty(&self) -> bool {
        self.samples.counts.read == 0
            && self.workouts.matcher.tally.read == 0
            && self.correlations.matcher.tally.read == 0
            && self.documents.tallies().values().all(|it| it.read == 0)
    }

    fn skip(&mut self, line: u64, count: u64, reason: Cow<'static, str>) {
        if count == 0 {
            return;
        }
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

    /// Tells what there was too much of.
    fn tell_beyond(&mut self) {
        let mut beyond = self.documents.beyond();
        beyond.push(self.workouts.matcher.beyond("workouts"));
        beyond.push(self.correlations.matcher.beyond("correlations"));
        let reason = "records beyond the numbers of one time and writer (not kept)";
        beyond.push((self.samples.beyond, reason.into()));
        for (count, reason) in beyond {
            self.skip(0, count, reason);
        }
    }

    fn finish(mut self, options: &ImportOptions) -> Result<Imported, ImportFailed> {
        if options.prune.is_some() {
            self.check_prune()?;
        }
        self.samples.flush(&mut self.names)?;
        self.samples.settle(&mut self.names)?;
        self.samples.written.keep(self.transaction)?;
        self.workouts
            .settle(&mut self.names, &mut self.samples.seq)?;
        self.correlations
            .settle(&mut self.names, &mut self.samples.seq)?;
        let workout = |number| self.workouts.row(number);
        self.documents
            .settle(&mut self.names, &mut self.samples.seq, &workout)?;
        self.tell_beyond();
        for ((kind_id, origin_id), added) in &self.samples.added {
            self.transaction.execute(
                "INSERT INTO tally (kind_id, origin_id, samples, longest_ms)
                 VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET samples = samples + excluded.samples,
                                           longest_ms = max(longest_ms, excluded.longest_ms)",
                [*kind_id, *origin_id, added.samples, added.longest_ms],
            )?;
        }
        let deleted = match &options.prune {
            Some(consent) => self.prune(consent, options.dry_run)?,
            None => Deleted::default(),
        };
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
        let (mut workouts, mut correlations) =
            (self.workouts.matcher.tally, self.correlations.matcher.tally);
        workouts.deleted = deleted.workouts;
        correlations.deleted = deleted.correlations;
        let mut documents = self.documents.tallies();
        for (noun, count) in deleted.documents {
            documents.entry(noun).or_default().deleted = count;
        }
        Ok(Imported {
            read: counts.read,
            new: counts.new,
            updated: counts.updated,
            unchanged: counts.unchanged,
            deleted: deleted.samples,
            workouts,
            correlations,
            documents,
            skipped: self.skipped,
        })
    }
}

#[cfg(test)]
mod tests;
