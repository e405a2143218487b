//! Two threads between the network and the output: one reads batches, one writes them.

use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use healthsync_core::{
    api::Code,
    batch::SampleBatch,
    format::{ArrowStream, End},
};
use indicatif::ProgressBar;
use tokio::sync::mpsc;

use super::sink::{LeftOut, Sink, told};
use crate::error::CliError;

/// Batches that wait to be written.
const AHEAD: usize = 2;

/// What goes to the thread that reads. A channel that closes without an end was broken off.
pub(super) enum Piece {
    Bytes(bytes::Bytes),
    End,
}

/// What goes to the thread that writes. The same holds of its channel.
enum Step {
    Batch(SampleBatch),
    /// The bytes that the next batches come from.
    Bytes(bytes::Bytes),
    End,
}

/// Reads batches and writes them; owns the output, which is gone unless the end was seen.
pub(super) struct Writer {
    sink: Sink,
    end: End,
    progress: ProgressBar,
}

impl Writer {
    pub(super) fn new(sink: Sink, end: End, progress: ProgressBar) -> Self {
        Self {
            sink,
            end,
            progress,
        }
    }

    /// Takes the pieces of an answer until its end.
    pub(super) fn run(self, pieces: mpsc::Receiver<Piece>) -> Result<(End, LeftOut), CliError> {
        let (steps, ready) = sync_channel(AHEAD);
        let takes_bytes = self.sink.takes_bytes();
        thread::scope(|scope| {
            let failed = |why: &str| CliError::new(Code::Internal, why.to_owned());
            let writing = thread::Builder::new()
                .spawn_scoped(scope, move || self.write(&ready))
                .map_err(|error| failed("the system gives no threads").because(error))?;
            let read = read(pieces, &steps, takes_bytes);
            drop(steps);
            let written = writing
                .join()
                .unwrap_or_else(|_| Err(failed("the writer failed")));
            // Why there was nothing to write counts before that there was nothing.
            read.and(written)
        })
    }

    fn write(mut self, steps: &Receiver<Step>) -> Result<(End, LeftOut), CliError> {
        for step in steps {
            match step {
                Step::Batch(batch) => {
                    self.sink.add(&batch)?;
                    let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
                    self.end.count = self.end.count.saturating_add(count);
                    self.progress.set_position(self.end.count);
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
}

/// Reads batches. When the other thread gives up it says why, so that is no error here.
fn read(
    mut pieces: mpsc::Receiver<Piece>,
    steps: &SyncSender<Step>,
    takes_bytes: bool,
) -> Result<(), CliError> {
    let mut stream = ArrowStream::default();
    loop {
        match pieces.blocking_recv() {
            None => return Err(cut_off()),
            Some(Piece::Bytes(bytes)) => {
                let batches = stream.push(&bytes).map_err(told)?;
                if takes_bytes && steps.send(Step::Bytes(bytes)).is_err() {
                    return Ok(());
                }
                for batch in batches {
                    if steps.send(Step::Batch(batch)).is_err() {
                        return Ok(());
                    }
                }
            }
            Some(Piece::End) => break,
        }
    }
    stream.finish().map_err(told)?;
    // The same.
    drop(steps.send(Step::End));
    Ok(())
}

fn cut_off() -> CliError {
    CliError::new(Code::AnswerDamaged, "the answer was cut off")
}
