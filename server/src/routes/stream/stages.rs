//! Reading and encoding at the same time.

use std::{
    mem,
    ops::ControlFlow,
    sync::mpsc::{SyncSender, sync_channel},
    thread::{self, Builder, Scope, ScopedJoinHandle},
};

use healthsync_core::{
    batch::SampleBatch,
    format::{Encoder, End},
    query::Query,
    store::Store,
};

use super::{Broken, Outlet};

/// Sends the samples of a query.
pub(super) fn write(
    store: &Store,
    query: &Query,
    encoder: &mut dyn Encoder,
    outlet: &mut Outlet,
) -> Result<(), Broken> {
    let mut out = Vec::new();
    encoder.start(&mut out)?;
    let mut encoding = Encoding {
        encoder,
        outlet,
        out,
    };
    let scanned = thread::scope(|scope| {
        let mut stage = Stage::First(&mut encoding);
        let scanned = store.scan(query, &mut |batch| {
            let (next, flow) = mem::replace(&mut stage, Stage::Ended(Ok(()))).take(scope, batch);
            stage = next;
            flow
        });
        stage.end()?;
        scanned.map_err(Broken::from)
    })?;
    let next_cursor = scanned.next_cursor.map(|cursor| cursor.to_string());
    let end = End {
        count: scanned.count,
        has_more: next_cursor.is_some(),
        next_cursor,
    };
    encoding.encoder.finish(&end, &mut encoding.out)?;
    encoding.outlet.finish(encoding.out)
}

/// What makes bytes of batches, and the way out.
struct Encoding<'a> {
    encoder: &'a mut dyn Encoder,
    outlet: &'a mut Outlet,
    out: Vec<u8>,
}

impl Encoding<'_> {
    fn batch(&mut self, batch: &SampleBatch) -> Result<(), Broken> {
        self.outlet.add(batch.len());
        self.encoder.batch(batch, &mut self.out)?;
        self.outlet.send_full(&mut self.out)
    }
}

/// Batches that wait for the encoder beside the one that is being read: none, as each may hold megabytes.
const BATCHES: usize = 0;

/// Who encodes: an answer of one batch is encoded by the thread that reads, a longer one by a thread of
/// its own, while the next batch is read.
enum Stage<'scope, 'a> {
    /// Nothing was read yet.
    First(&'scope mut Encoding<'a>),
    /// One batch was.
    Second(&'scope mut Encoding<'a>),
    /// There is a thread.
    Apart(
        SyncSender<SampleBatch>,
        ScopedJoinHandle<'scope, Result<(), Broken>>,
    ),
    /// It broke off.
    Ended(Result<(), Broken>),
}

impl<'scope, 'a: 'scope> Stage<'scope, 'a> {
    fn take<'env: 'scope>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        batch: SampleBatch,
    ) -> (Self, ControlFlow<()>) {
        match self {
            Self::First(encoding) => match encoding.batch(&batch) {
                Ok(()) => (Self::Second(encoding), ControlFlow::Continue(())),
                Err(broken) => (Self::Ended(Err(broken)), ControlFlow::Break(())),
            },
            Self::Second(encoding) => {
                let (sender, batches) = sync_channel::<SampleBatch>(BATCHES);
                let encode = move || {
                    batches
                        .into_iter()
                        .try_for_each(|batch| encoding.batch(&batch))
                };
                match Builder::new().spawn_scoped(scope, encode) {
                    Ok(thread) => Self::Apart(sender, thread).take(scope, batch),
                    Err(_) => (Self::Ended(Err(Broken::Thread)), ControlFlow::Break(())),
                }
            }
            Self::Apart(sender, thread) => match sender.send(batch) {
                Ok(()) => (Self::Apart(sender, thread), ControlFlow::Continue(())),
                // It has ended, and says why.
                Err(_) => (Self::Apart(sender, thread), ControlFlow::Break(())),
            },
            Self::Ended(ended) => (Self::Ended(ended), ControlFlow::Break(())),
        }
    }

    /// Waits until all is encoded.
    fn end(self) -> Result<(), Broken> {
        match self {
            Self::First(_) | Self::Second(_) => Ok(()),
            Self::Apart(sender, thread) => {
                drop(sender);
                thread.join().unwrap_or(Err(Broken::Thread))
            }
            Self::Ended(ended) => ended,
        }
    }
}
