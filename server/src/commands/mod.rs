//! One command a file. Commands return how the process ends; they print through the printer alone.

mod approve;
pub mod import;
mod pair;
mod pairs;
mod revoke;
mod start;
mod status;
mod version;

use crate::{
    args::{Args, Command},
    error::{ExitStatus, ServerError},
    settings::Settings,
};

/// Runs the command that was typed.
pub async fn run(args: Args, settings: Settings) -> Result<ExitStatus, ServerError> {
    match args.command {
        Command::Start(start) => start::start(&settings, &start).await,
        Command::Import(import) => {
            tokio::select! {
                done = import::import(&settings, import) => done,
                () = interrupted() => Err(ServerError::Interrupted),
            }
        }
        other => {
            tokio::select! {
                done = ask(other, &settings) => done,
                () = interrupted() => Err(ServerError::Interrupted),
            }
        }
    }
}

/// The commands that talk to the running server, and the one that needs nobody.
async fn ask(command: Command, settings: &Settings) -> Result<ExitStatus, ServerError> {
    match command {
        Command::Pair(pair) => pair::pair(settings, &pair).await,
        Command::Pairs => pairs::pairs(settings).await,
        Command::Approve { digits } => approve::approve(settings, &digits).await,
        Command::Revoke { name } => revoke::revoke(settings, name).await,
        Command::Status => status::status(settings).await,
        Command::Version => version::version(settings),
        Command::Start(_) | Command::Import(_) => Ok(ExitStatus::Usage),
    }
}

/// Completes at Ctrl-C, or when somebody asks the process to end.
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};

    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(error) => {
            tracing::warn!(%error, "signals cannot be watched");
            std::future::pending::<()>().await;
        }
    }
}
