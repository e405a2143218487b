//! The client's configuration and a bare connection.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
    client::{
        ResolvesClientCert, Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::CertifiedKey,
};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    failure::{Failure, PinError, Subject, cause, of_io},
    identity::identity,
};
use crate::{
    certificate::{Certificate, Validity, check_ca},
    credentials::ClientCredentials,
    defence::{Defence, holds},
    environment::Environment,
    id::PairId,
};

/// How long a server that refuses us may take to say so.
const SECOND_LOOK: Duration = Duration::from_millis(300);

/// Mutual TLS with exactly this pair's server: the pinned CA alone is trusted, its profile and
/// dates are checked too; ALPN `h2` and `http/1.1`. No tickets, no resumption, no early data.
pub fn configuration(
    credentials: &ClientCredentials,
    environment: &Environment,
) -> Result<Arc<ClientConfig>, ConfigurationError> {
    let refused = |error: rustls::Error| ConfigurationError(error.into());
    let verifier = PinnedCa::new(&credentials.ca)?;
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
    Ok(Arc::new(wanted))
}

/// The same for a renewal, which is bound to its channel: HTTP/1.1 alone.
pub fn renewal(
    credentials: &ClientCredentials,
    environment: &Environment,
) -> Result<Arc<ClientConfig>, ConfigurationError> {
    let mut wanted = Arc::unwrap_or_clone(configuration(credentials, environment)?);
    wanted.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(wanted))
}

/// The same for a certificate that has run out: the one door that such a client still has.
pub fn late_renewal(
    credentials: &ClientCredentials,
    environment: &Environment,
) -> Result<Arc<ClientConfig>, ConfigurationError> {
    let mut wanted = Arc::unwrap_or_clone(configuration(credentials, environment)?);
    wanted.alpn_protocols = vec![super::RENEWAL.to_vec()];
    Ok(Arc::new(wanted))
}

/// A connection to `address` under the pair's name, with its handshake done as far as a client can
/// know: a refusal comes with the first read.
pub async fn connect(
    configuration: Arc<ClientConfig>,
    pair: &PairId,
    address: SocketAddr,
    within: Duration,
) -> Result<TlsStream<TcpStream>, Failure> {
    let end = Instant::now() + within;
    let tcp = timeout_at(end, TcpStream::connect(address))
        .await
        .map_err(|_| timed_out("the server did not answer in time (TCP connection)"))?
        .map_err(|error| of_io(&error).unwrap_or_else(|| reset(&error)))?;
    let name = ServerName::try_from(pair.server_name()).map_err(|error| {
        Failure::new("TLS_FAILED", Subject::Client, "the pair has no valid name")
            .with_source(error.into())
    })?;
    timeout_at(end, TlsConnector::from(configuration).connect(name, tcp))
        .await
        .map_err(|_| {
            timed_out("the server accepted the connection but not the TLS handshake in time")
        })?
        .map_err(|error| cause(&error).unwrap_or_else(|| reset(&error)))
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

/// Opens a connection of its own to `address`, sends nothing, reads once: shows what was
/// negotiated, or gives the reason, also the alert that an HTTP client loses.
pub async fn look(
    configuration: Arc<ClientConfig>,
    pair: &PairId,
    address: SocketAddr,
    within: Duration,
) -> Result<Shown, Failure> {
    let asked = Arc::new(Asked {
        identity: Arc::clone(&configuration.client_auth_cert_resolver),
        was_asked: AtomicBool::new(false),
    });
    let mut configuration = ClientConfig::clone(&configuration);
    let identity: Arc<dyn ResolvesClientCert> = Arc::<Asked>::clone(&asked);
    configuration.client_auth_cert_resolver = identity;
    let mut tls = connect(Arc::new(configuration), pair, address, within).await?;

    let mut byte = [0_u8; 1];
    match timeout(SECOND_LOOK, tls.read(&mut byte)).await {
        // Silence, or the first bytes of HTTP/2: we are in.
        Err(_) | Ok(Ok(1..)) => {}
        Ok(Ok(0)) => {
            return Err(Failure::new(
                "ECONNRESET",
                Subject::Server,
                "the server closed the connection after the handshake",
            ));
        }
        Ok(Err(error)) => return Err(cause(&error).unwrap_or_else(|| reset(&error))),
    }
    Ok(shown(&tls, asked.was_asked.load(Ordering::SeqCst)))
}

/// The credentials cannot make a configuration.
#[derive(Debug, thiserror::Error)]
#[error("the stored certificate or key cannot be used")]
pub struct ConfigurationError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Gives the client's certificate, and notes that the server asked for it.
#[derive(Debug)]
struct Asked {
    identity: Arc<dyn ResolvesClientCert>,
    was_asked: AtomicBool,
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let shown = self.identity.resolve(hints, schemes);
        self.was_asked.store(shown.is_some(), Ordering::SeqCst);
        shown
    }

    fn has_certs(&self) -> bool {
        self.identity.has_certs()
    }
}

