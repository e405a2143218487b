//! Copies that are folders: a file for each year of each table and type, whatever happens on the way.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use crate::{
    device::Device,
    host::Host,
    program::{self, Outcome, Running},
};

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// What was measured: the year, the day of its January, how much.
type Measured = (u32, u32, u32);

/// An export of heart rates, and of what nobody knows.
fn write_export(path: &Path, exported: u32, beats: &[Measured], unknown: &[(&str, Measured)]) {
    let mut file = fs::File::create(path).expect("it is ours");
    write!(
        file,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE HealthData [\n]>\n\
         <HealthData locale=\"en_US\">\n \
         <ExportDate value=\"2026-01-{exported:02} 00:00:00 +0000\"/>\n"
    )
    .expect("room");
    let beats = beats.iter().map(|beat| ("HeartRate", *beat));
    for (kind, (year, day, value)) in beats.chain(unknown.iter().copied()) {
        let date = format!("{year:04}-01-{day:02} 12:00:00 +0000");
        writeln!(
            file,
            " <Record type=\"HKQuantityTypeIdentifier{kind}\" sourceName=\"Watch\" \
             unit=\"count/min\" creationDate=\"{date}\" startDate=\"{date}\" endDate=\"{date}\" \
             value=\"{value}\"/>"
        )
        .expect("room");
    }
    file.write_all(b"</HealthData>\n").expect("room");
}

/// A server with these heart rates.
fn host_with(beats: &[Measured]) -> Host {
    let mut host = Host::new();
    import(&host, 10, beats, &[]);
    host.start();
    host
}

#[track_caller]
fn import(host: &Host, exported: u32, beats: &[Measured], words: &[&str]) {
    import_more(host, exported, (beats, &[]), words);
}

#[track_caller]
fn import_more(
    host: &Host,
    exported: u32,
    (beats, unknown): (&[Measured], &[(&str, Measured)]),
    words: &[&str],
) {
    let export = host.path("export.xml");
    write_export(&export, exported, beats, unknown);
    host.run(&[&["import", text(&export)], words].concat())
        .good();
}

/// The files that people see: which file it is, and what it holds.
fn files(folder: &Path) -> BTreeMap<String, (u64, Vec<u8>)> {
    let mut files = BTreeMap::new();
    gather(folder, "", &mut files);
    files
}

fn gather(folder: &Path, before: &str, files: &mut BTreeMap<String, (u64, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a plain name");
        let found = entry.metadata().expect("known");
        let mode = found.mode() & 0o777;
        if found.is_dir() {
            assert_eq!(mode, 0o700);
            gather(&entry.path(), &format!("{before}{name}/"), files);
        } else if !before.is_empty() {
            assert_eq!(mode, 0o600);
            let bytes = fs::read(entry.path()).expect("ours");
            files.insert(format!("{before}{name}"), (found.ino(), bytes));
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    files(folder).into_keys().collect()
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = files(folder).into_iter();
    files.map(|(name, (_, bytes))| (name, bytes)).collect()
}

#[track_caller]
fn assert_same(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(one), names(other));
    for (name, bytes) in one {
        assert!(*bytes == other[name], "{name} is another file");
    }
}

/// What differs between two looks: written anew, there for the first time, or gone.
fn changed(
    before: &BTreeMap<String, (u64, Vec<u8>)>,
    after: &BTreeMap<String, (u64, Vec<u8>)>,
) -> Vec<String> {
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let ino = |files: &BTreeMap<String, (u64, Vec<u8>)>, name| files.get(name).map(|it| it.0);
    names.retain(|name| ino(before, *name) != ino(after, *name));
    names.into_iter().cloned().collect()
}

#[track_caller]
fn sync(device: &Device, folder: &str, words: &[&str]) -> Outcome {
    device.run(&[&["sync", "--to", folder], words].concat())
}

#[test]
fn a_folder_holds_what_a_fetch_gives() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    let folder = device.path("health");
    fs::create_dir(&folder).expect("new");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("ours");
    let first = sync(&device, text(&folder), &["--format", "csv"]).good();
    let told = first.last();
    let held = files(&folder);
    assert_eq!(
        (&told["samples"], &told["files"], &told["path"]),
        (&1990.into(), &held.len().into(), &text(&folder).into())
    );
    let mode = |path: &Path| fs::metadata(path).expect("it is there").mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join(".healthsync.db")), 0o600);
    let sorted = |lines: Vec<String>| {
        let mut lines = lines;
        lines.sort();
        lines.dedup();
        lines
    };
    let lines = |table: &str| {
        let files = held.iter().filter(|(name, _)| name.starts_with(table));
        let texts = files.map(|(_, (_, bytes))| String::from_utf8_lossy(bytes));
        sorted(
            texts
                .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
                .collect(),
        )
    };
    let fetched = |words: &[&str]| {
        let mut command = device.command(&[&["fetch", "--all", "--format", "csv"], words].concat());
        let fetched = program::run(&mut command, b"").good().stdout;
        sorted(fetched.lines().map(str::to_owned).collect())
    };
    assert_eq!(lines("samples/"), fetched(&["--include-metadata"]));
    let totals = fetched(&["--aggregate", "daily"]);
    assert_eq!(lines("daily_totals/"), totals);
    for table in ["workouts/", "documents/"] {
        assert!(lines(table).len() > 1, "{table}");
    }

    // When nothing is new, nothing is touched; the format is that of the folder.
    let again = sync(&device, &format!("{}/", text(&folder)), &["--debug-tls"]).good();
    assert_eq!(again.stderr.matches("http-request").count(), 1);
    assert_eq!(
        (&again.last()["files"], &again.last()["written"]),
        (&0.into(), &0.into())
    );
    assert!(changed(&held, &files(&folder)).is_empty());
    sync(&device, text(&folder), &["--format", "parquet"]).failed(2, &["USAGE", "csv"]);
    assert!(changed(&held, &files(&folder)).is_empty());
    let people = program::run(&mut device.command(&["sync", "--to", text(&folder)]), b"").good();
    assert!(
        people.stderr.contains("1,990 samples, 0 files changed"),
        "{people:?}"
    );
}

