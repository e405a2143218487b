//! The server's one port: reads the first message, picks the configuration, finishes the handshake.
//!
//! Two things in the `ClientHello` decide, and nothing else: the whole ALPN list and the server name
//! (RFC 7301, RFC 6066). Every purpose has a configuration of its own.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::{CertificateError, ServerConfig, server::Acceptor};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::{LazyConfigAcceptor, StartHandshake, server::TlsStream};

use super::{PAIRING, RENEWAL, server::Errand};
use crate::{
    audit::Event,
    defence::{Defence, holds},
    enroll::{desk::Admission, serve::serve, transcript::EXPORTER_LABEL},
    id::PairId,
    trust::{Peer, Serving, Trust},
};

/// What came in.
#[derive(Debug)]
pub enum Entered {
    /// A paired client, checked against the device records.
    Data {
        /// The channel, handshake done.
        stream: Box<TlsStream<TcpStream>>,
        /// Who.
        peer: Peer,
    },
    /// A paired client whose certificate may have run out; it may renew it and nothing else.
    Renewal {
        /// The channel, handshake done.
        stream: Box<TlsStream<TcpStream>>,
        /// Who.
        peer: Peer,
    },
    /// Somebody who wants to be paired.
    Pairing(Box<Pairing>),
}

/// A connection that has a place at the pairing window; the exchange begins when it is run.
#[derive(Debug)]
pub struct Pairing {
    trust: Arc<Trust>,
    admission: Admission,
    stream: TlsStream<TcpStream>,
    exporter: [u8; 32],
    from: SocketAddr,
    accepted: Instant,
}

impl Pairing {
    /// Runs the exchange to its end; its outcome goes to the window.
    pub async fn run(self) -> Result<(), Turned> {
        serve(
            &self.trust,
            self.admission,
            self.stream,
            self.exporter,
            self.from,
            self.accepted,
        )
        .await
        .map_err(Turned::because)
    }
}

/// Serves one connection up to the end of its handshake (5 s).
pub async fn enter(
    trust: &Arc<Trust>,
    stream: TcpStream,
    from: SocketAddr,
) -> Result<Entered, Turned> {
    let accepted = Instant::now();
    // Small messages go at once; a socket that refuses this still works.
    drop(stream.set_nodelay(true));
    let start = read_hello(stream, accepted).await?;
    let hello = start.client_hello();
    let pair = hello.server_name().and_then(PairId::from_server_name);
    let purpose = purpose(hello.alpn());
    match purpose {
        Purpose::Pairing => {
            let Some(admission) = trust.admit(from) else {
                refuse(start, NO_APPLICATION_PROTOCOL).await;
                return Err(Turned::because("no pairing window is open"));
            };
            let configuration = Arc::clone(&admission.configuration);
            let stream = finish(start, configuration, accepted, purpose).await?;
            let mut exporter = [0; 32];
            stream
                .get_ref()
                .1
                .export_keying_material(&mut exporter, EXPORTER_LABEL, None)
                .map_err(|error| Turned::from_error("no exporter", error))?;
            Ok(Entered::Pairing(Box::new(Pairing {
                trust: Arc::clone(trust),
                admission,
                stream,
                exporter,
                from,
                accepted,
            })))
        }
        Purpose::Data { .. } => {
            let configuration = configuration(trust, pair, Errand::Data).await;
            let (stream, peer) =
                known(trust, start, configuration, accepted, purpose, from).await?;
            Ok(Entered::Data { stream, peer })
        }
        Purpose::Renewal => {
            let configuration = configuration(trust, pair, Errand::Renewal).await;
            let (stream, peer) =
                known(trust, start, configuration, accepted, purpose, from).await?;
            Ok(Entered::Renewal { stream, peer })
        }
        Purpose::Unknown => {
            refuse(start, NO_APPLICATION_PROTOCOL).await;
            Err(Turned::because("no protocol in common"))
        }
    }
}

/// Why a connection was not let in; for the log (no secret in it).
#[derive(Debug, thiserror::Error)]
#[error("connection refused: {reason}")]
pub struct Turned {
    /// Short stable phrase.
    pub reason: &'static str,
    /// The chain.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Turned {
    const fn because(reason: &'static str) -> Self {
        Self {
            reason,
            source: None,
        }
    }

