//! Deleting what a complete and newer export no longer holds.
//!
//! Only rows of the file's origin that a file of its format brought are looked at, and only those of
//! nouns that the file covers: an `export.xml` without its archive says nothing about
//! electrocardiograms. A deletion is a tombstone in the sequence.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{OptionalExtension, params};

use super::{
    Ingest,
    chain::Matcher,
    failed::{ImportFailed, NotPruned},
    options::{Consent, Deletion},
};
use crate::{
    document::Noun,
    identity::Id,
    store::{StoreError, scan::unsigned},
};

/// How many rows were deleted.
#[derive(Debug, Default)]
pub(super) struct Deleted {
    pub(super) samples: u64,
    pub(super) workouts: u64,
    pub(super) correlations: u64,
    pub(super) documents: BTreeMap<Noun, u64>,
}

/// A row that is to go, and its number in its table.
struct Doomed {
    row: i64,
    grave: Grave,
}

/// What is kept of a row: enough to tell those of its end who saw it.
struct Grave {
    id: Id,
    noun: String,
    /// Of samples and correlations.
    kind_id: Option<i64>,
    start_ms: i64,
    category_id: Option<i64>,
}

const MAKE_DOOMED: &str = "
DROP TABLE IF EXISTS temp.doomed;
CREATE TEMP TABLE doomed (kind_id INTEGER, start_ms INTEGER, id BLOB, category_id INTEGER)";

