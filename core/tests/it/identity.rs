//! The same data again is the same data.

use healthsync_core::store::{Imported, Store};

use crate::{
    export::{PLAIN, Quantity, Record, Style, document, element, steps, xml},
    fixtures::{import, import_as, store},
    import::column,
};

const T: i64 = 1_700_000_000;

fn record(name: &'static str, quantity: Quantity, start: i64, end: i64) -> Record {
    Record {
        identifier: name,
        quantity,
        start,
        end,
        source: "Health",
        hardware: None,
        metadata: Vec::new(),
    }
}

/// Some of everything, with values that no unit prints exactly.
fn sample_of_everything() -> Vec<Record> {
    let mut records = Vec::new();
    for n in 0..200 {
        let at = T + n * 3600;
        let part = f64::from(i32::try_from(n).expect("small")) / 7.0;
        records.push(steps(at, 10.0 + part.floor()));
        let mut add = |name, quantity| records.push(record(name, quantity, at, at + 60));
        add(
            "HKQuantityTypeIdentifierDistanceWalkingRunning",
            Quantity::Metres(100.0 + part),
        );
        add(
            "HKQuantityTypeIdentifierBodyMass",
            Quantity::Kilograms(70.0 + part / 10.0),
        );
        add(
            "HKQuantityTypeIdentifierActiveEnergyBurned",
            Quantity::Kilocalories(part * 3.0),
        );
        add(
            "HKQuantityTypeIdentifierBodyTemperature",
            Quantity::Celsius(36.0 + part / 20.0),
        );
        add(
            "HKQuantityTypeIdentifierBloodGlucose",
            Quantity::MilligramsPerDecilitre(80.0 + part),
        );
        add(
            "HKCategoryTypeIdentifierSleepAnalysis",
            Quantity::Category("HKCategoryValueSleepAnalysisAsleepCore"),
        );
        add("HKCategoryTypeIdentifierMindfulSession", Quantity::Nothing);
    }
    records
}

fn changes(imported: &Imported) -> (u64, u64, u64) {
    (imported.new, imported.updated, imported.unchanged)
}

#[test]
fn another_style_brings_nothing_new() {
    let records = sample_of_everything();
    let count = u64::try_from(records.len()).expect("a count");
    let mut store = store();
    let first = import(&mut store, xml(PLAIN, &records).as_bytes()).expect("an import");
    assert_eq!(changes(&first), (count, 0, 0));
    for style in [
        PLAIN,
        Style {
            offset_hours: 9,
            ..PLAIN
        },
        Style {
            pointer: 0x1234,
            ..PLAIN
        },
        Style {
            imperial: true,
            ..PLAIN
        },
        Style {
            reversed: true,
            ..PLAIN
        },
        Style {
            localized: true,
            ..PLAIN
        },
        Style {
            offset_hours: 1,
            imperial: true,
            pointer: 7,
            reversed: true,
            localized: true,
            doctype: "",
        },
    ] {
        let again = import(&mut store, xml(style, &records).as_bytes()).expect("an import");
        assert_eq!(changes(&again), (0, 0, count), "{style:?}");
    }
}

#[test]
fn a_changed_value_is_an_update() {
    let mut store = store();
    let file = |value| xml(PLAIN, &[steps(T, value), steps(T + 600, 5.0)]);
    import(&mut store, file(72.0).as_bytes()).expect("an import");
    let ids = column(&store, "id");
    let changed = import(&mut store, file(73.0).as_bytes()).expect("an import");
    assert_eq!(changes(&changed), (0, 1, 1));
    assert_eq!(column(&store, "value"), ["73", "5"]);
    assert_eq!(column(&store, "id"), ids, "an update keeps the id");
}

