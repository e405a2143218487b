//! Totals on their way out: columns of one fixed Arrow schema.
//!
//! | column | Arrow type | |
//! |---|---|---|
//! | `date` | Utf8 | local date on which the bucket begins; for hours the local time with its offset |
//! | `type` | Dictionary(Int32, Utf8) | |
//! | `total` | Float64 | sum of a cumulative type, minutes of a category value; else null |
//! | `average`, `min`, `max` | Float64 | of a discrete type; else null |
//! | `count` | Int64 | samples that contributed |
//! | `unit` | Dictionary(Int32, Utf8) | of the numbers; `min` for categories |
//! | `category` | Dictionary(Int32, Utf8) | null for quantities |
//! | `origin` | Dictionary(Int32, Utf8) | whose data |
//! | `startDate`, `endDate` | Timestamp(ms, "UTC") | the bucket |

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

use super::Bucket;
use crate::{
    batch::{SchemaMismatch, check_fields},
    format::Columnar,
};

/// Version of the columns, as the schema's metadata says it.
pub const TOTALS_VERSION: &str = "1";

/// The columns.
pub fn totals_schema() -> SchemaRef {
    let name = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let instant = || DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let fields = vec![
        Field::new("date", DataType::Utf8, false),
        Field::new("type", name(), false),
        Field::new("total", DataType::Float64, true),
        Field::new("average", DataType::Float64, true),
        Field::new("min", DataType::Float64, true),
        Field::new("max", DataType::Float64, true),
        Field::new("count", DataType::Int64, false),
        Field::new("unit", name(), false),
        Field::new("category", name(), true),
        Field::new("origin", name(), false),
        Field::new("startDate", instant(), false),
        Field::new("endDate", instant(), false),
    ];
    let version = HashMap::from([("healthsync.totals".to_owned(), TOTALS_VERSION.to_owned())]);
    Arc::new(Schema::new_with_metadata(fields, version))
}

/// Some totals as columns.
#[derive(Clone, Debug)]
pub struct TotalsBatch(RecordBatch);

impl TotalsBatch {
    /// The columns.
    pub const fn columns(&self) -> &RecordBatch {
        &self.0
    }

    /// How many totals.
    pub fn len(&self) -> usize {
        self.0.num_rows()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Columnar for TotalsBatch {
    fn schema_of(_columns: usize) -> SchemaRef {
        totals_schema()
    }

    fn of(batch: RecordBatch) -> Result<Self, SchemaMismatch> {
        check_fields(batch.schema_ref(), &totals_schema())?;
        Ok(Self(batch))
    }
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TotalsRow<'a> {
    pub(crate) date: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) total: Option<f64>,
    /// Average, smallest, largest.
    pub(crate) spread: Option<[f64; 3]>,
    pub(crate) count: u64,
    pub(crate) unit: &'a str,
    pub(crate) category: Option<&'a str>,
    pub(crate) origin: &'a str,
    pub(crate) bucket: Bucket,
}

type Names = StringDictionaryBuilder<Int32Type>;

/// Collects rows until [`TotalsBuilder::take`] makes a batch of them.
#[derive(Default)]
pub(crate) struct TotalsBuilder {
    len: usize,
    dates: StringBuilder,
    kinds: Names,
    totals: Float64Builder,
    spreads: [Float64Builder; 3],
    counts: Int64Builder,
    units: Names,
    categories: Names,
    origins: Names,
    starts: TimestampMillisecondBuilder,
    ends: TimestampMillisecondBuilder,
}

impl TotalsBuilder {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, row: &TotalsRow<'_>) {
        self.len += 1;
        self.dates.append_value(row.date);
        self.kinds.append_value(row.kind);
        self.totals.append_option(row.total);
        for (index, builder) in self.spreads.iter_mut().enumerate() {
            builder.append_option(row.spread.and_then(|spread| spread.get(index).copied()));
        }
        self.counts
            .append_value(i64::try_from(row.count).unwrap_or(i64::MAX));
        self.units.append_value(row.unit);
        self.categories.append_option(row.category);
        self.origins.append_value(row.origin);
        self.starts.append_value(row.bucket.start_ms);
        self.ends.append_value(row.bucket.end_ms);
    }

    /// The rows so far; the builder is empty then.
    pub(crate) fn take(&mut self) -> Result<TotalsBatch, ArrowError> {
        self.len = 0;
        let [average, min, max] = &mut self.spreads;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.dates.finish()),
            Arc::new(self.kinds.finish()),
            Arc::new(self.totals.finish()),
            Arc::new(average.finish()),
            Arc::new(min.finish()),
            Arc::new(max.finish()),
            Arc::new(self.counts.finish()),
            Arc::new(self.units.finish()),
            Arc::new(self.categories.finish()),
            Arc::new(self.origins.finish()),
            Arc::new(self.starts.finish().with_timezone("UTC")),
            Arc::new(self.ends.finish().with_timezone("UTC")),
        ];
        Ok(TotalsBatch(RecordBatch::try_new(totals_schema(), columns)?))
    }
}
