//! The question at the host, and what a person answers. Yes and no are no answers.

use crate::{control::protocol::Waiting, permit};

/// The question at the host. Everything that a peer chose is inert and in quotes.
pub fn question(waiting: &Waiting) -> String {
    let name = format!("'{}'", waiting.name);
    let address = waiting.from.ip().to_canonical().to_string();
    let replaces = waiting.replaces.as_ref().map_or_else(String::new, |old| {
        format!("  replaces      {old}    (proved by its old key)\n")
    });
    format!(
        "A device asks to be paired.\n\
         \x20 calls itself  {name:<14}    (chosen by the device: anybody can use this name)\n\
         \x20 comes from    {address:<12}      key {key} (the device shows the same)\n\
         {replaces}\
         \x20 may then read {scope}, until you revoke it\n\
         Look at the screen of the device YOU are pairing:\n\
         \x20 six digits there                          -> type them here\n\
         \x20 \"already used\", an error, no digits       -> press Enter: somebody else has this code\n",
        key = waiting.key_short,
        scope = permit::in_words(&waiting.scope),
    )
}

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
  calls itself  'Anna-MacBook'    (chosen by the device: anybody can use this name)
  comes from    192.168.1.23      key ab12 cd34 ef56 7890 (the device shows the same)
  may then read ALL TYPES, until you revoke it
Look at the screen of the device YOU are pairing:
  six digits there                          -> type them here
  \"already used\", an error, no digits       -> press Enter: somebody else has this code
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
        assert_eq!(digits_prompt(60), "Digits (60 s, Enter = refuse): ");
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
