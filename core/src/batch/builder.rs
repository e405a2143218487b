//! Filling columns row by row, without an allocation a row.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray,
    TimestampMillisecondArray, types::Int32Type,
};
use arrow_buffer::{Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, SchemaRef};

use super::{SampleBatch, array, schema};

/// Length of a UUID as text.
const UUID_LEN: usize = 36;

/// One sample; texts are positions that [`Texts::add`] gave.
pub(crate) struct Row {
    pub(crate) id: [u8; 16],
    pub(crate) kind: i32,
    pub(crate) value: Option<f64>,
    pub(crate) unit: i32,
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    pub(crate) source: i32,
    pub(crate) category: Option<i32>,
}

/// The columns on demand of one sample.
pub(crate) struct More<'a> {
    pub(crate) origin: i32,
    pub(crate) device: Option<i32>,
    pub(crate) created_ms: Option<i64>,
    pub(crate) metadata: Option<&'a str>,
}

/// Collects rows until [`BatchBuilder::take`] makes a batch of them. Its dictionaries grow over
/// batches, so that an Arrow stream repeats one only when there is a new text.
pub(crate) struct BatchBuilder {
    schema: SchemaRef,
    capacity: usize,
    len: usize,
    ids: Vec<u8>,
    pub(crate) kinds: Texts,
    values: Vec<f64>,
    value_nulls: NullBufferBuilder,
    pub(crate) units: Texts,
    starts: Vec<i64>,
    ends: Vec<i64>,
    pub(crate) sources: Texts,
    pub(crate) categories: Texts,
    more: Option<MoreBuilder>,
}

/// The builders of the columns on demand.
pub(crate) struct MoreBuilder {
    pub(crate) origins: Texts,
    pub(crate) devices: Texts,
    created: Vec<i64>,
    created_nulls: NullBufferBuilder,
    metadata: Vec<u8>,
    metadata_ends: Vec<i32>,
    metadata_nulls: NullBufferBuilder,
}

