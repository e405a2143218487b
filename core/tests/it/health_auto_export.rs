//! The traps of Health Auto Export's JSON.

use healthsync_core::{
    document::Noun,
    report::Hint as _,
    store::{Imported, Range, Store},
};

use crate::{
    fixtures::{import, read, store},
    import::column,
};

/// A file with these metrics and workouts (JSON, as it stands).
pub(crate) fn file(metrics: &str, workouts: &str) -> String {
    format!("{{\"data\":{{\"metrics\":[{metrics}],\"workouts\":[{workouts}]}}}}")
}

/// A file of one metric.
fn metric(name: &str, units: &str, points: &str) -> String {
    let metric = format!("{{\"name\":\"{name}\",\"units\":\"{units}\",\"data\":[{points}]}}");
    file(&metric, "")
}

pub(crate) fn kept(text: &str) -> (Store, Imported) {
    let mut store = store();
    let imported = import(&mut store, text.as_bytes()).expect("an import");
    (store, imported)
}

fn reasons(imported: &Imported) -> Vec<(u64, &str)> {
    let of = |skipped: &'_ healthsync_core::store::SkippedCount| skipped.count;
    imported
        .skipped
        .iter()
        .map(|skipped| (of(skipped), skipped.reason.as_str()))
        .collect()
}

/// Names and values of all samples, in order.
fn values(store: &Store) -> Vec<(String, String, String)> {
    let (kinds, units, values) = (
        column(store, "type"),
        column(store, "unit"),
        column(store, "value"),
    );
    kinds
        .into_iter()
        .zip(units)
        .zip(values)
        .map(|((kind, unit), value)| (kind, unit, value))
        .collect()
}

fn row(kind: &str, unit: &str, value: &str) -> (String, String, String) {
    (kind.to_owned(), unit.to_owned(), value.to_owned())
}

#[test]
fn two_prints_of_one_number_are_one_record() {
    let mut store = store();
    let first = import(&mut store, &read("hae/irvinlim_marshal_test_01.json")).expect("an import");
    assert_eq!(first.new, 2);
    let again = import(&mut store, &read("hae/irvinlim_marshal_test_05.json")).expect("an import");
    assert_eq!((again.new, again.updated, again.unchanged), (0, 0, 2));
    assert_eq!(column(&store, "unit"), ["kcal", "kcal"]);
}

#[test]
fn twelve_hours_and_a_narrow_space() {
    let (store, _) = kept(&metric(
        "weight_body_mass",
        "lb",
        "{\"qty\":100,\"date\":\"2024-09-21 7:57:03\u{202f}pm +1000\",\"source\":\"Scale\"}",
    ));
    assert_eq!(values(&store), [row("weight", "kg", "45.359237")]);
    assert_eq!(column(&store, "sourceName"), ["Scale"]);
    let mut other = store;
    let same = metric(
        "weight_body_mass",
        "kg",
        "{\"qty\":45.359237,\"date\":\"2024-09-21 19:57:03 +1000\",\"source\":\"Scale\"}",
    );
    let again = import(&mut other, same.as_bytes()).expect("an import");
    assert_eq!((again.new, again.updated, again.unchanged), (0, 0, 1));
}

#[test]
fn a_metric_may_name_itself_behind_its_data() {
    let metric = "{\"data\":[{\"qty\":5,\"date\":\"2024-01-01 10:00:07 +0000\"}],\
                  \"units\":\"count\",\"name\":\"step_count\"}";
    let (store, imported) = kept(&file(
        &format!("{{\"data\":null,\"name\":\"x\"}},{metric}"),
        "",
    ));
    assert!(imported.skipped.is_empty(), "{:?}", imported.skipped);
    assert_eq!(values(&store), [row("steps", "count", "5")]);
    assert_eq!(column(&store, "sourceName"), ["Health Auto Export"]);
}

