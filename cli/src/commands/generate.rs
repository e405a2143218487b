//! `healthsync generate`: what is made from the definition of the command line. Hidden.

use std::io;

use clap::CommandFactory as _;
use healthsync_manual::Generate;

use crate::{args::Cli, error::CliError};

/// Makes it.
pub(crate) fn run(what: &Generate) -> Result<(), CliError> {
    what.run(Cli::command(), &mut io::stdout().lock())
        .map_err(CliError::stdout)
}
