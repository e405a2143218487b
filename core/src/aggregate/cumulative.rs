//! Totals of what adds up: steps, energy, distance.

use std::collections::BTreeMap;

use super::{
    Bucket, Calendar, Entry, Figure, Sink, TooManyOverlaps, Value,
    sweep::{Part, Sweep},
};

/// One sweep a series, all in the same bucket.
#[derive(Debug)]
pub(super) struct Cumulative {
    calendar: Calendar,
    bucket: Option<Bucket>,
    series: BTreeMap<u32, Series>,
}

#[derive(Debug, Default)]
struct Series {
    sweep: Sweep<u32>,
    sum: Sum,
}

#[derive(Debug, Default)]
struct Sum {
    total: f64,
    count: u64,
}

impl Sum {
    fn add(&mut self, part: &Part<u32>) {
        self.total += part.share();
        self.count += u64::from(part.is_first);
    }
}

impl Cumulative {
    pub(super) const fn new(calendar: Calendar) -> Self {
        Self {
            calendar,
            bucket: None,
            series: BTreeMap::new(),
        }
    }

    pub(super) fn push(
        &mut self,
        entry: &Entry,
        value: f64,
        sink: &mut Sink<'_>,
    ) -> Result<(), TooManyOverlaps> {
        self.close_until(entry.start_ms, sink);
        if self.bucket.is_none() {
            self.bucket = Some(self.calendar.bucket(entry.start_ms));
        }
        let Series { sweep, sum } = self.series.entry(entry.series).or_default();
        sweep.advance(entry.start_ms, &mut |part| sum.add(&part));
        sweep.enter((entry.start_ms, entry.end_ms), entry.rank, value)
    }

    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        self.close_until(i64::MAX, sink);
    }

    /// Closes the buckets that end until then.
    fn close_until(&mut self, now_ms: i64, sink: &mut Sink<'_>) {
        while let Some(bucket) = self.bucket.filter(|bucket| bucket.end_ms <= now_ms) {
            let mut is_idle = true;
            for (number, series) in &mut self.series {
                let Series { sweep, sum } = series;
                sweep.advance(bucket.end_ms, &mut |part| sum.add(&part));
                sweep.cut(&mut |part| sum.add(&part));
                is_idle &= sweep.is_idle();
                let sum = std::mem::take(sum);
                // The parts behind the edge have no count of their own.
                if sum.count > 0 || sum.total != 0.0 {
                    let told = sink(Figure {
                        bucket,
                        series: *number,
                        category: None,
                        count: sum.count,
                        value: Value::Total(sum.total),
                    });
                    if told.is_break() {
                        return;
                    }
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
