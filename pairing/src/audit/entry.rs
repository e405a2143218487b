//! What the log keeps of one event, and the bytes over which its place in the chain is computed.
//!
//! ```text
//! field     u8 0, or u8 1 ‖ u32 length ‖ bytes
//! canonical u64 sequence ‖ i64 time ‖ event ‖ pair ‖ key ‖ result ‖ request ‖ types ‖ rows ‖ count
//! ```
//!
//! Numbers are big-endian, `rows` and `count` are fields of 8 bytes: no two entries have the same
//! bytes. An entry holds no health value and no secret, and no name that a peer chose but those of
//! types, which are cut to harmless letters.

use std::{fmt, str::FromStr};

use crate::id::{InvalidId, KeyDigest, PairId};

macro_rules! events {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Event {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Event {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its word in the log.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

events! {
    /// The server began to serve.
    ServerStarted = "server-started",
    /// The server stopped in good order; without it, it was killed.
    ServerStopped = "server-stopped",
    /// Entries older than 90 days were deleted: `count` of them.
    Purged = "purged",
    /// A person opened a pairing window.
    WindowOpened = "window-opened",
    /// It closed, by `result`; `count` wrong digits and codes were tried.
    WindowClosed = "window-closed",
    /// A typed code ended after `count` wrong ones; the window shows a new one.
    CodeSpent = "code-spent",
    /// The same for the window's last typed code: its QR code alone goes on.
    CodesEnded = "codes-ended",
    /// A device proved that it knows the code and asks for its digits.
    PairingAsked = "pairing-asked",
    /// The digits were right: a certificate was issued.
    PairingApproved = "pairing-approved",
    /// The device that asked got nothing.
    PairingRefused = "pairing-refused",
    /// The device has stored its certificate: the pair may read.
    PairingAcknowledged = "pairing-acknowledged",
    /// Nobody acknowledged in time: record and keys were deleted.
    PairingRolledBack = "pairing-rolled-back",
    /// A certificate was issued for a new key.
    Renewed = "renewed",
    /// The new key was used: the old one is retired.
    KeyChanged = "key-changed",
    /// A retired key appeared: the pair is suspended.
    Suspended = "suspended",
    /// A person, or the pair that replaces it, revoked the pair.
    Revoked = "revoked",
    /// The device revoked its own pair.
    Unpaired = "unpaired",
    /// What the device may read was changed to `types`.
    ScopeChanged = "scope-changed",
    /// Nobody may read.
    Paused = "paused",
    /// They may again.
    Resumed = "resumed",
    /// `POST /api/v1/health/data`.
    ReadData = "read-data",
    /// `GET /api/v1/samples`.
    ReadSamples = "read-samples",
    /// `GET /api/v1/workouts`, `/routes`, `/ecg` and the like; which one, `types` says.
    ReadCollection = "read-collection",
    /// `GET /api/v1/aggregates`.
    ReadAggregates = "read-aggregates",
    /// `GET /api/v1/changes`, unless nothing had changed.
    ReadChanges = "read-changes",
    /// `GET /api/v1/health/types`.
    ReadTypes = "read-types",
    /// Somebody dialled a pair and did not get through the handshake; `count` times.
    HandshakeFailed = "handshake-failed",
}

/// An event to be noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What.
    pub(crate) event: Event,
    pub(crate) pair: Option<PairId>,
    pub(crate) key: Option<KeyDigest>,
    pub(crate) result: &'static str,
    pub(crate) request: Option<String>,
    pub(crate) types: Option<String>,
    pub(crate) rows: Option<u64>,
    pub(crate) count: Option<u64>,
}

/// All went well.
pub const OK: &str = "OK";

impl Note {
    /// Of nobody in particular, with the result `OK`.
    pub const fn new(event: Event) -> Self {
        Self {
            event,
            pair: None,
            key: None,
            result: OK,
            request: None,
            types: None,
            rows: None,
            count: None,
        }
    }

    /// Whose it is.
    #[must_use]
    pub const fn of(mut self, pair: PairId) -> Self {
        self.pair = Some(pair);
        self
    }

    /// The device's key.
    #[must_use]
    pub const fn by(mut self, key: KeyDigest) -> Self {
        self.key = Some(key);
        self
    }

    /// A stable code in place of `OK`.
    #[must_use]
    pub const fn ending(mut self, result: &'static str) -> Self {
        self.result = result;
        self
    }

    /// The request's id in the server's log.
    #[must_use]
    pub fn asked_in(mut self, request: &str) -> Self {
        self.request = Some(harmless(request));
        self
    }

    /// Names of types; of many, the first ones and how many more.
    #[must_use]
    pub fn about<'a>(mut self, types: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names = types.into_iter();
        let mut listed: Vec<String> = names.by_ref().take(LISTED).map(harmless).collect();
        match names.count() {
            0 => {}
            more => listed.push(format!("+{more}")),
        }
        self.types = Some(listed.join(","));
        self
    }

    /// How many rows were given out.
    #[must_use]
    pub const fn with_rows(mut self, rows: u64) -> Self {
        self.rows = Some(rows);
        self
    }

    /// How often.
    #[must_use]
    pub const fn times(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }
}

/// So many names of types are kept of one event.
const LISTED: usize = 100;

/// The letters of names of types and of ids; a peer can write nothing else into the log.
fn harmless(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '-' | '_');
    text.chars()
        .take(80)
        .map(|c| if is_plain(c) { c } else { '?' })
        .collect()
}

