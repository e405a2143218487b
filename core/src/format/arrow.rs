//! The Arrow IPC stream format, bodies compressed with zstd: what pyarrow, polars, `DuckDB` read,
//! and what our own two ends speak.

mod check;

use std::{borrow::Cow, marker::PhantomData};

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::{
    CompressionType, MetadataVersion,
    reader::StreamDecoder,
    writer::{IpcWriteOptions, StreamWriter},
};
use arrow_schema::{Schema, SchemaRef};

use super::{Encoder, End, Format, FormatError};
use crate::batch::{self, SampleBatch, SchemaMismatch};

pub(super) const ARROW: Format = Format {
    name: "arrow",
    media_type: "application/vnd.apache.arrow.stream",
    encoder: |options| {
        Box::new(Arrow {
            include_metadata: options.include_metadata,
            writer: None,
            forgot: false,
        })
    },
};

/// Numbers and dates shrink little more on higher levels, which cost several times the time.
const ZSTD_LEVEL: i32 = 1;

struct Arrow {
    include_metadata: bool,
    writer: Option<StreamWriter<Vec<u8>>>,
    /// The reader has other dictionaries than the writer knows of.
    forgot: bool,
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
        self.writer = Some(stream_writer(&batch::schema(self.include_metadata))?);
        self.drain(out);
        Ok(())
    }

    fn batch(&mut self, batch: &SampleBatch, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let columns = fitting(batch, self.include_metadata)?;
        if std::mem::take(&mut self.forgot) {
            self.writer = Some(within_stream(&batch::schema(self.include_metadata))?);
        }
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

    fn takes_packs(&self) -> bool {
        !self.include_metadata
    }

    fn packed(&mut self, mut messages: Vec<u8>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        self.forgot = true;
        if out.is_empty() {
            *out = messages;
        } else {
            out.append(&mut messages);
        }
        Ok(())
    }
}

/// A batch as messages that may stand anywhere behind the schema of a stream: the dictionaries are
/// with them. Of the columns that are always there.
pub(crate) fn packed(batch: &SampleBatch) -> Result<Vec<u8>, FormatError> {
    let columns = fitting(batch, false)?;
    let mut writer = within_stream(&batch::schema(false))?;
    writer.write(&columns).map_err(FormatError::encode)?;
    Ok(std::mem::take(writer.get_mut()))
}

/// A stream whose schema was sent.
fn within_stream(schema: &Schema) -> Result<StreamWriter<Vec<u8>>, FormatError> {
    let mut writer = stream_writer(schema)?;
    writer.get_mut().clear();
    Ok(writer)
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

/// A stream that begins with this schema.
pub(super) fn stream_writer(schema: &Schema) -> Result<StreamWriter<Vec<u8>>, FormatError> {
    IpcWriteOptions::try_new(64, false, MetadataVersion::V5)
        .and_then(|options| options.try_with_compression(Some(CompressionType::ZSTD)))
        .and_then(|options| options.try_with_compression_level(Some(ZSTD_LEVEL)))
        .and_then(|options| StreamWriter::try_new_with_options(Vec::new(), schema, options))
        .map_err(FormatError::encode)
}

fn not_started() -> FormatError {
    FormatError::encode("the stream was not started")
}

/// A batch of one of the schemas that travel as Arrow streams.
pub trait Columnar: Sized {
    /// Its columns, where a batch has so many; else those that come nearest.
    fn schema_of(columns: usize) -> SchemaRef;
    /// Checks the columns of a foreign batch.
    fn of(batch: RecordBatch) -> Result<Self, SchemaMismatch>;
}

impl Columnar for SampleBatch {
    fn schema_of(columns: usize) -> SchemaRef {
        batch::schema(columns > batch::BASE_COLUMNS)
    }

    fn of(batch: RecordBatch) -> Result<Self, SchemaMismatch> {
        Self::new(batch)
    }
}

/// Reads an Arrow IPC stream that arrives in pieces of any size.
///
/// A message is collected whole, looked at (`check`), and only then decoded: what a hostile peer
/// declares is bounded before anything is allocated for it.
#[derive(Debug)]
pub struct ArrowStream<B = SampleBatch> {
    messages: ArrowMessages<B>,
    decoder: ArrowDecoder<B>,
}

impl<B> Default for ArrowStream<B> {
    fn default() -> Self {
        Self {
            messages: ArrowMessages::default(),
            decoder: ArrowDecoder::default(),
        }
    }
}

impl<B: Columnar> ArrowStream<B> {
    /// Takes the next bytes; gives the batches they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<B>, FormatError> {
        let mut batches = Vec::new();
        for message in self.messages.push(bytes)? {
            batches.extend(self.decoder.decode(&message)?);
        }
        Ok(batches)
    }

    /// Whether the end-of-stream marker was seen; a stream without it was cut off (an error).
    pub fn finish(self) -> Result<(), FormatError> {
        self.messages.finish()
    }
}

