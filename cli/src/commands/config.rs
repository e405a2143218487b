//! `healthsync config`: show and change what is kept in the configuration file.

use healthsync_core::{
    api::Code,
    report::{Hint as _, inert},
};
use serde_json::json;

use crate::{
    args::{self, SettingKey},
    client::host_and_port,
    config::{ConfigFile, State},
    error::CliError,
    settings::Settings,
};

/// Shows, sets or resets.
pub(crate) fn run(config: &args::Config, settings: &Settings) -> Result<(), CliError> {
    let file = ConfigFile::new(&settings.config);
    match config {
        args::Config::Show => show(&file, settings),
        args::Config::Get {
            key: SettingKey::ServerHost,
        } => get_host(&file, settings),
        args::Config::Path => path(&file, settings),
        args::Config::Set {
            key: SettingKey::ServerHost,
            value,
        } => set_host(&file, value.trim(), settings),
        args::Config::Reset {
            key: Some(SettingKey::ServerHost),
            ..
        } => set_host(&file, "", settings),
        args::Config::Reset { key: None, force } => reset(&file, *force, settings),
    }
}

fn show(file: &ConfigFile, settings: &Settings) -> Result<(), CliError> {
    let printer = settings.printer;
    let config = file.load()?;
    if printer.json {
        return printer.object(&json!({
            "path": file.path(),
            "home": settings.home,
            "keyStore": config.key_store,
            "servers": config.servers,
        }));
    }
    printer.line(&format!("File          {}", file.path().display()))?;
    if config.servers.is_empty() {
        printer.line("Servers       none; pair with `healthsync scan`")?;
    }
    for server in &config.servers {
        let addresses: Vec<String> = server.addresses.iter().map(ToString::to_string).collect();
        printer.line("")?;
        for (label, value) in [
            ("Server", inert(&server.name).into_owned()),
            ("  pair", server.pair.clone()),
            (
                "  state",
                match server.state {
                    State::Active => "paired".to_owned(),
                    State::Pending => "not finished; the next command finishes it".to_owned(),
                },
            ),
            (
                "  server.host",
                server.host.clone().unwrap_or_else(|| "-".to_owned()),
            ),
            ("  addresses", addresses.join(", ")),
            ("  key store", server.key_store.clone()),
            ("  paired", server.paired_at.clone()),
        ] {
            printer.line(&format!("{label:<14}{value}"))?;
        }
    }
    Ok(())
}

/// Prints the value alone, or nothing where none is set.
fn get_host(file: &ConfigFile, settings: &Settings) -> Result<(), CliError> {
    let config = file.load()?;
    let server = config.select(settings.server.as_deref())?;
    if settings.printer.json {
        return settings.printer.object(&json!({
            "event": "setting",
            "key": "server.host",
            "value": server.host,
            "pair": server.pair,
        }));
    }
    if let Some(host) = &server.host {
        return settings.printer.line(&inert(host));
    }
    settings
        .printer
        .note("server.host is not set: the saved addresses are dialled");
    Ok(())
}

fn path(file: &ConfigFile, settings: &Settings) -> Result<(), CliError> {
    if settings.printer.json {
        return settings
            .printer
            .object(&json!({"event": "path", "path": file.path()}));
    }
    settings.printer.line(&file.path().display().to_string())
}

fn set_host(file: &ConfigFile, value: &str, settings: &Settings) -> Result<(), CliError> {
    if !value.is_empty() {
        host_and_port(value, 0)?;
    }
    let pair = file
        .load()?
        .select(settings.server.as_deref())?
        .pair
        .clone();
    file.update(|config| {
        if let Some(server) = config.server_mut(&pair) {
            server.host = (!value.is_empty()).then(|| value.to_owned());
        }
    })?;
    if settings.printer.json {
        return settings
            .printer
            .object(&json!({"event": "set", "key": "server.host", "value": value, "pair": pair}));
    }
    settings.printer.note(&if value.is_empty() {
        "server.host removed: the saved addresses are dialled".to_owned()
    } else {
        format!("server.host = {value}\nTest it: healthsync status")
    });
    Ok(())
}

/// A file that names a pair is the only way to its key, so it is moved aside, never deleted.
fn reset(file: &ConfigFile, force: bool, settings: &Settings) -> Result<(), CliError> {
    let moved = match file.load() {
        Ok(config) if config.servers.is_empty() => {
            file.remove()?;
            None
        }
        Ok(config) if !force => {
            let names: Vec<_> = config
                .servers
                .iter()
                .map(|server| inert(&server.name).into_owned())
                .collect();
            return Err(CliError::new(
                Code::StillPaired,
                format!("this computer is still paired with {}", names.join(", ")),
            ));
        }
        Err(error) if error.code() == Code::ConfigFailed.as_str() => return Err(error),
        Ok(_) | Err(_) => Some(file.move_aside()?),
    };
    if settings.printer.json {
        return settings
            .printer
            .object(&json!({"event": "reset", "movedTo": moved}));
    }
    settings.printer.note(&match moved {
        None => "The configuration is back at its defaults.".to_owned(),
        Some(path) => format!(
            "The configuration is back at its defaults. The old file is {}",
            path.display()
        ),
    });
    Ok(())
}
