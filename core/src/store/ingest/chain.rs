//! Finding the workout, correlation or document that an incoming one is.
//!
//! The rule is that of samples. There are few of these, so the ones that would be updates wait in
//! memory for the end of the file; beyond a bound they no longer wait.

use std::collections::HashSet;

use crate::{
    identity::{self, Id, Key},
    store::Tally,
};

/// How many wait at most.
const WAITING: usize = 100;

/// A stored thing of some key: its id, its row, and whether this file has met it already.
pub(super) struct Candidate<C> {
    pub(super) id: Id,
    pub(super) row: i64,
    pub(super) content: C,
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
}

/// Things that wait for the end of the file, the rows that were met, and what became of them all.
pub(super) struct Matcher<T> {
    met: HashSet<i64>,
    waiting: Vec<(Key, T)>,
    pub(super) tally: Tally,
}

impl<T> Default for Matcher<T> {
    fn default() -> Self {
        Self {
            met: HashSet::new(),
            waiting: Vec::new(),
            tally: Tally::default(),
        }
    }
}

impl<T> Matcher<T> {
    /// The rule. `candidates` are all rows of the key, by ordinal.
    pub(super) fn place<C>(
        &mut self,
        candidates: &[Candidate<C>],
        equals: impl Fn(&C) -> bool,
        at_end: bool,
    ) -> Place {
        let unmet = || {
            candidates
                .iter()
                .filter(|candidate| !self.met.contains(&candidate.row))
        };
        if let Some(same) = unmet().find(|candidate| equals(&candidate.content)) {
            let row = same.row;
            self.met.insert(row);
            self.tally.unchanged += 1;
            return Place::Same(row);
        }
        let first = unmet().next().map(|candidate| candidate.row);
        match first {
            Some(_) if !at_end && self.waiting.len() < WAITING => Place::Wait,
            Some(row) => {
                self.met.insert(row);
                self.tally.updated += 1;
                Place::Changed(row)
            }
            None => {
                let last = candidates
                    .last()
                    .map(|candidate| identity::ordinal(candidate.id));
                self.tally.new += 1;
                Place::New(last.map_or(0, |last| last + 1))
            }
        }
    }

    /// The rows that the file has met.
    pub(super) fn rows(&self) -> &HashSet<i64> {
        &self.met
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
