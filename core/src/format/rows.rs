//! One walk over the columns for every format that writes text, row after row.
//!
//! A format says how it notes a text, a date and an absence ([`Notation`]); what the columns are,
//! and how numbers and dates are spelled, stands here only. Texts that repeat are rendered once a
//! batch.

use arrow_array::Array;

use super::FormatError;
use crate::{
    batch::{Names, SampleBatch},
    time::Dates,
};

/// Names of the columns, in order.
pub(crate) const COLUMNS: [&str; 8] = [
    "id",
    "type",
    "value",
    "unit",
    "startDate",
    "endDate",
    "sourceName",
    "category",
];
/// Names of those on demand.
pub(crate) const MORE_COLUMNS: [&str; 4] = ["origin", "device", "creationDate", "metadata"];

/// How a format notes what it finds in a row.
pub(super) trait Notation {
    /// What stands before the cell of a column (by position); also what opens the row.
    fn before(&self, column: usize, out: &mut Vec<u8>);
    /// What closes a row.
    fn end_row(&self, out: &mut Vec<u8>);
    /// A text.
    fn text(&self, text: &str, out: &mut Vec<u8>);
    /// Whether every text of these bytes is noted as it stands, between [`Notation::text_quote`]s.
    fn is_plain(&self, bytes: &[u8]) -> bool;
    /// What stands on both sides of such a text.
    fn text_quote(&self) -> &[u8];
    /// What stands on both sides of a date.
    fn date_quote(&self) -> &[u8];
    /// No value.
    fn absent(&self) -> &[u8];
    /// A JSON object.
    fn object(&self, json: &str, out: &mut Vec<u8>) -> Result<(), FormatError>;
}

/// Appends the rows of a batch; `separator` goes between rows, also before the first one unless
/// `first`.
pub(super) fn write_rows<N: Notation>(
    notation: &N,
    batch: &SampleBatch,
    include_metadata: bool,
    between: impl Fn(&mut Vec<u8>),
    out: &mut Vec<u8>,
) -> Result<(), FormatError> {
    let columns = batch.view().map_err(FormatError::encode)?;
    let more = match (include_metadata, &columns.more) {
        (false, _) => None,
        (true, Some(more)) => Some(more),
        (true, None) => return Err(FormatError::encode("the metadata columns are missing")),
    };
    let before = |column: usize| {
        let mut bytes = Vec::new();
        notation.before(column, &mut bytes);
        bytes
    };
    let (quote, mut end) = (notation.date_quote(), Vec::new());
    notation.end_row(&mut end);
    // What stands between the cells is rendered with the texts that repeat.
    let open = before(0);
    let kinds = Rendered::new(columns.kind, notation, (&before(1), &before(2)));
    let dates = [&before(4), quote].concat();
    let units = Rendered::new(columns.unit, notation, (&before(3), &dates));
    let between_dates = [quote, &before(5), quote].concat();
    let behind_dates = [quote, &before(6)].concat();
    let sources = Rendered::new(columns.source, notation, (&behind_dates, &before(7)));
    let behind = if more.is_some() {
        before(8)
    } else {
        end.clone()
    };
    let categories = Rendered::new(columns.category, notation, (b"", &behind));
    let more = more.map(|more| {
        (
            Rendered::new(more.origin, notation, (b"", &before(9))),
            Rendered::new(more.device, notation, (b"", &before(10))),
            before(11),
            more,
        )
    });
    let id_quote = notation.text_quote();
    let are_plain = notation.is_plain(columns.id.value_data());
    let mut numbers = zmij::Buffer::new();
    let (mut starts, mut ends, mut creations) =
        (Dates::default(), Dates::default(), Dates::default());
    for row in 0..batch.len() {
        between(out);
        out.extend_from_slice(&open);
        if are_plain {
            out.extend_from_slice(id_quote);
            out.extend_from_slice(columns.id.value(row).as_bytes());
            out.extend_from_slice(id_quote);
        } else {
            notation.text(columns.id.value(row), out);
        }
        kinds.push(row, out);
        if columns.value.is_valid(row) && columns.value.value(row).is_finite() {
            push_number(columns.value.value(row), &mut numbers, out);
        } else {
            out.extend_from_slice(notation.absent());
        }
        units.push(row, out);
        starts.push(columns.start.value(row), out);
        out.extend_from_slice(&between_dates);
        ends.push(columns.end.value(row), out);
        sources.push(row, out);
        categories.push(row, out);
        if let Some((origins, devices, before_metadata, more)) = &more {
            origins.push(row, out);
            devices.push(row, out);
            if more.created.is_valid(row) {
                out.extend_from_slice(quote);
                creations.push(more.created.value(row), out);
                out.extend_from_slice(quote);
            } else {
                out.extend_from_slice(notation.absent());
            }
            out.extend_from_slice(before_metadata);
            if more.metadata.is_valid(row) {
                notation.object(more.metadata.value(row), out)?;
            } else {
                out.extend_from_slice(notation.absent());
            }
            out.extend_from_slice(&end);
        }
    }
    Ok(())
}

