//! What goes out as CSV, Arrow or Parquet comes in again, equal to the bit.

use std::ops::ControlFlow;

use healthsync_core::{
    format::{End, Options, by_name},
    query::Query,
    report::Hint as _,
    store::{ImportOptions, Imported, Store},
};
use proptest::prelude::*;

use crate::{
    export::{PLAIN, steps, xml},
    fixtures::{import, read, store},
    import::column,
    random_rows::{Random, any_row},
};

/// Everything in the store, as `fetch --all --include-metadata` writes it.
fn fetch(store: &Store, format: &str, delimiter: u8) -> Vec<u8> {
    let options = Options {
        delimiter,
        include_metadata: true,
    };
    let format = by_name(format).expect("a format");
    let mut encoder = (format.encoder)(&options);
    let mut bytes = Vec::new();
    encoder.start(&mut bytes).expect("a header");
    let query = Query {
        include_metadata: true,
        ..Query::default()
    };
    store
        .scan(&query, &mut |batch| {
            encoder.batch(&batch, &mut bytes).expect("rows");
            ControlFlow::Continue(())
        })
        .expect("a scan");
    encoder.finish(&End::default(), &mut bytes).expect("an end");
    bytes
}

fn import_keeping(store: &mut Store, bytes: &[u8]) -> Imported {
    let options = ImportOptions {
        keep_origins: true,
        ..ImportOptions::default()
    };
    let mut source = std::io::Cursor::new(bytes);
    store
        .import("default", &mut source, None, &options, &mut |_| {})
        .expect("an import")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Fetches, imports into an empty store, fetches again.
fn there_and_back(first: &Store, format: &str, delimiter: u8) {
    let out = fetch(first, format, delimiter);
    let mut second = store();
    let imported = import_keeping(&mut second, &out);
    assert!(imported.skipped.is_empty(), "{:?}", imported.skipped);
    assert_eq!(imported.new, imported.read);
    assert_eq!(
        text(&fetch(&second, "csv", b',')),
        text(&fetch(first, "csv", b','))
    );
    if format != "arrow" {
        // The order in a dictionary, which no reader sees, follows the order of reading.
        assert!(fetch(&second, format, delimiter) == out, "{format} differs");
    }
    let again = import_keeping(&mut second, &out);
    assert_eq!(
        (again.new, again.updated, again.unchanged),
        (0, 0, imported.read)
    );
    assert_eq!(
        text(&fetch(&second, "csv", b',')),
        text(&fetch(first, "csv", b','))
    );
}

#[test]
fn exports_of_the_phone_come_back() {
    for name in [
        "generated/plain.zip",
        "generated/vt.zip",
        "apple/rinoshiyo_sample_export.xml",
        "apple/hk2sqlite_tests_export.xml",
    ] {
        let mut first = store();
        import(&mut first, &read(name)).expect("an import");
        there_and_back(&first, "csv", b',');
        there_and_back(&first, "csv", b';');
        there_and_back(&first, "tsv", b'\t');
        there_and_back(&first, "arrow", b',');
        there_and_back(&first, "parquet", b',');
    }
}

#[test]
fn the_export_behind_a_csv_is_known_again() {
    let export = read("generated/plain.zip");
    let mut first = store();
    let read = import(&mut first, &export).expect("an import").read;
    let mut second = store();
    import_keeping(&mut second, &fetch(&first, "csv", b','));
    let again = import(&mut second, &export).expect("an import");
    assert_eq!((again.new, again.updated, again.unchanged), (0, 0, read));
    // And the other way round: the CSV of a store says nothing new to it.
    let csv = fetch(&first, "csv", b',');
    let back = import_keeping(&mut first, &csv);
    assert_eq!((back.new, back.updated, back.unchanged), (0, 0, read));
}

#[test]
fn origins_stay_apart_and_may_be_chosen_anew() {
    let export = xml(PLAIN, &[steps(1_700_000_000, 10.0)]);
    let mut first = store();
    for origin in ["ana", "ben"] {
        crate::fixtures::import_as(&mut first, origin, export.as_bytes()).expect("an import");
    }
    there_and_back(&first, "csv", b',');
    let csv = fetch(&first, "csv", b',');
    let mut second = store();
    let kept = import_keeping(&mut second, &csv);
    assert_eq!(kept.new, 2);
    assert_eq!(column(&second, "id"), column(&first, "id"));
    // Named by the person who imports: another key, so other ids.
    let mut third = store();
    let moved = crate::fixtures::import_as(&mut third, "eva", &csv).expect("an import");
    assert_eq!(
        (moved.new, column(&third, "origin")),
        (2, vec!["eva".to_owned(); 2])
    );
    for id in column(&third, "id") {
        assert!(!column(&first, "id").contains(&id));
    }
    let again = crate::fixtures::import_as(&mut third, "eva", &csv).expect("an import");
    assert_eq!((again.new, again.updated, again.unchanged), (0, 0, 2));
}

#[test]
fn a_row_that_was_changed_by_hand_gets_an_id_of_its_own() {
    let export = xml(PLAIN, &[steps(1_700_000_000, 10.0)]);
    let mut first = store();
    import(&mut first, export.as_bytes()).expect("an import");
    let csv = text(&fetch(&first, "csv", b','));
    // Another time: the id is not that of this key any more.
    let moved = csv.replace("2023-11-14T22:13:20Z", "2023-11-14T22:13:19Z");
    assert_ne!(moved, csv);
    assert_eq!(import_keeping(&mut first, moved.as_bytes()).new, 1);
    let ids = column(&first, "id");
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    // Another value: the same record, updated.
    let corrected = csv.replace(",10,", ",12,");
    assert_ne!(corrected, csv);
    let imported = import_keeping(&mut first, corrected.as_bytes());
    assert_eq!((imported.new, imported.updated), (0, 1));
    assert_eq!(column(&first, "id"), ids);
    // Another id that is well-formed: not taken over.
    let forged = csv.replace(&ids[1], "00000000-0000-8000-8000-000000000007");
    let mut second = store();
    import_keeping(&mut second, forged.as_bytes());
    assert_eq!(column(&second, "id"), [ids[1].clone()]);
}

#[test]
fn a_gap_in_the_ordinals_stays_and_a_row_twice_counts_once() {
    let records = [
        steps(1_700_000_000, 1.0),
        steps(1_700_000_000, 2.0),
        steps(1_700_000_000, 3.0),
    ];
    let mut first = store();
    import(&mut first, xml(PLAIN, &records).as_bytes()).expect("an import");
    let csv = text(&fetch(&first, "csv", b','));
    let lines: Vec<_> = csv.split_inclusive("\r\n").collect();
    assert_eq!(lines.len(), 4);
    let part = [lines[0], lines[3], lines[1], lines[3]].concat();
    let mut second = store();
    let imported = import_keeping(&mut second, part.as_bytes());
    assert_eq!((imported.read, imported.new), (2, 2));
    assert_eq!(
        imported.skipped[0].reason,
        "rows that came before in the same file"
    );
    assert_eq!(
        (imported.skipped[0].count, imported.skipped[0].first_line),
        (1, 4)
    );
    let expected = [lines[0], lines[1], lines[3]].concat();
    assert_eq!(text(&fetch(&second, "csv", b',')), expected);
    // The rest comes later.
    assert_eq!(import_keeping(&mut second, csv.as_bytes()).new, 1);
    assert_eq!(text(&fetch(&second, "csv", b',')), csv);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn whatever_a_store_can_hold_comes_back(rows in proptest::collection::vec(any_row(), 1..24)) {
        let header = "id,type,value,unit,startDate,endDate,sourceName,category,origin,device,\
                      creationDate,metadata\r\n";
        let made: String = rows.iter().map(Random::row).collect();
        let mut first = store();
        let imported = import_keeping(&mut first, format!("{header}{made}").as_bytes());
        prop_assert!(imported.skipped.is_empty(), "{:?}", imported.skipped);
        prop_assert_eq!(imported.new, u64::try_from(rows.len()).expect("few"));
        // What was given is what is held.
        let sorted = |mut texts: Vec<String>| { texts.sort(); texts };
        let given = |text: fn(&Random) -> String| sorted(rows.iter().map(text).collect());
        let held = |name| sorted(column(&first, name));
        prop_assert_eq!(held("sourceName"), given(|row| row.source.clone()));
        prop_assert_eq!(held("device"), given(|row| row.device.clone()));
        prop_assert_eq!(held("metadata"), given(Random::metadata));
        prop_assert_eq!(held("value"), given(|row| {
            // SQLite has one zero.
            row.number.map_or_else(String::new, |number| (number + 0.0).to_string())
        }));
        there_and_back(&first, "csv", b',');
        there_and_back(&first, "tsv", b'\t');
        there_and_back(&first, "arrow", b',');
        there_and_back(&first, "parquet", b',');
    }
}

#[test]
fn an_arrow_stream_that_was_cut_off_or_lacks_columns_is_no_success() {
    let mut first = store();
    import(
        &mut first,
        xml(PLAIN, &[steps(1_700_000_000, 10.0)]).as_bytes(),
    )
    .expect("an import");
    let whole = fetch(&first, "arrow", b',');
    for cut in [whole.len() - 1, whole.len() - 9, whole.len() / 2] {
        let error = import(&mut store(), &whole[..cut]).expect_err("a cut");
        assert_eq!(error.code(), "TRUNCATED_EXPORT", "{cut} of {}", whole.len());
    }
    let mut encoder = (by_name("arrow").expect("a format").encoder)(&Options::default());
    let mut bytes = Vec::new();
    encoder.start(&mut bytes).expect("a header");
    first
        .scan(&Query::default(), &mut |batch| {
            encoder.batch(&batch, &mut bytes).expect("rows");
            ControlFlow::Continue(())
        })
        .expect("a scan");
    encoder.finish(&End::default(), &mut bytes).expect("an end");
    let error = import(&mut store(), &bytes).expect_err("no origin in it");
    assert_eq!(error.code(), "MALFORMED_EXPORT");
    assert!(error.to_string().contains("--include-metadata"));
}

#[test]
fn a_parquet_file_that_is_damaged_is_no_success_and_no_panic() {
    let mut first = store();
    import(&mut first, &read("generated/plain.zip")).expect("an import");
    let whole = fetch(&first, "parquet", b',');
    for cut in [whole.len() - 1, whole.len() - 9, whole.len() / 2, 20] {
        let error = import(&mut store(), &whole[..cut]).expect_err("a cut");
        assert_eq!(error.code(), "TRUNCATED_EXPORT", "{cut} of {}", whole.len());
    }
    // xorshift64: the same damage on every run.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    // The footer is where the lengths stand.
    let footer = whole.len() - 6000;
    let mut refused = 0;
    for round in 0..300 {
        let mut damaged = whole.clone();
        for _ in 0..=random(3) {
            let at = if round % 2 == 0 {
                random(damaged.len())
            } else {
                footer + random(6000)
            };
            damaged[at] = [
                0,
                1,
                0x7f,
                0x80,
                0xff,
                u8::try_from(random(256)).expect("a byte"),
            ][random(6)];
        }
        refused += u32::from(import(&mut store(), &damaged).is_err());
    }
    assert!(refused > 100, "{refused}");
    let without = {
        let mut encoder = (by_name("parquet").expect("a format").encoder)(&Options::default());
        let mut bytes = Vec::new();
        encoder.start(&mut bytes).expect("a header");
        first
            .scan(&Query::default(), &mut |batch| {
                encoder.batch(&batch, &mut bytes).expect("rows");
                ControlFlow::Continue(())
            })
            .expect("a scan");
        encoder.finish(&End::default(), &mut bytes).expect("an end");
        bytes
    };
    let error = import(&mut store(), &without).expect_err("no origin in it");
    assert_eq!(error.code(), "MALFORMED_EXPORT");
    assert!(error.to_string().contains("--include-metadata"));
}
