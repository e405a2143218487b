//! `healthsync`: pair with a server, fetch health data over mutual TLS.
//!
//! ```text
//! argv ─ argv (no secrets) ─ args (grammar) ─ settings (with the environment) ─ commands/*
//!                                                             commands ─ client ─ network
//!                                                             commands ─ printer, output
//! ```
//!
//! Exit codes: 0 done, 1 failed, 2 usage, 3 not paired or peer not trusted, 4 server not
//! reachable, 130 interrupted. A reader of stdout that goes away is success.

mod args;
mod argv;
mod browse;
mod client;
mod commands;
mod config;
mod debug_tls;
mod enrol;
mod error;
mod journal;
mod keys;
mod known;
mod output;
mod printer;
mod range;
mod renamed;
mod scan;
mod settings;
mod table;

use std::{
    ffi::{OsStr, OsString},
    process::ExitCode,
    time::Duration,
};

use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _, error::ErrorKind};
use healthsync_core::api::Code;
use tracing::level_filters::LevelFilter;

use crate::{
    args::{Cli, Global},
    error::CliError,
    journal::Begun,
    printer::Printer,
    settings::{Env, Settings},
};

/// What a thread may still need to clean up after the command has ended.
const FAREWELL: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    healthsync_manual::complete(Cli::command);
    let env = Env::snapshot();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let early = early_printer(&arguments, &env);
    if let Err(error) = argv::refuse_secrets(arguments.iter().skip(1).map(OsString::as_os_str)) {
        return end(early, Err(error));
    }
    let cli = match parse(&arguments, early) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let printer = settings::printer(&cli.global, &env);
    log(printer);
    let outcome = Settings::new(&cli.global, &env).and_then(|settings| {
        let begun = cli
            .command
            .recorded()
            .map(|name| Begun::new(name, &settings));
        let outcome = run(&cli, &settings);
        if let Some(begun) = begun {
            begun.end(&outcome, &settings);
        }
        outcome
    });
    end(printer, outcome)
}

/// How to print before the arguments are understood: an error must be JSON where JSON is wanted.
fn early_printer(arguments: &[OsString], env: &Env) -> Printer {
    let has = |word: &str| {
        arguments
            .iter()
            .any(|argument| argument == OsStr::new(word))
    };
    let global = Global {
        json: has("--json"),
        quiet: false,
        verbose: false,
        color: ColorChoice::Auto,
        config: None,
        server: None,
        host: None,
        no_mdns: false,
        debug_tls: false,
        timeout: None,
    };
    settings::printer(&global, env)
}

fn parse(arguments: &[OsString], printer: Printer) -> Result<Cli, ExitCode> {
    let colour = if printer.colour_err {
        ColorChoice::Auto
    } else {
        ColorChoice::Never
    };
    let grammar = Cli::command().color(colour);
    let parsed = grammar
        .clone()
        .try_get_matches_from(meant(arguments))
        .and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| {
        let is_help = matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        );
        let is_bare = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        if is_help || (is_bare && !printer.json) {
            return match error.print() {
                // A bare command prints to stderr; when that is closed nobody is there to tell.
                Ok(()) => ExitCode::from(if is_help { 0 } else { 2 }),
                Err(_) if is_bare => ExitCode::from(2),
                Err(error) => end(printer, Err(CliError::stdout(error))),
            };
        }
        end(printer, Err(usage(&error, &grammar, arguments)))
    })
}

/// `-v` alone asks for the version, as with many programs; beside a command it is `--verbose`.
fn meant(arguments: &[OsString]) -> Vec<OsString> {
    match arguments {
        [program, only] if only == "-v" => vec![program.clone(), OsString::from("--version")],
        _ => arguments.to_vec(),
    }
}

/// What is wrong with the command line, in one line, and what to type instead.
fn usage(error: &clap::Error, grammar: &clap::Command, arguments: &[OsString]) -> CliError {
    let command = arguments
        .iter()
        .skip(1)
        .find_map(|word| grammar.find_subcommand(word));
    let name = command.map(clap::Command::get_name);
    if let Some(answer) = renamed::answer(error, name) {
        return answer;
    }
    if argv::may_be_a_code(error) {
        return CliError::new(
            Code::SecretInArgv,
            "an argument that belongs to no option is not repeated here: a pairing code does not belong on the command line",
        );
    }
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
    ) {
        return CliError::usage("no command was given").with_hint("run `healthsync --help`");
    }
    let text = error.render().to_string();
    let first: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let first = first.join(" ");
    let tip = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("tip: "));
    CliError::usage(first.strip_prefix("error: ").unwrap_or(&first)).with_hint(match (tip, name) {
        (Some(tip), _) => tip.to_owned(),
        (None, Some(name)) => format!("run `healthsync help {name}`"),
        (None, None) => "run `healthsync --help`".to_owned(),
    })
}

/// The library's own events, for `--verbose` only; no dependency's, which may say too much.
fn log(printer: Printer) {
    use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt as _};

    let level = if printer.verbose {
        LevelFilter::DEBUG
    } else {
        LevelFilter::WARN
    };
    let ours = ["healthsync", "healthsync_pairing", "healthsync_core"];
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(printer.colour_err)
        .without_time()
        .with_target(false);
    let subscriber = tracing_subscriber::registry()
        .with(Targets::new().with_targets(ours.map(|name| (name, level))))
        .with(lines);
    // Fails only if one is set already, which nothing else does.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn run(cli: &Cli, settings: &Settings) -> Result<(), CliError> {
    // A thread for the connection, beside this one, which may wait for a pipe or a disk.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| {
            CliError::new(Code::Internal, "the system gives no threads").because(error)
        })?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            biased;
            () = interrupted() => Err(CliError::interrupted()),
            outcome = commands::run(&cli.command, settings) => outcome,
        }
    });
    // A thread may still hold a half-written file, which goes when it ends; another may wait for
    // stdin for ever.
    runtime.shutdown_timeout(FAREWELL);
    outcome
}

/// Ctrl-C, or what a session sends when it ends.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        if let (Ok(mut terminate), Ok(mut hang_up)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::hangup()),
        ) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn end(printer: Printer, outcome: Result<(), CliError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) if error.is_answer() => ExitCode::from(error.exit()),
        Err(error) => {
            printer.error(&error);
            ExitCode::from(error.exit())
        }
    }
}
