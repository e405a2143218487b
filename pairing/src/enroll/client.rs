//! The new device's side: dial, prove, be shown to a person, check what comes back.
//!
//! Before F7 nothing that a peer chose leaves this module: a man in the middle who knows the host's
//! digits could otherwise show them to the person as a name.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    check::{Checked, check},
    frame::{
        Abort, Enrol, Hello, Issued, Malformed, Mode, Pending, Share, VERSION, hello_without_tag,
        kind, read_proof, write_proof,
    },
    name,
    transcript::{EXPORTER_LABEL, Transcript, equal},
    wire::{FRAME_TIME, Wire, WireError, body},
};
use crate::{
    certificate::Certificate,
    credentials::ClientCredentials,
    defence::{Defence, holds},
    device::DeviceKey,
    environment::Environment,
    id::{KeyDigest, PairId},
    invite::Invite,
    secret::Secret,
    tls::{
        PAIRING,
        failure::{Failure, Subject, cause},
        pin,
    },
};

pub use super::refused::EnrollError;

/// What happens on the way; nothing in it was chosen by the peer before F7.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Connected to this address.
    Connected(SocketAddr),
    /// Six digits to show; the person types them on the host within so many seconds.
    Digits {
        /// `123456`.
        digits: String,
        /// Seconds to decide.
        seconds: u8,
    },
}

/// What came out. Not yet ACTIVE: store it, then POST the ack over mutual TLS.
#[derive(Debug)]
pub struct Enrolled {
    /// For the key store.
    pub credentials: ClientCredentials,
    /// The server's name, checked and inert.
    pub server_name: String,
    /// Where the server says it listens (already checked to be local), dialled one first.
    pub addresses: Vec<SocketAddr>,
    /// When to renew, Unix seconds.
    pub renew_after: i64,
}

/// Enrols `key` under `name`: dials the invitation's addresses, proves, waits for the person.
///
/// Addresses race for TCP and TLS only: one run says one hello. A failed run is not to be repeated
/// without the user.
pub async fn enroll(
    invite: &Invite,
    key: DeviceKey,
    name: &str,
    environment: &Environment,
    events: &mut (dyn FnMut(Event) + Send),
) -> Result<Enrolled, EnrollError> {
    let configuration = pin::configuration(invite.key, environment)
        .map_err(|error| EnrollError::Internal(error.into()))?;
    let (stream, address) = dial(configuration, &invite.addresses).await?;
    events(Event::Connected(address));

    let mut wire = Wire(stream);
    let agreed = exchange(&mut wire, invite, &key, name, environment, events).await;
    // A host that waits for our digits need not wait when we are gone.
    let last_words = agreed.as_ref().err().map(|_| Abort::Refused);
    let agreed = match agreed {
        Ok(agreed) => Ok(agreed),
        Err(error) if error.is_over() => Err(error),
        Err(error) => {
            wire.close(last_words.as_ref()).await;
            Err(error)
        }
    }?;
    wire.close(None).await;

    let now = environment.clock.now();
    let Checked {
        leaf,
        ca,
        renew_after,
        addresses,
        server_name,
    } = check(agreed.issued, key.digest(), &agreed.pair, address, now)
        .map_err(EnrollError::Unusable)?;
    Ok(Enrolled {
        credentials: ClientCredentials {
            pair: agreed.pair,
            key,
            leaf,
            ca,
            discovery_key: agreed.discovery_key,
        },
        server_name,
        addresses,
        renew_after,
    })
}

/// What both ends have at the end of an exchange.
struct Agreed {
    issued: Issued,
    pair: PairId,
    discovery_key: Secret,
}

