//! Archives and texts as phones really write them.

use std::{io::Cursor, ops::ControlFlow};

use healthsync_core::{
    query::Query,
    store::{ImportOptions, Imported, Store},
};

use crate::{
    export::{PLAIN, Record, Style, document, element, steps, xml, zip},
    fixtures::{import, read, store},
};

const GENERATED: u64 = 1195;

fn reasons(imported: &Imported) -> Vec<(&str, u64, u64)> {
    let of =
        |skipped: &'_ healthsync_core::store::SkippedCount| (skipped.count, skipped.first_line);
    imported
        .skipped
        .iter()
        .map(|skipped| (skipped.reason.as_str(), of(skipped).0, of(skipped).1))
        .collect()
}

/// One column of all samples, as text.
pub(crate) fn column(store: &Store, name: &str) -> Vec<String> {
    use arrow_array::{Array as _, cast::AsArray as _, types::Int32Type};

    let mut texts = Vec::new();
    let query = Query {
        include_metadata: true,
        ..Query::default()
    };
    store
        .scan(&query, &mut |batch| {
            let column = batch.columns().column_by_name(name).expect("a column");
            for index in 0..column.len() {
                let text = if column.is_null(index) {
                    String::new()
                } else if let Some(column) = column.as_string_opt::<i32>() {
                    column.value(index).to_owned()
                } else if let Some(column) = column.as_dictionary_opt::<Int32Type>() {
                    let key = column.key(index).expect("a key");
                    column.values().as_string::<i32>().value(key).to_owned()
                } else {
                    let column = column.as_primitive::<arrow_array::types::Float64Type>();
                    column.value(index).to_string()
                };
                texts.push(text);
            }
            ControlFlow::Continue(())
        })
        .expect("a scan");
    texts
}

#[test]
fn a_generated_export_and_its_twin_of_the_summer() {
    let mut store = store();
    let first = import(&mut store, &read("generated/plain.zip")).expect("an import");
    assert_eq!((first.read, first.new), (GENERATED, GENERATED));
    assert_eq!((first.workouts.new, first.correlations.new), (10, 4));
    let second = import(&mut store, &read("generated/summer.zip")).expect("an import");
    assert_eq!((second.read, second.new, second.updated), (GENERATED, 0, 0));
    assert_eq!(
        (second.workouts.unchanged, second.correlations.unchanged),
        (10, 4)
    );
}

#[test]
fn the_malformed_dtd_is_stepped_over() {
    let imported = import(&mut store(), &read("generated/dtd16.zip")).expect("an import");
    assert_eq!(imported.new, GENERATED);
}

#[test]
fn control_characters_are_dropped_and_told() {
    let mut store = store();
    let imported = import(&mut store, &read("generated/vt.zip")).expect("an import");
    assert_eq!(imported.new, GENERATED + 1);
    assert!(reasons(&imported).contains(&("control characters (removed, record kept)", 1, 2443)));
}

#[test]
fn names_and_depths_do_not_matter() {
    let export = xml(PLAIN, &[steps(1_700_000_000, 10.0)]);
    let export = export.as_bytes();
    let junk: &[u8] = b"\0\x05\x16\x07\0\x02\0\0Mac OS X        <HealthData ";
    let cda: &[u8] = b"<?xml version=\"1.0\"?><ClinicalDocument/>";
    let small = b"<?xml version=\"1.0\"?><HealthData locale=\"x\"></HealthData>";
    for entries in [
        &[("export.xml", export)][..],
        &[("apple_health_export/导出.xml", export)],
        &[("a/b/c/d/Export.data", export), ("export_cda.xml", cda)],
        &[
            ("__MACOSX/apple_health_export/._export.xml", junk),
            ("x/export.xml", export),
        ],
        &[
            ("export.xml", &small[..]),
            ("apple_health_export/eksport.xml", export),
        ],
    ] {
        let imported = import(&mut store(), &zip(entries)).expect("an import");
        assert_eq!(imported.new, 1, "{:?}", entries[0].0);
    }
    assert_eq!(import(&mut store(), export).expect("a bare file").new, 1);
}

/// Members and archives over 4 GB have 64-bit lengths; small ones may.
#[test]
fn archives_with_64_bit_lengths_are_read() {
    let export = xml(PLAIN, &[steps(1_700_000_000, 10.0)]);
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().large_file(true);
    writer.start_file("export.xml", options).expect("an entry");
    std::io::Write::write_all(&mut writer, export.as_bytes()).expect("its bytes");
    let bytes = writer.finish().expect("a zip").into_inner();
    // The extra field of zip64 (APPNOTE 4.5.3) stands behind the name.
    assert_eq!(bytes[40..42], [1, 0]);
    assert_eq!(import(&mut store(), &bytes).expect("an import").new, 1);
}

#[test]
fn a_second_export_in_the_archive_is_told() {
    let large = xml(
        PLAIN,
        &[steps(1_700_000_000, 10.0), steps(1_700_000_600, 10.0)],
    );
    let small = xml(PLAIN, &[steps(1_600_000_000, 10.0)]);
    let archive = zip(&[
        ("anna/export.xml", small.as_bytes()),
        ("export.xml", large.as_bytes()),
        ("ben/export.xml", small.as_bytes()),
        ("notes.txt", b"hello"),
    ]);
    let imported = import(&mut store(), &archive).expect("an import");
    assert_eq!(imported.new, 2);
    assert_eq!(
        reasons(&imported),
        [
            ("another export in the archive (not read)", 2, 0),
            ("other files (not read)", 1, 0)
        ]
    );
}