/// The shortest text that reads back as the same number, whole numbers without a point.
pub(super) fn push_number(number: f64, buffer: &mut zmij::Buffer, out: &mut Vec<u8>) {
    let text = buffer.format_finite(number);
    out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
}

/// A column of texts that repeat, each as the format notes it, with what stands on both sides.
struct Rendered<'a> {
    names: Names<'a>,
    bytes: Vec<u8>,
    /// Where each text ends; the last one stands for an absence.
    ends: Vec<usize>,
}

impl<'a> Rendered<'a> {
    fn new(names: Names<'a>, notation: &impl Notation, (before, behind): (&[u8], &[u8])) -> Self {
        let mut bytes = Vec::new();
        let mut ends = vec![0];
        for text in names.distinct().chain([None]) {
            bytes.extend_from_slice(before);
            match text {
                Some(text) => notation.text(text, &mut bytes),
                None => bytes.extend_from_slice(notation.absent()),
            }
            bytes.extend_from_slice(behind);
            ends.push(bytes.len());
        }
        Self { names, bytes, ends }
    }

    fn push(&self, row: usize, out: &mut Vec<u8>) {
        let absent = self.ends.len() - 2;
        let key = self.names.key(row).map_or(absent, |key| key.min(absent));
        if let Some(&[start, end]) = self.ends.get(key..key + 2)
            && let Some(text) = self.bytes.get(start..end)
        {
            out.extend_from_slice(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_shortest_that_read_back() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (72.0, "72"),
            (-3.0, "-3"),
            (0.1, "0.1"),
            (0.97, "0.97"),
            (0.1 + 0.2, "0.30000000000000004"),
            (123_456_789.0, "123456789"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (1e300, "1e+300"),
            (5e-324, "5e-324"),
        ];
        let mut buffer = zmij::Buffer::new();
        for (number, expected) in cases {
            let mut out = Vec::new();
            push_number(number, &mut buffer, &mut out);
            let text = str::from_utf8(&out).unwrap();
            assert_eq!(text, expected);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), number.to_bits());
            assert!(serde_json::from_str::<f64>(text).is_ok());
        }
    }

    /// An id may come from a foreign stream.
    #[test]
    fn an_id_with_separators_is_noted_as_any_text() {
        let hard = crate::batch::tests::hard_samples(false);
        let mut columns = hard.columns().columns().to_vec();
        let ids = ["a", "b,\"c\"", "d\\", "e\r\nf", "g\th"];
        columns[0] = std::sync::Arc::new(arrow_array::StringArray::from_iter_values(ids));
        let batch = arrow_array::RecordBatch::try_new(hard.columns().schema(), columns).unwrap();
        let batch = SampleBatch::new(batch).unwrap();
        for (format, expected) in [
            (
                "csv",
                ["a,", "\"b,\"\"c\"\"\",", "d\\,", "\"e\r\nf\",", "g\th,"],
            ),
            (
                "tsv",
                [
                    "a\t",
                    "\"b,\"\"c\"\"\"\t",
                    "d\\\t",
                    "\"e\r\nf\"\t",
                    "\"g\th\"\t",
                ],
            ),
            (
                "ndjson",
                [
                    r#""id":"a","#,
                    r#""id":"b,\"c\"","#,
                    r#""id":"d\\","#,
                    r#""id":"e\r\nf","#,
                    r#""id":"g\th","#,
                ],
            ),
        ] {
            let format = crate::format::by_name(format).unwrap();
            let mut out = Vec::new();
            let mut encoder = (format.encoder)(&crate::format::Options::default());
            encoder.batch(&batch, &mut out).unwrap();
            let text = str::from_utf8(&out).unwrap();
            for expected in expected {
                assert!(text.contains(expected), "{expected} in {text}");
            }
        }
    }
}