    /// What the audit log calls it.
    fn code(&self) -> &'static str {
        let found = self.source.as_deref().and_then(|source| {
            let error = source.downcast_ref::<io::Error>()?;
            error.get_ref()?.downcast_ref::<rustls::Error>()
        });
        match found {
            Some(rustls::Error::NoCertificatesPresented) => "NO_CLIENT_CERTIFICATE",
            Some(rustls::Error::InvalidCertificate(error)) => match error {
                CertificateError::Revoked => "CERT_REVOKED",
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "CERT_HAS_EXPIRED"
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "CERT_NOT_YET_VALID"
                }
                _ => "CERT_NOT_TRUSTED",
            },
            _ => "HANDSHAKE_FAILED",
        }
    }

    fn from_error(
        reason: &'static str,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            reason,
            source: Some(error.into()),
        }
    }
}

/// What an ALPN list asks for. Lists that mix purposes ask for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Pairing,
    Renewal,
    Data { offers_alpn: bool },
    Unknown,
}

impl Purpose {
    /// Whether a handshake that agreed on this protocol is one for this purpose.
    fn is_served_by(self, negotiated: Option<&[u8]>) -> bool {
        match (self, negotiated) {
            (Self::Pairing, Some(name)) => name == PAIRING,
            (Self::Renewal, Some(name)) => name == RENEWAL,
            (Self::Data { offers_alpn }, Some(name)) => offers_alpn && DATA.contains(&name),
            (Self::Data { offers_alpn }, None) => !offers_alpn,
            (Self::Pairing | Self::Renewal, None) | (Self::Unknown, _) => false,
        }
    }
}

fn purpose<'a>(alpn: Option<impl Iterator<Item = &'a [u8]>>) -> Purpose {
    let Some(offered) = alpn else {
        return Purpose::Data { offers_alpn: false };
    };
    let offered: Vec<_> = offered.collect();
    match offered.as_slice() {
        [only] if *only == PAIRING => Purpose::Pairing,
        [only] if *only == RENEWAL => Purpose::Renewal,
        [_, ..] if offered.iter().all(|name| DATA.contains(name)) => {
            Purpose::Data { offers_alpn: true }
        }
        // Broken on purpose: a list that mixes purposes gets the first that it names.
        [first, ..] if !holds(Defence::ExactProtocolList) && *first == PAIRING => Purpose::Pairing,
        _ if !holds(Defence::ExactProtocolList) => Purpose::Data { offers_alpn: true },
        _ => Purpose::Unknown,
    }
}

async fn read_hello(
    stream: TcpStream,
    accepted: Instant,
) -> Result<StartHandshake<TcpStream>, Turned> {
    let mut acceptor = LazyConfigAcceptor::new(Acceptor::default(), stream);
    match timeout_at(handshake_end(accepted), &mut acceptor).await {
        Ok(Ok(start)) => Ok(start),
        Ok(Err(error)) => {
            // rustls has written its alert already.
            if let Some(stream) = acceptor.take_io() {
                drain(stream).await;
            }
            Err(Turned::from_error("not a TLS client", error))
        }
        Err(_) => Err(Turned::because("no ClientHello in time")),
    }
}

/// The configuration of the pair that a client names, or the alert that it gets instead.
async fn configuration(
    trust: &Arc<Trust>,
    pair: Option<PairId>,
    errand: Errand,
) -> Result<(PairId, Serving), (u8, Turned)> {
    let unknown = || {
        let turned = Turned::because("no pair of this name");
        (UNRECOGNIZED_NAME, turned)
    };
    let pair = pair.ok_or_else(unknown)?;
    match trust.configuration(&pair, errand).await {
        Ok(found) => Ok((pair, found.ok_or_else(unknown)?)),
        Err(error) => Err((
            INTERNAL_ERROR,
            Turned::from_error("the pair's keys cannot be read", error),
        )),
    }
}

/// The handshake of a paired client: who it is comes from the certificate that it proved, and from
/// nothing else.
async fn known(
    trust: &Trust,
    start: StartHandshake<TcpStream>,
    serving: Result<(PairId, Serving), (u8, Turned)>,
    accepted: Instant,
    purpose: Purpose,
    from: SocketAddr,
) -> Result<(Box<TlsStream<TcpStream>>, Peer), Turned> {
    let (pair, serving) = match serving {
        Ok(found) => found,
        Err((alert, turned)) => {
            refuse(start, alert).await;
            return Err(turned);
        }
    };
    let configuration = serving.configuration;
    let stream = match finish(start, configuration, accepted, purpose).await {
        Ok(stream) => stream,
        Err(turned) => {
            let audit = trust.audit();
            audit.note_repeated(Event::HandshakeFailed, pair, turned.code());
            return Err(turned);
        }
    };
    let chain = stream.get_ref().1.peer_certificates();
    let leaf = chain
        .and_then(|chain| serving.seen.read(chain.first()?).ok())
        .ok_or(Turned::because("no client certificate"))?;
    let peer = Peer {
        pair,
        key: leaf.key,
        not_after: leaf.not_after,
        serial: leaf.serial.clone(),
        address: from.ip().to_canonical(),
    };
    Ok((Box::new(stream), peer))
}

