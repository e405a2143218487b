//! One connection of a paired device: HTTP on it, its time limits, and its end when the pair is
//! revoked.

use std::{
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request};
use healthsync_core::api::Code;
use healthsync_pairing::{
    defence::{Defence, holds},
    id::PairId,
    renewal,
    trust::{Peer, Refusal},
};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    sync::broadcast::{self, error::RecvError},
    time::Instant,
};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    gate::{self, Errand, Guest},
    limits::Limits,
    refusal::ApiError,
    withheld::Withheld,
};

/// An answer that revokes its own pair gets so long to be made and to leave: the key is deleted
/// from the key store first, and the file store stretches a passphrase for it.
const LAST_WORD: Duration = Duration::from_secs(5);
/// A field or two more than any honest client sends.
const HEADERS: usize = 64;

/// What a peer may still send after the answer that refuses its request.
const UNREAD_BYTES: u64 = 1024 * 1024;

/// What a connection shares with the others.
#[derive(Debug)]
pub struct Parts {
    /// The server.
    pub app: Arc<App>,
    /// Its paths.
    pub router: Router,
    /// Asked for before the handshake.
    pub revocations: broadcast::Receiver<PairId>,
    /// The server stops.
    pub stop: CancellationToken,
}

/// Serves HTTP until the peer, a limit, a revocation or the end of the server closes it.
pub async fn serve(parts: Parts, stream: TlsStream<TcpStream>, peer: Peer, errand: Errand) {
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let exporter = match renewal::exporter(stream.get_ref().1) {
        Ok(exporter) => exporter,
        Err(error) => {
            tracing::error!(pair = %peer.pair, %error, "a connection has no exporter");
            return;
        }
    };
    converse(parts, stream, Guest::new(peer, errand, exporter), is_h2).await;
}

/// The same on any channel that was authenticated as `guest`.
pub async fn converse<S>(parts: Parts, stream: S, guest: Arc<Guest>, is_h2: bool)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut limits = *parts.app.limits();
    if !holds(Defence::HeaderTime) {
        limits.header = Duration::from_hours(1);
    }
    let Parts {
        app,
        router,
        revocations,
        stop,
    } = parts;
    let service = service_fn({
        let (app, guest) = (Arc::clone(&app), Arc::clone(&guest));
        move |request: hyper::Request<Incoming>| {
            let request: Request = request.map(Body::new);
            let answer = gate::pass(
                Arc::clone(&app),
                router.clone(),
                Arc::clone(&guest),
                request,
            );
            async move { Ok::<_, std::convert::Infallible>(answer.await) }
        }
    });
    let watch = Watch {
        app: &app,
        guest: &guest,
        limits: &limits,
        is_h2,
        revocations,
        stop,
    };
    let ended = if is_h2 {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(limits.header_bytes)
            .keep_alive_interval(limits.idle / 2)
            .serve_connection(TokioIo::new(stream), service);
        watch.until_end(pin!(connection)).await
    } else {
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header)
            .max_headers(HEADERS)
            .max_header_size(usize::try_from(limits.header_bytes).unwrap_or(usize::MAX))
            .serve_connection(TokioIo::new(Withheld::new(stream)), service);
        let ended = watch.until_end(Pin::new(&mut connection)).await;
        if let End::Closed(Err(error)) = &ended {
            let parts = connection.into_parts();
            let (stream, withheld) = parts.io.into_inner().into_parts();
            // Who sent nothing has asked nothing: a connection at rest just ends.
            let is_slow = error.is_timeout() && !parts.read_buf.is_empty();
            if withheld.is_some() || is_slow {
                refuse(&app, &guest.peer, stream, error).await;
            }
        }
        ended
    };
    match ended {
        End::Closed(Ok(())) => {}
        End::Closed(Err(error)) => {
            tracing::debug!(pair = %guest.peer.pair, %error, "a connection broke");
        }
        End::Cut(reason) => {
            tracing::info!(pair = %guest.peer.pair, reason, "a connection was cut");
        }
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
    let said = tokio::time::timeout(LAST_WORD, last_word(stream, &answer)).await;
    if let Ok(Err(error)) = said {
        tracing::debug!(request = id, %error, "the peer did not wait for its answer");
    }
}

/// Writes `answer`, ends the stream, and takes what the peer still sends: a socket that is closed
/// over unread bytes may take the answer with it.
async fn last_word<S>(mut stream: S, answer: &[u8]) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(UNREAD_BYTES), &mut tokio::io::sink()).await?;
    Ok(())
}

/// How a connection ended.
enum End {
    /// By itself.
    Closed(hyper::Result<()>),
    /// By us.
    Cut(&'static str),
}

/// Watches over one connection.
struct Watch<'a> {
    app: &'a App,
    guest: &'a Guest,
    limits: &'a Limits,
    is_h2: bool,
    revocations: broadcast::Receiver<PairId>,
    stop: CancellationToken,
}

impl Watch<'_> {
    /// Drives `connection`. Returning drops it, and with it the socket and all its streams.
    async fn until_end<C>(mut self, mut connection: Pin<&mut C>) -> End
    where
        C: GracefulConnection<Error = hyper::Error> + Future<Output = hyper::Result<()>>,
    {
        let opened = Instant::now();
        let mut leaving: Option<(Instant, &'static str)> = None;
        loop {
            let (deadline, _) = self.deadline(opened, leaving);
            tokio::select! {
                ended = connection.as_mut() => return End::Closed(ended),
                () = tokio::time::sleep_until(deadline) => {
                    let (deadline, reason) = self.deadline(opened, leaving);
                    if deadline <= Instant::now() {
                        return End::Cut(reason);
                    }
                }
                revoked = self.revocations.recv(), if leaving.is_none() => {
                    if self.concerns_us(revoked).await && holds(Defence::RevocationCuts) {
                        if !self.guest.says_farewell.load(Ordering::Relaxed) {
                            return End::Cut("revoked");
                        }
                        connection.as_mut().graceful_shutdown();
                        leaving = Some((Instant::now() + LAST_WORD, "revoked by itself"));
                    }
                }
                () = self.stop.cancelled(), if leaving.is_none() => {
                    connection.as_mut().graceful_shutdown();
                    leaving = Some((Instant::now() + self.limits.farewell, "the server stops"));
                }
            }
        }
    }

    /// When the connection has to go, as things stand, and why.
    fn deadline(
        &self,
        opened: Instant,
        leaving: Option<(Instant, &'static str)>,
    ) -> (Instant, &'static str) {
        if let Some(leaving) = leaving {
            return leaving;
        }
        match self.guest.last_progress() {
            Some(last) if self.guest.is_busy() => (last + self.limits.stall, "stalled"),
            Some(last) => (last + self.limits.idle, "idle"),
            // HTTP/1.1 has its own timer, which answers before it closes.
            None if self.is_h2 => (opened + self.limits.header, "no request"),
            None => (opened + self.limits.header * 2, "no request"),
        }
    }

    async fn concerns_us(&self, revoked: Result<PairId, RecvError>) -> bool {
        match revoked {
            Ok(pair) => pair == self.guest.peer.pair,
            // Some were missed: the record knows.
            Err(RecvError::Lagged(_)) => {
                let (trust, peer) = (Arc::clone(self.app.trust()), self.guest.peer.clone());
                let record = self.app.blocking(move || trust.authorize(&peer)).await;
                !matches!(record, Ok(Ok(_) | Err(Refusal::Pending)))
            }
            Err(RecvError::Closed) => false,
        }
    }
}
