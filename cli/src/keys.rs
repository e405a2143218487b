//! Opening the key store that holds the keys of our pairs, and the passphrase of the file store.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    time::Instant,
};

use healthsync_core::api::Code;
use healthsync_pairing::{
    credentials::ClientCredentials,
    id::{InvalidId, PairId},
    keystore::{self, KeyStore, OpenOptions, StoreKind},
    secret::Secret,
};

use crate::{
    config::{Config, Server},
    error::CliError,
    settings::Settings,
};

/// The key of a pairing that is under way.
pub(crate) const PENDING_KEY: &str = "pending-key";

/// No passphrase is longer.
const LONGEST_PASSPHRASE: u64 = 4096;

/// The store to use for a new pair: the one that was named, else the last one, else the system's.
pub(crate) fn chosen(named: Option<&str>, config: &Config) -> Result<StoreKind, CliError> {
    match named.or(config.key_store.as_deref()) {
        Some(name) => Ok(name.parse()?),
        None => Ok(StoreKind::platform()),
    }
}

/// Opens a store. There is no falling back to another one.
pub(crate) fn open(kind: StoreKind, settings: &Settings) -> Result<Box<dyn KeyStore>, CliError> {
    let folder = folder(settings);
    let mut passphrase = match kind {
        StoreKind::File => passphrase(&folder, settings)?,
        StoreKind::Keychain | StoreKind::SecretService | StoreKind::WindowsCredentialManager => {
            None
        }
    };
    let options = OpenOptions {
        folder,
        passphrase: &mut || {
            passphrase
                .take()
                .ok_or(keystore::KeyStoreError::PassphraseNeeded)
        },
        environment: settings.environment.clone(),
    };
    let began = Instant::now();
    let _moves = settings
        .printer
        .waiting(|| format!("Opening the key store ({})", kind.as_str()));
    let store = keystore::open(kind, options)?;
    tell(settings, "key-store", kind, began);
    Ok(store)
}

/// The credentials of a pair; how long that took is told as well.
pub(crate) fn told(
    store: &dyn KeyStore,
    server: &Server,
    settings: &Settings,
) -> Result<ClientCredentials, CliError> {
    let began = Instant::now();
    let _moves = settings
        .printer
        .waiting(|| format!("Reading the key (key store: {})", store.kind().as_str()));
    let credentials = read(store, server)?;
    tell(settings, "key", store.kind(), began);
    Ok(credentials)
}

/// A passphrase is stretched on purpose, once a command, which is most of the time that a short command
/// takes.
fn tell(settings: &Settings, step: &'static str, kind: StoreKind, began: Instant) {
    settings.trace.tell(step, || {
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        vec![("kind", kind.as_str().into()), ("micros", micros.into())]
    });
}

/// Deletes items, if need be without the passphrase. Returns those that were there.
pub(crate) fn delete(
    kind: StoreKind,
    items: &[String],
    settings: &Settings,
) -> Result<Vec<String>, CliError> {
    if kind == StoreKind::File {
        return Ok(keystore::file::discard(&folder(settings), items)?);
    }
    let store = open(kind, settings)?;
    let mut gone = Vec::new();
    for item in items {
        if store.delete(item)? {
            gone.push(item.clone());
        }
    }
    Ok(gone)
}

/// Lets an empty file store go, so that its passphrase need not be remembered for nothing.
pub(crate) fn tidy(kind: StoreKind, settings: &Settings) {
    if kind == StoreKind::File
        && let Err(error) = keystore::file::discard(&folder(settings), &[])
    {
        tracing::debug!(code = error.code(), "the empty key store was not deleted");
    }
}

/// The credentials of a pair.
pub(crate) fn credentials(
    server: &Server,
    settings: &Settings,
) -> Result<ClientCredentials, CliError> {
    let store = open(server.key_store.parse()?, settings)?;
    read(&*store, server)
}

/// The same from a store that is open.
pub(crate) fn read(store: &dyn KeyStore, server: &Server) -> Result<ClientCredentials, CliError> {
    let pair = pair_id(server)?;
    let item = store
        .read(&ClientCredentials::item(&pair))?
        .ok_or_else(|| {
            CliError::new(
                Code::KeyMissing,
                format!(
                    "the key for {:?} is not in the key store ({})",
                    server.name, server.key_store
                ),
            )
        })?;
    Ok(ClientCredentials::decode(&item)?)
}

/// The id of a pair as the configuration has it.
pub(crate) fn pair_id(server: &Server) -> Result<PairId, CliError> {
    server.pair.parse().map_err(|error: InvalidId| {
        CliError::new(
            Code::ConfigDamaged,
            "the configuration holds an invalid pair id",
        )
        .because(error)
    })
}

/// Where the file store keeps its items.
fn folder(settings: &Settings) -> PathBuf {
    settings.home.join("keys")
}

/// From the file that the environment names, else from a person, else none.
fn passphrase(folder: &Path, settings: &Settings) -> Result<Option<Secret>, CliError> {
    if let Some(path) = &settings.passphrase_file {
        return read_passphrase(path, settings).map(Some);
    }
    if !settings.can_ask {
        return Ok(None);
    }
    let is_new = fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_new {
        return ask("Passphrase of the key store: ").map(Some);
    }
    settings
        .printer
        .say("The key of this computer will be encrypted with a passphrase of your choice.");
    loop {
        let first = ask("New passphrase: ")?;
        if first.expose().is_empty() {
            settings
                .printer
                .say("An empty passphrase protects nothing.");
        } else if ask("The same again: ")?.expose() == first.expose() {
            return Ok(Some(first));
        } else {
            settings.printer.say("They differ. Once more:");
        }
    }
}

/// A line from the terminal that is not shown while it is typed.
pub(crate) fn ask(prompt: &str) -> Result<Secret, CliError> {
    match rpassword::prompt_password(prompt) {
        Ok(line) => Ok(Secret::new(line.into_bytes())),
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
            Err(CliError::interrupted())
        }
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(CliError::interrupted())
        }
        Err(error) => Err(CliError::usage("there is no terminal to ask at").because(error)),
    }
}

fn read_passphrase(path: &Path, settings: &Settings) -> Result<Secret, CliError> {
    let refused = |why: &str| {
        CliError::new(
            Code::PassphraseFile,
            format!("the passphrase file {} {why}", path.display()),
        )
    };
    let unreadable = |error: std::io::Error| refused("cannot be read").because(error);
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let found = fs::metadata(path).map_err(unreadable)?;
    if !found.is_file() {
        return Err(refused("is not a regular file"));
    }
    if found.len() > LONGEST_PASSPHRASE {
        return Err(refused("is too large to hold a passphrase"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if found.permissions().mode() & 0o044 != 0 {
            settings.printer.warn(&format!(
                "other users can read the passphrase file; run `chmod 600 {}`",
                path.display()
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = settings;
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0));
    fs::File::open(path)
        .and_then(|file| file.take(LONGEST_PASSPHRASE).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    if bytes.is_empty() {
        return Err(refused("is empty"));
    }
    Ok(Secret::new(bytes))
}
