//! Devices that a host must not let in.

use healthsync_pairing::{
    certificate,
    device::DeviceKey,
    enroll::{
        frame::{Abort, Enrol, Replaces, kind, write_proof},
        host::{Approval, HostEvent},
    },
    invite::Invite,
    trust::State,
};

use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::{
    fake::{End, connect},
    host::Host,
};

/// Enrols with what `spoil` makes of a good F5; gives what the host says.
async fn refused(spoil: impl Fn(&mut Enrol, &dyn Fn(&mut Enrol))) -> Option<Abort> {
    refused_raw(|device| {
        let key = DeviceKey::generate().expect("a key");
        let mut enrol = device.enrol(&key, b"device");
        spoil(&mut enrol, &|enrol| device.sign(enrol, &key));
        enrol.write().expect("F5")
    })
    .await
}

#[tokio::test]
async fn enrol_policy() {
    type Spoil = fn(&mut Enrol, &dyn Fn(&mut Enrol));
    let cases: [(&str, Spoil); 9] = [
        ("a bad signature", |enrol, _| enrol.signature[10] ^= 1),
        ("no signature", |enrol, _| enrol.signature = [0; 64]),
        ("another name than the signed one", |enrol, _| {
            enrol.name = b"else".to_vec();
        }),
        ("another key than the signing one", |enrol, _| {
            enrol.spki = DeviceKey::generate().expect("a key").spki();
        }),
        ("a point off the curve", |enrol, sign| {
            enrol.spki[90] ^= 1;
            sign(enrol);
        }),
        ("another curve", |enrol, sign| {
            // secp384r1 (1.3.132.0.34) would be shorter; any other prefix will do.
            enrol.spki[22] ^= 1;
            sign(enrol);
        }),
        ("an escape in the name", |enrol, sign| {
            enrol.name = b"a\x1b[31m".to_vec();
            sign(enrol);
        }),
        ("a name that is not UTF-8", |enrol, sign| {
            enrol.name = vec![b'a', 0xff];
            sign(enrol);
        }),
        ("an old pair that is not there", |enrol, sign| {
            enrol.replaces = Some(Replaces {
                pair: [3; 16],
                signature: [4; 64],
            });
            sign(enrol);
        }),
    ];
    for (what, spoil) in cases {
        assert_eq!(refused(spoil).await, Some(Abort::Refused), "{what}");
    }

    // What the frame's own form does not hold: keys of other kinds, other lengths.
    let spki = |algorithm| {
        let key = rcgen::KeyPair::generate_for(algorithm).expect("a key");
        rcgen::PublicKeyData::subject_public_key_info(&key)
    };
    let p256 = || spki(&rcgen::PKCS_ECDSA_P256_SHA256);
    let body = |spki: &[u8], name: &[u8], rest: &[u8]| {
        let length = u8::try_from(name.len()).expect("short");
        [&[1; 32][..], spki, &[length], name, rest].concat()
    };
    let signed = [&[0][..], &[4; 64]].concat();
    for (what, body) in [
        (
            "P-384",
            body(&spki(&rcgen::PKCS_ECDSA_P384_SHA384), b"device", &signed),
        ),
        (
            "P-521",
            body(&spki(&rcgen::PKCS_ECDSA_P521_SHA512), b"device", &signed),
        ),
        (
            "Ed25519",
            body(&spki(&rcgen::PKCS_ED25519), b"device", &signed),
        ),
        (
            "RSA",
            body(&spki(&rcgen::PKCS_RSA_SHA256), b"device", &signed),
        ),
        ("no name", body(&p256(), b"", &signed)),
        ("a name of 65 bytes", body(&p256(), &[b'a'; 65], &signed)),
        (
            "a signature too short",
            body(&p256(), b"device", &signed[..64]),
        ),
        (
            "a byte behind",
            body(&p256(), b"device", &[&signed[..], &[0]].concat()),
        ),
        (
            "r = 2",
            body(&p256(), b"device", &[&[2][..], &[4; 64]].concat()),
        ),
        (
            "r = 1 and nothing",
            body(&p256(), b"device", &[&[1][..], &[4; 64]].concat()),
        ),
        ("nothing", Vec::new()),
    ] {
        let said = refused_raw(|_| frame(&body)).await;
        assert_eq!(said, Some(Abort::Refused), "{what}");
    }
    // A good one with a byte behind it, which the signature does not cover.
    let said = refused_raw(|device| {
        let key = DeviceKey::generate().expect("a key");
        let good = device.enrol(&key, b"device").write().expect("F5");
        frame(&[&good[3..], &[0]].concat())
    });
    assert_eq!(said.await, Some(Abort::Refused));

    // Whoever is enrolled gets a certificate for clients and for nothing else.
    let host = Host::start().await;
    let (_window, invite) = host.window(Approval::None);
    let enrolled = host.device(invite, "device").outcome.await.expect("runs");
    let issued = enrolled.expect("enrolled").credentials;
    let now = host.environment().clock.now();
    let judged = certificate::check_leaf(&issued.leaf, &issued.ca, false, now);
    assert_eq!(judged, certificate::Validity::Valid);
    let judged = certificate::check_leaf(&issued.leaf, &issued.ca, true, now);
    assert!(matches!(judged, certificate::Validity::Untrusted(_)));
    let leaf = certificate::Certificate::from_der(&issued.leaf).expect("one");
    assert_eq!(
        leaf.san,
        [format!("URI:urn:healthsync:pair:{}", issued.pair)]
    );
    assert_eq!(
        (leaf.subject.as_str(), leaf.is_ca),
        ("healthsync-client", false)
    );
}

