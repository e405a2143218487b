//! Spread of what does not add up: heart rate, weight.

use std::collections::{BTreeMap, btree_map::Entry as Entries};

use super::{Bucket, Calendar, Entry, Figure, Sink, Value};

/// Samples are added up in hours of UTC, and hours in buckets: so hours that were kept give the same sum
/// to the bit.
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// All series in the same bucket.
#[derive(Debug)]
pub(crate) struct Discrete {
    calendar: Calendar,
    /// Values are levels in decibel.
    levels: bool,
    bucket: Option<Bucket>,
    series: BTreeMap<u32, Sums>,
}

/// What some values of one series have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    count: u64,
    sum: f64,
    /// What `sum` is divided by.
    weight: f64,
    min: f64,
    max: f64,
}

/// One series in the present bucket.
#[derive(Debug)]
struct Sums {
    /// The hours before the present one.
    hours: Option<Spread>,
    /// Which hour since 1970.
    number: i64,
    hour: Spread,
}

impl Spread {
    /// Of one value.
    pub(crate) fn of(value: f64, length_ms: i64, levels: bool) -> Self {
        let (sum, weight) = if levels {
            // Equivalent continuous level: the mean of the energy over time (IEC 61672-1).
            let length_s = seconds(length_ms.max(1));
            (length_s * 10_f64.powf(value / 10.0), length_s)
        } else {
            (value, 1.0)
        };
        Self {
            count: 1,
            sum,
            weight,
            min: value,
            max: value,
        }
    }

    /// Takes in later values.
    pub(crate) fn join(&mut self, later: &Self) {
        self.count += later.count;
        self.sum += later.sum;
        self.weight += later.weight;
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
    }
}

impl Sums {
    fn whole(&self) -> Spread {
        match self.hours {
            None => self.hour,
            Some(mut whole) => {
                whole.join(&self.hour);
                whole
            }
        }
    }
}

impl Discrete {
    pub(crate) const fn new(calendar: Calendar, levels: bool) -> Self {
        Self {
            calendar,
            levels,
            bucket: None,
            series: BTreeMap::new(),
        }
    }

    pub(super) fn push(&mut self, entry: &Entry, value: f64, sink: &mut Sink<'_>) {
        let length_ms = entry.end_ms.saturating_sub(entry.start_ms);
        let spread = Spread::of(value, length_ms, self.levels);
        self.add(entry.start_ms, entry.series, spread, sink);
    }

    /// Takes values that all start in this hour, and in one bucket.
    pub(crate) fn add(&mut self, start_ms: i64, series: u32, spread: Spread, sink: &mut Sink<'_>) {
        if self.bucket.is_some_and(|bucket| bucket.end_ms <= start_ms) {
            self.finish(sink);
        }
        if self.bucket.is_none() {
            self.bucket = Some(self.calendar.bucket(start_ms));
        }
        let number = start_ms.div_euclid(HOUR_MS);
        let new = Sums {
            hours: None,
            number,
            hour: spread,
        };
        match self.series.entry(series) {
            Entries::Vacant(place) => {
                place.insert(new);
            }
            Entries::Occupied(mut place) => {
                let sums = place.get_mut();
                if sums.number == number {
                    sums.hour.join(&spread);
                } else {
                    let hours = Some(sums.whole());
                    *sums = Sums { hours, ..new };
                }
            }
        }
    }

    pub(crate) fn finish(&mut self, sink: &mut Sink<'_>) {
        let Some(bucket) = self.bucket.take() else {
            return;
        };
        for (series, sums) in std::mem::take(&mut self.series) {
            let spread = sums.whole();
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
