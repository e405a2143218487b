//! Folders of which a sync is killed, or in which it finds what is not its own.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
};

use super::{assert_same, changed, contents, files, host_with, import, names, sync, text};
use crate::{device::Device, host::Host, program};

/// An export of several types, with workouts and rings of each year.
fn write_much(path: &Path, exported: u32, years: &[u32], days: u32) {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<HealthData locale=\"en_US\">\n \
         <ExportDate value=\"2026-01-{exported:02} 00:00:00 +0000\"/>\n"
    );
    let mut line = |name: &str, year: u32, day: u32, more: &str| {
        let at = |hour: u32| format!("{year:04}-01-{day:02} {hour}:00:00 +0000");
        let (start, end) = (at(12), at(13));
        writeln!(
            text,
            " <{name} sourceName=\"Watch\" creationDate=\"{end}\" startDate=\"{start}\" \
             endDate=\"{end}\" {more}/>"
        )
        .expect("room");
    };
    for year in years {
        for day in 1..=days {
            let record = |kind: &str, unit: &str| {
                format!("type=\"HK{kind}\" unit=\"{unit}\" value=\"{}\"", 50 + day)
            };
            let beats = record("QuantityTypeIdentifierHeartRate", "count/min");
            line("Record", *year, day, &beats);
            if day % 2 == 0 {
                let steps = record("QuantityTypeIdentifierStepCount", "count");
                line("Record", *year, day, &steps);
            }
        }
        for day in [days, 20] {
            let run = "workoutActivityType=\"HKWorkoutActivityTypeRunning\" duration=\"60\" \
                       durationUnit=\"min\"";
            line("Workout", *year, day, run);
        }
        let sleep = "type=\"HKCategoryTypeIdentifierSleepAnalysis\" \
                     value=\"HKCategoryValueSleepAnalysisAsleepCore\"";
        line("Record", *year, 21, sleep);
    }
    for year in years {
        writeln!(
            text,
            " <ActivitySummary dateComponents=\"{year:04}-01-{days:02}\" \
             activeEnergyBurned=\"{days}\" activeEnergyBurnedUnit=\"kcal\"/>"
        )
        .expect("room");
    }
    text.push_str("</HealthData>\n");
    fs::write(path, text).expect("room");
}

/// Dies at every place there is, and what is seen meanwhile is whole.
#[test]
fn a_sync_that_is_killed_again_and_again_ends_with_the_same_folder() {
    let mut host = Host::new();
    let export = host.path("export.xml");
    write_much(&export, 10, &[2001, 2002, 2003, 2004, 2005], 6);
    host.import(&export).good();
    host.start();
    let (device, _) = Device::paired(&host, "laptop");
    let (killed, whole) = (device.path("killed"), device.path("whole"));
    let mut deaths = 0;
    // The first sync; then each year gets more, and loses some; then 2002 goes.
    for exported in 10..=12 {
        let years: &[u32] = if exported < 12 {
            &[2001, 2002, 2003, 2004, 2005]
        } else {
            &[2001, 2003, 2004, 2005]
        };
        if exported > 10 {
            write_much(&export, exported, years, 8);
            host.run(&["import", text(&export), "--prune", "--yes"])
                .good();
        }
        let told = sync(&device, text(&whole), &["--format", "csv"])
            .good()
            .last();
        // Another day of the first workout and of the rings, each year; then all of a year.
        let gone = match exported {
            10 => 0,
            11 => 10,
            _ => 16,
        };
        assert_eq!(told["deleted"], gone, "{told}");
        let expected = contents(&whole);
        let before = if exported > 10 {
            contents(&killed)
        } else {
            BTreeMap::new()
        };
        for place in 0.. {
            let args = ["sync", "--to", text(&killed), "--format", "csv", "--json"];
            let mut command = device.command(&args);
            let trial = format!("4:{place}");
            let outcome = program::run(command.env("HEALTHSYNC_TRIAL", trial), b"");
            for (name, bytes) in contents(&killed) {
                let known = [expected.get(&name), before.get(&name)];
                assert!(known.contains(&Some(&bytes)), "{name} is half a file");
            }
            if outcome.exit == Some(0) {
                break;
            }
            assert_eq!(outcome.exit, None, "killed by a signal: {outcome:?}");
            deaths += 1;
            assert!(deaths < 300, "no end");
        }
        assert_same(&contents(&killed), &expected);
        // Nothing unfinished is left.
        for entry in fs::read_dir(&killed).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            assert!(!name.to_string_lossy().ends_with(".part"), "{name:?}");
        }
        for table in [
            "samples/heartRate/",
            "samples/steps/",
            "samples/sleepAnalysis/",
            "workouts/",
            "documents/",
            "daily_totals/",
        ] {
            let held = expected.keys().filter(|name| name.starts_with(table));
            assert_eq!(held.count(), years.len(), "{table}: {:?}", expected.keys());
        }
    }
    assert!(deaths >= 50, "only {deaths} deaths");
}

