//! `Workout` with its statistics, events, parts and routes.

use super::{
    date,
    element::{ElementReader, FRAME, Reason},
    limits,
    metadata::external_id,
    route::Route,
    tag::Tag,
    tokens::Token,
};
use crate::{
    import::ReadError,
    kind::decapitalize,
    sample::Metadata,
    unit::Conversion,
    workout::{Activity, Event, Statistic, Workout},
};

/// Children that are counted against the limit.
const PARTS: &[&str] = &[
    "WorkoutActivity",
    "WorkoutEvent",
    "WorkoutRoute",
    "WorkoutStatistics",
];

/// Attributes of a workout beside those of every element.
const ATTRIBUTES: &[&str] = &[
    "workoutActivityType",
    "duration",
    "durationUnit",
    "totalDistance",
    "totalDistanceUnit",
    "totalEnergyBurned",
    "totalEnergyBurnedUnit",
    "totalFlightsClimbed",
    "totalFlightsClimbedUnit",
    "totalSwimmingStrokeCount",
    "totalSwimmingStrokeCountUnit",
];

impl ElementReader<'_, '_> {
    /// A workout, all of it read, or why it cannot be kept; and its routes.
    pub(super) fn workout(
        &mut self,
        tag: &Tag,
        token: Token,
    ) -> Result<(Result<Workout, Reason>, Vec<Route>), ReadError> {
        let activity = tag
            .value("workoutActivityType")
            .unwrap_or("HKWorkoutActivityTypeOther");
        let activity = without_prefix(activity, "HKWorkoutActivityType");
        let duration_s = duration(tag);
        let frame = self.frame(tag);
        let totals = self.totals(tag, &activity);
        let mut metadata = Metadata::default();
        self.other_attributes(tag, &[FRAME, ATTRIBUTES].concat(), &mut metadata)?;
        let mut statistics = Vec::new();
        let mut events = Vec::new();
        let mut activities = Vec::new();
        let mut routes = Vec::new();
        let mut room = limits::SERIES;
        if token == Token::Open {
            self.children(&mut |reader, child, token| {
                let line = reader.tokens.line();
                if reader.metadata_entry(child, &mut metadata)? {
                    return reader.leave(child, token);
                }
                let full = statistics.len() + events.len() + activities.len() >= limits::PARTS
                    || routes.len() >= limits::ENTRIES;
                match child.name() {
                    "WorkoutActivity" if !full => {
                        activities.extend(reader.activity(child, token)?);
                        Ok(())
                    }
                    "WorkoutRoute" if !full => {
                        let frame = frame.as_ref().ok();
                        routes.extend(reader.route(child, token, frame, &mut room)?);
                        Ok(())
                    }
                    name if full && PARTS.contains(&name) => {
                        reader.skipped(line, "parts of workouts beyond the limit".into())?;
                        reader.leave(child, token)
                    }
                    "WorkoutStatistics" if !full => {
                        match reader.statistic(child) {
                            Some(statistic) => statistics.push(statistic),
                            None => reader.skipped(line, "statistics without a number".into())?,
                        }
                        reader.leave(child, token)
                    }
                    "WorkoutEvent" if !full => match reader.event(child, token)? {
                        Some(event) => {
                            events.push(event);
                            Ok(())
                        }
                        None => reader.skipped(line, "workout events without a date".into()),
                    },
                    _ => reader.pass_over(child, token),
                }
            })?;
        }
        // Old exports say totals as attributes, new ones as statistics, some both.
        for total in totals {
            if !statistics
                .iter()
                .any(|other| other.kind == total.kind && other.sum.is_some())
            {
                statistics.push(total);
            }
        }
        let workout = frame.map(|frame| Workout {
            activity,
            start_ms: frame.start_ms,
            end_ms: frame.end_ms,
            created_ms: frame.created_ms,
            duration_s,
            provenance: frame.provenance,
            external_id: external_id(&metadata),
            metadata,
            statistics,
            events,
            activities,
        });
        Ok((workout, routes))
    }

