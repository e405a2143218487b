//! Writing samples as text or bytes. To add a format: one file, one line in [`FORMATS`].

use crate::batch::SampleBatch;

/// What a writer may be told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Field separator of CSV.
    pub delimiter: u8,
    /// Also write origin, device, creationDate, metadata.
    pub include_metadata: bool,
}

/// How a stream of samples ended.
#[derive(Clone, Debug, Default)]
pub struct End {
    /// Samples written.
    pub count: u64,
    /// A limit cut the answer.
    pub has_more: bool,
    /// Where to go on.
    pub next_cursor: Option<String>,
}

/// Turns batches into bytes; constant memory. Call `start` once, `batch` any number of times,
/// `finish` once; each appends to `out`.
pub trait Encoder: Send {
    /// The header.
    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), FormatError>;
    /// Some samples.
    fn batch(&mut self, batch: &SampleBatch, out: &mut Vec<u8>) -> Result<(), FormatError>;
    /// The end.
    fn finish(&mut self, end: &End, out: &mut Vec<u8>) -> Result<(), FormatError>;
}

/// One line of the list of formats.
#[derive(Debug)]
pub struct Format {
    /// Name on the command line.
    pub name: &'static str,
    /// Media type on the wire.
    pub media_type: &'static str,
    /// Makes a writer.
    pub encoder: fn(&Options) -> Box<dyn Encoder>,
}

/// Every format.
pub const FORMATS: &[Format] = &[];

/// The format of this name.
pub fn by_name(_name: &str) -> Option<&'static Format> {
    todo!()
}

/// The best format for an `Accept` header (RFC 9110, with q values); JSON for `*/*` and none.
/// `None`: nothing acceptable (406).
pub fn by_accept(_header: Option<&str>) -> Option<&'static Format> {
    todo!()
}

/// Reads an Arrow IPC stream that arrives in pieces of any size.
#[derive(Debug, Default)]
pub struct ArrowStream {}

impl ArrowStream {
    /// Takes the next bytes; gives the batches they complete.
    pub fn push(&mut self, _bytes: &[u8]) -> Result<Vec<SampleBatch>, FormatError> {
        todo!()
    }

    /// Whether the end-of-stream marker was seen; a stream without it was cut off (an error).
    pub fn finish(self) -> Result<(), FormatError> {
        todo!()
    }
}

/// Samples could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// Arrow refused.
    #[error("could not encode the samples")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The stream ended early or is damaged.
    #[error("the answer is damaged or was cut off")]
    Decode(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}
