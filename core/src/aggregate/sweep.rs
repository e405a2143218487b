//! Whose an instant is: a walk over samples in the order of their start.
//!
//! For each key (a source by its rank, or a source and a stage) a clock runs while the key is the
//! best of those that have a sample under way. The part of a sample that belongs to its key is what
//! its key's clock has gone on between the sample's start and its end: whole milliseconds, so a
//! sample that nobody hides counts with its exact value.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BinaryHeap},
};

use super::TooManyOverlaps;

/// Samples under way at once.
pub(super) const MOST: usize = 100_000;

/// The part of a sample that belongs to its key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part<K> {
    pub(super) key: K,
    /// The sample's value.
    pub(super) value: f64,
    /// How much of its time, milliseconds; never 0.
    pub(super) visible_ms: i64,
    /// All of its time.
    pub(super) length_ms: i64,
    /// No part of this sample came before.
    pub(super) is_first: bool,
}

impl<K> Part<K> {
    /// The share of the value; exact when the sample is whole.
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "a length is far below 2^53 ms, and a share is not exact anyway"
    )]
    pub(super) fn share(&self) -> f64 {
        if self.visible_ms == self.length_ms {
            return self.value;
        }
        self.value * (self.visible_ms as f64 / self.length_ms as f64)
    }
}

#[derive(Debug)]
struct Active<K> {
    end_ms: i64,
    key: K,
    value: f64,
    length_ms: i64,
    /// Its key's clock when it was looked at last.
    mark_ms: i64,
    is_fresh: bool,
}

impl<K> PartialEq for Active<K> {
    fn eq(&self, other: &Self) -> bool {
        self.end_ms == other.end_ms
    }
}

impl<K> Eq for Active<K> {}

impl<K> PartialOrd for Active<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Active<K> {
    /// The heap gives the earliest end first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.end_ms.cmp(&self.end_ms)
    }
}

/// What is under way at one instant. Smaller keys hide larger ones.
#[derive(Debug)]
pub(super) struct Sweep<K> {
    now_ms: i64,
    active: BinaryHeap<Active<K>>,
    /// How many samples of each key are under way.
    present: BTreeMap<K, u32>,
    /// How long each key was the best.
    clocks: BTreeMap<K, i64>,
}

impl<K> Default for Sweep<K> {
    fn default() -> Self {
        Self {
            now_ms: i64::MIN,
            active: BinaryHeap::new(),
            present: BTreeMap::new(),
            clocks: BTreeMap::new(),
        }
    }
}

impl<K: Copy + Ord> Sweep<K> {
    /// Whether no sample is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.active.is_empty()
    }

    /// A sample begins; [`Sweep::advance`] to its start comes before.
    pub(super) fn enter(
        &mut self,
        (start_ms, end_ms): (i64, i64),
        key: K,
        value: f64,
    ) -> Result<(), TooManyOverlaps> {
        if self.active.len() >= MOST {
            return Err(TooManyOverlaps);
        }
        let end_ms = end_ms.max(start_ms.saturating_add(1));
        self.now_ms = self.now_ms.max(start_ms);
        let mark_ms = self.clocks.get(&key).copied().unwrap_or_default();
        *self.present.entry(key).or_default() += 1;
        self.active.push(Active {
            end_ms,
            key,
            value,
            length_ms: end_ms.saturating_sub(start_ms),
            mark_ms,
            is_fresh: true,
        });
        Ok(())
    }

    /// Goes on to an instant; samples that end until then are handed to `sink`.
    pub(super) fn advance(&mut self, to_ms: i64, sink: &mut dyn FnMut(Part<K>)) {
        while self
            .active
            .peek()
            .is_some_and(|active| active.end_ms <= to_ms)
        {
            let Some(ended) = self.active.pop() else {
                break;
            };
            self.run(ended.end_ms);
            self.give(&ended, sink);
            if let Some(count) = self.present.get_mut(&ended.key) {
                *count -= 1;
                if *count == 0 {
                    self.present.remove(&ended.key);
                }
            }
        }
        self.run(to_ms);
    }

    /// Hands on what the samples under way have so far: a bucket ends here.
    pub(super) fn cut(&mut self, sink: &mut dyn FnMut(Part<K>)) {
        let mut active = std::mem::take(&mut self.active).into_vec();
        for one in &mut active {
            if self.give(one, sink) {
                one.is_fresh = false;
            }
            one.mark_ms = self.clocks.get(&one.key).copied().unwrap_or_default();
        }
        self.active = active.into();
    }

    /// How long each key was the best since the last call, and not nothing.
    pub(super) fn take_clocks(&mut self) -> Vec<(K, i64)> {
        let clocks: Vec<_> = self
            .clocks
            .iter()
            .map(|(key, clock_ms)| (*key, *clock_ms))
            .filter(|(_, clock_ms)| *clock_ms > 0)
            .collect();
        self.clocks.clear();
        for one in std::mem::take(&mut self.active).into_vec() {
            // Marks are places on the clocks that were taken.
            self.active.push(Active { mark_ms: 0, ..one });
        }
        clocks
    }

    /// The best key's clock goes on.
    fn run(&mut self, to_ms: i64) {
        if to_ms <= self.now_ms {
            return;
        }
        if let Some((best, _)) = self.present.first_key_value() {
            *self.clocks.entry(*best).or_default() += to_ms.saturating_sub(self.now_ms);
        }
        self.now_ms = to_ms;
    }

    fn give(&self, active: &Active<K>, sink: &mut dyn FnMut(Part<K>)) -> bool {
        let clock_ms = self.clocks.get(&active.key).copied().unwrap_or_default();
        let visible_ms = clock_ms - active.mark_ms;
        if visible_ms <= 0 {
            return false;
        }
        sink(Part {
            key: active.key,
            value: active.value,
            visible_ms,
            length_ms: active.length_ms,
            is_first: active.is_fresh,
        });
        true
    }
}
