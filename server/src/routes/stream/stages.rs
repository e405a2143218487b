//! Reading and encoding at the same time.

use std::{
    mem,
    ops::ControlFlow,
    sync::mpsc::{SyncSender, sync_channel},
    thread::{self, Builder, Scope, ScopedJoinHandle},
};

use healthsync_core::{
    format::{Encoder, End},
    query::Query,
    store::{Packs, Piece, Scanned, Store},
};

use super::{Broken, Outlet};

/// Sends the samples of a query, those that are packed as they are.
pub(super) fn write(
    store: &Store,
    packs: Option<&Packs>,
    query: &Query,
    encoder: &mut dyn Encoder,
    outlet: &mut Outlet,
) -> Result<Scanned, Broken> {
    let mut out = Vec::new();
    encoder.start(&mut out)?;
    let mut encoding = Encoding {
        encoder,
        outlet,
        out,
    };
    let scanned = thread::scope(|scope| {
        let mut stage = Stage::First(&mut encoding);
        let scanned = store.scan_packed(query, packs, &mut |piece| {
            let (next, flow) = mem::replace(&mut stage, Stage::Ended(Ok(()))).take(scope, piece);
            stage = next;
            flow
        });
        stage.end()?;
        scanned.map_err(Broken::from)
    })?;
    let next_cursor = scanned.next_cursor.as_ref().map(ToString::to_string);
    let end = End {
        count: scanned.count,
        has_more: next_cursor.is_some(),
        next_cursor,
    };
    encoding.encoder.finish(&end, &mut encoding.out)?;
    encoding.outlet.finish(encoding.out)?;
    Ok(scanned)
}

/// What makes bytes of batches, and the way out.
struct Encoding<'a> {
    encoder: &'a mut dyn Encoder,
    outlet: &'a mut Outlet,
    out: Vec<u8>,
}

impl Encoding<'_> {
    fn piece(&mut self, piece: Piece) -> Result<(), Broken> {
        match piece {
            Piece::Rows { batch, .. } => {
                self.outlet.add(batch.len());
                self.encoder.batch(&batch, &mut self.out)?;
            }
            Piece::Packed { rows, messages } => {
                self.outlet.add(usize::try_from(rows).unwrap_or(usize::MAX));
                self.encoder.packed(messages, &mut self.out)?;
            }
        }
        self.outlet.send_full(&mut self.out)
    }
}

/// Pieces that wait for the encoder beside the one that is being read: none, as each may hold megabytes.
const PIECES: usize = 0;

/// Who encodes: an answer of one batch is encoded by the thread that reads, a longer one by a thread of
/// its own, while the next batch is read.
enum Stage<'scope, 'a> {
    /// Nothing was read yet.
    First(&'scope mut Encoding<'a>),
    /// One batch was.
    Second(&'scope mut Encoding<'a>),
    /// There is a thread.
    Apart(
        SyncSender<Piece>,
        ScopedJoinHandle<'scope, Result<(), Broken>>,
    ),
    /// It broke off.
    Ended(Result<(), Broken>),
}

impl<'scope, 'a: 'scope> Stage<'scope, 'a> {
    fn take<'env: 'scope>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        piece: Piece,
    ) -> (Self, ControlFlow<()>) {
        match self {
            Self::First(encoding) => match encoding.piece(piece) {
                Ok(()) => (Self::Second(encoding), ControlFlow::Continue(())),
                Err(broken) => (Self::Ended(Err(broken)), ControlFlow::Break(())),
            },
            Self::Second(encoding) => {
                let (sender, pieces) = sync_channel::<Piece>(PIECES);
                let encode = move || {
                    pieces
                        .into_iter()
                        .try_for_each(|piece| encoding.piece(piece))
                };
                match Builder::new().spawn_scoped(scope, encode) {
                    Ok(thread) => Self::Apart(sender, thread).take(scope, piece),
                    Err(_) => (Self::Ended(Err(Broken::Thread)), ControlFlow::Break(())),
                }
            }
            Self::Apart(sender, thread) => match sender.send(piece) {
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
