//! Workouts, routes, electrocardiograms and the like: as lines on the wire ([`lines`]), and what a
//! client makes of these lines.
//!
//! ```text
//! Store ──► lines (NDJSON) ──► the wire ──► CollectionEncoder ──► ndjson, json, csv, tsv, gpx
//! ```

mod flat;
mod gpx;
mod lines;

use serde::de::{DeserializeOwned, IgnoredAny};

use self::flat::Table;
use super::{End, FormatError, csv::Lines};
use crate::api::Collection;

pub use self::lines::{LineError, correlation_line, document_line, workout_line};

/// In which form a collection is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One object: `{"status":"ok","workouts":[..],"count":N,"hasMore":false,"returnedCount":N}`.
    Json,
    /// One object a line.
    Ndjson,
    /// Flat, with a header; `delimiter` between the fields.
    Csv {
        /// Field separator.
        delimiter: u8,
    },
    /// The same with tabs.
    Tsv,
    /// GPX 1.1: routes alone.
    Gpx,
}

/// Turns lines of the wire into bytes; memory is that of one object. Call `start` once, `line` any
/// number of times, `finish` once; each appends to `out`.
#[derive(Debug)]
pub struct CollectionEncoder {
    collection: Collection,
    writer: Writer,
    count: u64,
    passed_over: u64,
}

#[derive(Debug)]
enum Writer {
    Document,
    Lines,
    Table(Table, Lines),
    Gpx,
}

impl CollectionEncoder {
    /// `None`: this collection has no such form.
    pub fn new(collection: Collection, shape: Shape) -> Option<Self> {
        let table = || Table::of(collection);
        let writer = match shape {
            Shape::Json => Writer::Document,
            Shape::Ndjson => Writer::Lines,
            Shape::Csv { delimiter } => Writer::Table(table()?, Lines::csv(delimiter)),
            Shape::Tsv => Writer::Table(table()?, Lines::tsv()),
            Shape::Gpx if collection == Collection::Routes => Writer::Gpx,
            Shape::Gpx => return None,
        };
        Some(Self {
            collection,
            writer,
            count: 0,
            passed_over: 0,
        })
    }

    /// The beginning.
    pub fn start(&self, out: &mut Vec<u8>) {
        match &self.writer {
            Writer::Document => {
                let begin = format!(r#"{{"status":"ok","{}":["#, self.collection);
                out.extend_from_slice(begin.as_bytes());
            }
            Writer::Lines => {}
            Writer::Table(table, lines) => table.header(lines, out),
            Writer::Gpx => gpx::start(out),
        }
    }

    /// One object, without the line feed behind it.
    pub fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<(), FormatError> {
        match &self.writer {
            Writer::Document | Writer::Lines => {
                object(line)?;
                if matches!(self.writer, Writer::Document) && self.count > 0 {
                    out.extend_from_slice(b",\n");
                }
                out.extend_from_slice(line);
                if matches!(self.writer, Writer::Lines) {
                    out.push(b'\n');
                }
            }
            Writer::Table(table, lines) => table.rows(line, lines, out)?,
            Writer::Gpx => {
                let left_out = gpx::track(&parsed(line)?, out);
                self.passed_over = self.passed_over.saturating_add(left_out);
            }
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// The end; `end` says whether a limit cut the answer.
    pub fn finish(&self, end: &End, out: &mut Vec<u8>) {
        match &self.writer {
            Writer::Document => {
                let end = End {
                    count: self.count,
                    ..end.clone()
                };
                super::json::push_tail(&end, out);
            }
            Writer::Lines | Writer::Table(..) => {}
            Writer::Gpx => gpx::finish(out),
        }
    }

    /// Objects so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Points that the form cannot say, because they have no place on the earth.
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }
}

/// It comes from a foreign stream: it must be one object.
fn object(line: &[u8]) -> Result<(), FormatError> {
    serde_json::from_slice::<IgnoredAny>(line).map_err(FormatError::decode)?;
    if line.starts_with(b"{") {
        Ok(())
    } else {
        Err(FormatError::decode("a line is no object"))
    }
}

fn parsed<T: DeserializeOwned>(line: &[u8]) -> Result<T, FormatError> {
    serde_json::from_slice(line).map_err(FormatError::decode)
}

#[cfg(test)]
mod tests;
