//! `healthsync servers`: the paired servers, as this computer has them noted. Nothing is dialled.

use healthsync_core::report::inert;
use serde_json::json;

use crate::{
    config::{ConfigFile, Server, State},
    error::CliError,
    settings::Settings,
    table,
};

/// Prints a table, or one JSON object a server.
pub(crate) fn run(settings: &Settings) -> Result<(), CliError> {
    let printer = settings.printer;
    let config = ConfigFile::new(&settings.config).load()?;
    if printer.json {
        return config.servers.iter().try_for_each(|server| {
            printer.object(&json!({
                "event": "server",
                "server": server.name,
                "pair": server.pair,
                "state": state(server),
                "addresses": server.addresses,
                "host": server.host,
                "keyStore": server.key_store,
                "pairedAt": server.paired_at,
                "lastUsed": server.last_used,
                "certificateExpires": server.certificate_expires,
            }))
        });
    }
    if config.servers.is_empty() {
        printer.say(
            "No server is paired. Run `healthsync-server pair` there, then `healthsync scan` here.",
        );
        return Ok(());
    }
    let header = ["SERVER", "ADDRESS", "STATE", "LAST USED", "EXPIRES", "PAIR"];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(config.servers.iter().map(|server| {
        let last_good = server.addresses.first().map(ToString::to_string);
        let address = server.host.clone().or(last_good).unwrap_or_default();
        [
            inert(&server.name).into_owned(),
            inert(&address).into_owned(),
            state(server).to_owned(),
            day(server.last_used.as_deref()),
            day(server.certificate_expires.as_deref()),
            inert(&server.pair).into_owned(),
        ]
    }));
    table::print(printer, &rows, &[])
}

const fn state(server: &Server) -> &'static str {
    match server.state {
        State::Pending => "pending",
        State::Active => "active",
    }
}

/// The date of an RFC 3339 time.
fn day(time: Option<&str>) -> String {
    let date = time.and_then(|time| time.split('T').next());
    date.map_or_else(|| "-".to_owned(), |date| inert(date).into_owned())
}
