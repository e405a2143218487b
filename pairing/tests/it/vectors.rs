//! The exchange gives the bytes of `tests/data/pairing-v1.vectors`, on which independent
//! implementations agreed (its first lines say which).

use std::collections::HashMap;

use healthsync_pairing::{
    device::verify_p256,
    enroll::{
        frame::{
            Enrol, HEADER, Hello, Issued, Mode, Pending, Share, hello_without_tag, kind,
            write_proof,
        },
        transcript::Transcript,
    },
    id::KeyDigest,
    secret::Secret,
};

fn vectors(mode: &str) -> HashMap<String, String> {
    include_str!("../data/pairing-v1.vectors")
        .lines()
        .filter_map(|line| {
            line.strip_prefix(mode)?
                .strip_prefix('.')?
                .split_once(" = ")
        })
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex"))
        .collect()
}

/// The exchange from Z on.
fn check(name: &str) {
    let vectors = vectors(name);
    let of = |name: &str| bytes(&vectors[name]);
    let mut transcript = Transcript::new(
        of("EKM").try_into().expect("32 bytes"),
        &KeyDigest(of("H_SPKI_S").try_into().expect("32 bytes")),
        &Secret::new(of("Z")),
    );

    let f1 = of("F1");
    let mut hello = Hello::read(&f1[HEADER..]).expect("F1");
    let unsigned = hello_without_tag(&f1).expect("F1").to_vec();
    if hello.mode == Mode::Qr {
        let wanted = std::mem::take(&mut hello.tag);
        hello.tag = transcript.hello_tag(&unsigned).expect("tag");
        assert_eq!(hello.tag, wanted);
    }
    assert_eq!(hello.versions, [1]);
    assert_eq!(hello.write().expect("F1"), f1);
    transcript.add(&f1);

    let f2 = of("F2");
    let f6 = of("F6");
    let pending = Pending::read(&f6[HEADER..]).expect("F6");
    let mut share = Share::read(&f2[HEADER..]).expect("F2");
    share.commit = transcript.commit(&pending.nonce);
    assert_eq!(share.write().expect("F2"), f2);
    transcript.add(&f2);

    let f3 = write_proof(kind::PROOF, &transcript.client_proof().expect("proof")).expect("F3");
    assert_eq!(f3, of("F3"));
    transcript.add(&f3);
    let f4 = write_proof(kind::CONFIRM, &transcript.server_proof().expect("proof")).expect("F4");
    assert_eq!(f4, of("F4"));
    transcript.add(&f4);

    let f5 = of("F5");
    let enrol = Enrol::read(&f5[HEADER..]).expect("F5");
    assert_eq!(enrol.write().expect("F5"), f5);
    assert_eq!(String::from_utf8_lossy(&enrol.name), "Anna’s Mac");
    let signed = transcript
        .enrol_message(&enrol.body_before_signature().expect("F5"))
        .expect("message");
    verify_p256(&enrol.spki, &signed, &enrol.signature).expect("signature");
    assert_eq!(enrol.replaces.is_some(), vectors.contains_key("old_SPKI"));
    if let Some(old) = &enrol.replaces {
        let signed = transcript
            .replace_message(&enrol.body_before_old_signature().expect("F5"))
            .expect("message");
        verify_p256(&of("old_SPKI"), &signed, &old.signature).expect("old signature");
    }
    transcript.add(&f5);

    assert_eq!(
        transcript.digits(&pending.nonce).expect("digits"),
        vectors["digits"]
    );
    assert_eq!(pending.write().expect("F6"), f6);
    transcript.add(&f6);
    assert_eq!(
        transcript.pair_id().expect("id").0.as_slice(),
        of("pair_id")
    );
    assert_eq!(
        transcript.discovery_key().expect("key").expose(),
        of("discovery_key")
    );
}

#[test]
fn qr_mode() {
    check("qr");
}

#[test]
fn code_mode_after_spake2() {
    check("code");
}

#[test]
fn code_mode_with_an_old_pair() {
    check("replace");
}

/// SPAKE2 itself, with the scalars of the vectors.
#[cfg(feature = "typed-code")]
#[test]
fn code_mode() {
    use healthsync_pairing::{
        code::TypedCode,
        enroll::pake::{Pake, Side},
        environment::{Entropy, EntropyUnavailable},
    };

    #[derive(Debug)]
    struct From(u8);
    impl Entropy for From {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
            for (byte, value) in bytes.iter_mut().zip(self.0..) {
                *byte = value;
            }
            Ok(())
        }
    }

    for name in ["code", "replace"] {
        let vectors = vectors(name);
        let of = |name: &str| bytes(&vectors[name]);
        let exporter: [u8; 32] = of("EKM").try_into().expect("32 bytes");
        let code = TypedCode::parse("K7QF-3M9X-5").expect("a code");
        let (client, to_server) =
            Pake::start(Side::Client, &code, &exporter, &From(0)).expect("bytes");
        let (server, to_client) =
            Pake::start(Side::Server, &code, &exporter, &From(64)).expect("bytes");
        assert_eq!(
            Hello::read(&of("F1")[HEADER..]).expect("F1").share,
            to_server
        );
        assert_eq!(
            Share::read(&of("F2")[HEADER..]).expect("F2").share,
            to_client
        );
        assert_eq!(client.finish(&to_client).expect("Z").expose(), of("Z"));
        assert_eq!(server.finish(&to_server).expect("Z").expose(), of("Z"));
    }
}

#[test]
fn issued() {
    let vectors = vectors("issued");
    let of = |name: &str| bytes(&vectors[name]);
    let issued = Issued {
        leaf: of("leaf"),
        ca: of("ca"),
        renew_after: vectors["renew_after"].parse().expect("seconds"),
        addresses: vec![
            "192.168.1.23".parse().expect("an address"),
            "fd00::abcd".parse().expect("an address"),
        ],
        server_name: "Zoë’s server".as_bytes().to_vec(),
    };
    assert_eq!(issued.write().expect("F7"), of("F7"));
    assert_eq!(Issued::read(&of("F7")[HEADER..]), Ok(issued));
}