/// An F5 with any body.
fn frame(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("short").to_be_bytes();
    [&[kind::ENROL][..], &length, body].concat()
}

/// What the host says to this F5; then nothing is left of the device.
async fn refused_raw(f5: impl FnOnce(&End<TlsStream<TcpStream>>) -> Vec<u8>) -> Option<Abort> {
    let host = Host::start().await;
    let (mut window, invite) = host.window(Approval::None);
    let mut device = connect(&invite).await;
    device.up_to_confirm(&invite).await;
    let f5 = f5(&device);
    device.send(&f5).await;
    let said = device.abort().await;
    let closed = HostEvent::Closed {
        code: "PAIRING_FAILED",
    };
    assert_eq!(window.events.recv().await, Some(closed));
    assert!(host.trust.pairs().expect("pairs").is_empty());
    assert!(host.keys.of_pairs().is_empty());
    said
}

#[tokio::test]
async fn a_known_key_is_not_enrolled_again() {
    let host = Host::start().await;
    let credentials = host.paired("device").await;
    host.trust
        .revoke(&credentials.pair.to_string())
        .expect("revoked");
    let (_window, invite) = host.window(Approval::None);
    let device = host.device_with(invite, "device", credentials.key);
    assert_eq!(device.failure().await, "PAIRING_REFUSED");
    assert_eq!(host.trust.pairs().expect("pairs").len(), 1);
}

#[tokio::test]
async fn replace_needs_old_key() {
    let host = Host::start().await;
    let old = host.paired("old").await;
    for is_right in [false, true] {
        let (_window, invite) = host.window(Approval::None);
        let key = DeviceKey::generate().expect("a key");
        let mut device = connect(&invite).await;
        device.up_to_confirm(&invite).await;
        let mut enrol = device.enrol(&key, b"new");
        enrol.replaces = Some(Replaces {
            pair: old.pair.0,
            signature: [0; 64],
        });
        let body = enrol.body_before_old_signature().expect("F5");
        let message = device.transcript.replace_message(&body).expect("a message");
        let signer = if is_right { &old.key } else { &key };
        enrol.replaces = Some(Replaces {
            pair: old.pair.0,
            signature: signer.sign(&message).expect("a signature"),
        });
        device.sign(&mut enrol, &key);
        device.send(&enrol.write().expect("F5")).await;
        let answer = device.receive().await.expect("an answer");
        if !is_right {
            assert_eq!(answer[0], kind::ABORT);
            continue;
        }
        assert_eq!(answer[0], kind::PENDING);
        let pair = device.transcript.pair_id().expect("an id");
        assert_eq!(device.receive().await.expect("F7")[0], kind::ISSUED);

        // Until the new pair is acknowledged the old one goes on; then it is over.
        let state = |pair| {
            let records = host.trust.pairs().expect("pairs");
            records
                .iter()
                .find(|record| record.pair == pair)
                .expect("a record")
                .state
        };
        assert_eq!(
            (state(old.pair), state(pair)),
            (State::Active, State::Pending)
        );
        let peer = healthsync_pairing::trust::Peer {
            pair,
            key: key.digest(),
            not_after: i64::MAX,
            serial: String::new(),
            address: std::net::Ipv4Addr::LOCALHOST.into(),
        };
        let mut revocations = host.trust.revocations();
        host.trust.acknowledge(&peer).expect("acknowledged");
        assert_eq!(
            (state(old.pair), state(pair)),
            (State::Revoked, State::Active)
        );
        assert_eq!(revocations.recv().await, Ok(old.pair));
        host.trust.audit().settle().await.expect("written");
        let log = host.trust.audit().entries(0, 0, 100).expect("entries");
        let revoked: Vec<_> = log.iter().filter(|one| one.event == "revoked").collect();
        assert_eq!(
            revoked
                .iter()
                .map(|one| (one.pair, one.result.as_str()))
                .collect::<Vec<_>>(),
            [(Some(old.pair), "REPLACED")]
        );
    }
}

