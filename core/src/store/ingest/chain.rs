//! Finding the workout, correlation or document that an incoming one is.
//!
//! The rule is that of samples. There are few of these, so the ones that would be updates wait in
//! memory for the end of the file; beyond a bound they no longer wait. Of one key only so many are
//! kept as are compared with each other: comparing more of them would let a hostile file take hours.

use std::{borrow::Cow, collections::HashSet};

use rusqlite::{Connection, params};

use super::samples::CHAIN;
use crate::{
    identity::{self, Id, Key, MAX_ORDINAL},
    store::Tally,
};

/// How many wait at most.
const WAITING: usize = 100;

/// A stored thing of some key; what it says is looked at only if the file has not met it.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    id: Id,
    row: i64,
}

/// The rows of a key, by ordinal; one more than are looked at, if there are more.
pub(super) fn candidates(
    connection: &Connection,
    table: &'static str,
    key: Key,
) -> rusqlite::Result<Vec<Candidate>> {
    let sql = format!(
        "SELECT {table}_id, id FROM {table} WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3"
    );
    let limit = i64::try_from(CHAIN).unwrap_or(i64::MAX).saturating_add(1);
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![key.id(0), key.id(MAX_ORDINAL), limit], |row| {
        Ok(Candidate {
            row: row.get(0)?,
            id: row.get(1)?,
        })
    })?;
    rows.collect()
}

/// What an incoming thing is to a stored one of its key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// It says the same.
    Same,
    /// It may be what the stored one has become.
    Changed,
    /// It is another thing of the same time and writer.
    Another,
}

impl Likeness {
    /// Of things of which there is no other of the same key.
    pub(super) fn of(is_same: bool) -> Self {
        if is_same { Self::Same } else { Self::Changed }
    }
}

/// Where an incoming thing belongs.
pub(super) enum Place {
    /// It is there, and the same.
    Same(i64),
    /// It is there, with other content.
    Changed(i64),
    /// It is new and gets this ordinal.
    New(u32),
    /// The end of the file will show.
    Wait,
    /// Nowhere: there are too many of its key.
    Beyond,
}

/// Things that wait for the end of the file, the rows that were met, and what became of them all.
pub(super) struct Matcher<T> {
    met: HashSet<i64>,
    waiting: Vec<(Key, T)>,
    /// Keys of which the file holds more than are compared.
    full: HashSet<Key>,
    /// How many were not kept because of that.
    beyond: u64,
    pub(super) tally: Tally,
}

impl<T> Default for Matcher<T> {
    fn default() -> Self {
        Self {
            met: HashSet::new(),
            waiting: Vec::new(),
            full: HashSet::new(),
            beyond: 0,
            tally: Tally::default(),
        }
    }
}

impl<T> Matcher<T> {
    /// The rule. `candidates` are the rows of the key; `compare` looks at one of them.
    pub(super) fn place(
        &mut self,
        (key, candidates): (Key, &[Candidate]),
        mut compare: impl FnMut(i64) -> rusqlite::Result<Likeness>,
        at_end: bool,
    ) -> rusqlite::Result<Place> {
        let seen = candidates.get(..CHAIN).unwrap_or(candidates);
        let mut first = None;
        for Candidate { row, .. } in seen {
            if self.met.contains(row) {
                continue;
            }
            match compare(*row)? {
                Likeness::Same => {
                    self.met.insert(*row);
                    self.tally.unchanged += 1;
                    return Ok(Place::Same(*row));
                }
                Likeness::Changed => first = first.or(Some(*row)),
                Likeness::Another => {}
            }
        }
        Ok(match first {
            Some(_) if !at_end && self.waiting.len() < WAITING => Place::Wait,
            Some(row) => {
                self.met.insert(row);
                self.tally.updated += 1;
                Place::Changed(row)
            }
            None if seen.len() >= CHAIN => {
                self.full.insert(key);
                self.beyond += 1;
                self.tally.read = self.tally.read.saturating_sub(1);
                Place::Beyond
            }
            None => {
                let last = seen.last().map(|candidate| identity::ordinal(candidate.id));
                self.tally.new += 1;
                Place::New(last.map_or(0, |last| last + 1))
            }
        })
    }

    /// Whether the file holds a row for all that is known of it: it was met, or it is one of more
    /// than are compared.
    pub(super) fn holds(&self, row: i64, id: Id) -> bool {
        self.met.contains(&row) || self.full.contains(&Key::of_id(id))
    }

    /// How many were not kept, and why.
    pub(super) fn beyond(&self, plural: &str) -> (u64, Cow<'static, str>) {
        let reason = format!("{plural} beyond {CHAIN} of one time and writer (not kept)");
        (self.beyond, reason.into())
    }

    /// A new row stands in the table.
    pub(super) fn made(&mut self, row: i64) {
        self.met.insert(row);
    }

    pub(super) fn wait(&mut self, key: Key, thing: T) {
        self.waiting.push((key, thing));
    }

    pub(super) fn take_waiting(&mut self) -> Vec<(Key, T)> {
        std::mem::take(&mut self.waiting)
    }
}
