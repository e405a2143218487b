//! The traps of Health Connect's export. There is no public real one; the database is made from
//! `data/health_connect/plain.sql`.

use std::collections::BTreeMap;

use healthsync_core::{
    document::Noun,
    report::Hint as _,
    store::{Imported, Range, Store},
};

use crate::{
    export::zip,
    fixtures::{import, read, store},
    import::column,
};

/// The database after these statements.
pub(crate) fn database(more: &str) -> Vec<u8> {
    let sql = String::from_utf8(read("health_connect/plain.sql")).expect("text");
    made(&(sql + more))
}

/// The database that these statements make.
fn made(sql: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("health_connect_export.db");
    let connection = rusqlite::Connection::open(&path).expect("a database");
    connection.execute_batch(sql).expect("the statements");
    drop(connection);
    #[expect(clippy::disallowed_methods, reason = "the file of the test itself")]
    std::fs::read(&path).expect("the file")
}

pub(crate) fn kept(bytes: &[u8]) -> (Store, Imported) {
    let mut store = store();
    let imported = import(&mut store, bytes).expect("an import");
    (store, imported)
}

pub(crate) fn reasons(imported: &Imported) -> BTreeMap<&str, u64> {
    let skipped = imported.skipped.iter();
    skipped
        .map(|skipped| (skipped.reason.as_str(), skipped.count))
        .collect()
}

