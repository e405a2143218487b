//! What `keychain` takes.

use clap::{ArgAction, Subcommand};

/// `keychain`.
#[derive(Debug, Subcommand)]
pub(crate) enum Keychain {
    /// Delete every key of healthsync from the key store, and the pairs that need them
    Clear {
        /// Do not ask
        #[arg(long, short, action = ArgAction::SetTrue)]
        yes: bool,
    },
}
