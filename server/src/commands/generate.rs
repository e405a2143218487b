//! `generate`: what is made from the definition of the command line. Hidden.

use std::io;

use clap::CommandFactory as _;
use healthsync_manual::Generate;

use crate::{
    args::Args,
    error::{ExitStatus, ServerError},
};

/// Makes it.
pub(super) fn generate(what: &Generate) -> Result<ExitStatus, ServerError> {
    what.run(Args::command(), &mut io::stdout().lock())
        .map_err(ServerError::Output)?;
    Ok(ExitStatus::Success)
}
