//! What `scan` and `pair` take.

use std::path::PathBuf;

use clap::Args;

/// `scan`.
#[derive(Debug, Default, Args)]
pub(crate) struct Scan {
    /// Read the code from stdin; `-` is the only value, a code is never an argument
    #[arg(
        long,
        value_name = "-",
        allow_hyphen_values = true,
        conflicts_with = "file"
    )]
    pub(crate) text: Option<String>,
    /// Read the code from a picture of the QR code
    #[arg(
        long,
        visible_alias = "image",
        value_name = "IMAGE",
        conflicts_with = "new_key"
    )]
    pub(crate) file: Option<PathBuf>,
    /// Print the digest of this computer's new key first, for `healthsync-server pair --expect-key`
    #[arg(long)]
    pub(crate) new_key: bool,
    #[command(flatten)]
    pub(crate) newcomer: Newcomer,
}

/// `pair`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --host the server is found by mDNS. The code is checked for typing errors before it is used;
wrong codes are counted by the server, five end a code.")]
pub(crate) struct Pair {
    /// Read the code from stdin; `-` is the only value, a code is never an argument
    #[arg(long, value_name = "-", allow_hyphen_values = true)]
    pub(crate) code: Option<String>,
    #[command(flatten)]
    pub(crate) newcomer: Newcomer,
}

/// What both ways of pairing take.
#[derive(Debug, Default, Args)]
pub(crate) struct Newcomer {
    /// What this computer calls itself [default: its host name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where to keep the key: keychain, secret-service, windows-credential-manager, or file
    #[arg(long, value_name = "KIND")]
    pub(crate) key_store: Option<String>,
    /// Let the new pair take the place of the one with this server (or with `--server NAME`)
    #[arg(long)]
    pub(crate) replace: bool,
}
