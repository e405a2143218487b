//! Reads what `fetch` wrote without any code of ours, one reader a format, into one shape.

use std::{cmp::Ordering, collections::BTreeSet};

use arrow_array::{Array as _, RecordBatch, cast::AsArray as _, types};
use serde_json::Value;

/// One sample, whatever it was written in.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) value: Option<f64>,
    pub(crate) unit: String,
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    pub(crate) source: String,
    pub(crate) category: Option<String>,
}

impl Row {
    /// An order in which equal samples meet, whatever order they came in.
    fn order(&self, other: &Self) -> Ordering {
        let key = |row: &Self| {
            (
                row.kind.clone(),
                row.start_ms,
                row.end_ms,
                row.source.clone(),
                row.category.clone(),
            )
        };
        let value = |row: &Self| row.value.unwrap_or(f64::NEG_INFINITY);
        key(self)
            .cmp(&key(other))
            .then(value(self).total_cmp(&value(other)))
    }
}

/// The two hold the same samples. Ids are not compared: the export has none.
#[track_caller]
pub(crate) fn assert_same(what: &str, mut expected: Vec<Row>, mut found: Vec<Row>) {
    assert_eq!(found.len(), expected.len(), "{what}: number of samples");
    expected.sort_by(Row::order);
    found.sort_by(Row::order);
    for (expected, found) in expected.iter().zip(&found) {
        let same = expected.kind == found.kind
            && expected.unit == found.unit
            && expected.start_ms == found.start_ms
            && expected.end_ms == found.end_ms
            && expected.source == found.source
            && expected.category == found.category
            && match (expected.value, found.value) {
                (None, None) => true,
                // A conversion may round differently in the last bits.
                (Some(a), Some(b)) => (a - b).abs() <= a.abs() * 1e-12,
                _ => false,
            };
        assert!(
            same,
            "{what}:\n  expected {expected:?}\n  found    {found:?}"
        );
    }
}

/// The order is (type, start), and no id is there twice. Gives the ids.
#[track_caller]
pub(crate) fn assert_ordered(what: &str, rows: &[Row]) -> BTreeSet<String> {
    for pair in rows.windows(2) {
        let (a, b) = (
            (&pair[0].kind, pair[0].start_ms),
            (&pair[1].kind, pair[1].start_ms),
        );
        assert!(a <= b, "{what}: {b:?} behind {a:?}");
    }
    let ids: BTreeSet<_> = rows.iter().map(|row| row.id.clone()).collect();
    assert_eq!(ids.len(), rows.len(), "{what}: an id is there twice");
    ids
}

/// NDJSON: sample lines only.
pub(crate) fn ndjson(text: &str) -> Vec<Row> {
    text.lines()
        .map(|line| object(&serde_json::from_str(line).expect("JSON")))
        .collect()
}

/// `{status, samples: [..], count, hasMore}`.
pub(crate) fn json(text: &str) -> Vec<Row> {
    let whole: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(whole["status"], "ok");
    assert_eq!(whole["hasMore"], false);
    let samples = whole["samples"].as_array().expect("an array");
    assert_eq!(whole["count"].as_u64(), u64::try_from(samples.len()).ok());
    samples.iter().map(object).collect()
}

fn object(value: &Value) -> Row {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    Row {
        id: text("id").expect("an id"),
        kind: text("type").expect("a type"),
        value: value["value"].as_f64(),
        unit: text("unit").expect("a unit"),
        start_ms: instant(&text("startDate").expect("a start")),
        end_ms: instant(&text("endDate").expect("an end")),
        source: text("sourceName").expect("a source"),
        category: text("category"),
    }
}

/// RFC 4180 with a header.
pub(crate) fn csv(text: &str) -> Vec<Row> {
    let mut lines = fields(text).into_iter();
    assert_eq!(
        lines.next().expect("a header"),
        [
            "id",
            "type",
            "value",
            "unit",
            "startDate",
            "endDate",
            "sourceName",
            "category"
        ]
    );
    lines
        .map(|line| {
            let [id, kind, value, unit, start, end, source, category] = line.as_slice() else {
                panic!("not 8 fields: {line:?}");
            };
            Row {
                id: id.clone(),
                kind: kind.clone(),
                value: (!value.is_empty()).then(|| value.parse().expect("a number")),
                unit: unit.clone(),
                start_ms: instant(start),
                end_ms: instant(end),
                source: source.clone(),
                category: (!category.is_empty()).then(|| category.clone()),
            }
        })
        .collect()
}

