//! `start`: opens everything, says where it listens, serves until it is told to stop.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use healthsync_core::{store::Store, time::rfc3339};
use healthsync_pairing::{
    environment::Environment,
    keystore::{self, KeyStore, KeyStoreError, OpenOptions, StoreKind},
    trust::{State, Trust},
};
use serde_json::json;

use super::{Interruption, pair};
use crate::{
    advertise::{self, Announcement},
    app::{App, Parts},
    args,
    config::{Config, ConfigError},
    control, descriptors,
    error::{ExitStatus, ServerError},
    limits::Limits,
    listen, log, packing, passphrase,
    settings::{ListenSettings, Settings},
};

/// A name that says nothing, where the computer has none.
const NAMELESS: &str = "healthsync";

/// Runs the server.
pub(super) async fn start(
    settings: &Settings,
    args: &args::Start,
    mut interruption: Interruption,
) -> Result<ExitStatus, ServerError> {
    log::init(&settings.log);
    let printer = settings.printer;
    let listen = ListenSettings::new(args)?;
    let folder = settings.folder.clone();
    folder.prepare()?;
    let _lock = folder.lock()?;
    let config = folder.config()?;
    let listeners = listen::bind(&listen)?;
    let listening = listeners
        .iter()
        .map(tokio::net::TcpListener::local_addr)
        .collect::<Result<Vec<SocketAddr>, _>>()
        .map_err(ServerError::Runtime)?;

    let health_db = folder.health_db();
    drop(Store::open(&health_db).map_err(|error| ServerError::Store(health_db, error))?);
    let kind = key_store_kind(args, &config)?;
    let environment = Environment::system();
    let trust = tokio::select! {
        trust = open_trust(settings, &config, kind, &environment) => trust?,
        () = interruption.comes() => return Err(ServerError::Interrupted),
    };
    let name = args
        .name
        .clone()
        .or_else(|| config.name.clone())
        .unwrap_or_else(computer_name);
    folder.save(&Config {
        key_store: Some(kind.as_str().to_owned()),
        name: args.name.clone().or(config.name),
        paused: config.paused,
    })?;

    let app = App::new(Parts {
        trust,
        folder: folder.clone(),
        name,
        key_store: kind.as_str().to_owned(),
        listening: listening.clone(),
        environment,
        limits: Limits {
            rate: args.rate,
            ..Limits::standard().within(descriptors::raise())
        },
    });
    app.set_paused(config.paused);
    packing::started(&app);
    let socket = control::socket::bind(&folder, &settings.socket_homes)?;
    let control = tokio::spawn(control::server::serve(socket, Arc::clone(&app)));
    let _announcement = announce(args, &app);

    let texts: Vec<String> = listening.iter().map(ToString::to_string).collect();
    let port = listening.first().map_or(0, SocketAddr::port);
    printer.event(
        &json!({"event": "listening", "addresses": texts, "port": port}),
        || {
            if printer.is_talkative() {
                format!("Listening on {}.", texts.join(", "))
            } else {
                String::new()
            }
        },
    )?;

    let endings = tokio::spawn(tell_endings(Arc::clone(&app)));
    let first_window = tokio::spawn(first_window(settings.clone(), Arc::clone(&app)));
    listen::run(listeners, app, interruption.comes()).await;
    first_window.abort();
    endings.abort();
    control.abort();
    // Only then is the socket file gone.
    drop(control.await);
    printer.note("Stopped.");
    Ok(ExitStatus::Success)
}

/// The store that was named, else the one used last, else the platform's.
fn key_store_kind(args: &args::Start, config: &Config) -> Result<StoreKind, KeyStoreError> {
    match args.key_store.as_ref().or(config.key_store.as_ref()) {
        Some(name) => name.parse(),
        None => Ok(StoreKind::platform()),
    }
}

