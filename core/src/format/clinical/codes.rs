//! What each type is called where clinicians read: LOINC, UCUM, schemas of Open mHealth.
//!
//! Codes and units are the metric ones of `HealthKitOnFHIR` (Stanford, MIT); the schemas are those
//! of <https://www.openmhealth.org>. A type without a line here has no code that we know of.

use crate::kind::SLEEP;

/// One line of the table.
#[derive(Debug)]
pub(super) struct Coding {
    /// Our name.
    pub(super) name: &'static str,
    /// HealthKit's identifier.
    pub(super) apple: &'static str,
    /// The same in words.
    pub(super) display: &'static str,
    /// LOINC code and name.
    pub(super) loinc: Option<(&'static str, &'static str)>,
    /// How the value is said.
    pub(super) measure: Measure,
    /// FHIR's category of an observation.
    pub(super) group: Option<Group>,
    /// Open mHealth.
    pub(super) body: Option<Body>,
}

/// How a value is said.
#[derive(Debug)]
pub(super) enum Measure {
    /// A number: UCUM code, the same for people, and by how many digits the point moves to the
    /// right (metres to centimetres, a fraction to percent).
    Quantity {
        ucum: &'static str,
        unit: &'static str,
        shift: usize,
    },
    /// The name of a category, behind this prefix in HealthKit, and the names that it knows.
    Category {
        prefix: &'static str,
        names: &'static [&'static str],
    },
}

/// Code and name of a category (<http://terminology.hl7.org/CodeSystem/observation-category>).
pub(super) type Group = (&'static str, &'static str);

/// How Open mHealth says it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    /// Name and version of the schema.
    pub(super) schema: (&'static str, &'static str),
    /// The property that holds value and unit.
    pub(super) field: &'static str,
    pub(super) unit: &'static str,
    /// It happens over a time, also when that is short.
    pub(super) lasts: bool,
    /// More of the body: a property and its text.
    pub(super) also: Option<(&'static str, &'static str)>,
}

const VITAL: Option<Group> = Some(("vital-signs", "Vital Signs"));
const ACTIVITY: Option<Group> = Some(("activity", "Activity"));
const LABORATORY: Option<Group> = Some(("laboratory", "Laboratory"));

const fn quantity(ucum: &'static str, unit: &'static str, shift: usize) -> Measure {
    Measure::Quantity { ucum, unit, shift }
}

const fn body(
    schema: (&'static str, &'static str),
    field: &'static str,
    unit: &'static str,
) -> Body {
    Body {
        schema,
        field,
        unit,
        lasts: false,
        also: None,
    }
}

const fn lasting(body: Body) -> Body {
    Body {
        lasts: true,
        ..body
    }
}

const fn also(body: Body, name: &'static str, text: &'static str) -> Body {
    Body {
        also: Some((name, text)),
        ..body
    }
}

const MOVED: (&str, &str) = ("physical-activity", "1.2");

