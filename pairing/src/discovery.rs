//! What a server's announcement by mDNS says: where it is, and marks that only its own clients know.
//!
//! ```text
//! v=1
//! n=<nonce, 8 bytes in hex>            new at start and each hour
//! t0=<tags, 8 bytes each, in hex> .. t3=   at most 15 tags each
//! w=1                                  only while a pairing window is open
//! tag = HMAC-SHA-256(discovery key, "healthsync mdns v1" || nonce)[0..8]
//! ```
//!
//! There is a tag for each pair, filled up with random ones to a multiple of four and sorted, so
//! that neither their number nor their order says much. An announcement is a hint and never trust:
//! it can be copied, and whoever finds a tag still verifies the certificate.

use std::fmt::{self, Write as _};

use aws_lc_rs::{constant_time, hmac};

use crate::{
    defence::{Defence, holds},
    environment::{EntropyUnavailable, Environment},
    secret::Secret,
};

/// Service type, with the domain of mDNS.
pub const SERVICE: &str = "_healthsync._tcp.local.";

/// More pairs are not marked; their clients keep to the saved addresses.
pub const MAX_TAGS: usize = STRINGS * TAGS_EACH;

const STRINGS: usize = 4;
/// A TXT string has at most 255 bytes.
const TAGS_EACH: usize = 15;
const TAG_HEX: usize = 16;
const FILL_TO: usize = 4;
const LABEL: &[u8] = b"healthsync mdns v1";

/// Changes often, so that nobody but the pair's client can follow a server by its tags.
pub type Nonce = [u8; 8];
/// Marks an announcement for one client.
pub type Tag = [u8; 8];

/// Recognizes the announcements of one pair; opens nothing.
#[derive(Debug)]
pub struct Recognizer(Secret);

impl Recognizer {
    /// From the pair's discovery key.
    pub fn new(discovery_key: &Secret) -> Self {
        Self(Secret::new(discovery_key.expose().to_vec()))
    }

    /// The tag of this pair under a nonce.
    pub fn tag(&self, nonce: Nonce) -> Tag {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose());
        let mut text = [0; LABEL.len() + 8];
        let (label, rest) = text.split_at_mut(LABEL.len());
        label.copy_from_slice(LABEL);
        if holds(Defence::TagNonce) {
            rest.copy_from_slice(&nonce);
        }
        let mut tag = Tag::default();
        for (to, from) in tag.iter_mut().zip(hmac::sign(&key, &text).as_ref()) {
            *to = *from;
        }
        tag
    }
}

/// The content of an announcement's TXT record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    nonce: Nonce,
    tags: Vec<Tag>,
    window: bool,
}

impl Announcement {
    /// Of a server with these tags; `window`: it takes a new device now.
    pub fn new(
        nonce: Nonce,
        mut tags: Vec<Tag>,
        window: bool,
        environment: &Environment,
    ) -> Result<Self, EntropyUnavailable> {
        tags.truncate(MAX_TAGS);
        let fill_to = if holds(Defence::TagsFilled) {
            FILL_TO
        } else {
            1
        };
        while tags.is_empty() || !tags.len().is_multiple_of(fill_to) {
            let mut tag = Tag::default();
            environment.entropy.fill(&mut tag)?;
            tags.push(tag);
        }
        if holds(Defence::TagsSorted) {
            tags.sort_unstable();
        }
        Ok(Self {
            nonce,
            tags,
            window,
        })
    }

    /// Keys and values of the TXT record.
    pub fn to_txt(&self) -> Vec<(String, String)> {
        let mut txt = vec![
            ("v".to_owned(), "1".to_owned()),
            ("n".to_owned(), hex(&self.nonce)),
        ];
        for (number, tags) in self.tags.chunks(TAGS_EACH).enumerate() {
            txt.push((format!("t{number}"), hex(&tags.concat())));
        }
        if self.window {
            txt.push(("w".to_owned(), "1".to_owned()));
        }
        txt
    }

