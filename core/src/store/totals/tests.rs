use std::io::Cursor;

use jiff::civil::Weekday;

use super::*;
use crate::{
    aggregate::{Period, totals_schema, zone},
    format::{Options, TableEncoder, by_name},
    store::{ImportOptions, Preference},
};

/// A record: type, source, times of 2026-01-10 in UTC, value.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const STEPS: &str = "HKQuantityTypeIdentifierStepCount\" unit=\"count";
const HEART: &str = "HKQuantityTypeIdentifierHeartRate\" unit=\"count/min";
const IN_BED: &str = "HKCategoryValueSleepAnalysisInBed";
const CORE: &str = "HKCategoryValueSleepAnalysisAsleepCore";
const SLEEP: &str = "HKCategoryTypeIdentifierSleepAnalysis";

fn import(store: &mut Store, origin: &str, rows: &[Row]) {
    let mut export = "<HealthData><ExportDate value=\"2026-02-01 08:00:00 +0000\"/>".to_owned();
    for (kind, source, start, end, value) in rows {
        let record = format!(
            "<Record type=\"{kind}\" sourceName=\"{source}\" creationDate=\"2026-01-10 09:00:00 +0000\" \
             startDate=\"{start} +0000\" endDate=\"{end} +0000\" value=\"{value}\"/>"
        );
        export.push_str(&record);
    }
    export.push_str("</HealthData>");
    let options = ImportOptions::default();
    store
        .import(
            origin,
            &mut Cursor::new(export),
            None,
            &options,
            &mut |_| (),
        )
        .unwrap();
}

const WATCH: &str = "Ana’s Apple\u{a0}Watch";
const PHONE: &str = "Ana's iPhone";

/// The day of open-wearables#1287, in hours of watch and phone.
fn day() -> Vec<Row> {
    let hour = |source, start, end, value| (STEPS, source, start, end, value);
    vec![
        hour(WATCH, "2026-01-10 07:00:00", "2026-01-10 08:00:00", "2200"),
        hour(WATCH, "2026-01-10 08:00:00", "2026-01-10 09:00:00", "1957"),
        hour(PHONE, "2026-01-10 07:00:00", "2026-01-10 08:00:00", "2050"),
        hour(PHONE, "2026-01-10 08:00:00", "2026-01-10 09:00:00", "1890"),
        hour(PHONE, "2026-01-10 12:00:00", "2026-01-10 13:00:00", "5922"),
        hour(PHONE, "2026-01-10 18:00:00", "2026-01-10 19:00:00", "4000"),
    ]
}

/// The lines of a CSV without its header: date, type, total, average, min, max, count, unit,
/// category, origin.
#[track_caller]
fn check(store: &Store, query: &Query, period: Period, zone_name: &str, expected: &[&str]) {
    let calendar = Calendar::new(period, zone(zone_name).unwrap(), Weekday::Monday);
    let csv = by_name("csv").unwrap();
    let mut encoder = TableEncoder::new(csv, &Options::default(), totals_schema(), "x").unwrap();
    let mut out = Vec::new();
    let count = store
        .totals(query, &calendar, None, &mut |batch| {
            encoder.batch(batch.columns(), &mut out).unwrap();
            ControlFlow::Continue(())
        })
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.split(',').take(10).collect::<Vec<_>>().join(","))
        .collect();
    assert_eq!(lines, expected);
    assert_eq!(count, u64::try_from(expected.len()).unwrap());
}

fn of(types: &[&str]) -> Query {
    Query {
        types: types
            .iter()
            .map(|text| Kind::parse(text).unwrap())
            .collect(),
        ..Query::default()
    }
}

