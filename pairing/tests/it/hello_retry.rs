//! A TLS 1.3 client written by hand (RFC 8446), which does what no library does: asked for a second
//! `ClientHello`, it sends one with another ALPN list. One suite, one group, no check of the server.

use std::{collections::VecDeque, net::SocketAddr};

use aws_lc_rs::{
    aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral},
    digest, hmac,
    rand::SystemRandom,
};
use healthsync_pairing::{
    certificate::Certificate,
    credentials::ClientCredentials,
    enroll::{
        frame::{HEADER, Hello, Mode, hello_without_tag, kind},
        host::Approval,
        transcript::{EXPORTER_LABEL, Transcript},
    },
    id::KeyDigest,
    secret::Secret,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::host::{Host, peer};

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;
/// A server's random that stands for a `HelloRetryRequest` begins so.
const RETRY: [u8; 4] = [0xcf, 0x21, 0xad, 0x74];

fn hash(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message).as_ref().to_vec()
}

/// HKDF-Expand-Label for what fits into one block.
fn expand(secret: &[u8], label: &str, context: &[u8], length: u8) -> Vec<u8> {
    let label = sized1(&[b"tls13 ", label.as_bytes()].concat());
    let info = [&[0, length][..], &label, &sized1(context), &[1]].concat();
    let mut block = mac(secret, &info);
    block.truncate(length.into());
    block
}

fn derive(secret: &[u8], label: &str, transcript: &[u8]) -> Vec<u8> {
    expand(secret, label, &hash(transcript), 32)
}

fn sized1(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("short");
    [&[length][..], bytes].concat()
}

fn sized2(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("short").to_be_bytes();
    [&length[..], bytes].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&[kind][..], &length[1..], body].concat()
}

/// `ClientHello`: X25519 alone; without a share the server has to ask for a second one.
fn client_hello(name: Option<&str>, alpn: &[&str], share: Option<&[u8]>) -> Vec<u8> {
    let extension = |number: u8, body: &[u8]| [&[0, number][..], &sized2(body)].concat();
    let mut extensions = [
        extension(10, &[0, 2, 0, 29]),
        extension(13, &[0, 2, 4, 3]),
        extension(43, &[2, 3, 4]),
    ]
    .concat();
    let shares = share.map(|share| [&[0, 29][..], &sized2(share)].concat());
    extensions.extend(extension(51, &sized2(&shares.unwrap_or_default())));
    if let Some(name) = name {
        let entry = [&[0][..], &sized2(name.as_bytes())].concat();
        extensions.extend(extension(0, &sized2(&entry)));
    }
    if !alpn.is_empty() {
        let list: Vec<u8> = alpn
            .iter()
            .flat_map(|name| sized1(name.as_bytes()))
            .collect();
        extensions.extend(extension(16, &sized2(&list)));
    }
    let suites_and_compression = [0, 2, 0x13, 0x01, 1, 0];
    let start = [&[3, 3][..], &[7; 32], &[0], &suites_and_compression].concat();
    message(1, &[start, sized2(&extensions)].concat())
}

/// One direction's record protection.
struct Keys {
    key: LessSafeKey,
    iv: Vec<u8>,
    count: u64,
}

impl Keys {
    fn new(secret: &[u8]) -> Self {
        let key = UnboundKey::new(&AES_128_GCM, &expand(secret, "key", b"", 16)).expect("a key");
        Self {
            key: LessSafeKey::new(key),
            iv: expand(secret, "iv", b"", 12),
            count: 0,
        }
    }

    fn nonce(&mut self) -> Nonce {
        let count = [&[0; 4][..], &self.count.to_be_bytes()].concat();
        self.count += 1;
        let mixed: Vec<u8> = self.iv.iter().zip(count).map(|(a, b)| a ^ b).collect();
        Nonce::try_assume_unique_for_key(&mixed).expect("12 bytes")
    }
}

/// The client's end of a connection.
struct Hand {
    tcp: TcpStream,
    reads: Option<Keys>,
    writes: Option<Keys>,
    messages: VecDeque<u8>,
    transcript: Vec<u8>,
    exporter: Vec<u8>,
    server_key: Option<KeyDigest>,
}

