//! The configuration file as a person meets it.

use crate::binary::Home;

#[test]
fn a_host_is_set_shown_and_removed() {
    let home = Home::new();
    home.pair_with(&["Ana"]);
    let host = |home: &Home| {
        let shown = home.run(&["config", "show", "--json"]).last();
        shown["servers"][0]["host"].as_str().map(str::to_owned)
    };
    assert_eq!(host(&home), None);
    let set = home.run(&["config", "set", "server.host", "192.168.1.9"]);
    assert_eq!(set.code, Some(0), "{}", set.err);
    assert_eq!(host(&home).as_deref(), Some("192.168.1.9"));
    let wrong = home.run(&["config", "set", "server.host", "https://x"]);
    assert_eq!(wrong.code, Some(2));
    assert_eq!(host(&home).as_deref(), Some("192.168.1.9"));
    assert_eq!(home.run(&["config", "reset", "server.host"]).code, Some(0));
    assert_eq!(host(&home), None);
}

#[test]
fn several_servers_must_be_told_apart() {
    let home = Home::new();
    home.pair_with(&["Ana", "Ben"]);
    let set = |extra: &[&str]| {
        let words = [
            &["config", "set", "server.host", "10.0.0.1", "--json"],
            extra,
        ]
        .concat();
        home.run(&words)
    };
    let ran = set(&[]);
    assert_eq!(
        (ran.code, &ran.last()["code"]),
        (Some(2), &"SERVER_AMBIGUOUS".into())
    );
    assert!(
        ran.last()["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("Ana, Ben"))
    );
    assert_eq!(set(&["--server", "ben"]).code, Some(0));
    assert_eq!(set(&["--device", "aaaa"]).code, Some(0));
    assert_eq!(set(&["--server", "Cleo"]).code, Some(2));
}

#[test]
fn a_damaged_file_stays_as_it_is_until_it_is_moved_aside() {
    let home = Home::new();
    home.write_config("{ not json");
    for words in [
        &["status"][..],
        &["scan", "--text", "-"],
        &["config", "show"],
        &["config", "set", "server.host", "10.0.0.1"],
        &["keychain", "clear"],
    ] {
        let ran = home.run(&[words, &["--json"]].concat());
        assert_eq!(
            (ran.code, &ran.last()["code"]),
            (Some(1), &"CONFIG_DAMAGED".into())
        );
        let text = std::fs::read_to_string(home.config()).expect("the file");
        assert_eq!(text, "{ not json", "{words:?}");
    }
    let reset = home.run(&["config", "reset", "--json"]);
    assert_eq!(reset.code, Some(0));
    let moved = reset.last()["movedTo"].as_str().map(str::to_owned);
    let text = std::fs::read_to_string(moved.expect("a path")).expect("the old file");
    assert_eq!(text, "{ not json");
    assert_eq!(home.run(&["config", "show"]).code, Some(0));
}

#[test]
fn a_reset_does_not_forget_a_pair_by_accident() {
    let home = Home::new();
    home.pair_with(&["Ana"]);
    let ran = home.run(&["config", "reset", "--json"]);
    assert_eq!(
        (ran.code, &ran.last()["code"]),
        (Some(1), &"STILL_PAIRED".into())
    );
    assert!(home.config().exists());
    let ran = home.run(&["config", "reset", "--force", "--json"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.last()["movedTo"].is_string());
    assert_eq!(home.run(&["config", "reset"]).code, Some(0));
}

#[test]
fn a_passphrase_is_needed_and_its_file_is_looked_at() {
    let home = Home::new();
    home.pair_with(&["Ana"]);
    let code = |path: Option<&std::path::Path>| {
        let mut command = home.command(&["status", "--json"]);
        if let Some(path) = path {
            command.env("HEALTHSYNC_PASSPHRASE_FILE", path);
        }
        let ran = crate::binary::ran(command.output().expect("the binary runs"));
        assert_ne!(ran.code, Some(0));
        ran.last()["code"].as_str().map(str::to_owned)
    };
    assert_eq!(code(None).as_deref(), Some("PASSPHRASE_NEEDED"));
    let missing = home.beside().join("none");
    assert_eq!(code(Some(&missing)).as_deref(), Some("PASSPHRASE_FILE"));
    assert_eq!(
        code(Some(home.beside())).as_deref(),
        Some("PASSPHRASE_FILE")
    );
    let empty = home.beside().join("empty");
    std::fs::write(&empty, "\n").expect("a file");
    assert_eq!(code(Some(&empty)).as_deref(), Some("PASSPHRASE_FILE"));
}

#[test]
fn clearing_needs_no_passphrase_and_forgets_the_pairs() {
    let home = Home::new();
    home.pair_with(&["Ana"]);
    let keys = home.path().join("keys");
    std::fs::create_dir(&keys).expect("a folder");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(&keys, private).expect("a private folder");
    }
    let item = keys.join(format!("client=3a{}.key", "a".repeat(26)));
    std::fs::write(&item, "sealed").expect("an item");
    for words in [&["keychain", "clear"][..], &["keychain", "clear", "--json"]] {
        let ran = home.run(words);
        assert_eq!(ran.code, Some(2), "{words:?}");
        assert!(format!("{}{}", ran.out, ran.err).contains("add `--yes`"));
        assert!(item.exists(), "{words:?}");
    }
    let ran = home.run(&["keychain", "clear", "--yes", "--json"]);
    assert_eq!(
        (ran.code, &ran.last()["items"]),
        (Some(0), &1.into()),
        "{}",
        ran.err
    );
    assert!(!item.exists());
    assert_eq!(home.run(&["status"]).code, Some(3));
    let again = home.run(&["keychain", "clear"]);
    assert_eq!(again.code, Some(0));
}
