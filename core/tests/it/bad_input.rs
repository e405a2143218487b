//! Files that are damaged, foreign or hostile: a clear error, and nothing of them is visible.

use std::io::{Cursor, Read, Seek, SeekFrom};

use healthsync_core::{
    document::Noun,
    report::Hint as _,
    store::{ImportOptions, Store},
};

use crate::{
    export::{PLAIN, document, element, steps, stored, xml, zip},
    fixtures::{import, read, store},
};

fn many() -> String {
    let records: Vec<_> = (0..2000)
        .map(|n| steps(1_700_000_000 + n * 600, 7.0))
        .collect();
    xml(PLAIN, &records)
}

#[track_caller]
fn refused(bytes: &[u8], code: &str) -> String {
    let mut store = store();
    let error = import(&mut store, bytes).expect_err("an error");
    assert_eq!(error.code(), code, "{error}");
    assert_eq!(store.count().expect("a count"), 0, "something is visible");
    assert!(store.types().expect("types").is_empty());
    error.to_string()
}

#[test]
fn a_file_that_is_cut_off() {
    let text = many();
    for part in [
        text.len() / 2,
        text.len() / 3,
        text.len() - 14,
        text.len() - 2,
    ] {
        let message = refused(&text.as_bytes()[..part], "TRUNCATED_EXPORT");
        assert!(
            message.starts_with("the export is cut off at line "),
            "{message}"
        );
    }
    let message = refused(&read("generated/truncated.zip"), "TRUNCATED_EXPORT");
    assert!(
        message.starts_with("the export is cut off at line "),
        "{message}"
    );
    let zip = zip(&[("export.xml", text.as_bytes())]);
    refused(&zip[..zip.len() / 2], "DAMAGED_ARCHIVE");
}

#[test]
fn what_a_cut_off_file_held_is_kept_when_asked() {
    let text = many();
    let mut store = store();
    let options = ImportOptions {
        keep_partial: true,
        ..ImportOptions::default()
    };
    let half = &text.as_bytes()[..text.len() / 2];
    let imported = store
        .import(
            "default",
            &mut Cursor::new(half),
            None,
            &options,
            &mut |_| {},
        )
        .expect("kept");
    assert!(
        imported.new > 900 && imported.new < 1100,
        "{}",
        imported.new
    );
    assert_eq!(store.count().expect("a count"), imported.new);
    assert!(imported.skipped[0].reason.contains("cut off"));
    let whole = import(&mut store, text.as_bytes()).expect("the whole file");
    assert_eq!(
        (whole.new + imported.new, whole.unchanged),
        (2000, imported.new)
    );
}

#[test]
fn a_file_that_is_something_else() {
    refused(b"", "NOT_AN_EXPORT");
    refused(b"hello", "NOT_AN_EXPORT");
    refused(
        b"<?xml version=\"1.0\"?><ClinicalDocument/>",
        "NOT_AN_EXPORT",
    );
    refused(&zip(&[("notes.txt", b"hello")]), "NOT_AN_EXPORT");
    refused(&zip(&[]), "NOT_AN_EXPORT");
    refused(b"PK\x03\x04 and then nothing of a zip", "DAMAGED_ARCHIVE");
    refused(b"<!DOCTYPE HealthData [ <!ELEMENT a>", "MALFORMED_EXPORT");
}

#[test]
fn a_file_without_records() {
    refused(document(PLAIN, "").as_bytes(), "EMPTY_EXPORT");
    refused(b"<HealthData/>", "EMPTY_EXPORT");
}

#[test]
fn a_file_whose_records_were_all_passed_over_says_why() {
    let mut late = steps(1_700_000_000, 10.0);
    late.end = late.start - 60;
    let record = element(PLAIN, &late);
    let undated = " <Record type=\"HKQuantityTypeIdentifierStepCount\" value=\"1\"/>\n";
    let message = refused(
        document(PLAIN, &format!("{record}{record}{undated}")).as_bytes(),
        "EMPTY_EXPORT",
    );
    assert_eq!(
        message,
        "the export holds no record that can be kept: 2 skipped: ends before their starts (first \
         in line 7); 1 skipped: elements without a start date (first in line 9)"
    );
    let elements: Vec<_> = (0..8).map(|n| format!(" <Novelty{n}/>\n")).collect();
    let elements = elements.concat();
    let message = refused(document(PLAIN, &elements).as_bytes(), "EMPTY_EXPORT");
    assert!(
        message.ends_with("unknown element `Novelty4` (first in line 11); and 3 other reasons"),
        "{message}"
    );
}

