use super::{
    super::{Standing, tests::*},
    *,
};
use crate::{
    change::{ChangeBuilder, ChangeRow},
    format::by_name,
};

/// Milliseconds of the first of a month in 2026.
fn month(month: i64) -> i64 {
    crate::time::from_rfc3339(&format!("2026-{month:02}-01T00:00:00Z")).unwrap()
}

fn kept() -> (tempfile::NamedTempFile, Mirror) {
    let (file, mut mirror) = mirror();
    assert_eq!(mirror.kept_format().unwrap(), None);
    mirror.keep_format(by_name("csv").unwrap()).unwrap();
    assert_eq!(mirror.kept_format().unwrap().as_deref(), Some("csv"));
    (file, mirror)
}

/// Things: noun, id, start, deleted.
fn take(mirror: &mut Mirror, things: &[(&str, u8, Option<i64>, bool)], next: &str) {
    let mut builder = ChangeBuilder::default();
    for (noun, id, start_ms, deleted) in things {
        builder.push(&ChangeRow {
            noun,
            deleted: *deleted,
            id: [*id; 16],
            kind: Some("steps"),
            value: Some(f64::from(*id)),
            unit: Some("count"),
            start_ms: *start_ms,
            end_ms: *start_ms,
            source: Some("a,b"),
            origin: Some("ana"),
            body: (*noun != "sample").then_some("{}"),
            ..ChangeRow::default()
        });
    }
    let before = mirror.standing().unwrap();
    let page = [builder.take().unwrap()];
    mirror.apply("pair", &before, &page, (next, false)).unwrap();
}

fn due(mirror: &Mirror) -> Vec<String> {
    let parts = Part::tables().map(|table| mirror.parts(table).unwrap());
    let due = parts.into_iter().flatten().filter(|(_, is_due)| *is_due);
    due.map(|(part, _)| format!("{}/{}", part.table, part.month))
        .collect()
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
                files.push((format!("{table}/{}", part.month), file));
                written.push((part, rows > 0));
            }
        }
        mirror.settle(&written).unwrap();
    }
    assert!(due(mirror).is_empty());
    files
}

#[test]
fn only_months_that_changed_are_due() {
    let (file, mut mirror) = kept();
    let [january, march] = [month(1), month(3)].map(Some);
    take(
        &mut mirror,
        &[
            ("sample", 1, january, false),
            ("sample", 2, march, false),
            ("workout", 3, march, false),
            ("route", 4, None, false),
        ],
        "a",
    );
    let all = [
        "samples/2026-01",
        "samples/2026-03",
        "workouts/2026-03",
        "documents/undated",
    ];
    assert_eq!(due(&mirror), all);
    assert_eq!(write(&mut mirror, "csv").len(), 4);
    // Where a thing was and where it is now; what is deleted without being there is nothing.
    take(
        &mut mirror,
        &[
            ("workout", 3, january, false),
            ("sample", 1, None, true),
            ("sample", 9, march, true),
        ],
        "b",
    );
    let changed = ["samples/2026-01", "workouts/2026-01", "workouts/2026-03"];
    assert_eq!(due(&mirror), changed);
    // Killed and opened again, it knows; what has no rows is forgotten.
    drop(mirror);
    let mut mirror = Mirror::open(file.path()).unwrap();
    assert_eq!(due(&mirror), changed);
    write(&mut mirror, "csv");
    let months: Vec<_> = mirror.parts("samples").unwrap().into_iter().collect();
    assert_eq!(months, [(Part::new("samples", "2026-03").unwrap(), false)]);
}

#[test]
fn a_history_that_begins_anew_makes_all_months_due() {
    let (_file, mut mirror) = kept();
    take(&mut mirror, &[("sample", 1, Some(month(1)), false)], "a");
    write(&mut mirror, "csv");
    mirror.begin_anew().unwrap();
    take(&mut mirror, &[("sample", 2, Some(month(2)), false)], "b");
    assert_eq!(due(&mirror), ["samples/2026-01", "samples/2026-02"]);
    write(&mut mirror, "csv");
    // The new tables are watched, too.
    take(&mut mirror, &[("sample", 3, Some(month(3)), false)], "c");
    assert_eq!(due(&mirror), ["samples/2026-03"]);
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
fn a_file_holds_its_month_in_order() {
    let (_file, mut mirror) = kept();
    let times = [month(2), month(1) + 5, month(1), month(2) - 1];
    let things: Vec<_> = (1..)
        .zip(times)
        .map(|(id, start)| ("sample", id, Some(start), false))
        .collect();
    take(&mut mirror, &things, "a");
    take(&mut mirror, &[("route", 7, Some(month(1)), false)], "b");
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
                Some(month(1) + at),
                false,
            )
        })
        .collect();
    take(&mut mirror, &things, "a");
    take(&mut mirror, &[("workout", 1, Some(month(1)), false)], "b");
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
fn a_month_is_found_and_read_in_order_without_a_sort() {
    let (_file, mirror) = kept();
    for table in Part::tables() {
        let part = Part::new(table, "2026-01").unwrap();
        let columns = Columns::of(table).unwrap();
        let sql = select(&part, &columns, table == "samples").unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {sql}").replace('?', "'2026'");
        let mut statement = mirror.connection.prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(3));
        let plan: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
        assert_eq!(plan.len(), 1, "{plan:?}");
        assert!(plan[0].starts_with("SEARCH"), "{plan:?}");
    }
}

#[test]
fn a_part_has_no_other_name() {
    for name in ["2026-01", "0000-99", "undated"] {
        assert!(Part::new("samples", name).is_some());
    }
    for name in [
        "",
        "2026",
        "2026-1",
        "../x-01",
        "2026-01-01",
        "-026-01",
        "20é-01",
    ] {
        assert_eq!(Part::new("samples", name), None);
    }
}
