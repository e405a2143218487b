use super::*;
use crate::{api::DataResponse, batch::tests::hard_samples};

/// What a format makes of some batches.
fn encoded(name: &str, options: &Options, batches: &[SampleBatch], end: &End) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = (by_name(name).unwrap().encoder)(options);
    encoder.start(&mut out).unwrap();
    for batch in batches {
        encoder.batch(batch, &mut out).unwrap();
    }
    encoder.finish(end, &mut out).unwrap();
    out
}

fn text(name: &str, options: &Options, batches: &[SampleBatch], end: &End) -> String {
    String::from_utf8(encoded(name, options, batches, end)).unwrap()
}

fn with_metadata() -> Options {
    Options {
        include_metadata: true,
        ..Options::default()
    }
}

#[test]
fn names_and_media_types_are_unique() {
    for (index, format) in FORMATS.iter().enumerate() {
        assert_eq!(by_name(format.name).unwrap().media_type, format.media_type);
        for other in &FORMATS[..index] {
            assert!(other.name != format.name && other.media_type != format.media_type);
        }
    }
    assert!(by_name("xml").is_none() && by_name("CSV").is_none() && by_name("").is_none());
}

#[test]
fn csv_is_rfc_4180() {
    let found = text(
        "csv",
        &Options::default(),
        &[hard_samples(false)],
        &End::default(),
    );
    let expected = "\
id,type,value,unit,startDate,endDate,sourceName,category\r
00000000-0000-0000-0000-000000000000,steps,523,count,2026-01-10T05:00:00Z,2026-01-10T05:01:00Z,Ana’s iPhone,\r
01010101-0101-0101-0101-010101010101,steps,0.30000000000000004,count,2026-01-10T05:00:00.001Z,2026-01-10T05:01:00.001Z,\"a,b;c\t\"\"d\"\"\r
e\",\r
02020202-0202-0202-0202-020202020202,sleepAnalysis,,,1969-12-31T23:59:59.999Z,1970-01-01T00:00:59.999Z,,asleepCore\r
03030303-0303-0303-0303-030303030303,x\\y\u{1}\u{7f},-1e-300,%,1970-01-01T00:00:00Z,1970-01-01T00:01:00Z,日本 🏃,\r
04040404-0404-0404-0404-040404040404,steps,1.7976931348623157e+308,count,9999-12-31T23:59:59.999Z,9999-12-31T23:59:59.999Z,Ana’s iPhone,\r
";
    assert_eq!(found, expected);
}

#[test]
fn csv_reads_back_with_any_separator() {
    for (name, delimiter) in [("csv", b','), ("csv", b';'), ("csv", b'|'), ("tsv", b'\t')] {
        let options = Options {
            delimiter,
            ..with_metadata()
        };
        let written = text(name, &options, &[hard_samples(true)], &End::default());
        let rows = read_csv(&written, char::from(delimiter));
        assert_eq!(rows.len(), 6);
        assert!(rows.iter().all(|row| row.len() == 12), "{name} {delimiter}");
        assert_eq!(
            rows[0][8..],
            ["origin", "device", "creationDate", "metadata"]
        );
        assert_eq!(rows[2][6], "a,b;c\t\"d\"\r\ne");
        assert_eq!(
            rows[1][8..],
            [
                "default",
                "Watch, \"7\"",
                "2026-01-10T05:00:00Z",
                r#"{"HKTimeZone":"Europe/Vienna","a":"\"\n,"}"#
            ]
        );
        assert_eq!(rows[2][8..], ["default", "", "", ""]);
    }
    // TSV lines end in a plain line feed.
    let tsv = text("tsv", &Options::default(), &[], &End::default());
    assert_eq!(
        tsv,
        "id\ttype\tvalue\tunit\tstartDate\tendDate\tsourceName\tcategory\n"
    );
}

/// A reader by the grammar of RFC 4180, written apart from the writer.
fn read_csv(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            _ if quoted => field.push(c),
            '\r' => {}
            '\n' => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            _ if c == delimiter => row.push(std::mem::take(&mut field)),
            _ => field.push(c),
        }
    }
    assert!(!quoted && row.is_empty() && field.is_empty());
    rows
}

