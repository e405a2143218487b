//! An import that is killed at each of its steps: the store is as it was, and the import that
//! follows ends as if nothing had happened.

use std::{fmt::Write as _, fs, ops::ControlFlow, os::unix::process::ExitStatusExt as _};

use healthsync_core::{
    document::Noun,
    format::{Options, by_name},
    query::Query,
    store::{Range, Store},
};

use crate::binary::Home;

/// Records of the first export; a batch has 256.
const RECORDS: u32 = 6400;

/// Heart rates, one a minute, from `first` on; rings, a workout with its route, and some of the
/// records with other values.
fn export(day: u32, first: u32, value: u32) -> String {
    let mut text =
        format!("<HealthData>\n<ExportDate value=\"2026-02-{day:02} 00:00:00 +0000\"/>\n");
    let date = |minute: u32| {
        let (day, hour, minute) = (1 + minute / 1440, minute / 60 % 24, minute % 60);
        format!("2026-01-{day:02} {hour:02}:{minute:02}:00 +0000")
    };
    for minute in first..RECORDS {
        let at = date(minute);
        let value = if minute % 5 == 0 { value } else { 60 };
        let _ = writeln!(
            text,
            "<Record type=\"HKQuantityTypeIdentifierHeartRate\" sourceName=\"Watch\" \
             unit=\"count/min\" startDate=\"{at}\" endDate=\"{at}\" value=\"{value}\"/>"
        );
    }
    for ring in first / 1440..4 {
        let _ = writeln!(
            text,
            "<ActivitySummary dateComponents=\"2026-01-{:02}\" appleStandHours=\"{}\"/>",
            ring + 1,
            value % 12
        );
    }
    let (start, end) = (date(first), date(first + 60));
    let _ = write!(
        text,
        "<Workout workoutActivityType=\"HKWorkoutActivityTypeRunning\" sourceName=\"Watch\" \
         startDate=\"{start}\" endDate=\"{end}\">\n<WorkoutRoute sourceName=\"Watch\" \
         startDate=\"{start}\" endDate=\"{end}\">\n<Location date=\"{start}\" latitude=\"1\" \
         longitude=\"{value}\"/>\n</WorkoutRoute>\n</Workout>\n</HealthData>\n"
    );
    text
}

/// All that a store holds, in order.
fn content(home: &Home) -> Vec<String> {
    let path = home.path("data/health.db");
    if !path.exists() {
        return Vec::new();
    }
    let store = Store::open(&path).expect("it opens");
    let options = Options {
        include_metadata: true,
        ..Options::default()
    };
    let query = Query {
        include_metadata: true,
        ..Query::default()
    };
    let mut csv = (by_name("csv").expect("a format").encoder)(&options);
    let mut rows = Vec::new();
    store
        .scan(&query, &mut |batch| {
            csv.batch(&batch, &mut rows).expect("rows");
            ControlFlow::Continue(())
        })
        .expect("a scan");
    let rows = String::from_utf8(rows).expect("text");
    let mut lines: Vec<String> = rows.lines().map(str::to_owned).collect();
    store
        .workouts(&Range::default(), &mut |workout| {
            lines.push(format!("{workout:?}"));
            ControlFlow::Continue(())
        })
        .expect("a scan");
    for noun in Noun::ALL {
        store
            .documents(*noun, &Range::default(), &mut |document| {
                lines.push(format!("{document:?}"));
                ControlFlow::Continue(())
            })
            .expect("a scan");
    }
    lines.push(format!("{:?}", store.types()));
    lines
}

/// Runs an import that dies at a step; says whether it died.
fn dies(home: &Home, text: &str, options: &str, step: Option<u32>) -> bool {
    let path = home.path("export.xml");
    fs::write(&path, text).expect("written");
    let mut command = home.command(&format!("import {} {options}", path.display()));
    if let Some(step) = step {
        command.env("HEALTHSYNC_KILL_AT", step.to_string());
    }
    let status = command.output().expect("the binary runs").status;
    assert!(status.success() || status.signal() == Some(9), "{status:?}");
    !status.success()
}

/// Kills an import at every step, then lets it run; says how many there are.
fn survives(home: &Home, text: &str, options: &str, whole: &[String]) -> u32 {
    let before = content(home);
    assert_ne!(before, whole);
    let mut step = 1;
    loop {
        let died = dies(home, text, options, Some(step));
        assert!(died, "the last step comes when all is written");
        let now = content(home);
        if now == whole {
            assert!(!dies(home, text, options, None));
            assert_eq!(content(home), whole, "once more");
            return step;
        }
        // An empty store was made, with nothing in it.
        assert!(now == before || now == ["Ok([])"], "step {step}");
        step += 1;
    }
}

#[test]
fn an_import_killed_at_any_step_ends_as_if_nothing_had_happened() {
    let (first, second) = (export(1, 0, 70), export(2, 500, 80));
    let steady = Home::new();
    assert!(!dies(&steady, &first, "", None));
    let after_first = content(&steady);
    assert!(!dies(&steady, &second, "--prune --yes", None));
    let after_second = content(&steady);
    // The second one lacks 500 records, and keeps the first route: a bare XML file covers none.
    assert_eq!((after_first.len(), after_second.len()), (6407, 5908));

    let home = Home::new();
    let places = survives(&home, &first, "", &after_first)
        + survives(&home, &second, "--prune --yes", &after_second);
    assert!(places >= 50, "{places} places");
}
