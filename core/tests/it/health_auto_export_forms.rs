//! Health Auto Export documents little of what it writes beside metrics and workouts: other forms of
//! it lose nothing without a word, and never the rest of the file.

use healthsync_core::{
    document::Noun,
    store::{Imported, Store},
};
use serde_json::{Value, json};

use crate::{
    documents::{columns, documents, reasons},
    health_auto_export::kept,
    health_auto_export_events::{MORNING, kept_once, of, only},
    import::column,
};

const AT: &str = "\"start\":\"2024-09-21 07:57:00 +1000\"";

/// An element that begins in the morning.
fn event(more: &str) -> String {
    format!("{{{AT},{more}}}")
}

/// Type, unit, value, category and metadata of all samples, in order.
fn rows(store: &Store) -> Vec<String> {
    let columns = ["type", "unit", "value", "category", "metadata"].map(|name| column(store, name));
    (0..columns[0].len())
        .map(|row| {
            let cells = columns.each_ref().map(|column| column[row].clone());
            let cells: Vec<_> = cells.into_iter().filter(|cell| !cell.is_empty()).collect();
            cells.join(" ")
        })
        .collect()
}

/// What becomes of one element, and whether it is told.
fn one(section: &str, more: &str) -> (String, bool) {
    let (store, imported) = kept(&of(section, &event(more)));
    let mut rows = rows(&store);
    assert_eq!(rows.len(), 1, "{more}");
    (rows.remove(0), !imported.skipped.is_empty())
}

#[test]
fn a_printed_value_becomes_the_value_or_stays() {
    for (more, expected, is_told) in [
        (
            "\"name\":\"Menstruation\",\"flow\":4",
            "menstrualFlow heavy",
            false,
        ),
        (
            "\"name\":\"Headache\",\"value\":3.0",
            "headache moderate",
            false,
        ),
        (
            "\"name\":\"Pregnancy Test\",\"result\":2",
            "pregnancyTestResult positive",
            false,
        ),
        (
            "\"name\":\"Headache\",\"value\":-1",
            r#"headache {"value":"-1"}"#,
            true,
        ),
        (
            "\"name\":\"Headache\",\"value\":true",
            r#"headache {"value":"true"}"#,
            true,
        ),
        (
            "\"name\":\"Headache\",\"value\":[\"x\"]",
            r#"headache {"value":"[\"x\"]"}"#,
            true,
        ),
        (
            "\"name\":\"Menstruation\",\"value\":2,\"flow\":\"Heavy\"",
            r#"menstrualFlow heavy {"value":"2"}"#,
            false,
        ),
        (
            "\"name\":\"Headache\",\"severity\":\"schwer\",\"value\":4",
            r#"headache severe {"severity":"schwer"}"#,
            false,
        ),
        (
            "\"name\":\"Headache\",\"type\":\"Symptom\",\"severity\":\"Mild\"",
            r#"headache mild {"type":"Symptom"}"#,
            false,
        ),
    ] {
        assert_eq!(
            one("cycleTracking", more),
            (expected.to_owned(), is_told),
            "{more}"
        );
    }
}

#[test]
fn a_basal_body_temperature_is_a_quantity() {
    for (more, expected, is_told) in [
        (
            "\"value\":36.6,\"units\":\"degC\",\"note\":\"x\"",
            r#"basalBodyTemperature degC 36.6 {"note":"x"}"#,
            false,
        ),
        (
            "\"value\":\"98.6\",\"units\":\"degF\"",
            "basalBodyTemperature degC 37",
            false,
        ),
        (
            "\"value\":36.6",
            r#"cycleBasalBodyTemperature {"value":"36.6","name":"Basal Body Temperature"}"#,
            true,
        ),
        (
            "\"value\":36.6,\"units\":\"kg\"",
            r#"cycleBasalBodyTemperature {"value":"36.6","name":"Basal Body Temperature","units":"kg"}"#,
            true,
        ),
    ] {
        let more = format!("\"name\":\"Basal Body Temperature\",{more}");
        assert_eq!(
            one("cycleTracking", &more),
            (expected.to_owned(), is_told),
            "{more}"
        );
    }
}

