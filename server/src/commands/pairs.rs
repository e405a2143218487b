//! `pairs`.

use healthsync_core::time::rfc3339;
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
                "scope": pair.scope,
            });
            printer.event(&line, String::new)?;
        }
    } else if pairs.is_empty() {
        printer.note("No device is paired. `healthsync-server pair` opens a pairing window.");
    } else {
        printer.line(&table(&pairs))?;
    }
    Ok(ExitStatus::Success)
}

fn table(pairs: &[PairLine]) -> String {
    let head = ["NAME", "STATE", "PAIRED", "LAST SEEN", "PAIR", "MAY READ"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(head)
        .chain(pairs.iter().map(|pair| {
            [
                pair.name.clone(),
                pair.state.clone(),
                day(Some(pair.created_at)),
                day(pair.last_seen_at),
                pair.pair.clone(),
                permit::in_words(&pair.scope),
            ]
        }))
        .collect();
    let mut widths = [0_usize; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

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

#[cfg(test)]
mod tests {
    use healthsync_core::api::ScopeInfo;

    use super::*;

    #[test]
    fn columns_are_aligned() {
        let pair = |name: &str, last_seen_at| PairLine {
            pair: "p".to_owned(),
            name: name.to_owned(),
            state: "active".to_owned(),
            key_digest: String::new(),
            created_at: 1_768_021_200,
            last_seen_at,
            scope: ScopeInfo {
                types: last_seen_at.map(|_| vec!["steps".to_owned()]),
                origins: None,
            },
        };
        let text = table(&[pair("Ana’s Mac", None), pair("x", Some(1_768_121_200))]);
        assert_eq!(
            text,
            "NAME       STATE   PAIRED      LAST SEEN   PAIR  MAY READ\n\
             Ana’s Mac  active  2026-01-10  never       p     ALL TYPES\n\
             x          active  2026-01-10  2026-01-11  p     steps"
        );
    }
}
