//! A workout, in either version of the format.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

use super::{
    json::{Array, Elements, Fields, Members, Scalar},
    measure::Measure,
    moment, names,
    route::Route,
};
use crate::{
    document::{Document, Noun},
    import::{Item, limits, provenance::Writers},
    kind::Kind,
    sample::Metadata,
    workout::{Statistic, Workout},
};

/// A workout while it is read.
#[derive(Default)]
pub(super) struct WorkoutReader {
    texts: Fields,
    statistics: Vec<Statistic>,
    metadata: Metadata,
    route: Option<Route>,
    /// Points of which only the sum or the mean is kept.
    reduced: u64,
    /// Members that are neither known nor plain.
    passed_over: u64,
    /// Texts that were too many.
    beyond: u64,
    /// Texts that were too long.
    cut: u64,
}

/// Members that are no metadata.
const KNOWN: &[&str] = &["name", "start", "end", "id", "duration", "source"];

/// What a member of a workout measures, and how its points combine.
const MEASURED: &[(&str, &str)] = &[
    ("activeEnergy", "activeEnergyBurned"),
    ("activeEnergyBurned", "activeEnergyBurned"),
    ("distance", "distance"),
    ("walkingAndRunningDistance", "distanceWalkingRunning"),
    ("cyclingDistance", "distanceCycling"),
    ("swimDistance", "distanceSwimming"),
    ("stepCount", "steps"),
    ("flightsClimbed", "flightsClimbed"),
    ("heartRateData", "heartRate"),
    ("heartRate", "heartRate"),
    ("swimStrokeCount", "swimmingStrokeCount"),
    ("cyclingPower", "cyclingPower"),
    ("cyclingSpeed", "cyclingSpeed"),
    ("cyclingCadence", "cyclingCadence"),
    ("runningPower", "runningPower"),
    ("runningSpeed", "runningSpeed"),
];

impl Members for WorkoutReader {
    fn member<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key == "route" {
            let mut route = Route::default();
            map.next_value_seed(Array(&mut route))?;
            self.route = Some(route);
            return Ok(());
        }
        match map.next_value()? {
            Member::Scalar(Scalar::Nested | Scalar::Absent) => {}
            Member::Scalar(value) => self.scalar(key, value),
            Member::Object(fields) => self.object(key, &fields),
            Member::Points(points) => self.points(key, &points),
        }
        Ok(())
    }
}

impl WorkoutReader {
    /// Keeps a plain value; what the workout is known by also where there are too many others.
    fn scalar(&mut self, key: &str, value: Scalar) {
        let is_known = KNOWN.contains(&key) && self.texts.0.iter().all(|(own, _)| own != key);
        if self.texts.0.len() >= limits::ENTRIES && !is_known {
            self.beyond += 1;
            return;
        }
        let value = match value {
            Scalar::Text(text) => Scalar::Text(self.bounded(&text)),
            other => other,
        };
        let key = self.bounded(key);
        self.texts.0.push((key, value));
    }

    /// The text, or as much of it as is kept.
    fn bounded(&mut self, text: &str) -> String {
        let bounded = limits::name(text);
        self.cut += u64::from(bounded.len() < text.len());
        bounded.to_owned()
    }

    /// `{"qty": 226.2, "units": "kJ"}`, or a minimum, mean and maximum of them.
    fn object(&mut self, key: &str, fields: &Fields) {
        let units = fields.text("units").unwrap_or_default();
        let Some((_, kind)) = MEASURED.iter().find(|(name, _)| *name == key) else {
            for (name, value) in &fields.0 {
                let text = match value {
                    Scalar::Number(number) => number.to_string(),
                    Scalar::Text(text) => self.bounded(text),
                    Scalar::Nested | Scalar::Absent => continue,
                };
                let key = self.bounded(&format!("{key}.{name}"));
                self.remember(key, text);
            }
            return;
        };
        let measure = Measure::new(Kind::stored(kind), units);
        let number = |name| fields.number(name).and_then(|number| measure.apply(number));
        self.add(Statistic {
            average: number("avg"),
            minimum: number("min"),
            maximum: number("max"),
            sum: number("qty"),
            ..nothing(&measure)
        });
    }

    /// Points over the time of the workout.
    fn points(&mut self, key: &str, points: &Points) {
        let Some((_, kind)) = MEASURED.iter().find(|(name, _)| *name == key) else {
            self.passed_over += points.count;
            return;
        };
        self.reduced += points.count;
        let measure = Measure::new(Kind::stored(kind), &points.units);
        let apply = |number: Option<f64>| number.and_then(|number| measure.apply(number));
        let is_sum = measure.kind.style() == crate::kind::Style::Cumulative || *kind == "distance";
        let mean = (points.numbers > 0.0).then(|| points.sum / points.numbers);
        self.add(if is_sum {
            Statistic {
                sum: apply(mean.map(|_| points.sum)),
                ..nothing(&measure)
            }
        } else {
            Statistic {
                average: apply(mean),
                minimum: apply(points.minimum),
                maximum: apply(points.maximum),
                ..nothing(&measure)
            }
        });
    }

    /// The app writes some totals twice, as a number and as points; the first one stays.
    fn add(&mut self, statistic: Statistic) {
        let Statistic {
            average,
            minimum,
            maximum,
            sum,
            ..
        } = statistic;
        let says = average.or(minimum).or(maximum).or(sum).is_some();
        let known = self.statistics.iter().any(|own| own.kind == statistic.kind);
        if says && !known && self.statistics.len() < limits::PARTS {
            self.statistics.push(statistic);
        }
    }

