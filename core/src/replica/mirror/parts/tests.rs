use super::{
    super::{Standing, tests::*},
    *,
};
use crate::{
    change::{ChangeBuilder, ChangeRow},
    format::by_name,
};

/// Milliseconds of the first day of a year.
fn year(year: i64) -> i64 {
    crate::time::from_rfc3339(&format!("{year:04}-01-01T00:00:00Z")).unwrap()
}

fn kept() -> (tempfile::NamedTempFile, Mirror) {
    let (file, mut mirror) = mirror();
    assert_eq!(mirror.kept_format().unwrap(), None);
    mirror.keep_format(by_name("csv").unwrap()).unwrap();
    assert_eq!(mirror.kept_format().unwrap().as_deref(), Some("csv"));
    (file, mirror)
}

/// Things: noun, id, start, deleted. Samples are steps, or what stands behind the noun.
fn take(mirror: &mut Mirror, things: &[(&str, u8, Option<i64>, bool)], next: &str) {
    let mut builder = ChangeBuilder::default();
    for (noun, id, start_ms, deleted) in things {
        let (noun, kind) = noun.split_once(' ').unwrap_or((noun, "steps"));
        builder.push(&ChangeRow {
            noun,
            deleted: *deleted,
            id: [*id; 16],
            kind: Some(kind),
            value: Some(f64::from(*id)),
            unit: Some("count"),
            start_ms: *start_ms,
            end_ms: *start_ms,
            source: Some("a,b"),
            origin: Some("ana"),
            body: (noun != "sample").then_some("{}"),
            ..ChangeRow::default()
        });
    }
    let before = mirror.standing().unwrap();
    let page = [builder.take().unwrap()];
    mirror.apply("pair", &before, &page, (next, false)).unwrap();
}

fn name(part: &Part) -> String {
    let Place {
        table,
        folder,
        year,
    } = part.place();
    let names = [Some(table.to_owned()), folder, Some(year)];
    names.into_iter().flatten().collect::<Vec<_>>().join("/")
}

fn due(mirror: &Mirror) -> Vec<String> {
    let parts = Part::tables().map(|table| mirror.parts(table).unwrap());
    let due = parts.into_iter().flatten().filter(|(_, is_due)| *is_due);
    due.map(|(part, _)| name(&part)).collect()
}

/// Writes what is due.
fn write(mirror: &mut Mirror, format: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for table in Part::tables() {
        let mut written = Vec::new();
        for (part, is_due) in mirror.parts(table).unwrap() {
            if is_due {
                let mut file = Vec::new();
                let format = by_name(format).unwrap();
                let rows = mirror.write_part(&part, format, &mut file).unwrap();
                files.push((name(&part), file));
                written.push((part, rows > 0));
            }
        }
        mirror.settle(&written).unwrap();
    }
    assert!(due(mirror).is_empty());
    files
}

#[test]
fn only_types_and_years_that_changed_are_due() {
    let (file, mut mirror) = kept();
    let [first, third] = [2021, 2023].map(|at| Some(year(at)));
    take(
        &mut mirror,
        &[
            ("sample", 1, first, false),
            ("sample", 2, third, false),
            ("sample weight", 5, first, false),
            ("sample newThing", 6, first, false),
            ("workout", 3, third, false),
            ("route", 4, None, false),
        ],
        "a",
    );
    let all = [
        "samples/new-thing/2021",
        "samples/steps/2021",
        "samples/steps/2023",
        "samples/weight/2021",
        "workouts/2023",
        "documents/undated",
    ];
    assert_eq!(due(&mirror), all);
    assert_eq!(write(&mut mirror, "csv").len(), 6);
    // Where a thing was and where it is now; what is deleted without being there is nothing.
    take(
        &mut mirror,
        &[
            ("workout", 3, first, false),
            ("sample", 1, None, true),
            ("sample", 9, third, true),
            ("sample newThing", 7, third, false),
        ],
        "b",
    );
    let changed = [
        "samples/new-thing/2023",
        "samples/steps/2021",
        "workouts/2021",
        "workouts/2023",
    ];
    assert_eq!(due(&mirror), changed);
    // Killed and opened again, it knows; what has no rows is forgotten.
    drop(mirror);
    let mut mirror = Mirror::open(file.path()).unwrap();
    assert_eq!(due(&mirror), changed);
    write(&mut mirror, "csv");
    let left = mirror.parts("samples").unwrap();
    assert!(left.iter().all(|(_, is_due)| !is_due));
    let left: Vec<_> = left.iter().map(|(part, _)| name(part)).collect();
    assert_eq!(left, [all[0], changed[0], all[2], all[3]]);
}

#[test]
fn every_instant_has_a_year_and_every_name_a_folder() {
    let (_file, mut mirror) = kept();
    let starts = [-1, 0, 1, 1969, 9999, 10_000, 200_000].map(year);
    let kinds = ["steps", "STEPS", "", "..", "a/b", "nul"].map(|kind| format!("sample {kind}"));
    let mut things = Vec::new();
    for (id, start) in (1..).zip(starts) {
        things.extend(
            kinds
                .iter()
                .map(|kind| (kind.as_str(), id, Some(start), false)),
        );
    }
    // A row is found by its id: each has one of its own.
    for (id, thing) in (1..).zip(&mut things) {
        thing.1 = id;
    }
    take(&mut mirror, &things, "a");
    let names = due(&mirror);
    let files = write(&mut mirror, "csv");
    assert_eq!(files.len(), kinds.len() * 5);
    for folder in ["steps", "+53-t-e-p-s", "+", "+2e+2e", "a+2fb", "+6eul"] {
        for at in ["0000", "0001", "1969", "9999", "beyond"] {
            let name = format!("samples/{folder}/{at}");
            assert!(names.contains(&name), "{name}");
            let file = files.iter().find(|(found, _)| *found == name);
            let text = String::from_utf8_lossy(&file.unwrap().1).into_owned();
            let rows = if at == "beyond" { 3 } else { 1 };
            assert_eq!(text.lines().count(), 1 + rows, "{name}: {text}");
        }
    }
}

