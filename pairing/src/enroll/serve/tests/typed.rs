//! Typed codes: counts and limits, and what a man in the middle who knows the code can try.

use std::{collections::VecDeque, sync::Mutex};

use super::*;
use crate::{
    code::TypedCode,
    enroll::{
        frame::Share,
        pake::{Pake, Side},
    },
    environment::{Entropy as _, EntropyUnavailable},
    secret::Secret,
};

/// Bytes that are the same in each run: SHA-256 of a seed and a counter.
#[derive(Debug)]
pub(super) struct Seeded(Mutex<(u64, VecDeque<u8>)>);

impl Seeded {
    fn new(seed: u64) -> Self {
        Self(Mutex::new((seed << 32, VecDeque::new())))
    }
}

impl crate::environment::Entropy for Seeded {
    #[expect(clippy::unwrap_in_result, reason = "a test that cannot go on stops")]
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        let mut state = self.0.lock().unwrap();
        for byte in bytes {
            if state.1.is_empty() {
                state.0 += 1;
                let block = KeyDigest::of_spki(&state.0.to_be_bytes()).0;
                state.1.extend(block);
            }
            *byte = state.1.pop_front().unwrap();
        }
        Ok(())
    }
}

impl Host {
    fn seeded(seed: u64) -> Self {
        Self::with(Arc::new(Seeded::new(seed)), Approval::Digits)
    }

    /// The code that the host shows.
    fn code(&self) -> Option<TypedCode> {
        let text = self.window.code()?;
        Some(TypedCode::parse(std::str::from_utf8(text.expose()).unwrap()).unwrap())
    }

    /// One try from `from`, up to the answer to F3.
    async fn guess(&self, code: &TypedCode, from: &str) -> Option<Abort> {
        let mut device = self.connect(from).unwrap();
        device.hail(code).await.unwrap();
        device.confirm().await.err().unwrap()
    }
}

/// A code that no seeded host shows.
fn wrong() -> TypedCode {
    TypedCode::draw(&Seeded::new(0x00c0_ffee)).unwrap()
}

/// The same code once more.
fn again(code: &TypedCode) -> TypedCode {
    TypedCode::parse(std::str::from_utf8(code.to_text().expose()).unwrap()).unwrap()
}

impl Device {
    /// F1 with a share for this code, then F2; or what the host says instead. Gives what both
    /// share if the code is right.
    async fn hail(&mut self, code: &TypedCode) -> Result<(Secret, [Vec<u8>; 2]), Option<Abort>> {
        let entropy = SystemEntropy;
        let (pake, share) = Pake::start(Side::Client, code, &EXPORTER, &entropy).unwrap();
        let hello = Hello {
            versions: vec![VERSION],
            mode: Mode::Code,
            session: [0; 8],
            share,
            tag: [0; 32],
        };
        let f1 = hello.write().unwrap();
        self.send(&f1).await;
        let f2 = self.answer(kind::SHARE).await?;
        let share = Share::read(body(&f2)).unwrap();
        let shared = pake.finish(&share.share).unwrap();
        self.transcript = Transcript::new(EXPORTER, &self.key, &shared);
        self.transcript.add(&f1);
        self.transcript.add(&f2);
        Ok((shared, [f1, f2]))
    }

    /// F3, then F4; or what the host says instead.
    async fn confirm(&mut self) -> Result<[Vec<u8>; 2], Option<Abort>> {
        let proof = self.transcript.client_proof().unwrap();
        let f3 = write_proof(kind::PROOF, &proof).unwrap();
        self.send(&f3).await;
        Ok([f3, self.answer(kind::CONFIRM).await?])
    }

    async fn answer(&mut self, wanted: u8) -> Result<Vec<u8>, Option<Abort>> {
        match self.receive().await {
            Some(frame) if frame[0] == wanted => Ok(frame),
            Some(frame) => {
                assert_eq!(frame[0], kind::ABORT, "{frame:?}");
                Err(Some(Abort::read(body(&frame)).unwrap()))
            }
            None => Err(None),
        }
    }
}