#[test]
fn separators_that_would_confuse_are_refused() {
    for (text, expected) in [
        (",", Some(b',')),
        (";", Some(b';')),
        ("|", Some(b'|')),
        (" ", Some(b' ')),
        ("\t", Some(b'\t')),
        ("\\t", Some(b'\t')),
        ("", None),
        (",,", None),
        ("\"", None),
        ("-", None),
        (":", None),
        (".", None),
        ("+", None),
        ("1", None),
        ("T", None),
        ("\n", None),
        ("\r", None),
        ("\u{0}", None),
        ("é", None),
    ] {
        assert_eq!(Options::parse_delimiter(text), expected, "{text:?}");
    }
}

#[test]
fn json_is_the_documented_answer() {
    let end = End {
        count: 10,
        has_more: true,
        next_cursor: Some("01ab".to_owned()),
    };
    let batches = [hard_samples(true), hard_samples(true)];
    let written = text("json", &with_metadata(), &batches, &end);
    let answer: DataResponse = serde_json::from_str(&written).unwrap();
    assert_eq!((answer.status.as_str(), answer.samples.len()), ("ok", 10));
    assert_eq!(
        (answer.count, answer.returned_count, answer.has_more),
        (10, 10, true)
    );
    assert_eq!(answer.next_cursor.as_deref(), Some("01ab"));
    let sample = &answer.samples[1];
    assert_eq!(sample.source_name, "a,b;c\t\"d\"\r\ne");
    assert_eq!(
        sample.value.map(f64::to_bits),
        Some((0.1_f64 + 0.2).to_bits())
    );
    assert_eq!((sample.device.as_deref(), &sample.metadata), (None, &None));
    assert_eq!(answer.samples[3].kind, "x\\y\u{1}\u{7f}");
    let metadata = answer.samples[5].metadata.as_ref().unwrap();
    assert_eq!(
        (metadata["HKTimeZone"].as_str(), metadata["a"].as_str()),
        (Some("Europe/Vienna"), Some("\"\n,"))
    );
    let sleep = &answer.samples[2];
    assert_eq!(
        (sleep.value, sleep.unit.as_str(), sleep.category.as_deref()),
        (None, "", Some("asleepCore"))
    );
    assert!(
        written.starts_with("{\"status\":\"ok\",\"samples\":[{\"id\":"),
        "{written}"
    );
    assert_eq!(written.lines().count(), 10, "a line for each sample");
    // Absent values are said, not left out: every sample has the same names.
    let raw: serde_json::Value = serde_json::from_str(&written).unwrap();
    for sample in raw["samples"].as_array().unwrap() {
        assert_eq!(sample.as_object().unwrap().len(), 12);
    }
}

#[test]
fn an_empty_answer_is_valid() {
    let options = Options::default();
    let empty = [hard_samples(false).columns().slice(0, 0)].map(|b| SampleBatch::new(b).unwrap());
    for batches in [&[][..], &empty] {
        assert_eq!(
            text("json", &options, batches, &End::default()),
            "{\"status\":\"ok\",\"samples\":[],\"count\":0,\"hasMore\":false,\"returnedCount\":0}\n"
        );
        assert_eq!(text("ndjson", &options, batches, &End::default()), "");
        assert_eq!(
            text("csv", &options, batches, &End::default())
                .lines()
                .count(),
            1
        );
        let stream = encoded("arrow", &options, batches, &End::default());
        assert!(
            decoded(&stream, 7)
                .unwrap()
                .iter()
                .all(SampleBatch::is_empty)
        );
    }
}

#[test]
fn ndjson_has_the_samples_of_json_one_a_line() {
    let batches = [hard_samples(true), hard_samples(true)];
    for options in [Options::default(), with_metadata()] {
        let json = text("json", &options, &batches, &End::default());
        let answer: serde_json::Value = serde_json::from_str(&json).unwrap();
        let lines = text("ndjson", &options, &batches, &End::default());
        assert!(lines.ends_with("}\n"));
        let samples: Vec<serde_json::Value> = lines
            .split_terminator('\n')
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(&samples, answer["samples"].as_array().unwrap());
    }
}

#[test]
fn metadata_cannot_leave_its_place() {
    for hostile in [
        "",
        "1",
        "[]",
        "{",
        "{}}",
        "{},\"x\":{}",
        "{\n}",
        "{\"a\":\"b\"",
        " {}",
        "nul",
    ] {
        let batch = hard_samples(true).columns().clone();
        let mut columns = batch.columns().to_vec();
        columns[11] = std::sync::Arc::new(arrow_array::StringArray::from(vec![hostile; 5]));
        let batch = arrow_array::RecordBatch::try_new(batch.schema(), columns).unwrap();
        let batch = SampleBatch::new(batch).unwrap();
        for name in ["json", "ndjson"] {
            let mut encoder = (by_name(name).unwrap().encoder)(&with_metadata());
            let refused = encoder.batch(&batch, &mut Vec::new());
            assert!(
                matches!(refused, Err(FormatError::Encode(_))),
                "{name} {hostile:?}"
            );
        }
    }
}

