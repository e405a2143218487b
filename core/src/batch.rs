//! Samples on their way out: columns of one fixed Arrow schema.
//!
//! | column | Arrow type | |
//! |---|---|---|
//! | `id` | Utf8 | UUID as 36 characters, so that every reader shows the same id |
//! | `type` | Dictionary(Int32, Utf8) | |
//! | `value` | Float64 | null for categories |
//! | `unit` | Dictionary(Int32, Utf8) | empty for categories |
//! | `startDate`, `endDate` | Timestamp(ms, "UTC") | |
//! | `sourceName` | Dictionary(Int32, Utf8) | |
//! | `category` | Dictionary(Int32, Utf8) | null for quantities |
//!
//! and on demand
//!
//! | column | Arrow type | |
//! |---|---|---|
//! | `origin` | Dictionary(Int32, Utf8) | |
//! | `device` | Dictionary(Int32, Utf8) | null when unknown |
//! | `creationDate` | Timestamp(ms, "UTC") | null when unknown |
//! | `metadata` | Utf8 | a JSON object; null when there is none |
//!
//! Texts that repeat are dictionaries: a row costs four bytes for each, and a writer renders each
//! text once a batch. The schema's metadata says `healthsync.schema` = [`SCHEMA_VERSION`].

mod builder;

use std::{collections::HashMap, sync::Arc};

use arrow_array::{
    Array, ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray,
    types::Int32Type,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

pub(crate) use self::builder::{BatchBuilder, More, Row, Texts, uuid_text};

/// Version of the columns, as the schema's metadata says it.
pub const SCHEMA_VERSION: &str = "1";
/// Its key.
pub(crate) const VERSION_KEY: &str = "healthsync.schema";

/// Columns that are always there.
pub(crate) const BASE_COLUMNS: usize = 8;

/// The columns; with `include_metadata` those on demand, too.
pub fn schema(include_metadata: bool) -> SchemaRef {
    let name = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let instant = || DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let mut fields = vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("type", name(), false),
        Field::new("value", DataType::Float64, true),
        Field::new("unit", name(), false),
        Field::new("startDate", instant(), false),
        Field::new("endDate", instant(), false),
        Field::new("sourceName", name(), false),
        Field::new("category", name(), true),
    ];
    if include_metadata {
        fields.extend([
            Field::new("origin", name(), false),
            Field::new("device", name(), true),
            Field::new("creationDate", instant(), true),
            Field::new("metadata", DataType::Utf8, true),
        ]);
    }
    let version = HashMap::from([(VERSION_KEY.to_owned(), SCHEMA_VERSION.to_owned())]);
    Arc::new(Schema::new_with_metadata(fields, version))
}

/// Some samples as columns.
#[derive(Clone, Debug)]
pub struct SampleBatch(RecordBatch);

impl SampleBatch {
    /// Checks the schema of a foreign batch.
    pub fn new(batch: RecordBatch) -> Result<Self, SchemaMismatch> {
        check_schema(batch.schema_ref())?;
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let must_be_there = !matches!(
                field.name().as_str(),
                "value" | "category" | "device" | "creationDate" | "metadata"
            );
            if must_be_there && column.null_count() > 0 {
                return Err(SchemaMismatch(format!("{} has nulls", field.name())));
            }
        }
        Ok(Self(batch))
    }

    /// Whether these are the columns of samples.
    pub(crate) fn has_columns(schema: &Schema) -> bool {
        check_schema(schema).is_ok()
    }

    /// The columns.
    pub fn columns(&self) -> &RecordBatch {
        &self.0
    }

    /// How many samples.
    pub fn len(&self) -> usize {
        self.0.num_rows()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether origin, device, creationDate and metadata are there.
    pub fn has_metadata(&self) -> bool {
        self.0.num_columns() > BASE_COLUMNS
    }

    /// The columns that are always there, alone.
    pub(crate) fn base_columns(&self) -> Result<RecordBatch, SchemaMismatch> {
        let columns = self
            .0
            .columns()
            .iter()
            .take(BASE_COLUMNS)
            .cloned()
            .collect();
        RecordBatch::try_new(schema(false), columns)
            .map_err(|error| SchemaMismatch(error.to_string()))
    }

    /// Typed views of the columns.
    pub(crate) fn view(&self) -> Result<Columns<'_>, SchemaMismatch> {
        Ok(Columns {
            id: self.column(0)?,
            kind: self.names(1)?,
            value: self.column(2)?,
            unit: self.names(3)?,
            start: self.column(4)?,
            end: self.column(5)?,
            source: self.names(6)?,
            category: self.names(7)?,
            more: if self.has_metadata() {
                Some(MoreColumns {
                    origin: self.names(8)?,
                    device: self.names(9)?,
                    created: self.column(10)?,
                    metadata: self.column(11)?,
                })
            } else {
                None
            },
        })
    }

    fn column<A: Array + 'static>(&self, index: usize) -> Result<&A, SchemaMismatch> {
        self.0
            .columns()
            .get(index)
            .and_then(|column| column.as_any().downcast_ref())
            .ok_or_else(|| SchemaMismatch(format!("column {index} has another type")))
    }

    fn names(&self, index: usize) -> Result<Names<'_>, SchemaMismatch> {
        let dictionary: &arrow_array::DictionaryArray<Int32Type> = self.column(index)?;
        let values = dictionary.values().as_any().downcast_ref();
        Ok(Names {
            keys: dictionary.keys(),
            values: values
                .ok_or_else(|| SchemaMismatch(format!("column {index} has another type")))?,
        })
    }
}

