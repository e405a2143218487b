//! `reset`: ends every pair.

use serde_json::json;

use crate::{
    control::{
        ControlError, client,
        protocol::{PairLine, Reply, Request},
    },
    error::{ExitStatus, ServerError},
    keyboard::Keyboard,
    settings::Settings,
};

/// Revokes every device, after a question.
pub(super) async fn reset(settings: &Settings, yes: bool) -> Result<ExitStatus, ServerError> {
    let printer = settings.printer;
    if !yes {
        if !printer.is_interactive() {
            return Err(ServerError::NobodyToAsk);
        }
        printer.prompt(
            "This revokes every device and closes the pairing window. Each must be paired again.\n\
             Go on? [y/N] ",
        )?;
        let mut keyboard = Keyboard::open().map_err(ServerError::Runtime)?;
        let answer = keyboard.line().await.unwrap_or_default();
        if !matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
            printer.note("Nothing was changed.");
            return Ok(ExitStatus::Success);
        }
    }
    let mut conversation =
        client::ask(&settings.folder, &settings.socket_homes, &Request::Reset).await?;
    let mut revoked: Vec<PairLine> = Vec::new();
    loop {
        match conversation.next().await? {
            Reply::Revoked(pair) => revoked.push(pair),
            Reply::Done => break,
            _ => return Err(ControlError::Unexpected.into()),
        }
    }
    let pairs: Vec<&str> = revoked.iter().map(|pair| &*pair.pair).collect();
    printer.event(
        &json!({"event": "reset", "revoked": pairs}),
        || match revoked.len() {
            0 => "No device was paired.".to_owned(),
            1 => "Revoked one device. It can read nothing any more.".to_owned(),
            count => format!("Revoked {count} devices. They can read nothing any more."),
        },
    )?;
    Ok(ExitStatus::Success)
}