    fn remember(&mut self, key: String, text: String) {
        if self.metadata.entries.len() < limits::ENTRIES {
            self.metadata.entries.push((key, text));
        } else {
            self.beyond += 1;
        }
    }

    /// The items of the workout; `before` of them came before it in the file.
    pub(super) fn finish(
        mut self,
        before: u64,
        writers: &mut Writers,
    ) -> Result<Finished, &'static str> {
        let date = |name| self.texts.text(name).and_then(moment::parse);
        let start_ms = date("start").ok_or("workouts without a start date that is one")?;
        let end_ms = date("end").ok_or("workouts without an end date that is one")?;
        if end_ms < start_ms {
            return Err("ends before their starts");
        }
        let name = self.texts.text("name").unwrap_or_default().to_owned();
        let activity = names::activity(limits::name(&name));
        for statistic in &mut self.statistics {
            // The app does not say which distance.
            if &*statistic.kind == "distance" {
                statistic.kind = Kind::stored(match activity.as_str() {
                    "cycling" => "distanceCycling",
                    "swimming" => "distanceSwimming",
                    _ => "distanceWalkingRunning",
                });
            }
        }
        let texts = std::mem::take(&mut self.texts);
        for (key, value) in &texts.0 {
            let text = match value {
                Scalar::Text(text) => text.clone(),
                Scalar::Number(number) => number.to_string(),
                Scalar::Nested | Scalar::Absent => continue,
            };
            if key == "name" || !KNOWN.contains(&key.as_str()) {
                self.remember(key.clone(), text);
            }
        }
        let source = texts.text("source").unwrap_or("Health Auto Export");
        let provenance = writers.find(source, None, None);
        let workout = Workout {
            activity,
            start_ms,
            end_ms,
            created_ms: None,
            duration_s: texts.number("duration"),
            provenance: provenance.clone(),
            external_id: texts
                .text("id")
                .filter(|id| !id.is_empty())
                .map(str::to_owned),
            metadata: self.metadata,
            statistics: self.statistics,
            events: Vec::new(),
            activities: Vec::new(),
        };
        let mut items = vec![Item::Workout(Box::new(workout))];
        let mut tell = vec![
            (
                self.reduced,
                "points within workouts (their total or mean is kept)",
            ),
            (self.passed_over, "unknown points within workouts"),
            (self.beyond, "metadata beyond the limit"),
            (self.cut, "metadata beyond the limit (cut)"),
        ];
        if let Some(route) = self.route {
            tell.push((route.odd, "points of a route without a place or a time"));
            tell.push((route.beyond, "points of routes beyond the limit"));
            if let Some((start_ms, end_ms, series)) = route.finish() {
                items.push(Item::Document(Box::new(Document {
                    provenance: Some(provenance),
                    series: Some(series),
                    workout: Some(before),
                    ..Document::new(Noun::Route, start_ms, end_ms)
                })));
            }
        }
        Ok(Finished { items, tell })
    }
}

/// A workout that was read.
pub(super) struct Finished {
    pub(super) items: Vec<Item>,
    /// What was not kept, or not all of it: how much, and why.
    pub(super) tell: Vec<(u64, &'static str)>,
}

fn nothing(measure: &Measure) -> Statistic {
    Statistic {
        kind: measure.kind.clone(),
        unit: measure.unit.clone(),
        start_ms: None,
        end_ms: None,
        average: None,
        minimum: None,
        maximum: None,
        sum: None,
        tolerance: 0.0,
    }
}

/// The value of a member of a workout.
enum Member {
    Scalar(Scalar),
    Object(Fields),
    Points(Points),
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value, an object or points")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Member, E> {
        Ok(Member::Scalar(Scalar::Text(value.to_string())))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Member, E> {
        Ok(Member::Scalar(Scalar::Number(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Member, E> {
        Scalar::whole(&value).map(Member::Scalar)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Member, E> {
        Scalar::whole(&value).map(Member::Scalar)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Member, E> {
        Ok(Member::Scalar(Scalar::Text(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Member, E> {
        Ok(Member::Scalar(Scalar::Absent))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Member, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key::<String>()? {
            fields.member(&key, &mut map)?;
        }
        Ok(Member::Object(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Member, A::Error> {
        let mut points = Points::default();
        while points.element(&mut list)? {}
        Ok(Member::Points(points))
    }
}

/// Points over the time of a workout, added up while they pass.
#[derive(Default)]
struct Points {
    count: u64,
    units: String,
    sum: f64,
    /// How many of them have a number.
    numbers: f64,
    minimum: Option<f64>,
    maximum: Option<f64>,
}

impl Elements for Points {
    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let Some(point) = list.next_element::<Fields>()? else {
            return Ok(false);
        };
        self.count += 1;
        if let Some(units) = point.text("units") {
            limits::name(units).clone_into(&mut self.units);
        }
        let mean = point.number("qty").or_else(|| point.number("Avg"));
        if let Some(number) = mean {
            self.sum += number;
            self.numbers += 1.0;
        }
        let smaller = |own: Option<f64>, other: Option<f64>| match (own, other) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let larger = |own: Option<f64>, other: Option<f64>| match (own, other) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        self.minimum = smaller(self.minimum, point.number("Min").or(mean));
        self.maximum = larger(self.maximum, point.number("Max").or(mean));
        Ok(true)
    }
}
