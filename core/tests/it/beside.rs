//! Files of other projects: routes, electrocardiograms, and what exports hold beside records.

use std::collections::BTreeMap;

use healthsync_core::document::Noun;

use crate::{
    documents::{columns, documents, tallies, workouts},
    export::{PLAIN, document, zip},
    fixtures::{import, read, store},
};

#[test]
fn every_route_and_electrocardiogram_gives_its_points() {
    let manifest = String::from_utf8(read("MANIFEST.tsv")).expect("text");
    let mut checked = 0;
    for line in manifest.lines().skip(1) {
        let fields: Vec<_> = line.split('\t').collect();
        let Some(points) = fields[4].strip_suffix(" points") else {
            continue;
        };
        let export = document(PLAIN, "");
        let file = read(fields[0]);
        let bytes = zip(&[
            ("apple_health_export/export.xml", export.as_bytes()),
            (&format!("apple_health_export/{}", fields[0]), &file),
        ]);
        let mut store = store();
        let imported = import(&mut store, &bytes).expect("an import");
        let noun = if fields[0].starts_with("ecg") {
            Noun::Ecg
        } else {
            Noun::Route
        };
        assert_eq!(imported.documents[&noun].new, 1, "{line}");
        let stored = documents(&store, noun).remove(0);
        assert_eq!(stored.points.to_string(), points, "{line}");
        let columns = columns(&store, &stored);
        assert!(columns.iter().all(|it| it.len().to_string() == points));
        let again = import(&mut store, &bytes).expect("the same again");
        assert_eq!(again.documents[&noun].unchanged, 1, "{line}");
        checked += 1;
    }
    assert_eq!(checked, 7);
}

/// The counts of the fixtures, by hand.
#[test]
fn the_fixtures_give_their_documents() {
    for (name, expected) in [
        (
            "apple/rinoshiyo_sample_export.xml",
            "workout 1, correlation 1, route 1, activitySummary 1",
        ),
        (
            "apple/hk2sqlite_tests_export.xml",
            "workout 1, route 1, activitySummary 2",
        ),
        (
            "apple/hk2sqlite_zip_export.xml",
            "workout 1, route 1, activitySummary 2",
        ),
        ("apple/ios10_6s3_sample.xml", "workout 1, activitySummary 2"),
        ("apple/paulstaab_export.xml", "workout 8, route 4"),
        ("apple/paulstaab_export.zip", "workout 8, route 4"),
        ("apple/ahparser_tests_export.xml", ""),
        ("apple/tagbug_export.xml", ""),
    ] {
        let bytes = read(name);
        let mut store = store();
        let imported = import(&mut store, &bytes).expect(name);
        let again = import(&mut store, &bytes).expect(name);
        let mut stated = BTreeMap::new();
        for part in expected.split(", ").filter(|part| !part.is_empty()) {
            let (noun, count) = part.split_once(' ').expect("a count");
            let count: u64 = count.parse().expect("a number");
            stated.insert(noun, count);
        }
        let told = tallies(&imported);
        let new: BTreeMap<_, _> = told.iter().map(|(noun, it)| (*noun, it[1])).collect();
        assert_eq!(new, stated, "{name}");
        for (noun, count) in stated {
            assert_eq!(tallies(&again)[noun], [count, 0, 0, count], "{name} {noun}");
        }
    }
}

#[test]
fn routes_of_an_archive_belong_to_their_workouts() {
    let mut store = store();
    let imported = import(&mut store, &read("apple/paulstaab_export.zip")).expect("an import");
    assert_eq!(imported.skipped, []);
    let routes = documents(&store, Noun::Route);
    let points: Vec<u64> = routes.iter().map(|route| route.points).collect();
    assert_eq!(points, [4, 7, 6, 11]);
    let workouts = workouts(&store);
    for route in &routes {
        let workout = workouts.iter().find(|it| Some(it.id) == route.workout);
        assert_eq!(workout.map(|it| it.start_ms), Some(route.start_ms));
    }
    let columns = columns(&store, &routes[0]);
    assert!((columns[0][3] - columns[0][0] - 750_000.0).abs() < 1e-6);
    assert_eq!((columns[1][3], columns[2][3]), (52.0225, 13.0));
    assert!(columns[3][0].is_nan());
}

#[test]
fn inline_points_are_read() {
    let mut store = store();
    import(&mut store, &read("apple/hk2sqlite_tests_export.xml")).expect("an import");
    let route = documents(&store, Noun::Route).remove(0);
    assert_eq!(
        (route.points, route.workout),
        (2, Some(workouts(&store)[0].id))
    );
    let first: Vec<f64> = columns(&store, &route).iter().map(|it| it[0]).collect();
    let expected = [
        1_479_133_544_000.0,
        37.7777,
        -122.426,
        21.2694,
        2.48034,
        -1.0,
        2.40948,
        1.67859,
    ];
    assert_eq!(first, expected);
}
