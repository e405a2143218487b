//! Writing workouts.

use rusqlite::{Connection, params};

use super::{
    chain::{Candidate, Matcher, Place},
    names::Names,
};
use crate::{
    identity::{Id, Key, MAX_ORDINAL},
    unit::nearly_equal,
    workout::{Event, Statistic, Workout},
};

/// Durations are printed in minutes with many digits, or in whole seconds.
const DURATION_TOLERANCE_S: f64 = 0.5;

/// What makes two workouts of one key equal.
struct Content {
    duration_s: Option<f64>,
    statistics: Vec<StoredStatistic>,
    /// Names and times.
    events: Vec<(String, i64)>,
}

struct StoredStatistic {
    kind: String,
    unit: String,
    tolerance: f64,
    numbers: [Option<f64>; 4],
}

pub(super) struct Workouts<'t> {
    connection: &'t Connection,
    origin_id: i64,
    pub(super) matcher: Matcher<Box<Workout>>,
}

impl<'t> Workouts<'t> {
    pub(super) fn new(connection: &'t Connection, origin_id: i64) -> Self {
        Self {
            connection,
            origin_id,
            matcher: Matcher::default(),
        }
    }

    pub(super) fn take(
        &mut self,
        workout: Box<Workout>,
        key: Key,
        names: &mut Names<'_>,
        seq: &mut i64,
    ) -> rusqlite::Result<()> {
        self.matcher.tally.read += 1;
        self.put(workout, key, names, seq, false)
    }

    pub(super) fn settle(&mut self, names: &mut Names<'_>, seq: &mut i64) -> rusqlite::Result<()> {
        for (key, workout) in self.matcher.take_waiting() {
            self.put(workout, key, names, seq, true)?;
        }
        Ok(())
    }

    fn put(
        &mut self,
        workout: Box<Workout>,
        key: Key,
        names: &mut Names<'_>,
        seq: &mut i64,
        at_end: bool,
    ) -> rusqlite::Result<()> {
        let candidates = self.candidates(key)?;
        match self
            .matcher
            .place(&candidates, |content| equals(content, &workout), at_end)
        {
            Place::Same => {}
            Place::Wait => self.matcher.wait(key, workout),
            Place::Changed(row) => {
                *seq += 1;
                self.change(row, &workout, *seq)?;
                self.write_parts(row, &workout, names)?;
            }
            Place::New(ordinal) => {
                *seq += 1;
                let row = self.insert(key.id(ordinal), &workout, names, *seq)?;
                self.write_parts(row, &workout, names)?;
                self.matcher.made(row);
            }
        }
        Ok(())
    }

