//! Workouts, correlations and observations arrive as the export says, and only where they may.

use std::fs;

use roxmltree::{Document, Node};
use serde_json::Value;

use crate::{
    device::Device,
    export,
    host::{Host, demo_export},
};

fn lines(text: &str) -> Vec<Value> {
    let parsed = text.lines().map(serde_json::from_str);
    parsed.map(|line| line.expect("an object a line")).collect()
}

fn parsed(xml: &str) -> Document<'_> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..roxmltree::ParsingOptions::default()
    };
    Document::parse_with_options(xml, options).expect("well-formed")
}

/// The elements of this name right below the root.
fn elements<'a>(document: &'a Document<'_>, name: &'a str) -> Vec<Node<'a, 'a>> {
    let children = document.root_element().children();
    children.filter(|node| node.has_tag_name(name)).collect()
}

fn instant(text: &str) -> jiff::Timestamp {
    let printed = jiff::fmt::strtime::parse("%Y-%m-%d %H:%M:%S %z", text).expect("a date");
    printed.to_timestamp().expect("an instant")
}

#[test]
fn every_workout_arrives_with_its_statistics_and_events() {
    let xml = export::xml_of(&demo_export());
    let document = parsed(&xml);
    let expected = elements(&document, "Workout");
    assert!(expected.len() > 3);
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "Anna's laptop");
    let found = lines(&device.run(&["fetch", "workouts", "--all"]).good().stdout);
    assert_eq!(found.len(), expected.len());
    for workout in &expected {
        let start = instant(workout.attribute("startDate").expect("a start")).to_string();
        let activity = workout.attribute("workoutActivityType").expect("a type");
        let same = found.iter().find(|found| {
            let name = found["activity"].as_str().unwrap_or_default();
            found["startDate"] == *start && activity.to_lowercase().ends_with(&name.to_lowercase())
        });
        let same = same.unwrap_or_else(|| panic!("{start} {activity} is not in {found:#?}"));
        let children = |name: &str| {
            let children = workout.children();
            children.filter(|node| node.has_tag_name(name)).count()
        };
        let length = |name: &str| same[name].as_array().map_or(0, Vec::len);
        assert!(
            length("statistics") >= children("WorkoutStatistics"),
            "{same:#}"
        );
        assert_eq!(length("events"), children("WorkoutEvent"), "{same:#}");
    }

    // The same, as the other forms say it.
    let json = device
        .run(&["fetch", "workouts", "--all", "--format", "json"])
        .good();
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(
        json["workouts"].as_array().map(Vec::len),
        Some(expected.len())
    );
    let file = device.path("workouts.csv");
    let path = file.to_str().expect("a plain path");
    let saved = device
        .run(&["fetch", "workouts", "--all", "--output", path])
        .good()
        .last();
    assert_eq!(saved["count"].as_u64(), u64::try_from(expected.len()).ok());
    let csv = fs::read_to_string(&file).expect("the file is there");
    assert!(csv.starts_with("id,activity,startDate,"), "{csv}");
    assert_eq!(csv.lines().count(), expected.len() + 1);

    // Pages: a limit that cuts says so, and a range chooses.
    let few = device.run(&[
        "fetch", "workouts", "--all", "--limit", "2", "--format", "json",
    ]);
    let few: Value = serde_json::from_str(&few.good().stdout).expect("JSON");
    assert_eq!((&few["count"], &few["hasMore"]), (&2.into(), &true.into()));
    let none = device.run(&[
        "fetch",
        "workouts",
        "--start",
        "1990-01-01",
        "--end",
        "1990-01-02",
    ]);
    assert!(none.good().stdout.is_empty());
}

