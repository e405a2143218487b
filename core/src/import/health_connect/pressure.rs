//! Blood pressure: two numbers that belong together.

use super::{
    Reader,
    database::From,
    record::{self, Frame},
    tables::Measure,
};
use crate::{
    correlation::Correlation,
    import::{Item, ReadError},
    kind::Kind,
    sample::Sample,
};

const TABLE: &str = "blood_pressure_record_table";

/// Reads all records; position and place are numbers that are kept as text.
pub(super) fn read(reader: &mut Reader<'_, '_, '_>) -> Result<(), ReadError> {
    let database = reader.database;
    if !database.has(TABLE) {
        return Ok(());
    }
    let [systolic, diastolic] = ["bloodPressureSystolic", "bloodPressureDiastolic"]
        .map(|kind| Measure::new(kind, "mmHg", ""));
    let columns = record::with(&[
        ("r", "systolic"),
        ("r", "diastolic"),
        ("r", "measurement_location"),
        ("r", "body_position"),
    ]);
    database.rows(&From::one(TABLE), &columns, &mut |cells| {
        let mut frame = || {
            let mut frame = Frame::read(cells, &mut reader.writers)?;
            for column in ["measurement_location", "body_position"] {
                if let Some(text) = cells.text("r", column) {
                    frame.metadata.entries.push((column.to_owned(), text));
                }
            }
            Ok::<_, record::Reason>(frame)
        };
        let members = (|| {
            let first = systolic.value(cells.number("r", "systolic"))?;
            let second = diastolic.value(cells.number("r", "diastolic"))?;
            Ok(vec![
                systolic.sample(first, frame()?),
                diastolic.sample(second, frame()?),
            ])
        })();
        match members {
            Ok(members) => reader.hand_on_together("bloodPressure", members),
            Err(reason) => {
                reader.skip(reason);
                Ok(())
            }
        }
    })
}

impl Reader<'_, '_, '_> {
    /// Hands on samples, and that they belong together.
    pub(super) fn hand_on_together(
        &mut self,
        kind: &str,
        members: Vec<Sample>,
    ) -> Result<(), ReadError> {
        let Some(first) = members.first() else {
            return Ok(());
        };
        let correlation = Correlation {
            kind: Kind::stored(kind),
            start_ms: first.start_ms,
            end_ms: first.end_ms,
            created_ms: first.created_ms,
            provenance: first.provenance.clone(),
            external_id: first.external_id.clone(),
            metadata: first.metadata.clone(),
            members: members.clone(),
        };
        for member in members {
            (self.sink)(Item::Sample(member))?;
        }
        (self.sink)(Item::Correlation(Box::new(correlation)))?;
        Ok(())
    }
}
