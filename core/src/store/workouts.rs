//! Workouts and correlations, read back.

use std::ops::ControlFlow;

use rusqlite::{Row, types::Value as SqlValue};

use super::{
    Store, StoreError,
    range::{Paged, Range, scan},
};
use crate::identity::Id;

/// A workout as the store keeps it, with its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredWorkout {
    /// Its id, a UUID of version 8.
    pub id: Id,
    /// Position of its last write in the sequence.
    pub seq: i64,
    /// Whose it is.
    pub origin: String,
    /// HealthKit's name without its prefix (`running`).
    pub activity: String,
    /// Start, milliseconds since 1970-01-01T00:00:00Z.
    pub start_ms: i64,
    /// End, same unit.
    pub end_ms: i64,
    /// Seconds without pauses.
    pub duration_s: Option<f64>,
    /// Name of the writing app or device.
    pub source: String,
    /// Its version.
    pub source_version: Option<String>,
    /// The device.
    pub device: Option<String>,
    /// When it was written on the phone.
    pub created_ms: Option<i64>,
    /// What else the writer said: a JSON object.
    pub metadata: Option<String>,
    /// Totals and averages.
    pub statistics: Vec<StoredStatistic>,
    /// Pauses, laps, markers, in the order of the file.
    pub events: Vec<StoredEvent>,
    /// The parts of a workout of several sports.
    pub activities: Vec<StoredActivity>,
}

/// Totals or averages of one type, in its canonical unit.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredStatistic {
    /// Index in the workout's activities; `None` for the whole workout.
    pub activity: Option<u64>,
    /// What was measured.
    pub kind: String,
    /// Its unit.
    pub unit: String,
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
}

/// Something that happened during a workout.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Index in the workout's activities; `None` for the whole workout.
    pub activity: Option<u64>,
    /// HealthKit's name without its prefix (`pause`).
    pub name: String,
    /// When.
    pub at_ms: i64,
    /// How long, if it lasted.
    pub duration_s: Option<f64>,
    /// What else the writer said: a JSON object.
    pub metadata: Option<String>,
}

/// One part of a workout.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredActivity {
    /// The phone's own id of it.
    pub uuid: Option<String>,
    /// Start, milliseconds since 1970-01-01T00:00:00Z.
    pub start_ms: i64,
    /// End, if the file says so.
    pub end_ms: Option<i64>,
    /// Seconds without pauses.
    pub duration_s: Option<f64>,
    /// What else the writer said: a JSON object.
    pub metadata: Option<String>,
}

/// Samples that belong together: a blood pressure, a meal.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCorrelation {
    /// Its id, a UUID of version 8.
    pub id: Id,
    /// Position of its last write in the sequence.
    pub seq: i64,
    /// Whose it is.
    pub origin: String,
    /// `bloodPressure`, `food`.
    pub kind: String,
    /// Start, milliseconds since 1970-01-01T00:00:00Z.
    pub start_ms: i64,
    /// End, same unit.
    pub end_ms: i64,
    /// Name of the writing app or device.
    pub source: String,
    /// The device.
    pub device: Option<String>,
    /// When it was written on the phone.
    pub created_ms: Option<i64>,
    /// What else the writer said: a JSON object.
    pub metadata: Option<String>,
    /// Its samples, which are rows of their own as well.
    pub members: Vec<Member>,
}

/// A sample of a correlation.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its type.
    pub kind: String,
    /// Its id.
    pub id: Id,
    /// Its start.
    pub start_ms: i64,
    /// Its value, if the sample is a quantity and still there.
    pub value: Option<f64>,
    /// The value's unit, if the sample is still there.
    pub unit: Option<String>,
}

const WORKOUTS: &str = "
SELECT it.start_ms, it.id, it.workout_id, it.seq, origin.name, it.activity, it.end_ms,
       it.duration_s, source.name, nullif(source.version, ''), device.name, it.created_ms,
       it.metadata
FROM workout AS it
JOIN origin ON origin.id = it.origin_id
JOIN source ON source.id = it.source_id
LEFT JOIN device ON device.id = it.device_id";

const CORRELATIONS: &str = "
SELECT it.start_ms, it.id, it.correlation_id, it.seq, origin.name, kind.name, it.end_ms,
       source.name, device.name, it.created_ms, it.metadata
FROM correlation AS it
JOIN kind ON kind.id = it.kind_id
JOIN origin ON origin.id = it.origin_id
JOIN source ON source.id = it.source_id
LEFT JOIN device ON device.id = it.device_id";

