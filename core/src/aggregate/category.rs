//! How long each value of a category covers.

use std::{collections::BTreeMap, ops::ControlFlow};

use super::{
    Bucket, Calendar, Entry, Figure, Sink, Stage, TooManyOverlaps, Value,
    sweep::{Part, Sweep},
};

/// A source and what it says. The stage orders what one source says of one instant.
pub(super) type Key = (u32, Stage, u32);

/// The tracks of one series: what is on different tracks does not hide each other.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    sweeps: BTreeMap<u32, Sweep<Key>>,
    counts: BTreeMap<u32, u64>,
}

/// The track of all stages; other tracks have the number of their category.
const STAGES: u32 = u32::MAX;

/// What one category value got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Covered {
    pub(super) count: u64,
    pub(super) duration_ms: i64,
}

impl Tracks {
    /// Takes a sample; `stage` for sleep alone.
    pub(super) fn enter(
        &mut self,
        entry: &Entry,
        category: u32,
        stage: Option<Stage>,
    ) -> Result<(), TooManyOverlaps> {
        let track = match stage {
            None | Some(Stage::InBed) => category,
            Some(_) => STAGES,
        };
        let key = (entry.rank, stage.unwrap_or(Stage::Asleep), category);
        let counts = &mut self.counts;
        let sweep = self.sweeps.entry(track).or_default();
        sweep.advance(entry.start_ms, &mut |part| count(counts, &part));
        sweep.enter((entry.start_ms, entry.end_ms), key, 0.0)
    }

    /// What was covered since the last call, up to `to_ms`, by category.
    pub(super) fn take(&mut self, to_ms: i64) -> BTreeMap<u32, Covered> {
        let mut covered: BTreeMap<u32, Covered> = BTreeMap::new();
        let counts = &mut self.counts;
        for sweep in self.sweeps.values_mut() {
            sweep.advance(to_ms, &mut |part| count(counts, &part));
            sweep.cut(&mut |part| count(counts, &part));
            for ((_, _, category), clock_ms) in sweep.take_clocks() {
                covered.entry(category).or_default().duration_ms += clock_ms;
            }
        }
        for (category, count) in std::mem::take(counts) {
            covered.entry(category).or_default().count += count;
        }
        covered
    }

    pub(super) fn is_idle(&self) -> bool {
        self.sweeps.values().all(Sweep::is_idle)
    }
}

fn count(counts: &mut BTreeMap<u32, u64>, part: &Part<Key>) {
    *counts.entry(part.key.2).or_default() += u64::from(part.is_first);
}

/// Figures of one series and bucket.
pub(super) fn tell(
    bucket: Bucket,
    series: u32,
    covered: &BTreeMap<u32, Covered>,
    sink: &mut Sink<'_>,
) -> ControlFlow<()> {
    for (category, covered) in covered {
        sink(Figure {
            bucket,
            series,
            category: Some(*category),
            count: covered.count,
            value: Value::Duration(covered.duration_ms),
        })?;
    }
    ControlFlow::Continue(())
}

/// All series in the same bucket.
#[derive(Debug)]
pub(super) struct Categories {
    calendar: Calendar,
    is_sleep: bool,
    stages: BTreeMap<u32, Stage>,
    bucket: Option<Bucket>,
    series: BTreeMap<u32, Tracks>,
}

impl Categories {
    pub(super) const fn new(calendar: Calendar, is_sleep: bool) -> Self {
        Self {
            calendar,
            is_sleep,
            stages: BTreeMap::new(),
            bucket: None,
            series: BTreeMap::new(),
        }
    }

    pub(super) fn stage(&mut self, category: u32, stage: Stage) {
        self.stages.insert(category, stage);
    }

    pub(super) fn push(
        &mut self,
        entry: &Entry,
        category: u32,
        sink: &mut Sink<'_>,
    ) -> Result<(), TooManyOverlaps> {
        self.close_until(entry.start_ms, sink);
        if self.bucket.is_none() {
            self.bucket = Some(self.calendar.bucket(entry.start_ms));
        }
        let stage = self
            .is_sleep
            .then(|| self.stages.get(&category).copied().unwrap_or(Stage::Asleep));
        let tracks = self.series.entry(entry.series).or_default();
        tracks.enter(entry, category, stage)
    }

    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        self.close_until(i64::MAX, sink);
    }

    fn close_until(&mut self, now_ms: i64, sink: &mut Sink<'_>) {
        while let Some(bucket) = self.bucket.filter(|bucket| bucket.end_ms <= now_ms) {
            let mut is_idle = true;
            for (series, tracks) in &mut self.series {
                let covered = tracks.take(bucket.end_ms);
                is_idle &= tracks.is_idle();
                if tell(bucket, *series, &covered, sink).is_break() {
                    return;
                }
            }
            self.bucket = if is_idle || bucket.end_ms == i64::MAX {
                None
            } else {
                Some(self.calendar.bucket(bucket.end_ms))
            };
        }
    }
}
