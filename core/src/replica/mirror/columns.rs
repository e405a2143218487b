//! Rows of a copy as Arrow columns: samples and totals as they came, other things as their table is.

use std::{collections::HashMap, sync::Arc};

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{
        Float64Builder, Int64Builder, StringBuilder, StringDictionaryBuilder,
        TimestampMillisecondBuilder,
    },
    types::Int32Type,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use rusqlite::Row;

use crate::{
    aggregate::totals_schema,
    batch::schema,
    format::{FormatError, json_field},
    replica::ReplicaError,
    time::from_rfc3339,
};

/// Rows of a full batch.
const ROWS: usize = 8192;
/// A batch with much text ends earlier.
const BYTES: usize = 4 << 20;

/// Version of the columns of workouts, correlations, documents and their points.
const THINGS_VERSION: &str = "1";

/// Collects rows until [`Columns::take`] makes a batch of them.
pub(super) struct Columns {
    schema: SchemaRef,
    builders: Vec<Column>,
    rows: usize,
    bytes: usize,
}

enum Column {
    Text(StringBuilder),
    Name(StringDictionaryBuilder<Int32Type>),
    Number(Float64Builder),
    Whole(Int64Builder),
    Instant(TimestampMillisecondBuilder),
}

impl Columns {
    /// Those of a table.
    pub(super) fn of(table: &str) -> Result<Self, ReplicaError> {
        let schema = match table {
            "samples" => schema(true),
            "daily_totals" => totals_schema(),
            "workouts" => things("activity", true),
            "correlations" => things("type", true),
            "documents" => things("noun", false),
            "route_point" => points(
                "route",
                &[
                    "date",
                    "latitude",
                    "longitude",
                    "elevation",
                    "speed",
                    "course",
                    "horizontalAccuracy",
                    "verticalAccuracy",
                ],
            ),
            "ecg_voltage" => points("ecg", &["voltage"]),
            _ => return Err(ReplicaError::NotACopy),
        };
        let builders = schema.fields().iter();
        let builders = builders
            .map(|field| Column::new(field.data_type()))
            .collect();
        Ok(Self {
            schema,
            builders,
            rows: 0,
            bytes: 0,
        })
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What to select: the columns have the names of those of SQLite.
    pub(super) fn cells(&self) -> String {
        let is_totals = self.schema.fields().find("date").is_some();
        let fields = self.schema.fields().iter();
        let names: Vec<&str> = fields
            .map(|field| match field.name().as_str() {
                // Of quantities: an absence, as it came.
                "category" if is_totals => "nullif(category, '')",
                name => name,
            })
            .collect();
        names.join(", ")
    }

    pub(super) const fn is_full(&self) -> bool {
        self.rows >= ROWS || self.bytes >= BYTES
    }

    /// Adds a row of what [`Columns::cells`] selects.
    pub(super) fn push(&mut self, row: &Row<'_>) -> Result<(), ReplicaError> {
        for (at, column) in self.builders.iter_mut().enumerate() {
            let cell = row.get_ref(at)?;
            let text = || cell.as_str_or_null().map_err(|_| ReplicaError::NotACopy);
            match column {
                Column::Text(builder) => {
                    let text = text()?;
                    self.bytes += text.map_or(0, str::len);
                    builder.append_option(text);
                }
                Column::Name(builder) => builder.append_option(text()?),
                Column::Number(builder) => builder.append_option(row.get(at)?),
                Column::Whole(builder) => builder.append_option(row.get(at)?),
                Column::Instant(builder) => {
                    let read = |text| from_rfc3339(text).ok_or(ReplicaError::NotACopy);
                    builder.append_option(text()?.map(read).transpose()?);
                }
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// The rows so far; there are none then.
    pub(super) fn take(&mut self) -> Result<RecordBatch, ReplicaError> {
        (self.rows, self.bytes) = (0, 0);
        let columns = self.builders.iter_mut().map(Column::finish).collect();
        RecordBatch::try_new(self.schema(), columns).map_err(refused)
    }
}

fn refused(error: ArrowError) -> ReplicaError {
    FormatError::Encode(Box::new(error)).into()
}

impl Column {
    fn new(kind: &DataType) -> Self {
        match kind {
            DataType::Dictionary(..) => Self::Name(StringDictionaryBuilder::new()),
            DataType::Float64 => Self::Number(Float64Builder::new()),
            DataType::Int64 => Self::Whole(Int64Builder::new()),
            DataType::Timestamp(..) => Self::Instant(TimestampMillisecondBuilder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Name(builder) => Arc::new(builder.finish()),
            Self::Number(builder) => Arc::new(builder.finish()),
            Self::Whole(builder) => Arc::new(builder.finish()),
            Self::Instant(builder) => Arc::new(builder.finish().with_timezone("UTC")),
        }
    }
}

/// Of the points of a series, whose document is in the column `owner`.
fn points(owner: &str, columns: &[&str]) -> SchemaRef {
    let name = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let instant = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let mut fields = vec![
        Field::new(owner, name, false),
        Field::new("position", DataType::Int64, false),
    ];
    fields.extend(columns.iter().map(|column| match *column {
        "date" => Field::new("date", instant.clone(), true),
        column => Field::new(column, DataType::Float64, true),
    }));
    Arc::new(Schema::new_with_metadata(fields, version()))
}

/// Of workouts and the like; `first` is the column that samples do not have.
fn things(first: &str, is_nullable: bool) -> SchemaRef {
    let name = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let instant = || DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let fields = vec![
        Field::new("id", DataType::Utf8, false),
        Field::new(first, name(), is_nullable),
        Field::new("startDate", instant(), true),
        Field::new("endDate", instant(), true),
        Field::new("sourceName", name(), true),
        Field::new("origin", name(), true),
        Field::new("device", name(), true),
        Field::new("creationDate", instant(), true),
        Field::new("metadata", DataType::Utf8, true).with_metadata(json_field()),
        Field::new("body", DataType::Utf8, true).with_metadata(json_field()),
    ];
    Arc::new(Schema::new_with_metadata(fields, version()))
}

fn version() -> HashMap<String, String> {
    HashMap::from([("healthsync.things".to_owned(), THINGS_VERSION.to_owned())])
}
