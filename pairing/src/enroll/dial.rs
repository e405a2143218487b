//! Getting through to a window: addresses race for TCP and TLS, and nothing else.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::client::EnrollError;
use crate::tls::{
    PAIRING,
    channel::tell_alert,
    failure::{Failure, Phase, Subject, cause, find},
    recording::Recording,
    trace::{Fact, Trace},
};

/// The channel of a pairing, before its exchange.
pub(super) type Stream = TlsStream<Recording<TcpStream>>;

/// The first address on which a window answers.
pub(super) async fn dial(
    configuration: Arc<ClientConfig>,
    addresses: &[SocketAddr],
    trace: &Trace,
) -> Result<(Stream, SocketAddr), EnrollError> {
    trace.begin();
    let mut race = JoinSet::new();
    let mut wait = Duration::ZERO;
    for address in addresses.iter().copied() {
        let (configuration, trace) = (Arc::clone(&configuration), trace.clone());
        // The best address comes first and gets a little time alone.
        let start = wait;
        wait += STAGGER;
        race.spawn(async move {
            sleep(start).await;
            connect(configuration, address, &trace)
                .await
                .map(|stream| (stream, address))
        });
    }
    let mut worst = None::<EnrollError>;
    while let Some(finished) = race.join_next().await {
        match finished {
            // Dropping the set ends the others.
            Ok(Ok(connected)) => return Ok(connected),
            Ok(Err(error)) => {
                if worst
                    .as_ref()
                    .is_none_or(|known| error.says_more_than(known))
                {
                    worst = Some(error);
                }
            }
            Err(error) => worst = worst.or(Some(EnrollError::Internal(error.into()))),
        }
    }
    Err(worst.unwrap_or_else(|| {
        EnrollError::Connection(Failure::new(
            "EHOSTUNREACH",
            Subject::Server,
            "there is no address to dial",
        ))
    }))
}

async fn connect(
    configuration: Arc<ClientConfig>,
    address: SocketAddr,
    trace: &Trace,
) -> Result<Stream, EnrollError> {
    trace.tell("connect", || vec![("address", address.to_string().into())]);
    let outcome = shake(configuration, address, trace).await;
    trace.tell(
        if outcome.is_ok() {
            "established"
        } else {
            "failed"
        },
        || {
            let mut facts = vec![("address", address.to_string().into())];
            match &outcome {
                Ok(stream) => facts.extend(shown(stream.get_ref().1)),
                Err(error) => facts.push(("reason", error.to_string().into())),
            }
            facts
        },
    );
    outcome
}

/// What a handshake agreed on. Nobody has a certificate yet: the key alone is pinned.
fn shown(connection: &rustls::ClientConnection) -> Vec<(&'static str, Fact)> {
    let alpn = connection.alpn_protocol().unwrap_or_default();
    vec![
        ("alpn", alpn.escape_ascii().to_string().into()),
        ("clientCertificateSent", false.into()),
        ("resumed", false.into()),
    ]
}

async fn shake(
    configuration: Arc<ClientConfig>,
    address: SocketAddr,
    trace: &Trace,
) -> Result<Stream, EnrollError> {
    let tcp = in_time(TcpStream::connect(address), Phase::Connect, trace).await?;
    trace.tell("connected", || {
        vec![("address", address.to_string().into())]
    });
    // Small messages go at once; a socket that refuses this still works.
    drop(tcp.set_nodelay(true));
    // An address as the name: so no name is sent.
    let name = ServerName::IpAddress(address.ip().into());
    let stream =
        TlsConnector::from(configuration).connect(name, Recording::new(tcp, trace.clone()));
    let stream = in_time(stream, Phase::Handshake, trace).await?;
    if stream.get_ref().1.alpn_protocol() == Some(PAIRING) {
        Ok(stream)
    } else {
        Err(EnrollError::Protocol)
    }
}

async fn in_time<T>(
    work: impl Future<Output = std::io::Result<T>>,
    phase: Phase,
    trace: &Trace,
) -> Result<T, EnrollError> {
    match timeout(DIAL_TIME, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => {
            if let Some(reason) = find::<rustls::Error>(&error) {
                tell_alert(reason, trace);
            }
            Err(EnrollError::from_connection(&error))
        }
        Err(_) => Err(EnrollError::Connection(
            Failure::new(
                "ETIMEDOUT",
                Subject::Server,
                "the server did not answer in time",
            )
            .in_phase(phase),
        )),
    }
}

const DIAL_TIME: Duration = Duration::from_secs(5);
const STAGGER: Duration = Duration::from_millis(100);

impl EnrollError {
    fn from_connection(error: &std::io::Error) -> Self {
        let Some(failure) = cause(error) else {
            return Self::Connection(
                Failure::new("ECONNRESET", Subject::Server, "the connection broke off")
                    .with_source(error.to_string().into()),
            );
        };
        match (failure.code, failure.alert.as_deref()) {
            (_, Some("no_application_protocol")) => Self::Expired,
            // The pin: the only thing about the certificate that this side judges.
            ("CERT_REJECTED", None) => Self::WrongServer,
            _ => Self::Connection(failure),
        }
    }
}
