use serde_json::{Value, json};

use super::*;
use crate::{
    batch::{BatchBuilder, More, Row, tests::hard_samples},
    kind::Kind,
};

const MADE_MS: i64 = 1_768_000_000_000;
const START_MS: i64 = 1_768_021_200_000;

/// A type, a number or the name of a category, and how long it lasts in milliseconds.
type Short = (&'static str, Result<f64, &'static str>, i64);

/// In the unit that the store keeps a type in.
fn samples(rows: &[Short]) -> SampleBatch {
    let canonical = |kind: &'static str| Kind::stored(kind).unit().unwrap_or_default();
    samples_of(rows, &canonical, ("Ana’s \"Watch\"\u{7}", "Watch7,2"))
}

/// Also the unit of each type, and source and device of all.
fn samples_of(
    rows: &[Short],
    unit: &dyn Fn(&'static str) -> &'static str,
    (source, device): (&str, &str),
) -> SampleBatch {
    let mut builder = BatchBuilder::new(true, 8);
    for (index, (kind, value, lasts_ms)) in rows.iter().enumerate() {
        let row = Row {
            id: [u8::try_from(index).unwrap() + 0x10; 16],
            kind: builder.kinds.add(kind),
            value: value.ok(),
            unit: builder.units.add(unit(kind)),
            start_ms: START_MS,
            end_ms: START_MS + lasts_ms,
            source: builder.sources.add(source),
            category: value.err().map(|name| builder.categories.add(name)),
        };
        builder.push(&row);
        let more = builder.more().unwrap();
        let (origin, device) = (more.origins.add("default"), more.devices.add(device));
        more.push(&More {
            origin,
            device: Some(device),
            created_ms: (index == 0).then_some(START_MS + 1500),
            metadata: None,
        });
    }
    builder.take().unwrap()
}

fn written(standard: Standard, pairs: &[Pressure], rows: &[Short]) -> (String, Clinical) {
    let mut clinical = Clinical::new(standard, MADE_MS);
    let mut out = Vec::new();
    clinical.start(&mut out);
    for pair in pairs {
        clinical.pressure(pair, &mut out);
    }
    // In two batches: what separates must not depend on them.
    let batch = samples(rows);
    let half = batch.len() / 2;
    for part in [
        batch.columns().slice(0, half),
        batch.columns().slice(half, batch.len() - half),
    ] {
        clinical
            .batch(&SampleBatch::new(part).unwrap(), &mut out)
            .unwrap();
    }
    clinical.finish(&mut out);
    (String::from_utf8(out).unwrap(), clinical)
}

fn resources(standard: Standard, pairs: &[Pressure], rows: &[Short]) -> Vec<Value> {
    let (text, _) = written(standard, pairs, rows);
    match standard {
        Standard::FhirLines => text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        Standard::Fhir | Standard::OpenMHealth => {
            let whole: Value = serde_json::from_str(&text).unwrap();
            let list = if standard == Standard::Fhir {
                &whole["entry"]
            } else {
                &whole
            };
            list.as_array().cloned().unwrap_or_default()
        }
    }
}

fn pair() -> Pressure {
    Pressure {
        id: "99999999-9999-9999-9999-999999999999".to_owned(),
        members: [
            "10101010-1010-1010-1010-101010101010".to_owned(),
            "11111111-1111-1111-1111-111111111111".to_owned(),
        ],
        start_ms: START_MS,
        end_ms: START_MS,
        source: "Cuff".to_owned(),
        device: None,
        created_ms: None,
        systolic: 120.0,
        diastolic: 79.5,
    }
}

#[test]
fn an_observation_says_everything() {
    let found = resources(Standard::FhirLines, &[], &[("heartRate", Ok(72.0), 0)]);
    let apple = "http://developer.apple.com/documentation/healthkit";
    let id = "10101010-1010-1010-1010-101010101010";
    let expected = json!({
        "resourceType": "Observation",
        "id": id,
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{id}")}],
        "status": "final",
        "category": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "vital-signs", "display": "Vital Signs"}]}],
        "code": {"coding": [
            {"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"},
            {"system": apple, "code": "HKQuantityTypeIdentifierHeartRate", "display": "Heart Rate"}]},
        "effectiveDateTime": "2026-01-10T05:00:00Z",
        "issued": "2026-01-10T05:00:01.500Z",
        "valueQuantity": {"value": 72, "unit": "beats/minute",
                          "system": "http://unitsofmeasure.org", "code": "/min"},
        "device": {"display": "Ana’s \"Watch\" (Watch7,2)"},
    });
    assert_eq!(found, [expected]);
}

