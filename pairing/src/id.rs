//! Names of pairs and of keys.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest;

/// A pair: 16 bytes derived by both ends (never chosen), shown as 26 characters of base32
/// (RFC 4648, lower case, no padding).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairId(pub [u8; 16]);

impl PairId {
    /// Characters in the written form.
    pub const LENGTH: usize = 26;

    /// The name in the server's certificate that clients dial: `<id>.healthsync.internal`.
    pub fn server_name(&self) -> String {
        format!("{self}{SERVER_SUFFIX}")
    }

    /// The other name in it: `hs-<id>.local`.
    pub fn local_name(&self) -> String {
        format!("{LOCAL_PREFIX}{self}{LOCAL_SUFFIX}")
    }

    /// The pair named by an SNI value, either name; ASCII case is ignored.
    pub fn from_server_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        name.strip_suffix(SERVER_SUFFIX)
            .or_else(|| {
                name.strip_prefix(LOCAL_PREFIX)
                    .and_then(|rest| rest.strip_suffix(LOCAL_SUFFIX))
            })
            .and_then(|id| id.parse().ok())
    }
}

impl fmt::Display for PairId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bits = 0_u32;
        let mut waiting = 0_u32;
        let mut text = String::with_capacity(Self::LENGTH);
        let mut push = |value: u32| {
            let symbol = usize::try_from(value & 31)
                .ok()
                .and_then(|index| BASE32.get(index));
            text.extend(symbol.map(|symbol| char::from(*symbol)));
        };
        for byte in self.0 {
            bits = (bits << 8) | u32::from(byte);
            waiting += 8;
            while waiting >= 5 {
                waiting -= 5;
                push(bits >> waiting);
            }
        }
        // 128 bits leave 3, filled up with zeros (RFC 4648 §3.5).
        push(bits << (5 - waiting));
        f.pad(&text)
    }
}

impl FromStr for PairId {
    type Err = InvalidId;

    /// Exactly what `Display` writes: one spelling an id, so that ids compare as text too.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.len() != Self::LENGTH {
            return Err(InvalidId);
        }
        let mut value = 0_u128;
        let mut spare = 0_u8;
        for (position, symbol) in text.bytes().enumerate() {
            let digit = match symbol {
                b'a'..=b'z' => symbol - b'a',
                b'2'..=b'7' => symbol - b'2' + 26,
                _ => return Err(InvalidId),
            };
            if position + 1 == Self::LENGTH {
                value = (value << 3) | u128::from(digit >> 2);
                spare = digit & 3;
            } else {
                value = (value << 5) | u128::from(digit);
            }
        }
        if spare == 0 {
            Ok(Self(value.to_be_bytes()))
        } else {
            Err(InvalidId)
        }
    }
}

/// SHA-256 of anything.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut found = [0; 32];
    found.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    found
}

/// SHA-256 of a `SubjectPublicKeyInfo`, shown as `sha256:<64 hex>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyDigest(pub [u8; 32]);

impl KeyDigest {
    /// Digest of a DER `SubjectPublicKeyInfo`.
    pub fn of_spki(spki: &[u8]) -> Self {
        Self(sha256(spki))
    }

    /// First 8 bytes for people: `ab12 cd34 ef56 7890`.
    pub fn short(&self) -> String {
        let mut text = String::with_capacity(19);
        for (position, byte) in self.0.iter().take(8).enumerate() {
            if position > 0 && position % 2 == 0 {
                text.push(' ');
            }
            text.push_str(&hex(&[*byte]));
        }
        text
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DIGEST_PREFIX}{}", hex(&self.0))
    }
}

impl FromStr for KeyDigest {
    type Err = InvalidId;

    /// Exactly what `Display` writes.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digits = text.strip_prefix(DIGEST_PREFIX).ok_or(InvalidId)?;
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return Err(InvalidId);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            for digit in pair {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return Err(InvalidId),
                };
                *byte = (*byte << 4) | value;
            }
        }
        Ok(Self(bytes))
    }
}

/// Not a pair id or key digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id")]
pub struct InvalidId;

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ignored = write!(text, "{byte:02x}");
        text
    })
}

const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const SERVER_SUFFIX: &str = ".healthsync.internal";
const LOCAL_PREFIX: &str = "hs-";
const LOCAL_SUFFIX: &str = ".local";
const DIGEST_PREFIX: &str = "sha256:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pair_ids_are_base32_and_come_back() {
        // From RFC 4648 §10 (`foobar`) and Python's base64.b32encode.
        for (bytes, text) in [
            ([0; 16], "aaaaaaaaaaaaaaaaaaaaaaaaaa"),
            ([0xff; 16], "77777777777777777777777774"),
            (*b"foobarfoobarfoob", "mzxw6ytbojtg633cmfzgm33pmi"),
        ] {
            assert_eq!(PairId(bytes).to_string(), text);
            assert_eq!(text.parse(), Ok(PairId(bytes)));
        }
    }

    #[test]
    fn only_one_spelling_names_a_pair() {
        for text in [
            "",
            "77777777777777777777777777",     // spare bits set
            "7777777777777777777777777",      // too short
            "777777777777777777777777740",    // too long
            "MZXW6YTBOJTG633CMFZGM33PMI",     // upper case
            "mzxw6ytboj1g633cmfzgm33pmi",     // 1 is no symbol
            "mzxw6ytboj=g633cmfzgm33pmi",     // padding
            "mzxw6ytbojtg633cmfzgm33p\u{e9}", // two bytes for one character
            "../../../../../../../../ab",
        ] {
            assert_eq!(text.parse::<PairId>(), Err(InvalidId), "{text:?}");
        }
    }

    #[test]
    fn a_pair_is_found_by_either_name() {
        let pair = PairId(*b"foobarfoobarfoob");
        let id = "mzxw6ytbojtg633cmfzgm33pmi";
        for (name, expected) in [
            (pair.server_name(), Some(pair)),
            (pair.local_name(), Some(pair)),
            (pair.server_name().to_ascii_uppercase(), Some(pair)),
            (format!("{id}.healthsync.internal.example.com"), None),
            (format!("{id}.local"), None),
            (format!("x{id}.healthsync.internal"), None),
            (format!("hs-{id}.healthsync.internal"), None),
            ("healthsync.internal".to_owned(), None),
            (".healthsync.internal".to_owned(), None),
        ] {
            assert_eq!(PairId::from_server_name(&name), expected, "{name}");
        }
    }

    #[test]
    fn key_digests_are_hex_and_come_back() {
        let digest = KeyDigest::of_spki(b"abc");
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(digest.short(), "ba78 16bf 8f01 cfea");
        assert_eq!(text.parse(), Ok(digest));
        for wrong in [
            "",
            "sha256:",
            &text[7..],
            &text[..70],
            &format!("{text}0"),
            &text.to_ascii_uppercase(),
            &text.replace("ba", "+a"),
        ] {
            assert_eq!(wrong.parse::<KeyDigest>(), Err(InvalidId), "{wrong:?}");
        }
    }
}
