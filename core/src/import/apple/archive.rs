//! Finding the export in a zip, by content: its name is translated (`导出.xml`, `exportar.xml`)
//! and its folder differs.

use std::{borrow::Cow, io::Read};

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
        let mut problem = None;
        for (_, index) in candidates {
            let mut head = Vec::new();
            let read = self.entry(index).and_then(|entry| {
                entry
                    .take(HEAD)
                    .read_to_end(&mut head)
                    .map_err(ReadError::Read)
            });
            match read {
                Ok(_) if is_export(&head) => return Ok(Some(index)),
                Ok(_) => {}
                // A route that is damaged is no reason to refuse the export beside it.
                Err(error) => problem = Some(error),
            }
        }
        problem.map_or(Ok(None), Err)
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
        ZipError::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            ReadError::Read(error)
        }
        other => ReadError::Archive(Box::new(other)),
    }
}
