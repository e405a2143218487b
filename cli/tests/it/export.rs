//! Reads an Apple Health export without any code of ours: another XML parser, another table.

use std::{fs::File, io::Read as _, path::Path};

use crate::rows::Row;

/// HealthKit identifier, our name, canonical unit, factor from the export's unit.
const TYPES: &[(&str, &str, &str, &str, f64)] = &[
    (
        "HKQuantityTypeIdentifierHeartRate",
        "heartRate",
        "count/min",
        "count/min",
        1.0,
    ),
    (
        "HKQuantityTypeIdentifierActiveEnergyBurned",
        "activeEnergyBurned",
        "Cal",
        "kcal",
        1.0,
    ),
    (
        "HKQuantityTypeIdentifierBasalEnergyBurned",
        "basalEnergyBurned",
        "Cal",
        "kcal",
        1.0,
    ),
    (
        "HKQuantityTypeIdentifierStepCount",
        "steps",
        "count",
        "count",
        1.0,
    ),
    (
        "HKQuantityTypeIdentifierDistanceWalkingRunning",
        "distanceWalkingRunning",
        "mi",
        "m",
        1609.344,
    ),
    (
        "HKQuantityTypeIdentifierFlightsClimbed",
        "flightsClimbed",
        "count",
        "count",
        1.0,
    ),
    (
        "HKQuantityTypeIdentifierAppleExerciseTime",
        "exerciseTime",
        "min",
        "min",
        1.0,
    ),
    (
        "HKQuantityTypeIdentifierAppleStandTime",
        "appleStandTime",
        "min",
        "min",
        1.0,
    ),
    (
        "HKQuantityTypeIdentifierRespiratoryRate",
        "respiratoryRate",
        "count/min",
        "count/min",
        1.0,
    ),
    (
        "HKQuantityTypeIdentifierOxygenSaturation",
        "bloodOxygen",
        "%",
        "%",
        1.0,
    ),
    (
        "HKQuantityTypeIdentifierRestingHeartRate",
        "restingHeartRate",
        "count/min",
        "count/min",
        1.0,
    ),
    (
        "HKQuantityTypeIdentifierWalkingSpeed",
        "walkingSpeed",
        "mi/hr",
        "m/s",
        0.44704,
    ),
    (
        "HKQuantityTypeIdentifierPhysicalEffort",
        "physicalEffort",
        "kcal/hr·kg",
        "kcal/hr·kg",
        1.0,
    ),
    (
        "HKQuantityTypeIdentifierEnvironmentalAudioExposure",
        "environmentalAudioExposure",
        "dBASPL",
        "dBASPL",
        1.0,
    ),
    (
        "HKQuantityTypeIdentifierHeartRateVariabilitySDNN",
        "heartRateVariability",
        "ms",
        "ms",
        1.0,
    ),
    (
        "HKQuantityTypeIdentifierBloodPressureSystolic",
        "bloodPressureSystolic",
        "mmHg",
        "mmHg",
        1.0,
    ),
    (
        "HKQuantityTypeIdentifierBloodPressureDiastolic",
        "bloodPressureDiastolic",
        "mmHg",
        "mmHg",
        1.0,
    ),
    (
        "HKCategoryTypeIdentifierSleepAnalysis",
        "sleepAnalysis",
        "",
        "",
        1.0,
    ),
    (
        "HKCategoryTypeIdentifierAppleStandHour",
        "standHours",
        "",
        "",
        1.0,
    ),
];

/// The XML in an archive whose export stands at Apple's usual place.
pub(crate) fn xml_of(archive: &Path) -> String {
    let mut archive =
        zip::ZipArchive::new(File::open(archive).expect("it is there")).expect("a zip");
    let mut text = String::new();
    archive
        .by_name("apple_health_export/export.xml")
        .expect("the export in it")
        .read_to_string(&mut text)
        .expect("UTF-8");
    text
}

/// Every top-level record, in the order of the file.
pub(crate) fn records(xml: &str) -> Vec<Row> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..Default::default()
    };
    let document = roxmltree::Document::parse_with_options(xml, options).expect("well-formed");
    document
        .root_element()
        .children()
        .filter(|node| node.has_tag_name("Record"))
        .map(|node| {
            let attribute = |name| node.attribute(name).unwrap_or_default();
            let (_, kind, from, unit, factor) = TYPES
                .iter()
                .find(|line| line.0 == attribute("type"))
                .unwrap_or_else(|| panic!("{} is not in the test's table", attribute("type")));
            assert_eq!(attribute("unit"), *from, "{kind}");
            let category = attribute("value")
                .strip_prefix("HKCategoryValue")
                .map(|rest| {
                    let bare = rest
                        .strip_prefix("SleepAnalysis")
                        .or_else(|| rest.strip_prefix("AppleStandHour"))
                        .expect("a category of the table");
                    bare[..1].to_lowercase() + &bare[1..]
                });
            Row {
                id: String::new(),
                kind: (*kind).to_owned(),
                value: match category {
                    Some(_) => None,
                    None => Some(attribute("value").parse::<f64>().expect("a number") * factor),
                },
                unit: (*unit).to_owned(),
                start_ms: instant(attribute("startDate")),
                end_ms: instant(attribute("endDate")),
                source: attribute("sourceName").to_owned(),
                category,
            }
        })
        .collect()
}

/// `2020-01-01 08:00:00 -0500` as milliseconds.
fn instant(text: &str) -> i64 {
    jiff::Timestamp::strptime("%Y-%m-%d %H:%M:%S %z", text)
        .expect("Apple's form")
        .as_millisecond()
}
