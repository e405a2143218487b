//! HTTP over a verified channel: one connection an address, HTTP/2 or 1.1 as the handshake agreed.
//!
//! Requests go over the very connection that `--debug-tls` and `status` describe. There is no proxy,
//! no redirect, no pool and no second try behind anybody's back.

use std::{error::Error, net::SocketAddr, pin::pin, time::Duration};

use bytes::Bytes;
use healthsync_pairing::tls::{
    channel::{Channel, Heard},
    client::Shown,
    failure::{self, Failure, Phase, Subject},
    trace::Trace,
};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{task::JoinHandle, time::timeout};

/// How much of an answer may be under way (HTTP/2 flow control).
const WINDOW: u32 = 4 << 20;

/// Of HTTP/2, about a batch. Frames of the 16 KiB that are usual would each be two records of TLS, a call of
/// the system and a piece to hand on.
const FRAME: u32 = 256 << 10;

/// Fewer bytes are none, whatever the time: a server that is stuck still sends pings.
const PROGRESS: u64 = 1024;
/// Nor are fewer a second; pings are less than one.
const PROGRESS_A_SECOND: u64 = 4;

/// How long a connection that failed may take to say why.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) address: SocketAddr,
    /// What was negotiated.
    pub(super) shown: Shown,
    heard: Heard,
    sender: Sender,
    driver: JoinHandle<Result<(), hyper::Error>>,
    silence: Duration,
    trace: Trace,
}

#[derive(Debug)]
enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

/// An answer, and who gave it.
#[derive(Debug)]
pub(crate) struct Answer {
    response: Response<Incoming>,
    /// Where it came from.
    pub(crate) address: SocketAddr,
    silence: Duration,
    heard: Heard,
}

/// Why an exchange on an open connection broke off.
#[derive(Debug)]
pub(crate) struct Broken {
    /// What TLS or TCP said, if either said something clear.
    pub(super) reason: Option<Failure>,
    /// Nothing came in time.
    pub(super) silent: bool,
    /// What HTTP said.
    pub(super) source: Option<hyper::Error>,
}

impl Connection {
    /// Begins to speak HTTP.
    pub(super) async fn new(
        channel: Channel,
        address: SocketAddr,
        silence: Duration,
        trace: &Trace,
    ) -> Result<Self, Broken> {
        let (heard, shown) = (channel.heard(), channel.shown().clone());
        let broken = |error| Broken::new(error, &heard);
        let io = TokioIo::new(channel);
        let (sender, driver) = if shown.alpn.as_deref() == Some("h2") {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(WINDOW)
                .max_frame_size(FRAME)
                .handshake(io)
                .await
                .map_err(broken)?;
            (Sender::Two(sender), tokio::spawn(connection))
        } else {
            let (sender, connection) = http1::handshake(io).await.map_err(broken)?;
            (Sender::One(sender), tokio::spawn(connection))
        };
        Ok(Self {
            address,
            shown,
            heard,
            sender,
            driver,
            silence,
            trace: trace.clone(),
        })
    }

    /// Whether another request can be sent.
    pub(super) async fn is_open(&mut self) -> bool {
        let ready = match &mut self.sender {
            Sender::One(sender) => sender.ready().await,
            Sender::Two(sender) => sender.ready().await,
        };
        ready.is_ok() && !self.driver.is_finished()
    }

