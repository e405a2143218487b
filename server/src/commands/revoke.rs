//! `revoke NAME`.

use serde_json::json;

use crate::{
    control::{
        ControlError, client,
        protocol::{Reply, Request},
    },
    error::{ExitStatus, ServerError},
    settings::Settings,
};

/// Revokes a pair: its connections are cut at once.
pub(super) async fn revoke(settings: &Settings, name: String) -> Result<ExitStatus, ServerError> {
    let reply = client::ask_once(
        &settings.folder,
        &settings.socket_homes,
        &Request::Revoke { name },
    )
    .await?;
    let Reply::Revoked(pair) = reply else {
        return Err(ControlError::Unexpected.into());
    };
    settings.printer.event(
        &json!({"event": "revoked", "pair": pair.pair, "name": pair.name}),
        || {
            format!(
                "Revoked '{}' ({}). It can read nothing any more.",
                pair.name, pair.pair
            )
        },
    )?;
    Ok(ExitStatus::Success)
}