    /// Reads the properties of a TXT record. Nothing unknown, nothing twice, nothing out of order.
    pub fn parse<'a>(
        properties: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
    ) -> Result<Self, InvalidAnnouncement> {
        let (mut version, mut nonce, mut window) = (false, None, false);
        let mut strings: [Option<&[u8]>; STRINGS] = [None; STRINGS];
        for (key, value) in properties {
            let value = value.ok_or(InvalidAnnouncement)?;
            let number = match key {
                "v" if !version && value == b"1" => {
                    version = true;
                    continue;
                }
                "n" if nonce.is_none() => {
                    nonce = Some(eight(value)?);
                    continue;
                }
                "w" if !window && value == b"1" => {
                    window = true;
                    continue;
                }
                "t0" => 0,
                "t1" => 1,
                "t2" => 2,
                "t3" => 3,
                _ => return Err(InvalidAnnouncement),
            };
            let string = strings.get_mut(number).ok_or(InvalidAnnouncement)?;
            if string.replace(value).is_some() {
                return Err(InvalidAnnouncement);
            }
        }
        let mut tags = Vec::new();
        let mut ended = false;
        for string in strings {
            let Some(string) = string else {
                ended = true;
                continue;
            };
            let fits = !string.is_empty()
                && string.len() <= TAGS_EACH * TAG_HEX
                && string.len().is_multiple_of(TAG_HEX);
            if ended || !fits {
                return Err(InvalidAnnouncement);
            }
            for tag in string.chunks(TAG_HEX) {
                tags.push(eight(tag)?);
            }
        }
        match nonce {
            Some(nonce) if version && !tags.is_empty() => Ok(Self {
                nonce,
                tags,
                window,
            }),
            _ => Err(InvalidAnnouncement),
        }
    }

    /// Whether one of the tags is that of this pair. Every tag is compared, in constant time.
    pub fn is_for(&self, recognizer: &Recognizer) -> bool {
        let ours = recognizer.tag(self.nonce);
        let mut found = false;
        for tag in &self.tags {
            found |= constant_time::verify_slices_are_equal(tag, &ours).is_ok();
        }
        found
    }

    /// Whether a pairing window is open, as the announcement has it.
    pub const fn has_window(&self) -> bool {
        self.window
    }
}

/// Not an announcement of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an announcement of a healthsync server")]
pub struct InvalidAnnouncement;

/// Whether an interface leads nowhere but into this computer or a tunnel: containers, virtual
/// machines, VPNs. Nothing is announced there and nothing is looked for.
pub fn is_virtual(interface: &str) -> bool {
    const PREFIXES: [&str; 12] = [
        "br-", "cali", "cni", "docker", "flannel", "podman", "tap", "tun", "utun", "veth", "virbr",
        "wg",
    ];
    PREFIXES.iter().any(|prefix| interface.starts_with(prefix))
}

/// A name for an instance or a host that says nothing: 16 hexadecimal digits.
pub fn random_name(environment: &Environment) -> Result<String, EntropyUnavailable> {
    let mut bytes = [0; 8];
    environment.entropy.fill(&mut bytes)?;
    Ok(hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _: fmt::Result = write!(text, "{byte:02x}");
        text
    })
}

