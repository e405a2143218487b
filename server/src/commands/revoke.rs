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
    let (pair, already) = match reply {
        Reply::Revoked(pair) => (pair, false),
        Reply::AlreadyRevoked(pair) => (pair, true),
        _ => return Err(ControlError::Unexpected.into()),
    };
    settings.printer.event(
        &json!({"event": "revoked", "pair": pair.pair, "name": pair.name, "already": already}),
        || {
            let (name, id) = (&pair.name, &pair.pair);
            if already {
                format!("'{name}' ({id}) was already revoked. It can read nothing.")
            } else {
                format!("Revoked '{name}' ({id}). It can read nothing any more.")
            }
        },
    )?;
    Ok(ExitStatus::Success)
}
