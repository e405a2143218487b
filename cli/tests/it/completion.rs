//! Completion with the real program: values that it knows, values that it looked up earlier, and
//! nothing that a shell would run.

use crate::{binary::Home, program};

use std::process::Command;

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

#[test]
fn every_shell_loads_its_script() {
    let folder = tempfile::tempdir().expect("a folder");
    for (shell, checker) in [
        ("bash", Some("bash")),
        ("zsh", Some("zsh")),
        ("fish", Some("fish")),
        ("powershell", None),
    ] {
        for name in ["healthsync", "healthsync-server"] {
            let mut command = Command::new(program::ours(name));
            let script = program::run(command.args(["generate", "completions", shell]), b"").good();
            assert!(script.stdout.contains("COMPLETE"), "{shell}: {script:?}");
            let path = folder.path().join(format!("{name}.{shell}"));
            std::fs::write(&path, &script.stdout).expect("written");
            // Those that are installed here also say that they understand it.
            let is_installed = |shell: &&str| Command::new(shell).arg("--version").output().is_ok();
            if let Some(shell) = checker.filter(is_installed) {
                program::run(Command::new(shell).arg("-n").arg(&path), b"").good();
            }
        }
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
