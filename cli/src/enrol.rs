//! What pairing by QR code and by typed code have in common, from the new key to the acknowledgement.
//!
//! A code works once, so whatever can fail at home is tried before it is used. Until the server has
//! proved itself and issued the certificates nothing is printed that it chose, addresses excepted:
//! somebody in the middle could otherwise show us the digits as a name.

use std::{fmt::Write as _, net::SocketAddr};

use healthsync_core::{report::inert, time};
use healthsync_pairing::{
    credentials::ClientCredentials,
    device::DeviceKey,
    enroll::{
        client::{By, Enrolled, Event, Newcomer, enroll_watched},
        name,
    },
    id::PairId,
    keystore::{KeyStore, StoreKind},
};
use serde_json::json;

use crate::{
    args,
    client::Link,
    config::{ConfigFile, Server, State},
    error::CliError,
    keys::{self, PENDING_KEY},
    printer::{Look, Printer},
    settings::Settings,
};

/// A lost answer is asked for again: the server counts an acknowledgement once.
const ACKNOWLEDGEMENTS: u32 = 3;

/// What the person wants of the new pair, checked as far as it goes without a key store.
pub(crate) struct Wishes {
    device: String,
    kind: StoreKind,
    file: ConfigFile,
    /// The pair that the new one takes the place of.
    replaces: Option<Server>,
}

impl Wishes {
    /// From the options.
    pub(crate) fn new(newcomer: &args::Newcomer, settings: &Settings) -> Result<Self, CliError> {
        let file = ConfigFile::new(&settings.config);
        let config = file.load()?;
        let replaces = if newcomer.replace {
            Some(config.select(settings.server.as_deref())?.clone())
        } else {
            None
        };
        Ok(Self {
            device: device_name(newcomer.name.as_deref(), settings)?,
            kind: keys::chosen(newcomer.key_store.as_deref(), &config)?,
            replaces,
            file,
        })
    }
}

/// A pairing that may begin: its key store is open and its key is there.
pub(crate) struct Attempt<'a> {
    wishes: &'a Wishes,
    store: Box<dyn KeyStore>,
    key: DeviceKey,
    leaves: Option<ClientCredentials>,
    settings: &'a Settings,
}

impl<'a> Attempt<'a> {
    /// Opens the key store and makes the key.
    pub(crate) fn begin(wishes: &'a Wishes, settings: &'a Settings) -> Result<Self, CliError> {
        wishes.file.update(|_| ())?;
        let store = keys::open(wishes.kind, settings)?;
        let leaves = match &wishes.replaces {
            Some(old) if old.key_store == store.kind().as_str() => Some(keys::read(&*store, old)?),
            Some(old) => Some(keys::credentials(old, settings)?),
            None => None,
        };
        Ok(Self {
            key: new_key()?,
            wishes,
            store,
            leaves,
            settings,
        })
    }

    /// Prints the digest of the new key, for a window that expects it.
    pub(crate) fn tell_key(&self) -> Result<(), CliError> {
        let printer = self.settings.printer;
        let digest = self.key.digest();
        if printer.json {
            return printer.object(&json!({"event": "key", "keyDigest": digest.to_string()}));
        }
        printer.line(&digest.to_string())?;
        printer.note(&format!(
            "Open the window with `healthsync-server pair --expect-key {digest}`, then give its code here."
        ));
        Ok(())
    }