impl Hand {
    /// The whole handshake, with `first` in the first `ClientHello` and `second` in the second; the
    /// number of the alert where the server refuses.
    async fn shake(
        address: SocketAddr,
        name: Option<&str>,
        [first, second]: [&[&str]; 2],
        identity: Option<&ClientCredentials>,
    ) -> Result<Self, u8> {
        let mut hand = Self {
            tcp: TcpStream::connect(address).await.expect("connected"),
            reads: None,
            writes: None,
            messages: VecDeque::new(),
            transcript: Vec::new(),
            exporter: Vec::new(),
            server_key: None,
        };
        let hello = client_hello(name, first, None);
        hand.write(HANDSHAKE, &hello).await;
        let retry = hand.message().await?;
        assert_eq!(
            (retry[0], &retry[6..10]),
            (2, &RETRY[..]),
            "not asked again"
        );
        hand.transcript = [message(254, &hash(&hello)), retry].concat();

        let key = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).expect("a key");
        let share = key.compute_public_key().expect("a share");
        let again = client_hello(name, second, Some(share.as_ref()));
        hand.write(HANDSHAKE, &again).await;
        hand.transcript.extend(&again);
        let answer = hand.message().await?;
        hand.transcript.extend(&answer);
        // The share is the only extension of 36 bytes: X25519, 32 bytes, then they.
        let marks = [0, 51, 0, 36, 0, 29, 0, 32];
        let at = answer
            .windows(8)
            .position(|part| part == marks)
            .expect("a share")
            + 8;
        let theirs = UnparsedPublicKey::new(&X25519, &answer[at..at + 32]);
        let shared =
            agree_ephemeral(key, theirs, (), |shared| Ok(shared.to_vec())).expect("agreed");

        let early = mac(&[0; 32], &[0; 32]);
        let agreed = mac(&derive(&early, "derived", b""), &shared);
        let ours = derive(&agreed, "c hs traffic", &hand.transcript);
        let theirs = derive(&agreed, "s hs traffic", &hand.transcript);
        (hand.writes, hand.reads) = (Some(Keys::new(&ours)), Some(Keys::new(&theirs)));
        let wants_certificate = hand.take_flight().await?;

        let master = mac(&derive(&agreed, "derived", b""), &[0; 32]);
        let [data_out, data_in, exporter] = ["c ap traffic", "s ap traffic", "exp master"]
            .map(|label| derive(&master, label, &hand.transcript));
        hand.exporter = exporter;
        if let Some(own) = identity.filter(|_| wants_certificate) {
            hand.prove(own).await;
        }
        let finished = mac(&expand(&ours, "finished", b"", 32), &hash(&hand.transcript));
        hand.write(HANDSHAKE, &message(20, &finished)).await;
        (hand.writes, hand.reads) = (Some(Keys::new(&data_out)), Some(Keys::new(&data_in)));
        Ok(hand)
    }

    /// The server's messages up to its Finished; whether it wants our certificate.
    async fn take_flight(&mut self) -> Result<bool, u8> {
        let mut wants_certificate = false;
        loop {
            let next = self.message().await?;
            self.transcript.extend(&next);
            match next[0] {
                11 => {
                    // Context (none), length of the list, length of the first certificate.
                    let length = usize::from(u16::from_be_bytes([next[9], next[10]]));
                    let certificate = Certificate::from_der(&next[11..11 + length]);
                    self.server_key = Some(certificate.expect("a certificate").key);
                }
                13 => wants_certificate = true,
                20 => return Ok(wants_certificate),
                _ => {}
            }
        }
    }

    /// Our certificate, and the signature that shows that we have its key.
    async fn prove(&mut self, own: &ClientCredentials) {
        let entry = [&[0][..], &sized2(&own.leaf), &[0, 0]].concat();
        let list = [&[0, 0][..], &sized2(&entry)].concat();
        let certificate = message(11, &list);
        self.write(HANDSHAKE, &certificate).await;
        self.transcript.extend(&certificate);
        let mut signed = vec![b' '; 64];
        signed.extend(b"TLS 1.3, client CertificateVerify\0");
        signed.extend(hash(&self.transcript));
        let signature = own.key.sign_der(&signed).expect("a signature");
        let verify = message(15, &[&[4, 3][..], &sized2(&signature)].concat());
        self.write(HANDSHAKE, &verify).await;
        self.transcript.extend(&verify);
    }

    async fn write(&mut self, kind: u8, bytes: &[u8]) {
        let record = match &mut self.writes {
            None => [&[kind, 3, 1][..], &sized2(bytes)].concat(),
            Some(keys) => {
                let mut sealed = [bytes, &[kind]].concat();
                let length = u16::try_from(sealed.len() + 16)
                    .expect("short")
                    .to_be_bytes();
                let head = [&[DATA, 3, 3][..], &length].concat();
                let nonce = keys.nonce();
                keys.key
                    .seal_in_place_append_tag(nonce, Aad::from(&head), &mut sealed)
                    .expect("sealed");
                [head, sealed].concat()
            }
        };
        // A server that has closed is seen when its answer is read.
        drop(self.tcp.write_all(&record).await);
    }

    /// The next record's kind and content; `None` at the end of the connection.
    async fn record(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            let mut head = [0; 5];
            self.tcp.read_exact(&mut head).await.ok()?;
            let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
            self.tcp.read_exact(&mut body).await.ok()?;
            match (head[0], &mut self.reads) {
                (DATA, Some(keys)) => {
                    let nonce = keys.nonce();
                    let opened = keys.key.open_in_place(nonce, Aad::from(head), &mut body);
                    let mut plain = opened.expect("opened").to_vec();
                    let kind = plain.pop().expect("a kind");
                    return Some((kind, plain));
                }
                // change_cipher_spec says nothing in TLS 1.3.
                (20, _) => {}
                (kind, _) => return Some((kind, body)),
            }
        }
    }

    /// The next handshake message, or the alert in its place.
    async fn message(&mut self) -> Result<Vec<u8>, u8> {
        loop {
            if self.messages.len() >= 4 {
                let length = self
                    .messages
                    .range(1..4)
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                if self.messages.len() >= 4 + length {
                    return Ok(self.messages.drain(..4 + length).collect());
                }
            }
            match self.record().await.expect("an answer") {
                (HANDSHAKE, bytes) => self.messages.extend(bytes),
                (ALERT, alert) => return Err(alert[1]),
                other => panic!("{other:?}"),
            }
        }
    }

    /// What the server sends as data, up to the end of the connection or this many bytes.
    async fn data(&mut self, wanted: usize) -> Vec<u8> {
        let mut data = Vec::new();
        while data.len() < wanted
            && let Some((kind, bytes)) = self.record().await
        {
            if kind == DATA {
                data.extend(bytes);
            }
        }
        data
    }

    fn export(&self, label: &[u8]) -> [u8; 32] {
        let label = std::str::from_utf8(label).expect("ASCII");
        let secret = derive(&self.exporter, label, b"");
        let value = expand(&secret, "exporter", &hash(b""), 32);
        value.try_into().expect("32 bytes")
    }
}

