//! Finding the export in a zip, by content: its name is translated (`导出.xml`, `exportar.xml`)
//! and its folder differs.

use std::{
    borrow::Cow,
    io::{self, ErrorKind, Read},
};

use zip::{ZipArchive, read::ZipFile, result::ZipError};

use super::{HEAD, Source, is_export};
use crate::import::ReadError;

/// An open zip.
pub(super) struct Archive<'a> {
    zip: ZipArchive<&'a mut dyn Source>,
}

/// Whether these first bytes are those of a zip, an empty one included.
pub(super) fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

/// Reads the zip's directory.
pub(super) fn open(source: &mut dyn Source) -> Result<Archive<'_>, ReadError> {
    let zip = ZipArchive::new(source).map_err(damaged)?;
    Ok(Archive { zip })
}

impl<'a> Archive<'a> {
    /// The largest entry that begins as an export does. macOS adds a `._` twin to each file that
    /// ends in `.xml`, too, and holds none.
    pub(super) fn find_export(&mut self) -> Result<Option<usize>, ReadError> {
        let mut problem = None;
        for index in self.candidates()? {
            match self.begins_as_export(index) {
                Ok(true) => return Ok(Some(index)),
                Ok(false) => {}
                // A route that is damaged is no reason to refuse the export beside it.
                Err(error) => problem = Some(error),
            }
        }
        problem.map_or(Ok(None), Err)
    }

    /// How many exports there are besides this one.
    pub(super) fn other_exports(&mut self, chosen: usize) -> Result<u64, ReadError> {
        let mut others = 0;
        for index in self.candidates()? {
            // What is damaged and not read is not known to be an export.
            if index != chosen && matches!(self.begins_as_export(index), Ok(true)) {
                others += 1;
            }
        }
        Ok(others)
    }

    /// The entries that may be an export, the largest first.
    fn candidates(&mut self) -> Result<Vec<usize>, ReadError> {
        let mut candidates = Vec::new();
        for index in 0..self.zip.len() {
            let entry = self.zip.by_index_raw(index).map_err(damaged)?;
            // A name in an unknown encoding is as good as any other.
            let apple_double = entry.name().is_ok_and(|name| name.starts_with("__MACOSX/"));
            let junk = entry.is_dir() || apple_double || entry.size() == 0;
            if !junk {
                candidates.push((entry.size(), index));
            }
        }
        candidates.sort_unstable_by(|a, b| b.cmp(a));
        Ok(candidates.into_iter().map(|(_, index)| index).collect())
    }

    fn begins_as_export(&mut self, index: usize) -> Result<bool, ReadError> {
        let mut head = Vec::new();
        self.entry(index)?
            .take(HEAD)
            .read_to_end(&mut head)
            .map_err(unreadable)?;
        Ok(is_export(&head))
    }

    /// What to say about a second document that repeats part of the export.
    pub(super) fn ignored_document(&self) -> Option<Cow<'static, str>> {
        let is_document = |name: Cow<'_, str>| {
            !name.starts_with("__MACOSX/") && name.rsplit('/').next() == Some("export_cda.xml")
        };
        self.zip
            .file_names()
            .any(|name| name.is_ok_and(is_document))
            .then_some(Cow::Borrowed("export_cda.xml, which repeats records"))
    }

    /// One entry, decompressed.
    pub(super) fn entry(
        &mut self,
        index: usize,
    ) -> Result<ZipFile<'_, &'a mut dyn Source>, ReadError> {
        self.zip.by_index(index).map_err(damaged)
    }
}

fn damaged(error: ZipError) -> ReadError {
    match error {
        ZipError::Io(error) => unreadable(error),
        other => ReadError::Archive(Box::new(other)),
    }
}

/// A failed reader: the archive is damaged (its checksum, its compression, its length) or packed
/// in a way that is not known, or the file cannot be read.
pub(super) fn unreadable(error: io::Error) -> ReadError {
    match error.kind() {
        ErrorKind::InvalidData
        | ErrorKind::InvalidInput
        | ErrorKind::UnexpectedEof
        | ErrorKind::Unsupported => ReadError::Archive(Box::new(error)),
        _ => ReadError::Read(error),
    }
}