#[test]
fn parquet_of_a_folder_can_be_imported() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    let folder = device.path("new/health");
    sync(&device, &format!("{}/", text(&folder)), &[]).good();
    let held = names(&folder);
    assert!(
        !held.is_empty() && held.iter().all(|name| name.ends_with(".parquet")),
        "{held:?}"
    );
    let mut other = Host::new();
    for name in held.iter().filter(|name| name.starts_with("samples/")) {
        other.import(&folder.join(name)).good();
    }
    other.start();
    let (elsewhere, _) = Device::paired(&other, "desk");
    let fetched = |device: &Device| {
        let words = ["fetch", "--all", "--include-metadata"];
        let mut lines: Vec<String> = device
            .run(&words)
            .good()
            .stdout
            .lines()
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(fetched(&elsewhere), fetched(&device));
}

#[test]
fn only_the_years_that_changed_are_written() {
    let beats = [
        (2021, 5, 60),
        (2022, 5, 61),
        (2022, 6, 62),
        (2023, 5, 63),
        (2024, 5, 64),
    ];
    let mut host = Host::new();
    import_more(&host, 10, (&beats, &[("NewThing", (2022, 5, 1))]), &[]);
    host.start();
    let (device, _) = Device::paired(&host, "laptop");
    let folder = device.path("health");
    let to = format!("{}/", text(&folder));
    sync(&device, &to, &[]).good();
    let first = files(&folder);
    let samples = first.keys().filter(|name| name.starts_with("samples/"));
    let expected = [
        "samples/heartRate/2021.parquet",
        "samples/heartRate/2022.parquet",
        "samples/heartRate/2023.parquet",
        "samples/heartRate/2024.parquet",
        "samples/new-thing/2022.parquet",
    ];
    assert_eq!(samples.collect::<Vec<_>>(), expected);
    assert_eq!(first.len(), 9, "{:?}", first.keys());

    import(&host, 11, &[(2022, 7, 65)], &[]);
    let told = sync(&device, &to, &[]).good().last();
    let second = files(&folder);
    let of_2022 = ["daily_totals/2022.parquet", expected[1]];
    assert_eq!(changed(&first, &second), of_2022);
    assert_eq!(told["files"], 2);

    // What the server deletes goes; a year without rows has no file, a type without rows no folder.
    import(
        &host,
        12,
        &[(2021, 5, 60), (2022, 6, 62), (2022, 7, 65), (2024, 5, 64)],
        &["--prune", "--yes"],
    );
    let told = sync(&device, &to, &[]).good().last();
    let third = files(&folder);
    let gone = ["daily_totals/2023.parquet", expected[2], expected[4]];
    assert_eq!(
        changed(&second, &third),
        [of_2022[0], gone[0], of_2022[1], gone[1], gone[2]]
    );
    assert!(gone.iter().all(|name| !third.contains_key(*name)));
    assert!(!folder.join("samples/new-thing").exists());
    assert_eq!((&told["deleted"], &told["files"]), (&3.into(), &5.into()));

    // It is what a new folder is.
    let new = device.path("new");
    sync(&device, text(&new), &["--format", "parquet"]).good();
    assert_same(&contents(&new), &contents(&folder));
}

