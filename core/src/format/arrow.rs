//! The Arrow IPC stream format, bodies compressed with zstd: what pyarrow, polars, `DuckDB` read,
//! and what our own two ends speak.

mod check;

use std::borrow::Cow;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::{
    CompressionType, MetadataVersion,
    reader::StreamDecoder,
    writer::{IpcWriteOptions, StreamWriter},
};

use super::{Encoder, End, Format, FormatError};
use crate::batch::{self, SampleBatch};

pub(super) const ARROW: Format = Format {
    name: "arrow",
    media_type: "application/vnd.apache.arrow.stream",
    encoder: |options| {
        Box::new(Arrow {
            include_metadata: options.include_metadata,
            writer: None,
        })
    },
};

/// Numbers and dates shrink little more on higher levels, which cost several times the time.
const ZSTD_LEVEL: i32 = 1;

struct Arrow {
    include_metadata: bool,
    writer: Option<StreamWriter<Vec<u8>>>,
}

impl Arrow {
    /// Hands what the writer wrote to `out`.
    fn drain(&mut self, out: &mut Vec<u8>) {
        if let Some(writer) = &mut self.writer {
            out.append(writer.get_mut());
        }
    }
}

impl Encoder for Arrow {
    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let options = IpcWriteOptions::try_new(64, false, MetadataVersion::V5)
            .and_then(|options| options.try_with_compression(Some(CompressionType::ZSTD)))
            .and_then(|options| options.try_with_compression_level(Some(ZSTD_LEVEL)));
        let schema = batch::schema(self.include_metadata);
        let writer = options
            .and_then(|options| StreamWriter::try_new_with_options(Vec::new(), &schema, options))
            .map_err(FormatError::encode)?;
        self.writer = Some(writer);
        self.drain(out);
        Ok(())
    }

    fn batch(&mut self, batch: &SampleBatch, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let columns = fitting(batch, self.include_metadata)?;
        let writer = self.writer.as_mut().ok_or_else(not_started)?;
        writer.write(&columns).map_err(FormatError::encode)?;
        self.drain(out);
        Ok(())
    }

    fn finish(&mut self, _end: &End, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let writer = self.writer.as_mut().ok_or_else(not_started)?;
        writer.finish().map_err(FormatError::encode)?;
        self.drain(out);
        Ok(())
    }
}

/// The columns of a batch, without those on demand unless they are wanted.
pub(super) fn fitting(
    batch: &SampleBatch,
    include_metadata: bool,
) -> Result<Cow<'_, RecordBatch>, FormatError> {
    match (include_metadata, batch.has_metadata()) {
        (false, true) => {
            let columns = batch.base_columns().map_err(FormatError::encode)?;
            Ok(Cow::Owned(columns))
        }
        (true, false) => Err(FormatError::encode("the metadata columns are missing")),
        (true, true) | (false, false) => Ok(Cow::Borrowed(batch.columns())),
    }
}

fn not_started() -> FormatError {
    FormatError::encode("the stream was not started")
}

/// Reads an Arrow IPC stream that arrives in pieces of any size.
///
/// A message is collected whole, looked at (`check`), and only then decoded: what a hostile peer
/// declares is bounded before anything is allocated for it.
#[derive(Debug, Default)]
pub struct ArrowStream {
    decoder: StreamDecoder,
    /// The beginning of a message.
    pending: Vec<u8>,
    /// How many bytes of it must be there before another look is worth it.
    needed: usize,
    /// The schema was read.
    started: bool,
    /// The end-of-stream marker was read.
    ended: bool,
}

impl ArrowStream {
    /// Takes the next bytes; gives the batches they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<SampleBatch>, FormatError> {
        self.pending.extend_from_slice(bytes);
        let mut batches = Vec::new();
        let mut at = 0;
        loop {
            let rest = self.pending.get(at..).unwrap_or_default();
            if self.ended && !rest.is_empty() {
                return Err(FormatError::decode("bytes behind the end of the stream"));
            }
            if rest.len() < self.needed.max(check::PREFIX) {
                break;
            }
            match check::next(rest, self.started)? {
                check::Next::More(needed) => self.needed = needed,
                check::Next::End(len) => {
                    decode(&mut self.decoder, rest.get(..len), &mut batches)?;
                    self.ended = true;
                    at += len;
                }
                check::Next::Message(len) => {
                    decode(&mut self.decoder, rest.get(..len), &mut batches)?;
                    self.started = true;
                    self.needed = 0;
                    at += len;
                }
            }
        }
        self.pending.drain(..at);
        Ok(batches)
    }

    /// Whether the end-of-stream marker was seen; a stream without it was cut off (an error).
    pub fn finish(self) -> Result<(), FormatError> {
        if self.ended {
            Ok(())
        } else {
            Err(FormatError::Decode(None))
        }
    }
}

/// Decodes one whole message. The decoder finishes a message without a body only when it sees the
/// next one, so there may be more than one batch, or none.
fn decode(
    decoder: &mut StreamDecoder,
    message: Option<&[u8]>,
    batches: &mut Vec<SampleBatch>,
) -> Result<(), FormatError> {
    let mut buffer = Buffer::from(message.unwrap_or_default());
    while !buffer.is_empty() {
        if let Some(batch) = decoder.decode(&mut buffer).map_err(FormatError::decode)? {
            batches.push(SampleBatch::new(batch).map_err(FormatError::decode)?);
        }
    }
    Ok(())
}