pub(super) const CODINGS: &[Coding] = &[
    Coding {
        name: "steps",
        apple: "HKQuantityTypeIdentifierStepCount",
        display: "Step Count",
        loinc: Some(("55423-8", "Number of steps in unspecified time Pedometer")),
        measure: quantity("{steps}", "steps", 0),
        group: ACTIVITY,
        body: Some(lasting(body(("step-count", "3.0"), "step_count", "steps"))),
    },
    Coding {
        name: "heartRate",
        apple: "HKQuantityTypeIdentifierHeartRate",
        display: "Heart Rate",
        loinc: Some(("8867-4", "Heart rate")),
        measure: quantity("/min", "beats/minute", 0),
        group: VITAL,
        body: Some(body(("heart-rate", "2.0"), "heart_rate", "beats/min")),
    },
    Coding {
        name: "restingHeartRate",
        apple: "HKQuantityTypeIdentifierRestingHeartRate",
        display: "Resting Heart Rate",
        loinc: Some(("40443-4", "Heart rate --resting")),
        measure: quantity("/min", "beats/minute", 0),
        group: VITAL,
        body: Some(also(
            body(("heart-rate", "2.0"), "heart_rate", "beats/min"),
            "temporal_relationship_to_physical_activity",
            "at rest",
        )),
    },
    Coding {
        name: "heartRateVariability",
        apple: "HKQuantityTypeIdentifierHeartRateVariabilitySDNN",
        display: "Heart Rate Variability SDNN",
        loinc: Some((
            "80404-7",
            "R-R interval.standard deviation (Heart rate variability)",
        )),
        measure: quantity("ms", "ms", 0),
        group: VITAL,
        body: None,
    },
    Coding {
        name: "bloodOxygen",
        apple: "HKQuantityTypeIdentifierOxygenSaturation",
        display: "Oxygen Saturation",
        loinc: Some((
            "59408-5",
            "Oxygen saturation in Arterial blood by Pulse oximetry",
        )),
        measure: quantity("%", "%", 2),
        group: VITAL,
        body: Some(body(("oxygen-saturation", "2.0"), "oxygen_saturation", "%")),
    },
    Coding {
        name: "respiratoryRate",
        apple: "HKQuantityTypeIdentifierRespiratoryRate",
        display: "Respiratory Rate",
        loinc: Some(("9279-1", "Respiratory rate")),
        measure: quantity("/min", "breaths/minute", 0),
        group: VITAL,
        body: Some(body(
            ("respiratory-rate", "2.0"),
            "respiratory_rate",
            "breaths/min",
        )),
    },
    Coding {
        name: "weight",
        apple: "HKQuantityTypeIdentifierBodyMass",
        display: "Body Mass",
        loinc: Some(("29463-7", "Body weight")),
        measure: quantity("kg", "kg", 0),
        group: VITAL,
        body: Some(body(("body-weight", "3.0"), "body_weight", "kg")),
    },
    Coding {
        name: "height",
        apple: "HKQuantityTypeIdentifierHeight",
        display: "Height",
        loinc: Some(("8302-2", "Body height")),
        measure: quantity("cm", "cm", 2),
        group: VITAL,
        body: Some(body(("body-height", "2.0"), "body_height", "cm")),
    },
    Coding {
        name: "bodyMassIndex",
        apple: "HKQuantityTypeIdentifierBodyMassIndex",
        display: "Body Mass Index",
        loinc: Some(("39156-5", "Body mass index (BMI) [Ratio]")),
        measure: quantity("kg/m2", "kg/m^2", 0),
        group: VITAL,
        body: Some(body(
            ("body-mass-index", "3.0"),
            "body_mass_index",
            "kg/m^2",
        )),
    },
    Coding {
        name: "bodyFatPercentage",
        apple: "HKQuantityTypeIdentifierBodyFatPercentage",
        display: "Body Fat Percentage",
        loinc: Some(("41982-0", "Percentage of body fat Measured")),
        measure: quantity("%", "%", 2),
        group: VITAL,
        body: Some(body(
            ("body-fat-percentage", "2.0"),
            "body_fat_percentage",
            "%",
        )),
    },
    // Alone where a record belongs to no pair; the pairs are `fhir::PRESSURE` and `omh::PRESSURE`.
    Coding {
        name: "bloodPressureSystolic",
        apple: "HKQuantityTypeIdentifierBloodPressureSystolic",
        display: "Blood Pressure Systolic",
        loinc: Some(("8480-6", "Systolic blood pressure")),
        measure: quantity("mm[Hg]", "mmHg", 0),
        group: VITAL,
        body: None,
    },
    Coding {
        name: "bloodPressureDiastolic",
        apple: "HKQuantityTypeIdentifierBloodPressureDiastolic",
        display: "Blood Pressure Diastolic",
        loinc: Some(("8462-4", "Diastolic blood pressure")),
        measure: quantity("mm[Hg]", "mmHg", 0),
        group: VITAL,
        body: None,
    },
    Coding {
        name: "bloodGlucose",
        apple: "HKQuantityTypeIdentifierBloodGlucose",
        display: "Blood Glucose",
        loinc: Some((
            "41653-7",
            "Glucose [Mass/volume] in Capillary blood by Glucometer",
        )),
        measure: quantity("mg/dL", "mg/dL", 0),
        group: LABORATORY,
        body: Some(body(("blood-glucose", "4.0"), "blood_glucose", "mg/dL")),
    },
    Coding {
        name: "bodyTemperature",
        apple: "HKQuantityTypeIdentifierBodyTemperature",
        display: "Body Temperature",
        loinc: Some(("8310-5", "Body temperature")),
        measure: quantity("Cel", "C", 0),
        group: VITAL,
        body: Some(body(("body-temperature", "4.0"), "body_temperature", "C")),
    },
    Coding {
        name: "activeEnergyBurned",
        apple: "HKQuantityTypeIdentifierActiveEnergyBurned",
        display: "Active Energy Burned",
        loinc: Some(("41981-2", "Calories burned")),
        measure: quantity("kcal", "kcal", 0),
        group: ACTIVITY,
        body: Some(lasting(body(
            ("calories-burned", "2.0"),
            "kcal_burned",
            "kcal",
        ))),
    },
    Coding {
        name: "flightsClimbed",
        apple: "HKQuantityTypeIdentifierFlightsClimbed",
        display: "Flights Climbed",
        loinc: Some(("100304-5", "Flights climbed [#] Reporting Period")),
        measure: quantity("{flights}", "flights", 0),
        group: ACTIVITY,
        body: None,
    },
    Coding {
        name: "vo2Max",
        apple: "HKQuantityTypeIdentifierVO2Max",
        display: "VO2 Max",
        loinc: None,
        measure: quantity("mL/kg/min", "mL/kg/min", 0),
        group: ACTIVITY,
        body: None,
    },
    Coding {
        name: "distanceWalkingRunning",
        apple: "HKQuantityTypeIdentifierDistanceWalkingRunning",
        display: "Distance Walking Running",
        loinc: None,
        measure: quantity("m", "m", 0),
        group: ACTIVITY,
        body: Some(lasting(also(
            body(MOVED, "distance", "m"),
            "activity_name",
            "walking or running",
        ))),
    },
    Coding {
        name: "distanceCycling",
        apple: "HKQuantityTypeIdentifierDistanceCycling",
        display: "Distance Cycling",
        loinc: None,
        measure: quantity("m", "m", 0),
        group: ACTIVITY,
        body: Some(lasting(also(
            body(MOVED, "distance", "m"),
            "activity_name",
            "cycling",
        ))),
    },
    Coding {
        name: "distanceSwimming",
        apple: "HKQuantityTypeIdentifierDistanceSwimming",
        display: "Distance Swimming",
        loinc: None,
        measure: quantity("m", "m", 0),
        group: ACTIVITY,
        body: Some(lasting(also(
            body(MOVED, "distance", "m"),
            "activity_name",
            "swimming",
        ))),
    },
    Coding {
        name: "sleepAnalysis",
        apple: "HKCategoryTypeIdentifierSleepAnalysis",
        display: "Sleep Analysis",
        loinc: None,
        measure: Measure::Category {
            prefix: "HKCategoryValueSleepAnalysis",
            names: SLEEP,
        },
        group: ACTIVITY,
        body: Some(lasting(body(
            ("sleep-duration", "2.0"),
            "sleep_duration",
            "sec",
        ))),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;

    #[test]
    fn every_line_is_a_type_that_we_know_in_the_unit_that_we_keep() {
        for coding in CODINGS {
            let kind = Kind::from_healthkit(coding.apple);
            assert_eq!(kind.as_str(), coding.name);
            let stored = Kind::stored(coding.name).unit();
            let expected = match coding.measure {
                Measure::Category { .. } => None,
                Measure::Quantity { ucum, shift, .. } => Some(match (ucum, shift) {
                    ("{steps}" | "{flights}" | "kg/m2", 0) => "count",
                    ("/min", 0) => "count/min",
                    ("%", 2) => "%",
                    ("cm", 2) => "m",
                    ("mm[Hg]", 0) => "mmHg",
                    ("Cel", 0) => "degC",
                    ("mL/kg/min", 0) => "mL/min·kg",
                    (same, 0) => same,
                    other => panic!("{other:?}"),
                }),
            };
            assert_eq!(stored, expected, "{}", coding.name);
        }
        for (index, coding) in CODINGS.iter().enumerate() {
            let others = CODINGS.get(..index).unwrap_or_default();
            assert!(others.iter().all(|other| other.name != coding.name));
            let loinc = coding.loinc.map(|(code, _)| code);
            assert!(
                loinc.is_none()
                    || others
                        .iter()
                        .all(|other| other.loinc.map(|(code, _)| code) != loinc)
            );
        }
    }
}
