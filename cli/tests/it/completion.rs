//! Completion with the real program: values that it knows, values that it looked up earlier, and
//! nothing that a shell would run.

use std::{path::Path, process::Command};

use crate::{binary::Home, program, terminal::Seat};

/// What the program offers for the last of these words.
fn offered(home: &Home, words: &[&str]) -> Vec<String> {
    let mut command = home.command(&[]);
    let index = (words.len() - 1).to_string();
    command
        .env("COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", index)
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .env("_CLAP_COMPLETE_SPACE", "true")
        .env("_CLAP_IFS", "\n")
        .arg("--")
        .args(words);
    let outcome = program::run(&mut command, b"").good();
    let mut lines: Vec<String> = outcome
        .stdout
        .lines()
        .map(|line| line.trim().to_owned())
        .collect();
    lines.sort();
    lines
}

#[test]
fn commands_options_and_values_are_offered() {
    let home = Home::new();
    let commands = offered(&home, &["healthsync", "st"]);
    assert_eq!(commands, ["status"]);
    let options = offered(&home, &["healthsync", "fetch", "--ca"]);
    assert_eq!(options, ["--category"]);
    let formats = offered(&home, &["healthsync", "fetch", "--format", "nd"]);
    assert_eq!(formats, ["ndjson"]);
    // Nothing was fetched yet: every type that has a name.
    let types = offered(&home, &["healthsync", "fetch", "--types", "restingH"]);
    assert_eq!(types, ["restingHeartRate"]);
    assert!(!home.path().exists(), "completion leaves nothing behind");
    // What nobody is to see is not offered.
    let all = offered(&home, &["healthsync", ""]);
    assert!(!all.contains(&"generate".to_owned()), "{all:?}");
}

#[test]
fn servers_and_held_types_are_offered() {
    let home = Home::new();
    home.pair_with(&["annas-mac", "$(touch pwned)", "same", "same"]);
    let held = format!(r#"{{"{}":["steps","someNewType"]}}"#, "a".repeat(26));
    std::fs::write(home.path().join("types.json"), held).expect("written");
    let types = offered(&home, &["healthsync", "fetch", "--types", "s"]);
    assert_eq!(types, ["sleep", "someNewType", "steps"]);
    let second = offered(&home, &["healthsync", "fetch", "--types", "steps,some"]);
    assert_eq!(second, ["steps,someNewType"]);
    let servers = offered(&home, &["healthsync", "status", "--server", ""]);
    let pair = |letter: &str| letter.repeat(26);
    assert_eq!(
        servers,
        ["annas-mac".to_owned(), pair("b"), pair("c"), pair("d")]
    );
}

/// Whether this shell is installed here (scripts/test installs all of them); says so if not.
#[expect(
    clippy::print_stdout,
    reason = "who runs the tests must see what was left out"
)]
fn is_installed(shell: &str) -> bool {
    let there = Command::new(shell).arg("--version").output().is_ok();
    if !there {
        println!("{shell} is not installed: its completion was not tried");
    }
    there
}

/// The script of a program for a shell, in a file.
fn script(name: &str, shell: &str, folder: &Path) -> String {
    let mut command = Command::new(program::ours(name));
    let script = program::run(command.args(["generate", "completions", shell]), b"").good();
    assert!(script.stdout.contains("COMPLETE"), "{shell}: {script:?}");
    let path = folder.join(format!("{name}.{shell}"));
    std::fs::write(&path, &script.stdout).expect("written");
    path.display().to_string()
}

#[test]
fn every_shell_loads_its_script() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish", "powershell"] {
        for name in ["healthsync", "healthsync-server"] {
            let path = script(name, shell, folder.path());
            // PowerShell is not in Debian: its script is made, and nobody here reads it.
            if shell != "powershell" && is_installed(shell) {
                program::run(Command::new(shell).arg("-n").arg(&path), b"").good();
            }
        }
    }
}

/// A shell that finds our programs, with nothing of this person's settings.
fn shell(home: &Home, words: &[&str]) -> Command {
    let folder = program::ours("healthsync");
    let folder = folder.parent().expect("a folder").display();
    let mut command = home.command(&[]);
    let settings: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    command = Command::new(words[0]);
    command
        .args(&words[1..])
        .env_clear()
        .envs(settings)
        .env("PATH", format!("{folder}:/usr/local/bin:/usr/bin:/bin"))
        .env("HOME", home.beside())
        .env("TERM", "xterm")
        .env("NO_COLOR", "1");
    command
}

#[test]
fn fish_offers_what_the_program_knows() {
    if !is_installed("fish") {
        return;
    }
    let home = Home::new();
    home.pair_with(&["annas-mac"]);
    let script = script("healthsync", "fish", home.beside());
    for (typed, expected) in [
        ("healthsync st", "status"),
        ("healthsync fetch --types restingH", "restingHeartRate"),
        ("healthsync status --server ann", "annas-mac"),
        ("healthsync fetch --format nd", "ndjson"),
    ] {
        let line = format!("source {script}; complete --do-complete {typed:?}");
        let outcome = program::run(
            &mut shell(&home, &["fish", "--no-config", "-c", &line]),
            b"",
        );
        let offered: Vec<&str> = outcome
            .stdout
            .lines()
            .filter_map(|line| line.split('\t').next())
            .collect();
        assert_eq!(offered, [expected], "{typed}: {outcome:?}");
    }
}

#[test]
fn bash_and_zsh_complete_what_is_typed() {
    for (words, loading) in [
        (&["bash", "--norc", "--noprofile", "-i"][..], "source"),
        (
            &["zsh", "-f", "-i"],
            "autoload -U compinit; compinit -D -u; source",
        ),
    ] {
        if !is_installed(words[0]) {
            continue;
        }
        let home = Home::new();
        home.pair_with(&["annas-mac"]);
        let script = script("healthsync", words[0], home.beside());
        let mut seat = Seat::take(shell(&home, words), 120);
        // The echo of what is typed is not yet what it prints.
        seat.say(&format!("{loading} {script}; echo loa''ded\n"));
        seat.see("loaded");
        for (typed, expected) in [
            ("echo; healthsync sta", "healthsync status"),
            (
                "echo; healthsync fetch --types restingH",
                "--types restingHeartRate",
            ),
            ("echo; healthsync status --server ann", "--server annas-mac"),
        ] {
            seat.say(&format!("{typed}\t"));
            seat.see(expected);
            // Ctrl-U: nothing is run.
            seat.say("\u{15}");
        }
        seat.say("exit 0\n");
        let (shown, exit) = seat.end();
        assert_eq!(exit, Some(0), "{shown}");
    }
}

#[test]
fn man_pages_are_written_for_every_command() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["healthsync", "healthsync-server"] {
        let mut command = Command::new(program::ours(name));
        program::run(command.args(["generate", "man"]).arg(folder.path()), b"").good();
    }
    let mut pages: Vec<String> = std::fs::read_dir(folder.path())
        .expect("the folder")
        .map(|page| {
            page.expect("a page")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    pages.sort();
    for page in [
        "healthsync.1",
        "healthsync-fetch.1",
        "healthsync-cert-export.1",
        "healthsync-server-start.1",
    ] {
        assert!(pages.iter().any(|found| found == page), "{page}: {pages:?}");
    }
    assert!(
        !pages.iter().any(|page| page.contains("generate")),
        "{pages:?}"
    );
}
