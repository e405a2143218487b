//! Tables with one number a record: one line each.

use std::sync::Arc;

use super::{
    Reader,
    database::From,
    record::{self, Frame},
};
use crate::{
    import::{Item, ReadError},
    kind::Kind,
    sample::{Sample, Value},
    unit::Conversion,
};

/// A table, its column, the unit in it, our type, and the unit of a type that HealthKit does not
/// have.
struct Table {
    name: &'static str,
    column: &'static str,
    unit: &'static str,
    kind: &'static str,
    own_unit: &'static str,
    /// Columns that are kept as metadata.
    more: &'static [&'static str],
}

const fn of(
    name: &'static str,
    column: &'static str,
    unit: &'static str,
    kind: &'static str,
) -> Table {
    Table {
        name,
        column,
        unit,
        kind,
        own_unit: "",
        more: &[],
    }
}

/// A type that HealthKit does not have.
const fn own(
    name: &'static str,
    column: &'static str,
    unit: &'static str,
    kind: &'static str,
    own_unit: &'static str,
) -> Table {
    Table {
        own_unit,
        ..of(name, column, unit, kind)
    }
}

/// Masses are grams, energies small calories, percentages of a hundred. A basal metabolic rate is
/// a power and stays one, in watt; a heart rate variability is RMSSD, which is not Apple's SDNN and
/// never compared with it.
const TABLES: &[Table] = &[
    of(
        "active_calories_burned_record_table",
        "energy",
        "cal",
        "activeEnergyBurned",
    ),
    Table {
        more: &["measurement_location"],
        ..of(
            "basal_body_temperature_record_table",
            "temperature",
            "degC",
            "basalBodyTemperature",
        )
    },
    own(
        "basal_metabolic_rate_record_table",
        "basal_metabolic_rate",
        "W",
        "basalMetabolicRate",
        "W",
    ),
    Table {
        more: &["specimen_source", "meal_type", "relation_to_meal"],
        ..of(
            "blood_glucose_record_table",
            "level",
            "mmol/L",
            "bloodGlucose",
        )
    },
    of(
        "body_fat_record_table",
        "percentage",
        PERCENT,
        "bodyFatPercentage",
    ),
    Table {
        more: &["measurement_location"],
        ..of(
            "body_temperature_record_table",
            "temperature",
            "degC",
            "bodyTemperature",
        )
    },
    own(
        "body_water_mass_record_table",
        "body_water_mass",
        "g",
        "bodyWaterMass",
        "kg",
    ),
    own("bone_mass_record_table", "mass", "g", "boneMass", "kg"),
    of(
        "distance_record_table",
        "distance",
        "m",
        "distanceWalkingRunning",
    ),
    of(
        "elevation_gained_record_table",
        "elevation",
        "m",
        "elevationGained",
    ),
    of(
        "floors_climbed_record_table",
        "floors",
        "count",
        "flightsClimbed",
    ),
    own(
        "heart_rate_variability_rmssd_record_table",
        "heart_rate_variability_millis",
        "ms",
        "heartRateVariabilityRMSSD",
        "ms",
    ),
    of("height_record_table", "height", "m", "height"),
    of("hydration_record_table", "volume", "L", "dietaryWater"),
    of("lean_body_mass_record_table", "mass", "g", "leanBodyMass"),
    of(
        "oxygen_saturation_record_table",
        "percentage",
        PERCENT,
        "bloodOxygen",
    ),
    of(
        "respiratory_rate_record_table",
        "rate",
        "count/min",
        "respiratoryRate",
    ),
    of(
        "resting_heart_rate_record_table",
        "beats_per_minute",
        "count/min",
        "restingHeartRate",
    ),
    of("steps_record_table", "count", "count", "steps"),
    of(
        "total_calories_burned_record_table",
        "energy",
        "cal",
        "totalEnergyBurned",
    ),
    Table {
        more: &["measurement_method"],
        ..of(
            "vo2_max_record_table",
            "vo2_milliliters_per_minute_kilogram",
            "mL/min·kg",
            "vo2Max",
        )
    },
    of("weight_record_table", "weight", "g", "weight"),
    of(
        "wheelchair_pushes_record_table",
        "count",
        "count",
        "pushCount",
    ),
];

