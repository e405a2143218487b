//! The question at the host, and what a person answers. Yes and no are no answers.

use jiff::{Timestamp, tz::TimeZone};

use crate::{control::protocol::Waiting, permit};

/// The question at the host. Everything that a peer chose is inert and in quotes; no line is wider
/// than a terminal.
pub fn question(waiting: &Waiting) -> String {
    let address = waiting.from.ip().to_canonical().to_string();
    let mut lines = vec!["A device asks to be paired.".to_owned()];
    lines.extend(side_by_side(
        format!("  calls itself  '{}'", waiting.name),
        "(chosen by the device: anybody can use this name)",
    ));
    lines.extend(side_by_side(
        format!("  comes from    {address}"),
        &format!("key {}", waiting.key_short),
    ));
    lines.push(format!("{INDENT}(the device shows the same key)"));
    if let Some(old) = &waiting.replaces {
        lines.extend(side_by_side(
            format!("  replaces      '{}',", old.name),
            &format!("paired on {} (proved by its old key)", day(old.paired_at)),
        ));
    }
    lines.extend(filled(&format!(
        "  may then read {}, until you revoke it",
        permit::in_words(&waiting.scope)
    )));
    lines.extend(
        [
            "Look at the screen of the device YOU are pairing:",
            "  six digits there                     -> type them here",
            "  \"already used\", an error, no digits  -> Enter: somebody else has this code",
            "",
        ]
        .map(str::to_owned),
    );
    lines.join("\n")
}

/// Columns that every terminal has.
const COLUMNS: usize = 80;
const INDENT: &str = "                ";

/// Beside each other if both fit into a line, else below each other. (No character is wider than it
/// has bytes in UTF-8.)
fn side_by_side(left: String, right: &str) -> Vec<String> {
    if left.len() + GAP.len() + right.len() <= COLUMNS {
        vec![format!("{left}{GAP}{right}")]
    } else {
        // The longest name has 64 columns and does not fit behind its label.
        let mut lines = Vec::new();
        match left.split_once("  '").filter(|_| left.len() > COLUMNS) {
            Some((label, name)) => lines.extend([label.to_owned(), format!("    '{name}")]),
            None => lines.push(left),
        }
        lines.push(format!("{INDENT}{right}"));
        lines
    }
}

const GAP: &str = "    ";

