//! Writing samples as text or bytes. To add a format: one file, one line in [`FORMATS`].
//!
//! ```text
//! SampleBatch ──► rows (one walk over the columns) ──► csv, tsv, json, ndjson
//!            ├──► arrow (IPC stream, zstd) ──► ArrowStream on the other end
//!            ├──► parquet (a file, zstd)
//!            └──► clinical (FHIR, Open mHealth; the client alone, it needs the pairs of blood pressures)
//! ```

mod accept;
mod arrow;
mod clinical;
mod collection;
mod csv;
mod json;
mod ndjson;
mod parquet;
mod rows;
mod table;

use crate::{api::Code, batch::SampleBatch, report::Hint};

pub use self::{
    accept::by_accept,
    arrow::{ArrowDecoder, ArrowMessage, ArrowMessages, ArrowStream, Columnar},
    clinical::{Clinical, Pressure, Standard},
    collection::{
        CollectionEncoder, LineError, Shape, correlation_line, document_line, workout_line,
    },
    table::TableEncoder,
};
pub(crate) use self::{
    arrow::packed,
    rows::{COLUMNS, MORE_COLUMNS},
    table::json_field,
};

/// What a writer may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Field separator of CSV.
    pub delimiter: u8,
    /// Also write origin, device, creationDate, metadata.
    pub include_metadata: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            delimiter: b',',
            include_metadata: false,
        }
    }
}

impl Options {
    /// Reads a separator as a person writes it: one ASCII character, or `\t`. Not one that
    /// numbers, dates or quoted fields are made of.
    pub fn parse_delimiter(text: &str) -> Option<u8> {
        match text.as_bytes() {
            b"\\t" | b"\t" => Some(b'\t'),
            &[c @ (b' ' | b'!'..=b'~')]
                if !c.is_ascii_alphanumeric() && !br#""'+-.:"#.contains(&c) =>
            {
                Some(c)
            }
            _ => None,
        }
    }
}

/// How a stream of samples ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Whether [`Encoder::packed`] may be called.
    fn takes_packs(&self) -> bool {
        false
    }
    /// Some samples that are messages of an Arrow stream already.
    fn packed(&mut self, _messages: Vec<u8>, _out: &mut Vec<u8>) -> Result<(), FormatError> {
        Err(FormatError::encode("this format has no packs"))
    }
}

/// One line of the list of formats.
#[derive(Debug)]
pub struct Format {
    /// Name on the command line, and usual ending of a file.
    pub name: &'static str,
    /// Media type on the wire.
    pub media_type: &'static str,
    /// Makes a writer.
    pub encoder: fn(&Options) -> Box<dyn Encoder>,
}

/// Every format.
pub const FORMATS: &[Format] = &[
    csv::CSV,
    csv::TSV,
    json::JSON,
    ndjson::NDJSON,
    arrow::ARROW,
    parquet::PARQUET,
];

/// The format of this name.
pub fn by_name(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
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

impl FormatError {
    fn encode(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Encode(error.into())
    }

    fn decode(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Decode(Some(error.into()))
    }
}

impl Hint for FormatError {
    fn code(&self) -> &'static str {
        let code = match self {
            Self::Encode(_) => Code::Internal,
            Self::Decode(_) => Code::AnswerDamaged,
        };
        code.as_str()
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Encode(_) => None,
            Self::Decode(_) => Some(Code::AnswerDamaged.advice().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