    fn candidates(&self, key: Key) -> rusqlite::Result<Vec<Candidate<Content>>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT workout_id, id, duration_s FROM workout WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
        )?;
        let mut rows = statement.query(params![key.id(0), key.id(MAX_ORDINAL)])?;
        let mut candidates = Vec::new();
        while let Some(found) = rows.next()? {
            let row = found.get(0)?;
            let content = Content {
                duration_s: found.get(2)?,
                statistics: self.statistics(row)?,
                events: self.events(row)?,
            };
            candidates.push(Candidate {
                id: found.get(1)?,
                row,
                content,
            });
        }
        Ok(candidates)
    }

    fn statistics(&self, row: i64) -> rusqlite::Result<Vec<StoredStatistic>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT kind.name, unit.name, tolerance, average, minimum, maximum, sum
             FROM workout_statistic
             JOIN kind ON kind.id = kind_id JOIN unit ON unit.id = unit_id
             WHERE workout_id = ?1 ORDER BY position",
        )?;
        let rows = statement.query_map([row], |row| {
            Ok(StoredStatistic {
                kind: row.get(0)?,
                unit: row.get(1)?,
                tolerance: row.get(2)?,
                numbers: [row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?],
            })
        })?;
        rows.collect()
    }

    fn events(&self, row: i64) -> rusqlite::Result<Vec<(String, i64)>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT event, at_ms FROM workout_event WHERE workout_id = ?1 ORDER BY position",
        )?;
        let rows = statement.query_map([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    fn insert(
        &self,
        id: Id,
        workout: &Workout,
        names: &mut Names<'_>,
        seq: i64,
    ) -> rusqlite::Result<i64> {
        let (source_id, device_id) = names.writer(&workout.provenance)?;
        self.connection
            .prepare_cached(
                "INSERT INTO workout (id, seq, origin_id, activity, start_ms, end_ms, duration_s,
                                      source_id, device_id, created_ms, metadata)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                id,
                seq,
                self.origin_id,
                workout.activity,
                workout.start_ms,
                workout.end_ms,
                workout.duration_s,
                source_id,
                device_id,
                workout.created_ms,
                workout.metadata.to_json(),
            ])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn change(&self, row: i64, workout: &Workout, seq: i64) -> rusqlite::Result<()> {
        let connection = self.connection;
        connection.execute("DELETE FROM workout_statistic WHERE workout_id = ?1", [row])?;
        connection.execute("DELETE FROM workout_event WHERE workout_id = ?1", [row])?;
        connection.execute(
            "UPDATE workout SET seq = ?2, duration_s = ?3, created_ms = ?4, metadata = ?5
             WHERE workout_id = ?1",
            params![
                row,
                seq,
                workout.duration_s,
                workout.created_ms,
                workout.metadata.to_json()
            ],
        )?;
        Ok(())
    }

    fn write_parts(
        &self,
        row: i64,
        workout: &Workout,
        names: &mut Names<'_>,
    ) -> rusqlite::Result<()> {
        for (position, statistic) in (0_i64..).zip(&workout.statistics) {
            let Statistic {
                kind,
                unit,
                start_ms,
                end_ms,
                tolerance,
                ..
            } = statistic;
            self.connection
                .prepare_cached(
                    "INSERT INTO workout_statistic
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                )?
                .execute(params![
                    row,
                    position,
                    names.kind(kind, unit)?,
                    start_ms,
                    end_ms,
                    names.unit(unit)?,
                    statistic.average,
                    statistic.minimum,
                    statistic.maximum,
                    statistic.sum,
                    tolerance,
                ])?;
        }
        for (position, event) in (0_i64..).zip(&workout.events) {
            let Event {
                name,
                at_ms,
                duration_s,
                metadata,
            } = event;
            let metadata = metadata.to_json();
            self.connection
                .prepare_cached("INSERT INTO workout_event VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                .execute(params![row, position, name, at_ms, duration_s, metadata])?;
        }
        Ok(())
    }
}

fn equals(stored: &Content, workout: &Workout) -> bool {
    let durations = match (stored.duration_s, workout.duration_s) {
        (Some(a), Some(b)) => (a - b).abs() <= DURATION_TOLERANCE_S,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    durations
        && stored.statistics.len() == workout.statistics.len()
        && stored.events.len() == workout.events.len()
        && stored.statistics.iter().all(|stored| {
            workout
                .statistics
                .iter()
                .any(|statistic| equal_statistics(stored, statistic))
        })
        && stored
            .events
            .iter()
            .zip(&workout.events)
            .all(|((name, at_ms), event)| *name == event.name && *at_ms == event.at_ms)
}

fn equal_statistics(stored: &StoredStatistic, statistic: &Statistic) -> bool {
    let numbers = [
        statistic.average,
        statistic.minimum,
        statistic.maximum,
        statistic.sum,
    ];
    stored.kind == statistic.kind.as_str()
        && stored.unit == *statistic.unit
        && stored
            .numbers
            .iter()
            .zip(numbers)
            .all(|(a, b)| match (a, b) {
                (Some(a), Some(b)) => nearly_equal(*a, stored.tolerance, b, statistic.tolerance),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            })
}
