//! Writing workouts.

use rusqlite::{Connection, params};

use super::{
    chain::{Likeness, Matcher, Place, candidates},
    names::Names,
};
use crate::{
    identity::{Id, Key},
    unit::nearly_equal,
    workout::{Activity, Event, Statistic, Workout},
};

/// Durations are printed in minutes with many digits, or in whole seconds.
const DURATION_TOLERANCE_S: f64 = 0.5;

/// What makes two workouts of one key equal.
struct Content {
    duration_s: Option<f64>,
    statistics: Vec<StoredStatistic>,
    /// Part, name and time.
    events: Vec<(Option<i64>, String, i64)>,
    /// Starts and durations.
    activities: Vec<(i64, Option<f64>)>,
}

struct StoredStatistic {
    activity: Option<i64>,
    kind: String,
    unit: String,
    tolerance: f64,
    numbers: [Option<f64>; 4],
}

pub(super) struct Workouts<'t> {
    connection: &'t Connection,
    origin_id: i64,
    format_id: i64,
    pub(super) matcher: Matcher<Numbered>,
    /// Rows of the workouts of the file, in its order; 0 while they wait.
    placed: Vec<i64>,
}

/// A workout and how many of the same file came before it.
pub(super) type Numbered = (usize, Box<Workout>);

impl<'t> Workouts<'t> {
    pub(super) fn new(connection: &'t Connection, origin_id: i64, format_id: i64) -> Self {
        Self {
            connection,
            origin_id,
            format_id,
            matcher: Matcher::default(),
            placed: Vec::new(),
        }
    }

    /// The row of the workout with this number, if it has one yet.
    pub(super) fn row(&self, number: u64) -> Option<i64> {
        let row = self.placed.get(usize::try_from(number).ok()?);
        row.copied().filter(|row| *row != 0)
    }

    pub(super) fn take(
        &mut self,
        workout: Box<Workout>,
        key: Key,
        names: &mut Names<'_>,
        seq: &mut i64,
    ) -> rusqlite::Result<()> {
        self.matcher.tally.read += 1;
        let number = self.placed.len();
        self.placed.push(0);
        self.put((number, workout), key, names, seq, false)
    }

    pub(super) fn settle(&mut self, names: &mut Names<'_>, seq: &mut i64) -> rusqlite::Result<()> {
        for (key, workout) in self.matcher.take_waiting() {
            self.put(workout, key, names, seq, true)?;
        }
        Ok(())
    }

    fn put(
        &mut self,
        (number, workout): Numbered,
        key: Key,
        names: &mut Names<'_>,
        seq: &mut i64,
        at_end: bool,
    ) -> rusqlite::Result<()> {
        let rows = candidates(self.connection, "workout", key)?;
        let stored = Stored(self.connection);
        let compare = |row| Ok(Likeness::of(equals(&stored.content(row)?, &workout)));
        let row = match self.matcher.place((key, &rows), compare, at_end)? {
            Place::Same(row) => row,
            Place::Beyond => return Ok(()),
            Place::Wait => {
                self.matcher.wait(key, (number, workout));
                return Ok(());
            }
            Place::Changed(row) => {
                *seq += 1;
                self.change(row, &workout, *seq)?;
                self.write_parts(row, &workout, names)?;
                row
            }
            Place::New(ordinal) => {
                *seq += 1;
                let row = self.insert(key.id(ordinal), &workout, names, *seq)?;
                self.write_parts(row, &workout, names)?;
                self.matcher.made(row);
                row
            }
        };
        if let Some(place) = self.placed.get_mut(number) {
            *place = row;
        }
        Ok(())
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
                                      source_id, device_id, created_ms, metadata, format_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
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
                self.format_id,
            ])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn change(&self, row: i64, workout: &Workout, seq: i64) -> rusqlite::Result<()> {
        let connection = self.connection;
        connection.execute("DELETE FROM workout_statistic WHERE workout_id = ?1", [row])?;
        connection.execute("DELETE FROM workout_event WHERE workout_id = ?1", [row])?;
        connection.execute("DELETE FROM workout_activity WHERE workout_id = ?1", [row])?;
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
        for (position, activity) in (0_i64..).zip(&workout.activities) {
            let Activity {
                uuid,
                start_ms,
                end_ms,
                duration_s,
                metadata,
                statistics: _,
                events: _,
            } = activity;
            let metadata = metadata.to_json();
            self.connection
                .prepare_cached("INSERT INTO workout_activity VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
                .execute(params![
                    row, position, uuid, start_ms, end_ms, duration_s, metadata
                ])?;
        }
        for (position, (activity, statistic)) in (0_i64..).zip(statistics(workout)) {
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
                    "INSERT INTO workout_statistic (workout_id, position, kind_id, start_ms, end_ms,
                         unit_id, average, minimum, maximum, sum, tolerance, activity)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
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
                    activity,
                ])?;
        }
        for (position, (activity, event)) in (0_i64..).zip(events(workout)) {
            let Event {
                name,
                at_ms,
                duration_s,
                metadata,
            } = event;
            let metadata = metadata.to_json();
            self.connection
                .prepare_cached(
                    "INSERT INTO workout_event (workout_id, position, event, at_ms, duration_s,
                         metadata, activity)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    row, position, name, at_ms, duration_s, metadata, activity
                ])?;
        }
        Ok(())
    }
}