/// F1 to F7.
async fn exchange(
    wire: &mut Wire<TlsStream<TcpStream>>,
    invite: &Invite,
    key: &DeviceKey,
    name: &str,
    environment: &Environment,
    events: &mut (dyn FnMut(Event) + Send),
) -> Result<Agreed, EnrollError> {
    let (exporter, server_key) = channel(&wire.0)?;
    let mut transcript = Transcript::new(exporter, &server_key, &invite.secret);

    // HELLO
    let mut hello = Hello {
        versions: vec![VERSION],
        mode: Mode::Qr,
        session: invite.session,
        share: Vec::new(),
        tag: [0; 32],
    };
    hello.tag = transcript.hello_tag(hello_without_tag(&hello.write()?)?)?;
    let f1 = hello.write()?;
    wire.write(&f1).await?;
    transcript.add(&f1);
    let f2 = read(wire, kind::SHARE, FRAME_TIME)
        .await
        .map_err(|error| match error {
            // A server that does not take our tag says nothing.
            EnrollError::BrokenOff(_) => EnrollError::WrongCode,
            other => other,
        })?;
    let share = Share::read(body(&f2))?;
    let offered = share.version == VERSION || !holds(Defence::VersionOffered);
    if !offered || !share.share.is_empty() {
        return Err(EnrollError::Protocol);
    }
    transcript.add(&f2);

    // PROOF
    let f3 = write_proof(kind::PROOF, &transcript.client_proof()?)?;
    wire.write(&f3).await?;
    transcript.add(&f3);
    let f4 = read(wire, kind::CONFIRM, FRAME_TIME).await?;
    if !equal(&read_proof(body(&f4))?, &transcript.server_proof()?) {
        return Err(EnrollError::WrongServer);
    }
    transcript.add(&f4);

    // ENROL
    let f5 = enrolment(&transcript, key, name, environment)?;
    wire.write(&f5).await?;
    transcript.add(&f5);
    let f6 = read(wire, kind::PENDING, FRAME_TIME).await?;
    let pending = Pending::read(body(&f6))?;
    if holds(Defence::CommitCheck) && !equal(&transcript.commit(&pending.nonce), &share.commit) {
        return Err(EnrollError::Attack);
    }

    // SHOW
    events(Event::Digits {
        digits: transcript.digits(&pending.nonce)?,
        seconds: pending.seconds,
    });
    transcript.add(&f6);
    let patience = Duration::from_secs(u64::from(pending.seconds) + 15);
    let f7 = read(wire, kind::ISSUED, patience).await?;
    Ok(Agreed {
        issued: Issued::read(body(&f7))?,
        pair: transcript.pair_id()?,
        discovery_key: transcript.discovery_key()?,
    })
}

/// F5: all that this device says about itself, signed by its new key.
fn enrolment(
    transcript: &Transcript,
    key: &DeviceKey,
    name: &str,
    environment: &Environment,
) -> Result<Vec<u8>, EnrollError> {
    let mut enrol = Enrol {
        nonce: [0; 32],
        spki: key.spki(),
        name: name::clean(name, "healthsync device").into_bytes(),
        replaces: None,
        signature: [0; 64],
    };
    environment
        .entropy
        .fill(&mut enrol.nonce)
        .map_err(|error| EnrollError::Internal(error.into()))?;
    let message = transcript.enrol_message(&enrol.body_before_signature()?)?;
    enrol.signature = key
        .sign(&message)
        .map_err(|error| EnrollError::Internal(error.into()))?;
    Ok(enrol.write()?)
}

async fn read<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &mut Wire<S>,
    kind: u8,
    within: Duration,
) -> Result<Vec<u8>, EnrollError> {
    Ok(wire.read(kind, within).await?)
}

/// What binds the exchange to this channel: the exporter value and the key of its certificate.
fn channel(stream: &TlsStream<TcpStream>) -> Result<([u8; 32], KeyDigest), EnrollError> {
    let connection = stream.get_ref().1;
    let mut exporter = [0; 32];
    connection
        .export_keying_material(&mut exporter, EXPORTER_LABEL, None)
        .map_err(|error| EnrollError::Internal(error.into()))?;
    let certificate = connection
        .peer_certificates()
        .and_then(|chain| Certificate::from_der(chain.first()?).ok())
        .ok_or(EnrollError::Protocol)?;
    Ok((exporter, certificate.key))
}

/// The first address on which the window of the invitation answers.
async fn dial(
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
            "the invitation names no address",
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

impl From<Malformed> for EnrollError {
    fn from(_: Malformed) -> Self {
        Self::Protocol
    }
}

impl From<WireError> for EnrollError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Aborted(abort) => match abort {
                Abort::Version(_) => Self::Version,
                Abort::Busy => Self::Used,
                Abort::WrongCode => Self::WrongCode,
                Abort::Refused => Self::Refused,
                Abort::Time => Self::Expired,
                Abort::ModeOff | Abort::Internal => Self::ServerFailed,
            },
            WireError::Lost(error) => Self::BrokenOff(error),
            WireError::Late => Self::TimedOut,
            WireError::Malformed => Self::Protocol,
        }
    }
}
