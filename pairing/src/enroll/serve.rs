//! One device's exchange on the host, from F1 to F7.
//!
//! No slot is taken before F3 proves over the server's commitment that the device knows the secret
//! (`greet`), and no person is asked before F5 has fixed all that the device says.

mod greet;

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::{Instant, sleep, timeout_at},
};
use zeroize::Zeroizing;

use super::{
    desk::{Admission, Closing, DECISION_SECONDS, Decision, Step},
    frame::{Abort, Enrol, Issued, Malformed, Pending, kind, write_proof},
    host::{Approval, HostEvent, Replaced},
    name,
    transcript::Transcript,
    wire::{FRAME_TIME, Wire, WireError, body},
};
use crate::{
    audit::{Event, Note},
    defence::{Defence, holds},
    device::verify_p256,
    id::{KeyDigest, PairId},
    trust::{NewPair, Trust},
};

/// A connection for pairing lives so long.
pub(crate) const CONNECTION_TIME: Duration = Duration::from_secs(90);

/// Why an exchange ended.
struct Fault {
    /// For the log.
    reason: &'static str,
    /// What the device is told.
    abort: Option<Abort>,
    /// What the person is told if the device held the slot.
    code: &'static str,
}

impl From<Malformed> for Fault {
    fn from(_: Malformed) -> Self {
        INTERNAL
    }
}

impl Fault {
    const fn silent(reason: &'static str) -> Self {
        Self {
            reason,
            abort: None,
            code: "PAIRING_FAILED",
        }
    }

    const fn said(reason: &'static str, abort: Abort) -> Self {
        Self {
            reason,
            abort: Some(abort),
            code: "PAIRING_FAILED",
        }
    }

    const fn with_code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }
}

/// Runs the exchange to its end; gives the reason when it ended without a pair.
pub(crate) async fn serve<S>(
    trust: &Arc<Trust>,
    mut admission: Admission,
    stream: S,
    exporter: [u8; 32],
    from: SocketAddr,
    accepted: Instant,
) -> Result<(), &'static str>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let evicted = admission.evicted.take();
    let mut exchange = Exchange {
        trust,
        wire: Wire(stream),
        closing: admission.closing.clone(),
        admission,
        asked: None,
    };
    let whole = async {
        // Who takes the slot leaves the queue, which also ends the wait for eviction: so the
        // exchange is looked at first.
        let (transcript, nonce) = tokio::select! {
            biased;
            greeted = exchange.greet(exporter) => greeted?,
            () = evicted => return Err(Fault::silent("too many connections for pairing")),
        };
        exchange.enrol(transcript, nonce, from).await
    };
    let outcome = timeout_at(accepted + CONNECTION_TIME, whole).await;
    let outcome = outcome.unwrap_or_else(|_| {
        let fault = Fault::said("the pairing took too long", Abort::Refused);
        Err(fault.with_code("PAIRING_TIMEOUT"))
    });
    match outcome {
        Ok(()) => {
            exchange.wire.close(None).await;
            Ok(())
        }
        Err(fault) => {
            if let Some(key) = exchange.asked {
                let refused = Note::new(Event::PairingRefused).by(key);
                trust.audit().note(refused.ending(fault.code));
            }
            exchange.admission.give_up(fault.code);
            if fault.abort.is_some() {
                exchange.wire.close(fault.abort.as_ref()).await;
            }
            Err(fault.reason)
        }
    }
}

struct Exchange<'a, S> {
    trust: &'a Arc<Trust>,
    admission: Admission,
    wire: Wire<S>,
    closing: watch::Receiver<Option<Closing>>,
    /// The key of the device that asked and got nothing yet.
    asked: Option<KeyDigest>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<'_, S> {
    /// F4 to F7: the device has the slot.
    async fn enrol(
        &mut self,
        mut transcript: Transcript,
        nonce: Zeroizing<[u8; 32]>,
        from: SocketAddr,
    ) -> Result<(), Fault> {
        let f4 = write_proof(kind::CONFIRM, &transcript.server_proof()?)?;
        self.wire
            .write(&f4)
            .await
            .map_err(|error| spoiled(&error))?;
        transcript.add(&f4);

        let f5 = unless_closed(&mut self.closing, self.wire.read(kind::ENROL, FRAME_TIME))
            .await
            .map_err(|_| REFUSED)?
            .map_err(|error| spoiled(&error))?;
        let enrol = Enrol::read(body(&f5)).map_err(|_| BAD_ENROLMENT)?;
        let (name, replaced) = check(self.trust, &self.admission, &transcript, &enrol)?;
        let replaces = replaced.as_ref().map(|old| old.pair);
        transcript.add(&f5);

        let digits = transcript.digits(&nonce)?;
        let f6 = Pending {
            nonce: *nonce,
            seconds: DECISION_SECONDS,
        }
        .write()?;
        self.wire
            .write(&f6)
            .await
            .map_err(|error| spoiled(&error))?;
        transcript.add(&f6);

        let key = KeyDigest::of_spki(&enrol.spki);
        self.asked = Some(key);
        let asked = Note::new(Event::PairingAsked).by(key);
        self.trust.audit().note(asked);
        let wanted = HostEvent::DigitsWanted {
            name: name.clone(),
            key,
            from,
            seconds: DECISION_SECONDS,
            replaces: replaced,
        };
        let decided = self.admission.ask(digits, wanted).ok_or(REFUSED)?;
        tokio::select! {
            biased;
            decision = decided => match decision {
                Ok(Decision::Approved) => {}
                Ok(Decision::Refused) | Err(_) => return Err(REFUSED),
            },
            early = self.wire.anything() => return Err(spoiled(&early)),
            () = sleep(Duration::from_secs(DECISION_SECONDS.into())) => return Err(
                Fault::said("nobody decided in time", Abort::Refused).with_code("PAIRING_TIMEOUT"),
            ),
        }

        let new = NewPair {
            pair: transcript.pair_id()?,
            spki: enrol.spki,
            name,
            replaces,
            discovery_key: transcript.discovery_key()?,
            leaf_days: self.admission.settings.leaf_days,
            scope: self.admission.settings.scope.clone(),
        };
        let certificates = self.trust.issue(new).await.map_err(|error| {
            tracing::error!(%error, code = error.code(), "the new pair could not be stored");
            INTERNAL
        })?;
        self.asked = None;
        let approved = Note::new(Event::PairingApproved).of(certificates.pair);
        self.trust.audit().note(approved.by(key));
        let f7 = Issued {
            leaf: certificates.leaf,
            ca: certificates.ca,
            renew_after: certificates.renew_after,
            addresses: self.admission.settings.addresses.clone(),
            server_name: self.admission.settings.server_name.clone().into_bytes(),
        }
        .write()?;
        // From here on the person waits for the acknowledgement, which may come before this returns.
        if let Some(events) = self.admission.finish() {
            self.trust.expect_acknowledgement(certificates.pair, events);
        }
        self.wire.write(&f7).await.map_err(broken)
    }
}

