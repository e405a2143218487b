use std::collections::BTreeMap;

use super::*;
use crate::change::{ChangeBuilder, ChangeRow};

const DAY_MS: i64 = 86_400_000;

pub(super) fn mirror() -> (tempfile::NamedTempFile, Mirror) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mirror = Mirror::open(file.path()).unwrap();
    (file, mirror)
}

/// Changes of samples: id, day, value; no value is a deletion.
fn batch(changes: &[(u8, i64, Option<f64>)]) -> ChangeBatch {
    let mut builder = ChangeBuilder::default();
    for (seq, (id, day, value)) in (1..).zip(changes) {
        builder.push(&ChangeRow {
            seq,
            noun: "sample",
            deleted: value.is_none(),
            id: [*id; 16],
            kind: Some("steps"),
            value: *value,
            unit: value.map(|_| "count"),
            start_ms: Some(day * DAY_MS),
            end_ms: value.map(|_| day * DAY_MS + 60_000),
            source: value.map(|_| "x"),
            origin: Some("ana"),
            ..ChangeRow::default()
        });
    }
    builder.take().unwrap()
}

fn apply(
    mirror: &mut Mirror,
    changes: &[(u8, i64, Option<f64>)],
    next: &str,
    more: bool,
) -> Applied {
    let before = mirror.standing().unwrap();
    mirror
        .apply("pair", &before, &[batch(changes)], (next, more))
        .unwrap()
}

/// First byte of the id, and the value.
fn held(mirror: &Mirror) -> BTreeMap<String, f64> {
    let sql = "SELECT substr(id, 1, 2), value FROM samples";
    let mut statement = mirror.connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

fn expected(rows: &[(&str, f64)]) -> BTreeMap<String, f64> {
    rows.iter()
        .map(|(id, value)| ((*id).to_owned(), *value))
        .collect()
}

#[test]
fn rows_and_cursor_go_together() {
    let (file, mut mirror) = mirror();
    assert_eq!(mirror.standing().unwrap(), Standing::default());
    apply(
        &mut mirror,
        &[(1, 10, Some(5.0)), (2, 11, Some(6.0))],
        "a",
        true,
    );
    assert_eq!(mirror.standing().unwrap().after(), Some("a"));
    let applied = apply(
        &mut mirror,
        &[(1, 10, Some(7.0)), (2, 11, None), (9, 12, None)],
        "b",
        false,
    );
    assert_eq!((applied.written, applied.deleted), (1, 2));
    assert_eq!(held(&mirror), expected(&[("01", 7.0)]));
    drop(mirror);
    let mirror = Mirror::open(file.path()).unwrap();
    assert_eq!(mirror.standing().unwrap().after(), Some("b"));
    assert_eq!(mirror.samples().unwrap(), 1);
}

#[test]
fn a_process_that_is_behind_changes_nothing() {
    let (file, mut mirror) = mirror();
    let before = mirror.standing().unwrap();
    apply(&mut mirror, &[(1, 10, Some(5.0))], "a", false);
    let mut other = Mirror::open(file.path()).unwrap();
    let page = [batch(&[(2, 10, Some(6.0))])];
    let outcome = other.apply("pair", &before, &page, ("b", false));
    assert!(matches!(outcome, Err(ReplicaError::Moved)));
    assert_eq!(held(&mirror), expected(&[("01", 5.0)]));
}

#[test]
fn old_rows_are_readable_until_the_new_ones_are_whole() {
    let (file, mut mirror) = mirror();
    apply(
        &mut mirror,
        &[(1, 10, Some(5.0)), (2, 11, Some(6.0))],
        "a",
        false,
    );
    let totals = |mirror: &Mirror| -> i64 {
        let sql = "SELECT count(*) FROM daily_totals";
        let count = mirror.connection.query_row(sql, [], |row| row.get(0));
        count.unwrap()
    };
    let sql = "INSERT INTO daily_totals VALUES ('2026-01-01', 'steps', '', '', '', 1, 1, 1, 1, 1, '', '')";
    mirror.connection.execute_batch(sql).unwrap();
    mirror.begin_anew().unwrap();
    assert_eq!(mirror.standing().unwrap().after(), None);
    apply(&mut mirror, &[(3, 10, Some(1.0))], "x", true);
    assert_eq!(held(&mirror), expected(&[("01", 5.0), ("02", 6.0)]));
    // Killed and opened again, it goes on.
    drop(mirror);
    let mut mirror = Mirror::open(file.path()).unwrap();
    assert_eq!(mirror.standing().unwrap().after(), Some("x"));
    assert_eq!(totals(&mirror), 1);
    apply(&mut mirror, &[(4, 10, Some(2.0))], "y", false);
    assert_eq!(held(&mirror), expected(&[("03", 1.0), ("04", 2.0)]));
    // They may be of types that nobody may read any more.
    assert_eq!(totals(&mirror), 0);
    let standing = mirror.standing().unwrap();
    assert_eq!((standing.after(), standing.is_staging), (Some("y"), false));
    assert_eq!(mirror.totals_due("UTC").unwrap(), Some(TotalsDue::All));
    // The views are there again, and another full copy can begin and begin again.
    mirror
        .connection
        .execute_batch("SELECT * FROM workout_totals")
        .unwrap();
    mirror.begin_anew().unwrap();
    apply(&mut mirror, &[(5, 10, Some(1.0))], "z", true);
    mirror.begin_anew().unwrap();
    apply(&mut mirror, &[(6, 10, Some(3.0))], "z", false);
    assert_eq!(held(&mirror), expected(&[("06", 3.0)]));
}

#[test]
fn totals_are_due_from_the_earliest_change_on() {
    let (_file, mut mirror) = mirror();
    apply(&mut mirror, &[(1, 10, Some(5.0))], "a", false);
    assert_eq!(mirror.totals_due("UTC").unwrap(), Some(TotalsDue::All));
    mirror.keep_totals(&[], None, "UTC").unwrap();
    assert_eq!(mirror.totals_due("UTC").unwrap(), None);
    assert_eq!(
        mirror.totals_due("Asia/Tokyo").unwrap(),
        Some(TotalsDue::All)
    );
    apply(&mut mirror, &[(2, 20, Some(5.0))], "b", true);
    apply(
        &mut mirror,
        &[(3, 15, Some(5.0)), (1, 18, None)],
        "c",
        false,
    );
    apply(&mut mirror, &[], "d", false);
    let from = TotalsDue::From(15 * DAY_MS);
    assert_eq!(mirror.totals_due("UTC").unwrap(), Some(from));
}

#[test]
fn other_files_are_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    Connection::open(file.path())
        .unwrap()
        .execute_batch("CREATE TABLE notes (text)")
        .unwrap();
    assert!(matches!(
        Mirror::open(file.path()),
        Err(ReplicaError::NotACopy)
    ));
    let text = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(
        &mut text.as_file(),
        "no database at all. ".repeat(99).as_bytes(),
    )
    .unwrap();
    assert!(matches!(
        Mirror::open(text.path()),
        Err(ReplicaError::NotACopy)
    ));
}

