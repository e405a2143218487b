//! The client's configuration, and the one way to a connection.

mod look;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustls::{
    ClientConfig,
    client::{ResolvesClientCert, Resumption},
    pki_types::ServerName,
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

pub use self::look::{look, look_again};
pub use super::channel::Shown;
use super::{
    channel::{Channel, Tcp, read_ahead, tell_alert},
    failure::{Failure, Phase, Subject, cause, find, of_io},
    identity::identity,
    pinned_ca::PinnedCa,
    recording::Recording,
    trace::Trace,
    watched::{Asked, Told},
};
use crate::{credentials::ClientCredentials, environment::Environment, id::PairId};

/// Mutual TLS with exactly this pair's server: the pinned CA alone is trusted, its profile and
/// dates are checked too; ALPN `h2` and `http/1.1`. No tickets, no resumption, no early data.
pub fn configuration(
    credentials: &ClientCredentials,
    environment: &Environment,
) -> Result<Arc<ClientConfig>, ConfigurationError> {
    traced(credentials, environment, &Trace::off())
}

/// The same, telling what it decides.
pub fn traced(
    credentials: &ClientCredentials,
    environment: &Environment,
    trace: &Trace,
) -> Result<Arc<ClientConfig>, ConfigurationError> {
    let refused = |error: rustls::Error| ConfigurationError(error.into());
    let verifier = PinnedCa::new(&credentials.ca, trace)?;
    let identity = identity(&credentials.key, credentials.leaf.clone()).map_err(refused)?;
    let mut wanted =
        ClientConfig::builder_with_details(super::provider(), super::time(environment))
            .with_protocol_versions(super::versions())
            .map_err(refused)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(identity);
    wanted.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    wanted.resumption = Resumption::disabled();
    wanted.enable_early_data = false;
    if trace.is_on() {
        wanted.client_auth_cert_resolver = Arc::new(Told {
            identity: Arc::clone(&wanted.client_auth_cert_resolver),
            ca: credentials.ca.clone(),
            clock: Arc::clone(&environment.clock),
            trace: trace.clone(),
        });
    }
    Ok(Arc::new(wanted))
}

/// The same for a renewal, which is bound to its channel: HTTP/1.1 alone.
pub fn renewal(
    credentials: &ClientCredentials,
    environment: &Environment,
) -> Result<Arc<ClientConfig>, ConfigurationError> {
    traced_renewal(credentials, environment, false, &Trace::off())
}

/// The same for a certificate that has run out: the one door that such a client still has.
pub fn late_renewal(
    credentials: &ClientCredentials,
    environment: &Environment,
) -> Result<Arc<ClientConfig>, ConfigurationError> {
    traced_renewal(credentials, environment, true, &Trace::off())
}

/// One of the two, telling what it decides.
pub fn traced_renewal(
    credentials: &ClientCredentials,
    environment: &Environment,
    late: bool,
    trace: &Trace,
) -> Result<Arc<ClientConfig>, ConfigurationError> {
    let mut wanted = Arc::unwrap_or_clone(traced(credentials, environment, trace)?);
    let protocol: &[u8] = if late { super::RENEWAL } else { b"http/1.1" };
    wanted.alpn_protocols = vec![protocol.to_vec()];
    Ok(Arc::new(wanted))
}

/// A connection to `address` under the pair's name, with its handshake done as far as a client can
/// know: a refusal comes with the first read.
pub async fn connect(
    configuration: Arc<ClientConfig>,
    pair: &PairId,
    address: SocketAddr,
    within: Duration,
) -> Result<Channel, Failure> {
    dial(configuration, pair, address, within, &Trace::off()).await
}

/// The same, telling each step.
pub async fn dial(
    configuration: Arc<ClientConfig>,
    pair: &PairId,
    address: SocketAddr,
    within: Duration,
    trace: &Trace,
) -> Result<Channel, Failure> {
    trace.begin();
    // A handshake is large, and callers hold many.
    let outcome = Box::pin(steps(configuration, pair, address, within, trace)).await;
    if let Err(failure) = &outcome {
        trace.tell("failed", || {
            vec![
                ("code", failure.code.into()),
                ("subject", failure.subject.as_str().into()),
                ("phase", failure.phase.as_str().into()),
                ("reason", failure.message.clone().into()),
            ]
        });
    }
    outcome
}

async fn steps(
    configuration: Arc<ClientConfig>,
    pair: &PairId,
    address: SocketAddr,
    within: Duration,
    trace: &Trace,
) -> Result<Channel, Failure> {
    let end = Instant::now() + within;
    trace.tell("connect", || vec![("address", address.to_string().into())]);
    let tcp = timeout_at(end, TcpStream::connect(address))
        .await
        .map_err(|_| {
            timed_out(
                "the server did not answer in time (TCP connection)",
                Phase::Connect,
            )
        })?
        .map_err(|error| of_io(&error).unwrap_or_else(|| reset(&error, Phase::Connect)))?;
    // Small messages go at once; a socket that refuses this still works.
    drop(tcp.set_nodelay(true));
    trace.tell("connected", || {
        let local = tcp
            .local_addr()
            .map_or_else(|_| String::new(), |local| local.to_string());
        vec![
            ("address", address.to_string().into()),
            ("from", local.into()),
        ]
    });
    let name = ServerName::try_from(pair.server_name()).map_err(|error| {
        Failure::new("TLS_FAILED", Subject::Client, "the pair has no valid name")
            .with_source(error.into())
    })?;
    let was_asked = Arc::new(AtomicBool::new(false));
    let mut configuration = ClientConfig::clone(&configuration);
    let identity: Arc<dyn ResolvesClientCert> = Arc::new(Asked {
        identity: Arc::clone(&configuration.client_auth_cert_resolver),
        was_asked: Arc::clone(&was_asked),
    });
    configuration.client_auth_cert_resolver = identity;
    let handshake = TlsConnector::from(Arc::new(configuration))
        .connect(name, Recording::new(read_ahead(tcp), trace.clone()))
        .into_fallible();
    let tls = timeout_at(end, handshake)
        .await
        .map_err(|_| {
            timed_out(
                "the port accepted the connection, but no TLS handshake came about in time",
                Phase::Handshake,
            )
        })?
        .map_err(|(error, stream)| broken(&error, &stream, trace))?;
    let channel = Channel::new(tls, was_asked.load(Ordering::SeqCst), trace);
    trace.tell("established", || {
        let shown = channel.shown();
        let kind = channel.connection().handshake_kind();
        vec![
            ("version", shown.version.clone().into()),
            ("cipherSuite", shown.cipher_suite.clone().into()),
            ("group", shown.group.clone().into()),
            ("alpn", shown.alpn.clone().unwrap_or_default().into()),
            ("clientCertificateSent", shown.client_authenticated.into()),
            (
                "resumed",
                (kind == Some(rustls::HandshakeKind::Resumed)).into(),
            ),
        ]
    });
    Ok(channel)
}

/// Why a handshake ended: TLS' own reason, else what the peer said instead of TLS.
fn broken(error: &std::io::Error, stream: &Recording<Tcp>, trace: &Trace) -> Failure {
    if let Some(reason) = find::<rustls::Error>(error) {
        tell_alert(reason, trace);
    }
    if let Some(other) = stream.spoken() {
        return Failure::new(
            "NOT_TLS",
            Subject::Server,
            &format!("{other} answers there, not a healthsync server"),
        )
        .in_phase(Phase::Handshake)
        .with_source(error.to_string().into());
    }
    cause(error).unwrap_or_else(|| {
        if stream.has_heard() {
            reset(error, Phase::Handshake)
        } else {
            Failure::new(
                "ECONNRESET",
                Subject::Server,
                "what listens there closed the connection without a word of TLS",
            )
            .in_phase(Phase::Handshake)
            .with_source(error.to_string().into())
        }
    })
}

/// The credentials cannot make a configuration.
#[derive(Debug, thiserror::Error)]
#[error("the stored certificate or key cannot be used")]
pub struct ConfigurationError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

fn timed_out(message: &str, phase: Phase) -> Failure {
    Failure::new("ETIMEDOUT", Subject::Server, message).in_phase(phase)
}

fn reset(error: &std::io::Error, phase: Phase) -> Failure {
    Failure::new("ECONNRESET", Subject::Server, "the connection broke off")
        .in_phase(phase)
        .with_source(error.to_string().into())
}