    /// Pairs. A run that failed is not to be repeated without the person.
    pub(crate) async fn run(self, by: By<'_>) -> Result<(), CliError> {
        let Self {
            wishes,
            store,
            key,
            leaves,
            settings,
        } = self;
        let (printer, file) = (settings.printer, &wishes.file);
        let pending = PendingKey::keep(&key, &*store, settings)?;
        let mine = key.digest().short();
        let known = known_pairs(file)?;
        let newcomer = Newcomer {
            key,
            name: &wishes.device,
            replaces: leaves.as_ref(),
            known: &known,
        };
        let mut moves = Some(printer.waiting(|| "Connecting to the server".to_owned()));
        let mut show = |event: Event| {
            moves = None;
            tell(&event, &mine, printer);
        };
        let enrolled = enroll_watched(
            by,
            newcomer,
            &settings.environment,
            &settings.trace,
            &mut show,
        )
        .await?;
        let unfinished = keep(&enrolled, &*store, file, settings)?;
        drop(pending);
        let link = acknowledge(&enrolled, &*store, &unfinished.server, settings).await?;
        let server = finish(&link, file)?;
        unfinished.done();
        let credentials = &link.credentials;
        if let Err(error) =
            store.publish_certificates(&credentials.pair, &credentials.leaf, &credentials.ca)
        {
            tracing::warn!(code = error.code(), "the certificates were not published");
        }
        if let Some(old) = &wishes.replaces {
            forget(old, file, settings)?;
        }

        if printer.json {
            return printer.object(&json!({
                "event": "paired",
                "server": server.name,
                "pair": server.pair,
                "keyStore": server.key_store,
                "replaces": wishes.replaces.as_ref().map(|old| &old.pair),
            }));
        }
        printer.note(&format!(
            "{} with {} (pair {}).\nThe host must now say \"Paired\". If not: healthsync unpair\nNext: healthsync status, healthsync fetch",
            printer.paint_err("Paired", Look::Green),
            inert(&server.name),
            server.pair,
        ));
        Ok(())
    }
}

/// Ids that are in use here.
fn known_pairs(file: &ConfigFile) -> Result<Vec<PairId>, CliError> {
    let config = file.load()?;
    let ids = config
        .servers
        .iter()
        .filter_map(|server| server.pair.parse().ok());
    Ok(ids.collect())
}

/// The server has revoked the old pair; its key is worth nothing any more.
fn forget(old: &Server, file: &ConfigFile, settings: &Settings) -> Result<(), CliError> {
    let pair = keys::pair_id(old)?;
    let items = [
        ClientCredentials::item(&pair),
        ClientCredentials::next_item(&pair),
    ];
    keys::delete(old.key_store.parse()?, &items, settings)?;
    file.update(|config| config.servers.retain(|server| server.pair != old.pair))?;
    Ok(())
}

/// What the server will list us as. A name that was typed is taken as it is or refused.
fn device_name(typed: Option<&str>, settings: &Settings) -> Result<String, CliError> {
    let Some(typed) = typed else {
        let host = settings.host_name.as_deref().unwrap_or_default();
        return Ok(name::clean(host, "computer"));
    };
    name::parse(typed.as_bytes()).ok_or_else(|| {
        CliError::usage("the name must have 1 to 64 bytes of letters, digits and plain signs")
            .with_hint("choose another one with `--name`")
    })
}

fn new_key() -> Result<DeviceKey, CliError> {
    DeviceKey::generate().map_err(|error| {
        CliError::new(
            healthsync_core::api::Code::Internal,
            "the system could not make a key",
        )
        .because(error)
    })
}

/// Shows how far it is; `key` is this computer's own. A reader that went away is found out at the end.
fn tell(event: &Event, key: &str, printer: Printer) {
    match event {
        Event::Connected(address) => printer.note(&format!("Connected to {address}")),
        Event::Digits { digits, seconds } => {
            if printer.json {
                drop(printer.object(&json!({"event": "digits", "digits": digits})));
            } else {
                let shown = printer.paint_err(&spaced(digits), Look::Bold);
                printer.say(&format!(
                    "\n    {shown}\n\nIf the host asks for digits, type these there, within {seconds} seconds.\nThe host shows this computer's key as {key}.",
                ));
            }
        }
    }
}

/// `123456` as `123 456`.
fn spaced(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index == 3 {
            text.push(' ');
        }
        let _ = write!(text, "{digit}");
    }
    text
}

/// Deletes the key of a pairing that did not end well, or that has another name by now.
struct PendingKey<'a> {
    store: &'a dyn KeyStore,
    settings: &'a Settings,
}

