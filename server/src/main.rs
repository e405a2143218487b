//! The binary `healthsync-server`: reads the command line, runs one command, ends with its code.

use std::{
    env,
    ffi::OsString,
    process::{ExitCode, Termination as _},
    time::Duration,
};

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};
use healthsync_server::{
    args::{self, Args, TypedSecret},
    commands,
    error::{ExitStatus, ServerError},
    printer::Printer,
    settings::{Env, Settings},
};

/// What still reads or asks when the command is over does not keep the process.
const PATIENCE: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    healthsync_manual::complete(Args::command);
    let typed: Vec<OsString> = env::args_os().collect();
    let json = typed.iter().any(|arg| arg == "--json");
    let secret = args::typed_secret(typed.get(1..).unwrap_or_default());
    let status = if let Some(secret) = secret {
        Printer::new(json, false).error(&match secret {
            TypedSecret::Code => ServerError::PairingCodeInArguments,
            TypedSecret::Passphrase => ServerError::PassphraseInArguments,
        });
        ExitStatus::Usage
    } else {
        match Args::try_parse_from(&typed) {
            Ok(args) => run(args),
            Err(error) => refused(&error, &typed, json),
        }
    };
    ExitCode::from(status.code()).report()
}

fn run(args: Args) -> ExitStatus {
    let printer = Printer::new(args.global.json, args.global.quiet);
    let outcome = Settings::new(&args.global, &Env::snapshot())
        .map_err(ServerError::from)
        .and_then(|settings| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .map_err(ServerError::Runtime)?;
            let outcome = runtime.block_on(commands::run(args, settings));
            runtime.shutdown_timeout(PATIENCE);
            outcome
        });
    match outcome {
        Ok(status) => status,
        Err(error) => {
            let status = error.exit_status();
            if status != ExitStatus::Success {
                printer.error(&error);
            }
            status
        }
    }
}

/// Help and version are answers; everything else is a mistake on the command line.
fn refused(error: &clap::Error, typed: &[OsString], json: bool) -> ExitStatus {
    if !error.use_stderr() {
        // A closed stdout is nobody's to tell.
        drop(error.print());
        return ExitStatus::Success;
    }
    let is_bare = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if is_bare && !json {
        drop(error.print());
        return ExitStatus::Usage;
    }
    let text = error.render().to_string();
    let message = if is_bare {
        "no command was given".to_owned()
    } else {
        one_line(&text)
    };
    let tip = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("tip: "));
    let hint = tip.map_or_else(|| help_for(typed), str::to_owned);
    Printer::new(json, false).usage(&message, &hint);
    ExitStatus::Usage
}

/// What was wrong: the first paragraph of clap's text.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let line = lines.join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

/// Where the help is for the command that was typed.
fn help_for(typed: &[OsString]) -> String {
    let known = Args::command();
    let command = typed
        .iter()
        .skip(1)
        .find_map(|word| known.find_subcommand(word));
    match command {
        Some(command) => format!("run `healthsync-server help {}`", command.get_name()),
        None => "run `healthsync-server --help`".to_owned(),
    }
}