#[test]
fn equal_keys_get_ordinals_and_find_each_other() {
    // Values that one app wrote for one instant, in several files one after the other; what is
    // expected of each file: new, updated, unchanged; then what the store holds.
    type Case = (&'static [(&'static [f64], (u64, u64, u64))], &'static [f64]);
    let cases: &[Case] = &[
        (
            &[(&[1.0, 2.0], (2, 0, 0)), (&[2.0, 1.0], (0, 0, 2))],
            &[1.0, 2.0],
        ),
        (
            &[(&[1.0, 2.0], (2, 0, 0)), (&[2.0], (0, 0, 1))],
            &[1.0, 2.0],
        ),
        (
            &[(&[1.0, 2.0], (2, 0, 0)), (&[1.0], (0, 0, 1))],
            &[1.0, 2.0],
        ),
        // A new value must not take the row that a later record equals.
        (
            &[(&[1.0, 2.0], (2, 0, 0)), (&[3.0, 1.0, 2.0], (1, 0, 2))],
            &[1.0, 2.0, 3.0],
        ),
        (
            &[(&[1.0, 2.0], (2, 0, 0)), (&[3.0, 2.0], (0, 1, 1))],
            &[2.0, 3.0],
        ),
        (
            &[(&[1.0, 2.0], (2, 0, 0)), (&[3.0, 4.0, 5.0], (1, 2, 0))],
            &[3.0, 4.0, 5.0],
        ),
        // Equal values are records of their own, too.
        (
            &[(&[1.0, 1.0], (2, 0, 0)), (&[1.0, 1.0], (0, 0, 2))],
            &[1.0, 1.0],
        ),
        (
            &[(&[1.0], (1, 0, 0)), (&[1.0, 1.0], (1, 0, 1))],
            &[1.0, 1.0],
        ),
        (
            &[(&[1.0, 1.0, 2.0], (3, 0, 0)), (&[2.0, 2.0, 1.0], (0, 1, 2))],
            &[1.0, 2.0, 2.0],
        ),
        (
            &[
                (&[1.0], (1, 0, 0)),
                (&[2.0], (0, 1, 0)),
                (&[1.0, 2.0], (1, 0, 1)),
            ],
            &[1.0, 2.0],
        ),
    ];
    for (files, held) in cases {
        let mut store = store();
        for (values, expected) in *files {
            let records: Vec<_> = values.iter().map(|value| steps(T, *value)).collect();
            let imported = import(&mut store, xml(PLAIN, &records).as_bytes()).expect("an import");
            assert_eq!(changes(&imported), *expected, "{files:?}");
        }
        let mut values = column(&store, "value");
        values.sort();
        let held: Vec<String> = held.iter().map(ToString::to_string).collect();
        assert_eq!(values, held, "{files:?}");
    }
}

#[test]
fn a_crowd_of_equal_keys_is_settled_in_one_pass() {
    let crowd: Vec<_> = (0..3000).map(|n| steps(T, f64::from(n))).collect();
    let mut store = store();
    let first = import(&mut store, xml(PLAIN, &crowd).as_bytes()).expect("an import");
    assert_eq!(changes(&first), (3000, 0, 0));
    let reversed = Style {
        reversed: true,
        ..PLAIN
    };
    let again = import(&mut store, xml(reversed, &crowd).as_bytes()).expect("an import");
    assert_eq!(changes(&again), (0, 0, 3000));
    let other: Vec<_> = (1..3001).map(|n| steps(T, f64::from(n))).collect();
    let shifted = import(&mut store, xml(PLAIN, &other).as_bytes()).expect("an import");
    assert_eq!(changes(&shifted), (0, 1, 2999));
}

