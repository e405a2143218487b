//! HTTP/1.1 on one connection of a paired device.
//!
//! While nothing is under way the connection rests outside hyper, which would keep its buffers, and
//! goes back to it with the next byte.

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use axum::{body::Bytes, response::Response};
use healthsync_core::api::Code;
use healthsync_pairing::trust::Peer;
use hyper::{Request, body::Incoming, server::conn::http1, service::Service};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    time::timeout,
};

use crate::{
    app::App,
    connection::{End, LAST_WORD, Leaves, Watch},
    gate,
    guest::Watched,
    lull::Observed,
    refusal::ApiError,
    withheld::Withheld,
};

/// A field or two more than any honest client sends.
const HEADERS: usize = 64;
/// What a peer may still send after the answer that refuses its request.
const UNREAD_BYTES: u64 = 1024 * 1024;

/// Serves requests until the connection ends.
pub async fn converse<S, Handler>(watch: &mut Watch<'_>, mut stream: S, mut service: Handler) -> End
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    Handler: Service<Request<Incoming>, Response = Response<Watched>, Error = Infallible> + Unpin,
    Handler::Future: Send + 'static,
{
    let limits = watch.limits;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_headers(HEADERS)
        .max_header_size(usize::try_from(limits.header_bytes).unwrap_or(usize::MAX));
    let mut ahead = Bytes::new();
    loop {
        let observed = Observed::new(stream, ahead);
        let lull = observed.lull();
        let io = TokioIo::new(Withheld::new(observed));
        let mut connection = Box::new(builder.serve_connection(io, service));
        let guest = watch.guest;
        let working = UntilLull {
            connection: &mut *connection,
            is_lull: || lull.is_there() && guest.is_between_requests(),
        };
        let ended = watch.until_end(pin!(working)).await;
        let parts = connection.into_parts();
        let (observed, withheld) = parts.io.into_inner().into_parts();
        let unread;
        (stream, unread) = observed.into_parts();
        match ended {
            Ok(Some(Ok(()))) => return End::Closed(Ok(())),
            Ok(Some(Err(error))) => {
                // Who sent nothing has asked nothing: a connection at rest just ends.
                let is_slow = error.is_timeout() && !parts.read_buf.is_empty();
                if withheld.is_some() || is_slow {
                    // In a box: a connection at rest would keep the room for it.
                    Box::pin(refuse(watch.app, &watch.guest.peer, stream, &error)).await;
                }
                return End::Closed(Err(error));
            }
            Err(reason) => return End::Cut(reason),
            Ok(None) => {}
        }
        service = parts.service;
        // Nothing of hyper's buffers is kept while the connection rests, not even an empty one.
        ahead = joined(parts.read_buf, unread);
        if ahead.is_empty() {
            match rest(watch, &mut stream).await {
                Ok(Some(byte)) => ahead = Bytes::copy_from_slice(&[byte]),
                Ok(None) => return End::Closed(Ok(())),
                Err(reason) => return End::Cut(reason),
            }
        }
    }
}

/// The bytes of both, in this order.
fn joined(first: Bytes, second: Bytes) -> Bytes {
    match (first.is_empty(), second.is_empty()) {
        (true, true) => Bytes::new(),
        (false, true) => first,
        (true, false) => second,
        (false, false) => [first, second].concat().into(),
    }
}

/// Waits for the first byte of the next request; `None`: there is none, and the stream was ended.
async fn rest<S>(watch: &mut Watch<'_>, stream: &mut S) -> Result<Option<u8>, &'static str>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let first = FirstByte {
        stream,
        leaves: false,
    };
    let waited = timeout(watch.limits.header, watch.until_end(pin!(first))).await;
    match waited {
        Ok(Ok(Ok(Some(byte)))) => return Ok(Some(byte)),
        Ok(Err(reason)) => return Err(reason),
        // The peer ended the stream or is gone, or nobody wants to wait for it any longer.
        Ok(Ok(Ok(None) | Err(_))) | Err(_) => {}
    }
    // A peer that does not take our end has none.
    drop(timeout(LAST_WORD, stream.shutdown()).await);
    Ok(None)
}

/// A connection's end (`Some`), or a moment in which nothing is under way on it.
struct UntilLull<'a, C, F> {
    connection: &'a mut C,
    is_lull: F,
}

impl<C, F> Future for UntilLull<'_, C, F>
where
    C: Future + Unpin,
    F: Fn() -> bool + Unpin,
{
    type Output = Option<C::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match Pin::new(&mut *self.connection).poll(context) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if (self.is_lull)() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<C: Leaves + Unpin, F: Unpin> Leaves for UntilLull<'_, C, F> {
    fn leave(mut self: Pin<&mut Self>) {
        Pin::new(&mut *self.connection).leave();
    }
}

/// The next byte of a stream; `None` at its end, or when it is to be left.
struct FirstByte<'a, S> {
    stream: &'a mut S,
    leaves: bool,
}

impl<S: AsyncRead + Unpin> Future for FirstByte<'_, S> {
    type Output = io::Result<Option<u8>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.leaves {
            return Poll::Ready(Ok(None));
        }
        let mut byte = [0; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        let read = Pin::new(&mut *self.stream).poll_read(context, &mut buffer);
        read.map_ok(|()| buffer.filled().first().copied())
    }
}

impl<S: Unpin> Leaves for FirstByte<'_, S> {
    fn leave(mut self: Pin<&mut Self>) {
        self.leaves = true;
    }
}

/// Answers a request whose head hyper could not read, as the last thing on the connection.
async fn refuse<S>(app: &App, peer: &Peer, stream: S, error: &hyper::Error)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = app.limits();
    let refusal = if error.is_timeout() {
        let seconds = limits.header.as_secs();
        ApiError::new(
            Code::RequestTimeout,
            format!("the header of the request had no end within {seconds} s"),
        )
    } else if error.is_parse_too_large() {
        let kib = limits.header_bytes / 1024;
        ApiError::new(
            Code::HeadersTooLarge,
            format!("the header of a request has at most {kib} KiB and {HEADERS} fields"),
        )
    } else {
        ApiError::new(
            Code::BadRequest,
            format!("the request is not valid HTTP/1.1: {error}"),
        )
    };
    let id = gate::request_id(app);
    tracing::info!(
        request = id,
        pair = %peer.pair,
        status = refusal.status().as_u16(),
        reason = %error,
        "a request could not be read"
    );
    let date = jiff::Timestamp::from_second(app.environment().clock.now())
        .ok()
        .and_then(|now| {
            let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
            printer.timestamp_to_rfc9110_string(&now).ok()
        })
        .unwrap_or_default();
    let answer = refusal.last_answer(&id, &date);
    let said = timeout(LAST_WORD, last_word(stream, &answer)).await;
    if let Ok(Err(error)) = said {
        tracing::debug!(request = id, %error, "the peer did not wait for its answer");
    }
}

/// Writes `answer`, ends the stream, and takes what the peer still sends: a socket that is closed
/// over unread bytes may take the answer with it.
async fn last_word<S>(mut stream: S, answer: &[u8]) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(UNREAD_BYTES), &mut tokio::io::sink()).await?;
    Ok(())
}
