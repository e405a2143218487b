mod on_disk;

use std::{io::Cursor as Bytes, ops::ControlFlow};

use proptest::{
    prelude::{Just, Strategy, any},
    prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use rusqlite::params_from_iter;

use super::*;
use crate::{
    batch::SampleBatch,
    format::{ArrowStream, End, Options, by_name},
    store::{Consent, ImportOptions, Piece, Scanned, plan::Stretch},
};

/// A file: of which person, records (type, minute, value) and whether it prunes.
#[derive(Clone, Debug)]
struct File {
    origin: &'static str,
    records: Vec<(bool, u32, u32)>,
    prunes: bool,
}

fn file() -> impl Strategy<Value = File> {
    // Few minutes, so that the same ones come again with other values.
    let record = (any::<bool>(), 0_u32..120, 50_u32..54);
    let records = proptest::collection::vec(record, 0..80);
    (
        prop_oneof![Just("ana"), Just("ben")],
        records,
        any::<bool>(),
    )
        .prop_map(|(origin, records, prunes)| File {
            origin,
            records,
            prunes,
        })
}

fn import(store: &mut Store, number: usize, file: &File) {
    let mut export = format!(
        "<HealthData><ExportDate value=\"2026-02-{:02} 08:00:00 +0000\"/>",
        number + 1
    );
    for (is_steps, minute, value) in &file.records {
        let kind = if *is_steps {
            "StepCount\" unit=\"count"
        } else {
            "HeartRate\" unit=\"count/min"
        };
        let at = format!("2026-01-10 {:02}:{:02}:00 +0000", minute / 60, minute % 60);
        let record = format!(
            "<Record type=\"HKQuantityTypeIdentifier{kind}\" sourceName=\"W{}\" creationDate=\"{at}\" \
             startDate=\"{at}\" endDate=\"{at}\" value=\"{value}\"/>",
            minute % 3
        );
        export.push_str(&record);
    }
    export.push_str("</HealthData>");
    let options = ImportOptions {
        prune: file.prunes.then(|| Consent::new(|_| true)),
        ..ImportOptions::default()
    };
    // One that holds nothing may be refused.
    drop(store.import(
        file.origin,
        &mut Bytes::new(export),
        None,
        &options,
        &mut |_| (),
    ));
}

/// Packs of a few rows.
fn small(folder: &tempfile::TempDir) -> Packs {
    Packs {
        sizes: Sizes {
            rows: 8,
            least: 3,
            at_once: 2,
            changes: 50,
        },
        ..Packs::open(&folder.path().join("packs.db")).unwrap()
    }
}

fn fill(packs: &mut Packs, store: &Store) {
    while packs.fill(store).unwrap() {}
}

/// What somebody who asks for Arrow reads: a line a row, and how the scan ended.
fn answer(store: &Store, packs: Option<&Packs>, query: &Query) -> (Vec<String>, Scanned) {
    let mut arrow = (by_name("arrow").unwrap().encoder)(&Options::default());
    assert!(arrow.takes_packs());
    let mut bytes = Vec::new();
    arrow.start(&mut bytes).unwrap();
    let scanned = store
        .scan_packed(query, packs, &mut |piece| {
            match piece {
                Piece::Rows { batch, .. } => arrow.batch(&batch, &mut bytes).unwrap(),
                Piece::Packed { messages, .. } => arrow.packed(messages, &mut bytes).unwrap(),
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    arrow.finish(&End::default(), &mut bytes).unwrap();
    let mut stream = ArrowStream::<SampleBatch>::default();
    let batches = stream.push(&bytes).unwrap();
    stream.finish().unwrap();
    let mut lines = Vec::new();
    let mut csv = (by_name("csv").unwrap().encoder)(&Options::default());
    for batch in &batches {
        csv.batch(batch, &mut lines).unwrap();
    }
    let lines = String::from_utf8(lines).unwrap();
    (lines.lines().map(str::to_owned).collect(), scanned)
}

/// Both ways give the same; gives how many rows came from packs.
#[track_caller]
fn check(store: &Store, packs: &Packs, query: &Query) -> u64 {
    let (expected, plain) = answer(store, None, query);
    let (found, scanned) = answer(store, Some(packs), query);
    assert_eq!(found, expected, "{query:?}");
    assert_eq!(scanned.count, plain.count);
    assert!(
        scanned.packed + scanned.loose <= scanned.count,
        "{scanned:?}"
    );
    assert_eq!(scanned.next_cursor, plain.next_cursor, "{query:?}");
    scanned.packed
}

fn records(minutes: impl Iterator<Item = u32>, value: u32) -> Vec<(bool, u32, u32)> {
    minutes.map(|minute| (true, minute, value)).collect()
}

fn of_ana(records: Vec<(bool, u32, u32)>) -> File {
    File {
        origin: "ana",
        records,
        prunes: false,
    }
}

/// 100 steps, packed.
fn packed_steps(folder: &tempfile::TempDir) -> (Store, Packs) {
    let mut store = Store::in_memory().unwrap();
    import(&mut store, 0, &of_ana(records(0..100, 50)));
    let mut packs = small(folder);
    fill(&mut packs, &store);
    assert_eq!(check(&store, &packs, &Query::default()), 100);
    (store, packs)
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 48, ..Default::default() })]

    #[test]
    fn packs_never_change_an_answer(
        files in proptest::collection::vec((file(), any::<bool>()), 1..7),
        limit in 1_u64..40,
        offset in 0_u64..40,
        from in 0_i64..120,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, mut packs) = (Store::in_memory().unwrap(), small(&folder));
        let minute = |minute: i64| Some(1_768_003_200_000 + minute * 60_000);
        for (number, (file, fills)) in files.iter().enumerate() {
            import(&mut store, number, file);
            if *fills {
                fill(&mut packs, &store);
                let rows = store.count().unwrap();
                prop_assert!(rows < 6 || check(&store, &packs, &Query::default()) > 0);
            }
            let first = Query { limit: Some(limit), ..Query::default() };
            let cursor = answer(&store, None, &first).1.next_cursor;
            for query in [
                Query::default(),
                Query { cursor, ..Query::default() },
                first,
                Query { limit: Some(limit), offset, ..Query::default() },
                Query { start_ms: minute(from), end_ms: minute(from + 30), ..Query::default() },
                Query { origins: vec!["ben".to_owned()], ..Query::default() },
            ] {
                check(&store, &packs, &query);
            }
        }
        // What is made anew from what there is now is made of all rows that have neighbours.
        packs.sweep(&store).unwrap();
        let kept = check(&store, &packs, &Query::default());
        fill(&mut packs, &store);
        prop_assert!(check(&store, &packs, &Query::default()) >= kept);
        prop_assert_eq!(packs.fill(&store).unwrap(), false);
    }
}

