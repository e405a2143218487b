//! What `scan` and `pair` take.

use std::path::PathBuf;

use clap::Args;

/// `scan`.
#[derive(Debug, Default, Args)]
#[command(group = clap::ArgGroup::new("place"))]
#[command(after_help = "\
Without --text, --file, --clipboard, --screen or --camera the code is looked for in the clipboard, as
text, then as a picture; if there is none, it is asked for. Once it was used, the clipboard is
cleared of it.")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one flag of the command line"
)]
pub(crate) struct Scan {
    /// Read the code from stdin; `-` is the only value, a code is never an argument
    #[arg(long, value_name = "-", allow_hyphen_values = true, group = "place")]
    pub(crate) text: Option<String>,
    /// Read the code from a picture of the QR code
    #[arg(
        long,
        visible_alias = "image",
        value_name = "IMAGE",
        group = "place",
        conflicts_with = "new_key"
    )]
    pub(crate) file: Option<PathBuf>,
    /// Read the code from the clipboard alone: its text, or a picture of the QR code
    #[arg(long, group = "place", conflicts_with = "new_key")]
    pub(crate) clipboard: bool,
    /// Look for the QR code on the screen of this computer
    #[arg(long, group = "place", conflicts_with = "new_key")]
    pub(crate) screen: bool,
    /// Look for the QR code with a camera (in builds with the feature `camera`, on Linux)
    #[arg(long, group = "place", conflicts_with = "new_key")]
    pub(crate) camera: bool,
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
