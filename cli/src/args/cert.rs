//! What `cert` takes.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

/// `cert`.
#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Show the certificates: whose, by whom, valid how long, and whether they hold
    Info {
        /// Only the CA's certificate
        #[arg(long)]
        ca: bool,
    },
    /// Write certificates of the pair to stdout or a file; never a private key
    Export(Export),
    /// Get a certificate for a new key now; other commands do it when less than a third of the
    /// life is left
    Renew {
        /// Only tell whether it is due: exit code 0 yes, 1 no, 2 there is no certificate
        #[arg(long)]
        check: bool,
    },
}

/// `cert export`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["leaf", "chain", "ca"]))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one flag of the command line"
)]
pub(crate) struct Export {
    /// This computer's certificate (the default)
    #[arg(long)]
    pub(crate) leaf: bool,
    /// This computer's certificate, then the CA's
    #[arg(long)]
    pub(crate) chain: bool,
    /// The CA's certificate, with which other programs check the server
    #[arg(long)]
    pub(crate) ca: bool,
    /// Binary DER instead of PEM
    #[arg(long, conflicts_with = "chain")]
    pub(crate) der: bool,
    /// Write to a new file that only you can read
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace the file if there is one
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
}