/// A number of a hundred.
const PERCENT: &str = "percent";

/// The tables read here.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.name)
}

/// Reads all of them.
pub(super) fn read(reader: &mut Reader<'_, '_, '_>) -> Result<(), ReadError> {
    for table in TABLES {
        if reader.database.has(table.name) {
            table.read(reader)?;
        }
    }
    Ok(())
}

impl Table {
    fn read(&self, reader: &mut Reader<'_, '_, '_>) -> Result<(), ReadError> {
        let measure = Measure::new(self.kind, self.unit, self.own_unit);
        let mut columns = record::with(&[("r", self.column)]);
        columns.extend(self.more.iter().map(|column| ("r", *column)));
        let database = reader.database;
        database.rows(&From::one(self.name), &columns, &mut |cells| {
            let frame = Frame::read(cells, &mut reader.writers);
            let value = measure.value(cells.number("r", self.column));
            let sample = frame.and_then(|mut frame| {
                for column in self.more {
                    if let Some(text) = cells.text("r", column) {
                        frame.metadata.entries.push(((*column).to_owned(), text));
                    }
                }
                Ok(measure.sample(value?, frame))
            });
            reader.hand_on(sample)
        })
    }
}

impl Reader<'_, '_, '_> {
    /// Hands on a sample, or remembers why there is none.
    pub(super) fn hand_on(
        &mut self,
        sample: Result<Sample, record::Reason>,
    ) -> Result<(), ReadError> {
        match sample {
            Ok(sample) => (self.sink)(Item::Sample(sample))?,
            Err(reason) => self.skip(reason),
        }
        Ok(())
    }
}

/// A type whose numbers stand in one unit.
#[derive(Clone)]
pub(super) struct Measure {
    pub(super) kind: Kind,
    pub(super) unit: Arc<str>,
    conversion: Conversion,
}

impl Measure {
    /// `own_unit` is the unit of a type that HealthKit does not have.
    pub(super) fn new(kind: &str, from: &str, own_unit: &str) -> Self {
        let kind = Kind::stored(kind);
        let to = kind.unit().unwrap_or(own_unit);
        let conversion = if from == PERCENT {
            Conversion::per_hundred()
        } else if &*kind == "bloodGlucose" {
            Conversion::of_glucose(from, to).unwrap_or(Conversion::IDENTITY)
        } else {
            // Every line of the tables is a conversion that exists; a test looks.
            Conversion::between(from, to).unwrap_or(Conversion::IDENTITY)
        };
        Self {
            unit: to.into(),
            kind,
            conversion,
        }
    }

    /// The number in our unit. Health Connect keeps whole doubles, so no last digit is in doubt.
    pub(super) fn value(&self, number: Option<f64>) -> Result<Value, record::Reason> {
        let value = number
            .map(|number| self.conversion.apply(number))
            .filter(|value| value.is_finite())
            .ok_or("records without a number")?;
        Ok(Value::Quantity {
            value,
            tolerance: 0.0,
        })
    }

    /// A sample of this type.
    pub(super) fn sample(&self, value: Value, frame: Frame) -> Sample {
        Sample {
            kind: self.kind.clone(),
            unit: self.unit.clone(),
            value,
            start_ms: frame.start_ms,
            end_ms: frame.end_ms,
            created_ms: frame.created_ms,
            provenance: frame.provenance,
            external_id: frame.id,
            metadata: frame.metadata,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_conversion_that_exists() {
        for table in TABLES {
            let kind = Kind::stored(table.kind);
            assert_eq!(
                kind.unit().is_none(),
                !table.own_unit.is_empty(),
                "{}",
                table.name
            );
            let to = kind.unit().unwrap_or(table.own_unit);
            let known = table.unit == PERCENT && to == "%"
                || Conversion::of_glucose(table.unit, to).is_some();
            assert!(known, "{}: {} to {to}", table.name, table.unit);
        }
    }
}
