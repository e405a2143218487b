//! What a client may ask for, independent of how it asks.

use std::{fmt, str::FromStr};

use crate::{api::Code, kind::Selector, report::Hint};

/// Which samples, in the order (type, start, id).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The types; empty means all.
    pub types: Vec<Selector>,
    /// Only these origins; empty means all.
    pub origins: Vec<String>,
    /// Samples that start at or after this instant, milliseconds UTC.
    pub start_ms: Option<i64>,
    /// Samples that start before this instant.
    pub end_ms: Option<i64>,
    /// At most so many.
    pub limit: Option<u64>,
    /// Skip so many first.
    pub offset: u64,
    /// Go on behind this position.
    pub cursor: Option<Cursor>,
    /// Also fill the columns origin, device, creationDate, metadata.
    pub include_metadata: bool,
}

impl Query {
    /// Whether the range can hold a sample: an end at or before its start is somebody's mistake.
    pub fn check(&self) -> Result<(), InvalidRange> {
        match (self.start_ms, self.end_ms) {
            (Some(start), Some(end)) if end <= start => Err(InvalidRange),
            _ => Ok(()),
        }
    }

    /// How many milliseconds the range has; without one of its ends more than any other.
    pub fn length_ms(&self) -> i64 {
        match (self.start_ms, self.end_ms) {
            (Some(start), Some(end)) => end.saturating_sub(start),
            (Some(_) | None, Some(_) | None) => i64::MAX,
        }
    }
}

/// An end at or before its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the end of the range is not after its start")]
pub struct InvalidRange;

impl Hint for InvalidRange {
    fn code(&self) -> &'static str {
        Code::InvalidRange.as_str()
    }

    fn hint(&self) -> Option<String> {
        Some(Code::InvalidRange.advice().to_owned())
    }
}

/// A position in the order (type, start, id); opaque text to clients.
///
/// The text is lower-case hexadecimal, so it needs no escape in a URL or a header:
/// `version (1 byte) | start, big-endian, two's complement (8) | id (16) | type name (UTF-8)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Type name of the last sample that was sent.
    pub kind: String,
    /// Its start.
    pub start_ms: i64,
    /// Its id.
    pub id: [u8; 16],
}

const CURSOR_VERSION: u8 = 1;
/// Longer than any HealthKit identifier.
const LONGEST_NAME: usize = 128;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{CURSOR_VERSION:02x}")?;
        let start = self.start_ms.to_be_bytes();
        for byte in start.iter().chain(&self.id).chain(self.kind.as_bytes()) {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a cursor of this server")]
pub struct InvalidCursor;

impl Hint for InvalidCursor {
    fn code(&self) -> &'static str {
        Code::InvalidCursor.as_str()
    }

    fn hint(&self) -> Option<String> {
        Some(Code::InvalidCursor.advice().to_owned())
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let bytes = from_hex(text).ok_or(InvalidCursor)?;
        let (version, rest) = bytes.split_first().ok_or(InvalidCursor)?;
        let (start, rest) = rest.split_first_chunk::<8>().ok_or(InvalidCursor)?;
        let (id, name) = rest.split_first_chunk::<16>().ok_or(InvalidCursor)?;
        let kind = str::from_utf8(name).map_err(|_| InvalidCursor)?;
        if *version != CURSOR_VERSION || kind.is_empty() || kind.len() > LONGEST_NAME {
            return Err(InvalidCursor);
        }
        Ok(Self {
            kind: kind.to_owned(),
            start_ms: i64::from_be_bytes(*start),
            id: *id,
        })
    }
}

/// Lower-case only: a position has one text.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back() {
        for (kind, start_ms) in [
            ("steps", 0),
            ("é", i64::MIN),
            ("sleepAnalysis", i64::MAX),
            ("x", -1),
        ] {
            let cursor = Cursor {
                kind: kind.to_owned(),
                start_ms,
                id: *b"\x00\xff23456789abcdef",
            };
            let text = cursor.to_string();
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric()));
            assert_eq!(text.parse(), Ok(cursor));
        }
    }

    #[test]
    fn the_text_of_a_cursor_is_frozen() {
        let cursor = Cursor {
            kind: "steps".to_owned(),
            start_ms: 1_768_021_200_000,
            id: [0xab; 16],
        };
        assert_eq!(
            cursor.to_string(),
            "010000019ba6468c80abababababababababababababababab7374657073"
        );
    }

    #[test]
    fn anything_else_is_refused() {
        let good = Cursor {
            kind: "steps".to_owned(),
            start_ms: 1,
            id: [7; 16],
        }
        .to_string();
        let long = format!("{}{}", &good[..50], "61".repeat(LONGEST_NAME + 1));
        let cases = [
            "",
            "0",
            "steps",
            "../../etc/passwd",
            &good[..50],
            &good[..good.len() - 1],
            &good.to_uppercase().replace('0', "A"),
            &good.replacen("01", "02", 1),
            &format!("{}ff", &good[..50]),
            &format!(" {good}"),
            &long,
            "0١",
        ];
        for text in cases {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
        }
    }

    #[test]
    fn a_range_must_not_be_empty() {
        let range = |start_ms, end_ms| {
            Query {
                start_ms,
                end_ms,
                ..Query::default()
            }
            .check()
            .is_ok()
        };
        assert!(range(None, None) && range(Some(1), None) && range(None, Some(1)));
        assert!(range(Some(1), Some(2)));
        assert!(!range(Some(2), Some(2)) && !range(Some(3), Some(2)));
    }
}
