//! Collections as tables: what fits into rows of the same columns.

use serde_json::{Map, Value};

use super::parsed;
use crate::{
    api::{Collection, CorrelationRecord, DocumentRecord, StatisticRecord, WorkoutRecord},
    format::{
        FormatError,
        csv::Lines,
        rows::{Notation as _, push_number},
    },
};

/// A collection that can be a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// A row a day.
    Activity,
    /// A row a sample of a correlation.
    Correlations,
    /// A row a voltage.
    Ecg,
    /// A row a point.
    Routes,
    /// A row a workout.
    Workouts,
}

/// The rings, as the body of a document names them.
const RINGS: [&str; 8] = [
    "activeEnergyBurned",
    "activeEnergyBurnedGoal",
    "moveTime",
    "moveTimeGoal",
    "exerciseTime",
    "exerciseTimeGoal",
    "standHours",
    "standHoursGoal",
];

impl Table {
    /// `None`: this collection is no table.
    pub(super) const fn of(collection: Collection) -> Option<Self> {
        match collection {
            Collection::Activity => Some(Self::Activity),
            Collection::Correlations => Some(Self::Correlations),
            Collection::Ecg => Some(Self::Ecg),
            Collection::Routes => Some(Self::Routes),
            Collection::Workouts => Some(Self::Workouts),
            Collection::Audiograms
            | Collection::Clinical
            | Collection::Medications
            | Collection::Moods
            | Collection::Prescriptions => None,
        }
    }

    fn columns(self) -> Vec<&'static str> {
        match self {
            Self::Activity => [&["id", "date"], &RINGS[..], &["sourceName", "origin"]].concat(),
            Self::Correlations => vec![
                "id",
                "type",
                "startDate",
                "endDate",
                "memberId",
                "memberType",
                "value",
                "unit",
                "sourceName",
                "origin",
            ],
            Self::Ecg => vec!["id", "startDate", "seconds", "microvolts"],
            Self::Routes => vec![
                "id",
                "workout",
                "time",
                "latitude",
                "longitude",
                "elevation",
                "speed",
                "course",
                "horizontalAccuracy",
                "verticalAccuracy",
            ],
            Self::Workouts => vec![
                "id",
                "activity",
                "startDate",
                "endDate",
                "duration",
                "distance",
                "activeEnergyBurned",
                "averageHeartRate",
                "minimumHeartRate",
                "maximumHeartRate",
                "sourceName",
                "device",
                "origin",
            ],
        }
    }

    /// The first line.
    pub(super) fn header(self, lines: &Lines, out: &mut Vec<u8>) {
        let cells = self.columns();
        row(cells.into_iter().map(Cell::Text), lines, out);
    }

    /// The rows of one object.
    pub(super) fn rows(
        self,
        line: &[u8],
        lines: &Lines,
        out: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        match self {
            Self::Activity => activity(&parsed(line)?, lines, out),
            Self::Correlations => {
                correlation(&parsed(line)?, lines, out);
                Ok(())
            }
            Self::Ecg => ecg(&parsed(line)?, lines, out),
            Self::Routes => {
                route(&parsed(line)?, lines, out);
                Ok(())
            }
            Self::Workouts => {
                workout(&parsed(line)?, lines, out);
                Ok(())
            }
        }
    }
}

enum Cell<'a> {
    Text(&'a str),
    Maybe(Option<&'a str>),
    Number(Option<f64>),
}

fn row<'a>(cells: impl Iterator<Item = Cell<'a>>, lines: &Lines, out: &mut Vec<u8>) {
    for (column, cell) in cells.enumerate() {
        lines.before(column, out);
        match cell {
            Cell::Text(text) | Cell::Maybe(Some(text)) => lines.text(text, out),
            Cell::Number(Some(number)) if number.is_finite() => {
                push_number(number, &mut zmij::Buffer::new(), out);
            }
            Cell::Maybe(None) | Cell::Number(_) => out.extend_from_slice(lines.absent()),
        }
    }
    lines.end_row(out);
}

fn body_of(document: &DocumentRecord) -> Result<Map<String, Value>, FormatError> {
    serde_json::from_str(document.body.get()).map_err(FormatError::decode)
}

fn activity(day: &DocumentRecord, lines: &Lines, out: &mut Vec<u8>) -> Result<(), FormatError> {
    let body = body_of(day)?;
    let before = [Cell::Text(&day.id), Cell::Maybe(day.date.as_deref())];
    let rings = RINGS.map(|name| Cell::Number(body.get(name).and_then(Value::as_f64)));
    let behind = [
        Cell::Maybe(day.source_name.as_deref()),
        Cell::Text(&day.origin),
    ];
    row(before.into_iter().chain(rings).chain(behind), lines, out);
    Ok(())
}

fn correlation(correlation: &CorrelationRecord, lines: &Lines, out: &mut Vec<u8>) {
    for member in &correlation.members {
        let cells = [
            Cell::Text(&correlation.id),
            Cell::Text(&correlation.kind),
            Cell::Text(&correlation.start_date),
            Cell::Text(&correlation.end_date),
            Cell::Text(&member.id),
            Cell::Text(&member.kind),
            Cell::Number(member.value),
            Cell::Maybe(member.unit.as_deref()),
            Cell::Text(&correlation.source_name),
            Cell::Text(&correlation.origin),
        ];
        row(cells.into_iter(), lines, out);
    }
}

