//! `healthsync doctor`.

use std::path::PathBuf;

use clap::Args;

/// `doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Also write the whole report, with each step of the connection, to a new file: no secret and
    /// no health value is in it
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,
}
