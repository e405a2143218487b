//! What people see, kept as text in `tests/data`: every help, wrong command lines with their hints,
//! every error code with its advice, the tables; and docs/reference/cli.md.
//!
//! `HEALTHSYNC_UPDATE=1 cargo test -p healthsync-cli --test it snapshots` writes them anew: look at
//! the difference before you commit it.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use healthsync_core::api::Code;

use crate::{binary::Home, program};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// The text is the one that is kept; with `HEALTHSYNC_UPDATE` it becomes that.
#[track_caller]
pub(crate) fn assert_kept(path: &Path, text: &str) {
    if env::var_os("HEALTHSYNC_UPDATE").is_some() {
        fs::write(path, text).expect("written");
        return;
    }
    let kept = fs::read_to_string(path).unwrap_or_default();
    let different = kept
        .lines()
        .zip(text.lines())
        .position(|(old, new)| old != new);
    let at = different.unwrap_or_else(|| kept.lines().count().min(text.lines().count()));
    assert!(
        kept == text,
        "{} differs from line {} on:\n- {}\n+ {}\nlook at it, then set HEALTHSYNC_UPDATE=1 and run this test again",
        path.display(),
        at + 1,
        kept.lines().nth(at).unwrap_or("(end)"),
        text.lines().nth(at).unwrap_or("(end)"),
    );
}

fn help(program: &str, path: &[String], text: &mut String) {
    let mut command = Command::new(program::ours(program));
    // Nothing that widens or narrows the text.
    command.args(path).arg("--help").env_remove("COLUMNS");
    let told = program::run(&mut command, b"").good().stdout;
    let line = [&[program.to_owned()], path].concat().join(" ");
    let _ = write!(text, "$ {line} --help\n{told}\n");
    let commands = told
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // The name of a command stands two columns in, what is wrapped stands farther.
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help");
    for name in commands {
        help(program, &[path, &[name.to_owned()]].concat(), text);
    }
}

#[test]
fn every_help_is_as_kept() {
    for name in ["healthsync", "healthsync-server"] {
        let mut text = String::new();
        help(name, &[], &mut text);
        assert!(text.matches(" --help\n").count() > 10, "{text}");
        let wide = text.lines().find(|line| line.chars().count() > 100);
        assert_eq!(wide, None, "wider than 100 columns");
        assert_kept(&data(&format!("{name}.help")), &text);
    }
}

#[test]
fn the_reference_is_as_the_programs_are() {
    let mut text =
        "# The command line\n\nMade from the programs themselves; a test compares them.\n\n"
            .to_owned();
    for name in ["healthsync", "healthsync-server"] {
        let mut command = Command::new(program::ours(name));
        let told = program::run(command.args(["generate", "reference"]), b"").good();
        text.push_str(&told.stdout);
        text.push('\n');
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/cli.md");
    assert_kept(&path, &format!("{}\n", text.trim_end()));
}

#[test]
fn every_code_has_its_advice() {
    let mut text = String::new();
    for code in Code::ALL {
        let status = code
            .status()
            .map_or_else(|| "-".to_owned(), |status| status.to_string());
        let _ = write!(
            text,
            "{code}  exit {}  HTTP {status}\n  hint: {}\n",
            code.exit(),
            code.advice()
        );
    }
    assert_kept(&data("codes.txt"), &text);
}

#[test]
fn wrong_command_lines_are_answered_as_kept() {
    let home = Home::new();
    let mut text = String::new();
    for line in include_str!("../data/wrong.txt").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ran = home.run(&words);
        assert_eq!(ran.out, "", "{line}");
        assert!(ran.err.contains("\nhint: "), "{line}: {}", ran.err);
        let told = ran.err.replace(&home.path().display().to_string(), "HOME");
        let code = ran.code.unwrap_or_default();
        let _ = write!(text, "$ healthsync {line}\n{told}[exit {code}]\n\n");
    }
    assert_kept(&data("wrong.answers"), &text);
}

#[test]
fn tables_are_as_kept() {
    let home = Home::new();
    home.pair_with(&[
        "Anna's Mac",
        "Bertas \u{1b}[31mRechner mit einem langen Namen",
    ]);
    let log = [
        r#"{"event":"log","time":"2026-01-07T10:00:00Z","command":"status","pair":null,"exit":0,"code":null,"ms":41}"#,
        r#"{"event":"log","time":"2026-01-07T10:01:00Z","command":"fetch","pair":"aaaaaaaaaaaaaaaaaaaaaaaaaa","exit":4,"code":"ECONNREFUSED","ms":5012}"#,
    ];
    let mut text = String::new();
    for line in [
        "logs",
        "servers",
        "config show",
        "fetch --server aaaa --types steps,heartRate --start 2026-01-01 --end 2026-01-31 --dry-run",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        // Each command is recorded: what the ones before it left is not part of the table.
        fs::write(home.path().join("commands.log"), log.join("\n") + "\n").expect("written");
        let ran = home.run(&words);
        assert_eq!(ran.code, Some(0), "{line}: {}", ran.err);
        assert!(!ran.out.contains('\u{1b}'), "{line}: {}", ran.out);
        let told = ran.out.replace(&home.path().display().to_string(), "HOME");
        let _ = write!(text, "$ healthsync {line}\n{told}\n");
    }
    assert_kept(&data("tables.txt"), &text);
}
