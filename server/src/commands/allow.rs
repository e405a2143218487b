//! `allow NAME`.

use serde_json::json;

use crate::{
    args,
    control::{
        ControlError, client,
        protocol::{Reply, Request},
    },
    error::{ExitStatus, ServerError},
    permit,
    settings::Settings,
};

/// Changes what a device may read.
pub(super) async fn allow(
    settings: &Settings,
    args: args::Allow,
) -> Result<ExitStatus, ServerError> {
    let request = Request::Allow {
        name: args.name,
        limits: args.limits.into(),
        all: args.all,
    };
    let reply = client::ask_once(&settings.folder, &settings.socket_homes, &request).await?;
    let Reply::Allowed(pair) = reply else {
        return Err(ControlError::Unexpected.into());
    };
    settings.printer.event(
        &json!({"event": "allowed", "pair": pair.pair, "name": pair.name, "scope": pair.scope}),
        || {
            let scope = permit::in_words(&pair.scope);
            format!("'{}' ({}) may read {scope}.", pair.name, pair.pair)
        },
    )?;
    Ok(ExitStatus::Success)
}