#[tokio::test]
async fn limit_enforced_with_right_code_after() {
    let mut host = Host::seeded(1);
    let right = host.code().unwrap();
    // This one is let in before the limit is reached, and knows the code.
    let mut early = host.device();
    early.hail(&right).await.unwrap();
    for _ in 0..5 {
        assert!(host.window.events.try_recv().is_err());
        let said = host.guess(&wrong(), "192.168.1.9:1").await;
        assert_eq!(said, Some(Abort::WrongCode));
    }
    assert_eq!(host.window.events.try_recv(), Ok(HostEvent::NewCode));
    assert_eq!(early.confirm().await.err(), Some(Some(Abort::WrongCode)));
    let late = host.guess(&again(&right), "192.168.1.3:1").await;
    assert_eq!(late, Some(Abort::WrongCode));
    // The slot was not spent: the code that is shown now pairs.
    let mut device = host.device();
    let new = host.code().unwrap();
    device.hail(&new).await.unwrap();
    device.confirm().await.unwrap();
    device.enrol().await;
}

#[tokio::test]
async fn attempts_counted_per_window_not_per_ip() {
    let mut host = Host::seeded(2);
    for from in [
        "192.168.1.3:1",
        "192.168.1.4:1",
        "10.0.0.1:1",
        "[fd00:1::1]:1",
        "[fd00:2::1]:1",
    ] {
        assert!(host.window.events.try_recv().is_err(), "{from}");
        assert_eq!(host.guess(&wrong(), from).await, Some(Abort::WrongCode));
    }
    assert_eq!(host.window.events.try_recv(), Ok(HostEvent::NewCode));
}

#[tokio::test]
async fn code_guessing_leaves_qr_mode() {
    let mut host = Host::seeded(3);
    let mut shown = Vec::new();
    for code in 1..=3 {
        shown.push(host.code().unwrap().to_text().expose().to_vec());
        for _ in 0..5 {
            let said = host.guess(&wrong(), "192.168.1.9:1").await;
            assert_eq!(said, Some(Abort::WrongCode));
        }
        let expected = if code < 3 {
            HostEvent::NewCode
        } else {
            HostEvent::CodesEnded
        };
        assert_eq!(host.window.events.try_recv(), Ok(expected));
    }
    shown.sort();
    shown.dedup();
    assert_eq!(shown.len(), 3);
    assert!(host.code().is_none());
    let mut guessing = host.device();
    let said = guessing.hail(&wrong()).await;
    assert_eq!(said.err(), Some(Some(Abort::ModeOff)));

    let mut device = host.device();
    device.greet(&host.invite).await;
    device.prove().await;
    device.enrol().await;
    assert!(matches!(
        host.window.events.recv().await,
        Some(HostEvent::DigitsWanted { .. })
    ));
}

/// Many that began while the code was good, and confirm at once: the count is under one lock.
#[tokio::test]
async fn guesses_side_by_side_are_counted_too() {
    let mut host = Host::seeded(4);
    let mut waiting = Vec::new();
    for at in 0..16 {
        let mut device = host.connect(&format!("10.0.0.{at}:1")).unwrap();
        device.hail(&wrong()).await.unwrap();
        waiting.push(device);
    }
    for mut device in waiting {
        assert_eq!(device.confirm().await.err(), Some(Some(Abort::WrongCode)));
    }
    // Eleven were for a code that was over.
    assert_eq!(host.window.events.try_recv(), Ok(HostEvent::NewCode));
    assert!(host.window.events.try_recv().is_err());
    assert!(host.code().is_some());
}

/// Somebody who has the slot is asked about once; a wrong code then is counted in silence, a right
/// one is what the person must know.
#[tokio::test]
async fn the_question_stands_while_others_guess() {
    let mut host = Host::seeded(5);
    let mut device = host.device();
    let right = host.code().unwrap();
    device.hail(&right).await.unwrap();
    device.confirm().await.unwrap();
    device.enrol().await;
    assert!(matches!(
        host.window.events.recv().await,
        Some(HostEvent::DigitsWanted { .. })
    ));
    for _ in 0..2 {
        let said = host.guess(&wrong(), "192.168.1.9:1").await;
        assert_eq!(said, Some(Abort::WrongCode));
    }
    assert!(host.window.events.try_recv().is_err());
    let said = host.guess(&right, "192.168.1.9:1").await;
    assert_eq!(said, Some(Abort::Busy));
    assert_eq!(host.window.events.try_recv(), Ok(HostEvent::AnotherDevice));
    for _ in 0..4 {
        host.guess(&wrong(), "192.168.1.9:1").await;
    }
    assert!(host.window.events.try_recv().is_err());
}

