//! What `config` takes.

use clap::{Subcommand, ValueEnum};

/// `config`.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Show the settings and where they are kept
    Show,
    /// Print one: `config get server.host`
    Get {
        /// Which
        key: SettingKey,
    },
    /// Print where the configuration file is
    Path,
    /// Change one: `config set server.host 192.168.1.20`
    Set {
        /// Which
        key: SettingKey,
        /// Its value: HOST or HOST:PORT; an empty one removes it
        value: String,
    },
    /// Go back to the defaults, or of one setting; a damaged file is moved aside, never deleted
    Reset {
        /// This setting alone
        #[arg(conflicts_with = "force")]
        key: Option<SettingKey>,
        /// Also when a pair is recorded (the file is moved aside)
        #[arg(long)]
        force: bool,
    },
}

/// What `config set` can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SettingKey {
    /// Address to dial first
    #[value(name = "server.host")]
    ServerHost,
}