#[test]
fn what_is_not_known_is_told_with_its_line() {
    let record = element(PLAIN, &steps(1_700_000_000, 10.0));
    let unknown = record
        .replace("StepCount", "OfTheFuture")
        .replace("\"count\"", "\"km\"");
    let elements = format!(
        "{record}{unknown} <Novelty a=\"1\">\n  <Part/>\n </Novelty>\n <Novelty/>\n \
         <Record type=\"HKQuantityTypeIdentifierStepCount\" value=\"1\"/>\n \
         <ActivitySummary dateComponents=\"2024-06\"/>\n"
    );
    let mut store = store();
    let imported = import(&mut store, document(PLAIN, &elements).as_bytes()).expect("an import");
    assert_eq!((imported.read, imported.new), (2, 2));
    assert_eq!(
        reasons(&imported),
        [
            ("unknown type, kept as `ofTheFuture`", 1, 8),
            ("unknown element `Novelty`", 2, 9),
            ("elements without a start date", 1, 13),
            ("activity summaries without a date", 1, 14),
        ]
    );
    assert_eq!(column(&store, "type"), ["ofTheFuture", "steps"]);
    assert_eq!(column(&store, "unit"), ["m", "count"]);
    assert_eq!(column(&store, "value"), ["10000", "10"]);
}

#[test]
fn personal_details_are_never_kept() {
    let me = " <Me HKCharacteristicTypeIdentifierDateOfBirth=\"1985-06-15\"/>\n";
    let record = element(PLAIN, &steps(1_700_000_000, 10.0));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("health.db");
    let mut store = Store::open(&path).expect("a store");
    let text = document(PLAIN, &format!("{me}{record}"));
    import(&mut store, text.as_bytes()).expect("an import");
    drop(store);
    #[expect(
        clippy::disallowed_methods,
        reason = "the test looks at the file's bytes"
    )]
    let bytes = std::fs::read(&path).expect("the file");
    assert!(!bytes.windows(10).any(|window| window == b"1985-06-15"));
}

#[test]
fn beats_and_metadata_come_out_again() {
    let text = document(
        PLAIN,
        " <Record type=\"HKQuantityTypeIdentifierHeartRateVariabilitySDNN\" sourceName=\"W\" \
          unit=\"ms\" startDate=\"2024-06-15 08:00:00 +0000\" endDate=\"2024-06-15 08:01:00 +0000\" \
          value=\"42.5\">\n  <MetadataEntry key=\"HKAlgorithmVersion\" value=\"2\"/>\n  \
          <MetadataEntry key=\"tag\" value=\"a &amp; b\"/>\n  <MetadataEntry key=\"tag\" value=\"c\"/>\n  \
          <HeartRateVariabilityMetadataList>\n   <InstantaneousBeatsPerMinute bpm=\"57\" \
          time=\"7:00:01.30\u{202f}AM\"/>\n  </HeartRateVariabilityMetadataList>\n </Record>\n",
    );
    let mut store = store();
    let imported = import(&mut store, text.as_bytes()).expect("an import");
    assert!(imported.skipped.is_empty(), "{:?}", imported.skipped);
    assert_eq!(
        column(&store, "metadata"),
        ["{\"HKAlgorithmVersion\":\"2\",\"tag\":[\"a & b\",\"c\"],\
          \"HKInstantaneousBeatsPerMinute\":[{\"bpm\":\"57\",\"time\":\"7:00:01.30\u{202f}AM\",\"at\":\"2024-06-15T08:00:01.300Z\"}]}"]
    );
}

#[test]
fn any_order_of_attributes_and_tags_with_ends() {
    let text = "<HealthData locale=\"ru_RU\"><Me></Me>
      <Record value=\"168\" endDate=\"2015-12-21 13:46:53 +0300\" unit=\"cm\"
              type=\"HKQuantityTypeIdentifierHeight\"
              startDate=\"2015-12-21 13:46:53 +0300\" sourceName='Здоровье'></Record></HealthData>";
    let mut store = store();
    assert_eq!(
        import(&mut store, text.as_bytes()).expect("an import").new,
        1
    );
    assert_eq!(column(&store, "value"), ["1.68"]);
    assert_eq!(column(&store, "sourceName"), ["Здоровье"]);
}

#[test]
fn progress_ends_at_the_length_of_the_file() {
    let records: Vec<Record> = (0..3000)
        .map(|n| steps(1_700_000_000 + n * 600, 7.0))
        .collect();
    let bytes = zip(&[("export.xml", xml(PLAIN, &records).as_bytes())]);
    let total = u64::try_from(bytes.len()).expect("a length");
    let mut seen = Vec::new();
    store()
        .import(
            "default",
            &mut Cursor::new(&bytes),
            Some(total),
            &ImportOptions::default(),
            &mut |progress| seen.push(progress),
        )
        .expect("an import");
    assert!(seen.len() > 5);
    assert!(
        seen.iter()
            .all(|progress| progress.bytes <= total && progress.total == Some(total))
    );
    assert!(
        seen.windows(2)
            .all(|pair| pair[0].records <= pair[1].records)
    );
    assert_eq!(seen.last().map(|last| last.records), Some(3000));
}

#[test]
fn a_style_without_a_dtd_is_an_export_too() {
    let style = Style {
        doctype: "",
        ..PLAIN
    };
    let text = xml(style, &[steps(1_700_000_000, 10.0)]);
    assert_eq!(
        import(&mut store(), text.as_bytes())
            .expect("an import")
            .new,
        1
    );
}
