//! Reading in one thread, writing in another.

use std::{
    borrow::Cow,
    io::{self, Read, Seek, SeekFrom},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
};

use super::ImportFailed;
use crate::{
    correlation::Correlation,
    document::{Document, Noun},
    identity::{self, Key, Keys},
    import::{
        Entry, Folder, IMPORTERS, Importer, Item, ReadError, Returning, Sink, Source, Stopped,
    },
    sample::{Metadata, Sample},
    series::Series,
    store::StoreError,
    workout::{Event, Statistic, Workout},
};

/// The importer that knows the file.
pub(super) fn recognize(source: &mut dyn Source) -> Result<&'static dyn Importer, ImportFailed> {
    find(|importer| importer.recognize(source))
}

/// The importer that knows the folder.
pub(super) fn recognize_folder(
    folder: &mut dyn Folder,
) -> Result<&'static dyn Importer, ImportFailed> {
    find(|importer| importer.recognize_folder(folder))
}

/// The first importer that knows what is there; one that panics is told, as when it reads.
fn find(
    mut knows: impl FnMut(&dyn Importer) -> Result<bool, ReadError>,
) -> Result<&'static dyn Importer, ImportFailed> {
    for importer in IMPORTERS {
        let known = catch_unwind(AssertUnwindSafe(|| knows(*importer)));
        if known.map_err(|_| ImportFailed::Panicked)?? {
            return Ok(*importer);
        }
    }
    Err(ImportFailed::NotAnExport)
}

/// An item with its key, which costs a hash and is made where there is time for it.
pub(super) enum Keyed {
    /// With its metadata as JSON.
    Sample(Sample, Key, Option<String>),
    Returning {
        sample: Box<Sample>,
        key: Key,
        /// That of the id that it bears, if that id is of this key.
        ordinal: Option<u32>,
        origin: Arc<str>,
        line: u64,
    },
    Workout(Box<Workout>, Key),
    Correlation(Box<Correlation>, Key, Vec<Key>),
    Document(Box<Document>, Key),
    Exported(i64),
    Uncovered(Noun),
    Skipped {
        line: u64,
        count: u64,
        reason: Cow<'static, str>,
    },
    /// It was taken out.
    Taken,
}

/// In whose name keys are made.
pub(super) struct Keying {
    pub(super) keys: Keys,
    /// Records that name an origin keep it.
    pub(super) keep_origins: bool,
}

impl Keyed {
    pub(super) fn new(keying: &mut Keying, item: Item) -> Self {
        let keep_origins = keying.keep_origins;
        let keys = &mut keying.keys;
        let origin = keys.origin();
        let origin = &*origin;
        match item {
            Item::Sample(sample) => {
                let key = keys.of_sample(&sample);
                let metadata = sample.metadata.to_json();
                Self::Sample(sample, key, metadata)
            }
            Item::Returning(row) => {
                let Returning {
                    sample,
                    origin,
                    id,
                    line,
                } = *row;
                let origin = if keep_origins { origin } else { keys.origin() };
                let key = Key::of_sample(&origin, &sample);
                Self::Returning {
                    sample: Box::new(sample),
                    key,
                    ordinal: id
                        .filter(|id| Key::of_id(*id) == key)
                        .map(identity::ordinal)
                        .filter(|ordinal| *ordinal < ORDINALS),
                    origin,
                    line,
                }
            }
            Item::Workout(workout) => {
                let key = Key::of_workout(origin, &workout);
                Self::Workout(workout, key)
            }
            Item::Correlation(correlation) => {
                let key = Key::of_correlation(origin, &correlation);
                let members = &correlation.members;
                let members = members
                    .iter()
                    .map(|sample| keys.of_sample(sample))
                    .collect();
                Self::Correlation(correlation, key, members)
            }
            Item::Document(document) => {
                let key = Key::of_document(origin, &document);
                Self::Document(document, key)
            }
            Item::Exported(at_ms) => Self::Exported(at_ms),
            Item::Uncovered(noun) => Self::Uncovered(noun),
            Item::Skipped {
                line,
                count,
                reason,
            } => Self::Skipped {
                line,
                count,
                reason,
            },
        }
    }
}

/// Ordinals that a file may give to its records: one beyond these would leave none for the next
/// record of its key.
const ORDINALS: u32 = 1 << 14;

const BATCH: usize = 256;
const BATCHES_WAITING: usize = 8;

/// A batch of few, but heavy items is full, too (bytes, roughly).
const WEIGHT: usize = 1 << 20;

/// Bytes of one small part, roughly.
const PART: usize = 500;

