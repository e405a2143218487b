//! Exports of `scripts/gen-export.py`: every version, and the same data exported with other settings.

use std::collections::BTreeMap;

use healthsync_core::store::Imported;

use crate::{
    documents::tallies,
    fixtures::{import, import_as, read, store},
};

/// New things of each noun.
fn new(imported: &Imported) -> BTreeMap<&str, u64> {
    let mut new: BTreeMap<_, _> = tallies(imported)
        .into_iter()
        .map(|(noun, it)| (noun, it[1]))
        .collect();
    new.insert("record", imported.new);
    new
}

#[test]
fn every_export_version_gives_all_that_it_knows() {
    let check = |name: &str, expected: &[(&str, u64)]| {
        let bytes = read(&format!("generated/{name}.zip"));
        let mut store = store();
        let imported = import(&mut store, &bytes).expect(name);
        assert_eq!(new(&imported), expected.iter().copied().collect(), "{name}");
        let unknown = imported
            .skipped
            .iter()
            .find(|it| it.reason.starts_with("unknown"));
        assert_eq!(unknown, None, "{name}");
        let again = import(&mut store, &bytes).expect(name);
        assert_eq!((again.new, again.updated), (0, 0), "{name}");
        assert!(tallies(&again).values().all(|it| it[1] == 0 && it[2] == 0));
    };
    let base = [
        ("record", 290),
        ("correlation", 4),
        ("workout", 1),
        ("activitySummary", 3),
    ];
    let with = |more: &[(&'static str, u64)]| [&base[..], more].concat();
    check("ios8", &[("record", 300)]);
    check("v3", &base);
    check("v8", &with(&[("route", 1), ("clinicalRecord", 2)]));
    check("v11", &with(&[("route", 1), ("clinicalRecord", 2)]));
    let v12 = with(&[
        ("route", 1),
        ("clinicalRecord", 2),
        ("visionPrescription", 2),
    ]);
    check("v12", &v12);
    check("v13", &[&v12[..], &[("audiogram", 2)]].concat());
    check(
        "all",
        &[
            ("record", 701),
            ("correlation", 4),
            ("workout", 2),
            ("route", 1),
            ("activitySummary", 8),
            ("audiogram", 2),
            ("visionPrescription", 2),
            ("stateOfMind", 2),
            ("clinicalRecord", 2),
            ("ecg", 1),
        ],
    );
}

/// Another offset, metric units, straight quotes, other addresses of devices, another order, a
/// Portuguese electrocardiogram; five pairs of records have equal keys and different values.
#[test]
fn the_same_data_exported_with_other_settings_bring_nothing() {
    let (one, other) = (read("generated/all.zip"), read("generated/all-again.zip"));
    for (first, second) in [(&one, &other), (&other, &one)] {
        let mut store = store();
        let count = import(&mut store, first).expect("an import").new;
        let again = import(&mut store, second).expect("an import");
        assert_eq!(
            (again.new, again.updated, again.unchanged),
            (0, 0, count),
            "{:?}",
            again.skipped
        );
        for (noun, [read, new, updated, unchanged]) in tallies(&again) {
            assert_eq!((new, updated, unchanged), (0, 0, read), "{noun}");
        }
        let ben = import_as(&mut store, "ben", second).expect("an import");
        assert_eq!(ben.new, count);
        assert!(tallies(&ben).values().all(|it| it[0] == it[1]));
    }
}