    /// A part of a workout; without a start it cannot be kept.
    fn activity(&mut self, tag: &Tag, token: Token) -> Result<Option<Activity>, ReadError> {
        const KNOWN: &[&str] = &["uuid", "startDate", "endDate", "duration", "durationUnit"];
        let line = self.tokens.line();
        let start_ms = tag.value("startDate").and_then(date::parse);
        let uuid = tag.value("uuid").map(|id| limits::name(id).to_owned());
        let end_ms = tag.value("endDate").and_then(date::parse);
        let duration_s = duration(tag);
        let mut metadata = Metadata::default();
        self.other_attributes(tag, KNOWN, &mut metadata)?;
        let mut statistics = Vec::new();
        let mut events = Vec::new();
        if token == Token::Open {
            self.children(&mut |reader, child, token| {
                let line = reader.tokens.line();
                if reader.metadata_entry(child, &mut metadata)? {
                    return reader.leave(child, token);
                }
                let full = statistics.len() + events.len() >= limits::PARTS;
                match child.name() {
                    "WorkoutStatistics" if !full => {
                        match reader.statistic(child) {
                            Some(statistic) => statistics.push(statistic),
                            None => reader.skipped(line, "statistics without a number".into())?,
                        }
                        reader.leave(child, token)
                    }
                    "WorkoutEvent" if !full => match reader.event(child, token)? {
                        Some(event) => {
                            events.push(event);
                            Ok(())
                        }
                        None => reader.skipped(line, "workout events without a date".into()),
                    },
                    name if full && PARTS.contains(&name) => {
                        reader.skipped(line, "parts of workouts beyond the limit".into())?;
                        reader.leave(child, token)
                    }
                    _ => reader.pass_over(child, token),
                }
            })?;
        }
        let Some(start_ms) = start_ms else {
            self.skipped(line, "parts of workouts without a date".into())?;
            return Ok(None);
        };
        Ok(Some(Activity {
            uuid,
            start_ms,
            end_ms,
            duration_s,
            metadata,
            statistics,
            events,
        }))
    }

    fn statistic(&mut self, tag: &Tag) -> Option<Statistic> {
        let measure = self.measures.find(tag.value("type")?, tag.value("unit"))?;
        let mut tolerance = 0.0_f64;
        let mut number = |key| {
            let (value, half) = measure.number(tag.value(key)?)?;
            tolerance = tolerance.max(half);
            Some(value)
        };
        let (average, sum) = (number("average"), number("sum"));
        let (minimum, maximum) = (number("minimum"), number("maximum"));
        average.or(sum).or(minimum).or(maximum)?;
        Some(Statistic {
            kind: measure.kind.clone(),
            unit: measure.unit.clone(),
            start_ms: tag.value("startDate").and_then(date::parse),
            end_ms: tag.value("endDate").and_then(date::parse),
            average,
            minimum,
            maximum,
            sum,
            tolerance,
        })
    }

    fn totals(&mut self, tag: &Tag, activity: &str) -> Vec<Statistic> {
        let distance = match activity {
            "cycling" | "handCycling" => "DistanceCycling",
            "swimming" => "DistanceSwimming",
            "wheelchairRunPace" | "wheelchairWalkPace" => "DistanceWheelchair",
            "downhillSkiing" | "snowboarding" => "DistanceDownhillSnowSports",
            _ => "DistanceWalkingRunning",
        };
        let attributes = [
            ("totalDistance", "totalDistanceUnit", distance),
            (
                "totalEnergyBurned",
                "totalEnergyBurnedUnit",
                "ActiveEnergyBurned",
            ),
            (
                "totalFlightsClimbed",
                "totalFlightsClimbedUnit",
                "FlightsClimbed",
            ),
            (
                "totalSwimmingStrokeCount",
                "totalSwimmingStrokeCountUnit",
                "SwimmingStrokeCount",
            ),
        ];
        let total = |(key, unit, identifier)| {
            let type_name = format!("HKQuantityTypeIdentifier{identifier}");
            let measure = self.measures.find(&type_name, tag.value(unit))?;
            let (sum, tolerance) = measure.number(tag.value(key)?)?;
            // Old exports say 0 for what was not measured.
            (sum > 0.0).then(|| Statistic {
                kind: measure.kind.clone(),
                unit: measure.unit.clone(),
                start_ms: None,
                end_ms: None,
                average: None,
                minimum: None,
                maximum: None,
                sum: Some(sum),
                tolerance,
            })
        };
        attributes.into_iter().filter_map(total).collect()
    }

    fn event(&mut self, tag: &Tag, token: Token) -> Result<Option<Event>, ReadError> {
        let name = tag
            .value("type")
            .map(|name| without_prefix(name, "HKWorkoutEventType"));
        let at_ms = tag.value("date").and_then(date::parse);
        let duration_s = duration(tag);
        let mut metadata = Metadata::default();
        if token == Token::Open {
            self.children(&mut |reader, child, token| {
                if reader.metadata_entry(child, &mut metadata)? {
                    reader.leave(child, token)
                } else {
                    reader.pass_over(child, token)
                }
            })?;
        }
        Ok(at_ms.map(|at_ms| Event {
            name: name.unwrap_or_default(),
            at_ms,
            duration_s,
            metadata,
        }))
    }
}

fn without_prefix(name: &str, prefix: &str) -> String {
    let bare = name.strip_prefix(prefix).filter(|rest| !rest.is_empty());
    limits::name(&bare.map_or_else(|| name.to_owned(), decapitalize)).to_owned()
}

/// Seconds; minutes where no unit is said.
fn duration(tag: &Tag) -> Option<f64> {
    let printed: f64 = tag.value("duration")?.trim().parse().ok()?;
    let unit = tag.value("durationUnit").unwrap_or("min");
    let seconds = Conversion::between(unit, "s")?.apply(printed);
    seconds.is_finite().then_some(seconds)
}
