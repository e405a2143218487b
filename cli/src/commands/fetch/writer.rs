//! Two threads between the network and the output: one reads batches, one writes them. A writer that has little
//! to do, because it writes what travels, reads every other batch itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use healthsync_core::{
    api::Code,
    batch::SampleBatch,
    format::{ArrowDecoder, ArrowMessage, ArrowMessages, End},
};
use indicatif::ProgressBar;
use tokio::sync::mpsc;

use super::sink::{LeftOut, Sink, told};
use crate::error::CliError;

/// Batches that wait to be written: with more of them the processor's caches hold none.
const AHEAD: usize = 2;
/// The same where the writer reads every other batch, and bytes are steps of their own: about 24 batches, half of
/// them read. Whoever waits for a core is not waited for at once.
const AHEAD_OF_BYTES: usize = 48;
/// Bytes of messages that wait for the writer's next batch.
const MOST_WAITING: usize = 1 << 20;
/// Memory of the batches that were read and wait to be written; the writer reads the others.
const MOST_READ: usize = 16 << 20;

/// What goes to the thread that reads. A channel that closes without an end was broken off.
pub(super) enum Piece {
    Bytes(bytes::Bytes),
    End,
}

/// What goes to the thread that writes. The same holds of its channel.
enum Step {
    /// And its memory, bytes.
    Batch(SampleBatch, usize),
    /// The bytes that the next batches come from.
    Bytes(bytes::Bytes),
    /// Messages for the writer to read: a batch, and what is no batch since the last one.
    Messages(Vec<ArrowMessage>),
    End,
}

/// Reads batches and writes them; owns the output, which is gone unless the end was seen.
pub(super) struct Writer {
    sink: Sink,
    end: End,
    progress: ProgressBar,
    is_left: Arc<AtomicBool>,
}

/// Whoever waits for the writer. Dropped before the end, it leaves what waits to be written unwritten.
pub(super) struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Writer {
    pub(super) fn new(sink: Sink, end: End, progress: ProgressBar) -> (Self, Waiting) {
        let is_left = Arc::new(AtomicBool::new(false));
        let waiting = Waiting(Arc::clone(&is_left));
        let writer = Self {
            sink,
            end,
            progress,
            is_left,
        };
        (writer, waiting)
    }

    /// Takes the pieces of an answer until its end.
    pub(super) fn run(self, pieces: mpsc::Receiver<Piece>) -> Result<(End, LeftOut), CliError> {
        let takes_bytes = self.sink.takes_bytes();
        let (steps, ready) = sync_channel(if takes_bytes { AHEAD_OF_BYTES } else { AHEAD });
        let is_read = AtomicUsize::new(0);
        let is_read = &is_read;
        thread::scope(|scope| {
            let failed = |why: &str| CliError::new(Code::Internal, why.to_owned());
            let writing = thread::Builder::new()
                .spawn_scoped(scope, move || self.write(&ready, is_read))
                .map_err(|error| failed("the system gives no threads").because(error))?;
            let read = read(pieces, &steps, takes_bytes, is_read);
            drop(steps);
            let written = writing
                .join()
                .unwrap_or_else(|_| Err(failed("the writer failed")));
            // Why there was nothing to write counts before that there was nothing.
            read.and(written)
        })
    }

    fn write(
        mut self,
        steps: &Receiver<Step>,
        is_read: &AtomicUsize,
    ) -> Result<(End, LeftOut), CliError> {
        let mut decoder = ArrowDecoder::default();
        for step in steps {
            if self.is_left.load(Ordering::Relaxed) {
                break;
            }
            match step {
                Step::Batch(batch, size) => {
                    self.add(&batch)?;
                    drop(batch);
                    is_read.fetch_sub(size, Ordering::Relaxed);
                }
                Step::Messages(messages) => {
                    for message in messages {
                        for batch in decoder.decode(&message).map_err(told)? {
                            self.add(&batch)?;
                        }
                    }
                }
                Step::Bytes(bytes) => self.sink.bytes(&bytes)?,
                Step::End => {
                    let left_out = self.sink.finish(&self.end)?;
                    return Ok((self.end, left_out));
                }
            }
        }
        Err(cut_off())
    }

    fn add(&mut self, batch: &SampleBatch) -> Result<(), CliError> {
        self.sink.add(batch)?;
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.end.count = self.end.count.saturating_add(count);
        self.progress.set_position(self.end.count);
        Ok(())
    }
}

/// Reads batches. When the other thread gives up it says why, so that is no error here.
fn read(
    mut pieces: mpsc::Receiver<Piece>,
    steps: &SyncSender<Step>,
    takes_bytes: bool,
    is_read: &AtomicUsize,
) -> Result<(), CliError> {
    let mut messages = ArrowMessages::<SampleBatch>::default();
    let mut decoder = ArrowDecoder::<SampleBatch>::default();
    // What the writer has to read, if it does: every other batch, and all that is none.
    let (mut theirs, mut is_theirs, mut waiting) = (Vec::new(), false, 0);
    loop {
        let bytes = match pieces.blocking_recv() {
            None => return Err(cut_off()),
            Some(Piece::Bytes(bytes)) => bytes,
            Some(Piece::End) => break,
        };
        let whole = messages.push(bytes.clone()).map_err(told)?;
        if takes_bytes && steps.send(Step::Bytes(bytes)).is_err() {
            return Ok(());
        }
        for message in whole {
            let is_much = is_read.load(Ordering::Relaxed) > MOST_READ;
            let for_writer = takes_bytes && (!message.is_batch || is_theirs || is_much);
            if for_writer {
                waiting += message.size();
                theirs.push(message.clone());
            }
            let was_theirs = message.is_batch && for_writer;
            if message.is_batch {
                is_theirs = takes_bytes && !was_theirs;
            }
            if was_theirs || waiting > MOST_WAITING {
                waiting = 0;
                let step = Step::Messages(std::mem::take(&mut theirs));
                if steps.send(step).is_err() {
                    return Ok(());
                }
            }
            if was_theirs {
                continue;
            }
            for batch in decoder.decode(&message).map_err(told)? {
                let size = batch.columns().get_array_memory_size();
                is_read.fetch_add(size, Ordering::Relaxed);
                if steps.send(Step::Batch(batch, size)).is_err() {
                    return Ok(());
                }
            }
        }
    }
    messages.finish().map_err(told)?;
    for step in [Step::Messages(theirs), Step::End] {
        if steps.send(step).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn cut_off() -> CliError {
    CliError::new(Code::AnswerDamaged, "the answer was cut off")
}

#[cfg(test)]
mod tests;
