//! The points of a metric.
//!
//! # What becomes of sums and means
//!
//! The app sums or averages over minutes, hours or days unless it is told not to, and does not say
//! so in the file. Such a point is kept as what it is, and is never taken for a raw record: it
//! spans the time over which it was summed, its source ends in `(Health Auto Export)`, and its
//! metadata names the span. So totals see two sources that overlap, where they would otherwise add
//! the watch's own records to the app's sums of the same records.

use super::{
    json::{Fields, Scalar},
    measure::Measure,
    moment, names,
    survey::{Bucket, Head},
};
use crate::{
    correlation::Correlation,
    import::{Item, limits, provenance::Writers},
    kind::Kind,
    sample::{Metadata, Sample, Value},
};

/// The source of what names none.
const APP: &str = "Health Auto Export";

/// Why a point cannot be kept.
pub(super) type Reason = &'static str;

const NO_DATE: Reason = "points without a date that is one";
const NO_NUMBER: Reason = "points without a number";

/// Whether the point says that it stands for several values.
pub(super) fn is_mean(point: &Fields) -> bool {
    point.number("Avg").is_some()
}

/// A metric whose points are read.
pub(super) struct Metric<'h> {
    head: &'h Head,
    measure: Measure,
    /// Said of every point, although it is kept.
    pub(super) remark: Option<String>,
}

impl<'h> Metric<'h> {
    pub(super) fn new(head: &'h Head) -> Self {
        let kind = names::kind(&head.name);
        let kind = match kind.is_category() {
            // What the app counts or sums of it is no value of the category.
            Some(true) if !is_event(&kind) && &*kind != "sleepAnalysis" => {
                names::unknown(&head.name)
            }
            _ => kind,
        };
        let measure = Measure::new(kind, &head.units);
        let name = limits::plain(&measure.kind);
        let remark = if measure.kind.is_category().is_none() && !is_pressure(head) {
            Some(format!("unknown type, kept as `{name}`"))
        } else if measure.is_foreign && measure.kind.is_category() == Some(false) {
            Some(format!("unknown unit of `{name}`, kept as printed"))
        } else {
            None
        };
        Self {
            head,
            measure,
            remark,
        }
    }

    /// The items of one point.
    pub(super) fn items(&self, point: &Fields, writers: &mut Writers) -> Result<Vec<Item>, Reason> {
        if &*self.measure.kind == "sleepAnalysis" {
            return if point.text("startDate").is_some() {
                self.sleep_stage(point, writers).map(|sample| vec![sample])
            } else {
                self.night(point, writers)
            };
        }
        if is_pressure(self.head) {
            return self.blood_pressure(point, writers);
        }
        let frame = self.frame(point)?;
        let value = if is_event(&self.measure.kind) {
            Value::Category("notApplicable".into())
        } else {
            let number = point.number("qty").or_else(|| point.number("Avg"));
            quantity(&self.measure, number)?
        };
        let mut metadata = metadata(point, &frame);
        if is_mean(point) {
            for (name, key) in [("Min", "minimum"), ("Max", "maximum")] {
                let number = point.number(name);
                if let Some(number) = number.and_then(|number| self.measure.apply(number)) {
                    metadata.entries.push((key.to_owned(), number.to_string()));
                }
            }
        }
        Ok(vec![item(sample(
            &self.measure,
            value,
            &frame,
            metadata,
            writers,
        ))])
    }

    /// A stage of sleep that was not summed.
    fn sleep_stage(&self, point: &Fields, writers: &mut Writers) -> Result<Item, Reason> {
        let name = point.text("value").ok_or("sleep without a stage")?;
        let stage = names::sleep_stage(name)
            .ok_or("sleep stages of an unknown name (in another language?)")?;
        let frame = self.frame(point)?;
        let measure = Measure::new(Kind::stored("sleepAnalysis"), "");
        Ok(item(sample(
            &measure,
            Value::Category(stage.into()),
            &frame,
            Metadata::default(),
            writers,
        )))
    }

