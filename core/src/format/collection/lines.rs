//! What the store keeps, as lines of NDJSON.

use std::ops::ControlFlow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    api::{
        CorrelationRecord, DocumentRecord, EventRecord, MemberRecord, PartRecord, StatisticRecord,
        WorkoutRecord,
    },
    document::Noun,
    format::rows::push_number,
    identity::uuid,
    json::on_one_line,
    series::whole_ms,
    store::{Store, StoreError, StoredCorrelation, StoredDocument, StoredWorkout},
    time::{push_rfc3339, rfc3339},
};

/// A line could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// What the store holds is no JSON.
    #[error("the store holds a text that is no JSON")]
    Json(#[from] serde_json::Error),
    /// The series could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody wants more.
    #[error("writing was stopped")]
    Stopped,
}

/// Appends a workout and a line feed.
pub fn workout_line(workout: StoredWorkout, out: &mut Vec<u8>) -> Result<(), LineError> {
    let record = WorkoutRecord {
        id: uuid(&workout.id),
        activity: workout.activity,
        start_date: rfc3339(workout.start_ms),
        end_date: rfc3339(workout.end_ms),
        duration: workout.duration_s,
        source_name: workout.source,
        source_version: workout.source_version,
        device: workout.device,
        origin: workout.origin,
        creation_date: workout.created_ms.map(rfc3339),
        statistics: workout
            .statistics
            .into_iter()
            .map(|statistic| StatisticRecord {
                kind: statistic.kind,
                unit: statistic.unit,
                activity: statistic.activity,
                start_date: statistic.start_ms.map(rfc3339),
                end_date: statistic.end_ms.map(rfc3339),
                average: statistic.average,
                minimum: statistic.minimum,
                maximum: statistic.maximum,
                sum: statistic.sum,
            })
            .collect(),
        events: workout
            .events
            .into_iter()
            .map(|event| {
                Ok(EventRecord {
                    name: event.name,
                    date: rfc3339(event.at_ms),
                    duration: event.duration_s,
                    activity: event.activity,
                    metadata: event.metadata.map(raw).transpose()?,
                })
            })
            .collect::<Result<_, LineError>>()?,
        activities: workout
            .activities
            .into_iter()
            .map(|part| {
                Ok(PartRecord {
                    uuid: part.uuid,
                    start_date: rfc3339(part.start_ms),
                    end_date: part.end_ms.map(rfc3339),
                    duration: part.duration_s,
                    metadata: part.metadata.map(raw).transpose()?,
                })
            })
            .collect::<Result<_, LineError>>()?,
        metadata: workout.metadata.map(raw).transpose()?,
    };
    push_line(&record, out)
}

/// Appends a correlation and a line feed.
pub fn correlation_line(
    correlation: StoredCorrelation,
    out: &mut Vec<u8>,
) -> Result<(), LineError> {
    let members = correlation.members.into_iter();
    let record = CorrelationRecord {
        id: uuid(&correlation.id),
        kind: correlation.kind,
        start_date: rfc3339(correlation.start_ms),
        end_date: rfc3339(correlation.end_ms),
        source_name: correlation.source,
        device: correlation.device,
        origin: correlation.origin,
        creation_date: correlation.created_ms.map(rfc3339),
        members: members
            .map(|member| MemberRecord {
                kind: member.kind,
                id: uuid(&member.id),
                value: member.value,
                unit: member.unit,
            })
            .collect(),
        metadata: correlation.metadata.map(raw).transpose()?,
    };
    push_line(&record, out)
}

/// Appends a document with its points or voltages, and a line feed. `full` gets the bytes between
/// two chunks of them, and takes them away when they are many.
pub fn document_line(
    store: &Store,
    document: StoredDocument,
    out: &mut Vec<u8>,
    full: &mut dyn FnMut(&mut Vec<u8>) -> ControlFlow<()>,
) -> Result<(), LineError> {
    let (id, noun) = (document.id, document.noun);
    let is_of_a_day = document.local_date.is_some();
    let instant = |ms| (!is_of_a_day).then(|| rfc3339(ms));
    let record = DocumentRecord {
        id: uuid(&id),
        noun: noun.to_string(),
        date: document.local_date,
        start_date: instant(document.start_ms),
        end_date: instant(document.end_ms),
        source_name: document.source,
        source_version: document.source_version,
        device: document.device,
        origin: document.origin,
        creation_date: document.created_ms.map(rfc3339),
        workout: document.workout.as_ref().map(uuid),
        body: raw(document.body)?,
        metadata: document.metadata.map(raw).transpose()?,
        points: None,
        voltages: None,
    };
    let opening: &[u8] = match noun {
        Noun::Route => b",\"points\":[",
        Noun::Ecg => b",\"voltages\":[",
        _ => return push_line(&record, out),
    };
    serde_json::to_writer(&mut *out, &record)?;
    // Behind the last of the fields above.
    out.pop();
    out.extend_from_slice(opening);
    let (mut is_first, mut stopped) = (true, false);
    store.series(id, &mut |columns| {
        let points = columns.first().map_or(0, Vec::len);
        for point in 0..points {
            if !std::mem::take(&mut is_first) {
                out.push(b',');
            }
            if noun == Noun::Route {
                push_point(noun.columns(), columns, point, out);
            } else {
                push_value(columns.first().and_then(|column| column.get(point)), out);
            }
        }
        let flow = full(out);
        stopped = flow.is_break();
        flow
    })?;
    if stopped {
        return Err(LineError::Stopped);
    }
    out.extend_from_slice(b"]}\n");
    Ok(())
}

fn push_line(record: &impl Serialize, out: &mut Vec<u8>) -> Result<(), LineError> {
    serde_json::to_writer(&mut *out, record)?;
    out.push(b'\n');
    Ok(())
}

fn raw(text: String) -> Result<Box<RawValue>, LineError> {
    Ok(on_one_line(text)?)
}

/// One point of a route; what is missing is left out.
fn push_point(names: &[&str], columns: &[Vec<f64>], point: usize, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut is_first = true;
    for (name, column) in names.iter().zip(columns) {
        let Some(value) = column.get(point).filter(|value| value.is_finite()) else {
            continue;
        };
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        out.extend_from_slice(format!("\"{name}\":").as_bytes());
        if *name == "time" {
            out.push(b'"');
            push_rfc3339(whole_ms(*value), out);
            out.push(b'"');
        } else {
            push_value(Some(value), out);
        }
    }
    out.push(b'}');
}

fn push_value(value: Option<&f64>, out: &mut Vec<u8>) {
    match value.filter(|value| value.is_finite()) {
        Some(value) => push_number(*value, &mut zmij::Buffer::new(), out),
        None => out.extend_from_slice(b"null"),
    }
}
