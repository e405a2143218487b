//! What must never be said: every form in which a program could say it.

use std::{fs, path::Path};

use healthsync_pairing::{
    environment::Environment,
    keystore::{self, OpenOptions, StoreKind},
    secret::Secret,
};

/// Bytes or words that must not be repeated, in each form in which they could be.
#[derive(Debug)]
pub(crate) struct Canary {
    what: String,
    bytes: Vec<u8>,
    forms: Vec<String>,
}

impl Canary {
    /// A text: a code, a passphrase, a value.
    pub(crate) fn text(what: &str, text: &str) -> Self {
        let mut canary = Self::bytes(what, text.as_bytes());
        canary.forms.push(text.to_lowercase());
        canary
    }

    /// A number in the 8 bytes in which programs keep it. Of so few the base64 would be found by chance.
    pub(crate) fn number(what: &str, bytes: [u8; 8]) -> Self {
        let mut canary = Self::bytes(what, &bytes);
        canary.forms.truncate(4);
        canary
    }

    /// A secret: in hexadecimal digits, in base64, as Rust prints a list.
    pub(crate) fn bytes(what: &str, bytes: &[u8]) -> Self {
        assert!(bytes.len() >= 8, "{what} is too short to be looked for");
        // A part of it is as bad. Base64 depends on where the bytes begin.
        let part = bytes.get(..24).unwrap_or(bytes);
        let list: Vec<String> = part.iter().map(u8::to_string).collect();
        let mut forms = vec![
            hex(part, ""),
            hex(part, ":"),
            hex(part, " "),
            list.join(", "),
        ];
        for skipped in 0..3 {
            let text = base64(&part[skipped..]);
            forms.push(text[..text.len() - 4].to_lowercase());
        }
        Self {
            what: what.to_owned(),
            bytes: part.to_vec(),
            forms,
        }
    }

    /// Fails if a file holds it, as it is or as a text.
    #[track_caller]
    pub(crate) fn must_not_be_in_file(&self, path: &Path) {
        let content = fs::read(path).expect("a file");
        let is_there = content
            .windows(self.bytes.len())
            .any(|piece| piece == self.bytes);
        assert!(!is_there, "{} is in {}", self.what, path.display());
        self.must_not_be_in(
            &path.display().to_string(),
            &String::from_utf8_lossy(&content),
        );
    }

    /// Fails if `text` repeats it.
    #[track_caller]
    pub(crate) fn must_not_be_in(&self, source: &str, text: &str) {
        let text = text.to_lowercase();
        for form in &self.forms {
            if let Some(place) = text.find(form) {
                let around: String = text[..place].chars().rev().take(160).collect();
                let around: String = around.chars().rev().collect();
                panic!("{} is in {source}, after {around:?}", self.what);
            }
        }
    }
}

/// All private keys in a folder of the file key store, and what else is secret in its items.
pub(crate) fn keys_in(folder: &Path, passphrase: &str, items: &[String]) -> Vec<Canary> {
    let mut options = || Ok(Secret::new(passphrase.as_bytes().to_vec()));
    let store = keystore::open(
        StoreKind::File,
        OpenOptions {
            folder: folder.to_owned(),
            passphrase: &mut options,
            environment: Environment::system(),
        },
    )
    .expect("the key store opens");
    let mut found = Vec::new();
    for item in items {
        let value = store.read(item).expect("it reads").expect("it is there");
        let bytes = value.expose();
        found.extend(scalars(item, bytes));
        let discovery_key = &bytes[bytes.len() - 32..];
        found.push(Canary::bytes(
            &format!("the discovery key of {item}"),
            discovery_key,
        ));
    }
    found
}

/// The private keys in a file, PKCS #8 in DER.
pub(crate) fn key_file(path: &Path) -> Vec<Canary> {
    let bytes = fs::read(path).expect("a key");
    scalars(&path.display().to_string(), &bytes)
}

/// `ECPrivateKey` (RFC 5915): version 1, then 32 bytes.
fn scalars(what: &str, bytes: &[u8]) -> Vec<Canary> {
    let begin = [2, 1, 1, 4, 32];
    let found: Vec<_> = (0..bytes.len().saturating_sub(begin.len() + 32))
        .filter(|&place| bytes[place..].starts_with(&begin))
        .map(|place| {
            Canary::bytes(
                &format!("a private key of {what}"),
                &bytes[place + 5..place + 37],
            )
        })
        .collect();
    assert!(!found.is_empty(), "{what} holds no private key");
    found
}

fn hex(bytes: &[u8], between: &str) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(between)
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for piece in bytes.chunks(3) {
        let mut word = [0; 4];
        word[1..=piece.len()].copy_from_slice(piece);
        let word = u32::from_be_bytes(word);
        for digit in 0..4 {
            let index = usize::try_from(word >> (18 - 6 * digit) & 63).expect("small");
            text.push(if digit > piece.len() {
                '='
            } else {
                char::from(DIGITS[index])
            });
        }
    }
    text
}

#[test]
fn canaries_are_seen() {
    assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
    let secret: Vec<u8> = (100..132).collect();
    let canary = Canary::bytes("it", &secret);
    for text in [
        hex(&secret, "").to_uppercase(),
        format!("key: {secret:?}"),
        base64(&secret),
        base64(&[b"xy", &secret[..]].concat()),
        hex(&secret, ":"),
    ] {
        let seen = std::panic::catch_unwind(|| canary.must_not_be_in("a log", &text));
        assert!(seen.is_err(), "{text}");
    }
    canary.must_not_be_in("a log", "nothing");
}
