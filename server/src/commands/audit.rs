//! `audit` and `audit verify`.

use healthsync_core::{report::inert, time};
use jiff::tz::TimeZone;
use serde_json::json;

use crate::{
    args,
    control::{
        ControlError,
        audit::{self, AuditLine, VerdictLine, Wanted},
        client,
        protocol::{Reply, Request},
    },
    error::{ExitStatus, ServerError},
    settings::Settings,
};

/// Shows who read what, or checks that nobody changed the log.
pub(super) async fn audit(
    settings: &Settings,
    args: args::Audit,
) -> Result<ExitStatus, ServerError> {
    match args.what {
        Some(args::AuditCommand::Verify) => verify(settings).await,
        None => list(settings, args).await,
    }
}

async fn list(settings: &Settings, args: args::Audit) -> Result<ExitStatus, ServerError> {
    let since = match &args.since {
        Some(text) => {
            let now = jiff::Timestamp::now().as_millisecond();
            Some(time::parse(text, &TimeZone::system(), now)?.div_euclid(1000))
        }
        None => None,
    };
    let wanted = Wanted {
        since,
        pair: args.pair,
    };
    let printer = settings.printer;
    let mut shown = 0_u64;
    let mut show = |line: AuditLine| {
        shown += 1;
        if shown == 1 && printer.is_talkative() {
            printer.line(HEAD)?;
        }
        printer.event(&line, || row(&line))
    };
    let request = Request::Audit(wanted.clone());
    match client::ask(&settings.folder, &settings.socket_homes, &request).await {
        Ok(mut conversation) => loop {
            match conversation.next().await? {
                Reply::Audit(line) => show(*line)?,
                Reply::Done => break,
                _ => return Err(ControlError::Unexpected.into()),
            }
        },
        Err(ServerError::Control(ControlError::NotRunning(_))) => {
            audit::recorded(&settings.folder, &wanted, &mut show)?;
            printer.note(
                "No server is running: this is what the file says, not verified. \
                 `healthsync-server start`, then `healthsync-server audit verify`, checks it.",
            );
        }
        Err(error) => return Err(error),
    }
    if shown == 0 {
        printer.note("Nothing is in the log.");
    }
    Ok(ExitStatus::Success)
}

const HEAD: &str = "TIME                  WHAT                 RESULT            DEVICE";

/// One entry in a line; what has no column stands at its end.
fn row(line: &AuditLine) -> String {
    let device = match (&line.name, &line.pair) {
        (Some(name), _) => format!("'{}'", inert(name)),
        (None, Some(pair)) => pair.clone(),
        (None, None) => String::new(),
    };
    let mut rest = Vec::new();
    if let Some(types) = &line.types {
        rest.push(types.join(", "));
    }
    if let Some(rows) = line.rows {
        rest.push(format!("{rows} {}", if rows == 1 { "row" } else { "rows" }));
    }
    if let Some(count) = line.count {
        rest.push(format!("{count} x"));
    }
    let text = format!(
        "{:<22}{:<21}{:<18}{device}  {}",
        line.time,
        line.event,
        line.result,
        rest.join(", ")
    );
    inert(text.trim_end()).into_owned()
}

async fn verify(settings: &Settings) -> Result<ExitStatus, ServerError> {
    let request = Request::AuditVerify;
    let reply = match client::ask_once(&settings.folder, &settings.socket_homes, &request).await {
        // The key is in the key store, which the server holds open.
        Err(ServerError::Control(ControlError::NotRunning(_))) => {
            return Err(ServerError::AuditKeyNeeded);
        }
        other => other?,
    };
    let Reply::AuditVerdict(verdict) = reply else {
        return Err(ControlError::Unexpected.into());
    };
    settings
        .printer
        .event(&json_of(&verdict), || words(&verdict))?;
    Ok(match verdict {
        VerdictLine::Intact { .. } => ExitStatus::Success,
        VerdictLine::Broken { .. } => ExitStatus::Failed,
    })
}

fn json_of(verdict: &VerdictLine) -> serde_json::Value {
    match verdict {
        VerdictLine::Intact {
            entries,
            last,
            purged,
        } => {
            json!({"event": "audit", "verdict": "intact", "entries": entries, "last": last, "purged": purged})
        }
        VerdictLine::Broken { sequence, what } => {
            json!({"event": "audit", "verdict": "broken", "code": "AUDIT_BROKEN", "sequence": sequence, "what": what})
        }
    }
}

fn words(verdict: &VerdictLine) -> String {
    match verdict {
        VerdictLine::Intact {
            entries,
            last,
            purged,
        } => {
            let before = match purged {
                0 => String::new(),
                purged => {
                    format!(" Entries up to {purged} are older than 90 days and were deleted.")
                }
            };
            format!("Intact: {entries} entries, the last one is {last}.{before}")
        }
        VerdictLine::Broken { sequence, what } => {
            let meaning = match what.as_str() {
                "missing" => "an entry that was there is gone",
                "beginning" => "the beginning was cut off, and not by a purge of this server",
                "end" => "the end was cut off while the server was running",
                _ => {
                    "the entry is not the one that this server wrote there; it was changed or moved, or \
                     the item `audit` in the key store is a new one"
                }
            };
            format!(
                "BROKEN at entry {sequence} (AUDIT_BROKEN): {meaning}.\n\
                 Nothing from there on is proved. See docs/audit.md."
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line() {
        let mut line = AuditLine {
            sequence: 7,
            time: "2026-01-07T10:00:00Z".to_owned(),
            event: "read-samples".to_owned(),
            result: "OK".to_owned(),
            pair: Some("p".to_owned()),
            name: Some("Ana\u{1b}[2J".to_owned()),
            key_digest: None,
            types: Some(vec!["steps".to_owned(), "heartRate".to_owned()]),
            rows: Some(1),
            count: None,
            request: None,
            hash: String::new(),
        };
        let text = row(&line);
        assert!(!text.contains('\u{1b}') && !text.contains('\n'), "{text:?}");
        assert!(text.ends_with("  steps, heartRate, 1 row"), "{text:?}");
        line.name = None;
        line.types = None;
        line.rows = None;
        line.count = Some(5);
        assert_eq!(
            row(&line),
            "2026-01-07T10:00:00Z  read-samples         OK                p  5 x"
        );
        assert_eq!(HEAD.find("DEVICE"), row(&line).find("p  5 x"));
    }
}