#[test]
fn watch_and_phone_are_merged_as_on_the_phone() {
    let mut store = Store::in_memory().unwrap();
    import(&mut store, "ana", &day());
    let expected = "2026-01-10,steps,14079,,,,4,count,,ana";
    check(&store, &Query::default(), Period::Daily, "UTC", &[expected]);
    // Another person's steps are no more of Ana's.
    import(&mut store, "ben", &day()[2..]);
    check(
        &store,
        &of(&["steps"]),
        Period::Monthly,
        "Europe/Vienna",
        &[
            "2026-01-01,steps,14079,,,,4,count,,ana",
            "2026-01-01,steps,13862,,,,4,count,,ben",
        ],
    );
    let ben = Query {
        origins: vec!["ben".to_owned()],
        ..Query::default()
    };
    check(
        &store,
        &ben,
        Period::Yearly,
        "UTC",
        &["2026-01-01,steps,13862,,,,4,count,,ben"],
    );
}

#[test]
fn the_owner_says_who_is_believed_first() {
    let mut store = Store::in_memory().unwrap();
    import(&mut store, "ana", &day());
    let list = |kind: Option<&str>, origin: Option<&str>, sources: &[&str]| Preference {
        kind: kind.map(str::to_owned),
        origin: origin.map(str::to_owned),
        sources: sources.iter().map(|&name| name.to_owned()).collect(),
    };
    let merged = "2026-01-10,steps,14079,,,,4,count,,ana";
    let by_phone = "2026-01-10,steps,13862,,,,4,count,,ana";
    for (preference, expected) in [
        (list(Some("steps"), Some("ben"), &[PHONE]), merged),
        (list(Some("heartRate"), None, &[PHONE]), merged),
        (list(None, None, &[PHONE]), by_phone),
        (list(None, Some("ana"), &[WATCH]), merged),
        (
            list(Some("steps"), None, &["Ana’s iPhone", WATCH]),
            by_phone,
        ),
        (
            list(Some("steps"), Some("ana"), &["Ana's Apple Watch"]),
            merged,
        ),
        (list(Some("steps"), Some("ana"), &[]), by_phone),
    ] {
        store.prefer(&preference).unwrap();
        check(&store, &Query::default(), Period::Daily, "UTC", &[expected]);
    }
    let names = |kind| -> Vec<String> {
        let sources = store.sources(kind, Some("ana")).unwrap();
        sources.into_iter().map(|source| source.name).collect()
    };
    assert_eq!(names(Some("steps")), ["Ana's iPhone", "Ana's Apple Watch"]);
    assert_eq!(names(None), ["Ana's Apple Watch", "Ana's iPhone"]);
    assert!(names(Some("heartRate")).is_empty());
    let kept = store.preferences().unwrap();
    assert_eq!(kept.len(), 5);
    assert_eq!(kept[0], list(None, None, &[PHONE]));
}

#[test]
fn a_range_takes_what_reaches_into_it() {
    let mut store = Store::in_memory().unwrap();
    let long = (
        STEPS,
        PHONE,
        "2026-01-08 00:00:00",
        "2026-01-11 00:00:00",
        "3000",
    );
    import(&mut store, "ana", &[long]);
    let query = Query {
        start_ms: Some(1_768_003_200_000 + 3_600_000),
        end_ms: Some(1_768_003_200_000 + 7_200_000),
        ..Query::default()
    };
    // 2026-01-10T01:00Z to 02:00Z grows to the day.
    check(
        &store,
        &query,
        Period::Daily,
        "UTC",
        &["2026-01-10,steps,1000,,,,0,count,,ana"],
    );
    let hour = "2026-01-10T01:00:00+00:00,steps,41.666666666666664,,,,0,count,,ana";
    check(&store, &query, Period::Hourly, "UTC", &[hour]);
}