#[test]
fn sums_are_told_from_records() {
    let point = |date: &str| {
        format!("{{\"qty\":7.5,\"date\":\"{date} +0200\",\"source\":\"Watch|iPhone\"}}")
    };
    let hours = [point("2024-05-01 10:00:00"), point("2024-05-01 11:00:00")].join(",");
    let (store, _) = kept(&metric("step_count", "count", &hours));
    assert_eq!(
        column(&store, "sourceName"),
        ["Watch|iPhone (Health Auto Export)"; 2]
    );
    assert_eq!(
        column(&store, "metadata"),
        ["{\"HealthAutoExportSpan\":\"hour\"}"; 2]
    );
    // The span is as long as the sum.
    let lengths = |store: &Store| {
        let mut csv = Vec::new();
        store
            .scan(&healthsync_core::query::Query::default(), &mut |batch| {
                let column = |name| {
                    arrow_array::cast::AsArray::as_primitive::<
                        arrow_array::types::TimestampMillisecondType,
                    >(batch.columns().column_by_name(name).expect("a column"))
                    .clone()
                };
                let (start, end) = (column("startDate"), column("endDate"));
                for row in 0..batch.len() {
                    csv.push(end.value(row) - start.value(row));
                }
                std::ops::ControlFlow::Continue(())
            })
            .expect("a scan");
        csv
    };
    assert_eq!(lengths(&store), [3_600_000; 2]);
    let records = [point("2024-05-01 10:00:01"), point("2024-05-01 11:00:00")].join(",");
    let (store, _) = kept(&metric("step_count", "count", &records));
    assert_eq!(lengths(&store), [0; 2]);
}

/// The app exports a day in the evening, and the week on Sunday.
#[test]
fn the_sum_of_a_day_is_the_same_alone_and_among_others() {
    let point =
        |day: u32| format!("{{\"qty\":{day}50,\"date\":\"2024-05-0{day} 00:00:00 +0200\"}}");
    let (mut store, _) = kept(&metric("step_count", "count", &point(2)));
    assert_eq!(
        column(&store, "metadata"),
        ["{\"HealthAutoExportSpan\":\"day\"}"]
    );
    let week = [point(1), point(2), point(3)].join(",");
    let week = metric("step_count", "count", &week);
    let imported = import(&mut store, week.as_bytes()).expect("an import");
    assert_eq!((imported.new, imported.unchanged), (2, 1));
}

#[test]
fn means_keep_their_bounds() {
    let (store, _) = kept(&metric(
        "heart_rate",
        "bpm",
        "{\"date\":\"2024-02-06 14:30:00 -0800\",\"Min\":65,\"Avg\":72,\"Max\":85}",
    ));
    assert_eq!(values(&store), [row("heartRate", "count/min", "72")]);
    assert_eq!(
        column(&store, "metadata"),
        ["{\"HealthAutoExportSpan\":\"minute\",\"minimum\":\"65\",\"maximum\":\"85\"}"]
    );
}

#[test]
fn percentages_are_fractions_and_glucose_has_a_mass() {
    let date = "\"date\":\"2024-02-06 14:30:01 -0800\"";
    for (name, unit, number, expected) in [
        (
            "blood_oxygen_saturation",
            "%",
            "97",
            row("bloodOxygen", "%", "0.97"),
        ),
        (
            "walking_asymmetry_percentage",
            "%",
            "0.8",
            row("walkingAsymmetryPercentage", "%", "0.008"),
        ),
        (
            "body_temperature",
            "degF",
            "98.6",
            row("bodyTemperature", "degC", "37"),
        ),
        (
            "active_energy",
            "kJ",
            "4.184",
            row("activeEnergyBurned", "kcal", "1"),
        ),
        (
            "blood_glucose",
            "mmol/L",
            "0",
            row("bloodGlucose", "mg/dL", "0"),
        ),
        (
            "apple_stand_hour",
            "count",
            "1",
            row("appleStandHour", "count", "1"),
        ),
        ("step_count", "furlong", "3", row("steps", "furlong", "3")),
    ] {
        let (store, _) = kept(&metric(name, unit, &format!("{{{date},\"qty\":{number}}}")));
        assert_eq!(values(&store), [expected]);
    }
}