/// Splits RFC 4180 text: commas, CRLF, quotes doubled within quotes.
fn fields(text: &str) -> Vec<Vec<String>> {
    let (mut lines, mut line, mut field, mut quoted) = (vec![], vec![], String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, quoted) {
            ('"', true) if chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            ('"', _) => quoted = !quoted,
            (',', false) => line.push(std::mem::take(&mut field)),
            ('\r', false) => assert_eq!(chars.peek(), Some(&'\n'), "a bare CR"),
            ('\n', false) => {
                line.push(std::mem::take(&mut field));
                lines.push(std::mem::take(&mut line));
            }
            (other, _) => field.push(other),
        }
    }
    assert!(
        field.is_empty() && line.is_empty() && !quoted,
        "the last line has no end"
    );
    lines
}

/// The Arrow IPC stream format, read by arrow itself.
pub(crate) fn arrow(bytes: &[u8]) -> Vec<Row> {
    let reader = arrow_ipc::reader::StreamReader::try_new(bytes, None).expect("a stream");
    reader
        .flat_map(|batch| batch_rows(&batch.expect("a batch")))
        .collect()
}

/// A Parquet file.
pub(crate) fn parquet(bytes: &[u8]) -> Vec<Row> {
    let file = bytes::Bytes::copy_from_slice(bytes);
    let builder = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file);
    let reader = builder.expect("a footer").build().expect("row groups");
    reader
        .flat_map(|batch| batch_rows(&batch.expect("a batch")))
        .collect()
}

/// A SQLite file, read by the program `sqlite3`.
pub(crate) fn sqlite(bytes: &[u8]) -> Vec<Row> {
    let file = tempfile::NamedTempFile::new().expect("a place");
    std::fs::write(file.path(), bytes).expect("room");
    let sql = "SELECT id, type, hex(ieee754_to_blob(value)) AS bits, unit, startDate, endDate,
               sourceName, category FROM samples";
    let read = std::process::Command::new("sqlite3")
        .args(["-json", "-readonly"])
        .arg(file.path())
        .arg(sql)
        .output()
        .expect("sqlite3 is installed by scripts/test");
    assert!(read.status.success(), "{read:?}");
    let rows: Vec<Value> = serde_json::from_slice(&read.stdout).expect("JSON");
    let text = |row: &Value, name: &str| row[name].as_str().map(str::to_owned);
    rows.iter()
        .map(|row| Row {
            id: text(row, "id").expect("an id"),
            kind: text(row, "type").expect("a type"),
            value: text(row, "bits")
                .filter(|bits| !bits.is_empty())
                .map(|bits| f64::from_bits(u64::from_str_radix(&bits, 16).expect("bits"))),
            unit: text(row, "unit").expect("a unit"),
            start_ms: instant(&text(row, "startDate").expect("a start")),
            end_ms: instant(&text(row, "endDate").expect("an end")),
            source: text(row, "sourceName").expect("a source"),
            category: text(row, "category"),
        })
        .collect()
}

fn batch_rows(batch: &RecordBatch) -> Vec<Row> {
    let text = |name: &str| -> Vec<Option<String>> {
        let column = batch
            .column_by_name(name)
            .unwrap_or_else(|| panic!("no column {name}"));
        if let Some(dictionary) = column.as_dictionary_opt::<types::Int32Type>() {
            let words = dictionary.values().as_string::<i32>();
            dictionary
                .keys()
                .iter()
                .map(|key| Some(words.value(usize::try_from(key?).ok()?).to_owned()))
                .collect()
        } else {
            column
                .as_string::<i32>()
                .iter()
                .map(|text| text.map(str::to_owned))
                .collect()
        }
    };
    let time = |name: &str| {
        let column = batch
            .column_by_name(name)
            .unwrap_or_else(|| panic!("no column {name}"));
        column
            .as_primitive::<types::TimestampMillisecondType>()
            .values()
            .to_vec()
    };
    let values = batch.column_by_name("value").expect("values");
    let values = values.as_primitive::<types::Float64Type>();
    let (ids, kinds, units) = (text("id"), text("type"), text("unit"));
    let (starts, ends) = (time("startDate"), time("endDate"));
    let (sources, categories) = (text("sourceName"), text("category"));
    (0..batch.num_rows())
        .map(|row| Row {
            id: ids[row].clone().expect("an id"),
            kind: kinds[row].clone().expect("a type"),
            value: (!values.is_null(row)).then(|| values.value(row)),
            unit: units[row].clone().expect("a unit"),
            start_ms: starts[row],
            end_ms: ends[row],
            source: sources[row].clone().expect("a source"),
            category: categories[row].clone(),
        })
        .collect()
}

/// RFC 3339 in UTC as milliseconds.
fn instant(text: &str) -> i64 {
    assert!(text.ends_with('Z'), "{text} is not UTC");
    text.parse::<jiff::Timestamp>()
        .expect("RFC 3339")
        .as_millisecond()
}
