//! Apache Parquet, columns compressed with zstd: one file that `DuckDB`, polars, pyarrow and Spark
//! query in place.
//!
//! The columns are those of the Arrow stream ([`crate::batch`]), types included, also under the key
//! `ARROW:schema`. A row group is written as soon as it is full: neither the number of samples nor
//! the size of a batch decides how much is held, but for some 100 bytes a column and row group,
//! which stand in the file's end.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema, SchemaRef};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
    },
    schema::types::ColumnPath,
};

use super::{Encoder, End, Format, FormatError, arrow::fitting};
use crate::batch::{self, SampleBatch};

pub(super) const PARQUET: Format = Format {
    name: "parquet",
    media_type: "application/vnd.apache.parquet",
    encoder: |options| {
        Box::new(Parquet {
            include_metadata: options.include_metadata,
            writer: None,
        })
    },
};

/// Rows of a full row group: what a reader can skip by type and date, and decode by itself.
const GROUP_ROWS: usize = 128 << 10;
/// A row group with much metadata ends earlier.
const GROUP_BYTES: usize = 8 << 20;
/// As for the Arrow stream: higher levels cost several times the time.
const ZSTD_LEVEL: i32 = 1;

struct Parquet {
    include_metadata: bool,
    writer: Option<Writer>,
}

impl Parquet {
    fn writer(&mut self) -> Result<&mut Writer, FormatError> {
        let writer = self.writer.as_mut();
        writer.ok_or_else(|| FormatError::encode("the file was not started"))
    }
}

impl Encoder for Parquet {
    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let writer = Writer::new(batch::schema(self.include_metadata), out)?;
        self.writer = Some(writer);
        Ok(())
    }

    fn batch(&mut self, batch: &SampleBatch, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let columns = fitting(batch, self.include_metadata)?;
        self.writer()?.batch(&columns, out)
    }

    fn finish(&mut self, _end: &End, out: &mut Vec<u8>) -> Result<(), FormatError> {
        self.writer()?.finish(out)
    }
}

/// A file of any columns that tables have here.
pub(super) struct Writer {
    schema: SchemaRef,
    inner: ArrowWriter<Vec<u8>>,
}

impl Writer {
    /// Begins a file.
    pub(super) fn new(schema: SchemaRef, out: &mut Vec<u8>) -> Result<Self, FormatError> {
        let properties = properties(&schema)?;
        let inner = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))
            .map_err(FormatError::encode)?;
        let mut writer = Self { schema, inner };
        writer.drain(out)?;
        Ok(writer)
    }

    /// Adds rows.
    pub(super) fn batch(
        &mut self,
        batch: &RecordBatch,
        out: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        self.inner.write(batch).map_err(FormatError::encode)?;
        self.drain(out)
    }

    /// Ends the file.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        self.inner.finish().map_err(FormatError::encode)?;
        let begin = out.len();
        self.drain(out)?;
        if let Some(end) = out.get_mut(begin..) {
            name_plain_order(&self.schema, end);
        }
        Ok(())
    }

    /// Hands what the writer has written to `out`.
    fn drain(&mut self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        self.inner.sync().map_err(FormatError::encode)?;
        out.append(self.inner.inner_mut());
        Ok(())
    }
}

/// Lets the footer say of floating-point numbers what it says of every other column: that their order
/// is that of their type. The writer names the order of IEEE 754, which is new in the format; polars
/// 1 reads no file that does so. No statistics of these columns depend on it, because none are written.
///
/// The orders are a list of unions (Thrift, compact): each a field header, an empty structure, a
/// stop. Field 1 is the order of the type, field 2 that of IEEE 754.
fn name_plain_order(schema: &Schema, end: &mut [u8]) {
    const OF_TYPE: [u8; 3] = [0x1c, 0, 0];
    const OF_IEEE_754: [u8; 3] = [0x2c, 0, 0];
    let Ok(length) = u8::try_from(schema.fields().len()) else {
        return;
    };
    // A list of less than 15 structures has its length in the high half of its first byte.
    let mut list = vec![(length << 4) | 0x0c];
    let mut plain = list.clone();
    for field in schema.fields() {
        let is_float = *field.data_type() == DataType::Float64;
        list.extend_from_slice(if is_float { &OF_IEEE_754 } else { &OF_TYPE });
        plain.extend_from_slice(&OF_TYPE);
    }
    let found = end.windows(list.len()).rposition(|window| window == list);
    let place = found.and_then(|at| end.get_mut(at..at + list.len()));
    if let Some(place) = place {
        place.copy_from_slice(&plain);
    }
}

fn properties(schema: &Schema) -> Result<WriterProperties, FormatError> {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(FormatError::encode)?;
    let versions = schema.metadata().iter();
    let mut versions: Vec<_> = versions
        .map(|(key, version)| KeyValue::new(key.clone(), version.clone()))
        .collect();
    versions.sort_by(|one, other| one.key.cmp(&other.key));
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        // Smallest and largest of a row group, not of each page: those would be kept to the end.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_key_value_metadata(Some(versions));
    for field in schema.fields() {
        let column = ColumnPath::from(field.name().as_str());
        properties = match field.data_type() {
            // Texts that hardly repeat: a dictionary of them would be thrown away in the end.
            DataType::Utf8 => properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_statistics_enabled(column, EnabledStatistics::None),
            // See `name_plain_order`.
            DataType::Float64 => {
                properties.set_column_statistics_enabled(column, EnabledStatistics::None)
            }
            // Whole numbers that grow slowly.
            DataType::Timestamp(..) => properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED),
            _ => properties,
        };
    }
    Ok(properties.build())
}

