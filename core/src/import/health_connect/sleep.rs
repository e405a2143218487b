//! Sleep: sessions, and the stages in them.

use std::{collections::HashSet, sync::Arc};

use super::{
    Reader,
    database::From,
    record::{self, Frame},
};
use crate::{
    import::{ReadError, date},
    kind::Kind,
    sample::{Sample, Value},
};

const SESSIONS: &str = "sleep_session_record_table";
const STAGES: &str = "sleep_stages_table";

/// HealthKit's names of the stages, by Health Connect's numbers
/// (`SleepSessionRecord.StageType`). Being out of bed is being awake.
const CATEGORIES: &[Option<&str>] = &[
    None,
    Some("awake"),
    Some("asleepUnspecified"),
    Some("awake"),
    Some("asleepCore"),
    Some("asleepDeep"),
    Some("asleepREM"),
    Some("awake"),
];

/// The name of a stage, if it has one.
fn category(stage: i64) -> Option<&'static str> {
    *CATEGORIES.get(usize::try_from(stage).ok()?)?
}

/// Of a session with stages, its whole time is time in bed, and the stages are sleep. A session
/// without stages, or with none that is known, is sleep.
pub(super) fn read(reader: &mut Reader<'_, '_, '_>) -> Result<(), ReadError> {
    let database = reader.database;
    if !database.has(SESSIONS) {
        return Ok(());
    }
    let joined =
        database.has_column(STAGES, "parent_key") && database.has_column(SESSIONS, "row_id");
    let mut staged = HashSet::new();
    if joined {
        let columns = [("r", "parent_key"), ("r", "stage_type")];
        database.rows(&From::one(STAGES), &columns, &mut |cells| {
            let stage = cells.integer("r", "stage_type").and_then(category);
            staged.extend(stage.and_then(|_| cells.integer("r", "parent_key")));
            Ok(())
        })?;
    }
    let columns = record::with(&[("r", "title"), ("r", "notes")]);
    database.rows(&From::one(SESSIONS), &columns, &mut |cells| {
        let row = cells.integer("r", "row_id");
        let has_stages = row.is_some_and(|row| staged.contains(&row));
        let category = if has_stages {
            "inBed"
        } else {
            "asleepUnspecified"
        };
        let sample = Frame::read(cells, &mut reader.writers).map(|mut frame| {
            reader.notes(cells, &mut frame.metadata);
            sample(category.into(), frame)
        });
        reader.hand_on(sample)
    })?;
    if !joined {
        return Ok(());
    }
    let columns = record::with(&[
        ("c", "stage_start_time"),
        ("c", "stage_end_time"),
        ("c", "stage_type"),
    ]);
    let categories: Vec<Option<Arc<str>>> =
        CATEGORIES.iter().map(|name| name.map(Arc::from)).collect();
    database.rows(
        &From::with_child(SESSIONS, STAGES),
        &columns,
        &mut |cells| {
            let instant = |column| {
                cells
                    .integer("c", column)
                    .filter(|ms| date::is_printable(*ms))
            };
            let stage = cells.integer("c", "stage_type");
            let known = stage.and_then(|stage| categories.get(usize::try_from(stage).ok()?));
            let sample = Frame::read(cells, &mut reader.writers).and_then(|mut frame| {
                let category = known
                    .cloned()
                    .flatten()
                    .ok_or("sleep stages of an unknown kind")?;
                let (Some(start), Some(end)) =
                    (instant("stage_start_time"), instant("stage_end_time"))
                else {
                    return Err("records without a time that is one");
                };
                if end < start {
                    return Err("ends before their starts");
                }
                (frame.start_ms, frame.end_ms) = (start, end);
                let remark = match stage {
                    Some(3) => Some("outOfBed"),
                    Some(7) => Some("awakeInBed"),
                    _ => None,
                };
                if let Some(remark) = remark {
                    let entry = ("HealthConnectStage".to_owned(), remark.to_owned());
                    frame.metadata.entries.push(entry);
                }
                Ok(sample(category, frame))
            });
            reader.hand_on(sample)
        },
    )
}

fn sample(category: Arc<str>, frame: Frame) -> Sample {
    Sample {
        kind: Kind::stored("sleepAnalysis"),
        unit: "".into(),
        value: Value::Category(category),
        start_ms: frame.start_ms,
        end_ms: frame.end_ms,
        created_ms: frame.created_ms,
        provenance: frame.provenance,
        external_id: frame.id,
        metadata: frame.metadata,
    }
}
