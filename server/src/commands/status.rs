//! `status`.

use serde_json::{Value, json};

use crate::{
    control::{
        ControlError, client,
        protocol::{Reply, Request},
    },
    error::{ExitStatus, ServerError},
    settings::Settings,
};

/// Shows what the running server does.
pub(super) async fn status(settings: &Settings) -> Result<ExitStatus, ServerError> {
    let reply =
        client::ask_once(&settings.folder, &settings.socket_homes, &Request::Status).await?;
    let Reply::Status(status) = reply else {
        return Err(ControlError::Unexpected.into());
    };
    let mut event = json!({"event": "status"});
    if let (Value::Object(event), Ok(Value::Object(fields))) =
        (&mut event, serde_json::to_value(&status))
    {
        event.extend(fields);
    }
    settings.printer.event(&event, || {
        format!(
            "Server       '{}', version {}, process {}\n\
             Listens on   {}\n\
             Data folder  {}\n\
             Key store    {}\n\
             Pairs        {} active, {} connections now\n\
             Window       {}\n\
             Reading      {}\n\
             Store        {} samples of {} types",
            status.name,
            status.version,
            status.process,
            status.addresses.join(", "),
            status.data_folder,
            status.key_store,
            status.active_pairs,
            status.connections,
            if status.window_open { "open" } else { "closed" },
            if status.paused { "paused" } else { "allowed" },
            status.samples,
            status.types,
        )
    })?;
    Ok(ExitStatus::Success)
}