#[test]
fn a_night_is_told_by_the_day_on_which_it_ends() {
    let mut store = Store::in_memory().unwrap();
    let night = |source, start, end, value| (SLEEP, source, start, end, value);
    import(
        &mut store,
        "ana",
        &[
            night(PHONE, "2026-01-09 21:00:00", "2026-01-10 06:00:00", IN_BED),
            night(WATCH, "2026-01-09 21:30:00", "2026-01-10 01:00:00", CORE),
            night(WATCH, "2026-01-10 01:10:00", "2026-01-10 05:00:00", CORE),
            // The next night has begun, but belongs to the 11th.
            night(WATCH, "2026-01-10 21:30:00", "2026-01-10 22:55:00", CORE),
            night(WATCH, "2026-01-10 23:30:00", "2026-01-11 04:00:00", CORE),
        ],
    );
    let tenth = Query {
        start_ms: Some(1_767_999_600_000),
        end_ms: Some(1_767_999_600_000 + 86_400_000),
        ..Query::default()
    };
    check(
        &store,
        &tenth,
        Period::Daily,
        "Europe/Vienna",
        &[
            "2026-01-10,sleepAnalysis,440,,,,2,min,asleepCore,ana",
            "2026-01-10,sleepAnalysis,540,,,,1,min,inBed,ana",
        ],
    );
    // Whoever may read one stage gets totals of that stage alone.
    let core = Query {
        types: of(&["sleepInBed"]).types,
        ..tenth
    };
    let line = "2026-01-10,sleepAnalysis,540,,,,1,min,inBed,ana";
    check(&store, &core, Period::Daily, "Europe/Vienna", &[line]);
}

#[test]
fn types_come_in_order_and_each_in_its_style() {
    let mut store = Store::in_memory().unwrap();
    let mut rows = day();
    rows.push((
        HEART,
        WATCH,
        "2026-01-10 07:00:00",
        "2026-01-10 07:00:00",
        "60",
    ));
    rows.push((
        HEART,
        PHONE,
        "2026-01-10 07:00:01",
        "2026-01-10 07:00:01",
        "81",
    ));
    import(&mut store, "ana", &rows);
    check(
        &store,
        &Query::default(),
        Period::Weekly,
        "UTC",
        &[
            "2026-01-05,heartRate,,70.5,60,81,2,count/min,,ana",
            "2026-01-05,steps,14079,,,,4,count,,ana",
        ],
    );
    check(&store, &of(&["weight"]), Period::Weekly, "UTC", &[]);
}

/// A record of 1,975 years, as a phone with a wrong clock writes it.
fn endless() -> Row {
    (
        STEPS,
        PHONE,
        "2026-01-10 07:00:00",
        "4001-01-10 07:00:00",
        "3000000",
    )
}

#[test]
fn a_sink_may_stop() {
    let mut store = Store::in_memory().unwrap();
    import(&mut store, "ana", &[endless()]);
    let calendar = Calendar::new(Period::Hourly, zone("UTC").unwrap(), Weekday::Monday);
    let mut batches = 0;
    let count = store
        .totals(&Query::default(), &calendar, None, &mut |_| {
            batches += 1;
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!((batches, count), (1, 4096));
}

#[test]
fn a_range_costs_what_it_is_long() {
    let mut store = Store::in_memory().unwrap();
    let nap = (
        SLEEP,
        PHONE,
        "2026-01-10 07:00:00",
        "4001-01-10 07:00:00",
        IN_BED,
    );
    import(&mut store, "ana", &[endless(), nap]);
    // 2026-01-10T01:00Z to 08:00Z, and the hour of the year 4000 that the record covers, too.
    for (start, hours, hour) in [
        (1_768_006_800_000, 7, "2026-01-10T07:00:00+00:00"),
        (64_060_588_800_000, 1, "4000-01-01T00:00:00+00:00"),
    ] {
        let query = Query {
            start_ms: Some(start),
            end_ms: Some(start + hours * 3_600_000),
            ..Query::default()
        };
        let is_first = u8::from(hours == 7);
        let sleep = format!("{hour},sleepAnalysis,60,,,,{is_first},min,inBed,ana");
        let steps = format!("{hour},steps,0.1732852385929793,,,,{is_first},count,,ana");
        check(&store, &query, Period::Hourly, "UTC", &[&sleep, &steps]);
    }
}
