use std::{ops::ControlFlow, sync::Arc};

use serde_json::{Value, json};

use super::*;
use crate::{
    api::{DocumentRecord, PointRecord},
    document::{Document, Noun},
    import::Item,
    sample::Provenance,
    series::SeriesBuilder,
    store::{
        Member, Range, Store, StoredCorrelation, StoredDocument, StoredStatistic, StoredWorkout,
    },
};

const START_MS: i64 = 1_768_021_200_000;

fn workout() -> StoredWorkout {
    let statistic = |kind: &str, unit: &str| StoredStatistic {
        activity: None,
        kind: kind.to_owned(),
        unit: unit.to_owned(),
        start_ms: None,
        end_ms: None,
        average: None,
        minimum: None,
        maximum: None,
        sum: None,
    };
    StoredWorkout {
        id: [1; 16],
        seq: 7,
        origin: "default".to_owned(),
        activity: "running".to_owned(),
        start_ms: START_MS,
        end_ms: START_MS + 1_800_000,
        duration_s: Some(1750.5),
        source: "Ana’s, \"Watch\"".to_owned(),
        source_version: None,
        device: Some("Watch7,2".to_owned()),
        created_ms: None,
        metadata: Some(r#"{"HKIndoorWorkout":"1"}"#.to_owned()),
        statistics: vec![
            StoredStatistic {
                sum: Some(9.0),
                activity: Some(0),
                ..statistic("distanceWalkingRunning", "m")
            },
            StoredStatistic {
                sum: Some(5012.25),
                ..statistic("distanceWalkingRunning", "m")
            },
            StoredStatistic {
                average: Some(141.0),
                maximum: Some(171.0),
                ..statistic("heartRate", "count/min")
            },
        ],
        events: Vec::new(),
        activities: Vec::new(),
    }
}

fn workout_text() -> Vec<u8> {
    let mut out = Vec::new();
    workout_line(workout(), &mut out).unwrap();
    assert_eq!(out.pop(), Some(b'\n'));
    out
}

/// A document that was kept and read back through a store, in one line; and how often the line was
/// offered to be sent.
fn kept(document: Document) -> (Vec<u8>, usize) {
    let mut store = Store::in_memory().unwrap();
    store.keep("ana", vec![Item::Document(Box::new(document))]);
    let mut found: Vec<StoredDocument> = Vec::new();
    for noun in Noun::ALL {
        let mut sink = |document| {
            found.push(document);
            ControlFlow::Continue(())
        };
        store
            .documents(*noun, &Range::default(), &mut sink)
            .unwrap();
    }
    assert_eq!(found.len(), 1);
    let (mut out, mut offers) = (Vec::new(), 0);
    document_line(&store, found.remove(0), &mut out, &mut |_| {
        offers += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(out.pop(), Some(b'\n'));
    assert!(!out.contains(&b'\n'));
    (out, offers)
}

fn route(points: u32) -> Document {
    let mut series = SeriesBuilder::new(Noun::Route.columns().len());
    for point in 0..points {
        let at = f64::from(point);
        let time = 1_768_021_200_000.0 + at * 1000.0 + 500.0;
        let latitude = if point == 1 {
            f64::NAN
        } else {
            48.2 + at / 1e6
        };
        series.push(&[time, latitude, 1e-7, 171.5, 2.25, f64::NAN, 4.0, f64::NAN]);
    }
    let mut document = Document::new(Noun::Route, START_MS, START_MS + 60_000);
    document.series = Some(series.finish());
    document.provenance = Some(Arc::new(Provenance {
        source_name: "Ana’s <Watch> & \u{1b}[2Jco\u{202e}".to_owned(),
        canonical_source: "x".to_owned(),
        source_version: None,
        device: None,
        hardware: None,
    }));
    document
}

fn ecg() -> Document {
    let mut series = SeriesBuilder::new(1);
    for voltage in [-265.868, f64::NAN, 12.0] {
        series.push(&[voltage]);
    }
    let mut document = Document::new(Noun::Ecg, START_MS, START_MS + 30_000);
    document.body.set("sampleRate", 512.0);
    document.series = Some(series.finish());
    document
}

fn day() -> Document {
    let mut document = Document::new(Noun::ActivitySummary, START_MS, START_MS);
    document.local_date = Some("2026-01-10".to_owned());
    document.body.set("activeEnergyBurned", 412.5);
    document.body.set("standHours", 11);
    document
}

/// What becomes of lines.
fn written(collection: Collection, shape: Shape, lines: &[&[u8]]) -> (String, CollectionEncoder) {
    let mut encoder = CollectionEncoder::new(collection, shape).unwrap();
    let mut out = Vec::new();
    encoder.start(&mut out);
    for line in lines {
        encoder.line(line, &mut out).unwrap();
    }
    encoder.finish(&End::default(), &mut out);
    (String::from_utf8(out).unwrap(), encoder)
}

const CSV: Shape = Shape::Csv { delimiter: b',' };

#[test]
fn a_workout_says_everything() {
    let found: Value = serde_json::from_slice(&workout_text()).unwrap();
    let expected = json!({
        "id": "01010101-0101-0101-0101-010101010101",
        "activity": "running",
        "startDate": "2026-01-10T05:00:00Z",
        "endDate": "2026-01-10T05:30:00Z",
        "duration": 1750.5,
        "sourceName": "Ana’s, \"Watch\"",
        "device": "Watch7,2",
        "origin": "default",
        "statistics": [
            {"type": "distanceWalkingRunning", "unit": "m", "activity": 0, "sum": 9.0},
            {"type": "distanceWalkingRunning", "unit": "m", "sum": 5012.25},
            {"type": "heartRate", "unit": "count/min", "average": 141.0, "maximum": 171.0},
        ],
        "events": [],
        "activities": [],
        "metadata": {"HKIndoorWorkout": "1"},
    });
    assert_eq!(found, expected);
}

#[test]
fn workouts_are_flat_on_demand() {
    let line = workout_text();
    let (csv, _) = written(Collection::Workouts, CSV, &[&line, &line]);
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(
        rows[0],
        "id,activity,startDate,endDate,duration,distance,activeEnergyBurned,averageHeartRate,\
         minimumHeartRate,maximumHeartRate,sourceName,device,origin"
    );
    assert_eq!(
        rows[1],
        "01010101-0101-0101-0101-010101010101,running,2026-01-10T05:00:00Z,2026-01-10T05:30:00Z,\
         1750.5,5012.25,,141,,171,\"Ana’s, \"\"Watch\"\"\",\"Watch7,2\",default"
    );
    assert_eq!((rows.len(), rows[3]), (4, ""));
    let (tsv, _) = written(Collection::Workouts, Shape::Tsv, &[&line]);
    assert_eq!(tsv.lines().nth(1).unwrap().split('\t').count(), 13);
}

#[test]
fn a_document_is_one_object_a_line_or_a_list() {
    let line = workout_text();
    let (ndjson, _) = written(Collection::Workouts, Shape::Ndjson, &[&line, &line]);
    assert_eq!(ndjson.lines().count(), 2);
    let (json, encoder) = written(Collection::Workouts, Shape::Json, &[&line, &line]);
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["workouts"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&found["status"], &found["count"], &found["hasMore"]),
        (&json!("ok"), &json!(2), &json!(false))
    );
    assert_eq!(encoder.count(), 2);
    let (none, _) = written(Collection::Ecg, Shape::Json, &[]);
    assert_eq!(
        none,
        "{\"status\":\"ok\",\"ecg\":[],\"count\":0,\"hasMore\":false,\"returnedCount\":0}\n"
    );
}

#[test]
fn what_is_no_object_is_refused() {
    for shape in [Shape::Json, Shape::Ndjson, CSV, Shape::Gpx] {
        for line in ["", "1", "[]", "{", "{}}", "{}{}", "null", " {}"] {
            let mut encoder = CollectionEncoder::new(Collection::Routes, shape).unwrap();
            let refused = encoder.line(line.as_bytes(), &mut Vec::new());
            assert!(
                matches!(refused, Err(FormatError::Decode(_))),
                "{shape:?} {line:?}"
            );
        }
    }
}

#[test]
fn a_route_has_its_points_whatever_their_number() {
    let (line, offers) = kept(route(10_000));
    assert_eq!(offers, 3, "a chunk of 4,096 points may leave by itself");
    let route: DocumentRecord = serde_json::from_slice(&line).unwrap();
    let points = route.points.unwrap();
    assert_eq!(points.len(), 10_000);
    let expected = PointRecord {
        time: Some("2026-01-10T05:00:00.500Z".to_owned()),
        latitude: Some(48.2),
        longitude: Some(1e-7),
        elevation: Some(171.5),
        speed: Some(2.25),
        horizontal_accuracy: Some(4.0),
        ..PointRecord::default()
    };
    assert_eq!(points[0], expected);
    assert_eq!(points[1].latitude, None);
    assert_eq!(route.origin, "ana");
}

#[test]
fn gpx_is_well_formed_whatever_the_names() {
    let (line, _) = kept(route(3));
    let (gpx, encoder) = written(Collection::Routes, Shape::Gpx, &[&line, &line]);
    assert_eq!(encoder.passed_over(), 2, "one point a route has no place");
    assert_eq!(gpx.matches("<trkpt").count(), 4);
    // No exponent: xsd:decimal has none.
    assert!(
        gpx.contains("<trkpt lat=\"48.2\" lon=\"0.0000001\"><ele>171.5</ele>"),
        "{gpx}"
    );
    assert!(
        gpx.contains("<src>Ana’s &lt;Watch&gt; &amp; [2Jco\u{202e}</src>"),
        "{gpx}"
    );
    let mut reader = quick_xml::Reader::from_str(&gpx);
    reader.config_mut().check_end_names = true;
    let mut depth = 0_i32;
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Start(_) => depth += 1,
            quick_xml::events::Event::End(_) => depth -= 1,
            quick_xml::events::Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0);
    let (empty, _) = written(Collection::Routes, Shape::Gpx, &[]);
    assert!(empty.ends_with("<gpx version=\"1.1\" creator=\"healthsync\" xmlns=\"http://www.topografix.com/GPX/1/1\" xmlns:hs=\"urn:healthsync:gpx:1\">\n</gpx>\n"));
    assert!(CollectionEncoder::new(Collection::Workouts, Shape::Gpx).is_none());
}

#[test]
fn voltages_and_days_are_tables() {
    let (line, _) = kept(ecg());
    let found: DocumentRecord = serde_json::from_slice(&line).unwrap();
    assert_eq!(found.voltages, Some(vec![Some(-265.868), None, Some(12.0)]));
    let (csv, _) = written(Collection::Ecg, CSV, &[&line]);
    let rows: Vec<&str> = csv.lines().collect();
    let cells = |row: &str| {
        row.split(',')
            .skip(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(cells(rows[1]), ["0", "-265.868"]);
    assert_eq!(cells(rows[2]), ["0.001953", ""]);
    assert_eq!(cells(rows[3]), ["0.003906", "12"]);

    let (line, _) = kept(day());
    let found: DocumentRecord = serde_json::from_slice(&line).unwrap();
    assert_eq!(
        (found.date.as_deref(), found.start_date),
        (Some("2026-01-10"), None)
    );
    let (csv, _) = written(Collection::Activity, CSV, &[&line]);
    let row = csv.lines().nth(1).unwrap().split_once(',').unwrap().1;
    assert_eq!(row, "2026-01-10,412.5,,,,,,11,,,ana");
    assert!(CollectionEncoder::new(Collection::Clinical, CSV).is_none());
}

#[test]
fn members_are_rows_of_a_correlation() {
    let correlation = StoredCorrelation {
        id: [9; 16],
        seq: 1,
        origin: "default".to_owned(),
        kind: "bloodPressure".to_owned(),
        start_ms: START_MS,
        end_ms: START_MS,
        source: "Cuff".to_owned(),
        device: None,
        created_ms: None,
        metadata: None,
        members: [
            ("bloodPressureSystolic", 120.0),
            ("bloodPressureDiastolic", 79.5),
        ]
        .map(|(kind, value)| Member {
            kind: kind.to_owned(),
            id: [2; 16],
            start_ms: START_MS,
            value: Some(value),
            unit: Some("mmHg".to_owned()),
        })
        .into(),
    };
    let mut line = Vec::new();
    correlation_line(correlation, &mut line).unwrap();
    line.pop();
    let (csv, _) = written(Collection::Correlations, CSV, &[&line]);
    assert_eq!(csv.lines().count(), 3);
    let last = csv.lines().last().unwrap();
    assert!(
        last.ends_with("bloodPressureDiastolic,79.5,mmHg,Cuff,default"),
        "{last}"
    );
}

#[test]
fn a_resource_of_many_lines_is_one_line() {
    let mut document = Document::new(Noun::ClinicalRecord, START_MS, START_MS);
    assert!(document.body.set_resource("{\r\n  \"value\": 1.10\n}"));
    let (line, _) = kept(document);
    let text = String::from_utf8(line).unwrap();
    // The digits are those of the file.
    assert!(text.contains("\"value\": 1.10"), "{text}");
}

#[test]
fn who_goes_away_stops_the_line() {
    let mut store = Store::in_memory().unwrap();
    store.keep("ana", vec![Item::Document(Box::new(route(9000)))]);
    let mut found = None;
    let mut sink = |document| {
        found = Some(document);
        ControlFlow::Break(())
    };
    store
        .documents(Noun::Route, &Range::default(), &mut sink)
        .unwrap();
    let stopped = document_line(&store, found.unwrap(), &mut Vec::new(), &mut |_| {
        ControlFlow::Break(())
    });
    assert!(matches!(stopped, Err(LineError::Stopped)));
}
