//! Wrong command lines, wrong input, no pair: exit code, stable code, and the next command.

use std::{io::Write as _, process::Stdio};

use crate::binary::{Home, ran};

#[test]
fn exit_codes_and_error_codes_are_stable() {
    let home = Home::new();
    for (words, exit, code) in [
        (&["status"][..], 3, "NOT_PAIRED"),
        (&["types"], 3, "NOT_PAIRED"),
        (&["fetch"], 3, "NOT_PAIRED"),
        (&["unpair"], 3, "NOT_PAIRED"),
        (&["cert", "info"], 3, "NOT_PAIRED"),
        (&["cert", "info", "--ca"], 3, "NOT_PAIRED"),
        (
            &["config", "set", "server.host", "10.0.0.1"],
            3,
            "NOT_PAIRED",
        ),
        (&["config", "set", "server.host", "a b"], 2, "USAGE"),
        (&["config", "set", "server.prot", "1"], 2, "USAGE"),
        (&["nonsense"], 2, "USAGE"),
        (&["fetch", "--nonsense"], 2, "USAGE"),
        (&["fetch", "--format", "xls"], 2, "USAGE"),
        (&["fetch", "--limit", "-1"], 2, "USAGE"),
        (&["fetch", "--limit", "0"], 2, "USAGE"),
        (
            &["fetch", "--days", "1", "--start", "2026-01-01"],
            2,
            "USAGE",
        ),
        (&["fetch", "--types", "stps"], 2, "UNKNOWN_TYPE"),
        (&["fetch", "--types", "steps,xyzzyxyzzy"], 2, "UNKNOWN_TYPE"),
        (
            &["fetch", "--start", "2026-02-01", "--end", "2026-01-01"],
            2,
            "INVALID_RANGE",
        ),
        (&["fetch", "--start", "soon"], 2, "INVALID_RANGE"),
        (&["fetch", "--format", "csv"], 2, "USAGE"),
        (
            &["fetch", "--format", "json", "--delimiter", ";"],
            2,
            "USAGE",
        ),
        (&["scan"], 2, "USAGE"),
        (&["scan", "--text", "ABC"], 2, "USAGE"),
        (&["scan", "--text", "-"], 1, "INVITE_NOT_FOUND"),
        (&["scan", "--file", "/nonexistent.png"], 1, "READ_FAILED"),
        (
            &["scan", "--text", "-", "--key-store", "drawer"],
            2,
            "KEY_STORE_UNKNOWN",
        ),
        (&["scan", "HS1:ABC"], 2, "SECRET_IN_ARGV"),
        (&["scan", "--text=hs1:ABC"], 2, "SECRET_IN_ARGV"),
        (&["status", "--passphrase=x"], 2, "SECRET_IN_ARGV"),
    ] {
        let words = [words, &["--json"]].concat();
        let ran = home.run(&words);
        let last = ran.last();
        assert_eq!(
            (ran.code, last["code"].as_str()),
            (Some(exit), Some(code)),
            "{words:?}"
        );
        assert_eq!(last["event"], "error", "{words:?}");
        assert!(last["hint"].is_string(), "{words:?}");
        assert_eq!(ran.err, "", "{words:?}");
    }
}

#[test]
fn people_get_the_nearest_word() {
    let home = Home::new();
    for (words, nearest) in [
        (&["fetsh"][..], "fetch"),
        (&["fetch", "--typs", "steps"], "--types"),
        (&["fetch", "--types", "stps"], "steps"),
        (&["fetch", "--format", "cvs"], "csv"),
        (&["config", "set", "server.hots", "a"], "server.host"),
    ] {
        let ran = home.run(words);
        assert_eq!(ran.code, Some(2), "{words:?}");
        assert!(ran.err.contains(nearest), "{words:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{words:?}");
    }
}

#[test]
fn a_code_in_argv_is_never_repeated() {
    let home = Home::new();
    for words in [
        &["scan", "HS1:SECRET%"][..],
        &["scan", "--text", "hs1:SECRET%"],
        &["HS1:SECRET%"],
        &["scan", "--json", "HS1:SECRET%"],
    ] {
        let ran = home.run(words);
        assert_eq!(ran.code, Some(2), "{words:?}");
        let told = format!("{}{}", ran.out, ran.err);
        assert!(!told.contains("SECRET%"), "{told}");
        assert!(
            told.contains("--text -") && told.contains("prompt"),
            "{told}"
        );
    }
    // A code without its beginning is not known to be one, and is not repeated either.
    for words in [
        &["scan", "--text", "SECRET%"][..],
        &["scan", "SECRET%"],
        &["scan", "--", "-SECRET%"],
        &["SECRET%"],
        &["scan", "SECRET%", "--json"],
    ] {
        let ran = home.run(words);
        assert_eq!(ran.code, Some(2), "{words:?}");
        let told = format!("{}{}", ran.out, ran.err);
        assert!(!told.contains("SECRET%"), "{told}");
        assert!(told.contains("--text -"), "{told}");
    }
}

#[test]
fn an_unpaired_client_touches_no_key_store_and_leaves_nothing() {
    let home = Home::new();
    for words in [
        &["status"][..],
        &["fetch", "--all", "--output", "samples.csv"],
        &["keychain", "clear"],
        &["config", "show"],
        &["version"],
        &["scan", "--text", "-", "--key-store", "file"],
    ] {
        let ran = home.command(words).current_dir(home.beside()).output();
        drop(ran);
        assert!(!home.path().exists(), "{words:?}");
        let beside = std::fs::read_dir(home.beside()).expect("a folder").count();
        assert_eq!(beside, 0, "{words:?}");
    }
}

#[test]
fn an_output_file_is_not_overwritten() {
    let home = Home::new();
    home.pair_with(&["a"]);
    let path = home.beside().join("samples.csv");
    std::fs::write(&path, "mine").expect("a file");
    let path_text = path.to_str().expect("text");
    let ran = home.run(&["fetch", "--output", path_text, "--json"]);
    assert_eq!(
        (ran.code, &ran.last()["code"]),
        (Some(1), &"OUTPUT_EXISTS".into())
    );
    assert_eq!(std::fs::read(&path).expect("a file"), b"mine");
}

#[test]
fn a_closed_reader_is_no_error() {
    let home = Home::new();
    let mut child = home
        .command(&["config", "show"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let ran = ran(child.wait_with_output().expect("it ends"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn a_wrong_text_is_told_while_the_pipe_stays_open() {
    let home = Home::new();
    let mut child = home
        .command(&["scan", "--text", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(b"HS1:NOT A CODE\n").expect("it listens");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(1));
    drop(pipe);
}

#[test]
fn help_and_version_are_data() {
    let home = Home::new();
    for (words, text) in [
        (&["--help"][..], "scan"),
        (&["fetch", "--help"], "--start"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&["version"], env!("CARGO_PKG_VERSION")),
    ] {
        let ran = home.run(words);
        assert_eq!(ran.code, Some(0), "{words:?}");
        assert!(ran.out.contains(text), "{words:?}");
        assert_eq!(ran.err, "", "{words:?}");
    }
    let ran = home.run(&["version", "--json"]);
    assert_eq!(ran.last()["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(home.run(&[]).code, Some(2));
}
