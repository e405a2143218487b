//! The invitation: what the QR code and the pasted text carry.
//!
//! ```text
//! "HS1:" base45 (RFC 9285) of CBOR (RFC 8949):
//!   [1, session (8 bytes), SHA-256 of the SPKI (32 bytes), secret (16 bytes),
//!    [[address (4 or 16 bytes), port], ..], expiry (Unix seconds)]
//! ```
//!
//! At most 154 characters of the QR code's alphanumeric alphabet, so that the code takes 45 x 23
//! cells of a terminal. There is one text for each content: what does not encode back to the same
//! text is damaged. No name, no private key and no lasting right are in it.

use std::net::{IpAddr, SocketAddr};

use minicbor::{Decoder, Encoder};
use zeroize::Zeroizing;

pub use crate::address::is_local;
use crate::{
    defence::{Defence, holds},
    id::KeyDigest,
    secret::Secret,
};

/// The longest invitation, characters: what version 5 of a QR code holds at level L.
pub const TEXT_LIMIT: usize = 154;

/// `HS1:` + base45(CBOR), at most 154 alphanumeric characters.
#[derive(Debug)]
pub struct Invite {
    /// Session of the pairing window.
    pub session: [u8; 8],
    /// SHA-256 of the pairing certificate's SPKI.
    pub key: KeyDigest,
    /// One-time secret, 16 bytes.
    pub secret: Secret,
    /// Where the server listens, best first.
    pub addresses: Vec<SocketAddr>,
    /// When the window closes, Unix seconds by the server's clock.
    pub expires_at: i64,
}