#[tokio::test]
async fn versions_and_modes_are_answered() {
    let host = Host::start().await;
    let (mut window, invite) = host.window(Approval::None);
    let said = async |frame: Vec<u8>, invite: &Invite| {
        let mut device = connect(invite).await;
        device.send(&frame).await;
        device.abort().await
    };
    // Versions 2 and 3, then bytes that only those versions understand.
    let later = vec![1, 0, 6, 2, 0, 2, 0, 3, 99];
    assert_eq!(said(later, &invite).await, Some(Abort::Version(vec![1])));
    let mut code = vec![1, 0, 78, 1, 0, 1, 2];
    code.extend([0; 8]);
    code.push(33);
    code.extend([0x41; 33]);
    code.extend([0; 32]);
    // A share that is no point: not answered, unless this build has no typed codes at all.
    let answer = (!healthsync_pairing::enroll::pake::AVAILABLE).then_some(Abort::ModeOff);
    assert_eq!(said(code, &invite).await, answer);
    // Garbage is not answered at all, and changes nothing.
    for garbage in [
        vec![9; 64],
        vec![1, 0, 1, 0],
        vec![1, 0xff, 0xff],
        vec![3, 0, 0],
    ] {
        assert_eq!(said(garbage, &invite).await, None);
    }
    assert!(window.events.try_recv().is_err());
    assert!(
        host.device(invite, "owner")
            .outcome
            .await
            .expect("runs")
            .is_ok()
    );
}

#[tokio::test]
async fn garbage_over_tls_burns_nothing() {
    let host = Host::start().await;
    let (mut window, invite) = host.window(Approval::None);
    // More silent connections than may wait: the honest device comes through all the same.
    let mut silent = Vec::new();
    for _ in 0..12 {
        silent.push(connect(&invite).await);
    }
    let address = invite.addresses[0];
    for _ in 0..100 {
        let mut garbage = connect(&invite).await;
        garbage.send(&[1, 0, 45, 1, 0, 1, 1]).await;
    }
    assert_eq!(address, host.address);
    assert!(
        host.device(invite, "owner")
            .outcome
            .await
            .expect("runs")
            .is_ok()
    );
    assert!(window.events.try_recv().is_err());
}

#[tokio::test]
async fn a_wrong_proof_takes_no_slot() {
    let host = Host::start().await;
    let (mut window, invite) = host.window(Approval::None);
    let mut device = connect(&invite).await;
    let hello = device.hello(&invite);
    device.send(&hello).await;
    assert_eq!(device.receive().await.expect("F2")[0], kind::SHARE);
    device
        .send(&write_proof(kind::PROOF, &[0; 32]).expect("F3"))
        .await;
    assert_eq!(device.receive().await, None);
    assert!(window.events.try_recv().is_err());
    assert!(
        host.device(invite, "owner")
            .outcome
            .await
            .expect("runs")
            .is_ok()
    );
}

#[tokio::test]
async fn a_byte_before_its_turn_ends_the_exchange() {
    let host = Host::start().await;
    let (mut window, invite) = host.window(Approval::Digits);
    let key = DeviceKey::generate().expect("a key");
    let mut device = connect(&invite).await;
    device.up_to_confirm(&invite).await;
    let frame = device.enrol(&key, b"device").write().expect("F5");
    device.send(&frame).await;
    assert_eq!(device.receive().await.expect("F6")[0], kind::PENDING);
    assert!(matches!(
        window.events.recv().await,
        Some(HostEvent::DigitsWanted { .. })
    ));
    device.send(&[0]).await;
    assert_eq!(device.abort().await, Some(Abort::Refused));
    assert_eq!(
        window.events.recv().await,
        Some(HostEvent::Closed {
            code: "PAIRING_FAILED"
        })
    );
}
