//! Rules of the house that no compiler knows: who may name whom, how long a file may be, and that
//! the documents speak of commands that exist.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::program;

/// Crates, and what their Cargo.toml must not name.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "core",
        &[
            "healthsync-pairing",
            "healthsync-server",
            "healthsync-cli",
            "tokio",
            "rustls",
            "tokio-rustls",
            "rcgen",
            "aws-lc-rs",
            "reqwest",
            "hyper",
            "axum",
            "mdns-sd",
            "keyring-core",
            "clap",
            "indicatif",
        ],
    ),
    (
        "pairing",
        &[
            "healthsync-core",
            "healthsync-server",
            "healthsync-cli",
            "arrow-array",
            "arrow-ipc",
            "quick-xml",
            "reqwest",
            "hyper",
            "axum",
            "clap",
            "indicatif",
        ],
    ),
    (
        "manual",
        &[
            "healthsync-core",
            "healthsync-pairing",
            "healthsync-server",
            "healthsync-cli",
            "tokio",
            "reqwest",
        ],
    ),
    (
        "server",
        &[
            "healthsync-cli",
            "rustls",
            "rcgen",
            "rusqlite",
            "aws-lc-rs",
            "keyring-core",
            "reqwest",
        ],
    ),
    (
        "cli",
        &[
            "rustls",
            "rcgen",
            "rusqlite",
            "aws-lc-rs",
            "keyring-core",
            "axum",
        ],
    ),
];

/// Files over the limit, each with its reason.
const LONG: &[(&str, &str)] = &[
    (
        "core/src/aggregate/tests.rs",
        "tests of one merging over one calendar",
    ),
    (
        "core/src/store/changes/tests.rs",
        "tests of one history, and a generator of histories",
    ),
    (
        "core/src/store/scan/tests.rs",
        "tests of one query language over one store",
    ),
    (
        "pairing/src/enroll/desk.rs",
        "one state machine under one lock",
    ),
    (
        "pairing/src/enroll/frame.rs",
        "eight frames, each written and read",
    ),
    (
        "pairing/src/trust/mod.rs",
        "one door to records, keys and the window",
    ),
    (
        "pairing/src/trust/registry.rs",
        "all SQL of the trust store",
    ),
];
const LIMIT: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Dependencies of a crate, those for tests left out.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut counts = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            counts = section == "dependencies"
                || (section.starts_with("target.") && section.ends_with(".dependencies"));
        } else if counts && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            names.push(name.to_owned());
        }
    }
    names
}

#[test]
fn crates_name_only_whom_they_may() {
    for (member, forbidden) in FORBIDDEN {
        let manifest =
            fs::read_to_string(root().join(member).join("Cargo.toml")).expect("it is there");
        let named = dependencies(&manifest);
        assert!(
            named.len() > 2,
            "{member}: the dependencies were not found: {named:?}"
        );
        for name in *forbidden {
            assert!(
                !named.iter().any(|dependency| dependency == name),
                "{member} names {name}"
            );
        }
    }
}

#[test]
fn the_reader_of_manifests_sees_each_form() {
    let text = "[package]\nname = \"x\"\n[dependencies]\na = \"1\"\nb.workspace = true\n# c = 1\n\
                [dev-dependencies]\nd = \"1\"\n[target.'cfg(unix)'.dependencies]\ne = { version = \"1\" }\n";
    assert_eq!(dependencies(text), ["a", "b", "e"]);
}

/// Every Rust file of the crates.
fn sources() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = ["core", "pairing", "manual", "server", "cli"]
        .map(|name| root().join(name))
        .to_vec();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let files = sources();
    assert!(files.len() > 60, "only {} files were found", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("UTF-8");
        let name = file
            .strip_prefix(root())
            .expect("below the root")
            .display()
            .to_string();
        // Tests that stand at the end of a file make no noun of it larger.
        let code = text
            .split("\n#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let lines = code.lines().count();
        let excused = LONG.iter().any(|(long, _)| *long == name);
        if (lines > LIMIT) != excused {
            wrong.push(format!(
                "{name} has {lines} lines (limit {LIMIT}, listed as long: {excused})"
            ));
        }
        let is_tests = name.ends_with("tests.rs") || name.contains("/tests/");
        if !is_tests && !text.starts_with("//!") {
            wrong.push(format!("{name} does not begin with `//!`"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Commands in the documents: in code, each with the words behind it that are no options.
fn commands(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let pieces: Vec<&str> = if fenced {
            vec![line.split('#').next().unwrap_or_default()]
        } else {
            line.split('`').skip(1).step_by(2).collect()
        };
        for piece in pieces {
            let mut words = piece.split_whitespace();
            let Some(program) = words.next() else {
                continue;
            };
            if program == "healthsync" || program == "healthsync-server" {
                found.push((program.to_owned(), words.map(str::to_owned).collect()));
            }
        }
    }
    found
}

#[test]
fn every_command_in_the_documents_exists() {
    let mut texts = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    for entry in fs::read_dir(root().join("docs")).expect("docs") {
        texts.push(entry.expect("an entry").path());
    }
    let mut helps: BTreeMap<(String, Vec<String>), Option<String>> = BTreeMap::new();
    let mut help = |program: &str, path: &[String]| {
        let key = (program.to_owned(), path.to_vec());
        let answer = helps.entry(key).or_insert_with(|| {
            let mut command = Command::new(program::ours(program));
            let outcome = program::run(command.args(path).arg("--help"), b"");
            (outcome.exit == Some(0)).then_some(outcome.stdout)
        });
        answer.clone()
    };
    let (mut seen, mut wrong) = (0, Vec::new());
    for file in texts
        .iter()
        .filter(|file| file.extension().is_some_and(|kind| kind == "md"))
    {
        let text = fs::read_to_string(file).expect("UTF-8");
        for (program, words) in commands(&text) {
            seen += 1;
            let is_name = |word: &&String| word.bytes().all(|byte| byte.is_ascii_lowercase());
            // `cert info` and the like have two levels, the rest one.
            let group = matches!(
                words.first().map(String::as_str),
                Some("cert" | "keychain" | "config" | "sources")
            );
            let path: Vec<_> = words
                .iter()
                .take(if group { 2 } else { 1 })
                .take_while(is_name)
                .cloned()
                .collect();
            let place = format!("{}: `{program} {}`", file.display(), words.join(" "));
            let Some(told) = help(&program, &path) else {
                wrong.push(format!("{place}: no such command"));
                continue;
            };
            for option in words.iter().filter(|word| word.starts_with("--")) {
                let name = option.split('=').next().unwrap_or_default();
                let name = name.trim_end_matches(|last: char| !last.is_ascii_alphanumeric());
                if !told.contains(name) {
                    wrong.push(format!("{place}: no option {name}"));
                }
            }
        }
    }
    assert!(
        seen > 30,
        "only {seen} commands were found in the documents"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut files: Vec<PathBuf> = fs::read_dir(root().join("docs"))
        .expect("docs")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ] {
        files.push(root().join(name));
    }
    for file in files
        .iter()
        .filter(|file| file.extension().is_some_and(|kind| kind == "md"))
    {
        let text = fs::read_to_string(file).expect("UTF-8");
        let folder = file.parent().expect("a folder");
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains("://") && !folder.join(path).exists() {
                wrong.push(format!("{}: {target}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
