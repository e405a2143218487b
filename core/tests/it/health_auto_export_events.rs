//! What Health Auto Export keeps beside metrics and workouts.

use healthsync_core::{
    document::Noun,
    store::{Store, StoredDocument},
};
use serde_json::{Value, json};

use crate::{
    documents::{columns, documents, reasons, tallies},
    fixtures::import,
    health_auto_export::kept,
    import::column,
};

pub(crate) fn of(section: &str, elements: &str) -> String {
    format!("{{\"data\":{{\"{section}\":[{elements}]}}}}")
}

/// Imports the file, and again as a phone in another zone with 12 hours prints it.
pub(crate) fn kept_once(
    section: &str,
    elements: &str,
    others: &[(&str, &str)],
) -> (Store, Vec<(String, u64)>) {
    let text = of(section, elements);
    let (mut store, first) = kept(&text);
    let other = others.iter().fold(text.clone(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    for again in [text, other] {
        let again = import(&mut store, again.as_bytes()).expect("an import");
        assert_eq!((again.new, again.updated), (0, 0));
        for (noun, [_, new, updated, _]) in tallies(&again) {
            assert_eq!((new, updated), (0, 0), "{noun}");
        }
    }
    let told = reasons(&first).into_iter();
    let told = told
        .map(|(reason, count)| (reason.to_owned(), count))
        .collect();
    (store, told)
}

pub(crate) fn only(store: &Store, noun: Noun) -> (StoredDocument, Value) {
    let mut found = documents(store, noun);
    assert_eq!(found.len(), 1, "{noun}");
    let document = found.remove(0);
    let body = serde_json::from_str(&document.body).expect("JSON");
    (document, body)
}

pub(crate) const MORNING: (&str, &str) = (
    "2024-09-21 07:57:00 +1000",
    "2024-09-20 9:57:00\u{202f}PM +0000",
);

#[test]
fn electrocardiograms_are_apples_document() {
    let ecg = r#"{"start":"2024-09-21 07:57:00 +1000","end":"2024-09-21 07:57:30 +1000",
        "classification":"Sinus Rhythm","severity":"none","averageHeartRate":64,
        "numberOfVoltageMeasurements":4,"source":"Ana’s Apple Watch","samplingFrequency":512,
        "voltageMeasurements":[{"date":"2024-09-21 07:57:00 +1000","voltage":-265.868,"units":"mcV"},
        {"voltage":0.0105,"units":"mV"},{"voltage":1e-6,"units":"V"},{"units":"mcV"},7,
        {"voltage":12,"units":"mcV"}]}"#;
    let (store, told) = kept_once("ecg", ecg, &[MORNING, ("Sinus Rhythm", "洞調律")]);
    let (document, body) = only(&store, Noun::Ecg);
    assert_eq!(columns(&store, &document), [[-265.868, 10.5, 1.0, 12.0]]);
    assert_eq!(document.end_ms - document.start_ms, 8);
    assert_eq!(
        body,
        json!({"averageHeartRate": 64, "numberOfVoltageMeasurements": 4, "sampleRate": 512.0,
               "unit": "µV", "printed": {"classification": "Sinus Rhythm", "severity": "none"}})
    );
    let expected = "voltages of an electrocardiogram that are no numbers".to_owned();
    assert_eq!(told, [(expected, 2)]);
}

#[test]
fn an_electrocardiogram_without_its_rate_or_in_another_unit_is_told() {
    let ecg = |more: &str| {
        format!(
            "{{\"start\":\"2024-09-21 07:57:00 +1000\",\"end\":\"2024-09-21 07:57:30 +1000\"{more}}}"
        )
    };
    let voltages = ",\"voltageMeasurements\":[{\"voltage\":1,\"units\":\"furlong\"}]";
    let all = [
        ecg(voltages),
        ecg(&format!("{voltages},\"samplingFrequency\":512")),
        ecg(""),
        "{}".to_owned(),
    ];
    let (store, imported) = kept(&of("ecg", &all.join(",")));
    assert_eq!(documents(&store, Noun::Ecg).len(), 2);
    assert_eq!(
        reasons(&imported),
        [
            ("electrocardiograms without a sample rate", 1),
            ("electrocardiograms in an unknown unit (kept as printed)", 1),
            ("events without a date that is one", 1),
        ]
    );
}

#[test]
fn moods_and_their_lists() {
    let mood = r#"{"id":"6C3F","start":"2024-09-21 07:57:00 +1000","end":"2024-09-21 07:57:00 +1000",
        "kind":"momentary_emotion","labels":["calm","happy"],"associations":[],"valence":0.25,
        "valenceClassification":5,"metadata":{"HKTimeZone":"Australia/Sydney","n":1}}"#;
    let (store, told) = kept_once("stateOfMind", mood, &[MORNING]);
    assert!(told.is_empty(), "{told:?}");
    let (document, body) = only(&store, Noun::StateOfMind);
    assert_eq!(
        body,
        json!({"kind": "momentary_emotion", "labels": ["calm", "happy"], "associations": [],
               "valence": 0.25, "valenceClassification": 5})
    );
    let metadata = document.metadata.expect("metadata");
    assert_eq!(metadata, r#"{"HKTimeZone":"Australia/Sydney","n":"1"}"#);
    // One that was changed is an update: its id stays.
    let mut store = store;
    let changed = of("stateOfMind", &mood.replace("0.25", "-0.5"));
    let again = import(&mut store, changed.as_bytes()).expect("an import");
    assert_eq!(tallies(&again)["stateOfMind"], [1, 0, 1, 0]);
}

#[test]
fn doses_of_one_instant_are_told_apart() {
    let dose = |code: &str, status: &str| {
        format!(
            "{{\"displayText\":\"Drug {code}\",\"start\":\"2024-09-21 07:57:00 +1000\",\
             \"scheduledDate\":\"2024-09-21 07:57:00 +1000\",\"form\":\"Tablet\",\"status\":\"{status}\",\
             \"isArchived\":false,\"dosage\":1.5,\"codings\":[{{\"system\":\"rxnorm\",\"code\":\"{code}\"}}]}}"
        )
    };
    let due = r#"{"displayText":"Drug 3","scheduledDate":"2024-09-21 07:57:00 +1000","status":"Skipped"}"#;
    let all = [dose("1", "Taken"), dose("2", "Taken"), due.to_owned()].join(",");
    let (mut store, told) = kept_once("medications", &all, &[MORNING]);
    assert!(told.is_empty(), "{told:?}");
    let found = documents(&store, Noun::Medication);
    assert_eq!(found.len(), 3);
    let body: Value = serde_json::from_str(&found[0].body).expect("JSON");
    assert_eq!(body["scheduledDate"], "2024-09-20T21:57:00Z");
    let changed = of(
        "medications",
        &[dose("2", "Skipped"), dose("1", "Taken")].join(","),
    );
    let again = import(&mut store, changed.as_bytes()).expect("an import");
    assert_eq!(tallies(&again)["medication"], [2, 0, 1, 1]);
}

#[test]
fn symptoms_and_cycles_are_healthkits_categories() {
    let event = |name: &str, value: &str| {
        format!(
            "{{\"start\":\"2024-09-21 07:57:00 +1000\",\"end\":\"2024-09-21 08:57:00 +1000\",\
             \"name\":\"{name}\",{value}\"userEntered\":true,\"source\":\"Health\"}}"
        )
    };
    let symptoms = [
        event("Headache", "\"severity\":\"Moderate\","),
        event("Fever", "\"severity\":\"mäßig\","),
        event("Kopfschmerzen", "\"severity\":\"Mild\","),
        event("Heart Rate", ""),
        "{\"name\":\"Fever\"}".to_owned(),
        event("", ""),
    ];
    let (store, told) = kept_once("symptoms", &symptoms.join(","), &[MORNING]);
    let rows = |store: &Store| {
        let columns = ["type", "category", "metadata"].map(|name| column(store, name));
        (0..columns[0].len())
            .map(|row| {
                columns
                    .each_ref()
                    .map(|column| column[row].clone())
                    .join(" ")
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        rows(&store),
        [
            r#"fever  {"value":"mäßig","HKWasUserEntered":"1"}"#,
            r#"headache moderate {"HKWasUserEntered":"1"}"#,
            r#"symptomHeartRate  {"name":"Heart Rate","HKWasUserEntered":"1"}"#,
            r#"symptomKopfschmerzen  {"value":"Mild","name":"Kopfschmerzen","HKWasUserEntered":"1"}"#,
        ]
    );
    let told: Vec<_> = told
        .iter()
        .map(|(reason, count)| (reason.as_str(), *count))
        .collect();
    assert_eq!(
        told,
        [
            (
                "unknown or missing value of `fever`, kept as printed in the metadata",
                1
            ),
            ("unknown type, kept as `symptomKopfschmerzen`", 1),
            ("unknown type, kept as `symptomHeartRate`", 1),
            ("events without a date that is one", 1),
            ("events without a name", 1),
        ]
    );
    let cycle = [
        event("Menstruation", "\"value\":\"Heavy\",\"isCycleStart\":true,"),
        event("Sexual Activity", "\"value\":\"Protection Used\","),
        event("Spotting", ""),
    ];
    let (store, told) = kept_once("cycleTracking", &cycle.join(","), &[MORNING]);
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(
        rows(&store),
        [
            r#"intermenstrualBleeding notApplicable {"HKWasUserEntered":"1"}"#,
            r#"menstrualFlow heavy {"isCycleStart":"true","HKWasUserEntered":"1"}"#,
            r#"sexualActivity notApplicable {"HKSexualActivityProtectionUsed":"1","HKWasUserEntered":"1"}"#,
        ]
    );
}

#[test]
fn a_notification_is_of_the_kind_that_its_rates_say() {
    let event = |more: &str| {
        format!(
            "{{\"start\":\"2024-09-21 07:57:00 +1000\",\"end\":\"2024-09-21 08:07:00 +1000\"{more}}}"
        )
    };
    let rates = |threshold: u32, rates: &str| {
        event(&format!(
            ",\"threshold\":{threshold},\"heartRate\":[{rates}],\"heartRateVariation\":[]"
        ))
    };
    let all = [
        rates(120, r#"{"hr":121,"units":"bpm"},{"hr":130}"#),
        rates(40, r#"{"hr":38}"#),
        rates(100, r#"{"hr":99},{"hr":101}"#),
        rates(100, ""),
        event(",\"type\":\"Irregular Rhythm\""),
    ];
    let (store, told) = kept_once("heartRateNotifications", &all.join(","), &[MORNING]);
    let kinds = [
        "heartRateNotification",
        "heartRateNotification",
        "highHeartRateEvent",
        "irregularHeartRhythmEvent",
        "lowHeartRateEvent",
    ];
    assert_eq!(column(&store, "type"), kinds);
    assert_eq!(column(&store, "category"), ["notApplicable"; 5]);
    let high = &column(&store, "metadata")[2];
    let high: Value = serde_json::from_str(high).expect("JSON");
    assert_eq!(high["HKHeartRateEventThreshold"], "120 count/min");
    assert_eq!(
        high["heartRate"],
        r#"[{"hr":121,"units":"bpm"},{"hr":130}]"#
    );
    assert_eq!(
        told,
        [(
            "heart rate notifications that do not say which, kept as `heartRateNotification`"
                .to_owned(),
            2
        )]
    );
}
