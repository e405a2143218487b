//! Pairing by typed code: the text that a person types, and the messages of SPAKE2 as either end takes
//! them from a peer that nobody trusts yet.
//!
//! ```text
//! input   u8 kind ‖ rest
//! kind 0  a typed text
//! kind 1  a share that comes to the host        kind 2  a share that comes to the device
//! kind 3  frames that come to the host: F1, then F3, over a channel of its own
//! ```

use healthsync_pairing::{
    code::{TypedCode, looks_like_code},
    enroll::{
        frame::{HEADER, Hello, MAX_BODY, Mode, Share, header, kind, read_proof},
        pake::{Pake, Side},
        transcript::Transcript,
    },
    id::KeyDigest,
};

use crate::seed::environment;

/// The code that both ends of this target know.
const CODE: &str = "K7QF-3M9X-5";
/// The channel's exporter value.
const EXPORTER: [u8; 32] = [7; 32];

/// Whether the text is a code, or the message is one that an honest peer could send.
pub fn run(data: &[u8]) -> bool {
    let Some((kind, rest)) = data.split_first() else {
        return false;
    };
    match kind {
        0 => typed(rest),
        1 => share(Side::Server, rest),
        2 => share(Side::Client, rest),
        3 => exchange(rest),
        _ => false,
    }
}

/// What is taken has one form, and is taken again in it.
fn typed(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    match TypedCode::parse(text) {
        Ok(code) => {
            let shown = code.to_text();
            let shown = std::str::from_utf8(shown.expose()).expect("ASCII");
            assert!(looks_like_code(shown), "{shown}");
            let again = TypedCode::parse(shown).expect("what is shown is taken");
            assert_eq!(again.to_text().expose(), shown.as_bytes());
            assert!(!format!("{code:?}").contains(shown));
            true
        }
        Err(_) => false,
    }
}

fn code() -> TypedCode {
    TypedCode::parse(CODE).expect("a code")
}

/// A share that is taken is 33 bytes of the other side, and not one of the points that everybody has.
fn share(ours: Side, theirs: &[u8]) -> bool {
    let environment = environment();
    let (pake, own) =
        Pake::start(ours, &code(), &EXPORTER, &*environment.entropy).expect("the bytes are there");
    assert_eq!(own.len(), 33);
    let Ok(_shared) = pake.finish(theirs) else {
        return false;
    };
    assert_eq!(theirs.len(), 33);
    let (direction, point) = theirs.split_first().expect("33 bytes");
    let expected = if ours == Side::Server { 0x41 } else { 0x42 };
    assert_eq!(*direction, expected, "a share is not taken back");
    // The encodings of the identity, and of the points of order 2 and 4.
    let mut identity = [0; 32];
    assert_ne!(point, identity, "order 4");
    *identity.first_mut().expect("32 bytes") = 1;
    assert_ne!(point, identity, "the identity");
    true
}

/// A host's side of F1 to F3: nothing but the right proof is taken.
fn exchange(data: &[u8]) -> bool {
    let Some((f1, rest)) = frame(data, kind::HELLO) else {
        return false;
    };
    let Ok(hello) = Hello::read(&f1[HEADER..]) else {
        return false;
    };
    if hello.mode != Mode::Code || !hello.versions.contains(&1) {
        return false;
    }
    let environment = environment();
    let (pake, share) = Pake::start(Side::Server, &code(), &EXPORTER, &*environment.entropy)
        .expect("the bytes are there");
    let Ok(shared) = pake.finish(&hello.share) else {
        return false;
    };
    let key = KeyDigest([9; 32]);
    let mut transcript = Transcript::new(EXPORTER, &key, &shared);
    transcript.add(f1);
    let commit = transcript.commit(&[5; 32]);
    let f2 = Share {
        version: 1,
        share,
        commit,
    };
    transcript.add(&f2.write().expect("a frame"));
    let Some((f3, rest)) = frame(rest, kind::PROOF) else {
        return false;
    };
    let Ok(proof) = read_proof(&f3[HEADER..]) else {
        return false;
    };
    let expected = transcript.client_proof().expect("a proof");
    rest.is_empty() && proof == expected
}

/// The first frame of this kind, and what follows.
fn frame(data: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let head = data.first_chunk::<HEADER>()?;
    let (kind, length) = header(*head).ok()?;
    assert!(length <= MAX_BODY);
    let whole = data.split_at_checked(HEADER + length)?;
    (kind == wanted).then_some(whole)
}

/// Codes, shares, an honest exchange, and what is none of these.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let of = |kind: u8, rest: &[u8]| [&[kind], rest].concat();
    let environment = environment();
    let honest = |side| {
        Pake::start(side, &code(), &EXPORTER, &*environment.entropy).expect("the bytes are there")
    };
    let (client, client_share) = honest(Side::Client);
    let (_, server_share) = honest(Side::Server);
    let hello = Hello {
        versions: vec![1],
        mode: Mode::Code,
        session: [0; 8],
        share: client_share.clone(),
        tag: [0; 32],
    };
    let f1 = hello.write().expect("a frame");
    // The host of `run` draws the first share of its own source.
    let (_, shown) = Pake::start(
        Side::Server,
        &code(),
        &EXPORTER,
        &*crate::seed::environment().entropy,
    )
    .expect("the bytes are there");
    let shared = client.finish(&shown).expect("a good share");
    let mut transcript = Transcript::new(EXPORTER, &KeyDigest([9; 32]), &shared);
    transcript.add(&f1);
    let commit = transcript.commit(&[5; 32]);
    let f2 = Share {
        version: 1,
        share: shown,
        commit,
    };
    transcript.add(&f2.write().expect("a frame"));
    let proof = transcript.client_proof().expect("a proof");
    let f3 = healthsync_pairing::enroll::frame::write_proof(kind::PROOF, &proof).expect("a frame");
    let wrong =
        healthsync_pairing::enroll::frame::write_proof(kind::PROOF, &[6; 32]).expect("a frame");
    let point = |direction: u8, first: u8| {
        let mut share = vec![0; 33];
        share[0] = direction;
        share[1] = first;
        share
    };
    vec![
        ("code", of(0, CODE.as_bytes())),
        ("code-by-hand", of(0, b" k7qf 3m9x 5 \n")),
        ("code-forgiven", of(0, b"OOOO-IILL-2")),
        ("code-mistyped", of(0, b"K7QF-3M9X-6")),
        ("code-short", of(0, b"K7QF-3M9X")),
        ("code-u", of(0, b"K7UF-3M9X-5")),
        ("code-wide", of(0, "Ｋ7QF-3M9X-5\u{202e}".as_bytes())),
        ("code-invite", of(0, b"HS1:K7QF3M9X5")),
        ("share-to-host", of(1, &client_share)),
        ("share-to-device", of(2, &server_share)),
        ("share-reflected", of(1, &server_share)),
        ("share-identity", of(1, &point(0x41, 1))),
        ("share-order-4", of(2, &point(0x42, 0))),
        ("share-cut", of(1, &client_share[..32])),
        ("exchange", of(3, &[&f1[..], &f3].concat())),
        ("exchange-wrong", of(3, &[&f1[..], &wrong].concat())),
        ("exchange-more", of(3, &[&f1[..], &f3, &[0]].concat())),
        ("nothing", vec![]),
        ("no-such-kind", vec![9]),
    ]
}
