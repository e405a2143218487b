//! What a phone keeps besides samples: workouts, routes, electrocardiograms, rings and the like.
//!
//! Each collection has a path of its own, takes [`CollectionParams`] and answers NDJSON, one object
//! a line, in the order (start, id).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The query string of a collection. Unknown names are refused: a misspelled filter must not widen
/// an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CollectionParams {
    /// Types of correlations (`bloodPressure`), joined by commas; for correlations only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<String>,
    /// RFC 3339: what starts at or after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// RFC 3339: what starts before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Go on behind this position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Origins, joined by commas; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// A workout.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkoutRecord {
    /// UUID; the same after every import.
    pub id: String,
    /// HealthKit's name without its prefix (`running`).
    pub activity: String,
    /// RFC 3339 UTC.
    pub start_date: String,
    /// RFC 3339 UTC.
    pub end_date: String,
    /// Seconds without pauses; null when the export does not say.
    pub duration: Option<f64>,
    /// Who wrote it.
    pub source_name: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_version: Option<String>,
    /// Which device measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Whose data it is.
    pub origin: String,
    /// When it was written on the phone, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_date: Option<String>,
    /// Totals and averages.
    pub statistics: Vec<StatisticRecord>,
    /// Pauses, laps, markers.
    pub events: Vec<EventRecord>,
    /// Parts of a workout of several sports.
    pub activities: Vec<PartRecord>,
    /// What else the writer said: a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Box<RawValue>>,
}

/// Totals or averages of one type during a workout, in the type's canonical unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatisticRecord {
    /// Name of the type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Canonical unit.
    pub unit: String,
    /// Index in `activities`; absent for the whole workout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<u64>,
    /// RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date: Option<String>,
    /// RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date: Option<String>,
    /// Average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<f64>,
    /// Smallest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// Largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// Total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<f64>,
}

/// Something that happened during a workout.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRecord {
    /// HealthKit's name without its prefix (`pause`).
    #[serde(rename = "type")]
    pub name: String,
    /// RFC 3339 UTC.
    pub date: String,
    /// Seconds, if it lasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// Index in `activities`; absent for the whole workout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<u64>,
    /// What else the writer said: a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Box<RawValue>>,
}

/// A part of a workout.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartRecord {
    /// The phone's own id of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// RFC 3339 UTC.
    pub start_date: String,
    /// RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date: Option<String>,
    /// Seconds without pauses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// What else the writer said: a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Box<RawValue>>,
}

/// Samples that belong together.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CorrelationRecord {
    /// UUID; the same after every import.
    pub id: String,
    /// `bloodPressure`, `food`.
    #[serde(rename = "type")]
    pub kind: String,
    /// RFC 3339 UTC.
    pub start_date: String,
    /// RFC 3339 UTC.
    pub end_date: String,
    /// Who wrote it.
    pub source_name: String,
    /// Which device measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Whose data it is.
    pub origin: String,
    /// When it was written on the phone, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_date: Option<String>,
    /// Its samples, which are samples like any other as well.
    pub members: Vec<MemberRecord>,
    /// What else the writer said: a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Box<RawValue>>,
}

/// A sample of a correlation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberRecord {
    /// Name of its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its value; null for categories, and if the sample is gone.
    pub value: Option<f64>,
    /// Canonical unit; null if the sample is gone.
    pub unit: Option<String>,
}

/// A route, an electrocardiogram, the rings of a day, ..
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentRecord {
    /// UUID; the same after every import.
    pub id: String,
    /// What it is (`route`, `activitySummary`).
    #[serde(rename = "type")]
    pub noun: String,
    /// The day in the phone's calendar, of what belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// RFC 3339 UTC; absent of what belongs to a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date: Option<String>,
    /// RFC 3339 UTC; absent of what belongs to a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_date: Option<String>,
    /// Who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_name: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_version: Option<String>,
    /// Which device measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Whose data it is.
    pub origin: String,
    /// When it was written on the phone, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_date: Option<String>,
    /// Id of the workout that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workout: Option<String>,
    /// What it says: a JSON object.
    pub body: Box<RawValue>,
    /// What else the writer said: a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Box<RawValue>>,
    /// The points of a route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<Vec<PointRecord>>,
    /// The voltages of an electrocardiogram, microvolts, equally spaced from the start on; null
    /// where one is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voltages: Option<Vec<Option<f64>>>,
}

/// A point of a route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PointRecord {
    /// RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Degrees north (WGS 84).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    /// Degrees east.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    /// Metres above the sea.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elevation: Option<f64>,
    /// Metres a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// Degrees clockwise from north.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub course: Option<f64>,
    /// Metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizontal_accuracy: Option<f64>,
    /// Metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vertical_accuracy: Option<f64>,
}
