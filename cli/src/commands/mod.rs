//! The commands. To add one: one file here, one line in `args` and one in [`run`].

mod cert;
mod config;
mod discover;
mod doctor;
mod export;
mod fetch;
mod generate;
mod keychain;
mod logs;
mod pair;
mod ping;
mod renew;
mod request;
mod scan;
mod servers;
mod status;
mod sync;
mod types;
mod unpair;
mod version;
mod wait;

use crate::{
    args::{Cert, Command},
    error::CliError,
    settings::Settings,
};

/// Runs what was typed.
pub(crate) async fn run(command: &Command, settings: &Settings) -> Result<(), CliError> {
    match command {
        Command::Scan(scan) => scan::run(scan, settings).await,
        Command::Pair(pair) => pair::run(pair, settings).await,
        Command::Discover(discover) => discover::run(discover, settings).await,
        Command::Servers => servers::run(settings),
        Command::Status(status) => status::run(status, settings).await,
        Command::Ping(ping) => ping::run(ping, settings).await,
        Command::Types(types) => types::run(types, settings).await,
        Command::Fetch(fetch) => fetch::run(fetch, settings).await,
        Command::Sync(sync) => sync::run(sync, settings).await,
        Command::Cert(Cert::Info { ca }) => cert::run(*ca, settings),
        Command::Cert(Cert::Export(export)) => export::run(export, settings),
        Command::Cert(Cert::Renew { check }) => renew::run(*check, settings).await,
        Command::Unpair => unpair::run(settings).await,
        Command::Keychain(keychain) => keychain::run(keychain, settings).await,
        Command::Config(config) => config::run(config, settings),
        Command::Logs(logs) => logs::run(logs, settings),
        Command::Doctor(doctor) => doctor::run(doctor, settings).await,
        Command::Generate(what) => generate::run(what),
        Command::Version => version::run(settings.printer),
    }
}
