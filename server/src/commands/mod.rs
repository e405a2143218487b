//! One command a file. Commands return how the process ends; they print through the printer alone.

mod allow;
mod approve;
mod audit;
pub mod crl;
mod generate;
pub mod import;
mod pair;
mod pairs;
mod pause;
mod reset;
mod revoke;
mod sources;
mod start;
mod status;
mod version;
pub mod watch;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    args::{Args, Command},
    error::{ExitStatus, ServerError},
    settings::Settings,
};

/// Runs the command that was typed.
pub async fn run(args: Args, settings: Settings) -> Result<ExitStatus, ServerError> {
    let mut interruption = Interruption::watch();
    match args.command {
        Command::Start(start) => start::start(&settings, &start, interruption).await,
        Command::Watch(args) => watch::watch(&settings, args, interruption).await,
        Command::Import(import) => {
            tokio::select! {
                done = import::import(&settings, import) => done,
                () = interruption.comes() => Err(ServerError::Interrupted),
            }
        }
        other => {
            tokio::select! {
                done = ask(other, &settings) => done,
                () = interruption.comes() => Err(ServerError::Interrupted),
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
        Command::Crl(args) => crl::crl(settings, args).await,
        Command::Reset { yes } => reset::reset(settings, yes).await,
        Command::Allow(args) => allow::allow(settings, args).await,
        Command::Pause => pause::pause(settings).await,
        Command::Resume => pause::resume(settings).await,
        Command::Audit(args) => audit::audit(settings, args).await,
        Command::Sources(args) => sources::sources(settings, args).await,
        Command::Status => status::status(settings).await,
        Command::Generate(what) => generate::generate(&what),
        Command::Version => version::version(settings),
        Command::Start(_) | Command::Import(_) | Command::Watch(_) => Ok(ExitStatus::Usage),
    }
}

/// Ctrl-C, or somebody who asks the process to end. Watched from here on: a signal that comes
/// between this and [`Interruption::comes`] is not lost.
pub(crate) struct Interruption {
    signals: Option<(Signal, Signal)>,
}

impl Interruption {
    /// Begins to watch; needs the runtime.
    pub(crate) fn watch() -> Self {
        let both = signal(SignalKind::interrupt())
            .and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)));
        match both {
            Ok(signals) => Self {
                signals: Some(signals),
            },
            Err(error) => {
                tracing::warn!(%error, "signals cannot be watched");
                Self { signals: None }
            }
        }
    }

    /// Completes when it comes.
    pub(crate) async fn comes(&mut self) {
        match &mut self.signals {
            Some((interrupt, terminate)) => {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }
            None => std::future::pending().await,
        }
    }
}
