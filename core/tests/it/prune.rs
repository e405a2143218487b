//! Trials, deletions, and files that are still being written.

use std::{
    io::{self, Cursor},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use healthsync_core::{
    document::Noun,
    report::Hint as _,
    store::{Consent, Deletion, ImportFailed, ImportOptions, Imported, Settled, Store},
};

use crate::{
    documents::{documents, reasons, tallies, workouts},
    everything::{everything, packed},
    export::{PLAIN, Record, Style, document, element, steps},
    fixtures::{import, import_as, store},
};

const T: i64 = 1_700_000_000;
const DAY: i64 = 86_400;

/// An export of so many records, made at `exported`.
fn export(records: &[Record], exported: i64) -> String {
    let elements: String = records.iter().map(|it| element(PLAIN, it)).collect();
    let text = document(PLAIN, &elements);
    let other = crate::export::date(PLAIN, exported);
    text.replace(&crate::export::date(PLAIN, 1_768_000_000), &other)
}

fn records(numbers: std::ops::Range<i64>) -> Vec<Record> {
    numbers
        .map(|n| {
            steps(
                T + n * 600,
                10.0 + f64::from(i32::try_from(n % 7).expect("small")),
            )
        })
        .collect()
}

/// Prunes; `answer` is what somebody says who is asked, and the numbers are what was shown.
fn prune(
    store: &mut Store,
    origin: &str,
    bytes: &[u8],
    answer: bool,
) -> (Result<Imported, ImportFailed>, Option<Deletion>) {
    let (rows, of) = (
        Arc::new(AtomicU64::new(u64::MAX)),
        Arc::new(AtomicU64::new(0)),
    );
    let (seen_rows, seen_of) = (Arc::clone(&rows), Arc::clone(&of));
    let options = ImportOptions {
        prune: Some(Consent::new(move |deletion| {
            seen_rows.store(deletion.rows, Ordering::Relaxed);
            seen_of.store(deletion.of, Ordering::Relaxed);
            answer
        })),
        ..ImportOptions::default()
    };
    let result = store.import(origin, &mut Cursor::new(bytes), None, &options, &mut |_| {});
    let asked = Deletion {
        rows: rows.load(Ordering::Relaxed),
        of: of.load(Ordering::Relaxed),
    };
    (result, (asked.rows != u64::MAX).then_some(asked))
}

#[test]
fn what_a_newer_export_no_longer_holds_is_deleted() {
    let mut store = store();
    import(&mut store, export(&records(0..400), T + DAY).as_bytes()).expect("an import");
    import_as(
        &mut store,
        "ben",
        export(&records(0..400), T + DAY).as_bytes(),
    )
    .expect("an import");

    // Four of 400 are a hundredth: nobody is asked.
    let newer = export(&records(4..401), T + 2 * DAY);
    let (imported, asked) = prune(&mut store, "default", newer.as_bytes(), false);
    let imported = imported.expect("an import");
    assert_eq!(
        (imported.new, imported.unchanged, imported.deleted),
        (1, 396, 4)
    );
    assert_eq!(asked, None);
    assert_eq!(
        store.count().expect("a count"),
        397 + 400,
        "ben's are all there"
    );

    let fewer = export(&records(100..401), T + 3 * DAY);
    let (refused, asked) = prune(&mut store, "default", fewer.as_bytes(), false);
    let refused = refused.expect_err("nobody agreed");
    assert_eq!(refused.code(), "PRUNE_NOT_CONFIRMED");
    assert_eq!(asked, Some(Deletion { rows: 96, of: 397 }));
    assert_eq!(store.count().expect("a count"), 797, "nothing was changed");
    let (imported, _) = prune(&mut store, "default", fewer.as_bytes(), true);
    assert_eq!(imported.expect("an import").deleted, 96);
    assert_eq!(store.types().expect("types")[0].count, 301 + 400);

    // What is deleted can come again.
    let all = export(&records(0..401), T + 4 * DAY);
    let again = import(&mut store, all.as_bytes()).expect("an import");
    assert_eq!((again.new, again.unchanged), (100, 301));
}

#[test]
fn an_older_or_cut_off_export_never_deletes() {
    let mut store = store();
    import(&mut store, export(&records(0..10), T + 2 * DAY).as_bytes()).expect("an import");
    let older = export(&records(0..5), T + DAY);
    let check = |store: &mut Store, text: &str, partial: bool, code: &str| {
        let options = ImportOptions {
            keep_partial: partial,
            prune: Some(Consent::new(|_| true)),
            ..ImportOptions::default()
        };
        let mut source = Cursor::new(text.as_bytes());
        let refused = store
            .import("default", &mut source, None, &options, &mut |_| {})
            .expect_err(code);
        assert_eq!(refused.code(), code);
        assert!(refused.hint().is_some());
        assert_eq!(store.count().expect("a count"), 10);
    };
    check(&mut store, &older, false, "PRUNE_OF_OLDER_EXPORT");
    let newer = export(&records(0..5), T + 3 * DAY);
    let cut = &newer[..newer.len() - 30];
    check(&mut store, cut, true, "PRUNE_OF_PARTIAL_EXPORT");
    check(&mut store, cut, false, "TRUNCATED_EXPORT");
    let start = newer.find(" <ExportDate").expect("a date");
    let end = start + newer[start..].find('\n').expect("a line");
    let undated = format!("{}{}", &newer[..start], &newer[end..]);
    check(&mut store, &undated, false, "PRUNE_WITHOUT_DATE");

    // An older export that deletes nothing does not count as the newest.
    import(&mut store, older.as_bytes()).expect("an import");
    check(&mut store, &older, false, "PRUNE_OF_OLDER_EXPORT");
    // The newest one itself may: it says what there was.
    let same = export(&records(0..5), T + 2 * DAY);
    let (imported, _) = prune(&mut store, "default", same.as_bytes(), true);
    assert_eq!(imported.expect("an import").deleted, 5);
}

/// A store of an earlier version knows no export date, but when records were written.
#[test]
fn a_record_that_was_written_later_makes_an_export_older() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("health.db");
    let mut store = Store::open(&path).expect("a store");
    let text = export(&records(0..10), T + DAY);
    let start = text.find(" <ExportDate").expect("a date");
    let end = start + text[start..].find('\n').expect("a line");
    import(
        &mut store,
        format!("{}{}", &text[..start], &text[end..]).as_bytes(),
    )
    .expect("ok");
    let (refused, _) = prune(
        &mut store,
        "default",
        export(&records(0..5), T).as_bytes(),
        true,
    );
    assert_eq!(refused.expect_err("older").code(), "PRUNE_OF_OLDER_EXPORT");
    let newer = export(&records(0..5), T + DAY);
    let (imported, _) = prune(&mut store, "default", newer.as_bytes(), true);
    assert_eq!(imported.expect("an import").deleted, 5);
}