/// A hello with a share proves nothing: many of them keep nobody out who has the QR code.
#[tokio::test]
async fn hellos_without_proof_give_way() {
    let host = Host::seeded(6);
    let mut guessing = Vec::new();
    for at in 0..16 {
        let mut device = host.connect(&format!("10.0.0.{at}:1")).unwrap();
        device.hail(&wrong()).await.unwrap();
        guessing.push(device);
    }
    let mut device = host.device();
    device.greet(&host.invite).await;
    device.prove().await;
    let (_, reason, _) = guessing.remove(0).end().await;
    assert_eq!(reason, "too many connections for pairing");
}

/// In the middle, towards the host: it knows the code and wants the host's digits to be those that
/// the person reads on the true device. So it tries values of its own in F5, with all that the
/// host has said by then. Two of the six digits are enough here; by chance they agree once in 100.
#[tokio::test]
async fn sas_grind_enrol() {
    const WINDOWS: u64 = 6;
    const READ_BY_THE_PERSON: u32 = 42;
    let ends = |digits: &str| digits.parse::<u32>().unwrap() % 100;
    let mut hits = 0;
    for window in 0..WINDOWS {
        let host = Host::seeded(100 + window);
        let mut device = host.device();
        let (shared, hello) = device.hail(&host.code().unwrap()).await.unwrap();
        let proofs = device.confirm().await.unwrap();
        // The best guess at nS before F5: what F2 says about it.
        let commit = Share::read(body(&hello[1])).unwrap().commit;
        let key = DeviceKey::generate().unwrap();
        let own = Seeded::new(200 + window);
        let mut found = None;
        for _ in 0..2_000 {
            let mut enrol = Enrol {
                nonce: [0; 32],
                spki: key.spki(),
                name: b"device".to_vec(),
                replaces: None,
                signature: [0; 64],
            };
            own.fill(&mut enrol.nonce).unwrap();
            let mut guess = Transcript::new(EXPORTER, &device.key, &shared);
            for frame in hello.iter().chain(&proofs) {
                guess.add(frame);
            }
            let covered = enrol.body_before_signature().unwrap();
            let message = guess.enrol_message(&covered).unwrap();
            enrol.signature = key.sign(&message).unwrap();
            let f5 = enrol.write().unwrap();
            guess.add(&f5);
            if ends(&guess.digits(&commit).unwrap()) == READ_BY_THE_PERSON {
                found = Some(f5);
                break;
            }
        }
        device.send(&found.unwrap()).await;
        let digits = {
            let mut header = [0; 3];
            device.stream.read_exact(&mut header).await.unwrap();
            assert_eq!(header[0], kind::PENDING);
            let mut pending = [0; 33];
            device.stream.read_exact(&mut pending).await.unwrap();
            let nonce = Pending::read(&pending).unwrap().nonce;
            device.transcript.digits(&nonce).unwrap()
        };
        hits += u64::from(ends(&digits) == READ_BY_THE_PERSON);
        // The next host stops the clock again.
        tokio::time::resume();
    }
    // All six by chance: once in 10^12.
    assert!(hits < WINDOWS, "the digits were chosen by the device");
}

/// Also in the middle: it would open connection after connection until the digits suit it. No
/// connection shows nS before F5, which takes the slot, and a window has one.
#[tokio::test]
async fn sas_redraw_before_proof() {
    let mut host = Host::seeded(7);
    let code = host.code().unwrap();
    for _ in 0..20 {
        let mut device = host.device();
        device.hail(&code).await.unwrap();
        drop(device);
    }
    assert!(host.window.events.try_recv().is_err());
    let (mut first, mut second) = (host.device(), host.device());
    first.hail(&code).await.unwrap();
    second.hail(&code).await.unwrap();
    first.confirm().await.unwrap();
    first.enrol().await;
    assert_eq!(second.confirm().await.err(), Some(Some(Abort::Busy)));
    drop(first);
    assert_eq!(host.closed().await, "PAIRING_FAILED");
    assert!(host.connect("192.168.1.3:1").is_none());
}
