//! One JSON document: `{"status":"ok","samples":[..],"count":N,"hasMore":false,"returnedCount":N}`,
//! with `nextCursor` when there is more. It is [`crate::api::DataResponse`], streamed.

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::{
    Encoder, End, Format, FormatError, Options,
    rows::{COLUMNS, MORE_COLUMNS, Notation, write_rows},
};
use crate::batch::SampleBatch;

pub(super) const JSON: Format = Format {
    name: "json",
    media_type: "application/json",
    encoder: |options| {
        Box::new(Json {
            objects: Objects::new(b"}"),
            options: options.clone(),
            first: true,
        })
    },
};

/// Between two samples: each has a line of its own.
const COMMA: &[u8] = b",\n";

struct Json {
    objects: Objects,
    options: Options,
    /// No sample was written yet.
    first: bool,
}

impl Encoder for Json {
    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        out.extend_from_slice(br#"{"status":"ok","samples":["#);
        Ok(())
    }

    fn batch(&mut self, batch: &SampleBatch, out: &mut Vec<u8>) -> Result<(), FormatError> {
        if batch.is_empty() {
            return Ok(());
        }
        let begin = out.len();
        let comma = |out: &mut Vec<u8>| out.extend_from_slice(COMMA);
        write_rows(
            &self.objects,
            batch,
            self.options.include_metadata,
            comma,
            out,
        )?;
        if std::mem::take(&mut self.first) {
            out.drain(begin..begin + COMMA.len());
        }
        Ok(())
    }

    fn finish(&mut self, end: &End, out: &mut Vec<u8>) -> Result<(), FormatError> {
        push_tail(end, out);
        Ok(())
    }
}

/// A sample as a JSON object on one line; NDJSON writes the same.
pub(super) struct Objects {
    /// `{"id":`, `,"type":`, ..
    before: Vec<Vec<u8>>,
    end: &'static [u8],
}

impl Objects {
    /// `end` closes the object, and the line if the format has lines.
    pub(super) fn new(end: &'static [u8]) -> Self {
        let names = COLUMNS.iter().chain(&MORE_COLUMNS).enumerate();
        Self {
            before: names
                .map(|(column, name)| {
                    let mark = if column == 0 { '{' } else { ',' };
                    format!("{mark}\"{name}\":").into_bytes()
                })
                .collect(),
            end,
        }
    }
}

impl Notation for Objects {
    fn before(&self, column: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.before.get(column).map_or(b"", Vec::as_slice));
    }

    fn end_row(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.end);
    }

    fn text(&self, text: &str, out: &mut Vec<u8>) {
        push_text(text, out);
    }

    fn is_plain(&self, bytes: &[u8]) -> bool {
        bytes.iter().copied().all(is_plain)
    }

    fn text_quote(&self) -> &[u8] {
        b"\""
    }

    fn date_quote(&self) -> &[u8] {
        b"\""
    }

    fn absent(&self) -> &[u8] {
        b"null"
    }

    fn object(&self, json: &str, out: &mut Vec<u8>) -> Result<(), FormatError> {
        push_object(json, out)
    }
}

/// The end of a list, and what stands behind it: how many there were, and whether there is more.
pub(super) fn push_tail(end: &End, out: &mut Vec<u8>) {
    let mut tail = Map::new();
    tail.insert("hasMore".to_owned(), end.has_more.into());
    tail.insert("returnedCount".to_owned(), end.count.into());
    if let Some(cursor) = &end.next_cursor {
        tail.insert("nextCursor".to_owned(), cursor.as_str().into());
    }
    push_fields(tail, end.count, out);
}

/// The end of a list, and these fields of the object around it, `count` among them.
pub(super) fn push_fields(mut tail: Map<String, Value>, count: u64, out: &mut Vec<u8>) {
    tail.insert("count".to_owned(), count.into());
    let tail = Value::Object(tail).to_string();
    out.extend_from_slice(b"],");
    // The rest of the outer object: without its opening brace.
    out.extend_from_slice(tail.as_bytes().get(1..).unwrap_or_default());
    out.push(b'\n');
}

/// Whether a byte stands for itself in a text (RFC 8259, section 7).
fn is_plain(c: u8) -> bool {
    c >= b' ' && c != b'"' && c != b'\\'
}

/// A text with its quotes.
pub(super) fn push_text(text: &str, out: &mut Vec<u8>) {
    // What serde_json would do, without its setting up for each text.
    out.push(b'"');
    if text.bytes().all(is_plain) {
        out.extend_from_slice(text.as_bytes());
    } else {
        for c in text.bytes() {
            match c {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', c]),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                0..b' ' => out.extend_from_slice(format!("\\u{c:04x}").as_bytes()),
                _ => out.push(c),
            }
        }
    }
    out.push(b'"');
}

/// A JSON object, as it stands.
pub(super) fn push_object(json: &str, out: &mut Vec<u8>) -> Result<(), FormatError> {
    // It may come from a foreign stream: it must neither leave its place nor break its line.
    serde_json::from_str::<IgnoredAny>(json).map_err(FormatError::encode)?;
    if !json.starts_with('{') || json.contains(['\n', '\r']) {
        return Err(FormatError::encode("metadata is not an object on one line"));
    }
    out.extend_from_slice(json.as_bytes());
    Ok(())
}
