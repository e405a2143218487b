//! A stream that knows when hyper has nothing under way on it.
//!
//! Between two requests hyper keeps 16 KiB of buffers for a connection of HTTP/1.1. It does not say
//! when it has answered all that it read, but its stream can tell: everything written was flushed, and
//! hyper waits for something to read. Then the connection can be taken out of hyper without a loss.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whether there is a lull after something was written, as the stream saw it last. The beginning of a
/// request is no lull: it would be read again and again.
#[derive(Clone, Debug, Default)]
pub struct Lull(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Something was written, and nothing since the last flush that came to its end.
    is_flushed: AtomicBool,
    was_written: AtomicBool,
    /// The last read found nothing.
    is_waiting: AtomicBool,
    /// The stream is being ended.
    is_ending: AtomicBool,
}

impl Lull {
    /// Nothing is left to be written, and nothing came that could be read.
    pub fn is_there(&self) -> bool {
        let is = |what: &AtomicBool| what.load(Ordering::Relaxed);
        is(&self.0.is_flushed) && is(&self.0.is_waiting) && !is(&self.0.is_ending)
    }

    fn writes(&self) {
        self.0.was_written.store(true, Ordering::Relaxed);
        self.0.is_flushed.store(false, Ordering::Relaxed);
    }
}

/// A stream that is watched for lulls, and begins with bytes that were read before.
#[derive(Debug)]
pub struct Observed<S> {
    stream: S,
    ahead: Bytes,
    lull: Lull,
}

impl<S> Observed<S> {
    /// `ahead` is read before anything of `stream`.
    pub fn new(stream: S, ahead: Bytes) -> Self {
        Self {
            stream,
            ahead,
            lull: Lull::default(),
        }
    }

    /// What the stream sees, for whoever does not hold it.
    pub fn lull(&self) -> Lull {
        self.lull.clone()
    }

    /// The stream, and what was to be read before it.
    pub fn into_parts(self) -> (S, Bytes) {
        (self.stream, self.ahead)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = if self.ahead.is_empty() {
            Pin::new(&mut self.stream).poll_read(context, buffer)
        } else {
            let count = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(count));
            Poll::Ready(Ok(()))
        };
        let is_waiting = read.is_pending();
        self.lull.0.is_waiting.store(is_waiting, Ordering::Relaxed);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.lull.writes();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.lull.writes();
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        let is_flushed = matches!(flushed, Poll::Ready(Ok(())))
            && self.lull.0.was_written.load(Ordering::Relaxed);
        self.lull.0.is_flushed.store(is_flushed, Ordering::Relaxed);
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lull.0.is_ending.store(true, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// Reads into one byte, without waiting for it.
    async fn look<S: AsyncRead + Unpin>(stream: &mut S) -> Option<u8> {
        let mut byte = [0; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        let read =
            poll_fn(|context| Poll::Ready(Pin::new(&mut *stream).poll_read(context, &mut buffer)));
        read.await.is_ready().then_some(byte[0])
    }

    #[tokio::test]
    async fn a_lull_is_no_reading_and_no_writing() {
        let (near, mut far) = duplex(16);
        let mut stream = Observed::new(near, Bytes::from_static(b"ab"));
        let lull = stream.lull();
        stream.flush().await.unwrap();
        assert!(!lull.is_there(), "nobody has tried to read");
        assert_eq!(look(&mut stream).await, Some(b'a'));
        assert_eq!(look(&mut stream).await, Some(b'b'));
        assert!(!lull.is_there(), "there may be more");
        assert_eq!(look(&mut stream).await, None);
        stream.flush().await.unwrap();
        assert!(!lull.is_there(), "nothing was written yet");
        stream.write_all(b"c").await.unwrap();
        assert!(!lull.is_there(), "something may be on its way out");
        stream.flush().await.unwrap();
        assert!(lull.is_there());
        far.write_all(b"d").await.unwrap();
        assert_eq!(look(&mut stream).await, Some(b'd'));
        assert!(!lull.is_there());
        assert_eq!(look(&mut stream).await, None);
        let mut rest = vec![0; 1];
        far.read_exact(&mut rest).await.unwrap();
        assert_eq!(rest, b"c");
        assert!(lull.is_there());
        stream.shutdown().await.unwrap();
        assert!(!lull.is_there(), "what ends does not rest");
        assert_eq!(stream.into_parts().1, Bytes::new());
    }
}
