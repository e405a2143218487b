//! Records that are inserted and met many at a time are treated as one by one.

use std::ops::ControlFlow;

use proptest::{
    collection::vec, prelude::ProptestConfig, prop_assert, prop_assert_eq, proptest,
    strategy::Strategy,
};

use super::*;
use crate::{
    sample::{Sample, Value},
    store::written,
};

/// A record with one of few keys and one of few values.
fn record((kind, minute, value): (u8, i64, u8)) -> Item {
    let kind = ["steps", "flightsClimbed", "heartRate"][usize::from(kind)];
    Item::Sample(Sample {
        kind: Kind::stored(kind),
        unit: "count".into(),
        value: Value::Quantity {
            value: f64::from(value),
            tolerance: 0.25,
        },
        start_ms: minute * MINUTE,
        end_ms: (minute + 1) * MINUTE,
        created_ms: None,
        provenance: writer(),
        external_id: None,
        metadata: Metadata::default(),
    })
}

/// Writes a file, each record before the next one is looked at.
fn write_singly(store: &mut Store, items: Vec<Item>) -> Imported {
    let transaction = store.connection.transaction().unwrap();
    let mut ingest = Ingest::new(&transaction, "ana", "appleHealth").unwrap();
    let mut keying = Keying {
        keys: Keys::new("ana".into()),
        keep_origins: false,
    };
    for item in items {
        ingest.take(&mut [Keyed::new(&mut keying, item)]).unwrap();
        ingest.samples.flush(&mut ingest.names).unwrap();
    }
    let imported = ingest.finish(&ImportOptions::default()).unwrap();
    transaction.commit().unwrap();
    imported
}

/// Type, start, id and value of every row.
fn rows(store: &Store) -> Vec<(String, i64, Id, f64)> {
    let sql = "SELECT kind.name, start_ms, sample.id, value
               FROM sample JOIN kind ON kind.id = kind_id ORDER BY 1, 2, 3";
    let mut statement = store.connection.prepare(sql).unwrap();
    let rows = statement
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .unwrap();
    rows.map(Result::unwrap).collect()
}

/// Whether the order of writing has the place of every row, and is in order.
fn is_in_order(store: &Store) -> bool {
    let mut places = Vec::new();
    let told = written::behind(&store.connection, 0, |place| {
        places.push((place.seq, place.kind_id, place.start_ms));
        ControlFlow::Continue(())
    });
    assert!(told.unwrap().is_continue());
    let sql = "SELECT seq, kind_id, start_ms FROM sample";
    let mut statement = store.connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let all_there = rows
        .unwrap()
        .all(|row| places.binary_search(&row.unwrap()).is_ok());
    all_there && places.is_sorted_by(|(before, ..), (after, ..)| before < after)
}

fn one(store: &Store, sql: &str) -> i64 {
    store
        .connection
        .query_row(sql, [], |row| row.get(0))
        .unwrap()
}

/// Files of runs: in order, out of order, of few keys and of many.
fn file() -> impl Strategy<Value = Vec<(u8, i64, u8)>> {
    let run = (0..3_u8, 0..200_i64, 1..120_i64, 0..3_i64, 0..3_u8).prop_map(
        |(kind, from, length, step, value)| {
            (0..length)
                .map(|n| (kind, from + n * step, value))
                .collect::<Vec<_>>()
        },
    );
    vec(run, 1..8).prop_map(|runs| runs.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..Default::default() })]

    #[test]
    fn many_at_a_time_are_as_one_by_one(files in vec(file(), 1..4)) {
        let (mut store, mut singly) =
            (Store::in_memory().unwrap(), Store::in_memory().unwrap());
        for file in files {
            let items = || file.iter().copied().map(record).collect();
            let imported = write(&mut store, "ana", items());
            prop_assert_eq!(&imported, &write_singly(&mut singly, items()));
            prop_assert_eq!(rows(&store), rows(&singly));
            let samples = one(&store, "SELECT count(*) FROM sample");
            prop_assert_eq!(samples, one(&store, "SELECT count(DISTINCT row) FROM sample"));
            prop_assert_eq!(samples, one(&store, "SELECT count(DISTINCT seq) FROM sample"));
            prop_assert!(is_in_order(&store) && is_in_order(&singly));
            let last = one(&store, "SELECT max(row) FROM sample");
            prop_assert!(last <= one(&store, "SELECT rows FROM counter"));
            // The same file again takes no place.
            let places = one(&store, "SELECT seq + rows FROM counter");
            let again = write(&mut store, "ana", items());
            prop_assert_eq!((again.new, again.updated), (0, 0));
            prop_assert_eq!(places, one(&store, "SELECT seq + rows FROM counter"));
            write_singly(&mut singly, items());
        }
    }
}