impl<'a> PendingKey<'a> {
    fn keep(
        key: &DeviceKey,
        store: &'a dyn KeyStore,
        settings: &'a Settings,
    ) -> Result<Self, CliError> {
        store.write(PENDING_KEY, key.pkcs8())?;
        Ok(Self { store, settings })
    }
}

impl Drop for PendingKey<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.store.delete(PENDING_KEY) {
            tracing::warn!(code = error.code(), "the pending key was not deleted");
        }
        keys::tidy(self.store.kind(), self.settings);
    }
}

/// A pair that the server has not been told of. Dropped before [`Unfinished::done`], it leaves
/// neither key nor entry behind.
struct Unfinished<'a> {
    store: &'a dyn KeyStore,
    file: &'a ConfigFile,
    pair: PairId,
    server: Server,
    armed: bool,
}

impl Unfinished<'_> {
    fn done(mut self) {
        self.armed = false;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        if let Err(error) = self.store.delete(&ClientCredentials::item(&self.pair)) {
            tracing::warn!(code = error.code(), "the new key was not deleted");
        }
        let pair = &self.server.pair;
        if self
            .file
            .update(|config| config.servers.retain(|server| server.pair != *pair))
            .is_err()
        {
            tracing::warn!("the entry of the new pair was not deleted");
        }
    }
}

/// Writes the entry first, so that `unpair` finds whatever a crash leaves, then the item.
fn keep<'a>(
    enrolled: &Enrolled,
    store: &'a dyn KeyStore,
    file: &'a ConfigFile,
    settings: &Settings,
) -> Result<Unfinished<'a>, CliError> {
    let pair = enrolled.credentials.pair;
    let kind = store.kind().as_str();
    let server = Server {
        pair: pair.to_string(),
        name: enrolled.server_name.clone(),
        state: State::Pending,
        addresses: enrolled.addresses.clone(),
        host: None,
        key_store: kind.to_owned(),
        paired_at: time::rfc3339(settings.now_ms()),
        last_used: None,
        certificate_expires: None,
        leaf: None,
        audit_seen: None,
    };
    let unfinished = Unfinished {
        store,
        file,
        pair,
        server: server.clone(),
        armed: true,
    };
    file.update(|config| {
        config.key_store = Some(kind.to_owned());
        config.servers.retain(|known| known.pair != server.pair);
        config.servers.push(server);
    })?;
    store.write(
        &ClientCredentials::item(&pair),
        &enrolled.credentials.encode()?,
    )?;
    Ok(unfinished)
}

/// Tells the server, with the credentials as the store gives them back.
async fn acknowledge(
    enrolled: &Enrolled,
    store: &dyn KeyStore,
    server: &Server,
    settings: &Settings,
) -> Result<Link, CliError> {
    let credentials = store
        .read(&ClientCredentials::item(&enrolled.credentials.pair))?
        .ok_or_else(|| {
            CliError::new(
                healthsync_core::api::Code::KeyMissing,
                "the key store does not give back what was just written",
            )
        })?;
    let credentials = ClientCredentials::decode(&credentials)?;
    let addresses: Vec<SocketAddr> = enrolled.addresses.clone();
    let mut link = Link::new(server.clone(), credentials, addresses, settings)?;
    let mut tries = 0;
    loop {
        tries += 1;
        match link.acknowledge().await {
            Ok(()) => return Ok(link),
            Err(error) if error.exit() == 4 && tries < ACKNOWLEDGEMENTS => {}
            Err(error) => {
                settings.printer.note(
                    "The pairing did not come to its end. If the host lists this computer, remove it there: healthsync-server pairs, healthsync-server revoke PAIR",
                );
                return Err(error);
            }
        }
    }
}

/// Makes the entry what the acknowledgement has shown.
fn finish(link: &Link, file: &ConfigFile) -> Result<Server, CliError> {
    let server = link.server.clone();
    file.update(|config| {
        if let Some(entry) = config.server_mut(&server.pair) {
            entry.clone_from(&server);
        }
    })?;
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_easy_to_read() {
        assert_eq!(spaced("012345"), "012 345");
    }
}
