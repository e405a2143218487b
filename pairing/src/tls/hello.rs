//! The messages of a handshake that are not encrypted (RFC 8446, sections 4.1, 5.1 and 6): read for
//! whoever watches, believed by nobody. What is malformed is left out.

use rustls::{AlertDescription, CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};

use super::{failure::alert_name, trace::Fact};

/// Content types of records.
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const ENCRYPTED: u8 = 23;
/// Types of handshake messages.
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// No plain message of a handshake is longer; what is longer is not read.
const LONGEST: usize = 1 << 16;
/// No record is longer (RFC 8446, section 5.2).
const LONGEST_RECORD: u16 = (1 << 14) + 256;

/// What a `ServerHello`'s random is when it asks for another `ClientHello` (RFC 8446, section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// A step that was read.
pub(super) type Read = (&'static str, Vec<(&'static str, Fact)>);

/// The plain part of one direction of a connection, as it goes by.
#[derive(Debug)]
pub(super) struct Plain {
    /// `sent` or `received`.
    direction: &'static str,
    /// Records that are not complete yet.
    records: Vec<u8>,
    /// Handshake messages that are not complete yet.
    messages: Vec<u8>,
    /// Encryption has begun, or what goes by is no TLS.
    done: bool,
}

impl Plain {
    pub(super) fn new(direction: &'static str) -> Self {
        Self {
            direction,
            records: Vec::new(),
            messages: Vec::new(),
            done: false,
        }
    }

    /// Takes the next bytes; gives what they complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Read> {
        let mut read = Vec::new();
        if self.done {
            return read;
        }
        self.records.extend_from_slice(bytes);
        while let Some((kind, body, length)) = record(&self.records) {
            match kind {
                HANDSHAKE => self.messages.extend_from_slice(body),
                ALERT => read.extend(self.alert(body)),
                ENCRYPTED => self.done = true,
                _ => {}
            }
            self.records.drain(..length);
            read.extend(self.complete());
            if self.done {
                break;
            }
        }
        let is_other = is_no_record(&self.records);
        if self.done || is_other || self.messages.len() > LONGEST {
            self.done = true;
            self.records = Vec::new();
            self.messages = Vec::new();
        }
        read
    }

    fn complete(&mut self) -> Vec<Read> {
        let mut read = Vec::new();
        while let Some((kind, body, length)) = message(&self.messages) {
            match kind {
                CLIENT_HELLO => read.extend(client_hello(body)),
                SERVER_HELLO => read.extend(server_hello(body)),
                _ => {}
            }
            self.messages.drain(..length);
        }
        read
    }

    fn alert(&self, body: &[u8]) -> Option<Read> {
        let [level, description] = *body else {
            return None;
        };
        let name = alert_name(AlertDescription::from(description));
        Some((
            "alert",
            vec![
                ("direction", self.direction.into()),
                ("name", name.into()),
                ("fatal", (level == 2).into()),
                ("encrypted", false.into()),
            ],
        ))
    }
}

/// What speaks there instead of TLS, by its first bytes.
pub(super) fn spoken(first: &[u8]) -> Option<&'static str> {
    if first.starts_with(b"HTTP/") || first.starts_with(b"<") {
        Some("a web server without TLS (HTTP)")
    } else if first.starts_with(b"SSH-") {
        Some("an SSH server")
    } else if first.starts_with(b"220") {
        Some("a mail or FTP server")
    } else if first.starts_with(b"RFB ") {
        Some("a screen-sharing server (VNC)")
    } else {
        None
    }
}

