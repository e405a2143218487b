//! What was typed and what the environment says, turned into settings once.
//!
//! This is the only file that reads the environment.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::PathBuf,
    time::Duration,
};

use clap::ColorChoice;
use healthsync_core::api::Code;
use healthsync_pairing::{environment::Environment, tls::trace::Trace};
use jiff::tz::TimeZone;

use crate::{args::Global, debug_tls, error::CliError, printer::Printer};

/// The few variables we read, and what the process is connected to.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent fact about the process"
)]
pub(crate) struct Env {
    /// `HEALTHSYNC_HOME`: moves everything of the client.
    pub(crate) home: Option<OsString>,
    /// `HEALTHSYNC_PASSPHRASE_FILE`: opens the file key store.
    pub(crate) passphrase_file: Option<OsString>,
    /// `NO_COLOR` is set and not empty.
    pub(crate) no_color: bool,
    /// `TERM` is `dumb`.
    pub(crate) dumb: bool,
    /// The system's folder for settings, below which ours lies by default.
    pub(crate) default_home: Option<PathBuf>,
    /// `DISPLAY` is set and not empty: there is an X server, or says so.
    pub(crate) x11: bool,
    /// `WAYLAND_DISPLAY` is.
    pub(crate) wayland: bool,
    /// What the system calls this computer.
    pub(crate) host_name: Option<String>,
    /// Whether stdin is a terminal.
    pub(crate) stdin_terminal: bool,
    /// Whether stdout is.
    pub(crate) stdout_terminal: bool,
    /// Whether stderr is.
    pub(crate) stderr_terminal: bool,
    /// How many columns stdout has, if it is a terminal.
    pub(crate) stdout_width: Option<usize>,
    /// How a test wants a sync to go.
    pub(crate) trial: Trial,
}

impl Env {
    /// A snapshot of the process's own.
    pub(crate) fn snapshot() -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            home: set("HEALTHSYNC_HOME"),
            passphrase_file: set("HEALTHSYNC_PASSPHRASE_FILE"),
            no_color: set("NO_COLOR").is_some(),
            dumb: set("TERM").is_some_and(|term| term == "dumb"),
            default_home: directories::ProjectDirs::from("", "", "healthsync")
                .map(|folders| folders.config_dir().to_owned()),
            x11: set("DISPLAY").is_some(),
            wayland: set("WAYLAND_DISPLAY").is_some(),
            host_name: host_name().or_else(|| set("COMPUTERNAME")?.into_string().ok()),
            stdin_terminal: io::stdin().is_terminal(),
            stdout_terminal: io::stdout().is_terminal(),
            stderr_terminal: io::stderr().is_terminal(),
            stdout_width: terminal_size::terminal_size_of(io::stdout())
                .map(|(width, _)| usize::from(width.0)),
            trial: Trial::read(&set),
        }
    }
}

/// What the tests of a sync need: small pages, and death at a place. A release build has neither.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trial {
    limit: Option<u32>,
    /// Places that are left until the process dies.
    dies_at: Option<u32>,
}

impl Trial {
    /// `HEALTHSYNC_TRIAL=LIMIT:PLACE`.
    fn read(set: &impl Fn(&'static str) -> Option<OsString>) -> Self {
        if !cfg!(debug_assertions) {
            return Self::default();
        }
        let text = set("HEALTHSYNC_TRIAL").and_then(|text| text.into_string().ok());
        let (limit, place) = match text.as_deref().and_then(|text| text.split_once(':')) {
            Some((limit, place)) => (limit.parse().ok(), place.parse().ok()),
            None => (None, None),
        };
        Self {
            limit,
            dies_at: place,
        }
    }

    /// How long a page may be.
    pub(crate) const fn limit(&self) -> Option<u32> {
        self.limit
    }

    /// A place at which a process may die without a word.
    pub(crate) fn place(&mut self) {
        match &mut self.dies_at {
            Some(0) => std::process::abort(),
            Some(left) => *left -= 1,
            None => {}
        }
    }
}

#[cfg(unix)]
fn host_name() -> Option<String> {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(not(unix))]
fn host_name() -> Option<String> {
    None
}

/// Everything that a command needs to know besides its own arguments.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where it prints.
    pub(crate) printer: Printer,
    /// The client's folder.
    pub(crate) home: PathBuf,
    /// The configuration file.
    pub(crate) config: PathBuf,
    /// The file that holds the passphrase of the file key store.
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Which server, by name or pair id.
    pub(crate) server: Option<String>,
    /// Where to dial.
    pub(crate) host: Option<String>,
    /// Whether mDNS is left alone.
    pub(crate) no_mdns: bool,
    /// Longest wait for a connection.
    pub(crate) connect_timeout: Duration,
    /// Longest silence in an answer.
    pub(crate) read_timeout: Duration,
    /// What this computer calls itself.
    pub(crate) host_name: Option<String>,
    /// Whether a person can be asked.
    pub(crate) can_ask: bool,
    /// What draws the screen and holds the clipboard.
    pub(crate) display: Display,
    /// Clock and randomness.
    pub(crate) environment: Environment,
    /// Is told each step of a connection.
    pub(crate) trace: Trace,
    /// How a test wants a sync to go.
    pub(crate) trial: Trial,
}