#[test]
fn a_file_that_is_no_xml() {
    let record = element(PLAIN, &steps(1_700_000_000, 10.0));
    let message = refused(
        document(PLAIN, &format!("{record}</Record>\n")).as_bytes(),
        "MALFORMED_EXPORT",
    );
    assert_eq!(
        message,
        "the export is damaged at line 8: an element ends that is not the open one"
    );
    let deep = "<a>".repeat(100_000);
    refused(
        document(PLAIN, &format!("{record}{deep}")).as_bytes(),
        "MALFORMED_EXPORT",
    );
    let long = format!("{record}<Record type=\"{}\"/>", "x".repeat(6 << 20));
    refused(document(PLAIN, &long).as_bytes(), "MALFORMED_EXPORT");
}

/// Where `needle` stands first.
fn find(bytes: &[u8], needle: &[u8]) -> usize {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
        .expect("it is there")
}

#[test]
fn a_zip_with_a_wrong_checksum() {
    let small = xml(PLAIN, &[steps(1_700_000_000, 7.0)]);
    for text in [small, many()] {
        for mut bytes in [
            stored(&[("export.xml", text.as_bytes())]),
            zip(&[("export.xml", text.as_bytes())]),
        ] {
            // The checksum in the directory, 16 bytes behind its mark.
            let checksum = find(&bytes, b"PK\x01\x02") + 16;
            bytes[checksum] ^= 0x10;
            refused(&bytes, "DAMAGED_ARCHIVE");
        }
    }
}

#[test]
fn a_zip_that_is_packed_in_another_way() {
    let text = many();
    let mut bytes = stored(&[("export.xml", text.as_bytes())]);
    // The method (here 97, WavPack) in the entry's own header and in the directory.
    for (mark, distance) in [(b"PK\x03\x04", 8), (b"PK\x01\x02", 10)] {
        let place = find(&bytes, mark) + distance;
        bytes[place] = 97;
    }
    refused(&bytes, "DAMAGED_ARCHIVE");
}

#[test]
fn an_end_before_its_start_is_passed_over() {
    let good = element(PLAIN, &steps(1_700_000_000, 10.0));
    let mut bad = steps(1_700_000_000, 10.0);
    bad.end = bad.start - 60;
    let text = document(PLAIN, &(good + &element(PLAIN, &bad)));
    let imported = import(&mut store(), text.as_bytes()).expect("an import");
    assert_eq!((imported.read, imported.skipped[0].count), (1, 1));
    assert_eq!(imported.skipped[0].reason, "ends before their starts");
}

#[test]
fn bytes_that_are_not_utf8_are_replaced_and_told() {
    let mut bytes = many().into_bytes();
    let place = bytes
        .windows(6)
        .position(|window| window == b"iPhone")
        .expect("a name");
    bytes[place] = 0xff;
    let imported = import(&mut store(), &bytes).expect("an import");
    assert_eq!((imported.new, imported.skipped[0].count), (2000, 1));
    assert_eq!(
        imported.skipped[0].reason,
        "bytes that are not UTF-8 (replaced, record kept)"
    );
}

/// Reads well for a while.
struct Failing(Cursor<Vec<u8>>, u64);

impl Read for Failing {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        if self.0.position() >= self.1 {
            return Err(std::io::Error::other("the disk is gone"));
        }
        let length = target.len().min(1000);
        self.0.read(&mut target[..length])
    }
}

impl Seek for Failing {
    fn seek(&mut self, target: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(target)
    }
}

#[test]
fn a_reader_that_fails() {
    let mut store = store();
    let mut source = Failing(Cursor::new(many().into_bytes()), 100_000);
    let options = ImportOptions {
        keep_partial: true,
        ..ImportOptions::default()
    };
    let error = store
        .import("default", &mut source, None, &options, &mut |_| {})
        .expect_err("an error");
    assert_eq!(error.code(), "READ_FAILED");
    assert_eq!(store.count().expect("a count"), 0);
}

/// Size of the write-ahead log.
fn log_bytes(path: &std::path::Path) -> u64 {
    std::fs::metadata(path.with_extension("db-wal")).map_or(0, |metadata| metadata.len())
}

#[test]
fn the_log_is_empty_behind_every_import() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("health.db");
    let mut store = Store::open(&path).expect("a store");
    // Tables that still stood in the log could not be moved once the disk is full.
    assert_eq!(log_bytes(&path), 0, "a new store");
    store.limit_pages(60).expect("a limit");
    import(&mut store, many().as_bytes()).expect_err("a full disk");
    assert_eq!(log_bytes(&path), 0, "a failed import");
    store.limit_pages(100_000).expect("room");
    let whole = many();
    import(&mut store, &whole.as_bytes()[..whole.len() / 2]).expect_err("cut off");
    assert_eq!(log_bytes(&path), 0, "a cut-off file");
    import(&mut store, whole.as_bytes()).expect("an import");
    assert_eq!(log_bytes(&path), 0, "an import");
    assert_eq!(store.count().expect("a count"), 2000);
}