#[test]
fn what_nobody_knows_is_told_and_keeps_its_name() {
    for (section, more, expected) in [
        // No symptom, so it has no severity.
        (
            "symptoms",
            "\"name\":\"Sleep Analysis\",\"value\":3",
            r#"sleepAnalysis {"value":"3"}"#,
        ),
        (
            "cycleTracking",
            "\"name\":\"Sexual Activity\",\"value\":\"Geschützt\"",
            r#"sexualActivity notApplicable {"value":"Geschützt"}"#,
        ),
        ("symptoms", "\"name\":\"🤕\"", r#"symptom {"name":"🤕"}"#),
        (
            "symptoms",
            "\"name\":\"Mal di testa\",\"severity\":2",
            r#"symptomMalDiTesta {"value":"2","name":"Mal di testa"}"#,
        ),
    ] {
        assert_eq!(one(section, more), (expected.to_owned(), true), "{more}");
    }
    let (_, told) = one("cycleTracking", "\"name\":\"Sexual Activity\",\"value\":0");
    assert!(
        !told,
        "0 is HealthKit's number of a category without values"
    );
}

#[test]
fn a_long_list_of_rates_takes_nothing_else_away() {
    let rate = "{\"hr\":121.5,\"units\":\"bpm\",\"timestamp\":{\"start\":\"2024-09-21 07:57:00 +1000\",\
                \"end\":\"2024-09-21 07:57:00 +1000\",\"interval\":{\"duration\":5,\"units\":\"s\"}}}";
    let rates = vec![rate; 500].join(",");
    let event = format!("{{\"heartRate\":[{rates}],\"threshold\":120,\"source\":\"Watch\",{AT}}}");
    let (store, told) = kept_once("heartRateNotifications", &event, &[MORNING]);
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(column(&store, "type"), ["highHeartRateEvent"]);
    assert_eq!(column(&store, "sourceName"), ["Watch"]);
    let metadata: Value = serde_json::from_str(&column(&store, "metadata")[0]).expect("JSON");
    let rates = metadata["heartRate"].as_str().expect("a text");
    assert_eq!(rates.matches("2024-09-20T21:57:00Z").count(), 1000);
    // What is beyond the limit is cut and told; what stands behind it is not.
    let rates = vec!["{\"hr\":121}"; 12_000].join(",");
    let event = format!("{{\"heartRate\":[{rates}],\"threshold\":120,\"source\":\"Watch\",{AT}}}");
    let (store, imported) = kept(&of("heartRateNotifications", &event));
    assert_eq!(reasons(&imported), [("values beyond the limit", 2000)]);
    assert_eq!(column(&store, "type"), ["highHeartRateEvent"]);
    assert_eq!(column(&store, "sourceName"), ["Watch"]);
}

#[test]
fn an_element_of_another_form_is_told_and_the_rest_is_kept() {
    let good = event("\"name\":\"Fever\",\"severity\":\"Mild\",\"classification\":\"x\"");
    let strange = "\"x\",5,-5,0.5,true,[{\"a\":[1]}]";
    for section in [
        "symptoms",
        "cycleTracking",
        "heartRateNotifications",
        "medications",
        "ecg",
    ] {
        let (store, imported) = kept(&of(section, &format!("{strange},{good}")));
        let kept = column(&store, "type").len()
            + documents(&store, Noun::Medication).len()
            + documents(&store, Noun::Ecg).len();
        assert_eq!(kept, 1, "{section}");
        let told = reasons(&imported);
        assert_eq!(told[0], ("elements that are no objects", 6), "{section}");
    }
    let text = format!(
        "{{\"data\":{{\"ecg\":5,\"workouts\":\"\",\"stateOfMind\":{{\"a\":{{}}}},\"symptoms\":[{good}]}}}}"
    );
    let (store, imported) = kept(&text);
    assert_eq!(column(&store, "type"), ["fever"]);
    assert_eq!(reasons(&imported), [("sections that are no lists", 3)]);
    for voltages in ["{\"a\":[1]}", "\"\"", "7"] {
        let ecg = event(&format!("\"voltageMeasurements\":{voltages}"));
        let (store, imported) = kept(&of("ecg", &ecg));
        assert_eq!(documents(&store, Noun::Ecg).len(), 1, "{voltages}");
        let expected = ("voltages of an electrocardiogram that are no numbers", 1);
        assert_eq!(reasons(&imported), [expected], "{voltages}");
    }
}

#[test]
fn a_notification_is_of_the_kind_that_its_exact_name_says() {
    for (more, kind) in [
        ("\"name\":\"Slow\"", "heartRateNotification"),
        ("\"name\":\"Low Cardio Fitness\"", "heartRateNotification"),
        (
            "\"name\":\"Highlights\",\"type\":\"Low Heart Rate\"",
            "lowHeartRateEvent",
        ),
        (
            "\"type\":\"HKCategoryTypeIdentifierHighHeartRateEvent\"",
            "highHeartRateEvent",
        ),
        (
            "\"heartNotification\":\"high_heart_rate_notification\"",
            "highHeartRateEvent",
        ),
        (
            "\"type\":\"Irregular Rhythm Notification\"",
            "irregularHeartRhythmEvent",
        ),
        (
            "\"threshold\":\"120\",\"heartRate\":[{\"hr\":121}]",
            "highHeartRateEvent",
        ),
        (
            "\"threshhold\":{\"qty\":40,\"units\":\"bpm\"},\"heartRate\":[{\"hr\":39}]",
            "lowHeartRateEvent",
        ),
    ] {
        let (row, is_told) = one("heartRateNotifications", more);
        assert!(row.starts_with(&format!("{kind} notApplicable")), "{row}");
        assert_eq!(is_told, kind == "heartRateNotification", "{more}");
        assert_eq!(
            row.contains("HKHeartRateEventThreshold"),
            more.contains("hold"),
            "{row}"
        );
    }
    let (row, _) = one("heartRateNotifications", "\"threshold\":\"hoch\"");
    assert!(row.contains(r#"{"threshold":"hoch"}"#), "{row}");
}

#[test]
fn members_of_another_type_are_understood_or_kept() {
    let symptom = "\"name\":\"Fever\",\"severity\":\"Mild\",";
    for (more, source, metadata) in [
        ("\"source\":{\"name\":\"Apple Watch\"}", "Apple Watch", ""),
        (
            "\"source\":{\"name\":\"Watch\",\"os\":10}",
            "Watch",
            r#"{"source":"{\"name\":\"Watch\",\"os\":10}"}"#,
        ),
        ("\"source\":7", "Health Auto Export", r#"{"source":"7"}"#),
        (
            "\"userEntered\":\"true\"",
            "Health Auto Export",
            r#"{"HKWasUserEntered":"1"}"#,
        ),
        ("\"userEntered\":false", "Health Auto Export", ""),
        (
            "\"userEntered\":\"ja\"",
            "Health Auto Export",
            r#"{"userEntered":"ja"}"#,
        ),
    ] {
        let (store, imported) = kept(&of("symptoms", &event(&format!("{symptom}{more}"))));
        assert!(imported.skipped.is_empty(), "{more}");
        assert_eq!(column(&store, "sourceName"), [source], "{more}");
        assert_eq!(column(&store, "metadata"), [metadata], "{more}");
    }
    let mood = event("\"id\":7,\"metadata\":\"x\",\"valence\":0.5");
    let (store, _) = kept_once("stateOfMind", &mood, &[MORNING]);
    let (_, body) = only(&store, Noun::StateOfMind);
    assert_eq!(body, json!({"metadata": "x", "valence": 0.5}));
    let mood = mood.replace("\"id\":7", "\"id\":[7]");
    let (store, _) = kept(&of("stateOfMind", &mood));
    let (_, body) = only(&store, Noun::StateOfMind);
    assert_eq!(body, json!({"id": [7], "metadata": "x", "valence": 0.5}));
    let ecg = event("\"classification\":2,\"samplingFrequency\":\"512\"");
    let (store, _) = kept_once("ecg", &ecg, &[MORNING]);
    let (_, body) = only(&store, Noun::Ecg);
    assert_eq!(
        body,
        json!({"classification": 2, "sampleRate": 512.0, "unit": "µV"})
    );
}

#[test]
fn dates_of_other_names_do_not_follow_the_zone() {
    let dates = "{\"startDate\":\"2024-09-21 07:57:00 +1000\",\"endDate\":\"2024-09-21 07:57:00 +1000\",\
                 \"scheduledDate\":\"2024-09-21 07:57:00 +1000\"}";
    for (section, noun) in [
        ("stateOfMind", Noun::StateOfMind),
        ("medications", Noun::Medication),
        ("ecg", Noun::Ecg),
    ] {
        let (store, _) = kept_once(section, dates, &[MORNING]);
        let (_, body) = only(&store, noun);
        assert!(!body.to_string().contains("+1000"), "{section}: {body}");
    }
}

#[test]
fn voltages_of_one_recording_are_on_one_scale() {
    let ecg = |voltages: &str| {
        event(&format!(
            "\"samplingFrequency\":512,\"voltageMeasurements\":[{voltages}]"
        ))
    };
    let told = |imported: &Imported| {
        let told = reasons(imported).into_iter();
        told.map(|(reason, count)| (reason.to_owned(), count))
            .collect::<Vec<_>>()
    };
    let foreign = "{\"voltage\":1,\"units\":\"kV\"}";
    let known = "{\"voltage\":1,\"units\":\"mV\"}";
    let (store, imported) = kept(&of("ecg", &ecg(&[foreign, foreign].join(","))));
    let (document, body) = only(&store, Noun::Ecg);
    assert_eq!(columns(&store, &document), [[1.0, 1.0]]);
    assert_eq!(body["unit"], "kV");
    let expected = "electrocardiograms in an unknown unit (kept as printed)";
    assert_eq!(told(&imported), [(expected.to_owned(), 1)]);
    let other = foreign.replace("kV", "GV");
    for mixed in [[known, foreign], [foreign, known], [foreign, &other]] {
        let (store, imported) = kept(&of("ecg", &ecg(&mixed.join(","))));
        let (document, body) = only(&store, Noun::Ecg);
        assert_eq!(document.points, 0);
        assert_eq!(body["unit"], "µV");
        let expected = "electrocardiograms in several units, of which some are unknown \
                        (kept without voltages)";
        assert_eq!(told(&imported), [(expected.to_owned(), 1)]);
    }
}
