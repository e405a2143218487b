//! What an export holds beside records: read from whole files, met again, read back.

use std::{collections::BTreeMap, ops::ControlFlow};

use healthsync_core::{
    document::Noun,
    import::{Entry, Folder, ReadError},
    store::{ImportOptions, Imported, Range, Store, StoredDocument, StoredWorkout, Tally},
};
use serde_json::{Value, json};

use crate::{
    everything::{everything, packed},
    export::{PLAIN, Style, document},
    fixtures::{import, import_as, store},
};

pub(crate) fn documents(store: &Store, noun: Noun) -> Vec<StoredDocument> {
    let mut found = Vec::new();
    store
        .documents(noun, &Range::default(), &mut |document| {
            found.push(document);
            ControlFlow::Continue(())
        })
        .expect("a scan");
    found
}

pub(crate) fn workouts(store: &Store) -> Vec<StoredWorkout> {
    let mut found = Vec::new();
    store
        .workouts(&Range::default(), &mut |workout| {
            found.push(workout);
            ControlFlow::Continue(())
        })
        .expect("a scan");
    found
}

pub(crate) fn columns(store: &Store, document: &StoredDocument) -> Vec<Vec<f64>> {
    let mut found = vec![Vec::new(); document.noun.columns().len()];
    store
        .series(document.id, &mut |columns| {
            for (all, column) in found.iter_mut().zip(columns) {
                all.extend_from_slice(column);
            }
            ControlFlow::Continue(())
        })
        .expect("a series");
    found
}

fn body(document: &StoredDocument) -> Value {
    serde_json::from_str(&document.body).expect("JSON")
}

pub(crate) fn reasons(imported: &Imported) -> Vec<(&str, u64)> {
    let skipped = imported.skipped.iter();
    skipped.map(|it| (it.reason.as_str(), it.count)).collect()
}

/// How many of each noun were read, new, updated and unchanged.
pub(crate) fn tallies(imported: &Imported) -> BTreeMap<&str, [u64; 4]> {
    let numbers = |it: &Tally| [it.read, it.new, it.updated, it.unchanged];
    let mut all: BTreeMap<_, _> = imported
        .documents
        .iter()
        .map(|(noun, tally)| (noun.as_str(), numbers(tally)))
        .collect();
    for (name, tally) in [
        ("workout", &imported.workouts),
        ("correlation", &imported.correlations),
    ] {
        if tally.read > 0 {
            all.insert(name, numbers(tally));
        }
    }
    all
}

const NOUNS: [&str; 8] = [
    "activitySummary",
    "audiogram",
    "clinicalRecord",
    "ecg",
    "route",
    "stateOfMind",
    "visionPrescription",
    "workout",
];

#[test]
fn nothing_of_an_export_is_lost_without_being_named() {
    let mut store = store();
    let imported = import(&mut store, &packed(&everything(PLAIN))).expect("an import");
    assert_eq!(
        tallies(&imported).keys().copied().collect::<Vec<_>>(),
        NOUNS
    );
    assert!(tallies(&imported).values().all(|it| *it == [1, 1, 0, 0]));
    assert_eq!(
        reasons(&imported),
        [
            ("personal details (kept only on request)", 1),
            ("export_cda.xml, which repeats records", 1),
            ("names and birth dates in electrocardiograms (dropped)", 1),
        ]
    );
    let only = |noun| {
        let mut found = documents(&store, noun);
        assert_eq!(found.len(), 1);
        found.remove(0)
    };
    let rings = only(Noun::ActivitySummary);
    assert_eq!(rings.local_date.as_deref(), Some("2024-06-15"));
    let energy = body(&rings)["activeEnergyBurned"]
        .as_f64()
        .expect("a number");
    assert!((energy - 412.345).abs() < 0.001, "kilocalories");
    assert_eq!(body(&rings)["moveTime"], 7.0);
    assert_eq!(body(&rings)["novelty"], "x");
    let audiogram = only(Noun::Audiogram);
    assert_eq!(audiogram.source.as_deref(), Some("Simon's Watch"));
    let expected = json!({
        "type": "HKDataTypeIdentifierAudiogram",
        "points": [
            {
                "frequency": 250.0, "frequencyUnit": "Hz", "leftEar": 15.5, "leftEarUnit": "dBHL",
                "leftEarMasked": false, "leftEarClampingRangeLowerBound": -10.0,
                "rightEar": 20.0, "rightEarUnit": "dBHL",
            },
            {"frequency": 500.0, "frequencyUnit": "Hz"},
        ],
    });
    assert_eq!(body(&audiogram), expected);
    let vision = only(Noun::VisionPrescription);
    let expected = json!({
        "type": "glasses", "brand": "B", "expirationDate": "2024-06-15T19:00:00Z",
        "rightEye": {"sphere": -1.25, "sphereUnit": "D", "axis": 90.0, "axisUnit": "deg"},
        "leftEye": {"sphere": -1.5, "sphereUnit": "D"},
        "attachments": [{"identifier": "42"}],
    });
    assert_eq!(body(&vision), expected);
    assert_eq!(vision.metadata.as_deref(), Some("{\"k\":\"v\"}"));
    assert_eq!(body(&only(Noun::StateOfMind))["valence"], "0.25");
    let clinical = only(Noun::ClinicalRecord);
    assert!(clinical.body.contains("\"value\": 1.10"), "byte by byte");
    assert_eq!(body(&clinical)["identifier"], "L-1");
    let ecg = only(Noun::Ecg);
    assert_eq!((ecg.points, ecg.end_ms - ecg.start_ms), (15_360, 30_000));
    assert_eq!(columns(&store, &ecg)[0][..2], [-350.0, -349.001]);
    assert!(!ecg.body.contains("Test Person") && !ecg.body.contains("1985"));
    let route = only(Noun::Route);
    let workout = workouts(&store).remove(0);
    assert_eq!((route.points, route.workout), (5000, Some(workout.id)));
    assert_eq!(workout.activities.len(), 2);
    assert_eq!(workout.activities[0].duration_s, Some(1770.0));
    assert_eq!(
        workout.activities[0].metadata.as_deref(),
        Some(
            "{\"workoutActivityType\":\"HKWorkoutActivityTypeRunning\",\"HKIndoorWorkout\":\"0\"}"
        )
    );
    assert_eq!(workout.statistics[0].activity, Some(0));
    assert_eq!(workout.events[0].activity, Some(0));
}

