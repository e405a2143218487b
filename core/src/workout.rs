//! One workout on its way into the store.

use std::sync::Arc;

use crate::{
    kind::Kind,
    sample::{Metadata, Provenance},
};

/// A workout with what was measured and what happened during it.
#[derive(Clone, Debug, PartialEq)]
pub struct Workout {
    /// HealthKit's name without its prefix (`running`).
    pub activity: String,
    /// Start, milliseconds since 1970-01-01T00:00:00Z.
    pub start_ms: i64,
    /// End, same unit.
    pub end_ms: i64,
    /// When it was written on the phone.
    pub created_ms: Option<i64>,
    /// Without pauses; the time from start to end holds them.
    pub duration_s: Option<f64>,
    /// Who wrote it.
    pub provenance: Arc<Provenance>,
    /// The writer's own stable id.
    pub external_id: Option<String>,
    /// What else the writer said.
    pub metadata: Metadata,
    /// Totals and averages; the totals of old exports stand here, too.
    pub statistics: Vec<Statistic>,
    /// Pauses, laps, markers.
    pub events: Vec<Event>,
    /// The parts of a workout of several sports; real exports name one for others, too.
    pub activities: Vec<Activity>,
}

/// One part of a workout, with what was measured and what happened during it.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// The phone's own id of it.
    pub uuid: Option<String>,
    /// Start, milliseconds since 1970-01-01T00:00:00Z.
    pub start_ms: i64,
    /// End, same unit, if the file says so.
    pub end_ms: Option<i64>,
    /// Without pauses.
    pub duration_s: Option<f64>,
    /// What else the writer said.
    pub metadata: Metadata,
    /// Totals and averages.
    pub statistics: Vec<Statistic>,
    /// Pauses, laps, markers.
    pub events: Vec<Event>,
}

/// Totals or averages of one type during a workout, in the type's canonical unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistic {
    /// What was measured.
    pub kind: Kind,
    /// Canonical unit.
    pub unit: Arc<str>,
    /// Start, if the file says so.
    pub start_ms: Option<i64>,
    /// End, if the file says so.
    pub end_ms: Option<i64>,
    /// Average.
    pub average: Option<f64>,
    /// Smallest.
    pub minimum: Option<f64>,
    /// Largest.
    pub maximum: Option<f64>,
    /// Total.
    pub sum: Option<f64>,
    /// Half of the last printed digit; the widest of the four.
    pub tolerance: f64,
}

/// Something that happened during a workout.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// HealthKit's name without its prefix (`pause`).
    pub name: String,
    /// When.
    pub at_ms: i64,
    /// How long, if it lasted.
    pub duration_s: Option<f64>,
    /// What else the writer said.
    pub metadata: Metadata,
}