/// What the device says about itself: its own key signed it, the key is new here, the old pair's
/// key agrees to be replaced, the name is harmless. Gives the name as people may see it, and what
/// they should know of the old pair.
fn check(
    trust: &Trust,
    admission: &Admission,
    transcript: &Transcript,
    enrol: &Enrol,
) -> Result<(String, Option<Replaced>), Fault> {
    let signed = transcript.enrol_message(&enrol.body_before_signature()?)?;
    let proved = verify_p256(&enrol.spki, &signed, &enrol.signature).is_ok();
    if !proved && holds(Defence::EnrolSignature) {
        return Err(BAD_ENROLMENT);
    }
    let name = name::parse(&enrol.name).ok_or(BAD_ENROLMENT)?;
    let key = KeyDigest::of_spki(&enrol.spki);
    if trust.knows_key(&key) && holds(Defence::KeyOnce) {
        return Err(BAD_ENROLMENT);
    }
    let mut replaced = None;
    if let Some(old) = &enrol.replaces {
        let signed = transcript.replace_message(&enrol.body_before_old_signature()?)?;
        let (record, spki) = trust.active(&PairId(old.pair)).ok_or(BAD_ENROLMENT)?;
        if holds(Defence::OldKeySignature) {
            verify_p256(&spki, &signed, &old.signature).map_err(|_| BAD_ENROLMENT)?;
        }
        replaced = Some(Replaced {
            pair: record.pair,
            name: record.name,
            paired_at: record.created_at,
        });
    }
    match &admission.settings.approval {
        Approval::ExpectKey(expected) if *expected != key => Err(Fault::said(
            "another key than the expected one",
            Abort::Refused,
        )
        .with_code("PAIRING_REFUSED")),
        _ => Ok((name::inert(&name), replaced)),
    }
}

const INTERNAL: Fault = Fault::said("an internal failure", Abort::Internal);
const REFUSED: Fault = Fault::said("refused", Abort::Refused).with_code("PAIRING_REFUSED");
const BAD_ENROLMENT: Fault = Fault::said("a bad enrolment", Abort::Refused);

/// Before the slot: nothing is said to who does not follow the protocol.
fn broken(_: WireError) -> Fault {
    Fault::silent("the exchange broke off")
}

/// With the slot: Abort 4, and the window closes.
fn spoiled(error: &WireError) -> Fault {
    let fault = Fault::said("the exchange broke off", Abort::Refused);
    match error {
        WireError::Late => fault.with_code("PAIRING_TIMEOUT"),
        _ => fault,
    }
}

/// A good F1 was answered, and then the window closed.
fn left_behind(why: Closing) -> Fault {
    Fault::said(
        "the window closed",
        match why {
            Closing::Expired => Abort::Time,
            Closing::Used => Abort::Busy,
            Closing::Other => Abort::Refused,
        },
    )
}

fn granted(step: Step, closing: &watch::Receiver<Option<Closing>>) -> Result<(), Fault> {
    match step {
        Step::Granted => Ok(()),
        Step::Taken => Err(Fault::said("the code is used", Abort::Busy)),
        Step::WrongCode => Err(Fault::said("a typed code that is over", Abort::WrongCode)),
        Step::ModeOff => Err(Fault::said("typed codes are off", Abort::ModeOff)),
        Step::Closed => Err(left_behind(closing.borrow().unwrap_or(Closing::Other))),
    }
}

/// Does the work unless the window closes first.
async fn unless_closed<T>(
    closing: &mut watch::Receiver<Option<Closing>>,
    work: impl Future<Output = T>,
) -> Result<T, Closing> {
    tokio::select! {
        biased;
        closed = closing.wait_for(Option::is_some) => {
            Err(closed.ok().and_then(|why| *why).unwrap_or(Closing::Other))
        }
        done = work => Ok(done),
    }
}

#[cfg(test)]
mod tests;