#[test]
fn a_second_export_with_other_settings_brings_nothing() {
    let mut store = store();
    import(&mut store, &packed(&everything(PLAIN))).expect("an import");
    for style in [
        Style {
            offset_hours: 2,
            ..PLAIN
        },
        Style {
            imperial: true,
            ..PLAIN
        },
        Style {
            pointer: 0x1_2345_6780,
            ..PLAIN
        },
        Style {
            reversed: true,
            ..PLAIN
        },
        Style {
            localized: true,
            ..PLAIN
        },
    ] {
        let again = import(&mut store, &packed(&everything(style))).expect("an import");
        assert_eq!((again.new, again.updated), (0, 0), "{style:?}");
        for (noun, tally) in tallies(&again) {
            assert_eq!(tally, [1, 0, 0, 1], "{noun} {style:?}");
        }
    }
    let other = import_as(&mut store, "ben", &packed(&everything(PLAIN))).expect("an import");
    assert!(tallies(&other).values().all(|it| *it == [1, 1, 0, 0]));
}

#[test]
fn the_xml_alone_takes_nothing_away() {
    let entries = everything(PLAIN);
    let mut store = store();
    let first = import(&mut store, &entries[0].1).expect("an import");
    assert_eq!(
        reasons(&first),
        [
            ("personal details (kept only on request)", 1),
            ("routes whose file is missing (kept without points)", 1),
            (
                "clinical records whose file is missing (kept without it)",
                1
            ),
        ]
    );
    let whole = import(&mut store, &packed(&entries)).expect("an import");
    assert_eq!(tallies(&whole)["route"], [1, 0, 1, 0]);
    assert_eq!(tallies(&whole)["clinicalRecord"], [1, 0, 1, 0]);
    assert_eq!(tallies(&whole)["ecg"], [1, 1, 0, 0]);
    let again = import(&mut store, &entries[0].1).expect("an import");
    assert_eq!(tallies(&again)["route"], [1, 0, 0, 1]);
    assert_eq!(tallies(&again)["clinicalRecord"], [1, 0, 0, 1]);
    assert_eq!(documents(&store, Noun::Route)[0].points, 5000);
}

#[test]
fn who_the_person_is_stays_out_unless_asked_for() {
    let bytes = packed(&everything(PLAIN));
    let mut store = store();
    import(&mut store, &bytes).expect("an import");
    assert_eq!(documents(&store, Noun::Characteristics), []);
    let options = ImportOptions {
        with_identity: true,
        ..ImportOptions::default()
    };
    let mut source = std::io::Cursor::new(&bytes);
    let imported = store
        .import("default", &mut source, None, &options, &mut |_| {})
        .expect("an import");
    assert_eq!(tallies(&imported)["characteristics"], [1, 1, 0, 0]);
    assert_eq!(tallies(&imported)["ecg"], [1, 0, 1, 0]);
    assert_eq!(
        reasons(&imported),
        [("export_cda.xml, which repeats records", 1)]
    );
    let person = documents(&store, Noun::Characteristics).remove(0);
    assert_eq!(body(&person)["dateOfBirth"], "1985-06-15");
    assert_eq!(
        body(&documents(&store, Noun::Ecg)[0])["identity"]["name"],
        "Test Person"
    );
    let again = import(&mut store, &bytes).expect("an import");
    assert_eq!(
        tallies(&again)["ecg"],
        [1, 0, 0, 1],
        "it says nothing about a name"
    );
}

