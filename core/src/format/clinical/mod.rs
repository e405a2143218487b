//! Samples for those who speak FHIR R4 or Open mHealth: only types that have a code there
//! ([`codes`]), each as one observation or data point. What has none is counted, never dropped in
//! silence.
//!
//! A blood pressure is one observation of two numbers: the store knows which records belong
//! together, so the caller hands on the pairs first ([`Clinical::pressure`]), and their records are
//! passed over when they come among the samples.

mod codes;
mod fhir;
mod number;
mod omh;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use arrow_array::Array as _;

use self::codes::{CODINGS, Coding, Measure};
use super::{FormatError, json::push_text as push_string};
use crate::{
    batch::{Columns, SampleBatch},
    kind::Kind,
    time::push_rfc3339,
};

/// Who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// FHIR R4: one Bundle of the type `collection`.
    Fhir,
    /// FHIR R4: one Observation a line.
    FhirLines,
    /// Open mHealth: an array of data points.
    OpenMHealth,
}

/// Two records that are one blood pressure.
#[derive(Clone, Debug, PartialEq)]
pub struct Pressure {
    /// Id of the pair.
    pub id: String,
    /// Ids of the two records.
    pub members: [String; 2],
    /// Start, milliseconds UTC.
    pub start_ms: i64,
    /// End, same unit.
    pub end_ms: i64,
    /// Who wrote it.
    pub source: String,
    /// Device, if it is known.
    pub device: Option<String>,
    /// When it was written on the phone, if that is known.
    pub created_ms: Option<i64>,
    /// mmHg.
    pub systolic: f64,
    /// mmHg.
    pub diastolic: f64,
}

/// Writes observations; constant memory but for the ids of the pairs.
#[derive(Debug)]
pub struct Clinical {
    standard: Standard,
    /// Now, milliseconds UTC.
    made_ms: i64,
    written: u64,
    paired: HashSet<u128>,
    left_out: BTreeMap<String, u64>,
}

/// Different types that are counted one by one.
const KINDS: usize = 1000;
/// Between 0001-01-01 and 9999-12-31, which is what both standards can say.
const SAYABLE_MS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

impl Clinical {
    /// `made_ms` is now, milliseconds UTC.
    pub fn new(standard: Standard, made_ms: i64) -> Self {
        Self {
            standard,
            made_ms,
            written: 0,
            paired: HashSet::new(),
            left_out: BTreeMap::new(),
        }
    }

    /// What stands before everything.
    pub fn start(&self, out: &mut Vec<u8>) {
        match self.standard {
            Standard::Fhir => fhir::start(self.made_ms, out),
            Standard::FhirLines => {}
            Standard::OpenMHealth => out.push(b'['),
        }
    }

    /// A blood pressure.
    pub fn pressure(&mut self, pressure: &Pressure, out: &mut Vec<u8>) {
        let members = pressure.members.iter().filter_map(|id| uuid(id));
        self.paired.extend(members);
        let finite = pressure.systolic.is_finite() && pressure.diastolic.is_finite();
        let sayable = |ms| SAYABLE_MS.contains(&ms);
        if !finite || !sayable(pressure.start_ms) || !sayable(pressure.end_ms) {
            self.leave_out("bloodPressure");
            return;
        }
        let facts = Facts {
            id: &pressure.id,
            start_ms: pressure.start_ms,
            end_ms: pressure.end_ms,
            source: &pressure.source,
            device: pressure.device.as_deref(),
            created_ms: pressure.created_ms.filter(|ms| sayable(*ms)),
        };
        let numbers = [pressure.systolic, pressure.diastolic];
        self.between(out);
        match self.standard {
            Standard::Fhir => fhir::entry(&facts, out, |out| fhir::pressure(&facts, numbers, out)),
            Standard::FhirLines => fhir::pressure(&facts, numbers, out),
            Standard::OpenMHealth => omh::pressure(&facts, numbers, self.made_ms, out),
        }
        self.close(out);
    }