    /// A night as sums. Where in the night the stages were is not said, so these are no records of
    /// stages: they are durations, of kinds of their own.
    fn night(&self, point: &Fields, writers: &mut Writers) -> Result<Vec<Item>, Reason> {
        const SUMS: &[(&str, &str)] = &[
            ("totalSleep", "sleepDurationTotal"),
            ("asleep", "sleepDurationAsleep"),
            ("core", "sleepDurationCore"),
            ("deep", "sleepDurationDeep"),
            ("rem", "sleepDurationREM"),
            ("awake", "sleepDurationAwake"),
            ("inBed", "sleepDurationInBed"),
        ];
        let mut items = Vec::new();
        for (field, kind) in SUMS {
            let Some(number) = point.number(field) else {
                continue;
            };
            let (start, end, source) = if *field == "inBed" {
                ("inBedStart", "inBedEnd", "inBedSource")
            } else {
                ("sleepStart", "sleepEnd", "sleepSource")
            };
            let spans = [(start, end), ("sleepStart", "sleepEnd")];
            let span = spans
                .iter()
                .find_map(|(start, end)| interval(point, start, end));
            let span = span.or_else(|| {
                let date = point.text("date")?;
                let start = moment::day(date).or_else(|| moment::parse(date))?;
                Some((start, start + Bucket::Day.ms()))
            });
            let (start_ms, end_ms) = span.ok_or(NO_DATE)?;
            if end_ms < start_ms {
                return Err("ends before their starts");
            }
            let unit = if self.head.units.is_empty() {
                "hr"
            } else {
                &self.head.units
            };
            let measure = Measure::new(Kind::stored(kind), unit);
            let source = point.text(source).or_else(|| point.text("source"));
            let frame = Frame {
                start_ms,
                end_ms,
                source: Frame::app(source),
                bucket: Some(Bucket::Day),
            };
            let mut metadata = metadata(&Fields::default(), &frame);
            if let Some(date) = point.text("date") {
                metadata.entries.push(("date".to_owned(), date.to_owned()));
            }
            let value = quantity(&measure, Some(number))?;
            items.push(item(sample(&measure, value, &frame, metadata, writers)));
        }
        if items.is_empty() {
            return Err(NO_NUMBER);
        }
        Ok(items)
    }

    fn blood_pressure(&self, point: &Fields, writers: &mut Writers) -> Result<Vec<Item>, Reason> {
        let frame = self.frame(point)?;
        let mut members = Vec::new();
        for (field, kind) in [
            ("systolic", "bloodPressureSystolic"),
            ("diastolic", "bloodPressureDiastolic"),
        ] {
            let measure = Measure::new(Kind::stored(kind), &self.head.units);
            let value = quantity(&measure, point.number(field))?;
            let metadata = metadata(point, &frame);
            members.push(sample(&measure, value, &frame, metadata, writers));
        }
        let mut items: Vec<_> = members.iter().cloned().map(item).collect();
        items.push(Item::Correlation(Box::new(Correlation {
            kind: Kind::stored("bloodPressure"),
            start_ms: frame.start_ms,
            end_ms: frame.end_ms,
            created_ms: None,
            provenance: writers.find(&frame.source, None, None),
            external_id: None,
            metadata: Metadata::default(),
            members,
        })));
        Ok(items)
    }

    /// When, and by whom.
    fn frame(&self, point: &Fields) -> Result<Frame, Reason> {
        let source = point.text("source");
        if let Some((start_ms, end_ms)) =
            interval(point, "startDate", "endDate").or_else(|| interval(point, "start", "end"))
        {
            if end_ms < start_ms {
                return Err("ends before their starts");
            }
            let source = source.unwrap_or(APP).to_owned();
            return Ok(Frame {
                start_ms,
                end_ms,
                source,
                bucket: None,
            });
        }
        let start_ms = point.text("date").and_then(moment::parse).ok_or(NO_DATE)?;
        if let Some(bucket) = self.head.bucket.filter(|_| !is_event(&self.measure.kind)) {
            return Ok(Frame {
                start_ms,
                end_ms: start_ms + bucket.ms(),
                source: Frame::app(source),
                bucket: Some(bucket),
            });
        }
        // An event says how long it took, in seconds.
        let seconds = point.number("qty").filter(|_| is_event(&self.measure.kind));
        let length = seconds.map_or(0, milliseconds);
        let summed = is_mean(point) || source.is_some_and(|source| source.contains('|'));
        Ok(Frame {
            start_ms,
            end_ms: start_ms + length,
            source: if summed {
                Frame::app(source)
            } else {
                source.unwrap_or(APP).to_owned()
            },
            bucket: None,
        })
    }
}

