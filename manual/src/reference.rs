//! The reference: one section a command, its usage and a table of its options.

use std::fmt::Write as _;

use clap::{Arg, Command};

/// The whole command line as Markdown. Options that every command takes stand once, at the top.
pub(crate) fn markdown(mut command: Command) -> String {
    command.build();
    let mut text = format!("## {}\n\n{}\n", command.get_name(), about(&command));
    table(
        &mut text,
        "Options of every command",
        &command,
        Arg::is_global_set,
    );
    if let Some(words) = command.get_after_help() {
        let _ = write!(text, "\n{words}\n");
    }
    let name = command.get_name().to_owned();
    for command in command.get_subcommands() {
        section(&mut text, &name, command);
    }
    text
}

fn section(text: &mut String, parent: &str, command: &Command) {
    let is_help = command.get_name() == "help";
    if command.is_hide_set() || is_help {
        return;
    }
    let name = format!("{parent} {}", command.get_name());
    let _ = write!(text, "\n### {name}\n\n{}\n", about(command));
    let aliases: Vec<String> = command
        .get_visible_aliases()
        .map(|alias| format!("`{alias}`"))
        .collect();
    if !aliases.is_empty() {
        let _ = write!(text, "\nAlso: {}\n", aliases.join(", "));
    }
    if !command.has_subcommands() {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ");
        let _ = write!(text, "\n```text\n{usage}\n```\n");
        table(text, "Arguments and options", command, |arg| {
            !arg.is_global_set()
        });
    }
    if let Some(words) = command.get_after_help() {
        let _ = write!(text, "\n{words}\n");
    }
    for command in command.get_subcommands() {
        section(text, &name, command);
    }
}

fn about(command: &Command) -> String {
    let about = command.get_long_about().or_else(|| command.get_about());
    about.map(ToString::to_string).unwrap_or_default()
}

fn table(text: &mut String, title: &str, command: &Command, is_meant: impl Fn(&Arg) -> bool) {
    let rows: Vec<String> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && is_meant(arg))
        .filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version"))
        .map(row)
        .collect();
    if rows.is_empty() {
        return;
    }
    let _ = write!(text, "\n| {title} | |\n|---|---|\n{}", rows.concat());
}

fn row(arg: &Arg) -> String {
    let mut names = Vec::new();
    if let Some(short) = arg.get_short() {
        names.push(format!("`-{short}`"));
    }
    let takes_value = arg.get_action().takes_values();
    let values: Vec<String> = arg
        .get_value_names()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect();
    let value = if takes_value {
        values.join(" ")
    } else {
        String::new()
    };
    match arg.get_long() {
        Some(long) if takes_value => names.push(format!("`--{long} {value}`")),
        Some(long) => names.push(format!("`--{long}`")),
        None => names.push(format!("`{value}`")),
    }
    for alias in arg.get_visible_aliases().unwrap_or_default() {
        names.push(format!("`--{alias}`"));
    }
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let mut told = help.replace('\n', " ").replace('|', "\\|");
    let choices: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|choice| takes_value && !choice.is_hide_set())
        .map(|choice| format!("`{}`", choice.get_name()))
        .collect();
    if !choices.is_empty() {
        let _ = write!(told, "; one of {}", choices.join(", "));
    }
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .filter(|_| takes_value)
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    if !defaults.is_empty() {
        let _ = write!(told, "; {} if left out", defaults.join(", "));
    }
    format!("| {} | {told} |\n", names.join(", "))
}
