//! The pasted or photographed invitation.

use healthsync_pairing::{address::is_local, id::KeyDigest, invite::Invite, secret::Secret};

use crate::seed::NOW;

/// What is read can be said again, and is read the same.
pub fn run(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let invite = match Invite::parse(text) {
        Ok(invite) => invite,
        Err(error) => {
            let _ = (error.code(), error.hint(), error.to_string());
            return false;
        }
    };
    assert!(!invite.addresses.is_empty(), "an invitation to nowhere");
    for address in &invite.addresses {
        assert!(is_local(&address.ip()), "{address} is not local");
        assert_ne!(address.port(), 0);
    }
    assert_eq!(invite.secret.expose().len(), 16);
    // Zoned addresses are read, but not written: there may be none left.
    if let Ok(text) = invite.to_text() {
        let text = std::str::from_utf8(text.expose()).expect("a text");
        let again = Invite::parse(text).expect("our own text");
        assert_eq!(again.session, invite.session);
        assert_eq!(again.key, invite.key);
        assert_eq!(again.secret.expose(), invite.secret.expose());
        assert_eq!(again.expires_at, invite.expires_at);
        for address in &again.addresses {
            assert!(invite.addresses.contains(address));
        }
    }
    true
}

/// Real texts, and what goes wrong with them.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let text = |addresses: &[&str]| {
        let invite = Invite {
            session: [1, 2, 3, 4, 5, 6, 7, 8],
            key: KeyDigest([0xab; 32]),
            secret: Secret::new((0..16).collect()),
            addresses: addresses
                .iter()
                .map(|address| address.parse().expect("an address"))
                .collect(),
            expires_at: NOW + 300,
        };
        let text = invite.to_text().expect("a text");
        String::from_utf8(text.expose().to_vec()).expect("UTF-8")
    };
    let one = text(&["192.168.1.20:8443"]);
    let three = text(&["192.168.1.20:8443", "10.0.0.7:8443", "[fd00::7]:8443"]);
    let grouped: String = one
        .as_bytes()
        .chunks(20)
        .map(|group| format!("{}\n", String::from_utf8_lossy(group)))
        .collect();
    vec![
        ("one-address", one.clone().into_bytes()),
        ("three-addresses", three.into_bytes()),
        ("loopback", text(&["127.0.0.1:1"]).into_bytes()),
        ("wrapped", grouped.into_bytes()),
        ("twice", format!("{one} {one}").into_bytes()),
        ("lower-case", one.to_ascii_lowercase().into_bytes()),
        ("cut", one[..one.len() / 2].as_bytes().to_vec()),
        ("prefix", b"HS1:".to_vec()),
        ("later-version", b"HS2:ABC".to_vec()),
        ("address-of-a-page", b"https://evil.example/HS1:".to_vec()),
        ("not-ascii", "HS1:ÄÖÜ\u{202e}".as_bytes().to_vec()),
        ("huge-count", b"HS1:PC0:1VM8".to_vec()),
    ]
}