/// What a point says beside its value, its date and its source.
fn metadata(point: &Fields, frame: &Frame) -> Metadata {
    const KNOWN: &[&str] = &[
        "date",
        "startDate",
        "endDate",
        "start",
        "end",
        "qty",
        "Min",
        "Avg",
        "Max",
        "min",
        "avg",
        "max",
        "source",
        "systolic",
        "diastolic",
        "units",
    ];
    let mut metadata = Metadata::default();
    if let Some(bucket) = frame.bucket {
        let entry = (
            "HealthAutoExportSpan".to_owned(),
            bucket.as_str().to_owned(),
        );
        metadata.entries.push(entry);
    }
    for (key, value) in &point.0 {
        let text = match value {
            Scalar::Text(text) => limits::name(text).to_owned(),
            Scalar::Number(number) => number.to_string(),
            Scalar::Nested | Scalar::Absent => continue,
        };
        if !KNOWN.contains(&key.as_str()) {
            metadata.entries.push((key.clone(), text));
        }
    }
    metadata
}

/// When, and by whom.
struct Frame {
    start_ms: i64,
    end_ms: i64,
    source: String,
    bucket: Option<Bucket>,
}

impl Frame {
    /// The source of what the app has summed.
    fn app(source: Option<&str>) -> String {
        source
            .filter(|source| !source.is_empty())
            .map_or_else(|| APP.to_owned(), |source| format!("{source} ({APP})"))
    }
}

/// Categories that the app writes as events with a length.
fn is_event(kind: &Kind) -> bool {
    matches!(kind.as_str(), "handwashingEvent" | "toothbrushingEvent")
}

fn is_pressure(head: &Head) -> bool {
    head.name == "blood_pressure"
}

fn interval(point: &Fields, start: &str, end: &str) -> Option<(i64, i64)> {
    let date = |name| point.text(name).and_then(moment::parse);
    Some((date(start)?, date(end)?))
}

/// Whole milliseconds of seconds; 0 for what is no length.
fn milliseconds(seconds: f64) -> i64 {
    /// No event lasts longer than a day.
    const LONGEST_S: f64 = 86_400.0;
    if !(0.0..=LONGEST_S).contains(&seconds) {
        return 0;
    }
    format!("{:.0}", seconds * 1000.0)
        .parse()
        .unwrap_or_default()
}

/// The app prints all digits of a number, so there is no last one to doubt.
fn quantity(measure: &Measure, number: Option<f64>) -> Result<Value, Reason> {
    let value = number
        .and_then(|number| measure.apply(number))
        .ok_or(NO_NUMBER)?;
    Ok(Value::Quantity {
        value,
        tolerance: 0.0,
    })
}

fn sample(
    measure: &Measure,
    value: Value,
    frame: &Frame,
    metadata: Metadata,
    writers: &mut Writers,
) -> Sample {
    let is_quantity = matches!(value, Value::Quantity { .. });
    Sample {
        kind: measure.kind.clone(),
        unit: if is_quantity {
            measure.unit.clone()
        } else {
            "".into()
        },
        value,
        start_ms: frame.start_ms,
        end_ms: frame.end_ms,
        created_ms: None,
        provenance: writers.find(&frame.source, None, None),
        external_id: None,
        metadata,
    }
}

fn item(sample: Sample) -> Item {
    Item::Sample(sample)
}