#[test]
fn a_change_costs_the_pack_that_it_touches() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut packs) = packed_steps(&folder);
    let all = Query::default();
    // Another value at minute 50, and new rows at both ends.
    import(&mut store, 1, &of_ana(records(50..51, 51)));
    assert_eq!(check(&store, &packs, &all), 92);
    import(&mut store, 2, &of_ana(records(100..103, 50)));
    assert_eq!(check(&store, &packs, &all), 92);
    fill(&mut packs, &store);
    assert_eq!(check(&store, &packs, &all), store.count().unwrap());
}

#[test]
fn what_was_deleted_goes_with_the_next_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut packs) = packed_steps(&folder);
    let rows = |packs: &Packs, table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        packs
            .connection
            .query_row(&sql, [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!((rows(&packs, "pack"), rows(&packs, "body")), (13, 13));
    let pruned = File {
        prunes: true,
        ..of_ana(records((0..100).filter(|minute| *minute != 20), 50))
    };
    import(&mut store, 1, &pruned);
    assert_eq!(store.count().unwrap(), 99);
    packs.sweep(&store).unwrap();
    assert_eq!((rows(&packs, "pack"), rows(&packs, "body")), (12, 12));
    assert_eq!(check(&store, &packs, &Query::default()), 92);
}

#[test]
fn a_pack_knows_no_words_of_other_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::in_memory().unwrap();
    // Eight of W0, then eight of W1.
    let minutes = (0..8).map(|n| n * 3).chain((0..8).map(|n| 31 + n * 3));
    import(&mut store, 0, &of_ana(records(minutes, 50)));
    let mut packs = small(&folder);
    fill(&mut packs, &store);
    let mut sources: Vec<Vec<String>> = Vec::new();
    let all = Query::default();
    let scanned = store.scan_packed(&all, Some(&packs), &mut |piece| {
        if let Piece::Packed { messages, .. } = piece {
            let mut stream = ArrowStream::<SampleBatch>::default();
            let mut arrow = (by_name("arrow").unwrap().encoder)(&Options::default());
            let mut bytes = Vec::new();
            arrow.start(&mut bytes).unwrap();
            bytes.extend(messages);
            for batch in stream.push(&bytes).unwrap() {
                let words = batch.view().unwrap().source;
                sources.push(words.distinct().flatten().map(str::to_owned).collect());
            }
        }
        ControlFlow::Continue(())
    });
    assert_eq!(scanned.unwrap().packed, 16);
    let expected: [Vec<String>; 2] = [vec!["W0".to_owned()], vec!["W1".to_owned()]];
    assert_eq!(sources, expected);
}