fn counted(mirror: &Mirror) -> u64 {
    let sql = "SELECT count(*) FROM samples";
    let count: i64 = mirror
        .connection
        .query_row(sql, [], |row| row.get(0))
        .unwrap();
    u64::try_from(count).unwrap()
}

#[test]
fn the_count_of_samples_is_that_of_the_rows() {
    let (file, mut mirror) = mirror();
    assert_eq!(mirror.samples().unwrap(), 0);
    for (changes, next, expected) in [
        (&[(1, 10, Some(5.0)), (2, 11, Some(6.0))][..], "a", 2),
        // The same again, and another value in its place.
        (&[(1, 10, Some(5.0)), (2, 11, Some(7.0))], "b", 2),
        // One that comes and goes in one page, and one that was never there.
        (&[(3, 12, Some(1.0)), (3, 12, None), (9, 12, None)], "c", 2),
        (&[(1, 10, None), (4, 13, Some(1.0))], "d", 2),
        (&[(4, 13, None)], "e", 1),
    ] {
        apply(&mut mirror, changes, next, false);
        assert_eq!(mirror.samples().unwrap(), expected, "{next}");
        assert_eq!(counted(&mirror), expected, "{next}");
    }
    // Of rows that are gathered beside them nothing is counted before they are readable.
    mirror.begin_anew().unwrap();
    apply(
        &mut mirror,
        &[(5, 10, Some(1.0)), (6, 11, Some(1.0))],
        "f",
        true,
    );
    assert_eq!(mirror.samples().unwrap(), 1);
    drop(mirror);
    let mut mirror = Mirror::open(file.path()).unwrap();
    apply(
        &mut mirror,
        &[(6, 11, None), (7, 12, Some(1.0)), (8, 12, Some(1.0))],
        "g",
        false,
    );
    assert_eq!((mirror.samples().unwrap(), counted(&mirror)), (3, 3));
    mirror.begin_anew().unwrap();
    apply(&mut mirror, &[(1, 1, Some(1.0))], "h", true);
    mirror.begin_anew().unwrap();
    apply(&mut mirror, &[(2, 2, Some(1.0))], "i", false);
    assert_eq!((mirror.samples().unwrap(), counted(&mirror)), (1, 1));
}

