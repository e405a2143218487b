//! Sleep by the day on which it ends.

use std::collections::BTreeMap;

use super::{
    Bucket, Calendar, Entry, Sink, Stage, TooManyOverlaps,
    category::{Covered, Tracks, tell},
};

/// Samples with less than this between them are one sleep: three hours.
pub const GAP_MS: i64 = 3 * 3_600_000;

/// Sleeps under way and those that have ended, by the bucket of their end.
#[derive(Debug)]
pub(super) struct Nights {
    calendar: Calendar,
    stages: BTreeMap<u32, Stage>,
    series: BTreeMap<u32, Sleep>,
    ended: BTreeMap<Bucket, BTreeMap<u32, BTreeMap<u32, Covered>>>,
}

#[derive(Debug)]
struct Sleep {
    tracks: Tracks,
    last_end_ms: i64,
}

impl Nights {
    pub(super) const fn new(calendar: Calendar) -> Self {
        Self {
            calendar,
            stages: BTreeMap::new(),
            series: BTreeMap::new(),
            ended: BTreeMap::new(),
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
        let stage = self.stages.get(&category).copied().unwrap_or(Stage::Asleep);
        let sleep = self.series.entry(entry.series).or_insert_with(|| Sleep {
            tracks: Tracks::default(),
            last_end_ms: i64::MIN,
        });
        let end_ms = entry.end_ms.max(entry.start_ms.saturating_add(1));
        sleep.last_end_ms = sleep.last_end_ms.max(end_ms);
        sleep.tracks.enter(entry, category, Some(stage))
    }

    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        self.close_until(i64::MAX, sink);
    }

    /// Ends the sleeps that nothing can continue any more, and hands on the buckets that no sleep
    /// can end in any more.
    fn close_until(&mut self, now_ms: i64, sink: &mut Sink<'_>) {
        let is_over = |end_ms: i64| now_ms == i64::MAX || now_ms.saturating_sub(end_ms) >= GAP_MS;
        let Self {
            calendar, ended, ..
        } = self;
        self.series.retain(|series, sleep| {
            if !is_over(sleep.last_end_ms) {
                return true;
            }
            // A sleep that ends at midnight ends with the day before.
            let bucket = calendar.bucket(sleep.last_end_ms.saturating_sub(1));
            let day = ended.entry(bucket).or_default().entry(*series).or_default();
            for (category, covered) in sleep.tracks.take(sleep.last_end_ms) {
                let known = day.entry(category).or_default();
                known.count += covered.count;
                known.duration_ms += covered.duration_ms;
            }
            false
        });
        while let Some((bucket, series)) = self.ended.pop_first() {
            if !is_over(bucket.end_ms) {
                self.ended.insert(bucket, series);
                break;
            }
            for (series, covered) in &series {
                if tell(bucket, *series, covered, sink).is_break() {
                    return;
                }
            }
        }
    }
}
