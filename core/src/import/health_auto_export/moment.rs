//! Dates as the phone's language writes them.

use crate::import::date;

/// Reads `2021-12-24 00:04:00 +0800`, and what a phone with 12 hours makes of it:
/// `2024-09-21 7:57:00\u{202f}am +1000`. Milliseconds since 1970-01-01T00:00:00Z.
pub(super) fn parse(text: &str) -> Option<i64> {
    if let Some(ms) = date::parse(text) {
        return Some(ms);
    }
    let mut parts = text.split(|c: char| c.is_whitespace() || c == '\u{202f}');
    let day = parts.next()?;
    let mut clock = parts.next()?.to_owned();
    let mut half = None;
    let mut offset = None;
    for part in parts.filter(|part| !part.is_empty()) {
        if part.starts_with(['+', '-', 'Z']) {
            offset = Some(part);
        } else {
            half = Some(half_of_day(part)?);
        }
    }
    let (mut hour, rest) = clock.split_once(':').and_then(|(hour, rest)| {
        let hour: u8 = hour.parse().ok()?;
        Some((hour, rest.to_owned()))
    })?;
    if let Some(half) = half {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + half;
    }
    clock = format!("{hour:02}:{rest}");
    date::parse(&format!("{day} {clock} {}", offset?))
}

/// Hours to add for `AM`, `a.m.`, `pm`, in English letters; other languages are not guessed.
fn half_of_day(text: &str) -> Option<u8> {
    let letters: String = text
        .chars()
        .filter(|c| *c != '.')
        .map(|c| c.to_ascii_lowercase())
        .collect();
    match letters.as_str() {
        "am" => Some(0),
        "pm" => Some(12),
        _ => None,
    }
}

/// The first instant of a day that is written without a time, as if it were UTC.
pub(super) fn day(text: &str) -> Option<i64> {
    date::parse(&format!("{} 00:00:00 +0000", text.trim()))
}

/// Milliseconds since the midnight in front of the date, as its own text says; `None` without one.
pub(super) fn time_of_day(text: &str) -> Option<i64> {
    let ms = parse(text)?;
    let offset = text.rsplit(char::is_whitespace).next()?;
    let utc = date::parse(&format!("1970-01-02 00:00:00 {offset}"))?;
    Some((ms - utc).rem_euclid(86_400_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clock_is_read() {
        let morning = Some(1_726_869_420_000);
        let cases = [
            ("2024-09-21 07:57:00 +1000", morning),
            ("2024-09-21 7:57:00\u{202f}am +1000", morning),
            ("2024-09-21 7:57:00\u{a0}AM +1000", morning),
            ("2024-09-21 7:57:00 a.m. +1000", morning),
            ("2024-09-20 9:57:00 PM Z", morning),
            ("2024-09-21 7:57:00 +1000", morning),
            (
                "2024-09-21 12:00:00\u{202f}AM +0000",
                Some(1_726_876_800_000),
            ),
            (
                "2024-09-21 12:00:00\u{202f}PM +0000",
                Some(1_726_920_000_000),
            ),
            ("2024-09-20T21:57:00Z", morning),
            ("2024-09-21 13:57:00\u{202f}PM +1000", None),
            ("2024-09-21 0:57:00\u{202f}AM +1000", None),
            ("2024-09-21 7:57:00 nachm. +1000", None),
            ("2024-09-21 7:57:00 am", None),
            ("2024-09-21", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(day("2024-09-21"), Some(1_726_876_800_000));
        assert_eq!(day("2024-09-21 07:57:00 +1000"), None);
    }

    #[test]
    fn the_time_of_day_is_that_of_the_text() {
        let minute = 60_000;
        assert_eq!(time_of_day("2024-09-21 00:00:00 -0800"), Some(0));
        assert_eq!(
            time_of_day("2024-09-21 7:57:00\u{202f}am +1000"),
            Some(477 * minute)
        );
        assert_eq!(
            time_of_day("2024-09-21 23:59:00 +0530"),
            Some(1439 * minute)
        );
        assert_eq!(time_of_day("2024-09-21"), None);
    }
}
