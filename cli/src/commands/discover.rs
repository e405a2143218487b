//! `healthsync discover`: which servers announce themselves in the local network.

use std::collections::BTreeMap;

use healthsync_core::report::inert;
use healthsync_pairing::{
    credentials::ClientCredentials, discovery::Recognizer, keystore::KeyStore,
};
use serde_json::json;
use tokio::time::{Duration, Instant, timeout_at};

use crate::{
    args,
    browse::{Browser, Found, Heard},
    config::{Config, ConfigFile, Server},
    error::CliError,
    keys,
    settings::Settings,
    table,
};

/// A flood of announcements is not listed without end.
const MOST: usize = 256;

/// Listens for a while, then lists. An announcement is a hint: only a connection proves anything.
pub(crate) async fn run(discover: &args::Discover, settings: &Settings) -> Result<(), CliError> {
    list(discover, settings).await?;
    if discover.auto_scan {
        return super::scan::run(&args::Scan::default(), settings).await;
    }
    Ok(())
}

async fn list(discover: &args::Discover, settings: &Settings) -> Result<(), CliError> {
    let printer = settings.printer;
    if settings.no_mdns {
        return Err(CliError::usage("`discover` needs mDNS")
            .with_hint("run `healthsync discover` without `--no-mdns`"));
    }
    let config = ConfigFile::new(&settings.config).load()?;
    let ours = recognizers(&config, settings);
    let waiting = printer.waiting(|| "Listening for servers".to_owned());
    let found = listen(Duration::from_secs(discover.duration)).await?;
    drop(waiting);
    let listed: Vec<(&Found, Option<&Server>)> = found
        .values()
        .map(|found| {
            let known = ours
                .iter()
                .find(|(_, recognizer)| found.announcement.is_for(recognizer));
            (found, known.map(|(server, _)| *server))
        })
        .collect();
    if printer.json {
        for (found, known) in &listed {
            printer.object(&json!({
                "event": "server",
                "addresses": found.addresses,
                "interfaces": found.interfaces,
                "window": found.announcement.has_window(),
                "server": known.map(|server| &server.name),
                "pair": known.map(|server| &server.pair),
            }))?;
        }
        return printer.object(&json!({
            "event": "discovered",
            "servers": listed.len(),
            "seconds": discover.duration,
        }));
    }
    if listed.is_empty() {
        printer.say(
            "No servers found.\n\
             - Is the server running, and not on loopback alone? There: healthsync-server start\n\
             - Are both computers in the same network? Guest networks and VPNs keep them apart.\n\
             - Some networks block mDNS: give the address, healthsync status --host ADDRESS",
        );
        return Ok(());
    }
    let mut rows = vec![["SERVER", "ADDRESS", "INTERFACE", "PAIRING WINDOW"].map(str::to_owned)];
    for (found, known) in listed {
        let addresses: Vec<_> = found.addresses.iter().map(ToString::to_string).collect();
        let interfaces: Vec<_> = found.interfaces.iter().map(|name| inert(name)).collect();
        rows.push([
            known.map_or_else(
                || "(not paired)".to_owned(),
                |server| inert(&server.name).into_owned(),
            ),
            addresses.join(", "),
            interfaces.join(", "),
            if found.announcement.has_window() {
                "open"
            } else {
                "closed"
            }
            .to_owned(),
        ]);
    }
    table::print(printer, &rows, &[])
}

/// What is announced in this time, by its announcer.
pub(super) async fn listen(time: Duration) -> Result<BTreeMap<String, Found>, CliError> {
    let end = Instant::now() + time;
    let browser = Browser::start().map_err(|error| {
        CliError::new(
            healthsync_core::api::Code::Enotfound,
            "mDNS does not work on this computer",
        )
        .because(error)
        .with_hint("give the address: `healthsync status --host ADDRESS`")
    })?;
    let mut found = BTreeMap::new();
    while let Ok(Some(heard)) = timeout_at(end, browser.next()).await {
        match heard {
            Heard::Server(server) if found.len() < MOST || found.contains_key(&server.instance) => {
                found.insert(server.instance.clone(), server);
            }
            Heard::Server(_) => {}
            Heard::Gone(instance) => drop(found.remove(&instance)),
        }
    }
    Ok(found)
}

/// Of the paired servers, as far as their keys can be read.
fn recognizers<'a>(config: &'a Config, settings: &Settings) -> Vec<(&'a Server, Recognizer)> {
    let mut stores: BTreeMap<&str, Option<Box<dyn KeyStore>>> = BTreeMap::new();
    let mut known = Vec::new();
    for server in &config.servers {
        let store = stores.entry(&server.key_store).or_insert_with(|| {
            let kind = server.key_store.parse().map_err(CliError::from);
            match kind.and_then(|kind| keys::open(kind, settings)) {
                Ok(store) => Some(store),
                Err(error) => {
                    let printer = settings.printer;
                    printer.warn(&format!("names are missing: {error}"));
                    None
                }
            }
        });
        let item = store.as_ref().and_then(|store| {
            let pair = keys::pair_id(server).ok()?;
            store.read(&ClientCredentials::item(&pair)).ok()?
        });
        if let Some(credentials) = item.and_then(|item| ClientCredentials::decode(&item).ok()) {
            known.push((server, Recognizer::new(&credentials.discovery_key)));
        }
    }
    known
}