fn shown(tls: &TlsStream<TcpStream>, client_authenticated: bool) -> Shown {
    let connection = tls.get_ref().1;
    Shown {
        version: match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
            other => format!("{other:?}"),
        },
        // RFC 8446 writes TLS_.., rustls TLS13_.. .
        cipher_suite: connection
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()).replacen("TLS13_", "TLS_", 1))
            .unwrap_or_default(),
        group: connection
            .negotiated_key_exchange_group()
            .map(|group| format!("{:?}", group.name()))
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

fn timed_out(message: &str) -> Failure {
    Failure::new("ETIMEDOUT", Subject::Server, message)
}

fn reset(error: &std::io::Error) -> Failure {
    Failure::new("ECONNRESET", Subject::Server, "the connection broke off")
        .with_source(error.to_string().into())
}

/// Trusts one CA and checks that CA itself, which webpki does not do for a trust anchor.
#[derive(Debug)]
struct PinnedCa {
    ca: Vec<u8>,
    web_pki: Arc<WebPkiServerVerifier>,
}

impl PinnedCa {
    fn new(ca: &[u8]) -> Result<Self, ConfigurationError> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from(ca.to_vec()))
            .map_err(|error| ConfigurationError(error.into()))?;
        let web_pki =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), super::provider())
                .build()
                .map_err(|error| ConfigurationError(error.into()))?;
        Ok(Self {
            ca: ca.to_vec(),
            web_pki,
        })
    }
}

impl ServerCertVerifier for PinnedCa {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        match check_ca(&self.ca, seconds) {
            Validity::Valid => {}
            Validity::Expired => return Err(pinned(PinError::CaExpired)),
            Validity::NotYetValid => return Err(pinned(PinError::CaNotYetValid)),
            Validity::Untrusted(_) if !holds(Defence::CaProfile) => {}
            Validity::Untrusted(_) => return Err(pinned(PinError::CaProfile)),
        }
        let verified = self.web_pki.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        if verified.as_ref().is_err_and(|error| !matters(error)) {
            return Ok(ServerCertVerified::assertion());
        }
        verified.map_err(|error| {
            let self_signed =
                Certificate::from_der(end_entity).is_ok_and(|leaf| leaf.issuer == leaf.subject);
            match error {
                // webpki calls a self-signed CA that serves "CA used as end entity".
                rustls::Error::InvalidCertificate(
                    CertificateError::UnknownIssuer | CertificateError::Other(_),
                ) if self_signed => pinned(PinError::SelfSigned),
                other => other,
            }
        })
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General(
            "TLS 1.2 is not spoken here".to_owned(),
        ))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if !holds(Defence::ServerSignature) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        self.web_pki
            .verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web_pki.supported_verify_schemes()
    }
}

/// Whether this fault of the server's certificate ends the handshake: each does.
fn matters(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => holds(Defence::ServerName),
        _ => holds(Defence::PinnedCa),
    }
}

fn pinned(why: PinError) -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(why))))
}