#[test]
fn every_noun_is_pruned_that_the_file_covers() {
    let mut store = store();
    let all = everything(PLAIN);
    import(&mut store, &packed(&all)).expect("an import");
    let little = document(PLAIN, &element(PLAIN, &steps(T, 1.0)));

    // The XML alone knows nothing of what stands beside it.
    let (imported, asked) = prune(&mut store, "default", little.as_bytes(), true);
    let imported = imported.expect("an import");
    assert_eq!(asked, Some(Deletion { rows: 6, of: 10 }));
    assert_eq!(imported.deleted, 1);
    for noun in [Noun::ActivitySummary, Noun::Audiogram, Noun::StateOfMind] {
        assert_eq!(imported.documents[&noun].deleted, 1, "{noun}");
        assert_eq!(documents(&store, noun), []);
    }
    assert_eq!((imported.workouts.deleted, workouts(&store).len()), (1, 0));
    for noun in [Noun::Ecg, Noun::Route, Noun::ClinicalRecord] {
        assert_eq!(documents(&store, noun).len(), 1, "{noun}");
    }
    assert!(reasons(&imported).contains(&(
        "electrocardiograms that the file does not cover (not deleted)",
        1
    )));
    assert_eq!(documents(&store, Noun::Route)[0].workout, None);
    let seq = documents(&store, Noun::Route)[0].seq;

    // The workout comes again, and its route finds it.
    let back = import(&mut store, &packed(&all)).expect("an import");
    assert_eq!(tallies(&back)["route"], [1, 0, 0, 1]);
    let route = documents(&store, Noun::Route).remove(0);
    assert_eq!(route.workout, Some(workouts(&store)[0].id));
    assert!(route.seq > seq, "replicas learn of it");

    // Nor does an archive or a folder of which only the XML is left.
    let archive = crate::export::zip(&[("export.xml", little.as_bytes())]);
    let (imported, _) = prune(&mut store, "default", &archive, true);
    let imported = imported.expect("an import");
    assert_eq!(imported.workouts.deleted, 1);
    for noun in [Noun::Ecg, Noun::Route, Noun::ClinicalRecord] {
        assert_eq!(documents(&store, noun).len(), 1, "{noun}");
    }

    // One with other files says that these are gone.
    let archive = beside(&little, &[GPX, ECG, RESOURCE]);
    let (imported, _) = prune(&mut store, "default", &archive, true);
    let imported = imported.expect("an import");
    for noun in [Noun::Ecg, Noun::Route, Noun::ClinicalRecord] {
        assert_eq!(imported.documents[&noun].deleted, 1, "{noun}");
        assert_eq!(documents(&store, noun).len(), 1, "the other one");
    }
    let back = import(&mut store, &packed(&all)).expect("an import");
    assert!(tallies(&back).values().all(|it| *it == [1, 1, 0, 0]));
}

