//! Every fixture gives the number of records that the manifest states.

use std::{io::Cursor, path::Path};

use healthsync_core::{
    report::Hint as _,
    store::{ImportFailed, ImportOptions, Imported, Store},
};

/// A file of `tests/data`.
pub(crate) fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    #[expect(clippy::disallowed_methods, reason = "tests read their own fixtures")]
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn store() -> Store {
    Store::in_memory().expect("a store in memory")
}

pub(crate) fn import(store: &mut Store, bytes: &[u8]) -> Result<Imported, ImportFailed> {
    import_as(store, "default", bytes)
}

pub(crate) fn import_as(
    store: &mut Store,
    origin: &str,
    bytes: &[u8],
) -> Result<Imported, ImportFailed> {
    let options = ImportOptions::default();
    store.import(origin, &mut Cursor::new(bytes), None, &options, &mut |_| {})
}

#[test]
fn every_fixture_gives_its_records() {
    let manifest = String::from_utf8(read("MANIFEST.tsv")).expect("text");
    let mut checked = 0;
    for line in manifest.lines().skip(1) {
        let columns: Vec<_> = line.split('\t').collect();
        // Routes and electrocardiograms have points: see `documents`.
        let Ok(records) = columns[4].parse::<u64>() else {
            continue;
        };
        let bytes = read(columns[0]);
        let mut store = store();
        match import(&mut store, &bytes) {
            Ok(imported) => {
                assert_eq!((imported.read, imported.new), (records, records), "{line}");
                let again = import(&mut store, &bytes).expect("the same file again");
                assert_eq!((again.new, again.updated), (0, 0), "{line}");
                assert_eq!(again.unchanged, records, "{line}");
            }
            Err(error) => {
                assert_eq!(records, 0, "{line}: {error}");
                assert!(error.hint().is_some(), "{error}");
            }
        }
        checked += 1;
    }
    assert_eq!(checked, 30);
}

#[test]
fn bad_fixtures_say_what_is_wrong() {
    for (name, code) in [
        ("x4-3-multi-empty-xml.zip", "NOT_AN_EXPORT"),
        ("x4-4-zip-slip.zip", "EMPTY_EXPORT"),
        ("x4-5-original.zip", "EMPTY_EXPORT"),
        ("x4-6-future-mtime.zip", "EMPTY_EXPORT"),
        ("x4-7-broken-xml.zip", "TRUNCATED_EXPORT"),
    ] {
        let bytes = read(&format!("apple_adversarial/{name}"));
        let error = import(&mut store(), &bytes).expect_err(name);
        assert_eq!(error.code(), code, "{name}");
    }
}

#[test]
fn workouts_and_correlations_are_counted_apart() {
    let bytes = read("apple/rinoshiyo_sample_export.xml");
    let mut store = store();
    let imported = import(&mut store, &bytes).expect("an import");
    assert_eq!(
        (
            imported.read,
            imported.workouts.read,
            imported.correlations.read
        ),
        (6, 1, 1)
    );
    let again = import(&mut store, &bytes).expect("an import");
    assert_eq!(
        (again.workouts.unchanged, again.correlations.unchanged),
        (1, 1)
    );
    assert_eq!((again.workouts.new, again.correlations.new), (0, 0));
}