fn client_hello(body: &[u8]) -> Option<Read> {
    let mut rest = body.get(34..)?;
    part(&mut rest, 1)?;
    let suites = codes(part(&mut rest, 2)?);
    part(&mut rest, 1)?;
    let mut facts = vec![("cipherSuites", names(&suites, suite).into())];
    let mut extensions = part(&mut rest, 2)?;
    while let Some((kind, content)) = extension(&mut extensions) {
        let mut content = content;
        let fact = match kind {
            0 => ("serverName", server_name(content)?.into()),
            10 => (
                "groups",
                names(&codes(part(&mut content, 2)?), group).into(),
            ),
            13 => (
                "signatureSchemes",
                names(&codes(part(&mut content, 2)?), scheme).into(),
            ),
            16 => ("alpn", protocols(part(&mut content, 2)?).into()),
            42 => ("earlyData", true.into()),
            41 => ("resumes", true.into()),
            43 => (
                "versions",
                names(&codes(part(&mut content, 1)?), version).into(),
            ),
            51 => ("keyShares", key_shares(part(&mut content, 2)?).into()),
            _ => continue,
        };
        facts.push(fact);
    }
    Some(("client-hello", facts))
}

fn server_hello(body: &[u8]) -> Option<Read> {
    let retries = body.get(2..34)? == RETRY;
    let mut chosen = u16::from_be_bytes(*body.first_chunk()?);
    let mut rest = body.get(34..)?;
    part(&mut rest, 1)?;
    let picked = u16::from_be_bytes(*rest.first_chunk()?);
    rest = rest.get(3..)?;
    let mut facts = Vec::new();
    let mut resumed = false;
    let mut extensions = part(&mut rest, 2).unwrap_or_default();
    while let Some((kind, content)) = extension(&mut extensions) {
        match (kind, content.first_chunk()) {
            (43, Some(bytes)) => chosen = u16::from_be_bytes(*bytes),
            (51, Some(bytes)) => {
                facts.push(("group", Fact::from(group(u16::from_be_bytes(*bytes)))));
            }
            (41, _) => resumed = true,
            _ => {}
        }
    }
    let mut all = vec![
        ("version", Fact::from(version(chosen))),
        ("cipherSuite", suite(picked).into()),
    ];
    all.append(&mut facts);
    all.push(("resumed", resumed.into()));
    let name = if retries {
        "hello-retry-request"
    } else {
        "server-hello"
    };
    Some((name, all))
}

/// Whether this begins as no record does: then it is not TLS, and nothing of it is kept.
fn is_no_record(bytes: &[u8]) -> bool {
    let Some([kind, _, _, high, low]) = bytes.first_chunk() else {
        return false;
    };
    !(20..=24).contains(kind) || u16::from_be_bytes([*high, *low]) > LONGEST_RECORD
}

/// One whole record: its type, its content, its length with the header.
fn record(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let [kind, _, _, high, low] = *bytes.first_chunk()?;
    let end = usize::from(u16::from_be_bytes([high, low])) + 5;
    Some((kind, bytes.get(5..end)?, end))
}

/// One whole handshake message: its type, its content, its length with the header.
fn message(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let [kind, a, b, c] = *bytes.first_chunk()?;
    let end = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()? + 4;
    Some((kind, bytes.get(4..end)?, end))
}

/// A vector with `size` bytes of length before it.
fn part<'a>(rest: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let length = rest
        .get(..size)?
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let content = rest.get(size..size + length)?;
    *rest = rest.get(size + length..)?;
    Some(content)
}

fn extension<'a>(rest: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    let kind = u16::from_be_bytes(*rest.first_chunk()?);
    *rest = rest.get(2..)?;
    Some((kind, part(rest, 2)?))
}

fn codes(bytes: &[u8]) -> Vec<u16> {
    bytes
        .chunks_exact(2)
        .filter_map(|pair| Some(u16::from_be_bytes(*pair.first_chunk()?)))
        .collect()
}

fn names(codes: &[u16], name: fn(u16) -> String) -> Vec<String> {
    codes.iter().map(|code| name(*code)).collect()
}

fn server_name(content: &[u8]) -> Option<String> {
    let mut rest = content;
    let mut list = part(&mut rest, 2)?;
    list = list.get(1..)?;
    Some(text(part(&mut list, 2)?))
}

fn protocols(list: &[u8]) -> Vec<String> {
    let mut rest = list;
    let mut found = Vec::new();
    while let Some(name) = part(&mut rest, 1) {
        found.push(text(name));
    }
    found
}