const GPX: (&str, &str) = (
    "workout-routes/other.gpx",
    "<gpx><trk><trkseg><trkpt lon=\"1\" lat=\"2\"><time>2020-06-15T09:00:00Z</time></trkpt>\
     </trkseg></trk></gpx>",
);
const ECG: (&str, &str) = (
    "electrocardiograms/other.csv",
    "Name,A\nDate of Birth,B\nRecorded Date,2020-09-24 19:53:36 +0200\nClassification,C\n\
     Symptoms,\nSoftware Version,2\nDevice,D\nSample Rate,512 hertz\n\nLead,I\nUnit,\u{b5}V\n\n\
     1.5\n",
);
const RESOURCE: (&str, &str) = (
    "clinical-records/other.json",
    "{\"resourceType\":\"Observation\"}",
);

/// An archive of an export that names [`RESOURCE`], and of these files.
fn beside(export: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let record = " <ClinicalRecord type=\"T\" identifier=\"other\" sourceName=\"Clinic\" \
                  receivedDate=\"2020-09-24 19:53:36 +0200\" \
                  resourceFilePath=\"/clinical-records/other.json\"/>\n</HealthData>";
    let export = export.replace("</HealthData>", record);
    let mut entries = vec![("export.xml", export.as_bytes())];
    entries.extend(files.iter().map(|(name, text)| (*name, text.as_bytes())));
    crate::export::zip(&entries)
}

