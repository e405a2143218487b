//! Spread of what does not add up: heart rate, weight.

use std::collections::BTreeMap;

use super::{Bucket, Calendar, Entry, Figure, Sink, Value};

/// All series in the same bucket.
#[derive(Debug)]
pub(super) struct Discrete {
    calendar: Calendar,
    /// Values are levels in decibel.
    levels: bool,
    bucket: Option<Bucket>,
    series: BTreeMap<u32, Spread>,
}

#[derive(Debug)]
struct Spread {
    count: u64,
    sum: f64,
    /// What `sum` is divided by.
    weight: f64,
    min: f64,
    max: f64,
}

impl Discrete {
    pub(super) const fn new(calendar: Calendar, levels: bool) -> Self {
        Self {
            calendar,
            levels,
            bucket: None,
            series: BTreeMap::new(),
        }
    }

    pub(super) fn push(&mut self, entry: &Entry, value: f64, sink: &mut Sink<'_>) {
        if self
            .bucket
            .is_some_and(|bucket| bucket.end_ms <= entry.start_ms)
        {
            self.finish(sink);
        }
        if self.bucket.is_none() {
            self.bucket = Some(self.calendar.bucket(entry.start_ms));
        }
        let (weighted, weight) = if self.levels {
            // Equivalent continuous level: the mean of the energy over time (IEC 61672-1).
            let length_s = seconds(entry.end_ms.saturating_sub(entry.start_ms).max(1));
            (length_s * 10_f64.powf(value / 10.0), length_s)
        } else {
            (value, 1.0)
        };
        let spread = self.series.entry(entry.series).or_insert(Spread {
            count: 0,
            sum: 0.0,
            weight: 0.0,
            min: value,
            max: value,
        });
        spread.count += 1;
        spread.sum += weighted;
        spread.weight += weight;
        spread.min = spread.min.min(value);
        spread.max = spread.max.max(value);
    }

    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        let Some(bucket) = self.bucket.take() else {
            return;
        };
        for (series, spread) in std::mem::take(&mut self.series) {
            let mean = spread.sum / spread.weight;
            let average = if self.levels {
                10.0 * mean.log10()
            } else {
                mean
            };
            let told = sink(Figure {
                bucket,
                series,
                category: None,
                count: spread.count,
                value: Value::Spread {
                    // Rounding must not carry a mean beyond its own values.
                    average: average.clamp(spread.min, spread.max),
                    min: spread.min,
                    max: spread.max,
                },
            });
            if told.is_break() {
                return;
            }
        }
    }
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a length is far below 2^53 ms"
)]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}
