//! `approve DIGITS`.

use serde_json::json;

use crate::{
    control::{client, protocol::Request},
    error::{ExitStatus, ServerError},
    question,
    settings::Settings,
};

/// Approves the device that waits.
pub(super) async fn approve(
    settings: &Settings,
    digits: &[String],
) -> Result<ExitStatus, ServerError> {
    // `approve 123 456` is what the device shows.
    let digits = question::parse_digits(&digits.concat()).ok_or(ServerError::NotSixDigits)?;
    client::ask_once(
        &settings.folder,
        &settings.socket_homes,
        &Request::Approve { digits },
    )
    .await?;
    settings
        .printer
        .event(&json!({"event": "approved"}), || "Approved.".to_owned())?;
    Ok(ExitStatus::Success)
}