#[test]
fn a_pressure_is_a_pair() {
    let (store, imported) = kept(&metric(
        "blood_pressure",
        "mmHg",
        "{\"date\":\"2024-02-06 14:30:01 -0800\",\"systolic\":120,\"diastolic\":80}",
    ));
    assert_eq!((imported.read, imported.correlations.new), (2, 1));
    assert!(imported.skipped.is_empty(), "{:?}", imported.skipped);
    assert_eq!(
        values(&store),
        [
            row("bloodPressureDiastolic", "mmHg", "80"),
            row("bloodPressureSystolic", "mmHg", "120"),
        ]
    );
}

#[test]
fn stages_in_another_language_are_named_and_not_guessed() {
    let stage = |value: &str| {
        format!(
            "{{\"startDate\":\"2024-02-06 01:00:00 +0100\",\"endDate\":\"2024-02-06 02:00:00 +0100\",\
             \"qty\":1,\"value\":\"{value}\",\"source\":\"Watch\"}}"
        )
    };
    let points = [stage("Core"), stage("Kern"), stage("In Bed")].join(",");
    let (store, imported) = kept(&metric("sleep_analysis", "hr", &points));
    let mut stages = column(&store, "category");
    stages.sort();
    assert_eq!(stages, ["asleepCore", "inBed"]);
    assert_eq!(
        reasons(&imported),
        [(1, "sleep stages of an unknown name (in another language?)")]
    );
}

#[test]
fn a_summed_night_is_durations_and_no_stages() {
    let (store, imported) =
        kept(&String::from_utf8(read("hae/irvinlim_marshal_test_09.json")).expect("text"));
    let kinds = column(&store, "type");
    assert!(!kinds.contains(&"sleepAnalysis".to_owned()));
    assert!(kinds.contains(&"sleepDurationREM".to_owned()), "{kinds:?}");
    assert_eq!(imported.read, 6);
    let place = kinds.iter().position(|kind| kind == "sleepDurationDeep");
    let deep: f64 = column(&store, "value")[place.expect("deep sleep")]
        .parse()
        .expect("a number");
    assert!((deep - 51.5).abs() < 1e-6, "{deep} min");
}

#[test]
fn workouts_of_both_versions() {
    for (workout, points) in [
        (
            "{\"name\":\"Walking\",\"start\":\"2021-12-24 08:02:43 +0800\",\
              \"end\":\"2021-12-24 08:21:53 +0800\",\"heartRateData\":[{\"qty\":100,\"units\":\"bpm\",\
              \"date\":\"2021-12-24 08:02:47 +0800\"},{\"qty\":110,\"units\":\"bpm\",\"date\":\"x\"}],\
              \"stepCount\":{\"qty\":908,\"units\":\"steps\"},\
              \"activeEnergy\":{\"qty\":418.4,\"units\":\"kJ\"},\"route\":[{\"lat\":38.8951,\
              \"lon\":-77.0364,\"altitude\":8.0,\"timestamp\":\"2021-12-24 08:04:45 +0800\"}]}",
            2,
        ),
        (
            "{\"id\":\"A-1\",\"name\":\"Outdoor Walk\",\"start\":\"2021-12-24 8:02:43\u{202f}AM +0800\",\
              \"end\":\"2021-12-24 8:21:53\u{202f}AM +0800\",\"duration\":1150,\
              \"heartRate\":{\"min\":{},\"units\":\"bpm\",\"avg\":105},\
              \"stepCount\":[{\"qty\":900,\"units\":\"count\"},{\"qty\":8,\"units\":\"count\"}],\
              \"activeEnergyBurned\":{\"qty\":100,\"units\":\"kcal\"},\
              \"route\":[{\"latitude\":38.8951,\"longitude\":-77.0364,\"altitude\":8.0,\
              \"timestamp\":\"2021-12-24 08:04:45 +0800\"},{\"latitude\":1}]}",
            2,
        ),
    ] {
        let (store, imported) = kept(&file("", workout));
        assert_eq!((imported.read, imported.workouts.new), (0, 1));
        assert_eq!(imported.documents[&Noun::Route].new, 1);
        assert!(reasons(&imported).contains(&(
            points,
            "points within workouts (their total or mean is kept)"
        )));
        let mut found = Vec::new();
        store
            .workouts(&Range::default(), &mut |workout| {
                found.push(workout);
                std::ops::ControlFlow::Continue(())
            })
            .expect("workouts");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].activity, "walking");
        let sum = |kind: &str| {
            let statistic = found[0].statistics.iter().find(|own| own.kind == kind);
            let statistic = statistic.expect("a statistic");
            statistic
                .sum
                .or(statistic.average)
                .expect("a number")
                .round()
                .to_string()
        };
        assert_eq!(
            [sum("steps"), sum("activeEnergyBurned"), sum("heartRate")],
            ["908", "100", "105"]
        );
        let mut store = store;
        let again = import(&mut store, file("", workout).as_bytes()).expect("again");
        assert_eq!((again.workouts.new, again.workouts.unchanged), (0, 1));
        assert_eq!(again.documents[&Noun::Route].unchanged, 1);
    }
}

