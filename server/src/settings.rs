//! Arguments and environment become settings, once. The only place that reads the environment.

use std::{
    env,
    io::{self, IsTerminal as _},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use healthsync_core::report::Hint;

use crate::{
    args::{Color, Global, Start},
    config::DataFolder,
    printer::Printer,
};

/// The one port of the server, unless `--listen` names another.
pub const PORT: u16 = 8443;

/// The few variables that the server reads, as they were at its start.
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// `HEALTHSYNC_SERVER_HOME`: the data folder.
    pub server_home: Option<PathBuf>,
    /// `HEALTHSYNC_PASSPHRASE_FILE`: holds the passphrase of the file key store.
    pub passphrase_file: Option<PathBuf>,
    /// `HEALTHSYNC_LOG`: filter of log lines (`debug`, `healthsync_server=debug`).
    pub log: Option<String>,
    /// `XDG_RUNTIME_DIR`: where the control socket goes.
    pub runtime_dir: Option<PathBuf>,
    /// The system's folder for temporary files.
    pub temporary_dir: PathBuf,
    /// The platform's folder for data of programs.
    pub platform_data_dir: Option<PathBuf>,
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// Standard error is a terminal.
    pub stderr_is_terminal: bool,
}

impl Env {
    /// Takes the snapshot.
    pub fn snapshot() -> Self {
        let path = |name| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        Self {
            server_home: path("HEALTHSYNC_SERVER_HOME"),
            passphrase_file: path("HEALTHSYNC_PASSPHRASE_FILE"),
            log: env::var_os("HEALTHSYNC_LOG")
                .and_then(|value| value.into_string().ok())
                .filter(|value| !value.is_empty()),
            runtime_dir: path("XDG_RUNTIME_DIR").filter(|path| path.is_absolute()),
            temporary_dir: env::temp_dir(),
            platform_data_dir: directories::ProjectDirs::from("", "", "healthsync-server")
                .map(|dirs| dirs.data_dir().to_owned()),
            no_color: env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            stderr_is_terminal: io::stderr().is_terminal(),
        }
    }
}

/// What every command works with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the data are.
    pub folder: DataFolder,
    /// How to talk.
    pub printer: Printer,
    /// Folders that may hold the control socket, best first.
    pub socket_homes: SocketHomes,
    /// Holds the passphrase of the file key store.
    pub passphrase_file: Option<PathBuf>,
    /// Filter of log lines.
    pub log: LogSettings,
}

/// Where control sockets may live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketHomes {
    /// The user's runtime folder.
    pub runtime: Option<PathBuf>,
    /// The system's folder for temporary files.
    pub temporary: PathBuf,
}

/// How the log looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Filter directives.
    pub filter: String,
    /// For people (else JSON).
    pub human: bool,
    /// With colour.
    pub color: bool,
}

/// Why arguments and environment do not make settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The platform names no folder for data.
    #[error("this system names no folder for the data of programs")]
    NoDataFolder,
    /// The same port cannot be chosen by the system on two addresses.
    #[error("port 0 works with one `--listen` only")]
    SeveralUnnamedPorts,
    /// Two ports.
    #[error("all addresses of `--listen` must have the same port")]
    SeveralPorts,
}

impl Hint for SettingsError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoDataFolder => "NO_DATA_FOLDER",
            Self::SeveralUnnamedPorts | Self::SeveralPorts => "LISTEN_INVALID",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoDataFolder => {
                "name one with `--data-dir`, or set HEALTHSYNC_SERVER_HOME".to_owned()
            }
            Self::SeveralUnnamedPorts => "name the port: `--listen 127.0.0.1:8443`".to_owned(),
            Self::SeveralPorts => {
                "start a second server with another `--data-dir` for another port".to_owned()
            }
        })
    }
}

