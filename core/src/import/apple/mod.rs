//! Apple Health's export: `export.zip`, or the `.xml` in it.
//!
//! ```text
//! archive ─► text (a thread of its own) ─► prolog ─► tokens ─► records, workouts, correlations
//! inflate    drop control characters       skip DTD  quick-xml
//! ```
//!
//! Real exports break their own rules: the DTD of iOS 16 is malformed, app names hold control
//! characters, workouts have children that the DTD forbids. So the file is never validated; what
//! is not understood is passed over, counted and told with its line.

mod archive;
mod category;
mod correlation;
mod element;
mod measure;
mod metadata;
mod prolog;
mod tag;
mod text;
mod tokens;
mod workout;

use std::io::{Read, SeekFrom};

use super::{Importer, Item, ReadError, Sink, Source, date, limits, provenance};

/// Knows `export.zip` under any name, in any language, and a bare `export.xml`.
#[derive(Clone, Copy, Debug)]
pub(super) struct AppleHealth;

impl Importer for AppleHealth {
    fn name(&self) -> &'static str {
        "Apple Health"
    }

    fn id(&self) -> &'static str {
        "appleHealth"
    }

    fn recognize(&self, source: &mut dyn Source) -> Result<bool, ReadError> {
        let head = head(source)?;
        if archive::is_zip(&head) {
            Ok(archive::open(source)?.find_export()?.is_some())
        } else {
            Ok(is_export(&head))
        }
    }

    fn read(&self, source: &mut dyn Source, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        let head = head(source)?;
        if !archive::is_zip(&head) {
            return read_xml(source, sink);
        }
        let mut archive = archive::open(source)?;
        let Some(index) = archive.find_export()? else {
            return Err(prolog::no_root(1));
        };
        if let Some(name) = archive.ignored_document() {
            sink(Item::Skipped {
                line: 0,
                count: 1,
                reason: name,
            })?;
        }
        let others = archive.other_exports(index)?;
        if others > 0 {
            sink(Item::Skipped {
                line: 0,
                count: others,
                reason: "another export in the archive (not read)".into(),
            })?;
        }
        read_xml(&mut archive.entry(index)?, sink)
    }
}

/// Decompresses and cleans in a thread of its own while this one parses.
fn read_xml(reader: &mut (dyn Read + Send), sink: &mut Sink<'_>) -> Result<(), ReadError> {
    std::thread::scope(|scope| {
        let (pump, chunks) = text::pipe();
        let pumping = scope.spawn(move || pump.run(reader));
        let result = element::read(chunks, sink);
        if pumping.join().is_err() {
            return Err(ReadError::Read(std::io::Error::other(
                "the reading thread panicked",
            )));
        }
        result
    })
}

/// Enough to hold a comment before the root.
const HEAD: u64 = 4096;

/// The first bytes; the reader stands at the beginning again.
fn head(source: &mut dyn Source) -> Result<Vec<u8>, ReadError> {
    let mut head = Vec::new();
    source.seek(SeekFrom::Start(0)).map_err(ReadError::Read)?;
    Read::take(&mut *source, HEAD)
        .read_to_end(&mut head)
        .map_err(ReadError::Read)?;
    source.seek(SeekFrom::Start(0)).map_err(ReadError::Read)?;
    Ok(head)
}

/// Whether these first bytes are those of an export.
fn is_export(head: &[u8]) -> bool {
    let has = |needle: &[u8]| head.windows(needle.len()).any(|window| window == needle);
    has(b"<!DOCTYPE HealthData") || has(b"<HealthData")
}
