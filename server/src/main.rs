//! The binary `healthsync-server`: reads the command line, runs one command, ends with its code.

use std::{
    env,
    ffi::OsString,
    process::{ExitCode, Termination as _},
    time::Duration,
};

use clap::Parser as _;
use healthsync_server::{
    args::{self, Args},
    commands,
    error::{ExitStatus, ServerError},
    printer::Printer,
    settings::{Env, Settings},
};

/// What still reads or asks when the command is over does not keep the process.
const PATIENCE: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let typed: Vec<OsString> = env::args_os().collect();
    let json = typed.iter().any(|arg| arg == "--json");
    let status = if args::hold_pairing_code(&typed) {
        Printer::new(json, false).error(&ServerError::PairingCodeInArguments);
        ExitStatus::Usage
    } else {
        match Args::try_parse_from(&typed) {
            Ok(args) => run(args),
            Err(error) => refused(&error, json),
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
fn refused(error: &clap::Error, json: bool) -> ExitStatus {
    let printed = error.print();
    if !error.use_stderr() {
        return ExitStatus::Success;
    }
    if json {
        let message = error.render().to_string();
        let first = message.lines().next().unwrap_or_default();
        let first = first.strip_prefix("error: ").unwrap_or(first);
        Printer::new(true, false).usage(first);
    }
    drop(printed);
    ExitStatus::Usage
}