#[cfg(test)]
mod tests {
    use arrow_array::{cast::AsArray as _, types::Int32Type};
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::{batch::tests::hard_samples, format::Options};

    /// The only column of floating-point numbers.
    const VALUE: usize = 2;

    fn encoder(include_metadata: bool) -> Box<dyn Encoder> {
        (PARQUET.encoder)(&Options {
            include_metadata,
            ..Options::default()
        })
    }

    fn written(include_metadata: bool, batches: &[SampleBatch]) -> Vec<u8> {
        let (mut encoder, mut out) = (encoder(include_metadata), Vec::new());
        encoder.start(&mut out).unwrap();
        for batch in batches {
            encoder.batch(batch, &mut out).unwrap();
        }
        encoder.finish(&End::default(), &mut out).unwrap();
        out
    }

    fn read(file: Vec<u8>) -> (Vec<RecordBatch>, usize) {
        let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
        let version = builder.schema().metadata()[batch::VERSION_KEY].clone();
        assert_eq!(version, batch::SCHEMA_VERSION);
        let groups = builder.metadata().num_row_groups();
        (
            builder.build().unwrap().map(Result::unwrap).collect(),
            groups,
        )
    }

    #[test]
    fn what_was_written_reads_back_with_its_types() {
        for include_metadata in [false, true] {
            let batch = hard_samples(include_metadata);
            let (found, groups) = read(written(include_metadata, &[batch.clone(), batch.clone()]));
            assert_eq!(groups, 1);
            assert_eq!(found.len(), 1);
            let half = batch.len();
            for (at, expected) in [(0, &batch), (half, &batch)] {
                let part = SampleBatch::new(found[0].slice(at, half)).unwrap();
                let csv = |batch| text(batch, include_metadata);
                assert_eq!(csv(&part), csv(expected));
            }
            // Also the bits that no text shows.
            let values = found[0]
                .column(2)
                .as_primitive::<arrow_array::types::Float64Type>();
            assert_eq!(values.value(1).to_bits(), (0.1_f64 + 0.2).to_bits());
            assert!(
                found[0]
                    .column(1)
                    .as_dictionary_opt::<Int32Type>()
                    .is_some()
            );
        }
    }

    fn text(batch: &SampleBatch, include_metadata: bool) -> Vec<u8> {
        let options = Options {
            include_metadata,
            ..Options::default()
        };
        let mut out = Vec::new();
        let mut encoder = (crate::format::by_name("csv").unwrap().encoder)(&options);
        encoder.batch(batch, &mut out).unwrap();
        out
    }

    /// What polars 1 reads, and every other reader.
    #[test]
    fn no_column_has_an_order_of_its_own() {
        use parquet::basic::ColumnOrder;

        for include_metadata in [false, true] {
            let file = written(include_metadata, &[hard_samples(include_metadata)]);
            let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
            let orders = builder.metadata().file_metadata().column_orders().unwrap();
            assert_eq!(orders.len(), batch::schema(include_metadata).fields().len());
            for order in orders {
                assert!(
                    matches!(order, ColumnOrder::TYPE_DEFINED_ORDER(_)),
                    "{order:?}"
                );
            }
            let statistics = builder.metadata().row_group(0).column(VALUE).statistics();
            assert!(statistics.is_none());
        }
        assert_eq!(batch::schema(true).field(VALUE).name(), "value");
    }

    #[test]
    fn no_samples_are_a_file_too() {
        let (found, groups) = read(written(false, &[]));
        assert_eq!((found.len(), groups), (0, 0));
    }

    /// Whatever the size of the batches, bytes leave as soon as a row group is full, and what is
    /// held meanwhile stays small.
    #[test]
    fn row_groups_leave_when_they_are_full() {
        let one = hard_samples(true);
        let many = arrow_select::concat::concat_batches(
            &batch::schema(true),
            std::iter::repeat_n(one.columns(), 4000),
        )
        .unwrap();
        let many = SampleBatch::new(many).unwrap();
        let (mut encoder, mut out) = (encoder(true), Vec::new());
        encoder.start(&mut out).unwrap();
        let mut pieces = Vec::new();
        for _ in 0..20 {
            encoder.batch(&many, &mut out).unwrap();
            pieces.push(out.len());
        }
        encoder.finish(&End::default(), &mut out).unwrap();
        assert!(pieces[5] < 100, "{pieces:?}");
        assert!(pieces[7] > 1000 && pieces[13] > pieces[7], "{pieces:?}");
        let (found, groups) = read(out);
        assert_eq!(
            found.iter().map(RecordBatch::num_rows).sum::<usize>(),
            400_000
        );
        assert_eq!(groups, 4);
    }

    #[test]
    fn metadata_ends_a_row_group_early() {
        let one = hard_samples(true);
        let mut columns = one.columns().columns().to_vec();
        // Digits of a xorshift64, which do not compress away into nothing.
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut noise = || {
            (0..600).fold(String::new(), |text, _| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                format!("{text}{state:016x}")
            })
        };
        let batches = (0..600).map(|_| {
            let texts = (0..one.len()).map(|_| format!("{{\"noise\":\"{}\"}}", noise()));
            columns[11] = Arc::new(arrow_array::StringArray::from_iter_values(texts));
            let batch = RecordBatch::try_new(batch::schema(true), columns.clone()).unwrap();
            SampleBatch::new(batch).unwrap()
        });
        let batches: Vec<_> = batches.collect();
        let (found, groups) = read(written(true, &batches));
        assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 3000);
        assert!((2..6).contains(&groups), "{groups}");
    }
}
