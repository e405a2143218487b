//! One connection of a paired device: HTTP on it, its time limits, and its end when the pair is
//! revoked. What is special about HTTP/1.1 is in [`crate::http1`].

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request};
use healthsync_pairing::{
    defence::{Defence, holds},
    id::PairId,
    renewal,
    trust::{Peer, Refusal},
};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::broadcast::{self, error::RecvError},
    time::Instant,
};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    gate,
    guest::{Errand, Guest},
    http1,
    limits::Limits,
};

/// An answer that revokes its own pair gets so long to be made and to leave: the key is deleted
/// from the key store first, and the file store stretches a passphrase for it.
pub const LAST_WORD: Duration = Duration::from_secs(5);

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
pub async fn serve(parts: Parts, stream: Box<TlsStream<TcpStream>>, peer: Peer, errand: Errand) {
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
    let mut watch = Watch {
        app: &app,
        guest: &guest,
        limits: &limits,
        is_h2,
        opened: Instant::now(),
        leaving: None,
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
        match watch.until_end(Box::pin(connection).as_mut()).await {
            Ok(ended) => End::Closed(ended),
            Err(reason) => End::Cut(reason),
        }
    } else {
        http1::converse(&mut watch, stream, service).await
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

/// How a connection ended.
#[derive(Debug)]
pub enum End {
    /// By itself.
    Closed(hyper::Result<()>),
    /// By us, and why.
    Cut(&'static str),
}

/// Something under way on a connection that can be asked to come to an end.
pub trait Leaves {
    /// What is under way is finished, and nothing new begins.
    fn leave(self: Pin<&mut Self>);
}

impl<C: GracefulConnection> Leaves for C {
    fn leave(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Watches over one connection.
#[derive(Debug)]
pub struct Watch<'a> {
    /// The server.
    pub app: &'a App,
    /// Whose connection it is.
    pub guest: &'a Guest,
    /// What it may take.
    pub limits: &'a Limits,
    is_h2: bool,
    opened: Instant,
    /// It is to come to an end by then, and why.
    leaving: Option<(Instant, &'static str)>,
    revocations: broadcast::Receiver<PairId>,
    stop: CancellationToken,
}

impl Watch<'_> {
    /// Drives `work` to its end, or says why the connection has to be cut before.
    pub async fn until_end<W>(&mut self, mut work: Pin<&mut W>) -> Result<W::Output, &'static str>
    where
        W: Leaves + Future,
    {
        if self.leaving.is_some() {
            work.as_mut().leave();
        }
        loop {
            let (deadline, _) = self.deadline();
            tokio::select! {
                ended = work.as_mut() => return Ok(ended),
                () = tokio::time::sleep_until(deadline) => {
                    let (deadline, reason) = self.deadline();
                    if deadline <= Instant::now() {
                        return Err(reason);
                    }
                }
                revoked = self.revocations.recv(), if self.leaving.is_none() => {
                    if self.concerns_us(revoked).await && holds(Defence::RevocationCuts) {
                        if !self.guest.says_farewell.load(Ordering::Relaxed) {
                            return Err("revoked");
                        }
                        work.as_mut().leave();
                        self.leaving = Some((Instant::now() + LAST_WORD, "revoked by itself"));
                    }
                }
                () = self.stop.cancelled(), if self.leaving.is_none() => {
                    work.as_mut().leave();
                    let until = Instant::now() + self.limits.farewell;
                    self.leaving = Some((until, "the server stops"));
                }
            }
        }
    }

    /// When the connection has to go, as things stand, and why.
    fn deadline(&self) -> (Instant, &'static str) {
        if let Some(leaving) = self.leaving {
            return leaving;
        }
        match self.guest.last_progress() {
            Some(last) if self.guest.is_busy() => (last + self.limits.stall, "stalled"),
            Some(last) => (last + self.limits.idle, "idle"),
            // HTTP/1.1 has its own timer, which answers before it closes.
            None if self.is_h2 => (self.opened + self.limits.header, "no request"),
            None => (self.opened + self.limits.header * 2, "no request"),
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
