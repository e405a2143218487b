//! Names that are weapons: what a peer calls itself, on the wire, at the prompt, in a certificate.

use healthsync_pairing::{
    certificate::Certificate,
    device::DeviceKey,
    enroll::{
        frame::Abort,
        host::{Approval, HostEvent},
    },
    environment::Environment,
};

use crate::{
    fake::{FakeHost, connect},
    host::Host,
    misbehaving_server::{PAIRING, run},
};

const WEAPONS: &[&str] = &[
    "a\u{1b}[31mred",
    "a\u{1b}]0;title\u{7}",
    "a\u{9b}31mred",
    "a\0b",
    "two\nlines",
    "over\rwritten",
    "back\u{8}space",
    "right\u{202e}left",
    "\u{2066}isolated\u{2069}",
    "zero\u{200b}width",
    "word\u{2060}joiner",
    "byte\u{feff}order",
    "soft\u{ad}hyphen",
    "line\u{2028}separator",
    "tag\u{e0041}",
    "private\u{e000}",
    "\u{3164}",
];

/// Whether a terminal shows it and does nothing else.
fn is_inert(text: &str) -> bool {
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}')
            || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
    };
    !text.chars().any(invisible)
}

#[tokio::test]
async fn names_are_inert() {
    let host = Host::start().await;
    let environment = Environment::system();
    for weapon in WEAPONS {
        assert!(!is_inert(weapon), "{weapon:?} is none");
        // From a device that says what ours would not: the person is not even asked.
        let (mut window, invite) = host.window(Approval::Digits);
        let mut device = connect(&invite).await;
        device.up_to_confirm(&invite).await;
        let key = DeviceKey::generate().expect("a key");
        let enrol = device.enrol(&key, weapon.as_bytes());
        device.send(&enrol.write().expect("F5")).await;
        assert_eq!(device.abort().await, Some(Abort::Refused), "{weapon:?}");
        let closed = HostEvent::Closed {
            code: "PAIRING_FAILED",
        };
        assert_eq!(window.events.recv().await, Some(closed));

        // From a server.
        let fake = FakeHost::new(PAIRING, &environment).await;
        let invite = fake.invite();
        let (outcome, ()) = tokio::join!(run(&invite), async {
            let mut end = fake.accept().await.expect("a device");
            end.up_to_issued(&environment, |issued| {
                issued.server_name = weapon.as_bytes().to_vec();
            })
            .await;
            end.receive().await;
        });
        assert_eq!(outcome.0.code(), "PAIRING_UNUSABLE", "{weapon:?}");

        // In a certificate, which anybody may show.
        let mut wanted = rcgen::CertificateParams::default();
        wanted
            .distinguished_name
            .push(rcgen::DnType::CommonName, *weapon);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = wanted.self_signed(&key).expect("a certificate");
        let shown = Certificate::from_der(certificate.der()).expect("one");
        assert!(
            is_inert(&shown.subject) && is_inert(&shown.issuer),
            "{shown:?}"
        );
    }

    // Our own device leaves out of its name what is none, and cuts it; and no name shows digits
    // that could be taken for those of the pairing.
    for (called, shown) in [
        (WEAPONS.concat(), None),
        ("n".repeat(4096), Some("n".repeat(64))),
        ("\u{1b}".repeat(4096), Some("healthsync device".to_owned())),
        ("type 123456".to_owned(), Some("type ####".to_owned())),
        ("1 2-3.4 5 6".to_owned(), Some("####".to_owned())),
    ] {
        let (mut window, invite) = host.window(Approval::Digits);
        let mut device = host.device(invite, &called);
        device.digits().await;
        let Some(HostEvent::DigitsWanted { name, .. }) = window.events.recv().await else {
            panic!("not asked");
        };
        assert!(is_inert(&name) && name.len() <= 64, "{name:?}");
        assert!(shown.is_none_or(|shown| shown == name), "{name:?}");
        host.trust.refuse().expect("refused");
        assert_eq!(device.failure().await, "PAIRING_REFUSED");
    }
}