impl Settings {
    /// Flags win over the environment, the environment over defaults.
    pub(crate) fn new(global: &Global, env: &Env) -> Result<Self, CliError> {
        let home = env
            .home
            .clone()
            .map(PathBuf::from)
            .or_else(|| env.default_home.clone())
            .ok_or_else(|| {
                CliError::new(
                    Code::ConfigFailed,
                    "this system names no folder for settings",
                )
                .with_hint("set `HEALTHSYNC_HOME` to a folder of yours")
            })?;
        let timeout = global.timeout.map(Duration::from_millis);
        Ok(Self {
            printer: printer(global, env),
            config: global
                .config
                .clone()
                .unwrap_or_else(|| home.join("config.json")),
            home,
            passphrase_file: env.passphrase_file.clone().map(PathBuf::from),
            server: global.server.clone(),
            host: global.host.clone(),
            no_mdns: global.no_mdns,
            connect_timeout: timeout.unwrap_or(Duration::from_secs(5)),
            read_timeout: timeout.unwrap_or(Duration::from_secs(30)),
            host_name: env.host_name.clone(),
            can_ask: env.stdin_terminal && env.stderr_terminal && !global.json,
            display: display(env),
            environment: Environment::system(),
            trace: if global.debug_tls {
                debug_tls::trace(printer(global, env))
            } else {
                Trace::off()
            },
            trial: env.trial,
        })
    }

    /// Now, milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) fn now_ms(&self) -> i64 {
        self.environment.clock.now().saturating_mul(1000)
    }
}

/// What draws the screen of this computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Display {
    /// Nothing.
    Absent,
    /// A Wayland compositor, without an X server beside it.
    Wayland,
    /// The system's own, or an X server.
    Present,
}

fn display(env: &Env) -> Display {
    if cfg!(any(target_os = "macos", windows)) || env.x11 {
        Display::Present
    } else if env.wayland {
        Display::Wayland
    } else {
        Display::Absent
    }
}

/// The zone in which dates without one are meant.
pub(crate) fn zone() -> TimeZone {
    TimeZone::system()
}

/// The name of a zone as the server is told it: one that was given, else that of this computer.
pub(crate) fn zone_name(given: Option<&str>) -> Result<String, CliError> {
    let refused = |message: String| CliError::new(Code::InvalidPeriod, message);
    if let Some(name) = given {
        let zone = healthsync_core::aggregate::zone(name);
        zone.map_err(|error| refused(error.to_string()))?;
        return Ok(name.to_owned());
    }
    let zone = zone();
    if let Some(name) = zone.iana_name() {
        return Ok(name.to_owned());
    }
    if zone.to_fixed_offset().is_ok_and(jiff::tz::Offset::is_zero) || zone.is_unknown() {
        return Ok("UTC".to_owned());
    }
    Err(refused("this computer's time zone has no name".to_owned())
        .with_hint("name it with `--timezone`, for example `--timezone Europe/Vienna`"))
}

/// How to print, known before anything else can fail.
pub(crate) fn printer(global: &Global, env: &Env) -> Printer {
    let colour = |terminal: bool| match global.color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => terminal && !env.no_color && !env.dumb,
    };
    Printer {
        json: global.json,
        quiet: global.quiet,
        verbose: global.verbose,
        colour_out: colour(env.stdout_terminal) && !global.json,
        colour_err: colour(env.stderr_terminal),
        out_terminal: env.stdout_terminal,
        width: env.stdout_width,
        // The lines of `--debug-tls` show well enough what is under way.
        progress: env.stderr_terminal
            && !global.quiet
            && !global.json
            && !global.debug_tls
            && !env.dumb,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Cli;

    fn settings(words: &[&str], env: &Env) -> Settings {
        let words = [&["healthsync"], words, &["version"]].concat();
        Settings::new(&Cli::try_parse_from(words).unwrap().global, env).unwrap()
    }

    #[test]
    fn one_variable_moves_everything() {
        let env = Env {
            home: Some("/h".into()),
            default_home: Some("/d".into()),
            ..Env::default()
        };
        let moved = settings(&[], &env);
        assert_eq!(moved.home, PathBuf::from("/h"));
        assert_eq!(moved.config, PathBuf::from("/h/config.json"));
        let named = settings(&["--config", "/x.json"], &env);
        assert_eq!(named.home, PathBuf::from("/h"));
        assert_eq!(named.config, PathBuf::from("/x.json"));
    }

    #[test]
    fn colours_need_a_terminal_and_consent() {
        let terminal = Env {
            default_home: Some("/d".into()),
            stdout_terminal: true,
            stderr_terminal: true,
            ..Env::default()
        };
        let no_color = Env {
            no_color: true,
            ..terminal.clone()
        };
        let piped = Env {
            default_home: Some("/d".into()),
            ..Env::default()
        };
        for (words, env, expected) in [
            (&[][..], &terminal, true),
            (&[], &no_color, false),
            (&[], &piped, false),
            (&["--color", "always"], &piped, true),
            (&["--color", "always"], &no_color, true),
            (&["--color", "never"], &terminal, false),
        ] {
            assert_eq!(
                settings(words, env).printer.colour_err,
                expected,
                "{words:?}"
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_x_server_is_a_display_also_beside_wayland() {
        for (x11, wayland, expected) in [
            (false, false, Display::Absent),
            (false, true, Display::Wayland),
            (true, false, Display::Present),
            (true, true, Display::Present),
        ] {
            let env = Env {
                default_home: Some("/d".into()),
                x11,
                wayland,
                ..Env::default()
            };
            assert_eq!(settings(&[], &env).display, expected);
        }
    }

    #[test]
    fn a_person_is_asked_only_at_a_terminal() {
        let env = Env {
            default_home: Some("/d".into()),
            stdin_terminal: true,
            stderr_terminal: true,
            ..Env::default()
        };
        assert!(settings(&[], &env).can_ask);
        assert!(!settings(&["--json"], &env).can_ask);
        let piped = Env {
            stdin_terminal: false,
            ..env
        };
        assert!(!settings(&[], &piped).can_ask);
    }
}