#[test]
fn what_is_not_kept_is_named() {
    let text = "{\"data\":{\"metrics\":[{\"name\":\"step_count\",\"units\":\"count\",\"data\":[\
                {\"qty\":1,\"date\":\"2024-01-01 10:00:07 +0000\"},{\"qty\":1,\"date\":\"soon\"},\
                {\"date\":\"2024-01-01 10:00:08 +0000\"},7]},{\"name\":\"novelty\",\"units\":\"count\",\
                \"data\":[{\"qty\":1,\"date\":\"2024-01-01 10:00:07 +0000\"}]}],\
                \"stateOfMind\":[{},{}],\"ecg\":[],\"gadgets\":{\"a\":[1,{}]}}}";
    let (store, imported) = kept(text);
    assert_eq!(imported.read, 2);
    assert_eq!(
        reasons(&imported),
        [
            (2, "points without a date that is one"),
            (1, "points without a number"),
            (1, "unknown type, kept as `novelty`"),
            (2, "events without a date that is one"),
            (1, "unknown section `gadgets`"),
        ]
    );
    assert_eq!(
        values(&store),
        [row("novelty", "count", "1"), row("steps", "count", "1")]
    );
}

#[test]
fn a_cut_is_never_a_success() {
    let whole = read("hae/irvinlim_marshal_test_05.json");
    let text = String::from_utf8(whole).expect("text");
    let whole = text.trim_end().as_bytes();
    for cut in 100..whole.len() {
        let error = import(&mut store(), &whole[..cut]).expect_err("a cut");
        assert!(
            ["TRUNCATED_EXPORT", "NOT_AN_EXPORT"].contains(&error.code()),
            "{cut}: {error}"
        );
    }
    let behind = format!("{text} x");
    let error = import(&mut store(), behind.as_bytes()).expect_err("text behind the end");
    assert_eq!(error.code(), "MALFORMED_EXPORT");
    let endless = format!(
        "{{\"data\":{{\"metrics\":[{{\"name\":\"{}",
        "x".repeat(3 << 20)
    );
    let error = import(&mut store(), endless.as_bytes()).expect_err("a text without end");
    assert_eq!(error.code(), "MALFORMED_EXPORT");
    let deep = format!("{{\"data\":{{\"metrics\":{}", "[".repeat(5000));
    let error = import(&mut store(), deep.as_bytes()).expect_err("a pit");
    assert_eq!(error.code(), "MALFORMED_EXPORT");
}