/// The rest of the handshake. A refused client gets its exact alert.
async fn finish(
    start: StartHandshake<TcpStream>,
    configuration: Arc<ServerConfig>,
    accepted: Instant,
    purpose: Purpose,
) -> Result<TlsStream<TcpStream>, Turned> {
    let handshake = start.into_stream(configuration).into_fallible();
    let stream = match timeout_at(handshake_end(accepted), handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err((error, stream))) => {
            drain(stream).await;
            return Err(Turned::from_error("the handshake failed", error));
        }
        Err(_) => return Err(Turned::because("no handshake in time")),
    };
    // rustls goes on without a protocol when a second ClientHello drops its list.
    let negotiated = stream.get_ref().1.alpn_protocol();
    if purpose.is_served_by(negotiated) || !holds(Defence::NegotiatedProtocol) {
        Ok(stream)
    } else {
        Err(Turned::because("another protocol than the one offered"))
    }
}

/// Answers a `ClientHello` with a fatal alert, for which rustls has no call: a plain record
/// (RFC 8446, sections 5.1 and 6).
async fn refuse(mut start: StartHandshake<TcpStream>, alert: u8) {
    let record = [21, 3, 3, 0, 2, 2, alert];
    let written = timeout(DRAIN_TIME, start.io.write_all(&record)).await;
    if matches!(written, Ok(Ok(()))) {
        drain(start.io).await;
    }
}

/// Half-closes and reads what the client still sends: closing with unread bytes would reset the
/// connection, and the alert would be lost on the way.
async fn drain(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let rest = async {
        stream.shutdown().await?;
        let mut bytes = [0; 4096];
        let mut total = 0;
        while total < DRAIN_BYTES {
            match stream.read(&mut bytes).await? {
                0 => break,
                count => total += count,
            }
        }
        Ok::<_, io::Error>(())
    };
    // The client may be gone; then there is nobody to tell.
    drop(timeout(DRAIN_TIME, rest).await);
}

/// When a handshake must be over.
fn handshake_end(accepted: Instant) -> Instant {
    if holds(Defence::HandshakeTime) {
        accepted + HANDSHAKE_TIME
    } else {
        accepted + Duration::from_hours(1)
    }
}

const DATA: [&[u8]; 2] = [b"h2", b"http/1.1"];
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
const DRAIN_TIME: Duration = Duration::from_millis(500);
const DRAIN_BYTES: usize = 64 * 1024;
const INTERNAL_ERROR: u8 = 80;
const UNRECOGNIZED_NAME: u8 = 112;
const NO_APPLICATION_PROTOCOL: u8 = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpn_list_mixed() {
        let check = |names: &[&'static str]| purpose(Some(names.iter().map(|n| n.as_bytes())));
        let data = Purpose::Data { offers_alpn: true };
        assert_eq!(check(&["h2"]), data);
        assert_eq!(check(&["http/1.1"]), data);
        assert_eq!(check(&["h2", "http/1.1"]), data);
        assert_eq!(check(&["healthsync-pair/1"]), Purpose::Pairing);
        assert_eq!(check(&["healthsync-renew/1"]), Purpose::Renewal);
        for mixed in [
            &[][..],
            &["healthsync-pair/1", "h2"],
            &["h2", "healthsync-pair/1"],
            &["healthsync-pair/1", "healthsync-pair/1"],
            &["healthsync-pair/1", "healthsync-renew/1"],
            &["healthsync-pair/2"],
            &["HEALTHSYNC-PAIR/1"],
            &["h2", "http/1.0"],
            &["h3"],
        ] {
            assert_eq!(check(mixed), Purpose::Unknown, "{mixed:?}");
        }
        assert_eq!(
            purpose(None::<std::iter::Empty<&[u8]>>),
            Purpose::Data { offers_alpn: false }
        );
    }
}