    /// Sends a request whose URI has path and query alone; `authority` is the server's name.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Broken> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let version = self.version();
        self.trace.tell("http-request", || {
            vec![
                ("version", version.into()),
                ("method", method.as_str().into()),
                ("path", path.into()),
            ]
        });
        let answer = timeout(self.silence, async {
            match &mut self.sender {
                Sender::One(sender) => sender.send_request(request).await,
                Sender::Two(sender) => sender.send_request(request).await,
            }
        });
        let response = match answer.await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.last_words(error).await),
            Err(_) => return Err(Broken::silent(&self.heard)),
        };
        self.trace.tell("http-response", || {
            vec![
                ("version", format!("{:?}", response.version()).into()),
                ("status", u64::from(response.status().as_u16()).into()),
            ]
        });
        Ok(Answer {
            response,
            address: self.address,
            silence: self.silence,
            heard: self.heard.clone(),
        })
    }

    /// Whether requests are made as HTTP/2 wants them.
    pub(super) const fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Two(_))
    }

    fn version(&self) -> &'static str {
        match self.sender {
            Sender::One(_) => "HTTP/1.1",
            Sender::Two(_) => "HTTP/2.0",
        }
    }

    /// Why the server hung up the connection knows better than the request.
    async fn last_words(&mut self, error: hyper::Error) -> Broken {
        let driven = timeout(LAST_WORDS, &mut self.driver).await;
        let mut broken = Broken::new(error, &self.heard);
        if broken.reason.is_none()
            && let Ok(Ok(Err(reason))) = driven
        {
            broken.reason = failure::cause(&reason);
        }
        broken
    }
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next part of the body; `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            let bytes = || self.heard.bytes();
            let frame = unless_silent(self.silence, bytes, self.response.body_mut().frame()).await;
            match frame {
                None => return Err(Broken::silent(&self.heard)),
                Some(None) => return Ok(None),
                Some(Some(Err(error))) => return Err(Broken::new(error, &self.heard)),
                Some(Some(Ok(frame))) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }
}

/// Waits until there is something, or until for so long nothing came. On a slow network a frame may take
/// longer than that: it is not whole yet, but its bytes come, a record of TLS (16 KiB) at a time.
async fn unless_silent<F: Future>(
    silence: Duration,
    bytes: impl Fn() -> u64,
    awaited: F,
) -> Option<F::Output> {
    let mut awaited = pin!(awaited);
    let mut before = bytes();
    loop {
        if let Ok(there) = timeout(silence, awaited.as_mut()).await {
            return Some(there);
        }
        let now = bytes();
        let least = PROGRESS.max(silence.as_secs().saturating_mul(PROGRESS_A_SECOND));
        if now.saturating_sub(before) < least {
            return None;
        }
        before = now;
    }
}

impl Broken {
    fn new(error: hyper::Error, heard: &Heard) -> Self {
        Self {
            reason: heard.failure().or_else(|| failure::cause(&error)),
            silent: false,
            source: Some(error),
        }
    }

    fn silent(heard: &Heard) -> Self {
        Self {
            reason: heard.failure(),
            silent: true,
            source: None,
        }
    }

    /// As a cause, where no second look found a better one.
    pub(super) fn into_failure(self) -> Failure {
        if let Some(reason) = self.reason {
            return reason;
        }
        let (code, message) = if self.silent {
            ("ETIMEDOUT", "the server did not answer in time (HTTP)")
        } else {
            ("ECONNRESET", "the connection broke off")
        };
        let mut failure = Failure::new(code, Subject::Server, message).in_phase(Phase::Exchange);
        failure.source = self.source.map(|error| {
            let inner = error
                .source()
                .map_or_else(|| error.to_string(), ToString::to_string);
            inner.into()
        });
        failure
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    const SILENCE: Duration = Duration::from_mins(1);

    async fn wait(a_second: u64) -> (Option<&'static str>, Duration) {
        wait_for(SILENCE, &|seconds| seconds * a_second).await
    }

    /// What becomes of a frame that takes ten times the silence, with so many bytes after so many seconds.
    async fn wait_for(
        silence: Duration,
        come: &dyn Fn(u64) -> u64,
    ) -> (Option<&'static str>, Duration) {
        let began = Instant::now();
        let bytes = || come(began.elapsed().as_secs());
        let frame = async {
            sleep(silence * 10).await;
            "whole"
        };
        let outcome = unless_silent(silence, bytes, frame).await;
        (outcome, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_frame_is_waited_for_and_pings_are_silence() {
        let slow = (Some("whole"), SILENCE * 10);
        assert_eq!(wait(1000).await, slow);
        assert_eq!(wait(20).await, slow);
        assert_eq!(wait(17).await, (None, SILENCE));
        assert_eq!(wait(0).await, (None, SILENCE));
        // A ping has 17 bytes, and comes twice a minute.
        for silence in [1, 1000, 3600].map(Duration::from_secs) {
            let pings = wait_for(silence, &|seconds| seconds / 30 * 17).await;
            assert_eq!(pings, (None, silence));
        }
    }
}
