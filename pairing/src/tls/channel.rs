//! A connection to the pair's server, and what was heard on it.
//!
//! In TLS 1.3 the server judges the client after the client is connected. Whoever speaks HTTP over
//! the channel meets that alert as some error of HTTP, or not at all; the channel keeps it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use rustls::{AlertDescription, ClientConnection};
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use super::{
    failure::{Failure, Phase, alert_name, cause, find},
    hello,
    recording::Recording,
    trace::Trace,
};

/// rustls asks for 4 KiB at a time; this asks the system for more.
const READ_AHEAD: usize = 64 << 10;

/// What TLS reads from and writes to.
pub(super) type Tcp = BufReader<TcpStream>;

/// An open connection whose server is verified.
#[derive(Debug)]
pub struct Channel {
    tls: TlsStream<Recording<Tcp>>,
    shown: Shown,
    heard: Heard,
    trace: Trace,
    closed: bool,
}

/// What one connection showed; every claim of `status` comes from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `TLSv1.3`.
    pub version: String,
    /// `TLS_AES_256_GCM_SHA384`.
    pub cipher_suite: String,
    /// `X25519MLKEM768`.
    pub group: String,
    /// `h2`.
    pub alpn: Option<String>,
    /// The server's leaf, DER.
    pub server_leaf: Vec<u8>,
    /// The server asked for our certificate and went on after having seen it.
    pub client_authenticated: bool,
}

/// What was heard on a connection: how much, and why TLS ended it, if it did. It outlives the channel.
#[derive(Clone, Debug, Default)]
pub struct Heard(Arc<Ear>);

#[derive(Debug, Default)]
struct Ear {
    reason: Mutex<Option<rustls::Error>>,
    bytes: AtomicU64,
}

impl Heard {
    /// The first reason.
    pub fn failure(&self) -> Option<Failure> {
        let reason = self.0.reason.lock();
        let reason = reason.unwrap_or_else(PoisonError::into_inner);
        let reason: &rustls::Error = reason.as_ref()?;
        Some(cause(reason)?.in_phase(Phase::Exchange))
    }

    /// How many bytes have come since the handshake, as they are without TLS.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    fn count(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn note(&self, error: &io::Error, trace: &Trace) {
        let Some(reason) = find::<rustls::Error>(error) else {
            return;
        };
        let first = self.0.reason.lock();
        let mut first = first.unwrap_or_else(PoisonError::into_inner);
        if first.is_none() {
            *first = Some(reason.clone());
            tell_alert(reason, trace);
        }
    }
}

impl Channel {
    pub(super) fn new(
        tls: TlsStream<Recording<Tcp>>,
        client_authenticated: bool,
        trace: &Trace,
    ) -> Self {
        let shown = shown(tls.get_ref().1, client_authenticated);
        Self {
            tls,
            shown,
            heard: Heard::default(),
            trace: trace.clone(),
            closed: false,
        }
    }

    /// What was negotiated.
    pub const fn shown(&self) -> &Shown {
        &self.shown
    }

    /// What TLS will have said when this channel has ended.
    pub fn heard(&self) -> Heard {
        self.heard.clone()
    }

    /// The state of the TLS connection, for its exporter.
    pub fn connection(&self) -> &ClientConnection {
        self.tls.get_ref().1
    }
}

pub(super) fn read_ahead(tcp: TcpStream) -> Tcp {
    BufReader::with_capacity(READ_AHEAD, tcp)
}

/// An alert that ended a handshake or a connection: the peer's, or the one that we sent for it.
pub(crate) fn tell_alert(reason: &rustls::Error, trace: &Trace) {
    let (direction, alert) = match reason {
        rustls::Error::AlertReceived(alert) => ("received", *alert),
        rustls::Error::InvalidCertificate(why) => ("sent", AlertDescription::from(why.clone())),
        _ => return,
    };
    trace.tell("alert", || {
        vec![
            ("direction", direction.into()),
            ("name", alert_name(alert).into()),
            ("fatal", true.into()),
            ("encrypted", true.into()),
        ]
    });
}

fn close_notify(direction: &'static str, trace: &Trace) {
    trace.tell("alert", || {
        vec![
            ("direction", direction.into()),
            ("name", "close_notify".into()),
            ("fatal", false.into()),
            ("encrypted", true.into()),
        ]
    });
}

fn shown(connection: &ClientConnection, client_authenticated: bool) -> Shown {
    Shown {
        version: match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
            other => format!("{other:?}"),
        },
        cipher_suite: connection
            .negotiated_cipher_suite()
            .map(|suite| hello::suite(suite.suite().into()))
            .unwrap_or_default(),
        group: connection
            .negotiated_key_exchange_group()
            .map(|group| hello::group(group.name().into()))
            .unwrap_or_default(),
        alpn: connection
            .alpn_protocol()
            .map(|name| String::from_utf8_lossy(name).into_owned()),
        server_leaf: connection
            .peer_certificates()
            .and_then(<[_]>::first)
            .map(|leaf| leaf.to_vec())
            .unwrap_or_default(),
        client_authenticated,
    }
}

impl AsyncRead for Channel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.tls).poll_read(context, buffer);
        match &read {
            Poll::Ready(Err(error)) => self.heard.note(error, &self.trace),
            Poll::Ready(Ok(())) if buffer.filled().len() == before && buffer.remaining() > 0 => {
                close_notify("received", &self.trace);
            }
            Poll::Ready(Ok(())) => self.heard.count(buffer.filled().len() - before),
            Poll::Pending => {}
        }
        read
    }
}

impl AsyncWrite for Channel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tls).poll_write(context, bytes);
        if let Poll::Ready(Err(error)) = &written {
            self.heard.note(error, &self.trace);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closed {
            self.closed = true;
            close_notify("sent", &self.trace);
        }
        Pin::new(&mut self.tls).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tls).poll_write_vectored(context, slices);
        if let Poll::Ready(Err(error)) = &written {
            self.heard.note(error, &self.trace);
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.tls.is_write_vectored()
    }
}