#[test]
fn a_file_without_records_is_not_empty() {
    let rings = " <ActivitySummary dateComponents=\"2024-06-15\" appleStandHours=\"12\"/>\n";
    let mut store = store();
    let imported = import(&mut store, document(PLAIN, rings).as_bytes()).expect("an import");
    assert_eq!(
        (
            imported.read,
            imported.documents[&Noun::ActivitySummary].new
        ),
        (0, 1)
    );
    let nothing = import(&mut store, document(PLAIN, "").as_bytes()).expect_err("nothing");
    assert_eq!(nothing.to_string(), "the export holds no records");
}

#[test]
fn damaged_files_beside_the_export_are_told_and_the_rest_is_kept() {
    let mut entries = everything(PLAIN);
    let cut = entries[2].1.len() / 2;
    entries[2].1.truncate(cut);
    entries[3].1 = b"Name,x\n".to_vec();
    entries[4].1 = b"{\"resourceType\":".to_vec();
    entries.push((
        "apple_health_export/notes.txt".to_owned(),
        b"hello".to_vec(),
    ));
    let mut store = store();
    let imported = import(&mut store, &packed(&entries)).expect("an import");
    assert_eq!(
        reasons(&imported)[1..],
        [
            ("export_cda.xml, which repeats records", 1),
            ("routes whose file is damaged (kept without points)", 1),
            ("other files (not read)", 2),
            (
                "clinical records whose file is damaged (kept without it)",
                1
            ),
        ]
    );
    assert_eq!(documents(&store, Noun::Route)[0].points, 0);
    assert_eq!(imported.documents.get(&Noun::Ecg), None);
}

/// A folder as another program unpacked it.
struct Unpacked(Vec<(String, Vec<u8>)>);

impl Folder for Unpacked {
    fn entries(&mut self) -> Result<Vec<Entry>, ReadError> {
        let entry = |(name, bytes): &(String, Vec<u8>)| Entry {
            name: name.clone(),
            size: u64::try_from(bytes.len()).expect("a length"),
        };
        Ok(self.0.iter().map(entry).collect())
    }

    fn open(&mut self, index: usize) -> Result<Box<dyn std::io::Read + Send + '_>, ReadError> {
        Ok(Box::new(self.0[index].1.as_slice()))
    }
}

#[test]
fn a_folder_is_as_good_as_its_archive() {
    let mut store = store();
    let mut folder = Unpacked(everything(PLAIN));
    let options = ImportOptions::default();
    let imported = store
        .import_folder("default", &mut folder, &options, &mut |_| {})
        .expect("an import");
    assert_eq!(imported.new, 1);
    let again = import(&mut store, &packed(&everything(PLAIN))).expect("an import");
    assert_eq!(again.new, 0);
    assert!(tallies(&again).values().all(|it| *it == [1, 0, 0, 1]));
    let mut other = Unpacked(vec![("notes.txt".to_owned(), b"hello".to_vec())]);
    let refused = store.import_folder("default", &mut other, &options, &mut |_| {});
    assert_eq!(
        refused.expect_err("no export").to_string(),
        "the file is not a health data export"
    );
}

/// Reads until a file is half read.
struct Broken(Unpacked, usize);

impl Folder for Broken {
    fn entries(&mut self) -> Result<Vec<Entry>, ReadError> {
        self.0.entries()
    }

    fn open(&mut self, index: usize) -> Result<Box<dyn std::io::Read + Send + '_>, ReadError> {
        use std::io::Read as _;

        let file = self.0.open(index)?;
        if index != self.1 {
            return Ok(file);
        }
        Ok(Box::new(file.take(60).chain(Gone)))
    }
}

struct Gone;

impl std::io::Read for Gone {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("the disk is gone"))
    }
}

#[test]
fn a_disk_that_fails_is_not_taken_for_a_damaged_file() {
    // Export, route, electrocardiogram, clinical record.
    for index in [0, 2, 3, 4] {
        let mut folder = Broken(Unpacked(everything(PLAIN)), index);
        let options = ImportOptions::default();
        let error = store()
            .import_folder("default", &mut folder, &options, &mut |_| {})
            .expect_err("it fails");
        assert_eq!(error.to_string(), "could not read the file", "file {index}");
    }
}

#[test]
fn the_exports_of_ios_8_are_read() {
    let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<HealthData locale=\"en_US\">\n \
        <ExportDate value=\"20141014084347-0800\"/>\n \
        <Record type=\"HKQuantityTypeIdentifierStepCount\" source=\"Ana\" unit=\"count\" startDate=\"20140114084347-0800\" endDate=\"20140114094347-0800\" value=\"120\" recordCount=\"7\" Modified Date=\"2014-01-14\"/>\n\
        </HealthData>\n";
    let mut store = store();
    let imported = import(&mut store, text.as_bytes()).expect("an import");
    assert_eq!((imported.new, imported.skipped.len()), (1, 0));
    assert_eq!(
        crate::import::column(&store, "metadata"),
        ["{\"recordCount\":\"7\",\"Modified Date\":\"2014-01-14\"}"]
    );
    assert_eq!(crate::import::column(&store, "sourceName"), ["Ana"]);
}
