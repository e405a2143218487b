//! CSV and TSV as `fetch --include-metadata` writes them.
//!
//! Columns are found by name, so that a file that a data frame has passed through is still known.
//! The separator is what stands behind the first name. Quotes, line breaks and lines follow
//! RFC 4180; a file whose last line has no end, or whose last quote is open, was cut off.

use std::{
    borrow::Cow,
    io::{BufRead, BufReader, Read, SeekFrom},
};

use super::{
    Importer, Item, ReadError, Sink, Source, date, head,
    own::{Cells, NO_METADATA, Rows},
};
use crate::format::{COLUMNS, MORE_COLUMNS};

/// Knows what our own writer of CSV and TSV wrote, with any separator.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnCsv;

/// Bytes of the first line that are looked at.
const HEAD: u64 = 4096;

/// Bytes of one row; the metadata of a record is bounded, and quotes at most double it.
const ROW: u64 = 8 << 20;

/// Bytes read at once.
const BUFFER: usize = 128 << 10;

impl Importer for OwnCsv {
    fn name(&self) -> &'static str {
        "healthsync CSV"
    }

    fn id(&self) -> &'static str {
        "csv"
    }

    fn recognize(&self, source: &mut dyn Source) -> Result<bool, ReadError> {
        let head = head(source, HEAD)?;
        let line = head.split_inclusive(|byte| *byte == b'\n').next();
        Ok(line.and_then(Header::parse).is_some())
    }

    fn read(&self, source: &mut dyn Source, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        source.seek(SeekFrom::Start(0)).map_err(ReadError::Read)?;
        let mut lines = Lines::new(source);
        let header = lines.next()?.and_then(Header::parse).ok_or_else(|| {
            // It was one a moment ago.
            malformed(1, "the first line does not name the columns")
        })?;
        let Some(more) = header.more else {
            return Err(malformed(1, NO_METADATA));
        };
        let mut rows = Rows::new();
        loop {
            let line = lines.line + 1;
            let Some(bytes) = lines.next()? else {
                return Ok(());
            };
            if bytes.is_empty() {
                continue;
            }
            let fields = str::from_utf8(bytes)
                .map_err(|_| "rows that are not UTF-8")
                .and_then(|text| split(text, header.separator));
            let read = fields
                .as_deref()
                .map_err(|reason| *reason)
                .and_then(|fields| cells(fields, &header, &more));
            match read {
                Ok(cells) => rows.hand_on(&cells, line, sink)?,
                Err(reason) => sink(Item::Skipped {
                    line,
                    count: 1,
                    reason: reason.into(),
                })?,
            }
        }
    }
}

fn malformed(line: u64, reason: &'static str) -> ReadError {
    ReadError::Malformed {
        line,
        reason: reason.into(),
    }
}

/// Where each column stands.
struct Header {
    separator: char,
    columns: usize,
    base: [usize; COLUMNS.len()],
    more: Option<[usize; MORE_COLUMNS.len()]>,
}

impl Header {
    /// Reads the first line; `None` if it does not name the columns of samples.
    fn parse(line: &[u8]) -> Option<Self> {
        let line = str::from_utf8(line).ok()?;
        // Spreadsheets begin a file with a mark.
        let line = line
            .trim_start_matches('\u{feff}')
            .trim_end_matches(['\r', '\n']);
        // A data frame may have put a column of its own before; its name has no separator in it.
        let (before, _) = line.split_once("type")?;
        let before = before.strip_suffix('"').unwrap_or(before);
        let separator = before.chars().next_back()?;
        if separator.is_alphanumeric() || separator == '"' {
            return None;
        }
        let names = split(line, separator).ok()?;
        let find = |name: &str| names.iter().position(|found| found == name);
        let mut base = [0; COLUMNS.len()];
        for (place, name) in base.iter_mut().zip(COLUMNS) {
            *place = find(name)?;
        }
        let mut more = [0; MORE_COLUMNS.len()];
        let mut complete = true;
        for (place, name) in more.iter_mut().zip(MORE_COLUMNS) {
            match find(name) {
                Some(found) => *place = found,
                None => complete = false,
            }
        }
        Some(Self {
            separator,
            columns: names.len(),
            base,
            more: complete.then_some(more),
        })
    }
}

