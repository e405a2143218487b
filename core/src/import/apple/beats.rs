//! When the beats of a heart rate variability were.
//!
//! A beat's time has no date and no offset, and follows the language of the phone: `6:14:48.94 PM`,
//! `20:14:07.68`, `08:34:05,10`, with U+202F before the half of the day. It is in the local time of
//! the day itself, while the record's start is an instant. All offsets in use are whole quarters of
//! an hour, and a measurement takes about a minute: so the beat is that instant at the record which
//! has the same minutes and seconds within a quarter, whatever the hour and its half are called.

use crate::sample::Metadata;

/// Offsets are multiples of it.
const QUARTER_MS: i64 = 15 * 60 * 1000;
/// A beat may be printed a little before its record starts, and after its end.
const SLACK_MS: i64 = 30_000;

/// Fills in the instants that can be said, of a record from `start_ms` to `end_ms`.
pub(super) fn resolve(metadata: &mut Metadata, start_ms: i64, end_ms: i64) {
    // Over half a quarter, several instants fit.
    if end_ms - start_ms > QUARTER_MS / 2 {
        return;
    }
    for beat in &mut metadata.beats {
        beat.at_ms = in_quarter(&beat.time).and_then(|ms| {
            let ahead = (ms - start_ms).rem_euclid(QUARTER_MS);
            let distance = if ahead > QUARTER_MS - SLACK_MS {
                ahead - QUARTER_MS
            } else {
                ahead
            };
            (distance <= end_ms - start_ms + SLACK_MS).then_some(start_ms + distance)
        });
    }
}

/// Milliseconds since the last full quarter of an hour.
fn in_quarter(text: &str) -> Option<i64> {
    let mut parts = [0_i64; 3];
    let mut part = 0;
    let mut digits = 0_u32;
    let mut characters = text
        .trim_start_matches(|c: char| digit(c).is_none())
        .chars();
    let mut fraction = None;
    for character in characters.by_ref() {
        match (digit(character), character) {
            (Some(value), _) if digits < 2 => {
                let number = parts.get_mut(part)?;
                *number = *number * 10 + value;
                digits += 1;
            }
            (None, ':' | '.' | '\u{66b}' | ',') if digits > 0 && part < 2 => {
                part += 1;
                digits = 0;
            }
            (None, '.' | ',' | '\u{66b}') if digits > 0 => {
                fraction = Some(0);
                break;
            }
            (None, _) if digits > 0 && part == 2 => break,
            _ => return None,
        }
    }
    if part < 2 || digits == 0 {
        return None;
    }
    let mut place = 100;
    if let Some(millis) = &mut fraction {
        for value in characters.map_while(digit) {
            *millis += value * place;
            place /= 10;
        }
    }
    let [_, minute, second] = parts;
    if minute > 59 || second > 60 {
        return None;
    }
    Some((minute % 15 * 60 + second) * 1000 + fraction.unwrap_or_default())
}

/// The value of a decimal digit in the scripts that phones print: Latin, Arabic, Persian, Hindi.
pub(super) fn digit(character: char) -> Option<i64> {
    const ZEROS: [u32; 4] = [0x30, 0x660, 0x6f0, 0x966];
    let code = u32::from(character);
    let zero = ZEROS
        .iter()
        .find(|zero| (**zero..**zero + 10).contains(&code))?;
    Some(i64::from(code - zero))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Beat;

    fn at(time: &str, start_ms: i64, end_ms: i64) -> Option<i64> {
        let mut metadata = Metadata::default();
        metadata.beats.push(Beat {
            bpm: "60".to_owned(),
            time: time.to_owned(),
            at_ms: None,
        });
        resolve(&mut metadata, start_ms, end_ms);
        metadata.beats[0].at_ms
    }

    #[test]
    fn printed_times_become_instants() {
        // 2026-01-10T12:14:47Z; it was evening in one place and 17:59 in Nepal (+05:45).
        let start = 1_768_047_287_000;
        let end = start + 60_000;
        let seconds = |s: f64| Some(start + format!("{:.0}", s * 1000.0).parse::<i64>().unwrap());
        for (text, expected) in [
            ("12:14:48.94 PM", seconds(1.94)),
            ("7:14:48.94\u{202f}AM", seconds(1.94)),
            ("20:14:48,9", seconds(1.9)),
            ("07:15:07,10", seconds(20.1)),
            ("17:59:48.00", seconds(1.0)),
            ("17:44:40", seconds(-7.0)),
            ("午後8:14:48.94", seconds(1.94)),
            ("٨:١٤:٤٨٫٩٤", seconds(1.94)),
            ("下午 8:14:48", seconds(1.0)),
            ("20.14.48,94", seconds(1.94)),
            ("20:20:48.94", None),
            ("20:14", None),
            ("20:14:", None),
            ("20:61:48", None),
            ("now", None),
            ("", None),
            ("123:14:48", None),
        ] {
            assert_eq!(at(text, start, end), expected, "{text}");
        }
        assert_eq!(at("12:14:48", start, start + QUARTER_MS), None);
    }
}
