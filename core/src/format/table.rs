//! Tables that are not samples (totals, changes), in the formats that samples have.
//!
//! The columns are those of an Arrow schema; a cell is a text, a number, an instant, a truth value or
//! a JSON object. Numbers, dates, quotes and absences are spelled as in the formats of samples.

use std::{collections::HashMap, sync::Arc};

use arrow_array::{
    Array, BooleanArray, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray, types::Int32Type,
};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::SchemaRef;
use serde_json::{Map, Value};

use super::{
    Format, FormatError, Options,
    arrow::stream_writer,
    csv::Lines,
    json::{push_fields, push_text},
    parquet::Writer,
    rows::{Notation, push_number},
};
use crate::time::push_rfc3339;

/// Key of a field's metadata: its texts are JSON objects.
pub(crate) const JSON: &str = "healthsync.json";

/// The metadata of a field of JSON objects.
pub(crate) fn json_field() -> HashMap<String, String> {
    HashMap::from([(JSON.to_owned(), "true".to_owned())])
}

/// Turns batches of one schema into bytes. Call [`TableEncoder::start`] once,
/// [`TableEncoder::batch`] any number of times, [`TableEncoder::finish`] once.
pub struct TableEncoder {
    schema: SchemaRef,
    notation: Spelling,
    count: u64,
}