async fn open_trust(
    settings: &Settings,
    config: &Config,
    kind: StoreKind,
    environment: &Environment,
) -> Result<Arc<Trust>, ServerError> {
    let folder = settings.folder.clone();
    if let Some(recorded) = config
        .key_store
        .as_deref()
        .filter(|name| *name != kind.as_str())
    {
        let pairs = living_pairs(&folder.trust_db())?;
        if pairs > 0 {
            return Err(ConfigError::OtherKeyStore {
                pairs,
                recorded: recorded.to_owned(),
                named: kind.as_str().to_owned(),
            }
            .into());
        }
    }
    let settings = settings.clone();
    let environment = environment.clone();
    // Asking a person, Argon2id and the Secret Service all take their time.
    tokio::task::spawn_blocking(move || {
        let keys = open_keys(&settings, kind, &environment)?;
        Ok(Trust::open(&folder.trust_db(), keys, environment)?)
    })
    .await
    .map_err(|error| ServerError::Runtime(error.into()))?
}

/// Pairs whose keys rest in the store that was used before.
fn living_pairs(database: &Path) -> Result<usize, ServerError> {
    let records = Trust::recorded(database)?;
    Ok(records
        .iter()
        .filter(|record| is_living(record.state))
        .count())
}

/// Whether such a pair reads, or may read again.
const fn is_living(state: State) -> bool {
    matches!(state, State::Active | State::Suspended)
}

fn open_keys(
    settings: &Settings,
    kind: StoreKind,
    environment: &Environment,
) -> Result<Box<dyn KeyStore>, ServerError> {
    let folder = settings.folder.keys();
    let is_new = !folder.exists();
    let mut failure = None;
    let opened = keystore::open(
        kind,
        OpenOptions {
            folder,
            passphrase: &mut || {
                let given = match &settings.passphrase_file {
                    Some(path) => passphrase::from_file(path),
                    None if settings.printer.is_interactive() => passphrase::from_terminal(is_new)?,
                    None => return Err(KeyStoreError::PassphraseNeeded),
                };
                given.map_err(|error| {
                    failure = Some(error);
                    KeyStoreError::PassphraseNeeded
                })
            },
            environment: environment.clone(),
        },
    );
    match failure {
        Some(failure) => Err(failure.into()),
        None => Ok(opened?),
    }
}

/// Announces the server; a network without mDNS is no reason not to serve.
fn announce(args: &args::Start, app: &Arc<App>) -> Option<Announcement> {
    if args.no_mdns {
        return None;
    }
    match advertise::announce(app) {
        Ok(announcement) => announcement,
        Err(error) => {
            tracing::warn!(%error, "the server is not announced; devices find it by the saved address");
            None
        }
    }
}

/// Warns each day of devices whose certificate ends soon.
async fn tell_endings(app: Arc<App>) {
    let mut days = tokio::time::interval(Duration::from_hours(24));
    loop {
        days.tick().await;
        for record in app.trust().ending() {
            tracing::warn!(
                pair = %record.pair,
                name = record.name,
                ends = rfc3339(record.leaf_not_after.saturating_mul(1000)),
                "the certificate of a device ends soon; it renews it when it next connects"
            );
        }
    }
}

/// On a terminal, a server without a pair opens a window at once.
async fn first_window(settings: Settings, app: Arc<App>) {
    if !settings.printer.is_interactive() || !settings.printer.is_talkative() {
        return;
    }
    let trust = Arc::clone(app.trust());
    let is_paired = match app.blocking(move || trust.pairs()).await {
        Ok(Ok(records)) => records.iter().any(|record| {
            matches!(
                record.state,
                State::Active | State::Suspended | State::Pending
            )
        }),
        Ok(Err(_)) | Err(_) => true,
    };
    if is_paired {
        return;
    }
    let window = args::Pair {
        seconds: 300,
        days: 365,
        ..args::Pair::default()
    };
    match pair::pair(&settings, &window).await {
        Ok(_) => settings
            .printer
            .note("The server goes on. Ctrl-C stops it."),
        Err(error) => settings.printer.error(&error),
    }
}

/// The host name without its domain.
fn computer_name() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    match name.split('.').next().map(str::trim) {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => NAMELESS.to_owned(),
    }
}
