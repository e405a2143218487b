//! `version`.

use serde_json::json;

use crate::{
    error::{ExitStatus, ServerError},
    settings::Settings,
};

/// Prints the version.
pub(super) fn version(settings: &Settings) -> Result<ExitStatus, ServerError> {
    let version = env!("CARGO_PKG_VERSION");
    settings.printer.event(
        &json!({"event": "version", "name": "healthsync-server", "version": version}),
        || format!("healthsync-server {version}"),
    )?;
    Ok(ExitStatus::Success)
}
