//! One authenticated connection: who came, what for, and whether an answer is under way.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::{Body, Bytes, HttpBody};
use healthsync_pairing::trust::Peer;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// The data, and all that concerns the pair.
    Data,
    /// A certificate in the place of one that has run out.
    Renewal,
}

/// One authenticated connection.
#[derive(Debug)]
pub struct Guest {
    /// Who.
    pub peer: Peer,
    /// For what.
    pub errand: Errand,
    /// What binds a renewal to this connection (RFC 8446, section 7.5).
    pub exporter: [u8; 32],
    /// The peer revoked itself: its answer may still leave.
    pub says_farewell: AtomicBool,
    in_flight: AtomicUsize,
    /// The last request had a body, of which a part may not have come yet.
    had_body: AtomicBool,
    last_progress: Mutex<Option<Instant>>,
}

impl Guest {
    /// A connection that has asked nothing yet.
    pub fn new(peer: Peer, errand: Errand, exporter: [u8; 32]) -> Arc<Self> {
        Arc::new(Self {
            peer,
            errand,
            exporter,
            says_farewell: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            had_body: AtomicBool::new(false),
            last_progress: Mutex::default(),
        })
    }

    /// Whether an answer is under way.
    pub fn is_busy(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0
    }

    /// Something was asked, all that was asked is answered, and what comes next is a request. Behind a
    /// request with a body, which may be answered before all of it came, only the one who reads it knows
    /// that.
    pub fn is_between_requests(&self) -> bool {
        !self.is_busy() && self.last_progress().is_some() && !self.had_body.load(Ordering::Relaxed)
    }

    /// When a request came, or a part of an answer left; `None` before the first request.
    pub fn last_progress(&self) -> Option<Instant> {
        *self.progressed()
    }

    /// A request begins, which has a body or not.
    pub fn asks(self: &Arc<Self>, has_body: bool) -> InFlight {
        self.had_body.store(has_body, Ordering::Relaxed);
        InFlight::new(self)
    }

    fn progress(&self) {
        *self.progressed() = Some(Instant::now());
    }

    fn progressed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.last_progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way, until the last byte of its answer.
#[derive(Debug)]
pub struct InFlight(Arc<Guest>);

impl InFlight {
    fn new(guest: &Arc<Guest>) -> Self {
        guest.in_flight.fetch_add(1, Ordering::Relaxed);
        guest.progress();
        Self(Arc::clone(guest))
    }

    /// Until the last byte of this body has left.
    pub const fn until_sent(self, body: Body) -> Watched {
        Watched {
            body,
            in_flight: self,
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.progress();
    }
}

/// The body of an answer, watched.
#[derive(Debug)]
pub struct Watched {
    body: Body,
    in_flight: InFlight,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_ready() {
            self.in_flight.0.progress();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
