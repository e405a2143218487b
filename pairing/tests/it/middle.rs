//! Somebody in the middle, or beside the wire: what they learn of a pairing, and what they can do.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use healthsync_pairing::{enroll::host::Approval, environment::Environment};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    fake::{FakeHost, SECRET, connect},
    host::{Host, again},
    misbehaving_server::{PAIRING, run},
};

#[tokio::test]
async fn mitm_qr() {
    // Another certificate: the pin ends it in the handshake. The real one without its key: so does
    // the signature. Not a byte of the exchange comes through.
    let real = FakeHost::new(PAIRING, &Environment::system()).await;
    for middle in [
        FakeHost::new(PAIRING, &Environment::system()).await,
        FakeHost::showing(PAIRING, real.certificate()).await,
    ] {
        let invite = middle.invite_for(&real);
        let (outcome, end) = tokio::join!(run(&invite), middle.accept());
        assert!(end.is_err(), "the man in the middle finished a handshake");
        assert!(outcome.1.is_empty());
        assert_eq!(outcome.0.code(), "PAIRING_WRONG_SERVER");
    }

    // A device that did not look at the certificate, and a relay between two TLS sessions: the
    // window does not answer a hello of another channel.
    let host = Host::start().await;
    let (mut window, invite) = host.window(Approval::None);
    let middle = FakeHost::new(PAIRING, &Environment::system()).await;
    let mut diverted = again(&window);
    diverted.addresses = middle.invite().addresses;
    let (mut device, near) = tokio::join!(connect(&diverted), middle.accept());
    let (mut near, mut far) = (near.expect("a device"), connect(&invite).await);
    let hello = device.hello(&diverted);
    device.send(&hello).await;
    let relayed = near.receive().await.expect("F1");
    far.send(&relayed).await;
    assert_eq!(far.receive().await, None);

    // Nor one that it would have taken on the channel on which it was said.
    let mut recorded = connect(&invite).await;
    let hello = recorded.hello(&invite);
    let mut replaying = connect(&invite).await;
    replaying.send(&hello).await;
    assert_eq!(replaying.receive().await, None);
    recorded.send(&hello).await;
    assert!(recorded.receive().await.is_some());
    drop(recorded);

    // It was not noticed, and nothing is spent.
    assert!(window.events.try_recv().is_err());
    let owner = host.device(invite, "owner");
    assert!(owner.outcome.await.expect("runs").is_ok());
}

#[tokio::test]
async fn secret_never_on_wire() {
    const NAME: &str = "Zoe-Laptop";
    // The wire, both ways.
    let host = Host::start().await;
    let (mut window, mut invite) = host.window(Approval::Digits);
    let tap = Tap::start(host.address).await;
    invite.addresses = vec![tap.address];
    let secret = invite.secret.expose().to_vec();
    let session = invite.session;
    let mut device = host.device(invite, NAME);
    let digits = device.digits().await;
    window.events.recv().await;
    host.trust.approve(&digits).expect("approved");
    let enrolled = device.outcome.await.expect("runs").expect("enrolled");
    let [said, heard] = tap.end().await;
    let credentials = &enrolled.credentials;
    let text = window.text.expose().to_vec();
    for (what, hidden) in [
        ("secret", &secret[..]),
        ("invitation", &text),
        ("session", &session),
        ("digits", digits.as_bytes()),
        ("name of the device", NAME.as_bytes()),
        ("name of the server", b"Home server"),
        ("pair", credentials.pair.to_string().as_bytes()),
        ("pair", &credentials.pair.0),
        ("key", &credentials.key.spki()[27..]),
        ("discovery key", credentials.discovery_key.expose()),
        ("certificate", &credentials.leaf[..64]),
        ("window's certificate", b"healthsync-pairing"),
    ] {
        for wire in [&said, &heard] {
            assert!(!has(wire, hidden), "the {what} went over the wire");
        }
    }
    // It is TLS 1.3 with the hybrid key exchange, for one protocol and to nobody by name.
    let hybrid = [
        [0x00, 0x33, 0x04, 0x64, 0x11, 0xec],
        [0x00, 0x2b, 0x00, 0x02, 0x03, 0x04],
    ];
    for extension in hybrid {
        assert!(has(&heard, &extension), "{extension:02x?}");
    }
    assert!(has(&said, b"\x00\x10\x00\x14\x00\x12\x11healthsync-pair/1"));
    assert!(!has(&said, b"127.0.0.1") && !has(&said, b".local") && !has(&said, b"internal"));

    // What a server gets to read, one that has the key in the code: no secret, and nothing about
    // the device before it has proved that it knows the secret.
    let fake = FakeHost::new(PAIRING, &Environment::system()).await;
    let invite = fake.invite();
    let (outcome, frames) = tokio::join!(run(&invite), async {
        let mut end = fake.accept().await.expect("a device");
        let mut frames = vec![end.receive().await.expect("F1")];
        end.share(&[7; 32]).await;
        frames.push(end.receive().await.expect("F3"));
        frames
    });
    assert_eq!(outcome.0.code(), "PAIRING_BROKEN_OFF");
    for frame in &frames {
        assert!(!has(frame, &SECRET), "the secret is in a frame");
        assert!(!has(frame, b"device"), "the name is in a frame before F5");
    }
    let lengths: Vec<_> = frames.iter().map(Vec::len).collect();
    assert_eq!(lengths, [3 + 45, 3 + 32]);
}

/// Lets everything through and keeps a copy.
struct Tap {
    address: SocketAddr,
    copies: [Arc<Mutex<Vec<u8>>>; 2],
}

impl Tap {
    async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let copies = [Arc::default(), Arc::default()];
        let [said, heard] = copies.clone();
        tokio::spawn(async move {
            let (near, _) = listener.accept().await.expect("a device");
            let far = TcpStream::connect(target).await.expect("a host");
            let (near, far) = (near.into_split(), far.into_split());
            tokio::join!(copy(near.0, far.1, said), copy(far.0, near.1, heard));
        });
        Self { address, copies }
    }

    /// What went there and back.
    async fn end(self) -> [Vec<u8>; 2] {
        tokio::task::yield_now().await;
        self.copies.map(|copy| copy.lock().expect("whole").clone())
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    kept: Arc<Mutex<Vec<u8>>>,
) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        kept.lock()
            .expect("whole")
            .extend_from_slice(&bytes[..count]);
        if to.write_all(&bytes[..count]).await.is_err() {
            break;
        }
    }
    drop(to.shutdown().await);
}

fn has(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}
