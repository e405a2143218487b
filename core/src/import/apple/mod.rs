//! Apple Health's export: `export.zip`, or the `.xml` in it.
//!
//! ```text
//! archive ─► text (a thread of its own) ─► prolog ─► tokens ─► records, workouts, documents
//! inflate    drop control characters       skip DTD  each once
//!    └─────► beside: routes (gpx), electrocardiograms (ecg), clinical resources, one after another
//! ```
//!
//! Real exports break their own rules: the DTD of iOS 16 is malformed, app names hold control
//! characters, workouts have children that the DTD forbids. So the file is never validated; what
//! is not understood is passed over, counted and told with its line.

mod archive;
mod beats;
mod beside;
mod category;
mod correlation;
mod document;
mod ecg;
mod element;
mod gpx;
mod measure;
mod metadata;
mod number;
mod prolog;
mod route;
mod tag;
mod text;
mod tokens;
mod workout;

pub(crate) use self::provenance::canonical_source;

use std::{collections::BTreeSet, io::Read};

use self::route::References;
use super::{Folder, Importer, ReadError, Sink, Source, date, head, limits, provenance};

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
        let head = head(source, HEAD)?;
        if archive::is_zip(&head) {
            self.recognize_folder(&mut archive::open(source)?)
        } else {
            Ok(is_export(&head))
        }
    }

    fn read(&self, source: &mut dyn Source, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        let head = head(source, HEAD)?;
        if archive::is_zip(&head) {
            return self.read_folder(&mut archive::open(source)?, sink);
        }
        let mut references = References::default();
        read_xml(source, &mut references, sink)?;
        beside::missing(references, &BTreeSet::new(), sink)
    }

    fn recognize_folder(&self, folder: &mut dyn Folder) -> Result<bool, ReadError> {
        let entries = folder.entries()?;
        Ok(archive::find_export(folder, &entries)?.is_some())
    }

    fn read_folder(&self, folder: &mut dyn Folder, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        let entries = folder.entries()?;
        let Some(index) = archive::find_export(folder, &entries)? else {
            return Err(prolog::no_root(1));
        };
        let mut references = References::default();
        read_xml(&mut folder.open(index)?, &mut references, sink)?;
        beside::read(folder, &entries, index, references, sink)
    }
}

/// Decompresses and cleans in a thread of its own while this one parses.
fn read_xml(
    reader: &mut (dyn Read + Send),
    references: &mut References,
    sink: &mut Sink<'_>,
) -> Result<(), ReadError> {
    std::thread::scope(|scope| {
        let (pump, chunks) = text::pipe();
        let pumping = scope.spawn(move || pump.run(reader));
        let result = element::read(chunks, references, sink);
        // As if it had panicked here: the ingest tells it.
        pumping
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        result
    })
}

/// Enough to hold a comment before the root.
const HEAD: u64 = 4096;

/// Whether these first bytes are those of an export.
fn is_export(head: &[u8]) -> bool {
    let has = |needle: &[u8]| head.windows(needle.len()).any(|window| window == needle);
    has(b"<!DOCTYPE HealthData") || has(b"<HealthData")
}