fn weight(item: &Item) -> usize {
    let parts = |statistics: &[Statistic], events: &[Event]| {
        let events = events.iter().map(|event| PART + of(&event.metadata));
        statistics.len() * PART + events.sum::<usize>()
    };
    match item {
        Item::Sample(sample) => of(&sample.metadata),
        Item::Returning(row) => of(&row.sample.metadata),
        Item::Workout(workout) => {
            let activities = workout.activities.iter();
            let activities =
                activities.map(|it| PART + of(&it.metadata) + parts(&it.statistics, &it.events));
            of(&workout.metadata)
                + parts(&workout.statistics, &workout.events)
                + activities.sum::<usize>()
        }
        Item::Correlation(correlation) => {
            let members = correlation.members.iter();
            of(&correlation.metadata)
                + members
                    .map(|member| PART + of(&member.metadata))
                    .sum::<usize>()
        }
        Item::Document(document) => {
            let series = document.series.as_ref().map_or(0, Series::size);
            of(&document.metadata) + document.body.size() + series
        }
        Item::Exported(_) | Item::Uncovered(_) | Item::Skipped { .. } => 0,
    }
}

fn of(metadata: &Metadata) -> usize {
    let entries = metadata.entries.iter();
    entries
        .map(|(key, value)| key.len() + value.len())
        .sum::<usize>()
        + metadata.beats.len() * PART
}

/// Reads in a thread of its own; `take` writes here.
///
/// What was written goes back and is freed where it was made: memory and counters of references then
/// stay with one core.
pub(super) fn run(
    mut keying: Keying,
    read: impl FnOnce(&mut Sink<'_>) -> Result<(), ReadError> + Send,
    mut take: impl FnMut(&mut [Keyed]) -> Result<(), StoreError>,
) -> Result<(), ImportFailed> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(BATCHES_WAITING);
        let (used, free) = channel();
        let reading = scope.spawn(move || send(&mut keying, read, &sender, &free));
        let written = write(&receiver, &used, &mut take);
        // A reader that still sends gets to know that nobody listens.
        drop(receiver);
        let read = reading.join();
        written?;
        match read {
            Ok(result) => Ok(result?),
            Err(_) => Err(ImportFailed::Panicked),
        }
    })
}

fn send(
    keying: &mut Keying,
    read: impl FnOnce(&mut Sink<'_>) -> Result<(), ReadError>,
    sender: &SyncSender<Vec<Keyed>>,
    free: &Receiver<Vec<Keyed>>,
) -> Result<(), ReadError> {
    let mut batch = Vec::with_capacity(BATCH);
    let mut weight = 0;
    let result = read(&mut |item| {
        weight += self::weight(&item);
        batch.push(Keyed::new(keying, item));
        if batch.len() < BATCH && weight < WEIGHT {
            return Ok(());
        }
        weight = 0;
        let mut next = free
            .try_recv()
            .unwrap_or_else(|_| Vec::with_capacity(BATCH));
        next.clear();
        let full = std::mem::replace(&mut batch, next);
        sender.send(full).map_err(|_| Stopped)
    });
    // What came before an error counts, too: it may be kept.
    sender.send(batch).map_err(|_| ReadError::Stopped)?;
    result
}

fn write(
    receiver: &Receiver<Vec<Keyed>>,
    used: &Sender<Vec<Keyed>>,
    take: &mut impl FnMut(&mut [Keyed]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for mut batch in receiver {
        take(&mut batch)?;
        // The reader may be through already.
        drop(used.send(batch));
    }
    Ok(())
}

/// Knows how far the file was read.
pub(super) struct Counting<'a> {
    pub(super) source: &'a mut dyn Source,
    pub(super) position: &'a AtomicU64,
}

impl Read for Counting<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(target)?;
        self.position
            .fetch_add(u64::try_from(read).unwrap_or_default(), Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Counting<'_> {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let position = self.source.seek(target)?;
        self.position.store(position, Ordering::Relaxed);
        Ok(position)
    }
}

/// Knows how much of a folder's files was read.
pub(super) struct CountingFolder<'a> {
    pub(super) folder: &'a mut dyn Folder,
    pub(super) position: &'a AtomicU64,
}

impl Folder for CountingFolder<'_> {
    fn entries(&mut self) -> Result<Vec<Entry>, ReadError> {
        self.folder.entries()
    }

    fn open(&mut self, index: usize) -> Result<Box<dyn Read + Send + '_>, ReadError> {
        let position = self.position;
        let file = self.folder.open(index)?;
        Ok(Box::new(CountingFile { file, position }))
    }
}

struct CountingFile<'a> {
    file: Box<dyn Read + Send + 'a>,
    position: &'a AtomicU64,
}

impl Read for CountingFile<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(target)?;
        self.position
            .fetch_add(u64::try_from(read).unwrap_or_default(), Ordering::Relaxed);
        Ok(read)
    }
}