impl Store {
    /// Hands workouts to `sink`, one by one with their parts, in the order (start, id). `Break`
    /// ends the scan early. Their routes are documents that name them.
    pub fn workouts(
        &self,
        range: &Range,
        sink: &mut dyn FnMut(StoredWorkout) -> ControlFlow<()>,
    ) -> Result<Paged, StoreError> {
        let mut read = |row: &Row<'_>| {
            let workout: i64 = row.get(2)?;
            Ok(StoredWorkout {
                start_ms: row.get(0)?,
                id: row.get(1)?,
                seq: row.get(3)?,
                origin: row.get(4)?,
                activity: row.get(5)?,
                end_ms: row.get(6)?,
                duration_s: row.get(7)?,
                source: row.get(8)?,
                source_version: row.get(9)?,
                device: row.get(10)?,
                created_ms: row.get(11)?,
                metadata: row.get(12)?,
                statistics: self.statistics_of(workout)?,
                events: self.events_of(workout)?,
                activities: self.activities_of(workout)?,
            })
        };
        scan(
            &self.connection,
            WORKOUTS,
            ("", &[]),
            range,
            &mut read,
            sink,
        )
    }

    /// Hands the correlations of these types (of all, if none is named) to `sink`, one by one with
    /// their samples, in the order (start, id). `Break` ends the scan early.
    pub fn correlations(
        &self,
        types: &[String],
        range: &Range,
        sink: &mut dyn FnMut(StoredCorrelation) -> ControlFlow<()>,
    ) -> Result<Paged, StoreError> {
        let mut read = |row: &Row<'_>| {
            Ok(StoredCorrelation {
                start_ms: row.get(0)?,
                id: row.get(1)?,
                members: self.members_of(row.get(2)?)?,
                seq: row.get(3)?,
                origin: row.get(4)?,
                kind: row.get(5)?,
                end_ms: row.get(6)?,
                source: row.get(7)?,
                device: row.get(8)?,
                created_ms: row.get(9)?,
                metadata: row.get(10)?,
            })
        };
        let marks = vec!["?"; types.len()].join(", ");
        let only = if types.is_empty() {
            String::new()
        } else {
            format!(" AND kind.name IN ({marks})")
        };
        let names: Vec<SqlValue> = types.iter().map(|name| name.clone().into()).collect();
        scan(
            &self.connection,
            CORRELATIONS,
            (&only, &names),
            range,
            &mut read,
            sink,
        )
    }

    fn parts<T>(
        &self,
        sql: &str,
        of: i64,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([of], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn statistics_of(&self, workout: i64) -> Result<Vec<StoredStatistic>, StoreError> {
        let sql = "SELECT activity, kind.name, unit.name, start_ms, end_ms, average, minimum,
                          maximum, sum
                   FROM workout_statistic
                   JOIN kind ON kind.id = kind_id JOIN unit ON unit.id = unit_id
                   WHERE workout_id = ?1 ORDER BY position";
        self.parts(sql, workout, |row| {
            Ok(StoredStatistic {
                activity: row.get(0)?,
                kind: row.get(1)?,
                unit: row.get(2)?,
                start_ms: row.get(3)?,
                end_ms: row.get(4)?,
                average: row.get(5)?,
                minimum: row.get(6)?,
                maximum: row.get(7)?,
                sum: row.get(8)?,
            })
        })
    }

    fn events_of(&self, workout: i64) -> Result<Vec<StoredEvent>, StoreError> {
        let sql = "SELECT activity, event, at_ms, duration_s, metadata FROM workout_event
                   WHERE workout_id = ?1 ORDER BY position";
        self.parts(sql, workout, |row| {
            Ok(StoredEvent {
                activity: row.get(0)?,
                name: row.get(1)?,
                at_ms: row.get(2)?,
                duration_s: row.get(3)?,
                metadata: row.get(4)?,
            })
        })
    }

    fn activities_of(&self, workout: i64) -> Result<Vec<StoredActivity>, StoreError> {
        let sql = "SELECT uuid, start_ms, end_ms, duration_s, metadata FROM workout_activity
                   WHERE workout_id = ?1 ORDER BY position";
        self.parts(sql, workout, |row| {
            Ok(StoredActivity {
                uuid: row.get(0)?,
                start_ms: row.get(1)?,
                end_ms: row.get(2)?,
                duration_s: row.get(3)?,
                metadata: row.get(4)?,
            })
        })
    }

    fn members_of(&self, correlation: i64) -> Result<Vec<Member>, StoreError> {
        let sql = "SELECT kind.name, it.sample_id, it.start_ms, sample.value, unit.name
                   FROM correlation_member AS it
                   JOIN kind ON kind.id = it.kind_id
                   LEFT JOIN sample ON sample.kind_id = it.kind_id
                                   AND sample.start_ms = it.start_ms AND sample.id = it.sample_id
                   LEFT JOIN unit ON unit.id = sample.unit_id
                   WHERE correlation_id = ?1 ORDER BY position";
        self.parts(sql, correlation, |row| {
            Ok(Member {
                kind: row.get(0)?,
                id: row.get(1)?,
                start_ms: row.get(2)?,
                value: row.get(3)?,
                unit: row.get(4)?,
            })
        })
    }
}
