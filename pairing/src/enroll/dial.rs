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
    failure::{Failure, Subject, cause},
};

/// The first address on which a window answers.
pub(super) async fn dial(
    configuration: Arc<ClientConfig>,
    addresses: &[SocketAddr],
) -> Result<(TlsStream<TcpStream>, SocketAddr), EnrollError> {
    let mut race = JoinSet::new();
    let mut wait = Duration::ZERO;
    for address in addresses.iter().copied() {
        let configuration = Arc::clone(&configuration);
        // The best address comes first and gets a little time alone.
        let start = wait;
        wait += STAGGER;
        race.spawn(async move {
            sleep(start).await;
            connect(configuration, address)
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
) -> Result<TlsStream<TcpStream>, EnrollError> {
    let tcp = in_time(TcpStream::connect(address)).await?;
    // Small messages go at once; a socket that refuses this still works.
    drop(tcp.set_nodelay(true));
    // An address as the name: so no name is sent.
    let name = ServerName::IpAddress(address.ip().into());
    let stream = in_time(TlsConnector::from(configuration).connect(name, tcp)).await?;
    if stream.get_ref().1.alpn_protocol() == Some(PAIRING) {
        Ok(stream)
    } else {
        Err(EnrollError::Protocol)
    }
}

async fn in_time<T>(work: impl Future<Output = std::io::Result<T>>) -> Result<T, EnrollError> {
    match timeout(DIAL_TIME, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(EnrollError::from_connection(&error)),
        Err(_) => Err(EnrollError::Connection(Failure::new(
            "ETIMEDOUT",
            Subject::Server,
            "the server did not answer in time",
        ))),
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