/// The groups alone: a share is of no use to anybody who reads it, and is no reading matter.
fn key_shares(list: &[u8]) -> Vec<String> {
    let mut rest = list;
    let mut found = Vec::new();
    while let Some((code, _)) = extension(&mut rest) {
        found.push(group(code));
    }
    found
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

pub(super) fn suite(code: u16) -> String {
    // RFC 8446 writes TLS_.., rustls TLS13_.. .
    format!("{:?}", CipherSuite::from(code)).replacen("TLS13_", "TLS_", 1)
}

pub(super) fn group(code: u16) -> String {
    format!("{:?}", NamedGroup::from(code))
}

fn scheme(code: u16) -> String {
    format!("{:?}", SignatureScheme::from(code))
}

fn version(code: u16) -> String {
    match ProtocolVersion::from(code) {
        ProtocolVersion::TLSv1_3 => "TLSv1.3".to_owned(),
        ProtocolVersion::TLSv1_2 => "TLSv1.2".to_owned(),
        ProtocolVersion::TLSv1_1 => "TLSv1.1".to_owned(),
        ProtocolVersion::TLSv1_0 => "TLSv1.0".to_owned(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record around one handshake message.
    fn wrapped(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let message = [&[kind][..], &length[1..], body].concat();
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        [&[HANDSHAKE, 3, 1][..], &length, &message].concat()
    }

    fn server_hello_record() -> Vec<u8> {
        let body = [
            &[3, 3][..],
            &[7; 32],
            &[0],
            &[0x13, 0x02, 0],
            &[0, 14],
            &[0, 43, 0, 2, 3, 4],
            &[0, 51, 0, 4, 0x11, 0xec, 0, 0],
        ]
        .concat();
        wrapped(SERVER_HELLO, &body)
    }

    #[test]
    fn a_server_hello_is_read_however_it_is_cut() {
        let whole = server_hello_record();
        let expected = vec![(
            "server-hello",
            vec![
                ("version", Fact::from("TLSv1.3")),
                ("cipherSuite", "TLS_AES_256_GCM_SHA384".into()),
                ("group", "X25519MLKEM768".into()),
                ("resumed", false.into()),
            ],
        )];
        for at in 0..=whole.len() {
            let mut plain = Plain::new("received");
            let mut read = plain.push(&whole[..at]);
            read.extend(plain.push(&whole[at..]));
            assert_eq!(read, expected, "cut at {at}");
        }
    }

    #[test]
    fn nothing_is_read_behind_the_first_encrypted_record() {
        let mut plain = Plain::new("received");
        let bytes = [&[ENCRYPTED, 3, 3, 0, 1, 9][..], &server_hello_record()].concat();
        assert!(plain.push(&bytes).is_empty());
        assert!(plain.push(&server_hello_record()).is_empty());
    }

    #[test]
    fn alerts_have_their_names() {
        let mut plain = Plain::new("received");
        let read = plain.push(&[21, 3, 3, 0, 2, 2, 70]);
        assert_eq!(read[0].0, "alert");
        assert!(read[0].1.contains(&("name", "protocol_version".into())));
        assert!(read[0].1.contains(&("direction", "received".into())));
    }

    #[test]
    fn garbage_is_left_out_and_not_kept() {
        let mut hello = server_hello_record();
        for at in 0..hello.len() {
            hello[at] ^= 0xff;
            let mut plain = Plain::new("received");
            drop(plain.push(&hello));
            hello[at] ^= 0xff;
        }
        let mut plain = Plain::new("received");
        for _ in 0..64 {
            drop(plain.push(&[0xff; 4096]));
        }
        assert!(plain.records.is_empty() && plain.messages.is_empty());
    }

    #[test]
    fn other_services_are_known_by_their_first_bytes() {
        for (bytes, expected) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], Some("HTTP")),
            (b"SSH-2.0-OpenSSH_9.2p1\r\n", Some("SSH")),
            (b"220 mail ready\r\n", Some("mail")),
            (b"\x15\x03\x03", None),
            (b"", None),
        ] {
            let found = spoken(bytes);
            assert_eq!(found.is_some(), expected.is_some(), "{bytes:?}");
            assert!(
                found
                    .unwrap_or_default()
                    .contains(expected.unwrap_or_default())
            );
        }
    }
}
