//! `pairs`.

use healthsync_core::{report::inert, time::rfc3339};
use serde_json::json;

use crate::{
    control::{
        ControlError, client,
        protocol::{PairLine, Reply, Request},
    },
    error::{ExitStatus, ServerError},
    permit,
    settings::Settings,
};

/// Lists the pairs, oldest first.
pub(super) async fn pairs(settings: &Settings) -> Result<ExitStatus, ServerError> {
    let mut conversation =
        client::ask(&settings.folder, &settings.socket_homes, &Request::Pairs).await?;
    let mut pairs = Vec::new();
    loop {
        match conversation.next().await? {
            Reply::Pair(pair) => pairs.push(pair),
            Reply::Done => break,
            _ => return Err(ControlError::Unexpected.into()),
        }
    }
    let printer = settings.printer;
    if printer.is_json() {
        for pair in &pairs {
            let line = json!({
                "pair": pair.pair,
                "name": pair.name,
                "state": pair.state,
                "keyDigest": pair.key_digest,
                "createdAt": rfc3339(pair.created_at.saturating_mul(1000)),
                "lastSeenAt": pair.last_seen_at.map(|seen| rfc3339(seen.saturating_mul(1000))),
                "lastAddress": pair.last_address,
                "scope": pair.scope,
            });
            printer.event(&line, String::new)?;
        }
    } else if pairs.is_empty() {
        printer.note("No device is paired. `healthsync-server pair` opens a pairing window.");
    } else {
        printer.line(&blocks(&pairs))?;
    }
    Ok(ExitStatus::Success)
}

/// A block of lines for each pair, none wider than a terminal of 80 columns.
fn blocks(pairs: &[PairLine]) -> String {
    let blocks: Vec<String> = pairs.iter().map(block).collect();
    blocks.join("\n\n")
}

fn block(pair: &PairLine) -> String {
    let from = pair
        .last_address
        .map_or_else(String::new, |address| format!(" from {address}"));
    let lines = [
        (
            "state",
            format!("{}, paired {}", pair.state, day(Some(pair.created_at))),
        ),
        ("last seen", format!("{}{from}", minute(pair.last_seen_at))),
        ("key", pair.key_short.clone()),
        ("pair", pair.pair.clone()),
        ("may read", permit::in_words(&pair.scope)),
    ];
    let mut text = wrapped(&inert(&pair.name), "", "");
    for (label, value) in lines {
        text.push('\n');
        text.push_str(&wrapped(&value, &format!("  {label:<10}"), "            "));
    }
    text
}

/// A text after `first`, broken at spaces (a word that is too long, anywhere); what follows begins
/// with `rest`, which is as wide.
fn wrapped(text: &str, first: &str, rest: &str) -> String {
    let width = COLUMNS - first.chars().count();
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let letters: Vec<char> = word.chars().collect();
        for (piece, part) in letters.chunks(width).enumerate() {
            let part: String = part.iter().collect();
            let used = lines.last().map_or(0, |line| line.chars().count());
            let fits = used + 1 + part.chars().count() <= width;
            match lines.last_mut() {
                Some(line) if piece == 0 && line.is_empty() => line.push_str(&part),
                Some(line) if piece == 0 && fits => {
                    line.push(' ');
                    line.push_str(&part);
                }
                _ => lines.push(part),
            }
        }
    }
    format!("{first}{}", lines.join(&format!("\n{rest}")))
}

const COLUMNS: usize = 80;

fn day(seconds: Option<i64>) -> String {
    seconds.map_or_else(
        || "never".to_owned(),
        |seconds| {
            rfc3339(seconds.saturating_mul(1000))
                .chars()
                .take(10)
                .collect()
        },
    )
}

/// To the minute, UTC.
fn minute(seconds: Option<i64>) -> String {
    seconds.map_or_else(
        || "never".to_owned(),
        |seconds| {
            let time: String = rfc3339(seconds.saturating_mul(1000))
                .chars()
                .take(16)
                .collect();
            format!("{} UTC", time.replace('T', " "))
        },
    )
}

#[cfg(test)]
mod tests {
    use healthsync_core::api::ScopeInfo;

    use super::*;

    fn pair(name: &str, last_seen_at: Option<i64>) -> PairLine {
        PairLine {
            pair: "abcdefghijklmnopqrstuvwxyz".to_owned(),
            name: name.to_owned(),
            state: "active".to_owned(),
            key_digest: String::new(),
            created_at: 1_768_021_200,
            last_seen_at,
            last_address: last_seen_at.map(|_| [192, 168, 1, 23].into()),
            key_short: "ab12 cd34 ef56 7890".to_owned(),
            scope: ScopeInfo {
                types: last_seen_at.map(|_| vec!["steps".to_owned()]),
                origins: None,
            },
        }
    }

    #[test]
    fn a_pair_is_a_block_of_lines() {
        let text = blocks(&[pair("Ana’s Mac", None), pair("x", Some(1_768_121_200))]);
        assert_eq!(
            text,
            "Ana’s Mac\n\
             \x20 state     active, paired 2026-01-10\n\
             \x20 last seen never\n\
             \x20 key       ab12 cd34 ef56 7890\n\
             \x20 pair      abcdefghijklmnopqrstuvwxyz\n\
             \x20 may read  ALL TYPES\n\n\
             x\n\
             \x20 state     active, paired 2026-01-10\n\
             \x20 last seen 2026-01-11 08:46 UTC from 192.168.1.23\n\
             \x20 key       ab12 cd34 ef56 7890\n\
             \x20 pair      abcdefghijklmnopqrstuvwxyz\n\
             \x20 may read  steps"
        );
    }

    #[test]
    fn no_line_is_wider_than_eighty_columns_and_no_name_is_a_weapon() {
        let mut wide = pair(&"n".repeat(200), Some(1_768_121_200));
        wide.last_address = "2001:db8:1234:5678:9abc:def0:1234:5678".parse().ok();
        wide.scope.types = Some(
            (0..40)
                .map(|number| format!("typeNumber{number}"))
                .collect(),
        );
        let weapon = pair("\u{1b}[2J\u{202e}x\u{7}\ny", None);
        let text = blocks(&[wide, weapon]);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(text.contains("typeNumber39"));
        assert!(
            text.chars().all(|c| c == '\n' || !c.is_control()),
            "{text:?}"
        );
        assert!(!text.contains('\u{202e}'), "{text:?}");
    }
}