#[test]
fn a_blood_pressure_is_one_observation() {
    let xml = export::xml_of(&demo_export());
    let document = parsed(&xml);
    let expected = elements(&document, "Correlation").len();
    assert!(expected > 2);
    let records = export::records(&xml);
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "Anna's laptop");
    let found = lines(
        &device
            .run(&["fetch", "correlations", "--all"])
            .good()
            .stdout,
    );
    assert_eq!(found.len(), expected);

    let fetch = device
        .run(&["fetch", "--all", "--format", "fhir-ndjson"])
        .good();
    let observations = lines(&fetch.stdout);
    let code = |observation: &Value| {
        let code = &observation["code"]["coding"][0]["code"];
        code.as_str().unwrap_or_default().to_owned()
    };
    let of = |wanted: &str| {
        observations
            .iter()
            .filter(|one| code(one) == wanted)
            .count()
    };
    let kinds = |wanted: &str| records.iter().filter(|row| row.kind == wanted).count();
    assert_eq!(of("85354-9"), expected);
    // No record of a pair is there a second time.
    assert_eq!(of("8480-6"), kinds("bloodPressureSystolic") - expected);
    assert_eq!(of("8867-4"), kinds("heartRate"));
    assert_eq!(of("55423-8"), kinds("steps"));
    assert!(fetch.stderr.contains("Left out"), "{}", fetch.stderr);

    // A bundle and data points hold the same.
    for (format, list) in [("fhir", "entry"), ("omh", "")] {
        let file = device.path(format);
        let path = file.to_str().expect("a plain path");
        let args = ["fetch", "--all", "--format", format, "--output", path];
        device.run(&args).good();
        let whole: Value =
            serde_json::from_slice(&fs::read(&file).expect("it is there")).expect("JSON");
        let list = if list.is_empty() {
            &whole
        } else {
            &whole[list]
        };
        let count = list.as_array().map_or(0, Vec::len);
        if format == "fhir" {
            assert_eq!(count, observations.len());
        } else {
            let pressures = list
                .as_array()
                .into_iter()
                .flatten()
                .filter(|point| point["header"]["schema_id"]["name"] == "blood-pressure");
            assert_eq!(pressures.count(), expected);
        }
    }
}

#[test]
fn a_scope_guards_collections_as_it_guards_types() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "Anna's laptop");
    host.run(&[
        "allow",
        "Anna's laptop",
        "--types",
        "workouts,bloodPressureSystolic",
    ])
    .good();
    device.run(&["fetch", "workouts", "--all"]).good();
    for refused in ["routes", "ecg", "activity", "correlations", "clinical"] {
        device
            .run(&["fetch", refused, "--all"])
            .failed(1, &["TYPE_NOT_ALLOWED"]);
    }
    // Which numbers belong together is not told; each is an observation of its own.
    let fetch = device
        .run(&["fetch", "--all", "--format", "fhir-ndjson"])
        .good();
    assert!(!fetch.stdout.contains("85354-9") && fetch.stdout.contains("8480-6"));
    assert!(
        fetch
            .stderr
            .contains("which blood pressures belong together"),
        "{}",
        fetch.stderr
    );
    host.run(&["allow", "Anna's laptop", "--types", "heartRate"])
        .good();
    device
        .run(&["fetch", "workouts", "--all"])
        .failed(1, &["TYPE_NOT_ALLOWED"]);
    // The owner sees who read what.
    let audit = host.run(&["audit"]).good();
    assert!(audit.stdout.contains("read-collection"), "{}", audit.stdout);
}

#[test]
fn what_does_not_fit_is_refused_before_anybody_is_called() {
    let device = Device::new("nobody");
    for (args, word) in [
        (&["fetch", "workouts", "--types", "steps"][..], "--types"),
        (&["fetch", "routes", "--category", "body"], "--category"),
        (&["fetch", "ecg", "--offset", "3"], "--offset"),
        (&["fetch", "workouts", "--format", "gpx"], "gpx"),
        (&["fetch", "workouts", "--format", "parquet"], "parquet"),
        (&["fetch", "clinical", "--format", "csv"], "csv"),
        (&["fetch", "--format", "gpx"], "routes"),
        (&["fetch", "--format", "fhir", "--limit", "3"], "--limit"),
        (&["fetch", "--format", "sqlite"], "--output"),
        (&["fetch", "wrokouts"], "workouts"),
    ] {
        let outcome = crate::program::run(&mut device.command(args), b"");
        assert_eq!(outcome.exit, Some(2), "{args:?} {outcome:?}");
        assert!(outcome.stderr.contains(word), "{args:?} {outcome:?}");
    }
}