impl Settings {
    /// Flag over environment over default.
    pub fn new(global: &Global, env: &Env) -> Result<Self, SettingsError> {
        let path = global
            .data_dir
            .clone()
            .or_else(|| env.server_home.clone())
            .or_else(|| env.platform_data_dir.clone())
            .ok_or(SettingsError::NoDataFolder)?;
        let filter = match &env.log {
            Some(filter) => filter.clone(),
            None if global.verbose => {
                "info,healthsync_server=debug,healthsync_pairing=debug".to_owned()
            }
            None if global.quiet => "error".to_owned(),
            None => "warn,healthsync_server=info".to_owned(),
        };
        Ok(Self {
            folder: DataFolder::at(path),
            printer: Printer::new(global.json, global.quiet),
            socket_homes: SocketHomes {
                runtime: env.runtime_dir.clone(),
                temporary: env.temporary_dir.clone(),
            },
            passphrase_file: env.passphrase_file.clone(),
            log: LogSettings {
                filter,
                human: env.stderr_is_terminal,
                color: match global.color {
                    Color::Always => true,
                    Color::Never => false,
                    Color::Auto => env.stderr_is_terminal && !env.no_color,
                },
            },
        })
    }
}

/// Where `start` listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenSettings {
    /// The addresses, all with one port.
    pub addresses: Vec<SocketAddr>,
    /// IPv6 was not asked for by name: a system without it is fine.
    pub ipv6_is_optional: bool,
}

impl ListenSettings {
    /// `--listen`, else every address of both families on [`PORT`].
    pub fn new(start: &Start) -> Result<Self, SettingsError> {
        let Some(first) = start.listen.first() else {
            return Ok(Self {
                addresses: vec![
                    SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)),
                    SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)),
                ],
                ipv6_is_optional: true,
            });
        };
        if start
            .listen
            .iter()
            .any(|address| address.port() != first.port())
        {
            return Err(SettingsError::SeveralPorts);
        }
        if first.port() == 0 && start.listen.len() > 1 {
            return Err(SettingsError::SeveralUnnamedPorts);
        }
        let mut addresses = Vec::with_capacity(start.listen.len());
        for address in &start.listen {
            if !addresses.contains(address) {
                addresses.push(*address);
            }
        }
        Ok(Self {
            addresses,
            ipv6_is_optional: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env() -> Env {
        Env {
            server_home: Some("/env".into()),
            platform_data_dir: Some("/platform".into()),
            temporary_dir: "/tmp".into(),
            ..Env::default()
        }
    }

    #[test]
    fn flag_over_environment_over_default() {
        let path = |global: &Global, env: &Env| {
            Settings::new(global, env).unwrap().folder.path().to_owned()
        };
        let flag = Global {
            data_dir: Some("/flag".into()),
            ..Global::default()
        };
        let platform = Env {
            server_home: None,
            ..env()
        };
        assert_eq!(path(&flag, &env()), PathBuf::from("/flag"));
        assert_eq!(path(&Global::default(), &env()), PathBuf::from("/env"));
        assert_eq!(
            path(&Global::default(), &platform),
            PathBuf::from("/platform")
        );
        let nothing = Env {
            platform_data_dir: None,
            ..platform
        };
        let error = Settings::new(&Global::default(), &nothing).unwrap_err();
        assert_eq!(error.code(), "NO_DATA_FOLDER");
    }

    #[test]
    fn log_is_for_people_on_a_terminal_only() {
        let log = |env: &Env| Settings::new(&Global::default(), env).unwrap().log;
        assert!(!log(&env()).human);
        let terminal = Env {
            stderr_is_terminal: true,
            ..env()
        };
        assert!(log(&terminal).human && log(&terminal).color);
        let plain = Env {
            no_color: true,
            ..terminal
        };
        assert!(log(&plain).human && !log(&plain).color);
    }

    #[test]
    fn listen_addresses_share_one_port() {
        let check = |listen: &[&str]| {
            let listen = listen.iter().map(|text| text.parse().unwrap()).collect();
            ListenSettings::new(&Start {
                listen,
                ..Start::default()
            })
            .map(|settings| settings.addresses.len())
            .map_err(|error| error.code())
        };
        assert_eq!(check(&[]), Ok(2));
        assert_eq!(check(&["127.0.0.1:0"]), Ok(1));
        assert_eq!(check(&["127.0.0.1:1", "127.0.0.1:1", "[::1]:1"]), Ok(2));
        assert_eq!(check(&["127.0.0.1:0", "[::1]:0"]), Err("LISTEN_INVALID"));
        assert_eq!(check(&["127.0.0.1:1", "[::1]:2"]), Err("LISTEN_INVALID"));
    }
}
