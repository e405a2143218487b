//! Turns an exported file into [`Sample`]s.
//!
//! Each submodule knows one file format and nothing else. To add a format, add a file with a unit
//! struct that implements [`Importer`], and name it in [`IMPORTERS`].

mod apple;

use std::io::{Read, Seek};

use crate::sample::Sample;

/// A reader that an importer may rewind (a zip's directory stands at its end).
pub trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// What an importer hands on.
#[derive(Debug)]
pub enum Item {
    /// One record.
    Sample(Box<Sample>),
    // Workout(Box<Workout>), Correlation(..): defined with the store's tables.
    /// Something that was passed over.
    Skipped {
        /// Line in the file, counted from 1.
        line: u64,
        /// Why; a short stable phrase without values, so that equal reasons count together.
        reason: String,
    },
    /// So many bytes of the input were read since the last one (for a progress bar).
    Progress(u64),
}