const PAIR: &[&str] = &["healthsync-pair/1"];
const RENEW: &[&str] = &["healthsync-renew/1"];
const H2: &[&str] = &["h2"];
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// A list that a second `ClientHello` drops or changes opens nothing: neither the pairing window, nor
/// the data, nor the door for renewals.
#[tokio::test]
async fn hrr_drops_alpn() {
    let mut host = Host::start().await;
    let device = host.paired("device").await;
    let name = device.pair.server_name();
    for (first, second, served) in [
        (PAIR, PAIR, Ok(true)),
        (PAIR, &[], Ok(false)),
        (PAIR, H2, Err(NO_APPLICATION_PROTOCOL)),
        (PAIR, RENEW, Err(NO_APPLICATION_PROTOCOL)),
    ] {
        let (_window, invite) = host.window(Approval::None);
        let shaken = Hand::shake(host.address, None, [first, second], None).await;
        let answered = match shaken {
            Err(alert) => Err(alert),
            Ok(mut hand) => {
                let key = hand.server_key.take().expect("a key");
                let secret = Secret::new(invite.secret.expose().to_vec());
                let transcript = Transcript::new(hand.export(EXPORTER_LABEL), &key, &secret);
                let mut hello = Hello {
                    versions: vec![1],
                    mode: Mode::Qr,
                    session: invite.session,
                    share: Vec::new(),
                    tag: [0; 32],
                };
                let unsigned = hello.write().expect("F1");
                let covered = hello_without_tag(&unsigned).expect("F1");
                hello.tag = transcript.hello_tag(covered).expect("a tag");
                hand.write(DATA, &hello.write().expect("F1")).await;
                let answer = hand.data(HEADER).await;
                Ok(answer.first().is_some_and(|first| *first == kind::SHARE))
            }
        };
        assert_eq!(answered, served, "{first:?} {second:?}");
        // Also the one that was served: it left before it was paired.
        assert!(host.visits.recv().await.expect("a visit").is_err());
    }
    let refused = || Err("another protocol than the one offered");
    for (first, second, served) in [
        (H2, H2, Ok(peer(&device))),
        (RENEW, RENEW, Ok(peer(&device))),
        (&[], &[], Ok(peer(&device))),
        (H2, &[], refused()),
        (RENEW, &[], refused()),
        (&[], H2, refused()),
        (RENEW, H2, Err("the handshake failed")),
        (H2, RENEW, Err("the handshake failed")),
        (H2, PAIR, Err("the handshake failed")),
    ] {
        let lists = [first, second];
        let shaken = Hand::shake(host.address, Some(&name), lists, Some(&device)).await;
        assert_eq!(host.visits.recv().await, Some(served.clone()), "{lists:?}");
        if let (Ok(mut hand), Err(_)) = (shaken, &served) {
            hand.write(DATA, b"x").await;
            assert!(hand.data(1).await.is_empty(), "{lists:?}");
        }
    }
}