#[test]
fn metadata_that_is_missing_is_an_error() {
    for format in FORMATS {
        let mut encoder = (format.encoder)(&with_metadata());
        encoder.start(&mut Vec::new()).unwrap();
        let refused = encoder.batch(&hard_samples(false), &mut Vec::new());
        assert!(
            matches!(refused, Err(FormatError::Encode(_))),
            "{}",
            format.name
        );
    }
}

/// Reads a stream in pieces of one size.
fn decoded(stream: &[u8], piece: usize) -> Result<Vec<SampleBatch>, FormatError> {
    let mut reader = ArrowStream::default();
    let mut batches = Vec::new();
    for piece in stream.chunks(piece) {
        batches.extend(reader.push(piece)?);
    }
    reader.finish()?;
    Ok(batches)
}

fn stream(include_metadata: bool) -> (Vec<SampleBatch>, Vec<u8>) {
    let batches = vec![
        hard_samples(include_metadata),
        hard_samples(include_metadata),
    ];
    let options = Options {
        include_metadata,
        ..Options::default()
    };
    let stream = encoded("arrow", &options, &batches, &End::default());
    (batches, stream)
}

#[test]
fn arrow_reads_back_from_pieces_of_any_size() {
    for include_metadata in [false, true] {
        let (batches, stream) = stream(include_metadata);
        let sizes = (1..150)
            .chain((150..stream.len()).step_by(97))
            .chain([stream.len()]);
        for size in sizes {
            let found = decoded(&stream, size).unwrap();
            assert_eq!(found.len(), 2);
            for (found, expected) in found.iter().zip(&batches) {
                assert_eq!(found.columns(), expected.columns(), "pieces of {size}");
            }
        }
    }
}

#[test]
fn arrow_leaves_metadata_out_unless_asked() {
    let (_, expected) = stream(false);
    let batches = [hard_samples(true), hard_samples(true)];
    assert_eq!(
        encoded("arrow", &Options::default(), &batches, &End::default()),
        expected
    );
}

#[test]
fn a_cut_arrow_stream_is_an_error_wherever_it_was_cut() {
    let (_, stream) = stream(true);
    for len in 0..stream.len() {
        let error = decoded(&stream[..len], 4096).unwrap_err();
        assert!(matches!(error, FormatError::Decode(_)), "cut at {len}");
        assert_eq!(error.code(), "ANSWER_DAMAGED");
    }
    // And what stands behind the end is no less wrong.
    let mut longer = stream.clone();
    longer.push(0);
    assert!(decoded(&longer, 4096).is_err());
    longer.extend_from_slice(&stream);
    assert!(decoded(&longer, 64).is_err());
}

#[test]
fn a_damaged_arrow_stream_never_panics() {
    let (_, stream) = stream(true);
    // xorshift64: the same damage on every run.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut refused = 0;
    for _ in 0..2000 {
        let mut damaged = stream.clone();
        for _ in 0..=random(3) {
            let at = random(damaged.len());
            damaged[at] = [0, 1, 0x7f, 0x80, 0xff, u8::try_from(random(256)).unwrap()][random(6)];
        }
        if let Ok(batches) = decoded(&damaged, 1 + random(5000)) {
            // What passed can be written, too.
            for format in FORMATS {
                let mut encoder = (format.encoder)(&with_metadata());
                encoder.start(&mut Vec::new()).unwrap();
                for batch in batches.iter().filter(|batch| batch.has_metadata()) {
                    let _written = encoder.batch(batch, &mut Vec::new());
                }
            }
        } else {
            refused += 1;
        }
    }
    assert!(refused > 500, "{refused}");
}

#[test]
fn a_foreign_answer_is_no_arrow_stream() {
    for text in [
        "<!doctype html><title>Router</title>",
        "{\"code\":\"INTERNAL\"}",
        "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}",
    ] {
        assert!(decoded(text.as_bytes(), 3).is_err(), "{text}");
    }
    // A declared length beyond reason is refused before its bytes are waited for.
    let mut reader = ArrowStream::<SampleBatch>::default();
    assert!(
        reader
            .push(&[255, 255, 255, 255, 255, 255, 255, 127])
            .is_err()
    );
}
