//! Exercise sessions with laps, segments and routes.

use std::collections::HashMap;

use super::{
    Reader, activities,
    database::From,
    record::{self, Frame},
};
use crate::{
    document::{Document, Noun},
    import::{Item, ReadError, date, limits},
    sample::Metadata,
    series::SeriesBuilder,
    workout::{Event, Workout},
};

const SESSIONS: &str = "exercise_session_record_table";
const ROUTES: &str = "exercise_route_table";

/// Laps and segments: table, column prefix, name of the event, columns kept as metadata.
const PARTS: &[(&str, &str, &str, &[&str])] = &[
    ("exercise_laps_table", "lap", "lap", &["length"]),
    (
        "exercise_segments_table",
        "segment",
        "segment",
        &[
            "segment_type",
            "repetitions_count",
            "weight_grams",
            "set_index",
        ],
    ),
];

/// Laps and segments that are kept in memory until their session comes.
const EVENTS: usize = 500_000;

/// Reads all sessions, then the routes in the order of their sessions.
pub(super) fn read(reader: &mut Reader<'_, '_, '_>) -> Result<(), ReadError> {
    let database = reader.database;
    if !database.has(SESSIONS) {
        return Ok(());
    }
    let mut events = events(reader)?;
    let mut workouts: HashMap<i64, u64> = HashMap::new();
    let mut before = 0;
    let columns = record::with(&[("r", "exercise_type"), ("r", "title"), ("r", "notes")]);
    database.rows(&From::one(SESSIONS), &columns, &mut |cells| {
        let frame = match Frame::read(cells, &mut reader.writers) {
            Ok(frame) => frame,
            Err(reason) => {
                reader.skip(reason);
                return Ok(());
            }
        };
        let number = cells.integer("r", "exercise_type");
        let mut metadata = frame.metadata;
        if let Some(number) = number {
            let entry = ("HealthConnectExerciseType".to_owned(), number.to_string());
            metadata.entries.push(entry);
        }
        reader.notes(cells, &mut metadata);
        let row = cells.integer("r", "row_id");
        let workout = Workout {
            activity: activities::name(number).to_owned(),
            start_ms: frame.start_ms,
            end_ms: frame.end_ms,
            created_ms: frame.created_ms,
            duration_s: None,
            provenance: frame.provenance,
            external_id: frame.id,
            metadata,
            statistics: Vec::new(),
            events: row.and_then(|row| events.remove(&row)).unwrap_or_default(),
            activities: Vec::new(),
        };
        if let Some(row) = row {
            workouts.insert(row, before);
        }
        before += 1;
        (reader.sink)(Item::Workout(Box::new(workout)))?;
        Ok(())
    })?;
    let lost: usize = events.values().map(Vec::len).sum();
    if lost > 0 {
        let lost = u64::try_from(lost).unwrap_or(u64::MAX);
        reader.skip_many("laps and segments whose exercise is missing", lost);
    }
    routes(reader, &workouts)
}

/// Laps and segments by the row of their session, each in the order of its time.
fn events(reader: &mut Reader<'_, '_, '_>) -> Result<HashMap<i64, Vec<Event>>, ReadError> {
    let mut events: HashMap<i64, Vec<Event>> = HashMap::new();
    let mut kept = 0;
    for (table, prefix, name, more) in PARTS {
        let (start, end) = (format!("{prefix}_start_time"), format!("{prefix}_end_time"));
        let mut columns = vec![
            ("r", "parent_key"),
            ("r", start.as_str()),
            ("r", end.as_str()),
        ];
        columns.extend(more.iter().map(|column| ("r", *column)));
        let database = reader.database;
        database.rows(&From::one(table), &columns, &mut |cells| {
            let instant = |column: &str| {
                cells
                    .integer("r", column)
                    .filter(|ms| date::is_printable(*ms))
            };
            let (Some(parent), Some(at_ms)) = (cells.integer("r", "parent_key"), instant(&start))
            else {
                reader.skip("laps and segments without a time that is one");
                return Ok(());
            };
            if kept >= EVENTS {
                reader.skip("laps and segments beyond the limit");
                return Ok(());
            }
            kept += 1;
            let mut metadata = Metadata::default();
            for column in *more {
                let text = cells.text("r", column);
                let number = || cells.number("r", column).map(|number| number.to_string());
                if let Some(text) = text.or_else(number) {
                    metadata.entries.push(((*column).to_owned(), text));
                }
            }
            let length = instant(&end).and_then(|end| end.checked_sub(at_ms));
            // Milliseconds of a day are whole in an i32.
            let length = length.and_then(|ms| i32::try_from(ms).ok());
            events.entry(parent).or_default().push(Event {
                name: (*name).to_owned(),
                at_ms,
                duration_s: length
                    .filter(|ms| *ms >= 0)
                    .map(|ms| f64::from(ms) / 1000.0),
                metadata,
            });
            Ok(())
        })?;
    }
    let mut beyond = 0;
    for list in events.values_mut() {
        list.sort_by_key(|event| event.at_ms);
        beyond += list.len().saturating_sub(limits::PARTS);
        list.truncate(limits::PARTS);
    }
    if beyond > 0 {
        let beyond = u64::try_from(beyond).unwrap_or(u64::MAX);
        reader.skip_many("laps and segments beyond the limit", beyond);
    }
    Ok(events)
}

