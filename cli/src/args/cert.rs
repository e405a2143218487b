//! What `cert` takes.

use clap::Subcommand;

/// `cert`.
#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Show the certificates: whose, by whom, valid how long, and whether they hold
    Info {
        /// Only the CA's certificate
        #[arg(long)]
        ca: bool,
    },
    /// Get a certificate for a new key now; other commands do it when less than a third of the
    /// life is left
    Renew {
        /// Only tell whether it is due: exit code 0 yes, 1 no, 2 there is no certificate
        #[arg(long)]
        check: bool,
    },
}
