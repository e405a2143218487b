//! `healthsync unpair`: end a pairing on both sides, or here alone when the server is away.

use healthsync_core::{api, report::inert};
use healthsync_pairing::credentials::ClientCredentials;
use hyper::Method;
use serde_json::json;

use crate::{
    client::{Link, addresses},
    config::{ConfigFile, Server},
    error::CliError,
    keys,
    printer::Look,
    settings::Settings,
};

/// What became of the record on the server.
enum There {
    Revoked,
    Unknown(CliError),
}

/// Revokes on the server if that answers, then deletes key and entry in any case.
pub(crate) async fn run(settings: &Settings) -> Result<(), CliError> {
    let printer = settings.printer;
    let file = ConfigFile::new(&settings.config);
    let server = file.load()?.select(settings.server.as_deref())?.clone();
    let pair = keys::pair_id(&server)?;
    let store = keys::open(server.key_store.parse()?, settings)?;
    let item = ClientCredentials::item(&pair);
    // A damaged item cannot talk to the server any more, and goes like any other.
    let stored = |item: &str| -> Result<_, CliError> {
        let item = store.read(item)?;
        Ok(item.and_then(|item| ClientCredentials::decode(&item).ok()))
    };
    // What a renewal left that broke off is good if the old key is.
    let next_item = ClientCredentials::next_item(&pair);
    let credentials = match stored(&next_item)? {
        Some(next) => Some(next),
        None => stored(&item)?,
    };
    let there = match credentials {
        Some(credentials) => revoke(&server, credentials, settings).await,
        None => There::Unknown(CliError::new(
            api::Code::KeyMissing,
            "the key is not in the key store",
        )),
    };
    store.delete(&item)?;
    store.delete(&next_item)?;
    if let Err(error) = store.withdraw_certificates(&pair) {
        tracing::warn!(
            code = error.code(),
            "the published certificates were not deleted"
        );
    }
    keys::tidy(store.kind(), settings);
    file.update(|config| config.servers.retain(|known| known.pair != server.pair))?;

    if printer.json {
        return printer.object(&json!({
            "event": "unpaired",
            "server": server.name,
            "pair": server.pair,
            "revoked": matches!(there, There::Revoked),
        }));
    }
    let done = printer.paint_err("Unpaired", Look::Green);
    let name = inert(&server.name);
    match there {
        There::Revoked => printer.note(&format!("{done} from {name}, on both sides.")),
        There::Unknown(why) => printer.say(&format!(
            "{done} from {name} on this computer only: {why}.\n\
             The server may still list it. Remove it there: healthsync-server revoke {}",
            server.pair
        )),
    }
    Ok(())
}

async fn revoke(server: &Server, credentials: ClientCredentials, settings: &Settings) -> There {
    let link = match addresses(server, settings).await {
        Ok(addresses) => Link::new(server.clone(), credentials, addresses, settings),
        Err(error) => Err(error),
    };
    let mut link = match link {
        Ok(link) => link,
        Err(error) => return There::Unknown(error),
    };
    match link.send(Method::DELETE, api::PAIR, &[], None).await {
        Ok(_) => There::Revoked,
        Err(error) if is_gone(&error) => There::Revoked,
        Err(error) => There::Unknown(error),
    }
}

/// The server says that it has revoked the pair already.
fn is_gone(error: &CliError) -> bool {
    use healthsync_core::report::Hint as _;
    matches!(error.code(), "CERT_REVOKED" | "PAIR_UNKNOWN")
}