#[test]
fn origins_do_not_touch_each_other() {
    let mut store = store();
    let mine = xml(PLAIN, &[steps(T, 10.0), steps(T + 600, 11.0)]);
    let yours = xml(PLAIN, &[steps(T, 99.0)]);
    assert_eq!(
        changes(&import_as(&mut store, "ana", mine.as_bytes()).expect("ana")),
        (2, 0, 0)
    );
    assert_eq!(
        changes(&import_as(&mut store, "ben", yours.as_bytes()).expect("ben")),
        (1, 0, 0)
    );
    assert_eq!(
        changes(&import_as(&mut store, "ana", mine.as_bytes()).expect("ana")),
        (0, 0, 2)
    );
    let mut origins = column(&store, "origin");
    origins.sort();
    assert_eq!(origins, ["ana", "ana", "ben"]);
    assert_eq!(store.count().expect("a count"), 3);
}

#[test]
fn a_writers_own_id_counts_more_than_its_name() {
    let with_id = |source, id| Record {
        source,
        metadata: vec![("HKExternalUUID", id)],
        ..steps(T, 10.0)
    };
    let mut store = store();
    let mut import_one =
        |record| changes(&import(&mut store, xml(PLAIN, &[record]).as_bytes()).expect("an import"));
    assert_eq!(import_one(with_id("Strava", "A")), (1, 0, 0));
    assert_eq!(import_one(with_id("Strava renamed", "A")), (0, 0, 1));
    assert_eq!(import_one(with_id("Strava", "B")), (1, 0, 0));
    assert_eq!(import_one(steps(T, 10.0)), (1, 0, 0));
    // One sync identifier for many samples, as some apps write.
    let shared = |start| Record {
        metadata: vec![("HKMetadataKeySyncIdentifier", "1")],
        ..steps(start, 10.0)
    };
    assert_eq!(import_one(shared(T)), (1, 0, 0));
    assert_eq!(import_one(shared(T + 600)), (1, 0, 0));
    assert_eq!(import_one(shared(T)), (0, 0, 1));
}

#[test]
fn the_name_stays_as_written_first() {
    let mut store = store();
    let records = [Record {
        source: "Health",
        ..steps(T, 10.0)
    }];
    let localized = Style {
        localized: true,
        ..PLAIN
    };
    import(&mut store, xml(localized, &records).as_bytes()).expect("an import");
    import(&mut store, xml(PLAIN, &records).as_bytes()).expect("an import");
    assert_eq!(column(&store, "sourceName"), ["Santé"]);
}

#[test]
fn workouts_are_the_same_in_other_units() {
    let workout = |sum: &str, unit: &str, offset: &str, hour: u32| {
        format!(
            " <Workout workoutActivityType=\"HKWorkoutActivityTypeRunning\" duration=\"30.51234\" \
             durationUnit=\"min\" sourceName=\"Watch\" startDate=\"2024-06-15 {hour:02}:00:00 {offset}\" \
             endDate=\"2024-06-15 {hour:02}:31:00 {offset}\">\n  <MetadataEntry key=\"HKWeatherTemperature\" \
             value=\"{sum} degF\"/>\n  <WorkoutEvent type=\"HKWorkoutEventTypePause\" \
             date=\"2024-06-15 {hour:02}:10:00 {offset}\"/>\n  <WorkoutStatistics \
             type=\"HKQuantityTypeIdentifierDistanceWalkingRunning\" sum=\"{sum}\" unit=\"{unit}\"/>\n </Workout>\n"
        )
    };
    let mut store: Store = store();
    let mut import_one = |workout: String| {
        let record = element(PLAIN, &steps(T, 10.0));
        let text = document(PLAIN, &(record + &workout));
        let tally = import(&mut store, text.as_bytes())
            .expect("an import")
            .workouts;
        (tally.new, tally.updated, tally.unchanged)
    };
    assert_eq!(import_one(workout("5.00123", "km", "+0000", 10)), (1, 0, 0));
    assert_eq!(import_one(workout("3.10762", "mi", "-0500", 5)), (0, 0, 1));
    assert_eq!(import_one(workout("3.20000", "mi", "-0500", 5)), (0, 1, 0));
    assert_eq!(import_one(workout("3.20000", "mi", "-0500", 6)), (1, 0, 0));
}