#[test]
fn a_copy_of_an_older_version_is_counted_once() {
    for version in [WITHOUT_SERIES, WITHOUT_COUNTS] {
        let (file, mut mirror) = mirror();
        apply(
            &mut mirror,
            &[(1, 10, Some(5.0)), (2, 11, Some(6.0))],
            "a",
            false,
        );
        let is_staging = version == WITHOUT_COUNTS;
        if is_staging {
            mirror.begin_anew().unwrap();
            apply(&mut mirror, &[(3, 10, Some(5.0))], "b", true);
        } else {
            let series = "DROP TABLE route_point; DROP TABLE ecg_voltage;";
            mirror.connection.execute_batch(series).unwrap();
        }
        mirror
            .connection
            .execute_batch(
                "ALTER TABLE sync_state DROP COLUMN samples;
                 ALTER TABLE sync_state DROP COLUMN staged_samples;",
            )
            .unwrap();
        mirror
            .connection
            .pragma_update(None, "user_version", version)
            .unwrap();
        drop(mirror);
        let mut mirror = Mirror::open(file.path()).unwrap();
        assert_eq!(mirror.samples().unwrap(), 2, "{version}");
        apply(&mut mirror, &[(4, 12, Some(5.0))], "c", false);
        let expected = if is_staging { 2 } else { 1 };
        assert_eq!(mirror.samples().unwrap(), expected, "{version}");
        assert_eq!(counted(&mirror), expected, "{version}");
    }
}

#[test]
fn neither_the_count_nor_the_totals_look_through_a_table() {
    let (_file, mirror) = mirror();
    for sql in [
        "SELECT samples FROM sync_state",
        "SELECT type FROM daily_totals WHERE type > '' ORDER BY type LIMIT 1",
        "DELETE FROM daily_totals WHERE type = 'steps' AND date >= '2026'",
        "DELETE FROM samples WHERE type = 'steps' AND startDate = '2026' AND id = ''",
    ] {
        let plan = format!("EXPLAIN QUERY PLAN {sql}");
        let mut statement = mirror.connection.prepare(&plan).unwrap();
        let steps = statement.query_map([], |row| row.get::<_, String>(3));
        for step in steps.unwrap() {
            let step = step.unwrap();
            let is_cheap = step.starts_with("SEARCH") || step == "SCAN sync_state";
            assert!(is_cheap, "{sql}: {step}");
        }
    }
}

#[test]
fn totals_are_forgotten_of_each_type_from_a_date_on() {
    let (_file, mut mirror) = mirror();
    for (date, kind) in [
        ("2026-01-01", "heartRate"),
        ("2026-01-02", "heartRate"),
        ("2026-01-03", "sleepAnalysis"),
        ("2026-01-01", "steps"),
        ("2026-01-09", "steps"),
    ] {
        let sql = "INSERT INTO daily_totals VALUES (?1, ?2, '', '', '', 1, 1, 1, 1, 1, '', '')";
        mirror.connection.execute(sql, [date, kind]).unwrap();
    }
    let left = |mirror: &Mirror| -> Option<String> {
        let sql = "SELECT group_concat(type || ' ' || date, ', ') FROM daily_totals";
        let texts = mirror.connection.query_row(sql, [], |row| row.get(0));
        texts.unwrap()
    };
    mirror.keep_totals(&[], Some("2026-01-02"), "UTC").unwrap();
    let expected = "heartRate 2026-01-01, steps 2026-01-01";
    assert_eq!(left(&mirror).as_deref(), Some(expected));
    mirror.keep_totals(&[], None, "UTC").unwrap();
    assert_eq!(left(&mirror), None);
}
