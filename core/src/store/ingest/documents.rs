//! Writing documents, with their series.

use std::{borrow::Cow, collections::BTreeMap};

use rusqlite::{Connection, params};

use super::{
    chain::{Likeness, Matcher, Place, candidates},
    names::Names,
};
use crate::{
    document::{Document, Noun},
    identity::{Id, Key},
    series::Series,
    store::Tally,
};

/// What makes two documents of one key equal.
struct Content {
    body: String,
    halves: Option<String>,
    digest: Option<[u8; 32]>,
}

/// A document on its way, and the row of its workout, once that is known.
struct Owned {
    document: Box<Document>,
    digest: Option<[u8; 32]>,
}

pub(super) struct Documents<'t> {
    connection: &'t Connection,
    origin_id: i64,
    format_id: i64,
    matchers: BTreeMap<Noun, Matcher<Owned>>,
    /// Rows whose workout was not settled yet: row, the workout's number in the file, and whether
    /// the row was written.
    orphans: Vec<(i64, u64, bool)>,
}

impl<'t> Documents<'t> {
    pub(super) fn new(connection: &'t Connection, origin_id: i64, format_id: i64) -> Self {
        Self {
            connection,
            origin_id,
            format_id,
            matchers: BTreeMap::new(),
            orphans: Vec::new(),
        }
    }

    /// `workout` says which row the workout with this number of the file got.
    pub(super) fn take(
        &mut self,
        document: Box<Document>,
        key: Key,
        names: &mut Names<'_>,
        seq: &mut i64,
        workout: &impl Fn(u64) -> Option<i64>,
    ) -> rusqlite::Result<()> {
        let digest = document.series.as_ref().map(Series::digest);
        self.matcher(document.noun).tally.read += 1;
        // What has a series is too heavy to wait.
        let at_end = digest.is_some();
        let owned = Owned { document, digest };
        self.put(owned, key, names, seq, (workout, at_end))
    }

    pub(super) fn settle(
        &mut self,
        names: &mut Names<'_>,
        seq: &mut i64,
        workout: &impl Fn(u64) -> Option<i64>,
    ) -> rusqlite::Result<()> {
        let waiting: Vec<_> = self
            .matchers
            .values_mut()
            .flat_map(Matcher::take_waiting)
            .collect();
        for (key, owned) in waiting {
            self.put(owned, key, names, seq, (workout, true))?;
        }
        for (row, number, is_new) in std::mem::take(&mut self.orphans) {
            if let Some(found) = workout(number) {
                self.link(row, found, is_new, seq)?;
            }
        }
        Ok(())
    }

    /// What became of the documents, by noun.
    pub(super) fn tallies(&self) -> BTreeMap<Noun, Tally> {
        let tallies = self.matchers.iter();
        tallies
            .map(|(noun, matcher)| (*noun, matcher.tally))
            .collect()
    }

    /// As [`Matcher::holds`].
    pub(super) fn holds(&self, row: i64, id: Id) -> bool {
        self.matchers.values().any(|matcher| matcher.holds(row, id))
    }

    /// How many were not kept, and why.
    pub(super) fn beyond(&self) -> Vec<(u64, Cow<'static, str>)> {
        let matchers = self.matchers.iter();
        matchers
            .map(|(noun, matcher)| matcher.beyond(noun.plural()))
            .collect()
    }

    fn matcher(&mut self, noun: Noun) -> &mut Matcher<Owned> {
        self.matchers.entry(noun).or_default()
    }

    fn put(
        &mut self,
        mut owned: Owned,
        key: Key,
        names: &mut Names<'_>,
        seq: &mut i64,
        (workout, at_end): (&impl Fn(u64) -> Option<i64>, bool),
    ) -> rusqlite::Result<()> {
        let connection = self.connection;
        let rows = candidates(connection, "document", key)?;
        let compare = |row| {
            let content = content(connection, row)?;
            let Owned { document, digest } = &owned;
            // Points that are not at hand say nothing about those that are kept.
            let is_same = (digest.is_none() || content.digest == *digest)
                && document
                    .body
                    .equals(&content.body, content.halves.as_deref());
            Ok(if is_same || may_become(&content, document) {
                Likeness::of(is_same)
            } else {
                Likeness::Another
            })
        };
        let matcher = self.matcher(owned.document.noun);
        let (row, is_new) = match matcher.place((key, &rows), compare, at_end)? {
            Place::Same(row) => (row, false),
            Place::Beyond => return Ok(()),
            Place::Wait => {
                matcher.wait(key, owned);
                return Ok(());
            }
            Place::Changed(row) => {
                *seq += 1;
                let before = content(connection, row)?;
                owned.document.body.keep_what_is_not_at_hand(&before.body);
                self.change(row, &owned, *seq)?;
                self.write_series(row, &owned.document)?;
                (row, true)
            }
            Place::New(ordinal) => {
                *seq += 1;
                let row = self.insert(key.id(ordinal), &owned, names, *seq)?;
                self.matcher(owned.document.noun).made(row);
                self.write_series(row, &owned.document)?;
                (row, true)
            }
        };
        if let Some(number) = owned.document.workout {
            match workout(number) {
                Some(found) => self.link(row, found, is_new, seq)?,
                None => self.orphans.push((row, number, is_new)),
            }
        }
        Ok(())
    }