/// The cells of a row, or why it is none.
fn cells<'a>(
    fields: &'a [Cow<'a, str>],
    header: &Header,
    more: &[usize; MORE_COLUMNS.len()],
) -> Result<Cells<'a>, &'static str> {
    if fields.len() != header.columns {
        return Err("rows with another number of columns");
    }
    let text = |place: usize| fields.get(place).map_or("", |field| &**field);
    let [id, kind, value, unit, start, end, source, category] = header.base.map(text);
    let [origin, device, created, metadata] = more.map(text);
    let some = |text: &'a str| (!text.is_empty()).then_some(text);
    let value = match some(value) {
        Some(text) => {
            let number = text.parse().ok().filter(|number: &f64| number.is_finite());
            Some(number.ok_or("quantities that are no number")?)
        }
        None => None,
    };
    let created_ms = match some(created) {
        Some(text) => Some(date::parse(text).ok_or("creation dates that are no dates")?),
        None => None,
    };
    Ok(Cells {
        id,
        kind,
        value,
        unit,
        start_ms: date::parse(start).ok_or("start dates that are no dates")?,
        end_ms: date::parse(end).ok_or("end dates that are no dates")?,
        source,
        category: some(category),
        origin,
        device: some(device),
        created_ms,
        metadata: some(metadata),
    })
}

/// The fields of a row; doubled quotes are single again.
fn split(row: &str, separator: char) -> Result<Vec<Cow<'_, str>>, &'static str> {
    const ODD: &str = "rows with an odd quote";

    let mut fields = Vec::with_capacity(COLUMNS.len() + MORE_COLUMNS.len());
    let mut rest = row;
    loop {
        let end = if let Some(quoted) = rest.strip_prefix('"') {
            let end = end_of_quoted(quoted).ok_or(ODD)?;
            let (text, behind) = quoted.split_at_checked(end).ok_or(ODD)?;
            fields.push(if text.contains('"') {
                Cow::Owned(text.replace("\"\"", "\""))
            } else {
                Cow::Borrowed(text)
            });
            behind.strip_prefix('"').ok_or(ODD)?
        } else {
            let end = rest.find(separator).unwrap_or(rest.len());
            let (text, behind) = rest.split_at_checked(end).ok_or(ODD)?;
            if text.contains('"') {
                return Err(ODD);
            }
            fields.push(Cow::Borrowed(text));
            behind
        };
        if end.is_empty() {
            return Ok(fields);
        }
        rest = end.strip_prefix(separator).ok_or(ODD)?;
    }
}

/// Position of the quote that is not doubled.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut quotes = text.match_indices('"').peekable();
    while let Some((at, _)) = quotes.next() {
        if quotes.next_if(|(next, _)| *next == at + 1).is_none() {
            return Some(at);
        }
    }
    None
}

/// Reads rows; a line break within quotes ends none.
struct Lines<'s> {
    reader: BufReader<&'s mut dyn Source>,
    row: Vec<u8>,
    /// Lines read so far.
    line: u64,
}

impl<'s> Lines<'s> {
    fn new(source: &'s mut dyn Source) -> Self {
        Self {
            reader: BufReader::with_capacity(BUFFER, source),
            row: Vec::new(),
            line: 0,
        }
    }