/// Whether these are the columns of samples, by name and type.
pub(crate) fn check_schema(found: &Schema) -> Result<(), SchemaMismatch> {
    check_fields(found, &schema(found.fields().len() > BASE_COLUMNS))
}

/// Whether the columns are the expected ones, by name and type.
pub(crate) fn check_fields(found: &Schema, expected: &Schema) -> Result<(), SchemaMismatch> {
    if found.fields().len() != expected.fields().len() {
        return Err(SchemaMismatch(format!(
            "there are {} columns",
            found.fields().len()
        )));
    }
    for (found, expected) in found.fields().iter().zip(expected.fields()) {
        if found.name() != expected.name() || found.data_type() != expected.data_type() {
            return Err(SchemaMismatch(format!(
                "{:?} is not {} of type {}",
                found.name(),
                expected.name(),
                expected.data_type()
            )));
        }
    }
    Ok(())
}

/// A batch does not have the columns of samples.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the columns are not those of samples: {0}")]
pub struct SchemaMismatch(pub String);

/// Typed views of the columns of one batch.
pub(crate) struct Columns<'a> {
    pub(crate) id: &'a StringArray,
    pub(crate) kind: Names<'a>,
    pub(crate) value: &'a Float64Array,
    pub(crate) unit: Names<'a>,
    pub(crate) start: &'a TimestampMillisecondArray,
    pub(crate) end: &'a TimestampMillisecondArray,
    pub(crate) source: Names<'a>,
    pub(crate) category: Names<'a>,
    pub(crate) more: Option<MoreColumns<'a>>,
}

/// The columns on demand.
pub(crate) struct MoreColumns<'a> {
    pub(crate) origin: Names<'a>,
    pub(crate) device: Names<'a>,
    pub(crate) created: &'a TimestampMillisecondArray,
    pub(crate) metadata: &'a StringArray,
}

/// A column of texts that repeat.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    keys: &'a arrow_array::Int32Array,
    values: &'a StringArray,
}

impl<'a> Names<'a> {
    /// The distinct texts; a position in them is what [`Names::key`] gives.
    pub(crate) fn distinct(&self) -> impl Iterator<Item = Option<&'a str>> {
        self.values.iter()
    }

    /// The text in this row.
    pub(crate) fn text(&self, row: usize) -> Option<&'a str> {
        let key = self.key(row)?;
        (key < self.values.len() && self.values.is_valid(key)).then(|| self.values.value(key))
    }

    /// Which of the distinct texts stands in this row.
    pub(crate) fn key(&self, row: usize) -> Option<usize> {
        if self.keys.is_null(row) {
            return None;
        }
        let key = self.keys.values().get(row)?;
        usize::try_from(*key).ok()
    }
}

fn array<A: Array + 'static>(array: A) -> ArrayRef {
    Arc::new(array)
}

#[cfg(test)]
pub(crate) mod tests;