/// An entry as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place: 1, 2, 3, ..
    pub sequence: u64,
    /// Unix seconds.
    pub time: i64,
    /// An [`Event`]'s word, or that of a later version.
    pub event: String,
    /// The pair.
    pub pair: Option<PairId>,
    /// The device's key.
    pub key: Option<KeyDigest>,
    /// `OK` or a stable code.
    pub result: String,
    /// The request's id in the server's log.
    pub request: Option<String>,
    /// Names of types between commas, or `all`.
    pub types: Option<String>,
    /// Rows given out.
    pub rows: Option<u64>,
    /// How often.
    pub count: Option<u64>,
    /// Its place in the chain: keyed, over the hash before it and all of the above.
    pub hash: Hash,
}

impl Entry {
    /// An entry whose place in the chain is still to be computed.
    pub(crate) fn new(sequence: u64, time: i64, note: Note) -> Self {
        Self {
            sequence,
            time,
            event: note.event.as_str().to_owned(),
            pair: note.pair,
            key: note.key,
            result: note.result.to_owned(),
            request: note.request,
            types: note.types,
            rows: note.rows,
            count: note.count,
            hash: Hash::START,
        }
    }

    /// All but the hash, as the module says.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(192);
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.time.to_be_bytes());
        let mut field = |value: Option<&[u8]>| match value {
            None => bytes.push(0),
            Some(value) => {
                bytes.push(1);
                let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
                bytes.extend(length.to_be_bytes());
                bytes.extend(value);
            }
        };
        field(Some(self.event.as_bytes()));
        field(self.pair.as_ref().map(|pair| &pair.0[..]));
        field(self.key.as_ref().map(|key| &key.0[..]));
        field(Some(self.result.as_bytes()));
        field(self.request.as_deref().map(str::as_bytes));
        field(self.types.as_deref().map(str::as_bytes));
        field(self.rows.map(u64::to_be_bytes).as_ref().map(|n| &n[..]));
        field(self.count.map(u64::to_be_bytes).as_ref().map(|n| &n[..]));
        bytes
    }
}

/// A place in the chain, shown as 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What stands before the first entry.
    pub const START: Self = Self([0; 32]);
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for Hash {
    type Err = InvalidId;

    /// Exactly what `Display` writes.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        format!("sha256:{text}")
            .parse::<KeyDigest>()
            .map(|digest| Self(digest.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_entries_have_the_same_bytes() {
        let plain = || Note::new(Event::ReadData);
        let notes = [
            plain(),
            plain().ending("CUT"),
            plain().of(PairId([1; 16])),
            plain().by(KeyDigest([1; 32])),
            plain().asked_in("a"),
            plain().about(["a"]),
            plain().about([]),
            plain().with_rows(1),
            plain().times(1),
            plain().with_rows(0),
            Note::new(Event::ReadTypes),
        ];
        let mut seen = std::collections::HashSet::new();
        for note in notes {
            for (sequence, time) in [(1, 1), (2, 1), (1, 2), (1, -1)] {
                let entry = Entry::new(sequence, time, note.clone());
                assert!(seen.insert(entry.canonical()), "{entry:?}");
            }
        }
    }

    #[test]
    fn a_peer_writes_only_harmless_letters() {
        let note = Note::new(Event::ReadSamples).about([
            "sleepAnalysis:asleepREM",
            "x\u{1b}[2J,y\u{202e}",
            "",
        ]);
        assert_eq!(
            note.types.as_deref(),
            Some("sleepAnalysis:asleepREM,x??2J?y?,")
        );
        let many: Vec<String> = (0..500).map(|n| format!("{n:0200}")).collect();
        let note = Note::new(Event::ReadSamples).about(many.iter().map(String::as_str));
        let text = note.types.unwrap();
        assert!(text.len() < 10_000 && text.ends_with(",+400"), "{text}");
    }

    #[test]
    fn words_are_unique_and_hashes_read_back() {
        let words: std::collections::HashSet<_> =
            Event::ALL.iter().map(|event| event.as_str()).collect();
        assert_eq!(words.len(), Event::ALL.len());
        let hash = Hash([0xa5; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert!("A5".repeat(32).parse::<Hash>().is_err());
        assert!("".parse::<Hash>().is_err());
    }
}