/// Breaks a line between words.
fn filled(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        let line = lines.last().map_or(0, String::len);
        if line + word.len() > COLUMNS && line > INDENT.len() {
            lines.push(INDENT.to_owned());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(word);
            if words.peek().is_some() {
                line.push(' ');
            }
        }
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// The date in this computer's zone.
fn day(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .map(|instant| instant.to_zoned(TimeZone::system()).date().to_string())
        .unwrap_or_default()
}

/// What a person reads when a code is over and another one counts.
pub fn new_code(code: &str) -> String {
    format!(
        "! Five wrong codes were typed somewhere: that code is over. If it was not you,\n  \
         somebody guesses. The code to type is now\n\n      {code}\n"
    )
}

/// What a person reads when typed codes are over.
pub const CODES_ENDED: &str = "\
! Fifteen wrong codes were typed somewhere: somebody guesses. No more codes can
  be typed in this window. The QR code and its text are as good as before.
";

/// The last line of the question.
pub fn digits_prompt(seconds: u8) -> String {
    format!("Digits ({seconds} s, Enter = refuse): ")
}

/// What a person types for six digits: spaces and hyphens are forgiven.
pub fn parse_digits(line: &str) -> Option<String> {
    let digits: String = line
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .collect();
    (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// Why a window closed, in words.
pub fn closed(code: &str) -> &'static str {
    match code {
        "PAIRING_EXPIRED" => {
            "The time is over: nobody paired. `healthsync-server pair` opens a new window."
        }
        "PAIRING_REFUSED" => {
            "Refused. If it was not yours, somebody has seen the code: cover the screen."
        }
        "PAIRING_TIMEOUT" => {
            "Nobody typed the digits in time. `healthsync-server pair` opens a new window."
        }
        "PAIRING_CANCELLED" => "The window was closed.",
        "PAIRING_NOT_ACKNOWLEDGED" => {
            "The device did not confirm the pair in time, so the pair was undone. Run \
             `healthsync-server pair` and, on the device, `healthsync scan` again."
        }
        _ => "Pairing failed. `healthsync-server pair` opens a new window.",
    }
}

#[cfg(test)]
mod tests {
    use healthsync_core::api::ScopeInfo;

    use super::*;
    use crate::control::protocol::ReplacedPair;

    #[test]
    fn question_reads_as_designed() {
        let mut waiting = Waiting {
            name: "Anna-MacBook".to_owned(),
            key_digest: "sha256:ab".to_owned(),
            key_short: "ab12 cd34 ef56 7890".to_owned(),
            from: "192.168.1.23:5555".parse().unwrap(),
            seconds: 60,
            replaces: None,
            scope: ScopeInfo::default(),
        };
        let expected = "\
A device asks to be paired.
  calls itself  'Anna-MacBook'
                (chosen by the device: anybody can use this name)
  comes from    192.168.1.23    key ab12 cd34 ef56 7890
                (the device shows the same key)
  may then read ALL TYPES, until you revoke it
Look at the screen of the device YOU are pairing:
  six digits there                     -> type them here
  \"already used\", an error, no digits  -> Enter: somebody else has this code
";
        assert_eq!(question(&waiting), expected);
        waiting.scope = ScopeInfo {
            types: Some(vec!["heartRate".to_owned(), "steps".to_owned()]),
            origins: Some(vec!["ana\u{1b}[2J".to_owned()]),
        };
        assert_eq!(
            question(&waiting),
            expected.replace("ALL TYPES", "heartRate, steps of ana\\u{1b}[2J")
        );
        waiting.replaces = Some(ReplacedPair {
            pair: "p".to_owned(),
            name: "Old Mac".to_owned(),
            paired_at: 1_768_046_400,
        });
        assert!(
            question(&waiting).contains(
                "\n  replaces      'Old Mac',    paired on 2026-01-10 (proved by its old key)\n"
            ),
            "{}",
            question(&waiting)
        );
        assert_eq!(digits_prompt(60), "Digits (60 s, Enter = refuse): ");
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let name = "x".repeat(64);
        let waiting = Waiting {
            name: name.clone(),
            key_digest: "sha256:ab".to_owned(),
            key_short: "ab12 cd34 ef56 7890".to_owned(),
            from: "[fd12:3456:789a:bcde:1234:5678:9abc:def0]:5555"
                .parse()
                .unwrap(),
            seconds: 60,
            replaces: Some(ReplacedPair {
                pair: "p".to_owned(),
                name: name.clone(),
                paired_at: 0,
            }),
            scope: ScopeInfo {
                types: Some(vec!["sleepAnalysis:asleepREM".to_owned(); 12]),
                origins: None,
            },
        };
        let text = question(&waiting) + &new_code("K7QF-3M9X-5") + CODES_ENDED;
        for line in text.lines() {
            assert!(line.len() <= 80, "{} columns: {line}", line.len());
        }
        assert_eq!(text.matches(&name).count(), 2);
        assert_eq!(text.matches("sleepAnalysis:asleepREM").count(), 12);
        // Question and screen fit together only by scrolling; the question alone does not scroll.
        assert!(question(&waiting).lines().count() < 23);
    }

    #[test]
    fn digits_are_six_digits() {
        for (line, expected) in [
            ("123456\n", Some("123456")),
            (" 123 456 ", Some("123456")),
            ("123-456", Some("123456")),
            ("000000", Some("000000")),
            ("", None),
            ("12345", None),
            ("1234567", None),
            ("y", None),
            ("١٢٣٤٥٦", None),
        ] {
            assert_eq!(parse_digits(line).as_deref(), expected, "{line:?}");
        }
    }
}
