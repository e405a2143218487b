//! Turns an exported file into [`Sample`]s.
//!
//! Each submodule knows one file format and nothing else. To add a format, add a file with a unit
//! struct that implements [`Importer`], and name it in [`IMPORTERS`].
//!
//! ```text
//! export.zip ──► Importer::read ──► &mut dyn FnMut(Item) ──► store::ingest
//! ```
//!
//! # What an importer promises
//!
//! - It streams: its memory does not grow with the file.
//! - It tolerates what it does not know, and hands on an [`Item::Skipped`] with the line.
//! - It never ends well on a file that was cut off.
//! - No value of a record stands in an error or in a reason.

mod apple;
mod arrow;
mod csv;
mod date;
mod guard;
mod health_auto_export;
mod health_connect;
mod limits;
mod own;
mod parquet;
mod provenance;

pub(crate) use self::apple::canonical_source;

use std::{
    borrow::Cow,
    io::{Read, Seek},
};

use crate::{
    correlation::Correlation,
    document::{Document, Noun},
    sample::Sample,
    workout::Workout,
};

pub use own::Returning;

/// Every format, in the order in which they are tried.
pub const IMPORTERS: &[&dyn Importer] = &[
    &apple::AppleHealth,
    &csv::OwnCsv,
    &arrow::OwnArrow,
    &parquet::OwnParquet,
    &health_auto_export::HealthAutoExport,
    &health_connect::HealthConnect,
];

/// Knows one file format.
pub trait Importer: Sync {
    /// Name for people (`Apple Health`).
    fn name(&self) -> &'static str;

    /// Name at rest (`appleHealth`): a store keeps which format brought a row. Never changed.
    fn id(&self) -> &'static str;

    /// Whether the file is of this format; by content, never by name.
    fn recognize(&self, source: &mut dyn Source) -> Result<bool, ReadError>;

    /// Reads a recognized file from its beginning to its end.
    fn read(&self, source: &mut dyn Source, sink: &mut Sink<'_>) -> Result<(), ReadError>;

    /// Whether a folder is an unpacked file of this format.
    fn recognize_folder(&self, folder: &mut dyn Folder) -> Result<bool, ReadError> {
        let _ = folder;
        Ok(false)
    }

    /// Reads a recognized folder.
    fn read_folder(&self, folder: &mut dyn Folder, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        let _ = (folder, sink);
        Err(ReadError::Malformed {
            line: 0,
            reason: "this format has no folders".into(),
        })
    }
}

impl std::fmt::Debug for dyn Importer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A reader that an importer may rewind (a zip's directory stands at its end).
pub trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// The first bytes, so many of them; the reader stands at the beginning again.
fn head(source: &mut dyn Source, length: u64) -> Result<Vec<u8>, ReadError> {
    let mut head = Vec::new();
    source.rewind().map_err(ReadError::Read)?;
    Read::take(&mut *source, length)
        .read_to_end(&mut head)
        .map_err(ReadError::Read)?;
    source.rewind().map_err(ReadError::Read)?;
    Ok(head)
}

/// Files that belong together: what an archive or a folder holds. Their names are data; nobody makes
/// a path of one.
pub trait Folder: Send {
    /// The files, in a fixed order.
    fn entries(&mut self) -> Result<Vec<Entry>, ReadError>;

    /// Opens the file at this position of [`Folder::entries`].
    fn open(&mut self, index: usize) -> Result<Box<dyn Read + Send + '_>, ReadError>;
}

/// A file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, with `/` between the parts.
    pub name: String,
    /// Its length, bytes.
    pub size: u64,
}

/// Where an importer hands its items.
pub type Sink<'a> = dyn FnMut(Item) -> Result<(), Stopped> + 'a;

/// Nobody wants more items; the importer returns at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// What an importer hands on.
#[derive(Debug)]
pub enum Item {
    /// One record; there are so many that each in memory of its own would take a tenth of the reader's time.
    Sample(Sample),
    /// One workout.
    Workout(Box<Workout>),
    /// Samples that belong together.
    Correlation(Box<Correlation>),
    /// One document, whole, with its series.
    Document(Box<Document>),
    /// When the phone made the file, milliseconds since 1970-01-01T00:00:00Z.
    Exported(i64),
    /// The file says nothing, or not all, of what is of this noun: what it lacks may still be on
    /// the phone.
    Uncovered(Noun),
    /// A record that this program wrote itself, with the id and the origin that it had.
    Returning(Box<Returning>),
    /// Something that was passed over.
    Skipped {
        /// Line in the file, counted from 1; 0 for what is no line of it.
        line: u64,
        /// How much of it.
        count: u64,
        /// Why; a short stable phrase without values, so that equal reasons count together.
        reason: Cow<'static, str>,
    },
}

/// A file could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The archive is damaged.
    #[error("the archive is damaged")]
    Archive(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It cannot be understood.
    #[error("the file is damaged at line {line}: {reason}")]
    Malformed {
        /// Where.
        line: u64,
        /// What is wrong; no value.
        reason: Cow<'static, str>,
    },
    /// The reader failed.
    #[error("could not read the file")]
    Read(#[source] std::io::Error),
    /// The sink wants no more.
    #[error("reading was stopped")]
    Stopped,
    /// It ends too early.
    #[error("the file is cut off at line {line}")]
    Truncated {
        /// Last line.
        line: u64,
    },
}

impl From<Stopped> for ReadError {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}
