//! Killed, cut off, out of space: whole files only, and it opens again.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
    process::Command,
};

use crate::{
    device::Device,
    export,
    host::{Host, demo_export},
    program::{self, Running},
    rows,
};

/// Large enough that an import is still busy when it is killed.
const MANY: u32 = 150_000;

/// An export of `count` heart rates, one a minute.
pub(crate) fn write_export(path: &Path, count: u32) {
    let mut file = io::BufWriter::new(fs::File::create(path).expect("it is ours"));
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE HealthData [\n]>\n\
                <HealthData locale=\"en_US\">\n <ExportDate value=\"2026-01-10 00:00:00 +0000\"/>\n";
    file.write_all(head.as_bytes()).expect("room");
    for minute in 0..count {
        let (day, hour, min) = (minute / 1440, minute / 60 % 24, minute % 60);
        let date = format!(
            "2025-{:02}-{:02} {hour:02}:{min:02}:00 +0000",
            day / 28 + 1,
            day % 28 + 1
        );
        writeln!(
            file,
            " <Record type=\"HKQuantityTypeIdentifierHeartRate\" sourceName=\"Watch\" \
             unit=\"count/min\" creationDate=\"{date}\" startDate=\"{date}\" endDate=\"{date}\" \
             value=\"{}\"/>",
            50 + minute % 97
        )
        .expect("room");
    }
    file.write_all(b"</HealthData>\n").expect("room");
    file.flush().expect("room");
}

/// What the store holds, as a paired device sees it.
fn samples_seen(device: &Device) -> u64 {
    let types = device.run(&["types"]).good();
    types
        .events()
        .iter()
        .filter_map(|line| line["count"].as_u64())
        .sum()
}

/// Bytes that SQLite has written so far.
fn written(host: &Host) -> u64 {
    ["health.db", "health.db-wal"]
        .iter()
        .filter_map(|name| fs::metadata(host.path("server").join(name)).ok())
        .map(|data| data.len())
        .sum()
}

#[test]
fn an_import_killed_in_the_middle_leaves_whole_files_only() {
    let mut host = Host::with_data();
    let (device, _) = Device::paired(&host, "Anna's laptop");
    let large = host.path("large.xml");
    write_export(&large, MANY);
    let args = ["import", large.to_str().expect("a plain path")];

    let before = written(&host);
    let mut import = Running::start(&mut host.command(&args));
    let mut caught = false;
    while import.is_running() {
        if written(&host) > before + 200_000 {
            caught = true;
            break;
        }
        std::thread::yield_now();
    }
    import.kill();
    host.kill();
    assert!(
        caught,
        "the import ended before it could be killed: make the export larger"
    );

    host.start();
    assert_eq!(
        samples_seen(&device),
        1990,
        "nothing of the killed import is visible"
    );
    let again = host.run(&args).good().last();
    assert_eq!(again["new"], MANY, "{again}");
    assert_eq!(samples_seen(&device), 1990 + u64::from(MANY));
}

#[test]
fn a_cut_off_export_leaves_nothing() {
    let xml = export::xml_of(&demo_export());
    let archive = fs::read(demo_export()).expect("it is there");
    let mut host = Host::new();
    let cut_xml = host.path("cut.xml");
    fs::write(&cut_xml, &xml[..xml.len() * 2 / 3]).expect("ours");
    host.import(&cut_xml)
        .failed(1, &["TRUNCATED_EXPORT", "MALFORMED_EXPORT"]);
    let cut_zip = host.path("cut.zip");
    fs::write(&cut_zip, &archive[..archive.len() / 2]).expect("ours");
    host.import(&cut_zip)
        .failed(1, &["DAMAGED_ARCHIVE", "TRUNCATED_EXPORT"]);

    host.start();
    let (device, _) = Device::paired(&host, "Anna's laptop");
    assert_eq!(samples_seen(&device), 0);
}

#[test]
fn what_is_no_export_is_an_error() {
    let host = Host::new();
    for (name, content) in [
        ("empty.xml", ""),
        ("text.xml", "hello\n"),
        ("page.xml", "<html><body/></html>\n"),
        (
            "none.xml",
            "<?xml version=\"1.0\"?>\n<HealthData locale=\"en_US\">\n</HealthData>\n",
        ),
    ] {
        let file = host.path(name);
        fs::write(&file, content).expect("ours");
        host.import(&file)
            .failed(1, &["NOT_AN_EXPORT", "EMPTY_EXPORT", "TRUNCATED_EXPORT"]);
    }
    host.import(&host.path("missing.zip"))
        .failed(1, &["READ_FAILED"]);
}

#[test]
fn a_full_disk_loses_nothing_and_leaves_nothing_half_written() {
    let host = Host::new();
    let small = host.path("server");
    fs::create_dir(&small).expect("new");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs"])
        .arg(&small)
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        // The macros are captured by the test runner; this is not.
        let notice = "SKIPPED: the test of a full disk needs the right to mount a tmpfs\n";
        drop(io::stderr().write_all(notice.as_bytes()));
        return;
    }
    let _unmount = Mounted(small);
    host.import(&demo_export()).good();
    let large = host.path("large.xml");
    write_export(&large, MANY);
    host.import(&large).failed(1, &["DISK_FULL"]);
    let again = host.import(&demo_export()).good().last();
    assert_eq!(
        again["unchanged"], 1990,
        "what was there is still there: {again}"
    );
}

/// Unmounts at the end of the test, also of a failing one.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}

#[test]
fn a_fetch_that_the_server_does_not_end_leaves_no_file() {
    let mut host = Host::with_data();
    let (device, _) = Device::paired(&host, "Anna's laptop");
    let file = device.path("all.csv");
    let output = file.to_str().expect("a plain path").to_owned();
    host.kill();
    device
        .run(&["fetch", "--all", "--no-mdns", "--output", &output])
        .failed(4, &["ECONNREFUSED"]);
    assert!(!file.exists());
    host.start();
    device.run(&["fetch", "--all", "--output", &output]).good();
    let rows = rows::csv(&fs::read_to_string(&file).expect("it is there"));
    assert_eq!(rows.len(), 1990);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "Anna's laptop");
    let line = format!(
        "'{}' fetch --all --format csv | head -n 1; echo ${{PIPESTATUS[0]}}",
        program::ours("healthsync").display()
    );
    let mut shell = Command::new("bash");
    shell.args(["-c", &line]);
    for (key, value) in device.command(&[]).get_envs() {
        match value {
            Some(value) => shell.env(key, value),
            None => shell.env_remove(key),
        };
    }
    let outcome = program::run(&mut shell, b"");
    assert_eq!(outcome.stdout.lines().last(), Some("0"), "{outcome:?}");
}
