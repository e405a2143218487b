use std::io::Cursor;

use jiff::civil::Weekday;
use proptest::{
    prelude::{Just, Strategy, any},
    prop_assert_eq, prop_oneof, proptest,
};

use super::*;
use crate::{
    aggregate::{Period, TotalsBatch, zone},
    store::{Consent, ImportOptions, Store},
};
use std::ops::ControlFlow;

/// A file: of which person, at which minutes of 200 days which values, and whether it prunes.
#[derive(Clone, Debug)]
struct File {
    origin: &'static str,
    records: Vec<(u32, f64)>,
    prunes: bool,
}

fn file() -> impl Strategy<Value = File> {
    let record = (0_u32..288_000, 40_u32..2_000);
    let records = proptest::collection::vec(record, 0..40);
    (
        prop_oneof![Just("ana"), Just("ben")],
        records,
        any::<bool>(),
    )
        .prop_map(|(origin, records, prunes)| File {
            origin,
            records: records
                .into_iter()
                .map(|(minute, tenths)| (minute, f64::from(tenths) / 10.0))
                .collect(),
            prunes,
        })
}

/// Imports it as the export of day `number`.
fn import(store: &mut Store, number: usize, file: &File) {
    let mut records = vec![format!(
        "<HealthData><ExportDate value=\"2026-02-{:02} 08:00:00 +0000\"/>",
        number + 1
    )];
    for kind in [
        "HeartRate\" unit=\"count/min",
        "HeadphoneAudioExposure\" unit=\"dBASPL",
    ] {
        records.extend(file.records.iter().map(|(minute, value)| {
            let second = 1_750_000_000 + i64::from(*minute) * 60;
            let at = jiff::Timestamp::from_second(second).unwrap();
            let at = at.strftime("%Y-%m-%d %H:%M:%S +0000");
            format!(
                "<Record type=\"HKQuantityTypeIdentifier{kind}\" sourceName=\"W\" \
                 creationDate=\"{at}\" startDate=\"{at}\" endDate=\"{at}\" value=\"{value}\"/>"
            )
        }));
    }
    records.push("</HealthData>".to_owned());
    let export = records.concat();
    let mut options = ImportOptions::default();
    if file.prunes {
        options.prune = Some(Consent::new(|_| true));
    }
    // One that holds nothing may be refused.
    drop(store.import(
        file.origin,
        &mut Cursor::new(export),
        None,
        &options,
        &mut |_| (),
    ));
}

fn totals(store: &Store, query: &Query, calendar: &Calendar, kept: Option<&KeptTotals>) -> String {
    let mut batches: Vec<TotalsBatch> = Vec::new();
    store
        .totals(query, calendar, kept, &mut |batch| {
            batches.push(batch);
            ControlFlow::Continue(())
        })
        .unwrap();
    format!("{batches:?}")
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 24, ..Default::default() })]

    #[test]
    fn kept_hours_give_the_same_numbers(files in proptest::collection::vec(file(), 1..6)) {
        let mut store = Store::in_memory().unwrap();
        let kept = KeptTotals::of_types_with(1);
        for (number, file) in files.iter().enumerate() {
            import(&mut store, number, file);
            for (period, name) in [
                (Period::Daily, "Europe/Vienna"),
                (Period::Hourly, "UTC"),
                (Period::Monthly, "America/New_York"),
                // Its hours are not those of UTC.
                (Period::Daily, "Asia/Kolkata"),
            ] {
                let calendar = Calendar::new(period, zone(name).unwrap(), Weekday::Monday);
                for query in [
                    Query::default(),
                    Query { origins: vec!["ben".to_owned()], ..Query::default() },
                    Query { start_ms: Some(1_755_000_000_000), ..Query::default() },
                ] {
                    prop_assert_eq!(
                        totals(&store, &query, &calendar, Some(&kept)),
                        totals(&store, &query, &calendar, None)
                    );
                }
            }
        }
    }
}