    /// The next row without its end; `None` behind the last.
    fn next(&mut self) -> Result<Option<&[u8]>, ReadError> {
        self.row.clear();
        // Between two quotes.
        let mut within = false;
        loop {
            let before = self.row.len();
            let room = ROW.saturating_sub(u64::try_from(before).unwrap_or(u64::MAX));
            let read = (&mut self.reader)
                .take(room)
                .read_until(b'\n', &mut self.row)
                .map_err(ReadError::Read)?;
            if read == 0 && before == 0 {
                return Ok(None);
            }
            self.line += 1;
            let added = self.row.get(before..).unwrap_or_default();
            if added.last() != Some(&b'\n') {
                return Err(
                    if u64::try_from(self.row.len()).unwrap_or(u64::MAX) >= ROW {
                        malformed(self.line, "a row of more than 8 MiB")
                    } else {
                        ReadError::Truncated { line: self.line }
                    },
                );
            }
            within = added
                .iter()
                .fold(within, |within, byte| within != (*byte == b'"'));
            if !within {
                break;
            }
        }
        let row = self.row.strip_suffix(b"\n").unwrap_or(&self.row);
        Ok(Some(row.strip_suffix(b"\r").unwrap_or(row)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const HEADER: &str = "id,type,value,unit,startDate,endDate,sourceName,category,origin,device,\
                          creationDate,metadata\r\n";

    fn read(text: &str) -> (Vec<Item>, Result<(), ReadError>) {
        let mut source = Cursor::new(text.as_bytes().to_vec());
        assert!(OwnCsv.recognize(&mut source).unwrap());
        let mut items = Vec::new();
        let result = OwnCsv.read(&mut source, &mut |item| {
            items.push(item);
            Ok(())
        });
        (items, result)
    }

    fn sources(items: &[Item]) -> Vec<String> {
        let source = |item: &Item| match item {
            Item::Returning(row) => row.sample.provenance.source_name.clone(),
            Item::Skipped { line, reason, .. } => format!("{line}: {reason}"),
            other => panic!("{other:?}"),
        };
        items.iter().map(source).collect()
    }

    fn row(source: &str) -> String {
        format!(
            ",steps,1,count,2024-06-15T08:00:00Z,2024-06-15T08:00:00.25Z,{source},,default,,,\r\n"
        )
    }

    #[test]
    fn fields_may_hold_anything() {
        let text = [
            HEADER,
            &row("plain"),
            &row("\"a, b\""),
            &row("\"say \"\"hi\"\"\""),
            &row("\"two\r\nlines\""),
            &row("\"\""),
            &row("last"),
        ]
        .concat();
        let (items, result) = read(&text);
        result.unwrap();
        assert_eq!(
            sources(&items),
            ["plain", "a, b", "say \"hi\"", "two\r\nlines", "", "last"]
        );
    }

    #[test]
    fn odd_rows_are_told_with_their_line() {
        let text = [
            HEADER,
            &row("\"two\nlines\""),
            "a,b\r\n",
            &row("x").replace("08:00:00Z", "25:00:00Z"),
            &row("x").replace(",1,", ",many,"),
            &row("a\"b\"c"),
            &row("x").replace("default", "a\u{7}b"),
            "\n",
            &row("last"),
        ]
        .concat();
        let (items, result) = read(&text);
        result.unwrap();
        assert_eq!(
            sources(&items),
            [
                "two\nlines",
                "4: rows with another number of columns",
                "5: start dates that are no dates",
                "6: quantities that are no number",
                "7: rows with an odd quote",
                "8: rows whose origin is no name",
                "last",
            ]
        );
    }

    #[test]
    fn a_cut_is_noticed_at_every_byte_of_the_last_row() {
        let whole = [HEADER, &row("\"a\r\nb\"")].concat();
        for cut in HEADER.len() + 1..whole.len() {
            let (items, result) = read(&whole[..cut]);
            assert!(items.is_empty(), "{cut}");
            assert!(matches!(result, Err(ReadError::Truncated { .. })), "{cut}");
        }
    }

    #[test]
    fn any_separator_and_order_of_columns() {
        let tabs = [HEADER, &row("x")].concat().replace(',', "\t");
        assert_eq!(sources(&read(&tabs).0), ["x"]);
        let semicolons = [HEADER, &row("x")].concat().replace(',', ";");
        assert_eq!(sources(&read(&format!("\u{feff}{semicolons}")).0), ["x"]);
        let frame = format!(",{HEADER}0,{}", row("x"));
        assert_eq!(sources(&read(&frame).0), ["x"]);
        let quoted = HEADER
            .trim_end()
            .split(',')
            .map(|name| format!("\"{name}\""));
        let quoted = quoted.collect::<Vec<_>>().join(",") + "\n" + &row("x");
        assert_eq!(sources(&read(&quoted).0), ["x"]);
    }

    #[test]
    fn a_file_without_metadata_is_refused_and_others_are_not_known() {
        let base = "id,type,value,unit,startDate,endDate,sourceName,category\r\n";
        let (_, result) = read(base);
        let error = result.unwrap_err().to_string();
        assert!(error.contains("--include-metadata"), "{error}");
        for text in [
            "",
            "id,type\n",
            "a,b,c\n",
            "type",
            "\u{0}\u{1}",
            "<HealthData>",
        ] {
            let mut source = Cursor::new(text.as_bytes().to_vec());
            assert!(!OwnCsv.recognize(&mut source).unwrap(), "{text:?}");
        }
    }

    #[test]
    fn a_row_without_end_does_not_fill_the_memory() {
        let text = format!("{HEADER}\"{}", "x".repeat(9 << 20));
        let (_, result) = read(&text);
        assert!(matches!(result, Err(ReadError::Malformed { line: 2, .. })));
    }
}