/// A route while its points pass.
struct Route {
    session: i64,
    builder: SeriesBuilder,
    points: usize,
    span: (i64, i64),
}

fn routes(reader: &mut Reader<'_, '_, '_>, workouts: &HashMap<i64, u64>) -> Result<(), ReadError> {
    let database = reader.database;
    let joined = database.has_column(ROUTES, "parent_key")
        && database.has_column(ROUTES, "timestamp_millis")
        && database.has_column(SESSIONS, "row_id");
    if !joined {
        if database.has(ROUTES) {
            let count = database.count(ROUTES)?;
            reader.skip_many("points of a route without a place or a time", count);
        }
        return Ok(());
    }
    let from = From {
        record: SESSIONS,
        child: Some(ROUTES),
        order: Some("timestamp_millis"),
    };
    let columns = [
        ("c", "parent_key"),
        ("c", "timestamp_millis"),
        ("c", "latitude"),
        ("c", "longitude"),
        ("c", "altitude"),
        ("c", "horizontal_accuracy"),
        ("c", "vertical_accuracy"),
    ];
    let mut route: Option<Route> = None;
    let mut finished = Vec::new();
    database.rows(&from, &columns, &mut |cells| {
        let time = cells
            .integer("c", "timestamp_millis")
            .filter(|ms| date::is_printable(*ms));
        let number = |column| cells.number("c", column);
        let (Some(session), Some(at), Some(latitude), Some(longitude)) = (
            cells.integer("c", "parent_key"),
            time,
            number("latitude"),
            number("longitude"),
        ) else {
            reader.skip("points of a route without a place or a time");
            return Ok(());
        };
        if route.as_ref().is_none_or(|route| route.session != session) {
            finished.extend(route.take());
        }
        let route = route.get_or_insert_with(|| Route {
            session,
            builder: SeriesBuilder::new(Noun::Route.columns().len()),
            points: 0,
            span: (at, at),
        });
        if route.points >= limits::POINTS || route.builder.size() >= limits::SERIES {
            reader.skip("points of routes beyond the limit");
            return Ok(());
        }
        route.points += 1;
        let or_none = |column| number(column).unwrap_or(f64::NAN);
        route.builder.push(&[
            at.to_string().parse().unwrap_or(f64::NAN),
            latitude,
            longitude,
            or_none("altitude"),
            f64::NAN,
            f64::NAN,
            or_none("horizontal_accuracy"),
            or_none("vertical_accuracy"),
        ]);
        route.span = (route.span.0.min(at), route.span.1.max(at));
        for route in finished.drain(..) {
            reader.hand_on_route(route, workouts)?;
        }
        Ok(())
    })?;
    if let Some(route) = route {
        reader.hand_on_route(route, workouts)?;
    }
    Ok(())
}

impl Reader<'_, '_, '_> {
    fn hand_on_route(
        &mut self,
        route: Route,
        workouts: &HashMap<i64, u64>,
    ) -> Result<(), ReadError> {
        (self.sink)(Item::Document(Box::new(Document {
            series: Some(route.builder.finish()),
            workout: workouts.get(&route.session).copied(),
            ..Document::new(Noun::Route, route.span.0, route.span.1)
        })))?;
        Ok(())
    }
}