#[test]
fn a_history_that_begins_anew_makes_all_years_due() {
    let (_file, mut mirror) = kept();
    take(&mut mirror, &[("sample", 1, Some(year(2021)), false)], "a");
    write(&mut mirror, "csv");
    mirror.begin_anew().unwrap();
    take(&mut mirror, &[("sample", 2, Some(year(2022)), false)], "b");
    assert_eq!(due(&mirror), ["samples/steps/2021", "samples/steps/2022"]);
    write(&mut mirror, "csv");
    // The new tables are watched, too.
    take(&mut mirror, &[("sample", 3, Some(year(2023)), false)], "c");
    assert_eq!(due(&mirror), ["samples/steps/2023"]);
    let standing = mirror.standing().unwrap();
    assert_eq!(
        standing,
        Standing {
            pair: "pair".to_owned(),
            cursor: Some("c".to_owned()),
            ..Standing::default()
        }
    );
}

#[test]
fn a_file_holds_its_year_in_order() {
    let (_file, mut mirror) = kept();
    let times = [year(2027), year(2026) + 5, year(2026), year(2027) - 1];
    let things: Vec<_> = (1..)
        .zip(times)
        .map(|(id, start)| ("sample", id, Some(start), false))
        .collect();
    take(&mut mirror, &things, "a");
    take(&mut mirror, &[("route", 7, Some(year(2026)), false)], "b");
    let files = write(&mut mirror, "csv");
    let text = String::from_utf8(files[0].1.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "id,type,value,unit,startDate,endDate,sourceName,category,origin,device,creationDate,metadata"
    );
    assert_eq!(
        lines[1],
        "03030303-0303-0303-0303-030303030303,steps,3,count,2026-01-01T00:00:00Z,\
         2026-01-01T00:00:00Z,\"a,b\",,ana,,,"
    );
    let ids: Vec<&str> = lines.iter().skip(1).map(|line| &line[..2]).collect();
    assert_eq!(ids, ["03", "02", "04"]);
    assert_eq!(
        String::from_utf8(files[2].1.clone()).unwrap(),
        "id,noun,startDate,endDate,sourceName,origin,device,creationDate,metadata,body\r\n\
         07070707-0707-0707-0707-070707070707,route,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,\
         \"a,b\",ana,,,,{}\r\n"
    );
}

/// The same rows are the same bytes, also in Parquet, and other programs of ours read them.
#[test]
fn a_file_is_the_same_whenever_it_is_written() {
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    let (_file, mut mirror) = kept();
    let things: Vec<_> = (0..20_000)
        .map(|at| {
            (
                "sample",
                u8::try_from(at % 251).unwrap(),
                Some(year(2026) + at),
                false,
            )
        })
        .collect();
    take(&mut mirror, &things, "a");
    take(&mut mirror, &[("workout", 1, Some(year(2026)), false)], "b");
    let first = write(&mut mirror, "parquet");
    mirror.keep_format(by_name("parquet").unwrap()).unwrap();
    let second = write(&mut mirror, "parquet");
    assert!(first == second && first.len() == 2);
    for ((_, file), (rows, columns)) in first.into_iter().zip([(20_000, 12), (1, 10)]) {
        let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
        let batches: Vec<_> = builder.build().unwrap().map(Result::unwrap).collect();
        let found: usize = batches.iter().map(arrow_array::RecordBatch::num_rows).sum();
        assert_eq!((found, batches[0].num_columns()), (rows, columns));
        if columns == 12 {
            assert!(crate::batch::SampleBatch::new(batches[0].clone()).is_ok());
        }
    }
}

#[test]
fn a_year_is_found_and_read_in_order_without_a_sort() {
    let (_file, mirror) = kept();
    for table in Part::tables() {
        let part = Part {
            table,
            kind: "steps".to_owned(),
            year: "2026".to_owned(),
        };
        let columns = Columns::of(table).unwrap();
        let sql = select(&part, &columns).unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {sql}").replace('?', "'2026'");
        let mut statement = mirror.connection.prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(3));
        let plan: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
        assert_eq!(plan.len(), 1, "{plan:?}");
        // Voltages have no years, so all of them are one part.
        let way = if table == "ecg_voltage" {
            "SCAN"
        } else {
            "SEARCH"
        };
        assert!(plan[0].starts_with(way), "{plan:?}");
    }
}

/// Or a power cut could leave a row in a file that no page takes away any more.
#[test]
fn pages_are_on_the_disk_before_files() {
    let synchronous = |mirror: &Mirror| -> i64 {
        let level = |row: &rusqlite::Row<'_>| row.get(0);
        let asked = mirror
            .connection
            .pragma_query_value(None, "synchronous", level);
        asked.unwrap()
    };
    let (_file, mirror) = mirror();
    assert_eq!(synchronous(&mirror), 1);
    let (file, mirror) = kept();
    assert_eq!(synchronous(&mirror), 2);
    drop(mirror);
    assert_eq!(synchronous(&Mirror::open(file.path()).unwrap()), 2);
}
