//! The Parquet file that `fetch --format parquet --include-metadata` writes.
//!
//! Its end says where everything stands, so a file that was cut off has no rows at all. Row group
//! after row group is read; memory is that of one, and what a file declares is bounded before it is
//! read.

use std::{
    io::{Read, SeekFrom},
    ops::Range,
    sync::Arc,
};

use bytes::Bytes;
use parquet::{
    DecodeResult,
    arrow::push_decoder::ParquetPushDecoderBuilder,
    file::metadata::{ParquetMetaData, ParquetMetaDataPushDecoder, RowGroupMetaData},
};

use super::{
    Importer, ReadError, Sink, Source,
    guard::guarded,
    head,
    own::{NO_METADATA, Rows},
};
use crate::batch::SampleBatch;

/// Knows what our own writer of Parquet wrote.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnParquet;

/// The first and the last bytes of a file.
const MAGIC: &[u8; 4] = b"PAR1";
/// The least bytes of a file: the magic twice, and a length.
const SHORTEST: u64 = 12;
/// Most bytes that are read at once; our own row groups are far smaller.
const LARGEST: u64 = 256 << 20;
/// Rows at once.
const ROWS: usize = 8192;

impl Importer for OwnParquet {
    fn name(&self) -> &'static str {
        "healthsync Parquet"
    }

    fn id(&self) -> &'static str {
        "parquet"
    }

    fn recognize(&self, source: &mut dyn Source) -> Result<bool, ReadError> {
        let head = head(source, 4)?;
        let length = source.seek(SeekFrom::End(0)).map_err(ReadError::Read)?;
        if length < SHORTEST || head != MAGIC {
            return Ok(false);
        }
        // One that was cut off cannot say whose it is; to say that much is better than nothing.
        let Ok(metadata) = footer(source, length) else {
            return Ok(true);
        };
        let builder = || ParquetPushDecoderBuilder::try_new_decoder(Arc::new(metadata));
        Ok(guarded(builder).is_ok_and(|decoder| SampleBatch::has_columns(decoder.schema())))
    }

    fn read(&self, source: &mut dyn Source, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        let length = source.seek(SeekFrom::End(0)).map_err(ReadError::Read)?;
        if length < SHORTEST || *read(source, &(length - 4..length))? != *MAGIC {
            return Err(ReadError::Truncated { line: 1 });
        }
        let metadata = footer(source, length)?;
        check(&metadata, length)?;
        let mut decoder = guarded(|| {
            ParquetPushDecoderBuilder::try_new_decoder(Arc::new(metadata))
                .and_then(|builder| builder.with_batch_size(ROWS).build())
        })?;
        let mut rows = Rows::new();
        let mut line = 1;
        loop {
            match guarded(|| decoder.try_decode())? {
                DecodeResult::NeedsData(ranges) => {
                    let pieces = read_all(source, &ranges)?;
                    guarded(|| decoder.push_ranges(ranges, pieces))?;
                }
                DecodeResult::Data(batch) => {
                    let batch = guarded(|| SampleBatch::new(batch))?;
                    if !batch.has_metadata() {
                        return Err(ReadError::Malformed {
                            line,
                            reason: NO_METADATA.into(),
                        });
                    }
                    rows.batch(&batch, line, sink)?;
                    line += u64::try_from(batch.len()).unwrap_or_default();
                }
                DecodeResult::Finished => return Ok(()),
            }
        }
    }
}

/// Where everything stands.
fn footer(source: &mut dyn Source, length: u64) -> Result<ParquetMetaData, ReadError> {
    let mut decoder = guarded(|| ParquetMetaDataPushDecoder::try_new(length))?;
    loop {
        match guarded(|| decoder.try_decode())? {
            DecodeResult::NeedsData(ranges) => {
                let pieces = read_all(source, &ranges)?;
                guarded(|| decoder.push_ranges(ranges, pieces))?;
            }
            DecodeResult::Data(metadata) => return Ok(metadata),
            DecodeResult::Finished => {
                return Err(ReadError::Archive("the file has no end".into()));
            }
        }
    }
}

/// The decoder believes where columns stand, and panics over places that there cannot be.
fn check(metadata: &ParquetMetaData, length: u64) -> Result<(), ReadError> {
    let groups = metadata.row_groups().iter();
    for column in groups.flat_map(RowGroupMetaData::columns) {
        let start = column.dictionary_page_offset();
        let start = u64::try_from(start.unwrap_or_else(|| column.data_page_offset())).ok();
        let size = u64::try_from(column.compressed_size()).ok();
        let end = start
            .zip(size)
            .and_then(|(start, size)| start.checked_add(size));
        if end.is_none_or(|end| end > length) {
            let reason = "a column stands outside of the file";
            return Err(ReadError::Archive(reason.into()));
        }
    }
    Ok(())
}

fn read_all(source: &mut dyn Source, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, ReadError> {
    let wanted = ranges.iter().try_fold(0_u64, |sum, range| {
        sum.checked_add(range.end.checked_sub(range.start)?)
    });
    if wanted.is_none_or(|wanted| wanted > LARGEST) {
        return Err(ReadError::Archive("a part of the file is too large".into()));
    }
    let pieces = ranges.iter().map(|range| read(source, range));
    pieces.collect()
}

/// Exactly these bytes.
fn read(source: &mut dyn Source, range: &Range<u64>) -> Result<Bytes, ReadError> {
    let length = range.end.saturating_sub(range.start);
    let position = SeekFrom::Start(range.start);
    source.seek(position).map_err(ReadError::Read)?;
    let mut bytes = Vec::new();
    let read = Read::take(source, length).read_to_end(&mut bytes);
    let count = u64::try_from(read.map_err(ReadError::Read)?).unwrap_or_default();
    if count == length {
        Ok(bytes.into())
    } else {
        Err(ReadError::Archive("the file ends too early".into()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Found by fuzzing: a column that begins before the file does.
    const NEGATIVE: &[u8] = include_bytes!("../../../fuzz/corpus/own_parquet/negative-start");

    #[test]
    fn a_file_whose_columns_stand_nowhere_is_damaged() {
        let outcome = OwnParquet.read(&mut Cursor::new(NEGATIVE), &mut |_| Ok(()));
        assert!(matches!(outcome, Err(ReadError::Archive(_))), "{outcome:?}");
    }
}
