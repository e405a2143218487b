//! The exchange gives the bytes of `tests/data/pairing-v1.vectors`, on which two independent
//! implementations agreed.

use std::collections::HashMap;

use healthsync_pairing::{
    device::verify_p256,
    enroll::{
        frame::{Enrol, HEADER, Hello, Mode, Pending, Share, hello_without_tag, kind, write_proof},
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

/// From SPAKE2's result on; the typed code itself is planned.
#[test]
fn code_mode_after_spake2() {
    check("code");
}
