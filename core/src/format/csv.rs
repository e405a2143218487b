//! CSV (RFC 4180) and the same with tabs.
//!
//! CSV has a header line, lines that end in CR LF, and quotes around a field that holds the
//! separator, a quote or a line break; quotes inside are doubled. Absent values are empty. TSV has
//! tabs and plain line feeds, which is what Unix tools expect of it. Nothing else is done to a
//! field: what a spreadsheet makes of a text that begins with `=` is the spreadsheet's doing.

use super::{
    Encoder, End, Format, FormatError, Options,
    rows::{COLUMNS, MORE_COLUMNS, Notation, write_rows},
};
use crate::batch::SampleBatch;

pub(super) const CSV: Format = Format {
    name: "csv",
    media_type: "text/csv",
    encoder: |options| Box::new(Csv::new(Lines::csv(options.delimiter), options)),
};

pub(super) const TSV: Format = Format {
    name: "tsv",
    media_type: "text/tab-separated-values",
    encoder: |options| Box::new(Csv::new(Lines::tsv(), options)),
};

struct Csv {
    lines: Lines,
    include_metadata: bool,
}

impl Csv {
    fn new(lines: Lines, options: &Options) -> Self {
        Self {
            lines,
            include_metadata: options.include_metadata,
        }
    }
}

impl Encoder for Csv {
    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let more: &[&str] = if self.include_metadata {
            &MORE_COLUMNS
        } else {
            &[]
        };
        for (column, name) in COLUMNS.iter().chain(more).enumerate() {
            self.lines.before(column, out);
            self.lines.text(name, out);
        }
        self.lines.end_row(out);
        Ok(())
    }

    fn batch(&mut self, batch: &SampleBatch, out: &mut Vec<u8>) -> Result<(), FormatError> {
        write_rows(&self.lines, batch, self.include_metadata, |_| {}, out)
    }

    fn finish(&mut self, _end: &End, _out: &mut Vec<u8>) -> Result<(), FormatError> {
        Ok(())
    }
}

/// Fields of a line.
#[derive(Debug)]
pub(super) struct Lines {
    delimiter: u8,
    line_end: &'static [u8],
}

impl Lines {
    pub(super) const fn csv(delimiter: u8) -> Self {
        Self {
            delimiter,
            line_end: b"\r\n",
        }
    }

    pub(super) const fn tsv() -> Self {
        Self {
            delimiter: b'\t',
            line_end: b"\n",
        }
    }
}

impl Notation for Lines {
    fn before(&self, column: usize, out: &mut Vec<u8>) {
        if column > 0 {
            out.push(self.delimiter);
        }
    }

    fn end_row(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.line_end);
    }

    fn is_plain(&self, bytes: &[u8]) -> bool {
        let special = memchr::memchr3(b'"', b'\r', b'\n', bytes);
        special.is_none() && memchr::memchr(self.delimiter, bytes).is_none()
    }

    fn text_quote(&self) -> &[u8] {
        b""
    }

    fn text(&self, text: &str, out: &mut Vec<u8>) {
        if self.is_plain(text.as_bytes()) {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        out.push(b'"');
        for (index, part) in text.split('"').enumerate() {
            if index > 0 {
                out.extend_from_slice(b"\"\"");
            }
            out.extend_from_slice(part.as_bytes());
        }
        out.push(b'"');
    }

    fn date_quote(&self) -> &[u8] {
        b""
    }

    fn absent(&self) -> &[u8] {
        b""
    }

    fn object(&self, json: &str, out: &mut Vec<u8>) -> Result<(), FormatError> {
        self.text(json, out);
        Ok(())
    }
}
