//! Tables with many numbers a record: a row of the child each.

use super::{
    Reader,
    database::{Cells, From},
    record::{self, Frame},
    tables::Measure,
};
use crate::import::{ReadError, date};

/// The record, its child, the child's column, the unit in it, our type, the unit of a type of our
/// own. Some parents bear the name of their class, as Android's source does.
const SERIES: &[[&str; 6]] = &[
    [
        "heart_rate_record_table",
        "heart_rate_record_series_table",
        "beats_per_minute",
        "count/min",
        "heartRate",
        "",
    ],
    [
        "SpeedRecordTable",
        "speed_record_table",
        "speed",
        "m/s",
        "speed",
        "m/s",
    ],
    [
        "PowerRecordTable",
        "power_record_table",
        "power",
        "W",
        "power",
        "W",
    ],
    [
        "CyclingPedalingCadenceRecordTable",
        "cycling_pedaling_cadence_record_table",
        "revolutions_per_minute",
        "count/min",
        "cyclingCadence",
        "",
    ],
    [
        "StepsCadenceRecordTable",
        "steps_cadence_record_table",
        "rate",
        "count/min",
        "stepsCadence",
        "count/min",
    ],
    // Differences to what the skin of that person is usually like.
    [
        "skin_temperature_record_table",
        "skin_temperature_delta_table",
        "delta",
        "degC",
        "skinTemperatureDelta",
        "degC",
    ],
];

/// A column of the record that is kept as metadata.
const PLACE: &str = "measurement_location";

/// What the skin of a person is usually like: a number of the record, not of its child.
const BASELINE: (&str, &str, &str) = (
    "skin_temperature_record_table",
    "baseline",
    "skinTemperatureBaseline",
);

/// The tables read here, parents and children.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SERIES
        .iter()
        .flat_map(|[record, child, ..]| [*record, *child])
}

/// Reads all of them; a number is a sample at its own time, under the id of its record.
pub(super) fn read(reader: &mut Reader<'_, '_, '_>) -> Result<(), ReadError> {
    for [record, child, column, unit, kind, own_unit] in SERIES {
        let database = reader.database;
        let joined =
            database.has_column(child, "parent_key") && database.has_column(record, "row_id");
        if !joined {
            if database.has(child) {
                let count = database.count(child)?;
                reader.skip_many("numbers whose record is missing", count);
            }
            continue;
        }
        let measure = Measure::new(kind, unit, own_unit);
        let columns = record::with(&[("c", column), ("c", "epoch_millis"), ("r", PLACE)]);
        let from = From::with_child(record, child);
        let mut read = 0_u64;
        database.rows(&from, &columns, &mut |cells| {
            read += 1;
            let at = cells
                .integer("c", "epoch_millis")
                .filter(|ms| date::is_printable(*ms));
            let sample = Frame::read(cells, &mut reader.writers).and_then(|mut frame| {
                let at = at.ok_or("records without a time that is one")?;
                (frame.start_ms, frame.end_ms) = (at, at);
                place(cells, &mut frame);
                let value = measure.value(cells.number("c", column))?;
                Ok(measure.sample(value, frame))
            });
            reader.hand_on(sample)
        })?;
        let lost = database.count(child)?.saturating_sub(read);
        if lost > 0 {
            reader.skip_many("numbers whose record is missing", lost);
        }
    }
    baselines(reader)
}

fn place(cells: &Cells<'_, '_>, frame: &mut Frame) {
    if let Some(text) = cells.text("r", PLACE) {
        frame.metadata.entries.push((PLACE.to_owned(), text));
    }
}

/// Not every record has one.
fn baselines(reader: &mut Reader<'_, '_, '_>) -> Result<(), ReadError> {
    let (table, column, kind) = BASELINE;
    let database = reader.database;
    if !database.has(table) {
        return Ok(());
    }
    let measure = Measure::new(kind, "degC", "degC");
    let columns = record::with(&[("r", column), ("r", PLACE)]);
    database.rows(&From::one(table), &columns, &mut |cells| {
        let Some(number) = cells.number("r", column) else {
            return Ok(());
        };
        let sample = Frame::read(cells, &mut reader.writers).and_then(|mut frame| {
            place(cells, &mut frame);
            Ok(measure.sample(measure.value(Some(number))?, frame))
        });
        reader.hand_on(sample)
    })
}