/// 16 hexadecimal digits in lower case.
fn eight(text: &[u8]) -> Result<[u8; 8], InvalidAnnouncement> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(InvalidAnnouncement),
    };
    if text.len() != TAG_HEX {
        return Err(InvalidAnnouncement);
    }
    let mut bytes = [0; 8];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        if let [high, low] = pair {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognizer(key: [u8; 32]) -> Recognizer {
        Recognizer::new(&Secret::new(key.to_vec()))
    }

    fn counting() -> [u8; 32] {
        std::array::from_fn(|at| u8::try_from(at).unwrap())
    }

    fn announcement(tags: usize, window: bool) -> Announcement {
        let tags = (0..tags).map(|at| [u8::try_from(at).unwrap(); 8]).collect();
        Announcement::new([1; 8], tags, window, &Environment::system()).unwrap()
    }

    fn parse(txt: &[(&str, &str)]) -> Result<Announcement, InvalidAnnouncement> {
        Announcement::parse(
            txt.iter()
                .map(|(key, value)| (*key, Some(value.as_bytes()))),
        )
    }

    /// Computed with Python's `hmac`.
    #[test]
    fn tags_are_those_of_another_implementation() {
        for (key, nonce, expected) in [
            ([0; 32], "0000000000000000", "566e08a4beb19550"),
            (counting(), "0123456789abcdef", "3c4ec53b241c3908"),
            ([0xff; 32], "ffffffffffffffff", "80e940f5bb61e6d7"),
        ] {
            let nonce = eight(nonce.as_bytes()).unwrap();
            assert_eq!(hex(&recognizer(key).tag(nonce)), expected);
        }
    }

    #[test]
    fn only_its_own_client_recognizes_a_server() {
        let nonce = [7; 8];
        let ours = recognizer([1; 32]);
        for others in [0, 3, 40] {
            let mut tags: Vec<Tag> = (0..others)
                .map(|at| recognizer([at + 10; 32]).tag(nonce))
                .collect();
            let environment = Environment::system();
            let without = Announcement::new(nonce, tags.clone(), false, &environment).unwrap();
            tags.push(ours.tag(nonce));
            let with = Announcement::new(nonce, tags.clone(), false, &environment).unwrap();
            let later = Announcement::new([8; 8], tags, false, &environment).unwrap();
            assert!(with.is_for(&ours), "{others}");
            assert!(!without.is_for(&ours), "{others}");
            assert!(!later.is_for(&ours), "a tag holds for its nonce alone");
        }
    }

    #[test]
    fn what_is_written_is_read_and_fits_a_record() {
        for (tags, written) in [(0, 4), (1, 4), (4, 4), (5, 8), (15, 16), (60, 60), (99, 60)] {
            for window in [false, true] {
                let announcement = announcement(tags, window);
                assert_eq!(announcement.tags.len(), written);
                let txt = announcement.to_txt();
                for (key, value) in &txt {
                    assert!(key.len() + 1 + value.len() <= 255);
                }
                let pairs: Vec<_> = txt
                    .iter()
                    .map(|(key, value)| (key.as_str(), value.as_str()))
                    .collect();
                assert_eq!(parse(&pairs), Ok(announcement));
                assert_eq!(parse(&pairs).unwrap().has_window(), window);
            }
        }
    }

    #[test]
    fn anything_else_is_refused() {
        const N: (&str, &str) = ("n", "0123456789abcdef");
        const T: (&str, &str) = ("t0", "0123456789abcdef");
        const V: (&str, &str) = ("v", "1");
        assert!(parse(&[V, N, T]).is_ok());
        let long = "0123456789abcdef".repeat(16);
        let cases: &[&[(&str, &str)]] = &[
            &[],
            &[N, T],
            &[V, T],
            &[V, N],
            &[("v", "2"), N, T],
            &[("v", ""), N, T],
            &[V, V, N, T],
            &[V, N, N, T],
            &[V, N, T, T],
            &[V, ("n", "0123456789ABCDEF"), T],
            &[V, ("n", "0123456789abcde"), T],
            &[V, ("n", "0123456789abcdeff"), T],
            &[V, ("n", "0123456789abcdeg"), T],
            &[V, N, ("t0", "")],
            &[V, N, ("t0", "0123456789abcde")],
            &[V, N, ("t0", &long)],
            &[V, N, ("t1", "0123456789abcdef")],
            &[V, N, T, ("t2", "0123456789abcdef")],
            &[V, N, T, ("t4", "0123456789abcdef")],
            &[V, N, T, ("w", "0")],
            &[V, N, T, ("w", "1"), ("w", "1")],
            &[V, N, T, ("name", "Ana's Mac")],
        ];
        for txt in cases {
            assert_eq!(parse(txt), Err(InvalidAnnouncement), "{txt:?}");
        }
        let valueless = [("v", Some(&b"1"[..])), ("n", None)];
        assert_eq!(Announcement::parse(valueless), Err(InvalidAnnouncement));
    }

    #[test]
    fn nothing_is_looked_for_among_containers() {
        for (name, expected) in [
            ("docker0", true),
            ("veth1a2b", true),
            ("tun0", true),
            ("utun3", true),
            ("br-0a1b", true),
            ("wg0", true),
            ("eth0", false),
            ("en0", false),
            ("wlan0", false),
            ("bridge100", false),
            ("br0", false),
        ] {
            assert_eq!(is_virtual(name), expected, "{name}");
        }
    }
}
