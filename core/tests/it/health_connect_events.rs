//! Cycles, mindfulness and skin temperatures of Health Connect, by Android's own numbers.

use std::collections::BTreeMap;

use crate::{
    fixtures::import,
    health_connect::{database, kept, reasons, told},
    import::column,
};

const MORE: &str = "
CREATE TABLE menstruation_period_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB,
  start_time INTEGER, start_zone_offset INTEGER, end_time INTEGER, end_zone_offset INTEGER);
INSERT INTO menstruation_period_record_table VALUES (1, x'00000000000000000000000000000001', 1718442000000, 0, 1718787600000, 0);
CREATE TABLE intermenstrual_bleeding_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, time INTEGER);
INSERT INTO intermenstrual_bleeding_record_table VALUES (1, x'00000000000000000000000000000002', 1718442000000);
CREATE TABLE ovulation_test_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, time INTEGER, result INTEGER);
INSERT INTO ovulation_test_record_table VALUES (1, x'00000000000000000000000000000003', 1718442000000, 0),
  (2, x'00000000000000000000000000000004', 1718442001000, 1), (3, x'00000000000000000000000000000005', 1718442002000, 2),
  (4, x'00000000000000000000000000000006', 1718442003000, 3), (5, x'00000000000000000000000000000007', 1718442004000, 9);
CREATE TABLE cervical_mucus_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, time INTEGER,
  sensation INTEGER, appearance INTEGER);
INSERT INTO cervical_mucus_record_table VALUES (1, x'00000000000000000000000000000008', 1718442000000, 2, 5),
  (2, x'00000000000000000000000000000009', 1718442001000, 3, 0), (3, x'0000000000000000000000000000000a', 1718442002000, 0, 6);
CREATE TABLE sexual_activity_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, time INTEGER, protection_used INTEGER);
INSERT INTO sexual_activity_record_table VALUES (1, x'0000000000000000000000000000000b', 1718442000000, 1),
  (2, x'0000000000000000000000000000000c', 1718442001000, 2), (3, x'0000000000000000000000000000000d', 1718442002000, 0);
CREATE TABLE mindfulness_session_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, start_time INTEGER,
  end_time INTEGER, type INTEGER, title TEXT, notes TEXT);
INSERT INTO mindfulness_session_record_table VALUES
  (1, x'0000000000000000000000000000000e', 1718442000000, 1718442600000, 3, 'Abend', NULL);
CREATE TABLE activity_intensity_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, start_time INTEGER,
  end_time INTEGER, type INTEGER);
INSERT INTO activity_intensity_record_table VALUES (1, x'0000000000000000000000000000000f', 1718442000000, 1718442600000, 1),
  (2, x'00000000000000000000000000000010', 1718442000000, 1718442600000, NULL);
CREATE TABLE skin_temperature_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, start_time INTEGER,
  end_time INTEGER, baseline REAL, measurement_location INTEGER);
INSERT INTO skin_temperature_record_table VALUES (1, x'00000000000000000000000000000011', 1718442000000, 1718445600000, 34.5, 3),
  (2, x'00000000000000000000000000000012', 1718445600000, 1718449200000, NULL, NULL);
CREATE TABLE skin_temperature_delta_table (parent_key INTEGER, delta REAL, epoch_millis INTEGER);
INSERT INTO skin_temperature_delta_table VALUES (1, -0.25, 1718442000000), (2, 0.5, 1718445600000), (9, 1, 1718445600000);
CREATE TABLE basal_body_temperature_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, time INTEGER,
  temperature REAL, measurement_location INTEGER);
INSERT INTO basal_body_temperature_record_table VALUES (1, x'00000000000000000000000000000013', 1718442000000, 36.5, 5);
CREATE TABLE planned_exercise_session_record_table (row_id INTEGER PRIMARY KEY);
INSERT INTO planned_exercise_session_record_table VALUES (1);
";

const TOLD: &[&str] = &[
    "activityIntensity",
    "activityIntensity vigorous",
    "basalBodyTemperature degC 36.5",
    "cervicalMucusQuality eggWhite",
    "cervicalMucusQuality unspecified",
    "cervicalMucusQuality unusual",
    "intermenstrualBleeding notApplicable",
    "menstruationPeriod notApplicable",
    "mindfulSession notApplicable",
    "ovulationTestResult",
    "ovulationTestResult high",
    "ovulationTestResult indeterminate",
    "ovulationTestResult luteinizingHormoneSurge",
    "ovulationTestResult negative",
    "sexualActivity notApplicable",
    "sexualActivity notApplicable",
    "sexualActivity notApplicable",
    "skinTemperatureBaseline degC 34.5",
    "skinTemperatureDelta degC -0.25",
    "skinTemperatureDelta degC 0.5",
];

