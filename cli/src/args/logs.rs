//! What `logs` takes.

use clap::Args;

/// `logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Only the last N lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub(crate) tail: usize,
}
