//! The new device's side: dial, prove, be shown to a person, check what comes back.
//!
//! By invitation or by typed code it is the same exchange; only what both ends share comes from
//! another place. Before F7 nothing that a peer chose leaves this module: a man in the middle who knows the host's
//! digits could otherwise show them to the person as a name.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    check::{Checked, check},
    dial::{Stream, dial},
    frame::{
        Abort, Enrol, Hello, Issued, Malformed, Mode, Pending, Replaces, SHARE_LENGTH, Share,
        VERSION, hello_without_tag, kind, read_proof, write_proof,
    },
    name,
    pake::{Pake, Side},
    transcript::{EXPORTER_LABEL, Transcript, equal},
    wire::{FRAME_TIME, Wire, WireError, body},
};
use crate::{
    certificate::Certificate,
    code::TypedCode,
    credentials::ClientCredentials,
    defence::{Defence, holds},
    device::DeviceKey,
    environment::Environment,
    id::{KeyDigest, PairId},
    invite::Invite,
    secret::Secret,
    tls::{pin, trace::Trace},
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

/// What shows this device the way to a window, and what it shares with it.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// The QR code or its text.
    Invite(&'a Invite),
    /// A code that a person typed, for the window at one of these addresses.
    Code(&'a TypedCode, &'a [SocketAddr]),
}

/// The device that asks to be paired.
#[derive(Debug)]
pub struct Newcomer<'a> {
    /// Its key, born for this pair.
    pub key: DeviceKey,
    /// What it calls itself.
    pub name: &'a str,
    /// The pair that it leaves for this one: its key agrees to that.
    pub replaces: Option<&'a ClientCredentials>,
    /// Pairs that it has: their ids are taken.
    pub known: &'a [PairId],
}

/// [`enroll_by`] an invitation, as a device that has no pair.
pub async fn enroll(
    invite: &Invite,
    key: DeviceKey,
    name: &str,
    environment: &Environment,
    events: &mut (dyn FnMut(Event) + Send),
) -> Result<Enrolled, EnrollError> {
    let newcomer = Newcomer {
        key,
        name,
        replaces: None,
        known: &[],
    };
    enroll_by(By::Invite(invite), newcomer, environment, events).await
}

/// Enrols a device: dials the window's addresses, proves, waits for the person.
///
/// Addresses race for TCP and TLS only: one run says one hello. A failed run is not to be repeated
/// without the user.
pub async fn enroll_by(
    by: By<'_>,
    newcomer: Newcomer<'_>,
    environment: &Environment,
    events: &mut (dyn FnMut(Event) + Send),
) -> Result<Enrolled, EnrollError> {
    enroll_watched(by, newcomer, environment, &Trace::off(), events).await
}

