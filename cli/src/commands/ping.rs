//! `healthsync ping`: how long a small request takes there and back.

use std::time::Instant;

use healthsync_core::{
    api::{self, WhoAmI},
    report::inert,
};
use serde_json::json;

use super::{request::Request, status::milliseconds};
use crate::{args, client::Link, error::CliError, printer::Look, settings::Settings};

/// Asks who we are: an answer proves both ends, and its time is that of the open connection.
pub(crate) async fn run(ping: &args::Ping, settings: &Settings) -> Result<(), CliError> {
    let printer = settings.printer;
    if ping.dry_run {
        return Request::json(api::WHOAMI).show(settings);
    }
    let mut link = Link::open(settings).await?;
    let begun = Instant::now();
    // Pays for the connection and both certificates.
    let (_, _): (WhoAmI, _) = link.get(api::WHOAMI).await?;
    let connected = milliseconds(begun.elapsed());
    for number in 1..=ping.count {
        let begun = Instant::now();
        let (_, address): (WhoAmI, _) = link.get(api::WHOAMI).await?;
        let time = milliseconds(begun.elapsed());
        if printer.json {
            printer.object(&json!({
                "event": "pong",
                "server": link.server.name,
                "pair": link.server.pair,
                "address": address.to_string(),
                "number": number,
                "ms": time,
                "connectMs": connected,
            }))?;
            continue;
        }
        let name = inert(&link.server.name);
        if number == 1 {
            printer.detail(&format!(
                "Connected to {name} at {address}, both certificates checked: {connected} ms"
            ));
        }
        let pong = printer.paint("pong", Look::Green);
        printer.line(&format!("{pong} from {name} ({address}): {time} ms"))?;
    }
    Ok(())
}
