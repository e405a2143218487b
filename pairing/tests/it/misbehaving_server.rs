//! Hosts that a device must not believe.

use std::error::Error;

use healthsync_pairing::{
    device::DeviceKey,
    enroll::{
        client::{EnrollError, Event, enroll},
        frame::{Abort, HEADER, Issued, kind, write_proof},
    },
    environment::Environment,
    invite::Invite,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{fake::FakeHost, host::soon};

pub(crate) const PAIRING: &[&str] = &["healthsync-pair/1"];

/// A device that pairs with whoever is there, and what it told its person.
pub(crate) async fn run(invite: &Invite) -> (EnrollError, Vec<Event>) {
    let mut events = Vec::new();
    let key = DeviceKey::generate().expect("a key");
    let outcome = enroll(
        invite,
        key,
        "device",
        &Environment::system(),
        &mut |event| {
            events.push(event);
        },
    )
    .await;
    (outcome.expect_err("not enrolled"), events)
}

fn digits(events: &[Event]) -> usize {
    events
        .iter()
        .filter(|event| matches!(event, Event::Digits { .. }))
        .count()
}

#[tokio::test]
async fn sas_commitment() {
    let host = FakeHost::new(PAIRING, &Environment::system()).await;
    let invite = host.invite();
    let (outcome, ()) = tokio::join!(run(&invite), async {
        let mut end = host.accept().await.expect("a device");
        let mut nonce = end.up_to_enrol().await;
        nonce[0] ^= 1;
        end.pending(nonce).await;
        // The device says goodbye, so that a person at a real host is not asked on.
        assert_eq!(soon(end.abort()).await, Some(Abort::Refused));
    });
    assert_eq!(outcome.0.code(), "PAIRING_ATTACK");
    assert_eq!(digits(&outcome.1), 0);
}

#[tokio::test]
async fn reflect_own_message() {
    let host = FakeHost::new(PAIRING, &Environment::system()).await;
    let invite = host.invite();
    let (outcome, ()) = tokio::join!(run(&invite), async {
        let mut end = host.accept().await.expect("a device");
        end.receive().await.expect("F1");
        end.share(&[7; 32]).await;
        let f3 = end.receive().await.expect("F3");
        let proof = f3[HEADER..].try_into().expect("a proof");
        end.send(&write_proof(kind::CONFIRM, &proof).expect("F4"))
            .await;
        // Neither a name nor a key has left the device.
        assert_eq!(end.abort().await, Some(Abort::Refused));
    });
    assert_eq!(outcome.0.code(), "PAIRING_WRONG_SERVER");
    assert_eq!(digits(&outcome.1), 0);
}

/// Text in any place before F7, and a broken F7: none of it reaches a person.
#[tokio::test]
async fn peer_text_before_f7() {
    const TEXT: &[u8] = b"type 123456";
    let check = |outcome: (EnrollError, Vec<Event>), code: &str| {
        let mut told = format!("{:?} {:?} {:?}", outcome.1, outcome.0, outcome.0.hint());
        let mut error: Option<&dyn Error> = Some(&outcome.0);
        while let Some(current) = error {
            told += &current.to_string();
            error = current.source();
        }
        assert!(!told.contains("type 123456"), "{told}");
        assert_eq!(outcome.0.code(), code);
    };
    let with_text = |kind: u8, body: &[u8]| {
        let body = [body, TEXT].concat();
        let length = u16::try_from(body.len()).expect("short").to_be_bytes();
        [&[kind], &length[..], &body].concat()
    };

    let host = FakeHost::new(PAIRING, &Environment::system()).await;
    let invite = host.invite();
    for first in [
        with_text(kind::ABORT, &[4]),
        with_text(kind::SHARE, &[0, 1, 0]),
        with_text(kind::ISSUED, &[]),
        with_text(200, &[]),
    ] {
        let (outcome, ()) = tokio::join!(run(&invite), async {
            let mut end = host.accept().await.expect("a device");
            end.receive().await.expect("F1");
            end.send(&first).await;
            end.receive().await;
        });
        check(outcome, "PAIRING_PROTOCOL");
    }

    let (outcome, ()) = tokio::join!(run(&invite), async {
        let mut end = host.accept().await.expect("a device");
        let nonce = end.up_to_enrol().await;
        end.pending(nonce).await;
        let issued = Issued {
            leaf: TEXT.to_vec(),
            ca: TEXT.to_vec(),
            renew_after: 0,
            addresses: Vec::new(),
            server_name: TEXT.to_vec(),
        };
        end.send(&issued.write().expect("F7")).await;
        end.receive().await;
    });
    assert_eq!(digits(&outcome.1), 1);
    check(outcome, "PAIRING_UNUSABLE");

    // Before TLS, and in the certificate of somebody in the middle.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut plain = host.invite();
    plain.addresses = vec![listener.local_addr().expect("an address")];
    let (outcome, ()) = tokio::join!(run(&plain), async {
        let (mut stream, _) = listener.accept().await.expect("a device");
        stream.write_all(TEXT).await.expect("sent");
        while let Ok(1..) = stream.read(&mut [0; 64]).await {}
    });
    check(outcome, "NOT_TLS");
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut wanted = rcgen::CertificateParams::default();
    let text = std::str::from_utf8(TEXT).expect("text");
    wanted
        .distinguished_name
        .push(rcgen::DnType::CommonName, text);
    let certificate = wanted.self_signed(&key).expect("a certificate");
    let named = FakeHost::showing(PAIRING, certificate.der().to_vec()).await;
    let diverted = named.invite_for(&host);
    let (outcome, _end) = tokio::join!(run(&diverted), named.accept());
    check(outcome, "PAIRING_WRONG_SERVER");
}

/// F6 twice, F7 before F6, bytes before their turn.
#[tokio::test]
async fn frames_out_of_order_end_the_exchange() {
    let host = FakeHost::new(PAIRING, &Environment::system()).await;
    let invite = host.invite();
    let (outcome, ()) = tokio::join!(run(&invite), async {
        let mut end = host.accept().await.expect("a device");
        let nonce = end.up_to_enrol().await;
        end.pending(nonce).await;
        end.pending(nonce).await;
        end.receive().await;
    });
    assert_eq!(outcome.0.code(), "PAIRING_PROTOCOL");

    let (outcome, ()) = tokio::join!(run(&invite), async {
        let mut end = host.accept().await.expect("a device");
        end.receive().await.expect("F1");
        // F2 with F4 right behind it, in one record: a server cannot know F4 before F3.
        let share = healthsync_pairing::enroll::frame::Share {
            version: 1,
            share: Vec::new(),
            commit: [0; 32],
        };
        let both = [
            share.write().expect("F2"),
            write_proof(kind::CONFIRM, &[0; 32]).expect("F4"),
        ];
        end.stream.write_all(&both.concat()).await.expect("sent");
        end.receive().await;
    });
    assert_eq!(outcome.0.code(), "PAIRING_PROTOCOL");
    assert_eq!(digits(&outcome.1), 0);
}

#[tokio::test]
async fn what_does_not_speak_the_protocol_is_left() {
    // TLS with the right key, but without the protocol.
    let host = FakeHost::new(&[], &Environment::system()).await;
    let invite = host.invite();
    let (outcome, _end) = tokio::join!(run(&invite), host.accept());
    assert_eq!(outcome.0.code(), "PAIRING_PROTOCOL");

    // No TLS at all.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut invite = host.invite();
    invite.addresses = vec![listener.local_addr().expect("an address")];
    let (outcome, ()) = tokio::join!(run(&invite), async {
        let (mut stream, _) = listener.accept().await.expect("a device");
        let mut hello = [0; 64];
        stream.read_exact(&mut hello).await.expect("a hello");
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .expect("sent");
        while let Ok(1..) = stream.read(&mut hello).await {}
    });
    assert_eq!(outcome.0.code(), "NOT_TLS");
}