impl Invite {
    /// The text. Addresses that no client would dial are left out (also link-local IPv6, whose
    /// zone means nothing elsewhere), then the last ones until it fits.
    pub fn to_text(&self) -> Result<Secret, InviteError> {
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in &self.addresses {
            let ip = address.ip().to_canonical();
            let zoned = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
            let address = SocketAddr::new(ip, address.port());
            if is_local(&ip) && !zoned && address.port() != 0 && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        while !addresses.is_empty() {
            let text = self.text_with(&addresses)?;
            if text.len() <= TEXT_LIMIT {
                return Ok(Secret::new(text.as_bytes().to_vec()));
            }
            addresses.pop();
        }
        Err(InviteError::NoAddress)
    }

    /// Reads a pasted text; local addresses only. White space around it is forgiven, and so are
    /// line breaks and groups inside it; the alphabet has a space of its own, which is kept.
    pub fn parse(text: &str) -> Result<Self, InviteError> {
        if text.len() > PASTE_LIMIT {
            return Err(InviteError::Damaged("it is too long"));
        }
        let text = text.trim();
        let Some(body) = text.strip_prefix(PREFIX) else {
            return Err(explain_missing_prefix(text));
        };
        let mut first_error = None;
        for reading in readings(body) {
            match Self::from_body(&reading) {
                Ok(invite) => return Ok(invite),
                // A reading that got so far as to have a fault of its own is the right one.
                Err(error @ (InviteError::NotLocal(_) | InviteError::Version)) => {
                    return Err(error);
                }
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        if body.contains(PREFIX) {
            return Err(InviteError::Several);
        }
        Err(first_error.unwrap_or(InviteError::Damaged("it is empty")))
    }

    /// Strictly what follows the prefix.
    fn from_body(body: &str) -> Result<Self, InviteError> {
        if body.len() > TEXT_LIMIT - PREFIX.len() {
            return Err(InviteError::Damaged("it is too long"));
        }
        if body.chars().any(|symbol| symbol.is_ascii_lowercase()) {
            return Err(InviteError::Damaged("it has lower-case letters"));
        }
        let bytes = base45::decode(body)
            .map(Zeroizing::new)
            .map_err(|_| InviteError::Damaged("a character is missing or wrong"))?;
        let invite = Self::from_cbor(&bytes)?;
        // One text for each content; this also finds what base45 lets pass.
        let again = invite.text_with(&invite.addresses)?;
        if again.strip_prefix(PREFIX) != Some(body) {
            return Err(InviteError::Damaged("its encoding is not the shortest"));
        }
        if let Some(address) = invite.addresses.iter().find(|a| !is_local(&a.ip()))
            && holds(Defence::InviteAddresses)
        {
            return Err(InviteError::NotLocal(address.ip()));
        }
        Ok(invite)
    }

    fn from_cbor(bytes: &[u8]) -> Result<Self, InviteError> {
        const WRONG: InviteError = InviteError::Damaged("a character is missing or wrong");
        let mut decoder = Decoder::new(bytes);
        let fields = decoder.array().map_err(|_| WRONG)?;
        // The version keeps its place for ever: a later one is said so, not called damaged.
        if decoder.u64().map_err(|_| WRONG)? != VERSION {
            return Err(InviteError::Version);
        }
        if fields != Some(FIELDS) {
            return Err(WRONG);
        }
        let mut field = || decoder.bytes().map_err(|_| WRONG);
        let session = field()?.try_into().map_err(|_| WRONG)?;
        let key = KeyDigest(field()?.try_into().map_err(|_| WRONG)?);
        let secret: [u8; 16] = field()?.try_into().map_err(|_| WRONG)?;
        let secret = Secret::new(secret.to_vec());
        let count = decoder.array().map_err(|_| WRONG)?.ok_or(WRONG)?;
        let mut addresses = Vec::new();
        for _ in 0..count {
            if decoder.array().map_err(|_| WRONG)? != Some(2) {
                return Err(WRONG);
            }
            let ip = decoder.bytes().map_err(|_| WRONG)?;
            let ip = match (<[u8; 4]>::try_from(ip), <[u8; 16]>::try_from(ip)) {
                (Ok(v4), _) => IpAddr::from(v4),
                (_, Ok(v6)) => IpAddr::from(v6),
                _ => return Err(WRONG),
            };
            let port = decoder.u16().map_err(|_| WRONG)?;
            // An IPv4 address has its short form only.
            if port == 0 || ip != ip.to_canonical() {
                return Err(WRONG);
            }
            addresses.push(SocketAddr::new(ip, port));
        }
        let expires_at = decoder
            .u64()
            .ok()
            .and_then(|seconds| i64::try_from(seconds).ok())
            .ok_or(WRONG)?;
        if decoder.position() != bytes.len() || addresses.is_empty() {
            return Err(WRONG);
        }
        Ok(Self {
            session,
            key,
            secret,
            addresses,
            expires_at,
        })
    }

    fn text_with(&self, addresses: &[SocketAddr]) -> Result<Zeroizing<String>, InviteError> {
        let cbor = self
            .to_cbor(addresses)
            .map(Zeroizing::new)
            .ok_or(InviteError::Damaged("it cannot be encoded"))?;
        let body = Zeroizing::new(base45::encode(cbor.as_slice()));
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + body.len()));
        text.push_str(PREFIX);
        text.push_str(&body);
        Ok(text)
    }

    fn to_cbor(&self, addresses: &[SocketAddr]) -> Option<Vec<u8>> {
        let expires_at = u64::try_from(self.expires_at).ok()?;
        let secret = <&[u8; 16]>::try_from(self.secret.expose()).ok()?;
        let mut encoder = Encoder::new(Vec::with_capacity(256));
        encoder
            .array(FIELDS)
            .and_then(|to| to.u64(VERSION))
            .and_then(|to| to.bytes(&self.session))
            .and_then(|to| to.bytes(&self.key.0))
            .and_then(|to| to.bytes(secret))
            .and_then(|to| to.array(u64::try_from(addresses.len()).unwrap_or(u64::MAX)))
            .ok()?;
        for address in addresses {
            let to = encoder.array(2).ok()?;
            match address.ip() {
                IpAddr::V4(ip) => to.bytes(&ip.octets()),
                IpAddr::V6(ip) => to.bytes(&ip.octets()),
            }
            .and_then(|to| to.u16(address.port()))
            .ok()?;
        }
        encoder.u64(expires_at).ok()?;
        Some(encoder.into_writer())
    }
}

/// Not a usable invitation. No variant repeats its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// It begins as one, but is not whole.
    #[error("the pairing code is damaged: {0}")]
    Damaged(&'static str),
    /// The server has no address that a client would dial.
    #[error("this server has no address in a local network")]
    NoAddress,
    /// No `HS1:` in it.
    #[error("this is not a healthsync pairing code")]
    NotFound,
    /// It leads out of the local network.
    #[error("the pairing code leads to {0}, which is not in the local network")]
    NotLocal(IpAddr),
    /// Two codes at once.
    #[error("there is more than one pairing code")]
    Several,
    /// A later version made it.
    #[error("the pairing code is of a version that this program does not know")]
    Version,
}

impl InviteError {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Damaged(_) => "INVITE_DAMAGED",
            Self::NoAddress => "INVITE_NO_ADDRESS",
            Self::NotFound => "INVITE_NOT_FOUND",
            Self::NotLocal(_) => "INVITE_ADDRESS_NOT_LOCAL",
            Self::Several => "INVITE_AMBIGUOUS",
            Self::Version => "INVITE_VERSION",
        }
    }

    /// What to do next.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "all errors of this crate give their hint in one shape"
    )]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Damaged(_) => {
                "copy the whole text from `HS1:` on, as `healthsync-server pair` shows it, and run `healthsync scan` again"
            }
            Self::NoAddress => {
                "connect the server to a local network, or name an address: `healthsync-server start --listen ADDRESS`"
            }
            Self::NotFound => {
                "run `healthsync-server pair` on the server and give its code to `healthsync scan`"
            }
            Self::NotLocal(_) => {
                "do not use this code; run `healthsync-server pair` on your own server"
            }
            Self::Several => {
                "give one code to `healthsync scan`, the one that your server shows now"
            }
            Self::Version => "install the version of healthsync that the server has",
        };
        Some(hint.to_owned())
    }
}