/// SQLite has begun to make the database, and nothing is in it yet.
#[test]
fn a_folder_can_be_begun_again() {
    let host = host_with(&[(2021, 5, 60)]);
    let (device, _) = Device::paired(&host, "laptop");
    let folder = device.path("health");
    fs::create_dir(&folder).expect("new");
    for ending in ["", "-journal"] {
        fs::write(folder.join(format!(".healthsync.db{ending}")), "").expect("ours");
    }
    sync(&device, text(&folder), &[]).good();
    assert!(!names(&folder).is_empty());
}

#[test]
fn a_folder_is_of_this_copy_alone() {
    let host = host_with(&[(2021, 5, 60), (2022, 5, 61)]);
    let (device, _) = Device::paired(&host, "laptop");
    let notes = device.path("notes");
    fs::create_dir(&notes).expect("new");
    fs::set_permissions(&notes, fs::Permissions::from_mode(0o755)).expect("ours");
    fs::write(notes.join("a.txt"), "mine\n").expect("ours");
    for to in [text(&notes), &format!("{}/", text(&notes))] {
        sync(&device, to, &[]).failed(1, &["NOT_A_COPY"]);
    }
    sync(&device, text(&notes), &["--format", "csv"]).failed(1, &["NOT_A_COPY"]);
    assert_eq!(fs::read_dir(&notes).expect("a folder").count(), 1);
    let mode = fs::metadata(&notes).expect("it is there").mode();
    assert_eq!(mode & 0o777, 0o755);
    sync(&device, text(&notes.join("a.txt")), &["--format", "csv"]).failed(1, &["OUTPUT_EXISTS"]);
    device
        .run(&["sync", "--format", "csv"])
        .failed(2, &["USAGE"]);

    let (real, link) = (device.path("real"), device.path("link"));
    fs::create_dir(&real).expect("new");
    symlink(&real, &link).expect("a link");
    for to in [text(&link), &format!("{}/", text(&link))] {
        sync(&device, to, &[]).failed(1, &["OUTPUT_EXISTS"]);
    }
    assert_eq!(fs::read_dir(&real).expect("a folder").count(), 0);
    sync(&device, text(&real), &[]).good();
    let held = contents(&real);

    // What was taken away comes back, what nobody knows goes, and what is not ours stays.
    let first = real.join("samples/heartRate/2021.parquet");
    fs::remove_file(&first).expect("ours");
    fs::write(real.join("samples/heartRate/1999.parquet"), "old").expect("ours");
    fs::create_dir(real.join("samples/steps")).expect("new");
    fs::write(real.join("samples/steps/1999.parquet"), "old").expect("ours");
    let mine = [
        "samples/2021.parquet",
        "samples/heartRate/notes.parquet",
        "samples/My notes/2021.parquet",
        "notes.parquet",
    ];
    fs::create_dir(real.join("samples/My notes")).expect("new");
    for mine in mine {
        fs::write(real.join(mine), "mine").expect("ours");
    }
    let told = sync(&device, text(&real), &[]).good().last();
    assert_eq!(told["files"], 3);
    assert!(!real.join("samples/steps").exists());
    for mine in mine {
        fs::remove_file(real.join(mine)).expect("still there");
    }
    fs::remove_dir(real.join("samples/My notes")).expect("still there");
    assert_same(&contents(&real), &held);

    // No link is followed.
    let elsewhere = device.path("elsewhere");
    fs::write(&elsewhere, "mine").expect("ours");
    fs::remove_file(&first).expect("ours");
    symlink(&elsewhere, &first).expect("a link");
    import(&host, 11, &[(2021, 6, 60)], &[]);
    sync(&device, text(&real), &[]).failed(1, &["OUTPUT_EXISTS"]);
    assert_eq!(fs::read(&elsewhere).expect("ours"), b"mine");
    fs::remove_file(&first).expect("ours");
    for (at, name) in ["samples/heartRate", "samples"].into_iter().enumerate() {
        let (folder, moved) = (real.join(name), device.path(&format!("moved-{at}")));
        fs::rename(&folder, &moved).expect("ours");
        symlink(&moved, &folder).expect("a link");
        sync(&device, text(&real), &[]).failed(1, &["OUTPUT_EXISTS"]);
        fs::remove_file(&folder).expect("ours");
    }
    sync(&device, text(&real), &[]).good();
    assert_eq!(names(&real), held.keys().cloned().collect::<Vec<_>>());

    let other = host_with(&[(2021, 5, 60)]);
    let (stranger, _) = Device::paired(&other, "stranger");
    let before = files(&real);
    sync(&stranger, text(&real), &[]).failed(1, &["OTHER_COPY"]);
    assert!(changed(&before, &files(&real)).is_empty());
}