#[test]
fn after_many_changes_rows_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, packs) = packed_steps(&folder);
    import(&mut store, 1, &of_ana(records(0..60, 51)));
    assert_eq!(check(&store, &packs, &Query::default()), 0);
}

#[test]
fn packs_of_another_history_are_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut packs) = packed_steps(&folder);
    let mut other = Store::in_memory().unwrap();
    import(&mut other, 0, &of_ana(records(0..100, 51)));
    assert_eq!(check(&other, &packs, &Query::default()), 0);
    fill(&mut packs, &other);
    assert_eq!(check(&other, &packs, &Query::default()), 100);
}

#[test]
fn packs_of_a_later_state_are_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("health.db");
    let mut store = Store::open(&path).unwrap();
    import(&mut store, 0, &of_ana(records(0..100, 50)));
    let reader = Store::open(&path).unwrap();
    let mut packs = small(&folder);
    reader
        .snapshot(|reader| -> Result<(), StoreError> {
            assert_eq!(reader.count()?, 100);
            import(&mut store, 1, &of_ana(records(0..50, 51)));
            fill(&mut packs, &store);
            assert_eq!(check(reader, &packs, &Query::default()), 0);
            Ok(())
        })
        .unwrap();
    assert!(check(&reader, &packs, &Query::default()) > 0);
}

#[test]
fn columns_on_demand_are_not_packed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, packs) = packed_steps(&folder);
    let query = Query {
        include_metadata: true,
        ..Query::default()
    };
    let scanned = store
        .scan_packed(&query, Some(&packs), &mut |_| ControlFlow::Continue(()))
        .unwrap();
    assert_eq!((scanned.count, scanned.packed), (100, 0));
}

/// SQLite begins at the bound, it does not walk from the start of the type.
#[test]
fn a_gap_is_found_by_its_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = packed_steps(&folder);
    let gap = Stretch {
        from_ms: Some(0),
        to_ms: Some(i64::MAX),
        behind: Some((1, [1; 16])),
        before: Some((2, [2; 16])),
    };
    let (condition, parameters) = gap.condition(1);
    let sql = format!("EXPLAIN QUERY PLAN SELECT id FROM sample {condition} ORDER BY start_ms, id");
    let mut statement = store.connection.prepare(&sql).unwrap();
    let steps = statement
        .query_map(params_from_iter(&parameters), |row| row.get::<_, String>(3))
        .unwrap();
    let steps: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
    assert_eq!(
        steps,
        ["SEARCH sample USING PRIMARY KEY (kind_id=? AND start_ms>? AND start_ms<?)"]
    );
}
