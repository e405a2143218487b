//! Time limits and caps, on a clock that stands until everybody waits: in memory, without TLS.

mod flood;
#[cfg(feature = "typed-code")]
mod typed;

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    task::JoinHandle,
    time::{advance, pause},
};

use super::*;
use crate::{
    device::DeviceKey,
    enroll::{
        frame::{Hello, Mode, VERSION, hello_without_tag},
        host::{Window, WindowOptions},
    },
    environment::{Clock, Environment, SystemEntropy},
    invite::Invite,
    keystore::memory::MemoryStore,
};

const EXPORTER: [u8; 32] = [3; 32];

#[derive(Debug)]
struct Stopped(AtomicI64);

impl Clock for Stopped {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

struct Host {
    trust: Arc<Trust>,
    window: Window,
    invite: Invite,
    _folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        Self::with(Arc::new(SystemEntropy), Approval::Digits)
    }

    fn with(entropy: Arc<dyn crate::environment::Entropy>, approval: Approval) -> Self {
        // Before the window opens: its time counts from then on.
        pause();
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment {
            clock: Arc::new(Stopped(AtomicI64::new(1_800_000_000))),
            entropy,
        };
        let keys = Box::<MemoryStore>::default();
        let trust = Trust::open(&folder.path().join("trust.db"), keys, environment).unwrap();
        let window = trust
            .open_window(WindowOptions {
                seconds: 300,
                addresses: vec!["192.168.1.2:8443".parse().unwrap()],
                server_name: "server".to_owned(),
                approval,
                leaf_days: 365,
                scope: crate::trust::Scope::default(),
            })
            .unwrap();
        let text = std::str::from_utf8(window.text.expose())
            .unwrap()
            .to_owned();
        Self {
            trust,
            window,
            invite: Invite::parse(&text).unwrap(),
            _folder: folder,
        }
    }

    /// A connection from `from`; `None` when it is not let in.
    fn connect(&self, from: &str) -> Option<Device> {
        let from: SocketAddr = from.parse().unwrap();
        let admission = self.trust.admit(from)?;
        let (near, far) = duplex(8192);
        let trust = Arc::clone(&self.trust);
        let accepted = Instant::now();
        let outcome = tokio::spawn(async move {
            let served = serve(&trust, admission, far, EXPORTER, from, accepted).await;
            (served, accepted.elapsed().as_secs())
        });
        let secret = crate::secret::Secret::new(self.invite.secret.expose().to_vec());
        Some(Device {
            stream: near,
            key: self.invite.key,
            transcript: Transcript::new(EXPORTER, &self.invite.key, &secret),
            outcome,
        })
    }

    /// The one connection of most tests.
    fn device(&self) -> Device {
        self.connect("192.168.1.3:5000").unwrap()
    }

    async fn closed(&mut self) -> &'static str {
        loop {
            match self.window.events.recv().await {
                Some(HostEvent::Closed { code }) => return code,
                Some(_) => {}
                None => panic!("not closed"),
            }
        }
    }
}

struct Device {
    stream: DuplexStream,
    /// The window's.
    #[cfg_attr(not(feature = "typed-code"), expect(dead_code, reason = "for SPAKE2"))]
    key: KeyDigest,
    transcript: Transcript,
    outcome: JoinHandle<(Result<(), &'static str>, u64)>,
}

impl Device {
    async fn send(&mut self, frame: &[u8]) {
        self.stream.write_all(frame).await.unwrap();
        self.transcript.add(frame);
    }

    async fn receive(&mut self) -> Option<Vec<u8>> {
        let mut header = [0; 3];
        self.stream.read_exact(&mut header).await.ok()?;
        let mut frame = header.to_vec();
        frame.resize(3 + usize::from(header[2]) + 256 * usize::from(header[1]), 0);
        self.stream.read_exact(&mut frame[3..]).await.ok()?;
        self.transcript.add(&frame);
        Some(frame)
    }

    async fn greet(&mut self, invite: &Invite) {
        let mut hello = Hello {
            versions: vec![VERSION],
            mode: Mode::Qr,
            session: invite.session,
            share: Vec::new(),
            tag: [0; 32],
        };
        let frame = hello.write().unwrap();
        let covered = hello_without_tag(&frame).unwrap();
        hello.tag = self.transcript.hello_tag(covered).unwrap();
        self.send(&hello.write().unwrap()).await;
        assert_eq!(self.receive().await.unwrap()[0], kind::SHARE);
    }

