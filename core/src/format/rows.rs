//! One walk over the columns for every format that writes text, row after row.
//!
//! A format says how it notes a text, a date and an absence ([`Notation`]); what the columns are,
//! and how numbers and dates are spelled, stands here only. Texts that repeat are rendered once a
//! batch.

use arrow_array::Array;

use super::FormatError;
use crate::{
    batch::{Names, SampleBatch},
    time::push_rfc3339,
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
    let kinds = Rendered::new(columns.kind, notation);
    let units = Rendered::new(columns.unit, notation);
    let sources = Rendered::new(columns.source, notation);
    let categories = Rendered::new(columns.category, notation);
    let more = more.map(|more| {
        (
            Rendered::new(more.origin, notation),
            Rendered::new(more.device, notation),
            more,
        )
    });
    let mut numbers = zmij::Buffer::new();
    for row in 0..batch.len() {
        between(out);
        notation.before(0, out);
        notation.text(columns.id.value(row), out);
        notation.before(1, out);
        kinds.push(row, out);
        notation.before(2, out);
        if columns.value.is_valid(row) && columns.value.value(row).is_finite() {
            push_number(columns.value.value(row), &mut numbers, out);
        } else {
            out.extend_from_slice(notation.absent());
        }
        notation.before(3, out);
        units.push(row, out);
        notation.before(4, out);
        push_date(columns.start.value(row), notation, out);
        notation.before(5, out);
        push_date(columns.end.value(row), notation, out);
        notation.before(6, out);
        sources.push(row, out);
        notation.before(7, out);
        categories.push(row, out);
        if let Some((origins, devices, more)) = &more {
            notation.before(8, out);
            origins.push(row, out);
            notation.before(9, out);
            devices.push(row, out);
            notation.before(10, out);
            if more.created.is_valid(row) {
                push_date(more.created.value(row), notation, out);
            } else {
                out.extend_from_slice(notation.absent());
            }
            notation.before(11, out);
            if more.metadata.is_valid(row) {
                notation.object(more.metadata.value(row), out)?;
            } else {
                out.extend_from_slice(notation.absent());
            }
        }
        notation.end_row(out);
    }
    Ok(())
}

/// The shortest text that reads back as the same number, whole numbers without a point.
pub(super) fn push_number(number: f64, buffer: &mut zmij::Buffer, out: &mut Vec<u8>) {
    let text = buffer.format_finite(number);
    out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
}

fn push_date(ms: i64, notation: &impl Notation, out: &mut Vec<u8>) {
    out.extend_from_slice(notation.date_quote());
    push_rfc3339(ms, out);
    out.extend_from_slice(notation.date_quote());
}

/// A column of texts that repeat, each as the format notes it.
struct Rendered<'a> {
    names: Names<'a>,
    bytes: Vec<u8>,
    /// Where each text ends; the last one stands for an absence.
    ends: Vec<usize>,
}

impl<'a> Rendered<'a> {
    fn new(names: Names<'a>, notation: &impl Notation) -> Self {
        let mut bytes = Vec::new();
        let mut ends = vec![0];
        for text in names.distinct().chain([None]) {
            match text {
                Some(text) => notation.text(text, &mut bytes),
                None => bytes.extend_from_slice(notation.absent()),
            }
            ends.push(bytes.len());
        }
        Self { names, bytes, ends }
    }

    fn push(&self, row: usize, out: &mut Vec<u8>) {
        let key = self.names.key(row).unwrap_or(self.ends.len() - 2);
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
}