#[test]
fn names_of_types_lead_nowhere_else() {
    let hostile = [
        "..",
        "../../escaped",
        "/etc/escaped",
        "heartrate",
        "HEARTRATE",
        "con",
        "a\\b:c*",
        "Größe \u{1f493}",
        "_hidden",
        ".hidden",
    ];
    let long = "x/".repeat(400);
    let unknown: Vec<_> = hostile
        .into_iter()
        .chain([long.as_str()])
        .zip(1..)
        .map(|(kind, day)| (kind, (2022, day, day)))
        .collect();
    let mut host = Host::new();
    import_more(&host, 10, (&[(2022, 5, 61)], &unknown), &[]);
    host.start();
    let (device, _) = Device::paired(&host, "laptop");
    let folder = device.path("deep/health");
    sync(&device, text(&folder), &["--format", "csv"]).good();
    let held = names(&folder);
    let samples = held.iter().filter(|name| name.starts_with("samples/"));
    let samples: Vec<_> = samples.collect();
    assert_eq!(samples.len(), unknown.len() + 1, "{samples:?}");
    for name in samples {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "+-/".contains(letter);
        let name = name.strip_suffix("/2022.csv").expect("its year");
        assert!(name.chars().all(plain) && name.len() < 120, "{name}");
        assert!(name.matches('/').count() == 1, "{name}");
    }
    let beside = fs::read_dir(device.path("deep")).expect("a folder");
    assert_eq!(beside.count(), 1);
    let again = sync(&device, text(&folder), &[]).good().last();
    assert_eq!(again["files"], 0);
    import(&host, 11, &[(2022, 5, 61)], &["--prune", "--yes"]);
    sync(&device, text(&folder), &[]).good();
    let left = fs::read_dir(folder.join("samples")).expect("a folder");
    assert_eq!(left.count(), 1);
}

#[test]
fn a_folder_follows_an_import() {
    let host = host_with(&[(2021, 5, 60), (2022, 5, 61)]);
    let (device, _) = Device::paired(&host, "laptop");
    let folder = device.path("health");
    let to = format!("{}/", text(&folder));
    let words = ["sync", "--to", &to, "--follow", "--json", "--no-mdns"];
    let mut following = Running::start(&mut device.command(&words));
    assert_eq!(following.event("synced")["files"], 4);
    sync(&device, &to, &[]).failed(1, &["SYNC_RUNNING"]);
    import(&host, 11, &[(2023, 5, 62)], &[]);
    assert_eq!(following.event("synced")["files"], 2);
    assert!(names(&folder).contains(&"samples/heartRate/2023.parquet".to_owned()));
    following.kill();
}

#[test]
fn other_rights_make_other_files() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    let folder = device.path("health");
    sync(&device, text(&folder), &["--format", "csv"]).good();
    let first = contents(&folder);
    host.run(&["allow", "laptop", "--types", "heartRate"])
        .good();
    let told = sync(&device, text(&folder), &[]).good().last();
    assert_eq!(told["beganAnew"], true);
    for (name, bytes) in contents(&folder) {
        assert!(!name.starts_with("workouts"), "{name}");
        let text = String::from_utf8_lossy(&bytes);
        let mut rows = text.lines().skip(1);
        assert!(rows.all(|row| row.contains(",heartRate,")), "{name}");
    }
    host.run(&["allow", "laptop", "--all"]).good();
    sync(&device, text(&folder), &[]).good();
    assert_same(&contents(&folder), &first);
}

mod edges;
