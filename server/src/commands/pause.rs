//! `pause` and `resume`.

use serde_json::json;

use crate::{
    control::{client, protocol::Request},
    error::{ExitStatus, ServerError},
    settings::Settings,
};

/// Lets nobody read.
pub(super) async fn pause(settings: &Settings) -> Result<ExitStatus, ServerError> {
    client::ask_once(&settings.folder, &settings.socket_homes, &Request::Pause).await?;
    settings.printer.event(&json!({"event": "paused"}), || {
        "Paused: no device can read, also after a restart. `healthsync-server resume` ends it."
            .to_owned()
    })?;
    Ok(ExitStatus::Success)
}

/// Lets them read again.
pub(super) async fn resume(settings: &Settings) -> Result<ExitStatus, ServerError> {
    client::ask_once(&settings.folder, &settings.socket_homes, &Request::Resume).await?;
    settings.printer.event(&json!({"event": "resumed"}), || {
        "Resumed: paired devices can read again.".to_owned()
    })?;
    Ok(ExitStatus::Success)
}
