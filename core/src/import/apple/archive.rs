//! The archive, and finding the export in it by content: its name is translated (`导出.xml`,
//! `exportar.xml`) and its folder differs.

use std::io::{self, ErrorKind, Read};

use zip::{ZipArchive, result::ZipError};

use super::{HEAD, Source, beside::is_junk, is_export};
use crate::import::{Entry, Folder, ReadError};

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

impl Folder for Archive<'_> {
    fn entries(&mut self) -> Result<Vec<Entry>, ReadError> {
        let mut entries = Vec::new();
        for index in 0..self.zip.len() {
            let entry = self.zip.by_index_raw(index).map_err(damaged)?;
            // A name in an unknown encoding is as good as any other, and a folder is no file: it
            // has the name that junk has.
            let name = match entry.name() {
                Ok(name) if !entry.is_dir() => name.into_owned(),
                Ok(_) => String::new(),
                Err(_) => format!("entry {index}"),
            };
            let size = entry.size();
            entries.push(Entry { name, size });
        }
        Ok(entries)
    }

    fn open(&mut self, index: usize) -> Result<Box<dyn Read + Send + '_>, ReadError> {
        let entry = self.zip.by_index(index).map_err(damaged)?;
        Ok(Box::new(entry))
    }
}

/// The largest file of a folder that begins as an export does: its name is translated, and macOS
/// adds a `._` twin to each file that ends in `.xml`, too, and holds none.
pub(super) fn find_export(
    folder: &mut dyn Folder,
    entries: &[Entry],
) -> Result<Option<usize>, ReadError> {
    let mut candidates: Vec<_> = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.size > 0 && !is_junk(&entry.name))
        .map(|(index, entry)| (entry.size, index))
        .collect();
    candidates.sort_unstable_by(|a, b| b.cmp(a));
    let mut problem = None;
    for (_, index) in candidates {
        match begins_as_export(folder, index) {
            Ok(true) => return Ok(Some(index)),
            Ok(false) => {}
            // A route that is damaged is no reason to refuse the export beside it.
            Err(error) => problem = Some(error),
        }
    }
    problem.map_or(Ok(None), Err)
}

fn begins_as_export(folder: &mut dyn Folder, index: usize) -> Result<bool, ReadError> {
    let mut head = Vec::new();
    Read::take(&mut folder.open(index)?, HEAD)
        .read_to_end(&mut head)
        .map_err(unreadable)?;
    Ok(is_export(&head))
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