    async fn prove(&mut self) {
        let proof = self.transcript.client_proof().unwrap();
        self.send(&write_proof(kind::PROOF, &proof).unwrap()).await;
        assert_eq!(self.receive().await.unwrap()[0], kind::CONFIRM);
    }

    async fn enrol(&mut self) {
        let key = DeviceKey::generate().unwrap();
        let mut enrol = Enrol {
            nonce: [1; 32],
            spki: key.spki(),
            name: b"device".to_vec(),
            replaces: None,
            signature: [0; 64],
        };
        let body = enrol.body_before_signature().unwrap();
        let message = self.transcript.enrol_message(&body).unwrap();
        enrol.signature = key.sign(&message).unwrap();
        self.send(&enrol.write().unwrap()).await;
        assert_eq!(self.receive().await.unwrap()[0], kind::PENDING);
    }

    /// What the host says last, and after how many seconds it ends.
    async fn end(mut self) -> (Option<Abort>, &'static str, u64) {
        let said = self.receive().await.map(|frame| {
            assert_eq!(frame[0], kind::ABORT);
            Abort::read(body(&frame)).unwrap()
        });
        drop(self.stream);
        let (outcome, seconds) = self.outcome.await.unwrap();
        (said, outcome.unwrap_err(), seconds)
    }
}

#[tokio::test]
async fn a_silent_device_is_left_after_five_seconds() {
    let host = Host::new();
    let (said, _, seconds) = host.device().end().await;
    assert_eq!((said, seconds), (None, 5));

    let mut device = host.device();
    device.greet(&host.invite).await;
    let (said, _, seconds) = device.end().await;
    assert_eq!((said, seconds), (None, 5));
    // No slot was taken.
    assert!(host.connect("192.168.1.4:1").is_some());
}

#[tokio::test]
async fn a_candidate_that_says_no_more_closes_the_window() {
    let mut host = Host::new();
    let mut device = host.device();
    device.greet(&host.invite).await;
    device.prove().await;
    let (said, _, seconds) = device.end().await;
    assert_eq!((said, seconds), (Some(Abort::Refused), 5));
    assert_eq!(host.closed().await, "PAIRING_TIMEOUT");
}

#[tokio::test]
async fn a_person_has_sixty_seconds() {
    let mut host = Host::new();
    let mut device = host.device();
    device.greet(&host.invite).await;
    device.prove().await;
    device.enrol().await;
    let (said, reason, seconds) = device.end().await;
    assert_eq!(said, Some(Abort::Refused));
    assert_eq!((reason, seconds), ("nobody decided in time", 60));
    assert_eq!(host.closed().await, "PAIRING_TIMEOUT");
    assert!(host.trust.pairs().unwrap().is_empty());
}

/// The decision may outlast the window's own time; new devices are told that the code is used.
#[tokio::test]
async fn the_window_waits_for_a_decision() {
    let mut host = Host::new();
    advance(Duration::from_secs(290)).await;
    let mut device = host.device();
    device.greet(&host.invite).await;
    device.prove().await;
    device.enrol().await;
    advance(Duration::from_secs(20)).await;
    assert!(matches!(
        host.window.events.recv().await,
        Some(HostEvent::DigitsWanted { .. })
    ));
    assert!(host.window.events.try_recv().is_err());

    let mut late = host.device();
    let mut hello = Hello {
        versions: vec![VERSION],
        mode: Mode::Qr,
        session: host.invite.session,
        share: Vec::new(),
        tag: [0; 32],
    };
    let frame = hello.write().unwrap();
    hello.tag = late
        .transcript
        .hello_tag(hello_without_tag(&frame).unwrap())
        .unwrap();
    late.send(&hello.write().unwrap()).await;
    assert_eq!(late.end().await.0, Some(Abort::Busy));
    assert_eq!(
        host.window.events.recv().await,
        Some(HostEvent::AnotherDevice)
    );
    drop(device);
    assert_eq!(host.closed().await, "PAIRING_FAILED");
}

/// A device between F1 and F3 when the time is over learns why it is left.
#[tokio::test]
async fn a_greeted_device_is_told_that_time_is_over() {
    let mut host = Host::new();
    advance(Duration::from_secs(298)).await;
    let mut device = host.device();
    device.greet(&host.invite).await;
    let (said, _, seconds) = device.end().await;
    assert_eq!((said, seconds), (Some(Abort::Time), 2));
    assert_eq!(host.closed().await, "PAIRING_EXPIRED");
}

/// Of two that are greeted the first proof takes the slot, the second is told so.
#[tokio::test]
async fn the_first_proof_takes_the_slot() {
    let mut host = Host::new();
    let (mut first, mut second) = (host.device(), host.device());
    first.greet(&host.invite).await;
    second.greet(&host.invite).await;
    second.prove().await;
    let proof = first.transcript.client_proof().unwrap();
    first.send(&write_proof(kind::PROOF, &proof).unwrap()).await;
    assert_eq!(first.end().await.0, Some(Abort::Busy));
    assert_eq!(
        host.window.events.recv().await,
        Some(HostEvent::AnotherDevice)
    );
    drop(second);
    assert_eq!(host.closed().await, "PAIRING_FAILED");
}

#[tokio::test]
async fn one_address_has_four_places() {
    let host = Host::new();
    let mut greeted = Vec::new();
    for port in 1..=3 {
        let mut device = host.connect(&format!("[2001:db8::{port}]:{port}")).unwrap();
        device.greet(&host.invite).await;
        greeted.push(device);
    }
    let idle = host.connect("[2001:db8::4]:4").unwrap();
    // The fifth of this /64 sends the oldest away that was not greeted.
    let mut fifth = host.connect("[2001:db8::5]:5").unwrap();
    let (said, reason, seconds) = idle.end().await;
    assert_eq!((said, seconds), (None, 0));
    assert_eq!(reason, "too many connections for pairing");
    fifth.greet(&host.invite).await;
    // Now all four are greeted: nobody is sent away, and a sixth does not come in.
    assert!(host.connect("[2001:db8::6]:6").is_none());
    // Another network is not concerned.
    assert!(host.connect("[2001:db8:1::1]:1").is_some());
    for device in greeted {
        assert!(!device.outcome.is_finished());
    }
}

#[tokio::test]
async fn sixteen_wait_at_most() {
    let host = Host::new();
    let mut waiting: Vec<_> = (0..16)
        .map(|at| host.connect(&format!("10.0.0.{at}:1")).unwrap())
        .collect();
    let mut newest = host.connect("10.0.1.1:1").unwrap();
    let (_, reason, _) = waiting.remove(0).end().await;
    assert_eq!(reason, "too many connections for pairing");
    newest.greet(&host.invite).await;
    for device in &waiting {
        assert!(!device.outcome.is_finished());
    }
}

#[tokio::test]
async fn a_key_store_that_refuses_leaves_nothing() {
    #[derive(Debug)]
    struct Refusing;
    impl crate::keystore::KeyStore for Refusing {
        fn kind(&self) -> crate::keystore::StoreKind {
            crate::keystore::StoreKind::File
        }
        fn read(
            &self,
            _: &str,
        ) -> Result<Option<crate::secret::Secret>, crate::keystore::KeyStoreError> {
            Ok(None)
        }
        fn write(
            &self,
            _: &str,
            _: &crate::secret::Secret,
        ) -> Result<(), crate::keystore::KeyStoreError> {
            Err(crate::keystore::KeyStoreError::PassphraseNeeded)
        }
        fn delete(&self, _: &str) -> Result<bool, crate::keystore::KeyStoreError> {
            Ok(false)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::system();
    let path = folder.path().join("trust.db");
    let trust = Trust::open(&path, Box::new(Refusing), environment).unwrap();
    let new = NewPair {
        pair: PairId([1; 16]),
        spki: DeviceKey::generate().unwrap().spki(),
        name: "device".to_owned(),
        replaces: None,
        discovery_key: crate::secret::Secret::new(vec![0; 32]),
        leaf_days: 365,
        scope: crate::trust::Scope::default(),
    };
    assert_eq!(
        trust.issue(new).await.unwrap_err().code(),
        "PASSPHRASE_NEEDED"
    );
    assert!(trust.pairs().unwrap().is_empty());
    assert!(
        trust
            .configuration(&PairId([1; 16]), crate::tls::server::Errand::Data)
            .await
            .unwrap()
            .is_none()
    );
}
