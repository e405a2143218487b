//! More of one key than any real export has.

use std::ops::ControlFlow;

use super::*;
use crate::{
    identity::{Key, MAX_ORDINAL, ordinal},
    import::Returning,
    sample::{Sample, Value},
    store::written,
};

fn steps(value: f64) -> Sample {
    Sample {
        kind: Kind::stored("steps"),
        unit: "count".into(),
        value: Value::Quantity {
            value,
            tolerance: 0.5,
        },
        start_ms: 0,
        end_ms: MINUTE,
        created_ms: None,
        provenance: writer(),
        external_id: None,
        metadata: Metadata::default(),
    }
}

fn sample(value: f64) -> Item {
    Item::Sample(steps(value))
}

fn told(imported: &Imported) -> Vec<(&str, u64)> {
    let skipped = imported.skipped.iter();
    skipped.map(|it| (it.reason.as_str(), it.count)).collect()
}

fn count(store: &Store, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    store
        .connection
        .query_row(&sql, [], |row| row.get(0))
        .unwrap()
}

#[test]
fn a_file_does_not_use_up_the_ordinals() {
    let mut store = Store::in_memory().unwrap();
    let returning = Item::Returning(Box::new(Returning {
        id: Some(Key::of_sample("ana", &steps(1.0)).id(MAX_ORDINAL)),
        sample: steps(1.0),
        origin: "ana".into(),
        line: 2,
    }));
    write(&mut store, "ana", vec![returning]);
    let id: Id = store
        .connection
        .query_row("SELECT id FROM sample", [], |row| row.get(0))
        .unwrap();
    assert_eq!(ordinal(id), 0);
}

/// They are parked and added at the end: their places are kept in rows of bounded size there, too.
#[test]
fn many_records_of_one_key_are_each_in_the_order_of_writing() {
    let mut store = Store::in_memory().unwrap();
    let all = (0..1000).map(|_| sample(1.0)).collect();
    assert_eq!(write(&mut store, "ana", all).new, 1000);
    let mut places = Vec::new();
    let told = written::behind(&store.connection, 0, |place| {
        places.push((place.seq, place.id.unwrap()));
        ControlFlow::Continue(())
    });
    assert!(told.unwrap().is_continue());
    let mut statement = store
        .connection
        .prepare("SELECT seq, id FROM sample ORDER BY seq")
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let rows: Vec<(i64, Id)> = rows.unwrap().map(Result::unwrap).collect();
    assert_eq!(places, rows);
    assert!(count(&store, "written") >= 4);
}

/// Another program brought the file up to date while this one had it open.
#[test]
fn a_store_that_became_newer_is_not_written() {
    let mut store = Store::in_memory().unwrap();
    let newer = crate::store::steps::VERSION + 1;
    store
        .connection
        .pragma_update(None, "user_version", newer)
        .unwrap();
    let export = "<HealthData><Record type=\"HKQuantityTypeIdentifierStepCount\" unit=\"count\" \
                  sourceName=\"x\" startDate=\"2026-01-01 08:00:00 +0000\" \
                  endDate=\"2026-01-01 09:00:00 +0000\" value=\"1\"/></HealthData>";
    let mut source = std::io::Cursor::new(export);
    let options = ImportOptions::default();
    let failed = store.import("ana", &mut source, None, &options, &mut |_| ());
    assert!(matches!(
        failed,
        Err(ImportFailed::Store(StoreError::Newer { found, .. })) if found == newer
    ));
    assert_eq!(count(&store, "sample"), 0);
}

#[test]
fn a_record_without_an_ordinal_is_told() {
    let mut store = Store::in_memory().unwrap();
    write(&mut store, "ana", vec![sample(1.0)]);
    let last = Key::of_sample("ana", &steps(1.0)).id(MAX_ORDINAL);
    store
        .connection
        .execute("UPDATE sample SET id = ?1", [last])
        .unwrap();
    let all = vec![sample(2.0), sample(1.0), sample(3.0)];
    let imported = write(&mut store, "ana", all);
    assert_eq!((imported.read, imported.new, imported.unchanged), (2, 1, 1));
    assert_eq!(
        told(&imported),
        [(
            "records beyond the numbers of one time and writer (not kept)",
            1
        )]
    );
}

#[test]
fn what_is_beyond_64_of_one_key_is_told() {
    let mut store = Store::in_memory().unwrap();
    let all = || {
        let mut items = Vec::new();
        for n in 0..70 {
            let mut workout = workout(0);
            workout.duration_s = Some(f64::from(n) * 10.0);
            items.push(Item::Workout(Box::new(workout)));
            items.push(item(rings(1, f64::from(n), 0.1)));
        }
        items
    };
    let check = |imported: &Imported, new: u64| {
        let expected = tally(64, new, 0, 64 - new);
        assert_eq!(imported.workouts, expected);
        assert_eq!(imported.documents[&Noun::ActivitySummary], expected);
        assert_eq!(
            told(imported),
            [
                (
                    "activity summaries beyond 64 of one time and writer (not kept)",
                    6
                ),
                ("workouts beyond 64 of one time and writer (not kept)", 6),
            ]
        );
    };
    check(&write(&mut store, "ana", all()), 64);
    check(&write(&mut store, "ana", all()), 0);
}

/// A store of an earlier version may hold more: they may be those that are not looked at.
#[test]
fn what_is_beyond_is_not_deleted_either() {
    let mut store = Store::in_memory().unwrap();
    let some = |range: std::ops::Range<i32>| -> Vec<Item> {
        range.map(|n| item(rings(1, f64::from(n), 0.1))).collect()
    };
    write(&mut store, "ana", some(0..64));
    let key = Key::of_document("ana", &rings(1, 0.0, 0.1));
    write(&mut store, "ben", some(64..70));
    let mut rename = store
        .connection
        .prepare("SELECT document_id FROM document ORDER BY document_id DESC LIMIT 6")
        .unwrap();
    let rows: Vec<i64> = rename
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    drop(rename);
    for (row, number) in rows.into_iter().zip(64..) {
        store
            .connection
            .execute(
                "UPDATE document SET id = ?2, origin_id = (SELECT min(origin_id) FROM document)
                 WHERE document_id = ?1",
                rusqlite::params![row, key.id(number)],
            )
            .unwrap();
    }
    let options = ImportOptions {
        prune: Some(Consent::new(|_| true)),
        ..ImportOptions::default()
    };
    let mut items = some(0..70);
    items.push(Item::Exported(0));
    let imported = write_with(&mut store, "ana", items, &options);
    assert_eq!(
        imported.documents[&Noun::ActivitySummary],
        tally(64, 0, 0, 64)
    );
    assert_eq!(count(&store, "document"), 70);
}
