//! A QR code that a stranger made: where it may lead, and what a server behind it may say.

use std::net::IpAddr;

use healthsync_pairing::{
    device::DeviceKey,
    enroll::client::{Event, enroll},
    environment::Environment,
    invite::Invite,
};

use crate::{
    fake::{FakeHost, SECRET, SESSION},
    misbehaving_server::{PAIRING, run},
};

/// An invitation as anybody can write one, with these addresses.
fn text(addresses: &[&str]) -> String {
    let mut cbor = vec![0x86, 1];
    for field in [&SESSION[..], &[1; 32], &SECRET] {
        cbor.extend(bytes(field));
    }
    cbor.push(0x80 | u8::try_from(addresses.len()).expect("few"));
    for address in addresses {
        cbor.push(0x82);
        cbor.extend(match address.parse().expect("an address") {
            IpAddr::V4(v4) => bytes(&v4.octets()),
            IpAddr::V6(v6) => bytes(&v6.octets()),
        });
        cbor.extend([&[0x19][..], &8443_u16.to_be_bytes()].concat());
    }
    cbor.extend([&[0x1a][..], &2_000_000_000_u32.to_be_bytes()].concat());
    format!("HS1:{}", base45::encode(&cbor))
}

/// A byte string of CBOR.
fn bytes(content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("short");
    let head = if length < 24 {
        vec![0x40 | length]
    } else {
        vec![0x58, length]
    };
    [head, content.to_vec()].concat()
}

#[tokio::test]
async fn rogue_qr() {
    // Out of the local network it leads nowhere, also as the last of several addresses.
    for local in [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.1.2",
        "100.64.0.1",
        "fd00::1",
        "fe80::1",
    ] {
        let invite = Invite::parse(&text(&[local])).expect("an invitation");
        assert_eq!(
            invite.addresses[0].ip(),
            local.parse::<IpAddr>().expect("one")
        );
        for public in [
            "8.8.8.8",
            "1.1.1.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.251",
            "172.32.0.1",
            "100.128.0.1",
            "169.253.1.1",
            "192.0.2.1",
            "2606:4700::1111",
            "::",
            "ff02::fb",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
            "::7f00:1",
        ] {
            for addresses in [&[public][..], &[local, public]] {
                let error = Invite::parse(&text(addresses)).expect_err("refused");
                // Two IPv6 addresses are more than a code holds.
                let too_long = addresses.iter().all(|address| address.contains(':'));
                let expected: &[_] = match (too_long, addresses) {
                    (true, [_, _]) => &["INVITE_DAMAGED", "INVITE_ADDRESS_NOT_LOCAL"],
                    _ => &["INVITE_ADDRESS_NOT_LOCAL"],
                };
                assert!(expected.contains(&error.code()), "{addresses:?}: {error:?}");
            }
        }
    }
    // An IPv4 address in the dress of an IPv6 one has no second spelling.
    for dressed in ["::ffff:8.8.8.8", "::ffff:192.168.1.2"] {
        assert!(Invite::parse(&text(&[dressed])).is_err());
    }

    // Nor does the server behind it: what it issues is not taken, and nothing is stored.
    let environment = Environment::system();
    for public in ["8.8.8.8", "::ffff:1.1.1.1", "2606:4700::1111", "0.0.0.0"] {
        let host = FakeHost::new(PAIRING, &environment).await;
        let invite = host.invite();
        let (outcome, ()) = tokio::join!(run(&invite), async {
            let mut end = host.accept().await.expect("a device");
            end.up_to_issued(&environment, |issued| {
                issued.addresses = vec![public.parse().expect("an address")];
            })
            .await;
            end.receive().await;
        });
        assert_eq!(outcome.0.code(), "PAIRING_UNUSABLE", "{public}");
    }

    // Otherwise the person sees on both sides what they do: digits first, then the server's name.
    let host = FakeHost::new(PAIRING, &environment).await;
    let invite = host.invite();
    let mut told = Vec::new();
    let mut tell = |event| told.push(event);
    let key = DeviceKey::generate().expect("a key");
    let (outcome, ()) = tokio::join!(
        enroll(&invite, key, "device", &environment, &mut tell),
        async {
            let mut end = host.accept().await.expect("a device");
            end.up_to_issued(&environment, |_| {}).await;
            end.receive().await;
        }
    );
    assert_eq!(outcome.expect("enrolled").server_name, "Fake");
    assert!(matches!(
        told.as_slice(),
        [Event::Connected(_), Event::Digits { .. }]
    ));
}
