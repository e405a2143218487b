//! A stream that withholds what hyper answers by itself.
//!
//! A request that hyper cannot read never reaches the gate: hyper answers with a bare status and
//! closes. That answer is taken off the wire here, so that [`crate::connection`] can give one that
//! says what was wrong.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// More than hyper's own answer ever has.
const LONGEST: usize = 256;

/// The stream of a connection that speaks HTTP/1.1.
#[derive(Debug)]
pub struct Withheld<S> {
    stream: S,
    status: Option<u16>,
}

impl<S> Withheld<S> {
    /// Watches over what is written to `stream`.
    pub const fn new(stream: S) -> Self {
        Self {
            stream,
            status: None,
        }
    }

    /// The stream, still open, and the status of the answer that was withheld.
    pub fn into_parts(self) -> (S, Option<u16>) {
        (self.stream, self.status)
    }
}

/// The status of an answer that is hyper's own: a refusal without a body, and without the header
/// fields that the gate gives to every answer.
fn bare_refusal(bytes: &[u8]) -> Option<u16> {
    if bytes.len() > LONGEST {
        return None;
    }
    let head = std::str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    let status = status.parse().ok()?;
    let is_bare = lines.all(|line| {
        line == "content-length: 0" || line == "connection: close" || line.starts_with("date: ")
    });
    (is_bare && matches!(status, 400 | 414 | 431)).then_some(status)
}

impl<S: AsyncRead + Unpin> AsyncRead for Withheld<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Withheld<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(status) = bare_refusal(bytes) {
            self.status = Some(status);
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [only] = parts {
            return self.poll_write(context, only);
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The answer that takes the place of the withheld one is still to come.
        if self.status.is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_refusals_are_withheld() {
        let date = "date: Sun, 22 Nov 2026 19:02:57 GMT";
        for (answer, expected) in [
            (
                format!(
                    "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n{date}\r\n\r\n"
                ),
                Some(400),
            ),
            (
                format!(
                    "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n{date}\r\n\r\n"
                ),
                Some(431),
            ),
            (
                format!("HTTP/1.1 400 Bad Request\r\nhealthsync-request-id: 1\r\n{date}\r\n\r\n"),
                None,
            ),
            (format!("HTTP/1.1 200 OK\r\n{date}\r\n\r\n"), None),
            (
                format!("HTTP/1.1 400 Bad Request\r\n{date}\r\n\r\n{{}}"),
                None,
            ),
            ("HTTP/1.1 400".to_owned(), None),
            ("\r\n\r\n".to_owned(), None),
            ("x".repeat(10_000), None),
        ] {
            assert_eq!(bare_refusal(answer.as_bytes()), expected, "{answer:.60}");
        }
    }
}
