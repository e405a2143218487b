//! A file or a folder from its first byte to the commit.

use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::TransactionBehavior;

use super::{
    Ingest,
    failed::ImportFailed,
    options::ImportOptions,
    pipeline::{Counting, CountingFolder, Keying, recognize, recognize_folder, run},
};
use crate::{
    identity::Keys,
    import::{Folder, Importer, ReadError, Sink, Source},
    store::{
        Imported, Store,
        schema::{empty_log, version},
    },
};

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportProgress {
    /// Position in the file, bytes.
    pub bytes: u64,
    /// Its length, if it is known.
    pub total: Option<u64>,
    /// Records read so far.
    pub records: u64,
}

impl Store {
    /// Imports one file in one transaction: all of it is kept, or nothing. `total` is the length
    /// of the file, for the progress. Waits for another import that is under way.
    pub fn import(
        &mut self,
        origin: &str,
        source: &mut dyn Source,
        total: Option<u64>,
        options: &ImportOptions,
        progress: &mut dyn FnMut(ImportProgress),
    ) -> Result<Imported, ImportFailed> {
        let position = AtomicU64::new(0);
        let importer = recognize(source)?;
        let mut source = Counting {
            source,
            position: &position,
        };
        let read = |sink: &mut Sink<'_>| importer.read(&mut source, sink);
        let whose = Whose { origin, importer };
        self.import_whole(whose, read, options, &mut |records| {
            progress(ImportProgress {
                bytes: position.load(Ordering::Relaxed),
                total,
                records,
            });
        })
    }

    /// As [`Store::import`], of a folder that is an unpacked file.
    pub fn import_folder(
        &mut self,
        origin: &str,
        folder: &mut dyn Folder,
        options: &ImportOptions,
        progress: &mut dyn FnMut(ImportProgress),
    ) -> Result<Imported, ImportFailed> {
        let position = AtomicU64::new(0);
        let importer = recognize_folder(folder)?;
        let total = folder.entries()?.iter().map(|entry| entry.size).sum();
        let mut folder = CountingFolder {
            folder,
            position: &position,
        };
        let read = |sink: &mut Sink<'_>| importer.read_folder(&mut folder, sink);
        let whose = Whose { origin, importer };
        self.import_whole(whose, read, options, &mut |records| {
            progress(ImportProgress {
                // Beginnings are read twice.
                bytes: position.load(Ordering::Relaxed).min(total),
                total: Some(total),
                records,
            });
        })
    }

    fn import_whole(
        &mut self,
        whose: Whose<'_>,
        read: impl FnOnce(&mut Sink<'_>) -> Result<(), ReadError> + Send,
        options: &ImportOptions,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Imported, ImportFailed> {
        let imported = self.import_in_transaction(whose, read, options, progress);
        // Also after a failure: what was rolled back would fill the disk for good. The outcome
        // stands already, and whoever writes next tries again.
        drop(empty_log(&self.connection));
        imported
    }

    fn import_in_transaction(
        &mut self,
        Whose { origin, importer }: Whose<'_>,
        read: impl FnOnce(&mut Sink<'_>) -> Result<(), ReadError> + Send,
        options: &ImportOptions,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Imported, ImportFailed> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        // A later program may have had the file meanwhile, and its tables want more than we write.
        version(&transaction)?;
        let imported = {
            let mut ingest = Ingest::new(&transaction, origin, importer.id())?;
            ingest.with_identity = options.with_identity;
            let keying = Keying {
                keys: Keys::new(origin.into()),
                keep_origins: options.keep_origins,
            };
            let outcome = run(keying, read, |batch| {
                ingest.take(batch)?;
                progress(ingest.samples.counts.read);
                Ok(())
            });
            // A file that is still being written may look cut off or damaged, or whole.
            if !matches!(outcome, Err(ImportFailed::Store(_)))
                && let Some(settled) = &options.settled
                && !settled.look().map_err(ImportFailed::Read)?
            {
                return Err(ImportFailed::StillChanging);
            }
            match outcome {
                Err(ImportFailed::Truncated { line }) if options.keep_partial => {
                    ingest.is_partial = true;
                    ingest.skip(line, 1, "all that followed: the export is cut off".into());
                }
                other => other?,
            }
            if ingest.is_empty() {
                return Err(ImportFailed::Empty {
                    skipped: ingest.skipped,
                });
            }
            ingest.finish(options)?
        };
        if options.dry_run {
            transaction.rollback()?;
        } else {
            transaction.commit()?;
        }
        Ok(imported)
    }
}

/// Whose file it is, and what kind of file.
struct Whose<'a> {
    origin: &'a str,
    importer: &'static dyn Importer,
}