enum Spelling {
    Lines(Lines),
    /// One object a line.
    Objects,
    /// All in one object, in an array of this name.
    Document(&'static str),
    Arrow(Option<Box<StreamWriter<Vec<u8>>>>),
    Parquet(Option<Box<Writer>>),
}

impl std::fmt::Debug for TableEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableEncoder")
            .field("schema", &self.schema)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl TableEncoder {
    /// `list` is the name of the array in the JSON document. `None`: tables are not written in this
    /// format.
    pub fn new(
        format: &Format,
        options: &Options,
        schema: SchemaRef,
        list: &'static str,
    ) -> Option<Self> {
        let notation = match format.name {
            "csv" => Spelling::Lines(Lines::csv(options.delimiter)),
            "tsv" => Spelling::Lines(Lines::tsv()),
            "ndjson" => Spelling::Objects,
            "json" => Spelling::Document(list),
            "arrow" => Spelling::Arrow(None),
            _ => return None,
        };
        Some(Self {
            schema,
            notation,
            count: 0,
        })
    }

    /// Of a file that is kept: CSV or Parquet, in which tables do not travel. `None`: no such format.
    pub(crate) fn of_file(format: &Format, schema: SchemaRef) -> Option<Self> {
        if format.name != "parquet" {
            return Self::new(format, &Options::default(), schema, "");
        }
        Some(Self {
            schema,
            notation: Spelling::Parquet(None),
            count: 0,
        })
    }

    /// How many rows were written.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The header.
    pub fn start(&mut self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        match &mut self.notation {
            Spelling::Lines(lines) => {
                for (column, field) in self.schema.fields().iter().enumerate() {
                    lines.before(column, out);
                    lines.text(field.name(), out);
                }
                lines.end_row(out);
            }
            Spelling::Objects => {}
            Spelling::Document(list) => {
                out.extend_from_slice(format!("{{\"status\":\"ok\",\"{list}\":[").as_bytes());
            }
            Spelling::Arrow(writer) => {
                let mut begun = stream_writer(&self.schema)?;
                out.append(begun.get_mut());
                *writer = Some(Box::new(begun));
            }
            Spelling::Parquet(writer) => {
                let begun = Writer::new(Arc::clone(&self.schema), out)?;
                *writer = Some(Box::new(begun));
            }
        }
        Ok(())
    }

    /// Some rows.
    pub fn batch(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), FormatError> {
        if batch.schema_ref().fields() != self.schema.fields() {
            return Err(FormatError::encode("a batch has other columns"));
        }
        let rows = u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
        if let Spelling::Arrow(writer) = &mut self.notation {
            let writer = writer.as_mut().ok_or_else(not_started)?;
            writer.write(batch).map_err(FormatError::encode)?;
            out.append(writer.get_mut());
            self.count = self.count.saturating_add(rows);
            return Ok(());
        }
        if let Spelling::Parquet(writer) = &mut self.notation {
            let writer = writer.as_mut().ok_or_else(not_started)?;
            self.count = self.count.saturating_add(rows);
            return writer.batch(batch, out);
        }
        let columns = batch
            .columns()
            .iter()
            .zip(self.schema.fields())
            .map(|(column, field)| Cells::new(column.as_ref(), field.metadata().contains_key(JSON)))
            .collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<String> = (self.schema.fields().iter().enumerate())
            .map(|(column, field)| {
                let mark = if column == 0 { '{' } else { ',' };
                format!("{mark}\"{}\":", field.name())
            })
            .collect();
        let mut numbers = zmij::Buffer::new();
        for row in 0..batch.num_rows() {
            match &self.notation {
                Spelling::Lines(lines) => {
                    for (column, cells) in columns.iter().enumerate() {
                        lines.before(column, out);
                        cells.push_field(row, lines, &mut numbers, out);
                    }
                    lines.end_row(out);
                }
                Spelling::Objects | Spelling::Document(_) => {
                    let is_document = matches!(self.notation, Spelling::Document(_));
                    if is_document && self.count > 0 {
                        out.extend_from_slice(b",\n");
                    }
                    for (cells, key) in columns.iter().zip(&keys) {
                        out.extend_from_slice(key.as_bytes());
                        cells.push_json(row, &mut numbers, out)?;
                    }
                    out.extend_from_slice(if is_document { b"}" } else { b"}\n" });
                }
                Spelling::Arrow(_) | Spelling::Parquet(_) => {}
            }
            self.count = self.count.saturating_add(1);
        }
        Ok(())
    }

    /// The end; `tail` are the fields behind the array of the JSON document, and `count` beside them.
    pub fn finish(
        &mut self,
        tail: Map<String, Value>,
        out: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        match &mut self.notation {
            Spelling::Lines(_) | Spelling::Objects => {}
            Spelling::Document(_) => push_fields(tail, self.count, out),
            Spelling::Arrow(writer) => {
                let writer = writer.as_mut().ok_or_else(not_started)?;
                writer.finish().map_err(FormatError::encode)?;
                out.append(writer.get_mut());
            }
            Spelling::Parquet(writer) => writer.as_mut().ok_or_else(not_started)?.finish(out)?,
        }
        Ok(())
    }
}

fn not_started() -> FormatError {
    FormatError::encode("the stream was not started")
}

/// One column, whatever its type.
enum Cells<'a> {
    Text(&'a StringArray),
    Object(&'a StringArray),
    Name(&'a DictionaryArray<Int32Type>, &'a StringArray),
    Number(&'a Float64Array),
    Whole(&'a Int64Array),
    Truth(&'a BooleanArray),
    Instant(&'a TimestampMillisecondArray),
}

impl<'a> Cells<'a> {
    fn new(column: &'a dyn Array, is_object: bool) -> Result<Self, FormatError> {
        let any = column.as_any();
        if let Some(texts) = any.downcast_ref::<StringArray>() {
            return Ok(if is_object {
                Self::Object(texts)
            } else {
                Self::Text(texts)
            });
        }
        if let Some(names) = any.downcast_ref::<DictionaryArray<Int32Type>>()
            && let Some(texts) = names.values().as_any().downcast_ref::<StringArray>()
        {
            return Ok(Self::Name(names, texts));
        }
        let known = (any.downcast_ref().map(Self::Number))
            .or_else(|| any.downcast_ref().map(Self::Whole))
            .or_else(|| any.downcast_ref().map(Self::Truth))
            .or_else(|| any.downcast_ref().map(Self::Instant));
        known.ok_or_else(|| {
            FormatError::encode(format!("no format for a column of {}", column.data_type()))
        })
    }

    /// `None`: absent.
    fn text(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Text(texts) | Self::Object(texts) => {
                texts.is_valid(row).then(|| texts.value(row))
            }
            Self::Name(names, texts) => {
                let key = names.key(row)?;
                (key < texts.len() && texts.is_valid(key)).then(|| texts.value(key))
            }
            Self::Number(_) | Self::Whole(_) | Self::Truth(_) | Self::Instant(_) => None,
        }
    }

    /// What is spelled the same everywhere, but for the quotes of dates; `false`: absent.
    fn push_plain(
        &self,
        row: usize,
        quote: &[u8],
        numbers: &mut zmij::Buffer,
        out: &mut Vec<u8>,
    ) -> bool {
        match self {
            Self::Number(cells) if cells.is_valid(row) && cells.value(row).is_finite() => {
                push_number(cells.value(row), numbers, out);
            }
            Self::Whole(cells) if cells.is_valid(row) => {
                out.extend_from_slice(cells.value(row).to_string().as_bytes());
            }
            Self::Truth(cells) if cells.is_valid(row) => {
                out.extend_from_slice(if cells.value(row) { b"true" } else { b"false" });
            }
            Self::Instant(cells) if cells.is_valid(row) => {
                out.extend_from_slice(quote);
                push_rfc3339(cells.value(row), out);
                out.extend_from_slice(quote);
            }
            _ => return false,
        }
        true
    }

    fn push_field(&self, row: usize, lines: &Lines, numbers: &mut zmij::Buffer, out: &mut Vec<u8>) {
        if let Some(text) = self.text(row) {
            lines.text(text, out);
        } else if !self.push_plain(row, lines.date_quote(), numbers, out) {
            out.extend_from_slice(lines.absent());
        }
    }

    fn push_json(
        &self,
        row: usize,
        numbers: &mut zmij::Buffer,
        out: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        match (self, self.text(row)) {
            (Self::Object(_), Some(json)) => super::json::push_object(json, out)?,
            (_, Some(text)) => push_text(text, out),
            (_, None) => {
                if !self.push_plain(row, b"\"", numbers, out) {
                    out.extend_from_slice(b"null");
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::ArrayRef;
    use arrow_schema::{DataType, Field, Schema, TimeUnit};

    use super::*;
    use crate::format::by_name;

    fn table() -> RecordBatch {
        let names = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let instant = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let schema = Schema::new(vec![
            Field::new("text", DataType::Utf8, true),
            Field::new("name", names, true),
            Field::new("number", DataType::Float64, true),
            Field::new("whole", DataType::Int64, true),
            Field::new("truth", DataType::Boolean, true),
            Field::new("at", instant, true),
            Field::new("object", DataType::Utf8, true).with_metadata(json_field()),
        ]);
        let names: DictionaryArray<Int32Type> = [Some("n\""), None].into_iter().collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec![Some("a,b"), None])),
            Arc::new(names),
            Arc::new(Float64Array::from(vec![Some(1.5), Some(f64::NAN)])),
            Arc::new(Int64Array::from(vec![Some(-7), None])),
            Arc::new(BooleanArray::from(vec![Some(true), None])),
            Arc::new(TimestampMillisecondArray::from(vec![Some(0), None]).with_timezone("UTC")),
            Arc::new(StringArray::from(vec![Some("{\"k\":1}"), None])),
        ];
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    fn written(format: &str) -> String {
        let table = table();
        let format = by_name(format).unwrap();
        let mut encoder =
            TableEncoder::new(format, &Options::default(), table.schema(), "rows").unwrap();
        let mut out = Vec::new();
        encoder.start(&mut out).unwrap();
        encoder.batch(&table, &mut out).unwrap();
        encoder.batch(&table.slice(1, 1), &mut out).unwrap();
        let tail = Map::from_iter([("zone".to_owned(), "UTC".into())]);
        encoder.finish(tail, &mut out).unwrap();
        assert_eq!(encoder.count(), 3);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn each_format_spells_each_cell() {
        assert_eq!(
            written("csv"),
            "text,name,number,whole,truth,at,object\r\n\
             \"a,b\",\"n\"\"\",1.5,-7,true,1970-01-01T00:00:00Z,\"{\"\"k\"\":1}\"\r\n\
             ,,,,,,\r\n,,,,,,\r\n"
        );
        assert!(written("tsv").starts_with("text\tname\t"));
        let first = "{\"text\":\"a,b\",\"name\":\"n\\\"\",\"number\":1.5,\"whole\":-7,\
                     \"truth\":true,\"at\":\"1970-01-01T00:00:00Z\",\"object\":{\"k\":1}}";
        let empty = "{\"text\":null,\"name\":null,\"number\":null,\"whole\":null,\"truth\":null,\
                     \"at\":null,\"object\":null}";
        assert_eq!(written("ndjson"), format!("{first}\n{empty}\n{empty}\n"));
        assert_eq!(
            written("json"),
            format!(
                "{{\"status\":\"ok\",\"rows\":[{first},\n{empty},\n{empty}],\"count\":3,\"zone\":\"UTC\"}}\n"
            )
        );
    }
}