/// Files that are missing, or written in a way that is not known, delete nothing of their kind.
#[test]
fn files_that_were_left_behind_delete_nothing() {
    let little = document(PLAIN, &element(PLAIN, &steps(T, 1.0)));
    let spares = |files: &[(&str, &str)], export: &str| {
        let mut store = store();
        import(&mut store, &packed(&everything(PLAIN))).expect("an import");
        let (imported, _) = prune(&mut store, "default", &beside(export, files), true);
        let imported = imported.expect("an import");
        let gone = |noun: &Noun| {
            imported
                .documents
                .get(noun)
                .is_some_and(|it| it.deleted > 0)
        };
        [Noun::Ecg, Noun::Route, Noun::ClinicalRecord]
            .into_iter()
            .filter(|noun| !gone(noun))
            .collect::<Vec<_>>()
    };
    let all = [GPX, ECG, RESOURCE];
    assert_eq!(spares(&all, &little), []);
    assert_eq!(spares(&[GPX, RESOURCE], &little), [Noun::Ecg]);
    let unknown = ("electrocardiograms/new.csv", "Name;A\nGeburtsdatum;B\n");
    assert_eq!(
        spares(&[all.as_slice(), &[unknown]].concat(), &little),
        [Noun::Ecg]
    );
    assert_eq!(spares(&[ECG, RESOURCE], &little), [Noun::Route]);
    let unmet = little.replace(
        "</HealthData>",
        " <Workout workoutActivityType=\"HKWorkoutActivityTypeRunning\" sourceName=\"W\" \
         startDate=\"2020-09-24 19:53:36 +0200\" endDate=\"2020-09-24 19:54:36 +0200\">\
         <WorkoutRoute><FileReference path=\"/workout-routes/gone.gpx\"/></WorkoutRoute></Workout>\n\
         </HealthData>",
    );
    assert_eq!(spares(&all, &unmet), [Noun::Route]);
    assert_eq!(spares(&[GPX, ECG], &little), [Noun::ClinicalRecord]);
}

#[test]
fn a_trial_tells_the_same_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("health.db");
    let mut store = Store::open(&path).expect("a store");
    let trial = ImportOptions {
        dry_run: true,
        prune: Some(Consent::new(|_| panic!("a trial asks nobody"))),
        ..ImportOptions::default()
    };
    let mut run = |bytes: &[u8], options: &ImportOptions| {
        let mut source = Cursor::new(bytes);
        let imported = store
            .import("default", &mut source, None, options, &mut |_| {})
            .expect("an import");
        let count = store.count().expect("a count");
        (imported, count, store.nouns(&[]).expect("nouns").len())
    };
    let bytes = packed(&everything(PLAIN));
    let (told, count, nouns) = run(&bytes, &trial);
    assert_eq!((told.new, count, nouns), (1, 0, 0));
    let (done, count, nouns) = run(&bytes, &ImportOptions::default());
    assert_eq!((&done, count, nouns), (&told, 1, 7));
    let style = Style {
        offset_hours: 2,
        ..PLAIN
    };
    let little = document(style, &element(style, &steps(T, 1.0)));
    let (told, count, nouns) = run(little.as_bytes(), &trial);
    assert_eq!((told.new, told.deleted, count, nouns), (1, 1, 1, 7));
    assert_eq!(told.workouts.deleted, 1);
}

#[test]
fn a_file_that_is_still_written_is_not_imported() {
    let whole = export(&records(0..10), T + DAY);
    let cut = &whole[..whole.len() / 2];
    for text in [whole.as_str(), cut] {
        let mut store = store();
        let options = ImportOptions {
            settled: Some(Settled::new(|| Ok(false))),
            keep_partial: true,
            ..ImportOptions::default()
        };
        let mut source = Cursor::new(text.as_bytes());
        let refused = store
            .import("default", &mut source, None, &options, &mut |_| {})
            .expect_err("it changes");
        assert_eq!(refused.code(), "FILE_STILL_CHANGING");
        assert_eq!(store.count().expect("a count"), 0);
    }
    for (look, expected) in [(Some(true), "imported"), (None, "READ_FAILED")] {
        let options = ImportOptions {
            settled: Some(Settled::new(move || {
                look.ok_or_else(|| io::Error::other("gone"))
            })),
            ..ImportOptions::default()
        };
        let mut source = Cursor::new(whole.as_bytes());
        let told = store()
            .import("default", &mut source, None, &options, &mut |_| {})
            .map_or_else(|failed| failed.code(), |_| "imported");
        assert_eq!(told, expected);
    }
}