fn explain_missing_prefix(text: &str) -> InviteError {
    let begins_as = text.split(':').next().unwrap_or_default();
    let version = begins_as.strip_prefix("HS").unwrap_or_default();
    if text.len() > begins_as.len()
        && (1..=3).contains(&version.len())
        && version.bytes().all(|digit| digit.is_ascii_digit())
    {
        InviteError::Version
    } else if begins_as.eq_ignore_ascii_case("hs1") && text.len() > begins_as.len() {
        InviteError::Damaged("it has lower-case letters")
    } else if text.contains(PREFIX) {
        InviteError::Damaged("there is other text before it")
    } else {
        InviteError::NotFound
    }
}

/// What a pasted text may mean. Spaces belong to the alphabet, and a terminal or a mail may break
/// the line at one and lose it: so each line break stands for nothing, one or two spaces. Last, all
/// white space may come from somebody who wrote the code in groups. Only one reading decodes.
fn readings(body: &str) -> Vec<Zeroizing<String>> {
    let mut readings = vec![Zeroizing::new(String::with_capacity(TEXT_LIMIT))];
    let mut rest = body;
    while !rest.is_empty() {
        let solid = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (symbols, after) = rest.split_at(solid);
        let gap_end = after
            .find(|character: char| !character.is_whitespace())
            .unwrap_or(after.len());
        let (gap, after) = after.split_at(gap_end);
        rest = after;
        let spaces = gap.chars().all(|character| character == ' ');
        let fillings: &[&str] = match gap {
            "" => &[""],
            gap if spaces => &[gap],
            _ if readings.len() > READING_LIMIT => &[""],
            _ => &["", " ", "  "],
        };
        readings = fillings
            .iter()
            .flat_map(|filling| {
                readings
                    .iter()
                    // No longer reading can be right.
                    .filter(|start| start.len() <= TEXT_LIMIT)
                    .map(|start| Zeroizing::new([start, symbols, filling].concat()))
            })
            .collect();
    }
    let solid = body.split_whitespace().collect::<String>();
    readings.push(Zeroizing::new(solid));
    readings
}

const PREFIX: &str = "HS1:";
const VERSION: u64 = 1;
const FIELDS: u64 = 6;

/// No pasted text is read beyond this, bytes.
const PASTE_LIMIT: usize = 4_096;

/// Beyond so many readings, line breaks stand for nothing.
const READING_LIMIT: usize = 243;

#[cfg(test)]
mod tests;
