//! The frames of the pairing exchange, as either end takes them off the wire, and what is in them:
//! names, keys and certificates of a peer that nobody trusts yet.

use healthsync_pairing::{
    certificate::{Certificate, check_ca, check_leaf},
    device::is_p256,
    enroll::{
        frame::{
            Abort, Enrol, HEADER, Hello, Issued, MAX_BODY, Malformed, Mode, Pending, Replaces,
            Share, header, kind, read_proof, write_proof,
        },
        name,
    },
};

use crate::{house::House, seed::NOW};

/// One frame after the other; each that is read is written back to the very bytes it came from.
pub fn run(mut data: &[u8]) -> bool {
    let mut taken = false;
    while let Some((head, rest)) = data.split_first_chunk::<HEADER>() {
        let Ok((kind, length)) = header(*head) else {
            return taken;
        };
        assert!(length <= MAX_BODY);
        let Some((body, rest)) = rest.split_at_checked(length) else {
            return taken;
        };
        let (whole, _) = data.split_at(HEADER + length);
        match again(kind, body) {
            Ok(written) => assert_eq!(written, whole, "a frame has one encoding"),
            Err(Malformed) => return taken,
        }
        taken = true;
        data = rest;
    }
    taken
}

fn again(kind: u8, body: &[u8]) -> Result<Vec<u8>, Malformed> {
    match kind {
        kind::ABORT => Abort::read(body)?.write(),
        kind::HELLO => {
            let versions = Hello::read_versions(body)?;
            let hello = Hello::read(body)?;
            assert_eq!(versions, hello.versions);
            hello.write()
        }
        kind::SHARE => Share::read(body)?.write(),
        kind::PROOF | kind::CONFIRM => write_proof(kind, &read_proof(body)?),
        kind::ENROL => {
            let enrol = Enrol::read(body)?;
            judge_name(&enrol.name);
            let _ = is_p256(&enrol.spki);
            let signed = enrol.body_before_signature()?;
            assert!(body.starts_with(&signed));
            assert!(signed.starts_with(&enrol.body_before_old_signature()?));
            enrol.write()
        }
        kind::PENDING => Pending::read(body)?.write(),
        kind::ISSUED => {
            let issued = Issued::read(body)?;
            judge_name(&issued.server_name);
            for certificate in [&issued.leaf, &issued.ca] {
                judge_certificate(certificate);
            }
            let _ = check_ca(&issued.ca, NOW);
            let _ = check_leaf(&issued.leaf, &issued.ca, false, NOW);
            issued.write()
        }
        _ => Err(Malformed),
    }
}

fn judge_name(bytes: &[u8]) {
    let Some(name) = name::parse(bytes) else {
        let cleaned = name::clean(&String::from_utf8_lossy(bytes), "device");
        assert_eq!(name::parse(cleaned.as_bytes()), Some(cleaned));
        return;
    };
    let shown = name::inert(&name);
    assert!(
        !shown.chars().any(char::is_control),
        "{shown:?} would reach a terminal"
    );
    let mut digits = 0;
    for c in shown.chars() {
        digits = if c.is_numeric() { digits + 1 } else { 0 };
        assert!(digits < 4, "{shown:?} shows digits");
    }
}

/// Every text of a certificate may be shown.
pub fn judge_certificate(der: &[u8]) {
    if let Ok(certificate) = Certificate::from_der(der) {
        for text in [
            &certificate.subject,
            &certificate.issuer,
            &certificate.serial,
        ]
        .into_iter()
        .chain(&certificate.san)
        {
            assert!(
                text.chars().all(|c| c.is_ascii() && !c.is_ascii_control()),
                "{text:?} would reach a terminal"
            );
        }
    }
}

/// Every frame, and some that are none.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let pair = House::open().credentials;
    let hello = |versions: &[u16], mode| Hello {
        versions: versions.to_vec(),
        mode,
        session: if mode == Mode::Qr { [7; 8] } else { [0; 8] },
        share: if mode == Mode::Qr {
            vec![]
        } else {
            vec![0x41; 33]
        },
        tag: if mode == Mode::Qr { [9; 32] } else { [0; 32] },
    };
    let mut spki = [4; 91];
    let known = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
    for (to, from) in spki.iter_mut().zip(known) {
        *to = *from;
    }
    let enrol = |name: &str, replaces| Enrol {
        nonce: [1; 32],
        spki,
        name: name.as_bytes().to_vec(),
        replaces,
        signature: [2; 64],
    };
    let old = Replaces {
        pair: [3; 16],
        signature: [4; 64],
    };
    let issued = |addresses: &[&str]| Issued {
        leaf: pair.leaf.clone(),
        ca: pair.ca.clone(),
        renew_after: 1_790_000_000,
        addresses: addresses
            .iter()
            .map(|address| address.parse().expect("an address"))
            .collect(),
        server_name: b"Living room".to_vec(),
    };
    let share = |share: Vec<u8>| Share {
        version: 1,
        share,
        commit: [5; 32],
    };
    let written = |frame: Result<Vec<u8>, Malformed>| frame.expect("a frame");
    let hello_qr = written(hello(&[1], Mode::Qr).write());
    let client = [
        hello_qr.clone(),
        written(write_proof(kind::PROOF, &[6; 32])),
        written(enrol("Anna-MacBook", None).write()),
    ]
    .concat();
    let server = [
        written(share(vec![]).write()),
        written(write_proof(kind::CONFIRM, &[6; 32])),
        written(
            Pending {
                nonce: [8; 32],
                seconds: 60,
            }
            .write(),
        ),
        written(issued(&["192.168.1.20", "fd00::7"]).write()),
    ]
    .concat();
    vec![
        ("client-whole", client),
        ("server-whole", server),
        ("hello-code", written(hello(&[1, 2, 9], Mode::Code).write())),
        ("share-code", written(share(vec![0x42; 33]).write())),
        (
            "enrol-replaces",
            written(enrol("Łódź 123 456", Some(old)).write()),
        ),
        (
            "enrol-hostile-name",
            written(enrol("a\u{1b}[31m\u{202e}", None).write()),
        ),
        ("issued-no-address", written(issued(&[]).write())),
        ("abort-version", written(Abort::Version(vec![1, 2]).write())),
        ("abort-busy", written(Abort::Busy.write())),
        ("too-long", vec![1, 0xff, 0xff, 0]),
        ("cut", hello_qr[..20].to_vec()),
        ("left-over", [&hello_qr[..], &[0]].concat()),
        ("no-such-type", vec![8, 0, 0]),
    ]
}
