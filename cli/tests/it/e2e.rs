//! The main job: import, pair, fetch, and every sample is the one of the export.

use std::fs;

use crate::{
    device::Device,
    export,
    host::{Host, demo_export},
    rows::{self, Row},
};

/// Names of the formats, and who reads them here.
type Reader = (&'static str, fn(&[u8]) -> Vec<Row>);
const FORMATS: [Reader; 6] = [
    ("ndjson", |bytes| rows::ndjson(text(bytes))),
    ("csv", |bytes| rows::csv(text(bytes))),
    ("json", |bytes| rows::json(text(bytes))),
    ("arrow", rows::arrow),
    ("parquet", rows::parquet),
    ("sqlite", rows::sqlite),
];

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn every_sample_arrives_in_every_format() {
    let expected = export::records(&export::xml_of(&demo_export()));
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "Anna's laptop");
    let mut all_ids = Vec::new();
    for (format, read) in FORMATS {
        let file = device.path(format);
        let output = file.to_str().expect("a plain path");
        let outcome = device.run(&["fetch", "--all", "--format", format, "--output", output]);
        outcome.good();
        let found = read(&fs::read(&file).expect("the file is there"));
        all_ids.push(rows::assert_ordered(format, &found));
        rows::assert_same(format, expected.clone(), found);
    }
    assert!(
        all_ids.windows(2).all(|pair| pair[0] == pair[1]),
        "ids differ between formats"
    );
}

#[test]
fn a_second_import_adds_nothing() {
    let host = Host::new();
    let first = host.import(&demo_export()).good().last();
    assert_eq!(first["event"], "imported");
    assert_eq!(
        (&first["read"], &first["new"]),
        (&1990.into(), &1990.into()),
        "{first}"
    );
    let second = host.import(&demo_export()).good().last();
    assert_eq!(
        (&second["new"], &second["updated"]),
        (&0.into(), &0.into()),
        "{second}"
    );
    assert_eq!(second["unchanged"], 1990, "{second}");
}

#[test]
fn ranges_types_and_limits_choose_the_same_samples_as_the_export() {
    let all = export::records(&export::xml_of(&demo_export()));
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "Anna's laptop");
    let fetch = |args: &[&str]| -> Vec<Row> {
        rows::ndjson(&device.run(&[&["fetch"], args].concat()).good().stdout)
    };
    let at = |text: &str| {
        text.parse::<jiff::Timestamp>()
            .expect("RFC 3339")
            .as_millisecond()
    };

    let (start, end) = ("2026-01-01T00:00:00Z", "2026-01-03T12:30:00Z");
    let within = |row: &&Row| row.start_ms >= at(start) && row.start_ms < at(end);
    let expected: Vec<_> = all
        .iter()
        .filter(within)
        .filter(|row| row.kind == "heartRate")
        .cloned()
        .collect();
    assert!(!expected.is_empty(), "the range tests nothing");
    let found = fetch(&["--types", "heart_rate", "--start", start, "--end", end]);
    rows::assert_same("range", expected, found);

    let expected: Vec<_> = all
        .iter()
        .filter(|row| row.kind == "steps" || row.kind == "sleepAnalysis")
        .cloned()
        .collect();
    let found = fetch(&[
        "--types",
        "steps,HKCategoryTypeIdentifierSleepAnalysis",
        "--all",
    ]);
    rows::assert_same("types", expected, found);

    let limited = fetch(&["--all", "--limit", "7"]);
    assert_eq!(limited.len(), 7);
    let none = device
        .run(&["fetch", "--start", "1990-01-01", "--end", "1990-01-02"])
        .good();
    assert!(none.stdout.is_empty(), "{none:?}");
}

#[test]
fn types_and_status_tell_what_is_there() {
    let all = export::records(&export::xml_of(&demo_export()));
    let host = Host::with_data();
    let (device, pair) = Device::paired(&host, "Anna's laptop");

    let types = device.run(&["types"]).good();
    for kind in ["heartRate", "sleepAnalysis", "bloodPressureSystolic"] {
        let count = all.iter().filter(|row| row.kind == kind).count();
        let told = types.events().into_iter().find(|line| line["type"] == kind);
        let told = told.unwrap_or_else(|| panic!("{kind} is not in {types:?}"));
        assert_eq!(told["count"].as_u64(), u64::try_from(count).ok(), "{told}");
    }

    let status = device.run(&["status"]).good();
    for word in ["TLSv1.3", "X25519MLKEM768", "Test host"] {
        assert!(
            status.stdout.contains(word),
            "{word} is not in {}",
            status.stdout
        );
    }
    let info = device.run(&["cert", "info"]).good();
    assert!(info.stdout.contains(&pair), "{}", info.stdout);
}

#[test]
fn each_device_is_revoked_alone_and_for_good() {
    let host = Host::with_data();
    let (first, first_pair) = Device::paired(&host, "Anna's laptop");
    let (second, _) = Device::paired(&host, "Ben's laptop");
    first.run(&["status"]).good();
    host.run(&["revoke", &first_pair]).good();
    let file = first.path("out.csv");
    let args = [
        "fetch",
        "--all",
        "--output",
        file.to_str().expect("a plain path"),
    ];
    first.run(&args).failed(3, &["CERT_REVOKED"]);
    assert!(!file.exists(), "a refused fetch leaves no file");
    second.run(&["status"]).good();
    // As the hint says: forget the old pair, then pair again.
    first.run(&["unpair"]).good();
    first.pair(&host);
    first.run(&["status"]).good();
}

#[test]
fn unpairing_ends_it_on_both_sides() {
    let host = Host::with_data();
    let (device, pair) = Device::paired(&host, "Anna's laptop");
    device.run(&["unpair"]).good();
    let record = host
        .pairs()
        .into_iter()
        .find(|record| record["pair"] == *pair);
    let state = record.and_then(|record| record["state"].as_str().map(str::to_lowercase));
    assert_eq!(state.as_deref(), Some("revoked"));
    device.run(&["status"]).failed(3, &["NOT_PAIRED"]);
}

#[test]
fn pairs_survive_a_restart_of_the_server() {
    let mut host = Host::with_data();
    let (device, _) = Device::paired(&host, "Anna's laptop");
    host.kill();
    host.start();
    device.run(&["status"]).good();
}
