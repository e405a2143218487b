//! Samples on their way out: columns of one fixed Arrow schema.

use arrow_array::RecordBatch;

/// Some samples as columns.
///
/// Columns: `id` Utf8, `type` Dictionary(Int32, Utf8) or Utf8, `value` Float64 null, `unit` Utf8,
/// `startDate`/`endDate` Timestamp(ms, "UTC"), `sourceName`, `category` null; with metadata also
/// `origin`, `device` null, `creationDate` null, `metadata` null (a JSON object as text).
#[derive(Clone, Debug)]
pub struct SampleBatch(RecordBatch);

impl SampleBatch {
    /// Checks the schema of a foreign batch.
    pub fn new(_batch: RecordBatch) -> Result<Self, SchemaMismatch> {
        todo!()
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
}

/// A batch does not have the columns of samples.
#[derive(Debug, thiserror::Error)]
#[error("the columns are not those of samples: {0}")]
pub struct SchemaMismatch(pub String);