/// Some samples of a store, and what is kept of them.
fn filled() -> (Store, KeptTotals) {
    let mut store = Store::in_memory().unwrap();
    let records = (0..500).map(|n| (n * 500, 60.0 + f64::from(n))).collect();
    let file = File {
        origin: "ana",
        records,
        prunes: false,
    };
    import(&mut store, 0, &file);
    (store, KeptTotals::of_types_with(500))
}

fn hours(store: &Store, kept: &KeptTotals, query: &Query) -> Option<Arc<Hours>> {
    let utc = Calendar::new(Period::Daily, zone("UTC").unwrap(), Weekday::Monday);
    kept.hours(&store.connection, "heartRate", query, &utc)
        .unwrap()
}

#[test]
fn what_was_kept_is_not_read_again() {
    let (mut store, kept) = filled();
    let all = Query::default();
    let first = hours(&store, &kept, &all).unwrap();
    assert_eq!(first.rows.len(), 500);
    assert!(Arc::ptr_eq(&first, &hours(&store, &kept, &all).unwrap()));
    let file = File {
        origin: "ben",
        records: vec![(10, 99.0), (287_999, 70.0)],
        prunes: false,
    };
    import(&mut store, 1, &file);
    // Of the others nothing is read: a number that only the kept ones have is still there.
    store
        .connection
        .execute("UPDATE sample SET value = 1 WHERE origin_id = 1", [])
        .unwrap();
    let second = hours(&store, &kept, &all).unwrap();
    assert_eq!(second.rows.len(), 502);
    let same = |hour: &&Hour| first.rows.contains(hour);
    assert_eq!(second.rows.iter().filter(same).count(), 499);
}

#[test]
fn what_is_asked_in_part_is_made_of_samples() {
    let (store, kept) = filled();
    let short = Query {
        start_ms: Some(1_755_000_000_000),
        end_ms: Some(1_755_000_000_000 + LONG_MS - 1),
        ..Query::default()
    };
    assert!(hours(&store, &kept, &short).is_none());
    let few = KeptTotals::of_types_with(501);
    assert!(hours(&store, &few, &Query::default()).is_none());
    assert!(few.types.lock().unwrap().is_empty());
}

#[test]
fn what_cannot_be_kept_is_read_once() {
    let (store, kept) = filled();
    store
        .connection
        .execute_batch(
            "INSERT INTO category VALUES (1, 'odd');
             UPDATE sample SET value = NULL, category_id = 1 WHERE row = 7;",
        )
        .unwrap();
    let all = Query::default();
    assert!(hours(&store, &kept, &all).is_none());
    assert!(kept.types.lock().unwrap()[0].1.is_refused);
    // Not even when it could be.
    store
        .connection
        .execute(
            "UPDATE sample SET value = 1, category_id = NULL WHERE row = 7",
            [],
        )
        .unwrap();
    assert!(hours(&store, &kept, &all).is_none());
    assert!(hours(&store, &KeptTotals::of_types_with(500), &all).is_some());
}

#[test]
fn another_store_is_read_anew() {
    let (store, kept) = filled();
    let first = hours(&store, &kept, &Query::default()).unwrap();
    let (other, _) = filled();
    let second = hours(&other, &kept, &Query::default()).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    assert_ne!(first.token, second.token);
}

#[test]
fn what_is_kept_is_bounded() {
    let kept = KeptTotals::default();
    let hour = Hour {
        start_ms: 0,
        origin_id: 1,
        unit_id: 1,
        spread: Spread::of(1.0, 0, false),
    };
    for (kind_id, count) in [(1, MOST / 2), (2, MOST / 2), (3, 2), (4, MOST + 1), (5, 1)] {
        let rows = vec![hour; count];
        let hours = Hours {
            seq: 1,
            token: [0; 16],
            rows,
            is_refused: false,
        };
        kept.keep(kind_id, &Arc::new(hours));
        let types = kept.types.lock().unwrap();
        let ids: Vec<i64> = types.iter().map(|(id, _)| *id).collect();
        let expected: &[i64] = match kind_id {
            1 => &[1],
            2 => &[1, 2],
            3 => &[2, 3],
            4 => &[],
            _ => &[5],
        };
        assert_eq!(ids, expected);
    }
}