/// A whole message of a stream, fit to be decoded.
#[derive(Clone, Debug)]
pub struct ArrowMessage {
    bytes: Buffer,
    /// These are rows; any other message (schema, dictionary, end) says something about others.
    pub is_batch: bool,
}

impl ArrowMessage {
    /// How many bytes it has.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// The first half of reading a stream: its messages.
#[derive(Debug)]
pub struct ArrowMessages<B = SampleBatch> {
    /// The beginning of a message.
    pending: Vec<u8>,
    /// How many bytes of it must be there before another look is worth it.
    needed: usize,
    /// The schema was read.
    started: bool,
    /// The end-of-stream marker was read.
    ended: bool,
    batches: PhantomData<fn() -> B>,
}

impl<B> Default for ArrowMessages<B> {
    fn default() -> Self {
        Self {
            pending: Vec::new(),
            needed: 0,
            started: false,
            ended: false,
            batches: PhantomData,
        }
    }
}

impl<B: Columnar> ArrowMessages<B> {
    /// Takes the next bytes; gives the messages they complete, which are not copied where they are whole.
    pub fn push(&mut self, bytes: impl Into<Buffer>) -> Result<Vec<ArrowMessage>, FormatError> {
        let bytes = bytes.into();
        let bytes = if self.pending.is_empty() {
            bytes
        } else {
            self.pending.extend_from_slice(&bytes);
            if self.pending.len() < self.needed {
                return Ok(Vec::new());
            }
            Buffer::from_vec(std::mem::take(&mut self.pending))
        };
        let mut messages = Vec::new();
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            if self.ended && !rest.is_empty() {
                return Err(FormatError::decode("bytes behind the end of the stream"));
            }
            if rest.len() < self.needed.max(check::PREFIX) {
                self.pending = rest.to_vec();
                return Ok(messages);
            }
            let (len, is_batch) = match check::next::<B>(rest, self.started)? {
                check::Next::More(needed) => {
                    self.needed = needed;
                    continue;
                }
                check::Next::End(len) => {
                    self.ended = true;
                    (len, false)
                }
                check::Next::Message { len, is_batch } => {
                    self.started = true;
                    (len, is_batch)
                }
            };
            messages.push(ArrowMessage {
                bytes: bytes.slice_with_length(at, len),
                is_batch,
            });
            self.needed = 0;
            at += len;
        }
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

/// The second half: batches of messages. Of the messages that are no batch it must see all.
#[derive(Debug)]
pub struct ArrowDecoder<B = SampleBatch> {
    decoder: StreamDecoder,
    batches: PhantomData<fn() -> B>,
}

impl<B> Default for ArrowDecoder<B> {
    fn default() -> Self {
        Self {
            decoder: StreamDecoder::default(),
            batches: PhantomData,
        }
    }
}

impl<B: Columnar> ArrowDecoder<B> {
    /// Decodes a message. The decoder finishes one without a body only when it sees the next one, so
    /// there may be more than one batch, or none.
    pub fn decode(&mut self, message: &ArrowMessage) -> Result<Vec<B>, FormatError> {
        let mut batches = Vec::new();
        let mut buffer = message.bytes.clone();
        while !buffer.is_empty() {
            let batch = self.decoder.decode(&mut buffer);
            if let Some(batch) = batch.map_err(FormatError::decode)? {
                batches.push(B::of(batch).map_err(FormatError::decode)?);
            }
        }
        Ok(batches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{batch::tests::hard_samples, format::Options};

    /// A file of what travelled is the one that would be made of its batches.
    #[test]
    fn what_is_read_and_written_again_is_the_same_to_the_byte() {
        for include_metadata in [false, true] {
            let options = Options {
                include_metadata,
                ..Options::default()
            };
            let written = |batches: &[SampleBatch]| {
                let (mut encoder, mut out) = ((ARROW.encoder)(&options), Vec::new());
                encoder.start(&mut out).unwrap();
                for batch in batches {
                    encoder.batch(batch, &mut out).unwrap();
                }
                encoder.finish(&End::default(), &mut out).unwrap();
                out
            };
            let first = hard_samples(include_metadata);
            let bytes = written(&[first.clone(), hard_samples(include_metadata), first]);
            let mut stream = ArrowStream::<SampleBatch>::default();
            let batches = stream.push(&bytes).unwrap();
            stream.finish().unwrap();
            assert_eq!(batches.len(), 3);
            assert_eq!(written(&batches), bytes);
        }
    }
}