/// Type, unit, value or category of all samples but the heart rates.
pub(crate) fn told(store: &Store) -> Vec<String> {
    let columns = ["type", "unit", "value", "category"].map(|name| column(store, name));
    (0..columns[0].len())
        .map(|row| {
            let cells = columns.each_ref().map(|column| column[row].as_str());
            cells
                .join(" ")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

const TOLD: &[&str] = &[
    "activeEnergyBurned kcal 200",
    "basalMetabolicRate W 75.5",
    "bloodGlucose mg/dL 90.07794000002706",
    "bloodOxygen % 0.97",
    "bloodOxygen % 0.01",
    "bloodPressureDiastolic mmHg 80",
    "bloodPressureSystolic mmHg 120",
    "bodyFatPercentage % 0.215",
    "dietaryEnergyConsumed kcal 350",
    "dietaryFatTrans g 0.5",
    "dietaryProtein g 12.5",
    "dietarySodium mg 200",
    "dietaryVitaminB12 mcg 2.4",
    "dietaryWater mL 250",
    "heartRate count/min 61",
    "heartRate count/min 64",
    "heartRateVariabilityRMSSD ms 48",
    "height m 1.68",
    "menstrualFlow medium",
    "sleepAnalysis asleepUnspecified",
    "speed m/s 2.5",
    "steps count 1000",
    "steps count 500",
    "totalEnergyBurned kcal 250",
    "weight kg 70.5",
];

#[test]
fn every_table_in_our_units() {
    let (store, imported) = kept(&database(""));
    let mut told = told(&store);
    let categories = column(&store, "category").into_iter();
    let stages = categories.filter(|category| !category.is_empty()).count();
    // The stages of the night stand before the nap, and there is a flow.
    assert_eq!(stages, 10);
    let first = told
        .iter()
        .position(|line| line.starts_with("sleepAnalysis"));
    let first = first.expect("sleep");
    let mut night: Vec<_> = told.drain(first..first + 8).collect();
    night.sort();
    assert_eq!(
        night.join(" ").replace("sleepAnalysis ", ""),
        "asleepCore asleepDeep asleepREM asleepUnspecified awake awake awake inBed"
    );
    assert_eq!(told, TOLD);
    assert_eq!((imported.workouts.new, imported.correlations.new), (2, 2));
    assert_eq!(imported.documents[&Noun::Route].new, 1);
    let expected = [
        ("laps and segments whose exercise is missing", 1),
        ("numbers whose record is missing", 1),
        ("records without a number", 2),
        ("records without a time that is one", 2),
        ("sleep stages of an unknown kind", 1),
    ];
    assert_eq!(reasons(&imported), BTreeMap::from(expected));
}

#[test]
fn zips_of_any_name_and_a_second_time() {
    let bytes = database("");
    let archive = zip(&[
        ("notes.txt", b"hello"),
        ("Connessione Salute/daten.db", &bytes),
    ]);
    let mut store = store();
    let first = import(&mut store, &archive).expect("an import");
    assert!(first.new > 20);
    let again = import(&mut store, &bytes).expect("the bare database");
    assert_eq!(
        (again.new, again.updated, again.unchanged),
        (0, 0, first.read)
    );
    assert_eq!(
        (again.workouts.unchanged, again.correlations.unchanged),
        (2, 2)
    );
    assert_eq!(again.documents[&Noun::Route].unchanged, 1);
    // A record that the phone has changed keeps its uuid.
    let changed = database(
        "UPDATE steps_record_table SET count = 1001 WHERE count = 1000;
         UPDATE application_info_table SET app_name = 'Watch';",
    );
    let changed = import(&mut store, &changed).expect("an import");
    assert_eq!((changed.new, changed.updated), (0, 1));
}

#[test]
fn records_say_by_whom_and_where() {
    let (store, _) = kept(&database(""));
    let kinds = column(&store, "type");
    let of = |kind: &str, name: &str| {
        let place = kinds.iter().position(|own| own == kind).expect("a sample");
        column(&store, name)[place].clone()
    };
    assert_eq!(of("steps", "sourceName"), "Uhr");
    assert_eq!(of("weight", "sourceName"), "com.example.scale");
    assert_eq!(
        of("steps", "device"),
        "manufacturer:samsung, model:SM-R960, hardware:SM-R960"
    );
    assert_eq!(
        of("steps", "metadata"),
        "{\"HealthConnectUUID\":\"00112233-4455-6677-8899-aabbccddeeff\",\
         \"HealthConnectZoneOffset\":\"+02:00\",\"HealthConnectClientRecordId\":\"c-1\",\
         \"HealthConnectRecordingMethod\":\"automaticallyRecorded\"}"
    );
    let metadata = of("bloodPressureSystolic", "metadata");
    assert!(
        metadata.ends_with("\"measurement_location\":\"1\",\"body_position\":\"2\"}"),
        "{metadata}"
    );
    let meal = of("dietaryProtein", "metadata");
    assert!(
        meal.ends_with("\"meal\":\"breakfast\",\"HKFoodType\":\"Müsli\"}"),
        "{meal}"
    );
}

#[test]
fn exercises_have_androids_numbers_and_their_laps() {
    let (store, _) = kept(&database(""));
    let mut found = Vec::new();
    store
        .workouts(&Range::default(), &mut |workout| {
            found.push(workout);
            std::ops::ControlFlow::Continue(())
        })
        .expect("workouts");
    assert_eq!(
        (&*found[0].activity, &*found[1].activity),
        ("running", "other")
    );
    let events: Vec<_> = found[0]
        .events
        .iter()
        .map(|event| (event.name.as_str(), event.at_ms, event.duration_s))
        .collect();
    assert_eq!(
        events,
        [
            ("lap", 1_718_442_000_000, Some(1000.0)),
            ("segment", 1_718_443_000_000, Some(1000.0))
        ]
    );
    let metadata = found[1].metadata.clone().expect("metadata");
    assert!(
        metadata.contains("\"HealthConnectExerciseType\":\"99\""),
        "{metadata}"
    );
    let mut routes = Vec::new();
    store
        .documents(Noun::Route, &Range::default(), &mut |route| {
            routes.push((route.workout, route.start_ms, route.end_ms));
            std::ops::ControlFlow::Continue(())
        })
        .expect("routes");
    assert_eq!(
        routes,
        [(Some(found[0].id), 1_718_442_000_000, 1_718_442_060_000)]
    );
}

#[test]
fn nothing_in_the_file_can_run() {
    let hostile = database(
        "DROP TABLE weight_record_table;
         CREATE VIEW weight_record_table AS
           WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)
           SELECT x AS row_id, x AS time, x AS weight FROM n;
         ALTER TABLE height_record_table RENAME COLUMN height TO old;
         ALTER TABLE height_record_table ADD COLUMN height REAL AS (abs(-9223372036854775807 - 1));
         CREATE TRIGGER boom AFTER INSERT ON steps_record_table BEGIN SELECT raise(ABORT, 'boom'); END;",
    );
    let (store, imported) = kept(&hostile);
    assert!(!column(&store, "type").contains(&"weight".to_owned()));
    assert!(reasons(&imported)["records without a number"] >= 3);
}

#[test]
fn what_is_missing_is_no_error_and_what_is_damaged_is() {
    // Older phones have fewer tables and columns.
    let (store, _) = kept(&database(
        "DROP TABLE device_info_table; DROP TABLE sleep_stages_table; DROP TABLE exercise_laps_table;
         ALTER TABLE steps_record_table DROP COLUMN recording_method;",
    ));
    assert!(column(&store, "type").contains(&"steps".to_owned()));
    // A database that was copied while it was written has a log that is not there.
    let mut logged = database("");
    logged[18..20].copy_from_slice(&[2, 2]);
    assert!(kept(&logged).1.new > 20);
    let whole = database("");
    for cut in [50, 4096, whole.len() / 2, whole.len() - 1] {
        let error = import(&mut crate::fixtures::store(), &whole[..cut]).expect_err("a cut");
        assert_eq!(error.code(), "TRUNCATED_EXPORT", "{cut}");
    }
    let mut damaged = whole;
    let middle = damaged.len() / 2;
    damaged[4096..middle].fill(0xa5);
    let error = import(&mut crate::fixtures::store(), &damaged).expect_err("damage");
    assert_eq!(error.code(), "DAMAGED_ARCHIVE");
    let other = made("CREATE TABLE notes (a)");
    let error = import(&mut crate::fixtures::store(), &other).expect_err("another database");
    assert_eq!(error.code(), "MALFORMED_EXPORT");
    assert!(error.to_string().contains("Health Connect"), "{error}");
}

/// A watch that cannot tell stages writes one of an unknown kind.
#[test]
fn a_session_without_a_known_stage_is_sleep() {
    let (store, _) = kept(&database(
        "INSERT INTO sleep_stages_table VALUES (2, 1718442000000, 1718445600000, 0);",
    ));
    let sleep: Vec<_> = told(&store)
        .into_iter()
        .filter(|row| row.contains("inBed") || row.contains("asleepUnspecified"))
        .collect();
    let (before, _) = kept(&database(""));
    let expected: Vec<_> = told(&before)
        .into_iter()
        .filter(|row| row.contains("inBed") || row.contains("asleepUnspecified"))
        .collect();
    assert_eq!(sleep, expected);
    assert!(sleep.iter().any(|row| row.contains("asleepUnspecified")));
}
