//! What was imported comes out again, in every format, whole or page by page.

use std::ops::ControlFlow;

use healthsync_core::{
    api::{DataResponse, SampleRecord},
    format::{self, ArrowStream, End, Options},
    query::Query,
    store::{Store, StoreError},
};

use crate::{
    export::{PLAIN, Quantity, Record, steps, xml},
    fixtures::{import, store},
};

/// A store with steps, weights and nights of two sources.
fn filled() -> Store {
    let record = |identifier, quantity, start, source| Record {
        identifier,
        quantity,
        start,
        end: start + 60,
        source,
        hardware: None,
        metadata: vec![("HKTimeZone", "Europe/Vienna"), ("HKWasUserEntered", "1")],
    };
    let mut records: Vec<Record> = (0..40)
        .map(|n| steps(1_700_000_000 + n * 300, 7.5))
        .collect();
    for n in 0..10 {
        let start = 1_700_000_000 + n * 300;
        let mass = Quantity::Kilograms(70.0 + 0.1);
        records.push(record(
            "HKQuantityTypeIdentifierBodyMass",
            mass,
            start,
            "Scale, \"2\"",
        ));
        let night = Quantity::Category("HKCategoryValueSleepAnalysisAsleepCore");
        records.push(record(
            "HKCategoryTypeIdentifierSleepAnalysis",
            night,
            start,
            "Watch",
        ));
    }
    let mut store = store();
    import(&mut store, xml(PLAIN, &records).as_bytes()).expect("an import");
    store
}

/// The answer to a query, as a server writes it: the end is known before the first row.
fn answer(store: &Store, query: &Query, name: &str) -> Vec<u8> {
    let options = Options {
        include_metadata: query.include_metadata,
        ..Options::default()
    };
    let mut out = Vec::new();
    store
        .snapshot(|store| {
            let next = store.next_cursor(query)?;
            let format = format::by_name(name).expect("a format");
            let mut encoder = (format.encoder)(&options);
            encoder.start(&mut out).expect("a header");
            let scanned = store.scan(query, &mut |batch| {
                encoder.batch(&batch, &mut out).expect("rows");
                ControlFlow::Continue(())
            })?;
            assert_eq!(scanned.next_cursor, next);
            let end = End {
                count: scanned.count,
                has_more: next.is_some(),
                next_cursor: next.map(|cursor| cursor.to_string()),
            };
            encoder.finish(&end, &mut out).expect("an end");
            Ok::<_, StoreError>(())
        })
        .expect("an answer");
    out
}

fn json(store: &Store, query: &Query) -> DataResponse {
    serde_json::from_slice(&answer(store, query, "json")).expect("JSON")
}

#[test]
fn every_format_says_the_same() {
    let store = filled();
    let query = Query {
        include_metadata: true,
        ..Query::default()
    };
    let samples = json(&store, &query).samples;
    assert_eq!(samples.len(), 60);

    let lines = answer(&store, &query, "ndjson");
    let lines = str::from_utf8(&lines).expect("UTF-8").lines();
    let from_lines: Vec<SampleRecord> = lines
        .map(|line| serde_json::from_str(line).expect("a line"))
        .collect();
    assert_eq!(from_lines, samples);

    // Over the wire and out again on the other side, as the client does it.
    let mut reader = ArrowStream::default();
    let mut batches = Vec::new();
    for piece in answer(&store, &query, "arrow").chunks(1000) {
        batches.extend(reader.push(piece).expect("a stream"));
    }
    reader.finish().expect("an end");
    for name in ["csv", "tsv", "json", "ndjson"] {
        let options = Options {
            include_metadata: true,
            ..Options::default()
        };
        let format = format::by_name(name).expect("a format");
        let mut encoder = (format.encoder)(&options);
        let mut out = Vec::new();
        encoder.start(&mut out).expect("a header");
        for batch in &batches {
            encoder.batch(batch, &mut out).expect("rows");
        }
        let end = End {
            count: 60,
            ..End::default()
        };
        encoder.finish(&end, &mut out).expect("an end");
        assert_eq!(out, answer(&store, &query, name), "{name}");
    }
}

#[test]
fn pages_of_any_size_are_the_whole_answer() {
    let store = filled();
    let whole = json(&store, &Query::default());
    assert!(!whole.has_more && whole.next_cursor.is_none());
    for limit in [1, 2, 7, 59, 60, 61] {
        let mut query = Query {
            limit: Some(limit),
            ..Query::default()
        };
        let mut joined = Vec::new();
        loop {
            let page = json(&store, &query);
            assert_eq!(page.has_more, page.next_cursor.is_some());
            joined.extend(page.samples);
            let Some(next) = page.next_cursor else { break };
            query.cursor = Some(next.parse().expect("a cursor"));
        }
        assert_eq!(joined, whole.samples, "pages of {limit}");
    }
}
