//! A stream that tells what goes by in the clear, and remembers how the peer began to speak.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    hello::{Plain, spoken},
    trace::Trace,
};

/// How much of the peer's first words is kept.
const FIRST: usize = 16;

/// The stream below TLS.
#[derive(Debug)]
pub struct Recording<S> {
    inner: S,
    trace: Trace,
    sent: Plain,
    received: Plain,
    first: Vec<u8>,
}

impl<S> Recording<S> {
    pub(crate) fn new(inner: S, trace: Trace) -> Self {
        Self {
            inner,
            trace,
            sent: Plain::new("sent"),
            received: Plain::new("received"),
            first: Vec::new(),
        }
    }

    /// What speaks there, if its first bytes are known and are not TLS.
    pub(super) fn spoken(&self) -> Option<&'static str> {
        spoken(&self.first)
    }

    /// Whether the peer has sent anything at all.
    pub(super) fn has_heard(&self) -> bool {
        !self.first.is_empty()
    }

    fn saw(&mut self, received: bool, bytes: &[u8]) {
        if received && self.first.len() < FIRST {
            let missing = FIRST - self.first.len();
            self.first.extend(bytes.iter().take(missing));
        }
        if self.trace.is_on() {
            let plain = if received {
                &mut self.received
            } else {
                &mut self.sent
            };
            for (name, facts) in plain.push(bytes) {
                self.trace.tell(name, || facts);
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Recording<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let new = buffer.filled().get(before..).unwrap_or_default();
        self.saw(true, new);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Recording<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(context, bytes))?;
        self.saw(false, bytes.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(context, slices))?;
        let mut left = written;
        for slice in slices {
            let count = left.min(slice.len());
            self.saw(false, slice.get(..count).unwrap_or_default());
            left -= count;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