    /// Says which workout a document belongs to. For one that was there that is a change, but none
    /// of what it says: its workout may have been deleted and come again.
    fn link(&self, row: i64, workout: i64, is_new: bool, seq: &mut i64) -> rusqlite::Result<()> {
        let before: Option<i64> = self
            .connection
            .prepare_cached("SELECT workout_id FROM document WHERE document_id = ?1")?
            .query_row([row], |row| row.get(0))?;
        if before == Some(workout) {
            return Ok(());
        }
        self.connection
            .prepare_cached("UPDATE document SET workout_id = ?2 WHERE document_id = ?1")?
            .execute([row, workout])?;
        if !is_new {
            *seq += 1;
            self.connection
                .prepare_cached("UPDATE document SET seq = ?2 WHERE document_id = ?1")?
                .execute([row, *seq])?;
        }
        Ok(())
    }

    fn insert(
        &self,
        id: Id,
        owned: &Owned,
        names: &mut Names<'_>,
        seq: i64,
    ) -> rusqlite::Result<i64> {
        let Owned { document, digest } = owned;
        let (source_id, device_id) = match &document.provenance {
            Some(writer) => {
                let (source, device) = names.writer(writer)?;
                (Some(source), device)
            }
            None => (None, None),
        };
        self.connection
            .prepare_cached(
                "INSERT INTO document (noun, id, seq, origin_id, format_id, start_ms, end_ms,
                                       local_date, source_id, device_id, created_ms, body, halves,
                                       metadata, points, digest)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            )?
            .execute(params![
                document.noun.as_str(),
                id,
                seq,
                self.origin_id,
                self.format_id,
                document.start_ms,
                document.end_ms,
                document.local_date,
                source_id,
                device_id,
                document.created_ms,
                document.body.to_json(),
                document.body.halves(),
                document.metadata.to_json(),
                points(document),
                digest,
            ])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn change(&self, row: i64, owned: &Owned, seq: i64) -> rusqlite::Result<()> {
        let Owned { document, digest } = owned;
        let connection = self.connection;
        // As above: what is not at hand stays.
        if digest.is_some() {
            connection.execute("DELETE FROM series WHERE document_id = ?1", [row])?;
        }
        connection.execute(
            "UPDATE document SET seq = ?2, created_ms = ?3, body = ?4, halves = ?5, metadata = ?6,
                                 points = iif(?8 IS NULL, points, ?7), digest = ifnull(?8, digest)
             WHERE document_id = ?1",
            params![
                row,
                seq,
                document.created_ms,
                document.body.to_json(),
                document.body.halves(),
                document.metadata.to_json(),
                points(document),
                digest,
            ],
        )?;
        Ok(())
    }

    fn write_series(&self, row: i64, document: &Document) -> rusqlite::Result<()> {
        let Some(series) = &document.series else {
            return Ok(());
        };
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO series (document_id, position, points, data) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for (position, chunk) in (0_i64..).zip(&series.chunks) {
            statement.execute(params![row, position, count(chunk.points), chunk.data])?;
        }
        Ok(())
    }
}

/// Whether a stored document of the same key may have become this one. A clinical record without an
/// identifier is known by its file alone: another one of the same clinic and second must not take
/// its place, and least of all its resource.
fn may_become(stored: &Content, document: &Document) -> bool {
    let id = document.external_id.as_deref();
    // Of a clinical record the identifier is the last line (`import::apple`).
    let has_id = id.is_some_and(|id| !id.is_empty() && !id.ends_with('\n'));
    document.noun != Noun::ClinicalRecord || has_id || document.body.is_of_file_of(&stored.body)
}

fn content(connection: &Connection, row: i64) -> rusqlite::Result<Content> {
    connection
        .prepare_cached("SELECT body, halves, digest FROM document WHERE document_id = ?1")?
        .query_row([row], |found| {
            Ok(Content {
                body: found.get(0)?,
                halves: found.get(1)?,
                digest: found.get(2)?,
            })
        })
}

fn points(document: &Document) -> i64 {
    let series = document.series.as_ref();
    series.map_or(0, |series| count(series.points()))
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