#[test]
fn numbers_are_healthkits_values_or_of_their_own_and_nothing_is_guessed() {
    let (before, _) = kept(&database(""));
    let bytes = database(MORE);
    let (mut store, imported) = kept(&bytes);
    let known = told(&before);
    let mut more: Vec<_> = told(&store)
        .into_iter()
        .filter(|row| !known.contains(row))
        .collect();
    more.sort();
    assert_eq!(more, TOLD);
    let expected = [
        ("numbers whose record is missing", 2),
        (
            "records of `planned_exercise_session_record_table` (not kept yet)",
            1,
        ),
        ("unknown values of `activityIntensity`, kept as metadata", 1),
        (
            "unknown values of `ovulationTestResult`, kept as metadata",
            1,
        ),
    ];
    let reasons = reasons(&imported);
    let found = reasons
        .iter()
        .filter(|(reason, _)| expected.iter().any(|(own, _)| own == *reason));
    assert_eq!(
        found
            .map(|(reason, count)| (*reason, *count))
            .collect::<BTreeMap<_, _>>(),
        BTreeMap::from(expected)
    );
    let again = import(&mut store, &bytes).expect("an import");
    assert_eq!((again.new, again.updated), (0, 0));
}

#[test]
fn what_has_no_value_stands_in_the_metadata() {
    let (store, _) = kept(&database(MORE));
    let kinds = column(&store, "type");
    let metadata = column(&store, "metadata");
    let has = |kind: &str, entry: &str| {
        let mut rows = kinds.iter().zip(&metadata);
        assert!(
            rows.any(|(own, metadata)| own == kind && metadata.contains(entry)),
            "{kind}: {entry}"
        );
    };
    has("sexualActivity", "\"HKSexualActivityProtectionUsed\":\"1\"");
    has("sexualActivity", "\"HKSexualActivityProtectionUsed\":\"0\"");
    has(
        "mindfulSession",
        "\"HealthConnectMindfulnessType\":\"breathing\"",
    );
    has("mindfulSession", "\"title\":\"Abend\"");
    has("cervicalMucusQuality", "\"sensation\":\"2\"");
    has("ovulationTestResult", "\"result\":\"9\"");
    has("skinTemperatureDelta", "\"measurement_location\":\"3\"");
    has("basalBodyTemperature", "\"measurement_location\":\"5\"");
}

#[test]
fn a_number_that_cannot_be_read_is_told_and_one_that_is_missing_is_unknown() {
    let id = |last: u8| format!("x'{}{last:02}'", "0".repeat(30));
    let tables = format!(
        "CREATE TABLE ovulation_test_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, time INTEGER, outcome INTEGER);
         INSERT INTO ovulation_test_record_table VALUES (1, {}, 1718442000000, 1);
         CREATE TABLE cervical_mucus_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, time INTEGER, appearance);
         INSERT INTO cervical_mucus_record_table VALUES (1, {}, 1718442000000, NULL), (2, {}, 1718442060000, 'abc'),
           (3, {}, 1718442120000, 1.5);",
        id(1), id(2), id(3), id(4)
    );
    let (store, imported) = kept(&database(&tables));
    let rows = told(&store);
    let of = |kind: &str| {
        let mut rows: Vec<_> = rows
            .iter()
            .filter(|row| row.starts_with(kind))
            .cloned()
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(of("ovulationTestResult"), ["ovulationTestResult"]);
    assert_eq!(
        of("cervicalMucusQuality"),
        [
            "cervicalMucusQuality",
            "cervicalMucusQuality",
            "cervicalMucusQuality unspecified"
        ]
    );
    let reasons = reasons(&imported);
    let unknown = |kind: &str| format!("unknown values of `{kind}`, kept as metadata");
    assert_eq!(
        reasons.get(unknown("ovulationTestResult").as_str()),
        Some(&1)
    );
    assert_eq!(
        reasons.get(unknown("cervicalMucusQuality").as_str()),
        Some(&2)
    );
    let metadata = column(&store, "metadata").concat();
    for printed in ["\"appearance\":\"abc\"", "\"appearance\":\"1.5\""] {
        assert!(metadata.contains(printed), "{printed}");
    }
}
