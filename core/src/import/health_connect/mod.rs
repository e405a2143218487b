//! The export of Android's Health Connect: a zip with `health_connect_export.db`, or that database.
//!
//! ```text
//! zip ─► temporary copy ─► SQLite, read only ─► quantities, events, series, sleep, exercise, meals
//! ```
//!
//! SQLite reads files, not streams, so the database is copied into a private temporary file, which
//! has no name once it is open. It is a foreign file: nothing in it may run (no view, no trigger,
//! no virtual table, no function of its schema), tables and columns are found by name, and what is
//! missing is no error. Names and units are those of the Android Open Source Project
//! (`packages/modules/HealthFitness`); no real export is public, so this follows its source.

mod activities;
mod copy;
mod database;
mod events;
mod exercise;
mod nutrition;
mod pressure;
mod record;
mod series;
mod sleep;
mod tables;

use super::{Importer, Item, ReadError, Sink, Source};
use crate::sample::Metadata;

/// Knows the export of Health Connect.
#[derive(Clone, Copy, Debug)]
pub(super) struct HealthConnect;

impl Importer for HealthConnect {
    fn name(&self) -> &'static str {
        "Health Connect"
    }

    fn id(&self) -> &'static str {
        "healthConnect"
    }

    fn recognize(&self, source: &mut dyn Source) -> Result<bool, ReadError> {
        copy::recognize(source)
    }

    fn read(&self, source: &mut dyn Source, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        let copy = copy::make(source)?;
        let database = database::Database::open(copy)?;
        if !database.has("application_info_table") {
            return Err(ReadError::Malformed {
                line: 0,
                reason: "a SQLite database, but not one of Health Connect".into(),
            });
        }
        let mut reader = Reader {
            writers: record::Writers::new(&database)?,
            database: &database,
            sink,
            skipped: Vec::new(),
        };
        tables::read(&mut reader)?;
        events::read(&mut reader)?;
        series::read(&mut reader)?;
        pressure::read(&mut reader)?;
        nutrition::read(&mut reader)?;
        sleep::read(&mut reader)?;
        exercise::read(&mut reader)?;
        reader.tell_others()?;
        for (reason, count) in std::mem::take(&mut reader.skipped) {
            (reader.sink)(Item::Skipped {
                line: 0,
                count,
                reason: reason.into(),
            })?;
        }
        Ok(())
    }
}

/// One export while it is read.
struct Reader<'d, 's, 'k> {
    database: &'d database::Database,
    writers: record::Writers,
    sink: &'s mut Sink<'k>,
    /// Reasons and how often; told at the end, because there are no lines.
    skipped: Vec<(String, u64)>,
}

impl Reader<'_, '_, '_> {
    /// Keeps what a person wrote, and tells when it is cut.
    fn notes(&mut self, cells: &database::Cells<'_, '_>, metadata: &mut Metadata) {
        for column in ["title", "notes"] {
            if let Some((text, is_cut)) = cells.note("r", column) {
                metadata.entries.push((column.to_owned(), text));
                if is_cut {
                    self.skip("titles and notes beyond the limit (cut)");
                }
            }
        }
    }

    fn skip(&mut self, reason: &str) {
        self.skip_many(reason, 1);
    }

    fn skip_many(&mut self, reason: &str, count: u64) {
        match self.skipped.iter_mut().find(|(known, _)| known == reason) {
            Some((_, total)) => *total += count,
            None => self.skipped.push((reason.to_owned(), count)),
        }
    }

    /// Says which tables hold records that nobody here knows.
    fn tell_others(&mut self) -> Result<(), ReadError> {
        let known = |table: &str| {
            tables::names()
                .chain(events::names())
                .chain(series::names())
                .any(|own| own == table)
                || matches!(
                    table,
                    "blood_pressure_record_table"
                        | "nutrition_record_table"
                        | "sleep_session_record_table"
                        | "exercise_session_record_table"
                )
        };
        let database = self.database;
        for table in database.tables() {
            let is_record = table.ends_with("_record_table") || table.ends_with("RecordTable");
            if !is_record || known(table) {
                continue;
            }
            let count = database.count(table)?;
            if count > 0 {
                let name = super::limits::plain(table);
                self.skip_many(&format!("records of `{name}` (not kept yet)"), count);
            }
        }
        Ok(())
    }
}
