//! A private copy of the database in a temporary file.

use std::io::{self, Read, Seek, SeekFrom, Write};

use tempfile::NamedTempFile;
use zip::{ZipArchive, result::ZipError};

use crate::import::{ReadError, Source};

/// What every SQLite database begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Bytes of the largest copy; years of a watch that writes every second have less.
const LARGEST: u64 = 16 << 30;

/// Whether it is a SQLite database, or a zip that holds one.
pub(super) fn recognize(source: &mut dyn Source) -> Result<bool, ReadError> {
    match kind(source)? {
        Kind::Database => Ok(true),
        Kind::Zip => Ok(find(&mut open(source)?)?.is_some()),
        Kind::Other => Ok(false),
    }
}

/// Copies the database; the file is gone when the value is.
pub(super) fn make(source: &mut dyn Source) -> Result<NamedTempFile, ReadError> {
    let mut file = NamedTempFile::new().map_err(ReadError::Read)?;
    match kind(source)? {
        Kind::Zip => {
            let mut archive = open(source)?;
            let index = find(&mut archive)?.ok_or_else(not_a_database)?;
            let mut entry = archive.by_index(index).map_err(damaged)?;
            fill(&mut entry, &mut file)?;
        }
        Kind::Database => fill(source, &mut file)?,
        Kind::Other => return Err(not_a_database()),
    }
    Ok(file)
}

fn not_a_database() -> ReadError {
    ReadError::Malformed {
        line: 0,
        reason: "no SQLite database in it".into(),
    }
}

enum Kind {
    Database,
    Zip,
    Other,
}

fn kind(source: &mut dyn Source) -> Result<Kind, ReadError> {
    source.seek(SeekFrom::Start(0)).map_err(ReadError::Read)?;
    let head = head(source)?;
    source.seek(SeekFrom::Start(0)).map_err(ReadError::Read)?;
    Ok(if head == MAGIC {
        Kind::Database
    } else if head.starts_with(b"PK\x03\x04") {
        Kind::Zip
    } else {
        Kind::Other
    })
}

fn head(reader: &mut dyn Read) -> Result<Vec<u8>, ReadError> {
    let length = u64::try_from(MAGIC.len()).unwrap_or(u64::MAX);
    let mut head = Vec::new();
    reader
        .take(length)
        .read_to_end(&mut head)
        .map_err(unreadable)?;
    Ok(head)
}

fn open(source: &mut dyn Source) -> Result<ZipArchive<&mut dyn Source>, ReadError> {
    ZipArchive::new(source).map_err(damaged)
}

/// The largest entry that begins as a database does; its name is translated.
fn find(archive: &mut ZipArchive<&mut dyn Source>) -> Result<Option<usize>, ReadError> {
    let mut candidates = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(damaged)?;
        if !entry.is_dir() && entry.size() > 0 {
            candidates.push((entry.size(), index));
        }
    }
    candidates.sort_unstable_by(|a, b| b.cmp(a));
    for (_, index) in candidates {
        let begins = archive
            .by_index(index)
            .map_err(damaged)
            .and_then(|mut entry| head(&mut entry));
        // What is damaged beside the database does not matter.
        if begins.is_ok_and(|head| head == MAGIC) {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

fn fill(reader: &mut dyn Read, file: &mut NamedTempFile) -> Result<(), ReadError> {
    let length = io::copy(&mut reader.take(LARGEST + 1), file).map_err(unreadable)?;
    if length > LARGEST {
        return Err(ReadError::Malformed {
            line: 0,
            reason: "a database of more than 16 GiB".into(),
        });
    }
    check_length(file, length)?;
    // A database with a write-ahead log needs the log beside it, and there is none: what is not in
    // the file itself was not exported. The two bytes say so (SQLite's file format, 1.3).
    file.seek(SeekFrom::Start(18)).map_err(ReadError::Read)?;
    file.write_all(&[1, 1]).map_err(ReadError::Read)?;
    file.flush().map_err(ReadError::Read)
}

/// SQLite reads a file that was cut off as far as it goes, so the length is compared with what the
/// header says (SQLite's file format, 1.3: page size at 16, number of pages at 28).
fn check_length(file: &mut NamedTempFile, length: u64) -> Result<(), ReadError> {
    let mut header = [0; 32];
    file.seek(SeekFrom::Start(0)).map_err(ReadError::Read)?;
    let truncated = || ReadError::Truncated { line: 0 };
    file.read_exact(&mut header).map_err(|_| truncated())?;
    let [.., p1, p2, _, _, _, _, _, _, _, _, _, _, n1, n2, n3, n4] = header;
    let page = match u64::from(u16::from_be_bytes([p1, p2])) {
        1 => 65_536,
        page => page,
    };
    let pages = u64::from(u32::from_be_bytes([n1, n2, n3, n4]));
    if length < page.saturating_mul(pages) {
        return Err(truncated());
    }
    Ok(())
}

fn damaged(error: ZipError) -> ReadError {
    match error {
        ZipError::Io(error) => unreadable(error),
        other => ReadError::Archive(Box::new(other)),
    }
}

fn unreadable(error: io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::InvalidData
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::Unsupported => ReadError::Archive(Box::new(error)),
        _ => ReadError::Read(error),
    }
}