impl Ingest<'_> {
    /// Whether this file may prune; looked at before anything of it is written down as the newest.
    pub(super) fn check_prune(&self) -> Result<(), ImportFailed> {
        if self.is_partial {
            return Err(NotPruned::Partial.into());
        }
        let at_ms = self.exported_ms.ok_or(NotPruned::Undated)?;
        let of = params![self.origin_id, self.format_id];
        let newest: Option<i64> = self
            .transaction
            .query_row(
                "SELECT at_ms FROM exported WHERE origin_id = ?1 AND format_id = ?2",
                of,
                |row| row.get(0),
            )
            .optional()?;
        // A store of an earlier version does not know when its exports were made, but no record is
        // written after the export that holds it.
        let newest = match newest {
            Some(newest) => Some(newest),
            None => self.transaction.query_row(
                "SELECT max(created_ms) FROM sample WHERE origin_id = ?1 AND format_id = ?2",
                of,
                |row| row.get(0),
            )?,
        };
        match newest {
            Some(newest_ms) if newest_ms > at_ms => {
                Err(NotPruned::Older { at_ms, newest_ms }.into())
            }
            _ => Ok(()),
        }
    }

    /// Deletes the rows that the file did not meet; everything of it is in the store already.
    pub(super) fn prune(
        &mut self,
        consent: &Consent,
        is_trial: bool,
    ) -> Result<Deleted, ImportFailed> {
        let transaction = self.transaction;
        let (samples, mut of) = self.doomed_samples()?;
        let (workouts, rows) = self.doomed("workout", &self.workouts.matcher)?;
        of += rows;
        let (correlations, rows) = self.doomed("correlation", &self.correlations.matcher)?;
        of += rows;
        let (documents, rows) = self.doomed_documents()?;
        of += rows;
        let rows = samples + length(&workouts) + length(&correlations) + length(&documents);
        let deletion = Deletion { rows, of };
        if deletion.is_large() && !is_trial && !consent.ask(deletion) {
            return Err(NotPruned::NotConfirmed(deletion).into());
        }
        let mut deleted = Deleted {
            samples,
            workouts: length(&workouts),
            correlations: length(&correlations),
            documents: BTreeMap::new(),
        };
        self.delete_samples()?;
        for (table, doomed) in [
            ("workout", workouts),
            ("correlation", correlations),
            ("document", documents),
        ] {
            let mut delete =
                transaction.prepare(&format!("DELETE FROM {table} WHERE {table}_id = ?1"))?;
            for Doomed { row, grave } in doomed {
                self.bury(&grave)?;
                if table == "workout" {
                    self.release(row)?;
                }
                delete.execute([row])?;
                if let Ok(noun) = grave.noun.parse() {
                    *deleted.documents.entry(noun).or_default() += 1;
                }
            }
        }
        Ok(deleted)
    }

    /// Notes which samples are to go; says how many, and how many there are.
    fn doomed_samples(&self) -> Result<(u64, u64), StoreError> {
        self.transaction.execute_batch(MAKE_DOOMED)?;
        let mut note = self
            .transaction
            .prepare("INSERT INTO temp.doomed VALUES (?1, ?2, ?3, ?4)")?;
        let mut all = self.transaction.prepare(
            "SELECT kind_id, start_ms, id, row, category_id FROM sample
             WHERE origin_id = ?1 AND format_id = ?2",
        )?;
        let mut rows = all.query([self.origin_id, self.format_id])?;
        let (mut doomed, mut of) = (0, 0);
        while let Some(row) = rows.next()? {
            of += 1;
            if !self.samples.met.contains(row.get(3)?) {
                doomed += 1;
                let (kind_id, start_ms): (i64, i64) = (row.get(0)?, row.get(1)?);
                let (id, category_id): (Id, Option<i64>) = (row.get(2)?, row.get(4)?);
                note.execute(params![kind_id, start_ms, id, category_id])?;
            }
        }
        Ok((doomed, of))
    }

    fn delete_samples(&mut self) -> Result<(), StoreError> {
        let transaction = self.transaction;
        let mut doomed =
            transaction.prepare("SELECT kind_id, start_ms, id, category_id FROM temp.doomed")?;
        let mut delete = transaction
            .prepare("DELETE FROM sample WHERE kind_id = ?1 AND start_ms = ?2 AND id = ?3")?;
        let mut counts: HashMap<i64, i64> = HashMap::new();
        let mut rows = doomed.query([])?;
        while let Some(row) = rows.next()? {
            let (kind_id, start_ms, id): (i64, i64, Id) = (row.get(0)?, row.get(1)?, row.get(2)?);
            self.bury(&Grave {
                id,
                noun: "sample".to_owned(),
                kind_id: Some(kind_id),
                start_ms,
                category_id: row.get(3)?,
            })?;
            delete.execute(params![kind_id, start_ms, id])?;
            *counts.entry(kind_id).or_default() += 1;
        }
        for (kind_id, count) in counts {
            transaction.execute(
                "UPDATE tally SET samples = samples - ?3 WHERE kind_id = ?1 AND origin_id = ?2",
                [kind_id, self.origin_id, count],
            )?;
        }
        Ok(())
    }

    /// The rows of a table that were not met, and how many there are.
    fn doomed<T>(
        &self,
        table: &str,
        matcher: &Matcher<T>,
    ) -> Result<(Vec<Doomed>, u64), StoreError> {
        // Of a correlation its type says who may know of it.
        let kind = match table {
            "correlation" => "kind_id",
            _ => "NULL",
        };
        let sql = format!(
            "SELECT {table}_id, id, start_ms, {kind} FROM {table}
             WHERE origin_id = ?1 AND format_id = ?2"
        );
        let mut all = self.transaction.prepare(&sql)?;
        let mut rows = all.query([self.origin_id, self.format_id])?;
        let (mut doomed, mut of) = (Vec::new(), 0);
        while let Some(found) = rows.next()? {
            of += 1;
            let (row, id) = (found.get(0)?, found.get(1)?);
            if !matcher.holds(row, id) {
                doomed.push(Doomed {
                    row,
                    grave: Grave {
                        id,
                        noun: table.to_owned(),
                        kind_id: found.get(3)?,
                        start_ms: found.get(2)?,
                        category_id: None,
                    },
                });
            }
        }
        Ok((doomed, of))
    }

    /// As [`Ingest::doomed`], of documents; those of nouns that the file does not cover stay, and so
    /// do those of nouns that only a later version of this program knows. That is told.
    fn doomed_documents(&mut self) -> Result<(Vec<Doomed>, u64), StoreError> {
        let mut all = self.transaction.prepare(
            "SELECT document_id, id, noun, start_ms FROM document
             WHERE origin_id = ?1 AND format_id = ?2",
        )?;
        let mut rows = all.query([self.origin_id, self.format_id])?;
        let (mut doomed, mut of) = (Vec::new(), 0);
        let mut spared: BTreeMap<Noun, u64> = BTreeMap::new();
        let mut unknown = 0;
        while let Some(found) = rows.next()? {
            of += 1;
            let (row, id) = (found.get(0)?, found.get(1)?);
            if self.documents.holds(row, id) {
                continue;
            }
            let noun: String = found.get(2)?;
            match noun.parse::<Noun>() {
                Ok(known) if self.uncovered.contains(&known) => {
                    *spared.entry(known).or_default() += 1;
                }
                Ok(_) => doomed.push(Doomed {
                    row,
                    grave: Grave {
                        id,
                        noun,
                        kind_id: None,
                        start_ms: found.get(3)?,
                        category_id: None,
                    },
                }),
                Err(_) => unknown += 1,
            }
        }
        for (noun, count) in spared {
            let reason = format!(
                "{} that the file does not cover (not deleted)",
                noun.plural()
            );
            self.skip(0, count, reason.into());
        }
        let reason = "documents of a kind that this version does not know (not deleted)";
        self.skip(0, unknown, reason.into());
        Ok((doomed, of))
    }

    /// Documents of a workout that goes are changed by that.
    fn release(&mut self, workout: i64) -> Result<(), StoreError> {
        let mut of = self
            .transaction
            .prepare_cached("SELECT document_id FROM document WHERE workout_id = ?1")?;
        let documents: Vec<i64> = of
            .query_map([workout], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for document in documents {
            self.samples.seq += 1;
            self.transaction
                .prepare_cached("UPDATE document SET seq = ?2 WHERE document_id = ?1")?
                .execute([document, self.samples.seq])?;
        }
        Ok(())
    }

    fn bury(&mut self, grave: &Grave) -> Result<(), StoreError> {
        self.samples.seq += 1;
        self.transaction
            .prepare_cached(
                "INSERT INTO tombstone
                 (seq, kind_id, id, noun, origin_id, start_ms, category_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                self.samples.seq,
                grave.kind_id,
                grave.id,
                grave.noun,
                self.origin_id,
                grave.start_ms,
                grave.category_id
            ])?;
        Ok(())
    }
}

fn length(doomed: &[Doomed]) -> u64 {
    unsigned(i64::try_from(doomed.len()).unwrap_or(i64::MAX))
}