impl BatchBuilder {
    /// An empty one; `capacity` is the number of rows of a full batch.
    pub(crate) fn new(include_metadata: bool, capacity: usize) -> Self {
        let nulls = || NullBufferBuilder::new(capacity);
        Self {
            schema: schema(include_metadata),
            capacity,
            len: 0,
            ids: Vec::with_capacity(capacity * UUID_LEN),
            kinds: Texts::new(capacity),
            values: Vec::with_capacity(capacity),
            value_nulls: nulls(),
            units: Texts::new(capacity),
            starts: Vec::with_capacity(capacity),
            ends: Vec::with_capacity(capacity),
            sources: Texts::new(capacity),
            categories: Texts::new(capacity),
            more: include_metadata.then(|| MoreBuilder {
                origins: Texts::new(capacity),
                devices: Texts::new(capacity),
                created: Vec::with_capacity(capacity),
                created_nulls: nulls(),
                metadata: Vec::new(),
                metadata_ends: vec![0],
                metadata_nulls: nulls(),
            }),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether a batch should be taken: it has its rows, or much metadata.
    pub(crate) fn is_full(&self) -> bool {
        /// Keeps a batch far below the two gigabytes that offsets can say, and memory small.
        const METADATA_BYTES: usize = 4 << 20;
        let metadata = self.more.as_ref().map_or(0, |more| more.metadata.len());
        self.len >= self.capacity || metadata >= METADATA_BYTES
    }

    /// The texts of the columns on demand, if these are wanted.
    pub(crate) fn more(&mut self) -> Option<&mut MoreBuilder> {
        self.more.as_mut()
    }

    /// Appends a sample without its columns on demand; with them, [`MoreBuilder::push`] follows.
    pub(crate) fn push(&mut self, row: &Row) {
        self.len += 1;
        self.ids.extend_from_slice(&uuid_text(&row.id));
        self.kinds.push(Some(row.kind));
        self.values.push(row.value.unwrap_or_default());
        self.value_nulls.append(row.value.is_some());
        self.units.push(Some(row.unit));
        self.starts.push(row.start_ms);
        self.ends.push(row.end_ms);
        self.sources.push(Some(row.source));
        self.categories.push(row.category);
    }

    /// The rows so far as a batch; the builder is empty then.
    pub(crate) fn take(&mut self) -> Result<SampleBatch, ArrowError> {
        let (len, capacity) = (std::mem::take(&mut self.len), self.capacity);
        let ids = std::mem::replace(&mut self.ids, Vec::with_capacity(capacity * UUID_LEN));
        let ids = StringArray::try_new(
            OffsetBuffer::from_repeated_length(UUID_LEN, len),
            Buffer::from_vec(ids),
            None,
        )?;
        let values = std::mem::replace(&mut self.values, Vec::with_capacity(capacity));
        let values = Float64Array::try_new(values.into(), self.value_nulls.finish())?;
        let mut columns = vec![
            array(ids),
            self.kinds.take(capacity)?,
            array(values),
            self.units.take(capacity)?,
            instants(&mut self.starts, None, capacity)?,
            instants(&mut self.ends, None, capacity)?,
            self.sources.take(capacity)?,
            self.categories.take(capacity)?,
        ];
        if let Some(more) = &mut self.more {
            more.take(capacity, &mut columns)?;
        }
        // The columns are made here, of the types of `schema`.
        Ok(SampleBatch(RecordBatch::try_new(
            Arc::clone(&self.schema),
            columns,
        )?))
    }
}

impl MoreBuilder {
    /// Completes the row that [`BatchBuilder::push`] has begun.
    pub(crate) fn push(&mut self, more: &More<'_>) {
        self.origins.push(Some(more.origin));
        self.devices.push(more.device);
        self.created.push(more.created_ms.unwrap_or_default());
        self.created_nulls.append(more.created_ms.is_some());
        let text = more.metadata.unwrap_or_default();
        self.metadata.extend_from_slice(text.as_bytes());
        let end = i32::try_from(self.metadata.len()).unwrap_or(i32::MAX);
        self.metadata_ends.push(end);
        self.metadata_nulls.append(more.metadata.is_some());
    }

    fn take(&mut self, capacity: usize, columns: &mut Vec<ArrayRef>) -> Result<(), ArrowError> {
        columns.push(self.origins.take(capacity)?);
        columns.push(self.devices.take(capacity)?);
        let nulls = self.created_nulls.finish();
        columns.push(instants(&mut self.created, nulls, capacity)?);
        let ends = std::mem::replace(&mut self.metadata_ends, vec![0]);
        let text = std::mem::take(&mut self.metadata);
        columns.push(array(StringArray::try_new(
            OffsetBuffer::new(ends.into()),
            Buffer::from_vec(text),
            self.metadata_nulls.finish(),
        )?));
        Ok(())
    }
}

/// A column of texts that repeat.
pub(crate) struct Texts {
    keys: Vec<i32>,
    nulls: NullBufferBuilder,
    distinct: Vec<Box<str>>,
    /// The texts as an array; `None` when a text was added since.
    array: Option<ArrayRef>,
}

impl Texts {
    fn new(capacity: usize) -> Self {
        Self {
            keys: Vec::with_capacity(capacity),
            nulls: NullBufferBuilder::new(capacity),
            distinct: Vec::new(),
            array: None,
        }
    }

    /// Position of `text`, which is added if it is new. The caller remembers positions; this
    /// looks at every text.
    pub(crate) fn add(&mut self, text: &str) -> i32 {
        let found = self.distinct.iter().position(|known| &**known == text);
        let position = found.unwrap_or_else(|| {
            self.distinct.push(text.into());
            self.array = None;
            self.distinct.len() - 1
        });
        // More texts than that do not fit into memory.
        i32::try_from(position).unwrap_or(i32::MAX)
    }

    fn push(&mut self, key: Option<i32>) {
        self.keys.push(key.unwrap_or_default());
        self.nulls.append(key.is_some());
    }

    fn take(&mut self, capacity: usize) -> Result<ArrayRef, ArrowError> {
        let keys = std::mem::replace(&mut self.keys, Vec::with_capacity(capacity));
        let keys = Int32Array::try_new(keys.into(), self.nulls.finish())?;
        let texts = self
            .array
            .get_or_insert_with(|| array(StringArray::from_iter_values(&self.distinct)));
        let texts = Arc::clone(texts);
        Ok(array(DictionaryArray::<Int32Type>::try_new(keys, texts)?))
    }
}

fn instants(
    ms: &mut Vec<i64>,
    nulls: Option<arrow_buffer::NullBuffer>,
    capacity: usize,
) -> Result<ArrayRef, ArrowError> {
    let ms = std::mem::replace(ms, Vec::with_capacity(capacity));
    let instants = TimestampMillisecondArray::try_new(ScalarBuffer::from(ms), nulls)?;
    Ok(array(instants.with_timezone("UTC")))
}

/// A UUID in its usual form (RFC 9562), `8-4-4-4-12` hexadecimal digits.
pub(crate) fn uuid_text(id: &[u8; 16]) -> [u8; UUID_LEN] {
    /// Every byte as two digits.
    const HEX: [[u8; 2]; 256] = hex_table();
    /// Where the digits of each byte stand.
    const AT: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let mut text = [b'-'; UUID_LEN];
    for (byte, at) in id.iter().zip(AT) {
        if let (Some(pair), Some(digits)) = (text.get_mut(at..at + 2), HEX.get(usize::from(*byte)))
        {
            pair.copy_from_slice(digits);
        }
    }
    text
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler; a wrong index is a build error"
)]
const fn hex_table() -> [[u8; 2]; 256] {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_five_groups() {
        let id = [
            0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x86, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
            0xee, 0xff,
        ];
        assert_eq!(
            str::from_utf8(&uuid_text(&id)).unwrap(),
            "00112233-4455-8677-8899-aabbccddeeff"
        );
    }
}