/// The workouts of the store.
struct Stored<'t>(&'t Connection);

impl Stored<'_> {
    fn content(&self, row: i64) -> rusqlite::Result<Content> {
        let duration_s = self
            .0
            .prepare_cached("SELECT duration_s FROM workout WHERE workout_id = ?1")?
            .query_row([row], |found| found.get(0))?;
        Ok(Content {
            duration_s,
            statistics: self.statistics(row)?,
            events: self.events(row)?,
            activities: self.activities(row)?,
        })
    }

    fn statistics(&self, row: i64) -> rusqlite::Result<Vec<StoredStatistic>> {
        let mut statement = self.0.prepare_cached(
            "SELECT activity, kind.name, unit.name, tolerance, average, minimum, maximum, sum
             FROM workout_statistic
             JOIN kind ON kind.id = kind_id JOIN unit ON unit.id = unit_id
             WHERE workout_id = ?1 ORDER BY position",
        )?;
        let rows = statement.query_map([row], |row| {
            Ok(StoredStatistic {
                activity: row.get(0)?,
                kind: row.get(1)?,
                unit: row.get(2)?,
                tolerance: row.get(3)?,
                numbers: [row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?],
            })
        })?;
        rows.collect()
    }

    fn events(&self, row: i64) -> rusqlite::Result<Vec<(Option<i64>, String, i64)>> {
        let mut statement = self.0.prepare_cached(
            "SELECT activity, event, at_ms FROM workout_event WHERE workout_id = ?1
             ORDER BY position",
        )?;
        let rows = statement.query_map([row], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect()
    }

    fn activities(&self, row: i64) -> rusqlite::Result<Vec<(i64, Option<f64>)>> {
        let mut statement = self.0.prepare_cached(
            "SELECT start_ms, duration_s FROM workout_activity WHERE workout_id = ?1
             ORDER BY position",
        )?;
        let rows = statement.query_map([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }
}

/// All statistics, those of the parts with the part's position.
fn statistics(workout: &Workout) -> impl Iterator<Item = (Option<i64>, &Statistic)> {
    let whole = workout.statistics.iter().map(|it| (None, it));
    let parts = (0_i64..).zip(&workout.activities);
    whole.chain(parts.flat_map(|(at, part)| part.statistics.iter().map(move |it| (Some(at), it))))
}

/// All events, those of the parts with the part's position.
fn events(workout: &Workout) -> impl Iterator<Item = (Option<i64>, &Event)> {
    let whole = workout.events.iter().map(|it| (None, it));
    let parts = (0_i64..).zip(&workout.activities);
    whole.chain(parts.flat_map(|(at, part)| part.events.iter().map(move |it| (Some(at), it))))
}

fn equal_durations(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= DURATION_TOLERANCE_S,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn equals(stored: &Content, workout: &Workout) -> bool {
    equal_durations(stored.duration_s, workout.duration_s)
        && stored.activities.len() == workout.activities.len()
        && stored.activities.iter().zip(&workout.activities).all(
            |((start_ms, duration_s), part)| {
                *start_ms == part.start_ms && equal_durations(*duration_s, part.duration_s)
            },
        )
        && stored.statistics.len() == statistics(workout).count()
        && stored.events.len() == events(workout).count()
        && stored.statistics.iter().all(|stored| {
            statistics(workout).any(|(activity, statistic)| {
                stored.activity == activity && equal_statistics(stored, statistic)
            })
        })
        && stored.events.iter().zip(events(workout)).all(
            |((part, name, at_ms), (activity, event))| {
                *part == activity && *name == event.name && *at_ms == event.at_ms
            },
        )
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