#[test]
fn units_are_those_of_clinicians_and_exact() {
    let rows = [
        ("height", Ok(1.1), 0),
        ("bloodOxygen", Ok(0.07), 0),
        ("steps", Ok(12.0), 60_000),
        ("sleepAnalysis", Err("asleepREM"), 1_800_500),
        ("vo2Max", Ok(41.25), 0),
    ];
    let (text, _) = written(Standard::FhirLines, &[], &rows);
    let lines: Vec<&str> = text.lines().collect();
    // As texts: a number that is read back would hide its last digits.
    assert!(
        lines[0].contains(r#""value":110,"unit":"cm","#),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].contains(r#""value":7,"unit":"%","#),
        "{}",
        lines[1]
    );
    let found = resources(Standard::FhirLines, &[], &rows);
    let period = json!({"start": "2026-01-10T05:00:00Z", "end": "2026-01-10T05:01:00Z"});
    assert_eq!(found[2]["effectivePeriod"], period);
    assert!(found[2].get("effectiveDateTime").is_none());
    let sleep = &found[3]["valueCodeableConcept"];
    assert_eq!(
        sleep["coding"][0]["code"],
        "HKCategoryValueSleepAnalysisAsleepREM"
    );
    assert_eq!(sleep["text"], "asleepREM");
    assert_eq!(found[4]["code"]["coding"].as_array().unwrap().len(), 1);
}

#[test]
fn a_bundle_has_entries_or_no_list_of_them() {
    let (text, clinical) = written(Standard::Fhir, &[], &[]);
    let expected = json!({"resourceType": "Bundle", "type": "collection", "timestamp": "2026-01-09T23:06:40Z"});
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    assert_eq!(clinical.written(), 0);
    let rows = [
        ("heartRate", Ok(72.0), 0),
        ("heartRate", Ok(73.0), 0),
        ("steps", Ok(1.0), 9),
    ];
    let found = resources(Standard::Fhir, &[pair()], &rows);
    assert_eq!(found.len(), 2, "two records are the pair");
    for entry in &found {
        let id = entry["resource"]["id"].as_str().unwrap();
        assert_eq!(entry["fullUrl"], format!("urn:uuid:{id}"));
    }
}

#[test]
fn a_blood_pressure_is_one_observation_and_its_records_none() {
    let rows = [
        ("bloodPressureSystolic", Ok(120.0), 0),
        ("bloodPressureDiastolic", Ok(79.5), 0),
        ("bloodPressureSystolic", Ok(133.0), 0),
    ];
    let found = resources(Standard::FhirLines, &[pair()], &rows);
    assert_eq!(found.len(), 2);
    let components = found[0]["component"].as_array().unwrap();
    let numbers: Vec<_> = components
        .iter()
        .map(|part| {
            let code = part["code"]["coding"][0]["code"].as_str().unwrap();
            (code, part["valueQuantity"]["value"].as_f64().unwrap())
        })
        .collect();
    assert_eq!(numbers, [("8480-6", 120.0), ("8462-4", 79.5)]);
    assert_eq!(found[0]["code"]["coding"][0]["code"], "85354-9");
    assert!(found[0].get("valueQuantity").is_none());
    // One without a partner stays an observation of its own.
    assert_eq!(found[1]["code"]["coding"][0]["code"], "8480-6");

    let found = resources(Standard::OpenMHealth, &[pair()], &rows);
    assert_eq!(found.len(), 1);
    let expected = json!({
        "systolic_blood_pressure": {"value": 120, "unit": "mmHg"},
        "diastolic_blood_pressure": {"value": 79.5, "unit": "mmHg"},
        "effective_time_frame": {"date_time": "2026-01-10T05:00:00Z"},
    });
    assert_eq!(found[0]["body"], expected);
}

#[test]
fn data_points_name_their_schema() {
    let rows = [
        ("steps", Ok(12.0), 0),
        ("restingHeartRate", Ok(52.0), 0),
        ("sleepAnalysis", Err("asleepCore"), 1_800_500),
        ("sleepAnalysis", Err("inBed"), 1_800_500),
        ("distanceCycling", Ok(5012.5), 60_000),
    ];
    let found = resources(Standard::OpenMHealth, &[], &rows);
    assert_eq!(found.len(), 4);
    let header = json!({
        "id": "10101010-1010-1010-1010-101010101010",
        "creation_date_time": "2026-01-09T23:06:40Z",
        "schema_id": {"namespace": "omh", "name": "step-count", "version": "3.0"},
        "acquisition_provenance": {
            "source_name": "Ana’s \"Watch\"",
            "source_creation_date_time": "2026-01-10T05:00:01.500Z",
        },
    });
    assert_eq!(found[0]["header"], header);
    // Steps are counted over a time, even over none.
    let interval = json!({"time_interval": {
        "start_date_time": "2026-01-10T05:00:00Z", "end_date_time": "2026-01-10T05:00:00Z"}});
    assert_eq!(found[0]["body"]["effective_time_frame"], interval);
    assert_eq!(
        found[1]["body"]["temporal_relationship_to_physical_activity"],
        "at rest"
    );
    let slept = json!({"value": 1800.5, "unit": "sec"});
    assert_eq!(found[2]["body"]["sleep_duration"], slept);
    assert_eq!(found[3]["body"]["activity_name"], "cycling");
    let empty = written(Standard::OpenMHealth, &[], &[]).0;
    assert_eq!(empty, "[]\n");
}

#[test]
fn what_cannot_be_said_is_counted() {
    let rows = [
        ("steps", Ok(12.0), 0),
        ("dietaryWater", Ok(1.0), 0),
        ("dietaryWater", Ok(1.0), 0),
        ("heartRate", Err("nonsense"), 0),
        ("heartRateVariability", Ok(55.0), 0),
    ];
    for (standard, expected) in [
        (
            Standard::FhirLines,
            vec![("dietaryWater", 2), ("heartRate", 1)],
        ),
        (
            Standard::OpenMHealth,
            vec![
                ("dietaryWater", 2),
                ("heartRate", 1),
                ("heartRateVariability", 1),
            ],
        ),
    ] {
        let (_, clinical) = written(standard, &[], &rows);
        assert_eq!(clinical.left_out().collect::<Vec<_>>(), expected);
        let left_out: u64 = clinical.left_out().map(|(_, count)| count).sum();
        assert_eq!(clinical.written() + left_out, 5);
    }
}

#[test]
fn foreign_texts_and_dates_stay_in_their_place() {
    let mut clinical = Clinical::new(Standard::FhirLines, MADE_MS);
    let mut out = Vec::new();
    clinical.batch(&hard_samples(true), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    for line in text.lines() {
        let found: Value = serde_json::from_str(line).unwrap();
        assert_eq!(found["resourceType"], "Observation");
    }
    let left_out: u64 = clinical.left_out().map(|(_, count)| count).sum();
    assert_eq!(clinical.written() + left_out, 5);
    // A year that has five digits cannot be said.
    let far = Pressure {
        end_ms: 253_402_300_800_000,
        ..pair()
    };
    let mut out = Vec::new();
    clinical.pressure(&far, &mut out);
    assert!(out.is_empty());
    assert!(
        clinical
            .left_out()
            .any(|(name, count)| (name, count) == ("bloodPressure", 1))
    );
}

/// The lines of one batch, and what it left out.
fn lines_of(standard: Standard, batch: &SampleBatch) -> (Vec<Value>, Vec<(String, u64)>) {
    let mut clinical = Clinical::new(standard, MADE_MS);
    let mut out = Vec::new();
    clinical.start(&mut out);
    clinical.batch(batch, &mut out).unwrap();
    clinical.finish(&mut out);
    let text = String::from_utf8(out).unwrap();
    let values = match standard {
        Standard::OpenMHealth => serde_json::from_str(&text).unwrap(),
        Standard::Fhir | Standard::FhirLines => text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    };
    let left_out = clinical.left_out();
    let left_out = left_out.map(|(name, count)| (name.to_owned(), count));
    (values, left_out.collect())
}

#[test]
fn a_number_in_a_foreign_unit_is_left_out() {
    // A store keeps a unit that it does not know as it was printed.
    let rows = [("weight", Ok(11.0), 0), ("heartRate", Ok(72.0), 0)];
    let unit = |kind: &'static str| {
        if kind == "weight" {
            "stone"
        } else {
            "count/min"
        }
    };
    let batch = samples_of(&rows, &unit, ("Scale", "x"));
    for standard in [Standard::FhirLines, Standard::OpenMHealth] {
        let (found, left_out) = lines_of(standard, &batch);
        assert_eq!(found.len(), 1);
        assert_eq!(left_out, [("weight".to_owned(), 1)]);
    }
}

#[test]
fn no_code_is_invented_for_a_category() {
    let rows = [
        ("sleepAnalysis", Err("snoring, 17"), 60_000),
        ("sleepAnalysis", Err("inBed"), 60_000),
        ("sleepAnalysis", Err(""), 60_000),
        ("sleepAnalysis", Err(" \u{7}"), 60_000),
    ];
    let (found, left_out) = lines_of(Standard::FhirLines, &samples(&rows));
    assert_eq!(
        found[0]["valueCodeableConcept"],
        json!({"text": "snoring, 17"})
    );
    assert_eq!(
        found[1]["valueCodeableConcept"]["coding"][0]["code"],
        "HKCategoryValueSleepAnalysisInBed"
    );
    assert_eq!(found.len(), 2);
    assert_eq!(left_out, [("sleepAnalysis".to_owned(), 2)]);
}

#[test]
fn who_wrote_it_is_never_an_empty_text() {
    for (source, device, expected) in [
        ("\u{7}", "\u{1b} ", None),
        (" \u{7}", "Watch", Some("Watch")),
        ("Scale\u{7} ", "\u{7}", Some("Scale")),
        ("Scale", " Watch\u{7}", Some("Scale (Watch)")),
    ] {
        let rows = [("heartRate", Ok(72.0), 0)];
        let batch = samples_of(&rows, &|_| "count/min", (source, device));
        let (found, _) = lines_of(Standard::FhirLines, &batch);
        assert_eq!(
            found[0].get("device").map(|device| &device["display"]),
            expected.map(Value::from).as_ref(),
            "{source:?} {device:?}"
        );
        let (found, _) = lines_of(Standard::OpenMHealth, &batch);
        let provenance = found[0]["header"].get("acquisition_provenance");
        let name = provenance.map(|provenance| provenance["source_name"].clone());
        let expected = source.starts_with("Scale").then(|| Value::from("Scale"));
        assert_eq!(name, expected, "{source:?}");
    }
}