fn ecg(ecg: &DocumentRecord, lines: &Lines, out: &mut Vec<u8>) -> Result<(), FormatError> {
    let rate = body_of(ecg)?.get("sampleRate").and_then(Value::as_f64);
    let rate = rate.filter(|rate| *rate > 0.0);
    let mut index = 0.0;
    for voltage in ecg.voltages.iter().flatten() {
        // Six digits: a microsecond is far less than what separates two voltages.
        let seconds = rate.map(|rate| (index / rate * 1e6).round() / 1e6);
        let cells = [
            Cell::Text(&ecg.id),
            Cell::Maybe(ecg.start_date.as_deref()),
            Cell::Number(seconds),
            Cell::Number(*voltage),
        ];
        row(cells.into_iter(), lines, out);
        index += 1.0;
    }
    Ok(())
}

fn route(route: &DocumentRecord, lines: &Lines, out: &mut Vec<u8>) {
    for point in route.points.iter().flatten() {
        let cells = [
            Cell::Text(&route.id),
            Cell::Maybe(route.workout.as_deref()),
            Cell::Maybe(point.time.as_deref()),
            Cell::Number(point.latitude),
            Cell::Number(point.longitude),
            Cell::Number(point.elevation),
            Cell::Number(point.speed),
            Cell::Number(point.course),
            Cell::Number(point.horizontal_accuracy),
            Cell::Number(point.vertical_accuracy),
        ];
        row(cells.into_iter(), lines, out);
    }
}

fn workout(workout: &WorkoutRecord, lines: &Lines, out: &mut Vec<u8>) {
    let whole = || {
        workout
            .statistics
            .iter()
            .filter(|one| one.activity.is_none())
    };
    // A unit that nobody knows is kept as it was printed: its number is none of this column's.
    let of = |kind: &str, unit: &str| whole().find(|one| one.kind == kind && one.unit == unit);
    let heart_rate =
        |pick: fn(&StatisticRecord) -> Option<f64>| of("heartRate", "count/min").and_then(pick);
    // As many distances as sports: swimming, cycling, .. In part, their sum would be a wrong one.
    let distances = whole().filter(|one| one.kind.starts_with("distance") && one.sum.is_some());
    let metres = distances.map(|one| one.sum.filter(|_| one.unit == "m"));
    let distance = metres.reduce(|a, b| Some(a? + b?)).flatten();
    let cells = [
        Cell::Text(&workout.id),
        Cell::Text(&workout.activity),
        Cell::Text(&workout.start_date),
        Cell::Text(&workout.end_date),
        Cell::Number(workout.duration),
        Cell::Number(distance),
        Cell::Number(of("activeEnergyBurned", "kcal").and_then(|one| one.sum)),
        Cell::Number(heart_rate(|one| one.average)),
        Cell::Number(heart_rate(|one| one.minimum)),
        Cell::Number(heart_rate(|one| one.maximum)),
        Cell::Text(&workout.source_name),
        Cell::Maybe(workout.device.as_deref()),
        Cell::Text(&workout.origin),
    ];
    row(cells.into_iter(), lines, out);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The cells `duration` to `maximumHeartRate` of a workout with these numbers.
    fn cells(statistics: &Value) -> Vec<String> {
        let workout = json!({
            "id": "x", "activity": "swimBikeRun", "startDate": "s", "endDate": "e", "duration": 9.5,
            "sourceName": "Watch", "origin": "ana", "statistics": statistics, "events": [],
            "activities": [],
        });
        let mut out = Vec::new();
        Table::Workouts
            .rows(workout.to_string().as_bytes(), &Lines::csv(b','), &mut out)
            .unwrap();
        let row = String::from_utf8(out).unwrap();
        row.split(',').skip(4).take(6).map(str::to_owned).collect()
    }

    #[test]
    fn a_workout_of_several_sports_has_all_its_distances() {
        let found = cells(&json!([
            {"type": "distanceSwimming", "unit": "m", "sum": 1500.0},
            {"type": "distanceCycling", "unit": "m", "sum": 40_000.0},
            {"type": "distanceCycling", "unit": "m", "sum": 40_000.0, "activity": 1},
            {"type": "distanceWalkingRunning", "unit": "m", "sum": 10_000.5},
            {"type": "activeEnergyBurned", "unit": "kcal", "sum": 1800.0},
        ]));
        assert_eq!(found, ["9.5", "51500.5", "1800", "", "", ""]);
        assert_eq!(cells(&json!([]))[1], "");
    }

    #[test]
    fn a_number_in_a_foreign_unit_is_no_cell() {
        let found = cells(&json!([
            {"type": "distanceSwimming", "unit": "m", "sum": 1500.0},
            {"type": "distanceCycling", "unit": "furlong", "sum": 9.0},
            {"type": "activeEnergyBurned", "unit": "BTU", "sum": 9.0},
            {"type": "heartRate", "unit": "Hz", "average": 2.0, "minimum": 1.0, "maximum": 3.0},
        ]));
        // Some of the way would be a wrong distance.
        assert_eq!(found, ["9.5", "", "", "", "", ""]);
    }
}