/// [`enroll_by`], telling each step of the connection.
pub async fn enroll_watched(
    by: By<'_>,
    newcomer: Newcomer<'_>,
    environment: &Environment,
    trace: &Trace,
    events: &mut (dyn FnMut(Event) + Send),
) -> Result<Enrolled, EnrollError> {
    let (pinned, addresses) = match by {
        By::Invite(invite) => (Some(invite.key), invite.addresses.as_slice()),
        By::Code(_, addresses) => (None, addresses),
    };
    let configuration = pin::configuration(pinned, environment, trace)
        .map_err(|error| EnrollError::Internal(error.into()))?;
    let (stream, mut address) = dial(Arc::clone(&configuration), addresses, trace).await?;
    events(Event::Connected(address));

    let mut wire = Wire(stream);
    let mut agreed = exchange(&mut wire, by, &newcomer, environment, events).await;
    if agreed.is_err() && !holds(Defence::OneHello) {
        // Broken: a man in the middle gets another draw of everything, and the person sees nothing.
        let (stream, again) = dial(configuration, addresses, trace).await?;
        (wire, address) = (Wire(stream), again);
        agreed = exchange(&mut wire, by, &newcomer, environment, events).await;
    }
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

    let Newcomer { key, known, .. } = newcomer;
    let now = environment.clock.now();
    let Checked {
        leaf,
        ca,
        renew_after,
        addresses,
        server_name,
    } = check(
        agreed.issued,
        key.digest(),
        &agreed.pair,
        known,
        address,
        now,
    )
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
    wire: &mut Wire<Stream>,
    by: By<'_>,
    newcomer: &Newcomer<'_>,
    environment: &Environment,
    events: &mut (dyn FnMut(Event) + Send),
) -> Result<Agreed, EnrollError> {
    let (exporter, server_key) = channel(&wire.0)?;

    // HELLO
    let (mut transcript, share) = match by {
        By::Invite(invite) => {
            let transcript = Transcript::new(exporter, &server_key, &invite.secret);
            hello_with_tag(wire, invite, transcript).await?
        }
        By::Code(code, _) => {
            hello_with_share(wire, code, exporter, &server_key, environment).await?
        }
    };

    // PROOF
    let f3 = write_proof(kind::PROOF, &transcript.client_proof()?)?;
    wire.write(&f3).await?;
    transcript.add(&f3);
    let f4 = read(wire, kind::CONFIRM, FRAME_TIME).await?;
    let is_right = equal(&read_proof(body(&f4))?, &transcript.server_proof()?);
    if !is_right && holds(Defence::ServerProof) {
        return Err(EnrollError::WrongServer);
    }
    transcript.add(&f4);

    // ENROL
    let f5 = enrolment(&transcript, newcomer, environment)?;
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

/// F1 and F2 by invitation: the tag proves the secret over this channel.
async fn hello_with_tag(
    wire: &mut Wire<Stream>,
    invite: &Invite,
    mut transcript: Transcript,
) -> Result<(Transcript, Share), EnrollError> {
    let mut hello = Hello {
        versions: vec![VERSION],
        mode: Mode::Qr,
        session: invite.session,
        share: Vec::new(),
        tag: [0; 32],
    };
    hello.tag = transcript.hello_tag(hello_without_tag(&hello.write()?)?)?;
    let (f1, f2) = ask(wire, &hello).await.map_err(|error| match error {
        // A server that does not take our tag says nothing.
        EnrollError::BrokenOff(_) => EnrollError::WrongCode,
        other => other,
    })?;
    let share = read_share(&f2, 0)?;
    transcript.add(&f1);
    transcript.add(&f2);
    Ok((transcript, share))
}

/// F1 and F2 by typed code: what both ends share comes out of SPAKE2, and nothing is proved yet.
async fn hello_with_share(
    wire: &mut Wire<Stream>,
    code: &TypedCode,
    exporter: [u8; 32],
    server_key: &KeyDigest,
    environment: &Environment,
) -> Result<(Transcript, Share), EnrollError> {
    let (pake, share) = Pake::start(Side::Client, code, &exporter, &*environment.entropy)
        .map_err(|error| EnrollError::Internal(error.into()))?;
    let hello = Hello {
        versions: vec![VERSION],
        mode: Mode::Code,
        session: [0; 8],
        share,
        tag: [0; 32],
    };
    let (f1, f2) = ask(wire, &hello).await?;
    let share = read_share(&f2, SHARE_LENGTH)?;
    let shared = pake.finish(&share.share)?;
    let mut transcript = Transcript::new(exporter, server_key, &shared);
    transcript.add(&f1);
    transcript.add(&f2);
    Ok((transcript, share))
}

/// F1 out, F2 in: the whole frames.
async fn ask(wire: &mut Wire<Stream>, hello: &Hello) -> Result<(Vec<u8>, Vec<u8>), EnrollError> {
    let f1 = hello.write()?;
    wire.write(&f1).await?;
    let f2 = read(wire, kind::SHARE, FRAME_TIME).await?;
    Ok((f1, f2))
}

fn read_share(f2: &[u8], length: usize) -> Result<Share, EnrollError> {
    let share = Share::read(body(f2))?;
    let offered = share.version == VERSION || !holds(Defence::VersionOffered);
    if offered && share.share.len() == length {
        Ok(share)
    } else {
        Err(EnrollError::Protocol)
    }
}

/// F5: all that this device says about itself, signed by its new key, and by the old one if it
/// leaves a pair for this one.
fn enrolment(
    transcript: &Transcript,
    newcomer: &Newcomer<'_>,
    environment: &Environment,
) -> Result<Vec<u8>, EnrollError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| EnrollError::Internal(error);
    let mut enrol = Enrol {
        nonce: [0; 32],
        spki: newcomer.key.spki(),
        name: name::clean(newcomer.name, "healthsync device").into_bytes(),
        replaces: newcomer.replaces.map(|old| Replaces {
            pair: old.pair.0,
            signature: [0; 64],
        }),
        signature: [0; 64],
    };
    let entropy = &environment.entropy;
    entropy
        .fill(&mut enrol.nonce)
        .map_err(|error| failed(error.into()))?;
    let message = transcript.replace_message(&enrol.body_before_old_signature()?)?;
    if let (Some(old), Some(said)) = (newcomer.replaces, &mut enrol.replaces) {
        said.signature = old
            .key
            .sign(&message)
            .map_err(|error| failed(error.into()))?;
    }
    let message = transcript.enrol_message(&enrol.body_before_signature()?)?;
    enrol.signature = newcomer
        .key
        .sign(&message)
        .map_err(|error| failed(error.into()))?;
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
fn channel(stream: &Stream) -> Result<([u8; 32], KeyDigest), EnrollError> {
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
                Abort::WrongCode => Self::WrongTypedCode,
                Abort::Refused => Self::Refused,
                Abort::Time => Self::Expired,
                Abort::ModeOff => Self::ModeOff,
                Abort::Internal => Self::ServerFailed,
            },
            WireError::Lost(error) => Self::BrokenOff(error),
            WireError::Late => Self::TimedOut,
            WireError::Malformed => Self::Protocol,
        }
    }
}
