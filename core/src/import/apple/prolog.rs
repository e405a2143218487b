//! Skipping what stands before `<HealthData`.
//!
//! The DTD of iOS 16 is malformed (an ATTLIST that is not closed, a `>` too many), so everything
//! before the root element is stepped over, never parsed.

use super::{
    limits,
    text::{Chunks, count_lines},
    tokens::broken_off,
};
use crate::import::ReadError;

/// The text from `<HealthData` on, as much of it as was read, and the line on which that stands.
pub(super) fn skip(chunks: &mut Chunks) -> Result<(String, u64), ReadError> {
    let mut text = String::new();
    loop {
        let piece = chunks
            .next_piece(String::new())
            .map_err(|error| broken_off(error, 1 + count_lines(text.as_bytes())))?;
        let end = piece.is_none() || text.len() > limits::PROLOG;
        text.push_str(&piece.unwrap_or_default());
        let bytes = text.as_bytes();
        let found = match find_root(bytes) {
            Search::Found(position) => Some(position),
            Search::Cut if !end => continue,
            // A comment that is not closed must not hide the export.
            Search::Cut => (0..bytes.len()).find(|position| is_root(bytes, *position)),
            Search::Absent => None,
        };
        let Some(position) = found else {
            return Err(no_root(1 + count_lines(bytes)));
        };
        let rest = text.split_off(position);
        let line = 1 + count_lines(text.as_bytes());
        return Ok((rest, line));
    }
}

/// The file is no export.
pub(super) fn no_root(line: u64) -> ReadError {
    ReadError::Malformed {
        line,
        reason: "there is no HealthData element".into(),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Search {
    Found(usize),
    /// The text ends before it can be said.
    Cut,
    /// Another element comes first.
    Absent,
}

fn find_root(text: &[u8]) -> Search {
    let mut position = 0;
    let mut in_dtd = false;
    loop {
        let rest = text.get(position..).unwrap_or_default();
        let Some(step) = rest.iter().position(|byte| *byte == b'<') else {
            return Search::Cut;
        };
        position += step;
        let rest = text.get(position..).unwrap_or_default();
        let skipped = if rest.starts_with(b"<!--") {
            find(rest, b"-->").map(|at| at + 3)
        } else if rest.starts_with(b"<?") {
            find(rest, b"?>").map(|at| at + 2)
        } else if rest.starts_with(b"<!") {
            in_dtd |= rest.starts_with(b"<!DOCTYPE");
            Some(2)
        } else if is_root(text, position) {
            return Search::Found(position);
        } else if rest.len() <= ROOT.len() {
            None
        } else if in_dtd {
            Some(1)
        } else {
            return Search::Absent;
        };
        let Some(skipped) = skipped else {
            return Search::Cut;
        };
        position += skipped;
    }
}

const ROOT: &[u8] = b"<HealthData";

fn is_root(text: &[u8], position: usize) -> bool {
    text.get(position..)
        .and_then(|rest| rest.strip_prefix(ROOT))
        .and_then(|rest| rest.first())
        .is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'))
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_behind_any_dtd() {
        let cases = [
            ("<HealthData>", Some(0)),
            (
                "\u{feff}<?xml version=\"1.0\"?>\n<HealthData locale=\"x\">",
                Some(25),
            ),
            ("<!-- <HealthData> --><HealthData/>", Some(21)),
            (
                "<!DOCTYPE HealthData [<!ELEMENT HealthData (A)>]><HealthData>",
                Some(49),
            ),
            (
                "<!DOCTYPE HealthData [<!ATTLIST a <b>]>>\n]>\n<HealthData\n>",
                Some(44),
            ),
            (
                "<!DOCTYPE HealthData [<!-- never closed\n]>\n<HealthData >",
                Some(43),
            ),
            ("<ClinicalDocument><HealthData></ClinicalDocument>", None),
            ("<HealthDatabase>", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let bytes = text.as_bytes();
            let found = match find_root(bytes) {
                Search::Found(position) => Some(position),
                Search::Cut => (0..bytes.len()).find(|position| is_root(bytes, *position)),
                Search::Absent => None,
            };
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(find_root(b"<!DOCTYPE HealthData [ <Health"), Search::Cut);
    }
}