#[test]
fn a_full_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("health.db");
    let mut store = Store::open(&path).expect("a store");
    let first = xml(PLAIN, &[steps(1_600_000_000, 1.0)]);
    import(&mut store, first.as_bytes()).expect("an import");
    store.limit_pages(60).expect("a limit");
    let error = import(&mut store, many().as_bytes()).expect_err("a full disk");
    assert_eq!(error.code(), "DISK_FULL");
    assert_eq!(log_bytes(&path), 0, "the failed import still takes room");
    assert!(error.hint().expect("a hint").contains("make room"));
    assert_eq!(store.count().expect("a count"), 1);
    drop(store);
    let mut store = Store::open(&path).expect("it opens again");
    assert_eq!(store.count().expect("a count"), 1);
    let imported = import(&mut store, many().as_bytes()).expect("with room again");
    assert_eq!(
        (imported.new, store.count().expect("a count")),
        (2000, 2001)
    );
}

#[test]
fn another_reader_sees_a_file_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("health.db");
    let mut store = Store::open(&path).expect("a store");
    let reader = Store::open(&path).expect("a second one");
    let mut seen = Vec::new();
    let text = many();
    let options = ImportOptions::default();
    let source = &mut Cursor::new(text.as_bytes());
    store
        .import("default", source, None, &options, &mut |_| {
            seen.push(reader.count().expect("a count"));
        })
        .expect("an import");
    assert!(
        seen.len() > 3 && seen.iter().all(|count| *count == 0),
        "{seen:?}"
    );
    assert_eq!(reader.count().expect("a count"), 2000);
}

/// A small generator of pseudo-random numbers (Marsaglia's xorshift), always the same.
struct Random(u64);

impl Random {
    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below).expect("small")).expect("small")
    }

    fn damage(&mut self, text: &[u8]) -> Vec<u8> {
        let mut damaged = text.to_vec();
        for _ in 0..=self.below(4) {
            let place = self.below(damaged.len());
            match self.below(4) {
                0 => damaged[place] = u8::try_from(self.below(256)).expect("a byte"),
                1 => damaged.truncate(place.max(1)),
                2 => drop(damaged.remove(place)),
                _ => damaged.insert(place, b"<>\"'&=/\0"[self.below(8)]),
            }
            damaged.push(b'\n');
        }
        damaged
    }
}

#[test]
fn no_damage_makes_it_panic() {
    let text = read("apple/rinoshiyo_sample_export.xml");
    let (route, ecg) = (
        read("gpx/rinoshiyo_sample_workout_route.gpx"),
        read("ecg/rinoshiyo_sample_ecg.csv"),
    );
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut store = store();
    let (mut imported, mut points) = (0, 0);
    for _ in 0..300 {
        let damaged = random.damage(&text);
        imported += u32::from(import(&mut store, &damaged).is_ok());
        let archive = zip(&[
            ("export.xml", &text),
            (
                "workout-routes/sample_workout_route.gpx",
                &random.damage(&route),
            ),
            ("electrocardiograms/ecg.csv", &random.damage(&ecg)),
        ]);
        let whole = import(&mut store, &archive).expect("the export itself is good");
        assert_eq!(whole.read, 6);
        points += u32::from(whole.documents.contains_key(&Noun::Ecg));
    }
    assert!(imported > 50 && points > 50, "{imported} {points}");
}

#[test]
fn hostile_numbers_and_names() {
    let record = |unit: &str, value: &str| {
        format!(
            " <Record type=\"HKQuantityTypeIdentifierBodyMass\" sourceName=\"{}\" unit=\"{unit}\" \
             value=\"{value}\" startDate=\"2024-06-15 08:00:00 +0000\"/>\n",
            "n".repeat(5000)
        )
    };
    let text = [
        record("Gmol&lt;1e308&gt;", "0"),
        record("mol&lt;1e-320&gt;", "0e400"),
        record("kg", "1e308"),
        record("kg", "0e400"),
        record("m^127", "1"),
        record(&"x".repeat(100_000), "1"),
        record("kg", "-0"),
    ]
    .concat();
    let imported = import(&mut store(), document(PLAIN, &text).as_bytes()).expect("an import");
    assert!(imported.new >= 5, "{imported:?}");
}