    /// Samples, with their columns on demand.
    pub fn batch(&mut self, batch: &SampleBatch, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let columns = batch.view().map_err(FormatError::encode)?;
        let kinds: Vec<Option<&str>> = columns.kind.distinct().collect();
        // Each with the unit that the store keeps the type in.
        let codings: Vec<Option<(&Coding, &str)>> = kinds
            .iter()
            .map(|name| {
                let coding = CODINGS.iter().find(|coding| Some(coding.name) == *name)?;
                Some((coding, Kind::stored(coding.name).unit().unwrap_or_default()))
            })
            .collect();
        for row in 0..batch.len() {
            let key = columns.kind.key(row);
            let coding = key.and_then(|key| codings.get(key).copied().flatten());
            if uuid(columns.id.value(row)).is_some_and(|id| self.paired.contains(&id)) {
                continue;
            }
            // A unit that nobody knows is kept as it was printed: its number is none of ours.
            let coding = coding
                .filter(|(_, unit)| columns.unit.text(row).unwrap_or_default() == *unit)
                .map(|(coding, _)| coding);
            let said = coding.is_some_and(|coding| self.sample(coding, &columns, row, out));
            if !said {
                let name = key.and_then(|key| kinds.get(key).copied().flatten());
                self.leave_out(name.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// What stands behind everything.
    pub fn finish(&self, out: &mut Vec<u8>) {
        match self.standard {
            Standard::Fhir => fhir::finish(self.written > 0, out),
            Standard::FhirLines => {}
            Standard::OpenMHealth => out.extend_from_slice(b"]\n"),
        }
    }

    /// Observations so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Types that the standard has no word for (or not for that unit or value), and how many samples
    /// of each were not written.
    pub fn left_out(&self) -> impl Iterator<Item = (&str, u64)> {
        self.left_out.iter().map(|(name, count)| (&**name, *count))
    }

    /// Writes one sample; `false`: it cannot be said.
    fn sample(
        &mut self,
        coding: &Coding,
        columns: &Columns<'_>,
        row: usize,
        out: &mut Vec<u8>,
    ) -> bool {
        let sayable = |ms: &i64| SAYABLE_MS.contains(ms);
        let (start_ms, end_ms) = (columns.start.value(row), columns.end.value(row));
        let value = match coding.measure {
            Measure::Quantity { .. } => {
                let value = columns
                    .value
                    .is_valid(row)
                    .then(|| columns.value.value(row));
                value.filter(|value| value.is_finite()).map(Said::Number)
            }
            Measure::Category { .. } => {
                let name = columns.category.text(row);
                name.filter(|name| !plain(name).trim().is_empty())
                    .map(Said::Name)
            }
        };
        let Some(value) = value else {
            return false;
        };
        if !sayable(&start_ms) || !sayable(&end_ms) {
            return false;
        }
        let more = columns.more.as_ref();
        let facts = Facts {
            id: columns.id.value(row),
            start_ms,
            end_ms,
            source: columns.source.text(row).unwrap_or_default(),
            device: more.and_then(|more| more.device.text(row)),
            created_ms: more
                .filter(|more| more.created.is_valid(row))
                .map(|more| more.created.value(row))
                .filter(sayable),
        };
        if self.standard == Standard::OpenMHealth {
            let Some(body) = coding.body.as_ref().filter(|_| omh::can_say(&value)) else {
                return false;
            };
            self.between(out);
            omh::sample(coding, body, &facts, &value, self.made_ms, out);
        } else {
            self.between(out);
            let write = |out: &mut Vec<u8>| fhir::sample(coding, &facts, &value, out);
            if self.standard == Standard::Fhir {
                fhir::entry(&facts, out, write);
            } else {
                write(out);
            }
        }
        self.close(out);
        true
    }

    /// What separates this one from the one before.
    fn between(&self, out: &mut Vec<u8>) {
        match (self.standard, self.written) {
            (Standard::FhirLines, _) | (Standard::OpenMHealth, 0) => {}
            (Standard::Fhir, 0) => fhir::first(out),
            (Standard::Fhir | Standard::OpenMHealth, _) => out.extend_from_slice(b",\n"),
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        self.written = self.written.saturating_add(1);
        if self.standard == Standard::FhirLines {
            out.push(b'\n');
        }
    }

    fn leave_out(&mut self, name: &str) {
        if let Some(count) = self.left_out.get_mut(name) {
            *count = count.saturating_add(1);
            return;
        }
        let name = if self.left_out.len() < KINDS {
            name
        } else {
            "other types"
        };
        let count = self.left_out.entry(name.to_owned()).or_default();
        *count = count.saturating_add(1);
    }
}

/// What every observation says besides its value.
struct Facts<'a> {
    id: &'a str,
    start_ms: i64,
    end_ms: i64,
    source: &'a str,
    device: Option<&'a str>,
    created_ms: Option<i64>,
}

/// A value.
enum Said<'a> {
    Number(f64),
    Name(&'a str),
}

/// The digits of a UUID; `None`: it is none.
fn uuid(text: &str) -> Option<u128> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    (digits.len() == 32)
        .then(|| u128::from_str_radix(&digits, 16).ok())
        .flatten()
}

/// A text without control characters, which both standards forbid.
fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        Cow::Owned(text.chars().filter(|c| !c.is_control()).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Appends `"name":"text"`, the text [`plain`].
fn push_text(name: &str, text: &str, out: &mut Vec<u8>) {
    push_string(name, out);
    out.push(b':');
    push_string(&plain(text), out);
}

/// Appends `"name":"2026-01-10T05:00:00Z"`.
fn push_date(name: &str, ms: i64, out: &mut Vec<u8>) {
    push_string(name, out);
    out.extend_from_slice(b":\"");
    push_rfc3339(ms, out);
    out.push(b'"');
}

#[cfg(test)]
mod tests;
