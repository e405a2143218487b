//! `healthsync keychain clear`: delete every key of ours.

use std::io::{self, BufRead as _};

use healthsync_core::{api::Code, report::inert};
use healthsync_pairing::{credentials::ClientCredentials, keystore::StoreKind};
use serde_json::json;

use crate::{
    args::Keychain,
    config::{Config, ConfigFile},
    error::CliError,
    keys::{self, PENDING_KEY},
    settings::Settings,
};

/// Deletes the keys that the configuration knows, and what an interrupted `scan` left.
pub(crate) async fn run(keychain: &Keychain, settings: &Settings) -> Result<(), CliError> {
    let Keychain::Clear { yes } = keychain;
    let printer = settings.printer;
    let file = ConfigFile::new(&settings.config);
    let config = file.load()?;
    let stores = stores(&config)?;
    if stores.is_empty() {
        if printer.json {
            return printer.object(&json!({"event": "cleared", "items": 0, "pairs": []}));
        }
        printer.note("This computer is not paired: there is no key to delete.");
        return Ok(());
    }
    if !config.servers.is_empty() && !yes {
        if !settings.can_ask {
            return Err(
                CliError::usage("nobody can be asked whether the keys may be deleted")
                    .with_hint("add `--yes`: `healthsync keychain clear --yes`"),
            );
        }
        if !confirmed(&config, settings).await? {
            printer.note("Nothing was deleted.");
            return Ok(());
        }
    }

    let mut items = 0_u32;
    for kind in stores {
        let mut names = vec![PENDING_KEY.to_owned()];
        for server in &config.servers {
            if server.key_store == kind.as_str() {
                let pair = keys::pair_id(server)?;
                names.push(ClientCredentials::item(&pair));
                names.push(ClientCredentials::next_item(&pair));
            }
        }
        for name in keys::delete(kind, &names, settings)? {
            printer.detail(&format!("deleted {name} from {}", kind.as_str()));
            items += 1;
        }
    }
    let cleared: Vec<&str> = config.servers.iter().map(|known| &*known.pair).collect();
    file.update(|config| {
        config
            .servers
            .retain(|server| !cleared.contains(&&*server.pair));
        config.key_store = None;
    })?;

    if printer.json {
        return printer.object(&json!({"event": "cleared", "items": items, "pairs": cleared}));
    }
    printer.note(&format!(
        "Deleted {items} {}.",
        if items == 1 { "key" } else { "keys" }
    ));
    for server in &config.servers {
        printer.note(&format!(
            "{} may still list this computer. Remove it there: healthsync-server revoke {}",
            inert(&server.name),
            server.pair
        ));
    }
    Ok(())
}

/// The stores that were ever used here, each once.
fn stores(config: &Config) -> Result<Vec<StoreKind>, CliError> {
    let mut stores = Vec::new();
    let named = config
        .servers
        .iter()
        .map(|server| &server.key_store)
        .chain(&config.key_store);
    for name in named {
        let kind = name.parse()?;
        if !stores.contains(&kind) {
            stores.push(kind);
        }
    }
    Ok(stores)
}

/// Asks the person. Only a thread of its own can wait for stdin without being deaf to Ctrl-C.
async fn confirmed(config: &Config, settings: &Settings) -> Result<bool, CliError> {
    let names: Vec<_> = config
        .servers
        .iter()
        .map(|server| inert(&server.name))
        .collect();
    settings.printer.say(&format!(
        "This deletes the keys for {}. To use a server again, you must pair again. Go on? [y/N]",
        names.join(", ")
    ));
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        io::Result::Ok(answer)
    });
    let answer = answer
        .await
        .map_err(|error| CliError::new(Code::Internal, "the prompt failed").because(error))?
        .map_err(|error| CliError::usage("could not read the answer").because(error))?;
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}
