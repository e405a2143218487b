//! Totals over hours, days, weeks, months and years, as the Health app shows them.
//!
//! Samples of one type come in the order of their start; figures leave in the order of time.
//!
//! ```text
//! Entry ──► quantity, cumulative ──► sweep: each instant belongs to the best source ──► total
//!      ├──► quantity, discrete ──────────────────────────────────────────► average, min, max
//!      ├──► category ──────────────► sweep, one track a value ───────────────────► duration
//!      └──► sleep, over days ──────► sweep, stages apart from inBed ──► duration by wake date
//! ```
//!
//! # Rules
//!
//! - **Cumulative** (steps, energy): an instant belongs to the best source that has a sample there.
//!   A sample counts with the part of its time that belongs to its source: a third hidden, a third
//!   lost. So gaps of the preferred source are filled from the next one. Samples of one source are
//!   added up, also where they overlap. A sample that crosses the edge of a bucket is shared out by
//!   time. A sample without a length is taken to last one millisecond.
//! - **Discrete** (heart rate, weight): smallest, largest and the plain mean of all samples that
//!   start in the bucket, whatever their source; levels in dBASPL have their equivalent continuous
//!   level (the mean of the energy over time) in place of the mean.
//! - **Categories**: the time that each value covers, counted once where samples overlap, by the
//!   same priority. Values do not hide one another.
//! - **Sleep** over days and longer: samples with less than three hours between them are one sleep,
//!   which belongs to the day on which it ends. The best source decides the stage of an instant;
//!   `inBed` is counted beside the stages.
//!
//! Memory: what is under way at one instant, never the whole of it. An entry must not start before
//! the one before it.

mod category;
mod cumulative;
mod discrete;
mod night;
mod period;
mod source;
mod sweep;
mod table;

pub(crate) use self::{
    discrete::{Discrete, HOUR_MS, Spread},
    table::{TotalsBuilder, TotalsRow},
};
pub use self::{
    night::GAP_MS,
    period::{Bucket, Calendar, Period, UnknownPeriod, UnknownZone, zone},
    source::{Named, SourceClass, classify},
    table::{TOTALS_VERSION, TotalsBatch, totals_schema},
};

use std::ops::ControlFlow;

use self::{category::Categories, cumulative::Cumulative, night::Nights};
use crate::kind::Style;

/// One sample, as far as totals need it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// Start, milliseconds UTC.
    pub start_ms: i64,
    /// End, same unit.
    pub end_ms: i64,
    /// What it may be added up with: a number for each pair of origin and unit. Figures of one
    /// bucket leave in this order.
    pub series: u32,
    /// Place of its source in the order of priority; 0 is the best.
    pub rank: u32,
    /// What it says.
    pub content: Content,
}

/// What a sample says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Content {
    /// A number in the unit of its series.
    Quantity(f64),
    /// The number of a category value, which the caller gave.
    Category(u32),
}

/// What one bucket of one series holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Which stretch of time.
    pub bucket: Bucket,
    /// As the entries had it.
    pub series: u32,
    /// As the entries had it; `None` for quantities.
    pub category: Option<u32>,
    /// Samples that contributed; one that crosses buckets counts where it contributes first.
    pub count: u64,
    /// The numbers.
    pub value: Value,
}

/// The numbers of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Of a cumulative type, in the unit of its series.
    Total(f64),
    /// Of a discrete type, in the unit of its series.
    Spread {
        /// The mean.
        average: f64,
        /// The smallest value.
        min: f64,
        /// The largest value.
        max: f64,
    },
    /// Of a category value, milliseconds.
    Duration(i64),
}

/// More samples are under way at one instant than can be merged in bounded memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {} samples of one type overlap at one instant", sweep::MOST)]
pub struct TooManyOverlaps;

/// Where figures go. After `Break` nobody wants more: the aggregator does nothing further, and is
/// to be dropped.
pub type Sink<'s> = dyn FnMut(Figure) -> ControlFlow<()> + 's;

/// What a sleep sample says, for the rules of sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Named stages win over "some sleep" of the same source.
    Rem,
    /// Deep.
    Deep,
    /// Core.
    Core,
    /// Awake, between two stages.
    Awake,
    /// Asleep, and nothing more is known; also values of later versions.
    Asleep,
    /// In bed, asleep or not.
    InBed,
}

impl Stage {
    /// The stage of HealthKit's value, without its prefix.
    pub fn of(category: &str) -> Self {
        match category {
            "inBed" => Self::InBed,
            "awake" => Self::Awake,
            "asleepCore" => Self::Core,
            "asleepDeep" => Self::Deep,
            "asleepREM" => Self::Rem,
            _ => Self::Asleep,
        }
    }
}

/// Adds up the samples of one type.
#[derive(Debug)]
pub struct Aggregator {
    cumulative: bool,
    by_wake_date: bool,
    sums: Cumulative,
    spreads: Discrete,
    categories: Categories,
    nights: Nights,
}

impl Aggregator {
    /// Of one type; `is_sleep` chooses the rules of sleep.
    pub fn new(style: Style, is_sleep: bool, calendar: &Calendar) -> Self {
        Self {
            cumulative: style == Style::Cumulative,
            by_wake_date: is_sleep && calendar.period() != Period::Hourly,
            sums: Cumulative::new(calendar.clone()),
            spreads: Discrete::new(calendar.clone(), style == Style::Level),
            categories: Categories::new(calendar.clone(), is_sleep),
            nights: Nights::new(calendar.clone()),
        }
    }

    /// What a category number means for sleep; needed for sleep alone, and before its first entry.
    pub fn stage(&mut self, category: u32, stage: Stage) {
        self.categories.stage(category, stage);
        self.nights.stage(category, stage);
    }

    /// Takes the next sample.
    pub fn push(&mut self, entry: &Entry, sink: &mut Sink<'_>) -> Result<(), TooManyOverlaps> {
        match entry.content {
            Content::Quantity(value) if self.cumulative => self.sums.push(entry, value, sink),
            Content::Quantity(value) => {
                self.spreads.push(entry, value, sink);
                Ok(())
            }
            Content::Category(category) if self.by_wake_date => {
                self.nights.push(entry, category, sink)
            }
            Content::Category(category) => self.categories.push(entry, category, sink),
        }
    }

    /// There are no more samples.
    pub fn finish(&mut self, sink: &mut Sink<'_>) {
        self.sums.finish(sink);
        self.spreads.finish(sink);
        self.categories.finish(sink);
        self.nights.finish(sink);
    }
}

#[cfg(test)]
mod tests;
