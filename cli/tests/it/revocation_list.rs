//! Revocation lists, judged by openssl.

use std::{fs, process::Command};

use crate::{
    host::Host,
    program::{self, Outcome},
    stranger::Stranger,
};

/// `openssl verify` of a pair's leaf with the list in this file.
fn verify(stranger: &Stranger, list: &std::path::Path) -> Outcome {
    let mut command = Command::new("openssl");
    command.args(["verify", "-crl_check", "-purpose", "sslclient", "-CAfile"]);
    command.arg(stranger.path("ca.crt"));
    command.arg("-CRLfile").arg(list);
    program::run(command.arg(stranger.path("client.crt")), b"")
}

#[test]
fn openssl_refuses_a_revoked_leaf_and_takes_a_good_one() {
    let mut host = Host::with_data();
    let (lost, kept) = (Stranger::enrolled(&host), Stranger::enrolled(&host));
    let lists = host.path("pairs.crl");
    let file = lists.to_str().expect("a plain path");
    let told = host.run(&["crl", "--output", file]).good().events();
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["file"], file);
    for stranger in [&lost, &kept] {
        verify(stranger, &lists).good();
    }

    host.run(&["revoke", &lost.pair.to_string()]).good();
    let check = |host: &Host| {
        host.run(&["crl", "--output", file])
            .failed(1, &["OUTPUT_EXISTS"]);
        host.run(&["crl", "--output", file, "--force"]).good();
        let refused = verify(&lost, &lists);
        assert_eq!(refused.exit, Some(2), "{refused:#?}");
        let why = refused.stdout + &refused.stderr;
        assert!(why.contains("certificate revoked"), "{why}");
        verify(&kept, &lists).good();
    };
    check(&host);
    let one = host.run(&["crl", &lost.pair.to_string()]).good().last();
    assert_eq!(
        (&one["event"], &one["state"]),
        (&"crl".into(), &"revoked".into())
    );
    // It is the same list for ever, and in text as well.
    host.kill();
    host.start();
    check(&host);
    let again = host.run(&["crl", &lost.pair.to_string()]).good().last();
    assert_eq!(again["pem"], one["pem"]);
    let pem = host.path("one.crl");
    fs::write(&pem, one["pem"].as_str().expect("text")).expect("written");
    let read = Command::new("openssl")
        .args(["crl", "-noout", "-text", "-in"])
        .arg(&pem)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&read.stdout).into_owned();
    assert!(text.contains("Cessation Of Operation"), "{text}");
    // The same bytes in DER, of one pair and into a file.
    let der = host.path("one.der");
    let name = der.to_str().expect("a plain path");
    host.run(&["crl", &lost.pair.to_string(), "--der", "--output", name])
        .good();
    let read = |path: &std::path::Path, form: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args(["crl", "-noout", "-fingerprint", "-inform", form, "-in"]);
        program::run(openssl.arg(path), b"").good().stdout
    };
    assert_eq!(read(&der, "DER"), read(&pem, "PEM"));
    for words in [
        &["crl", "--der", "--output", name][..],
        &["crl", &lost.pair.to_string(), "--der"],
    ] {
        host.run(words).failed(2, &["USAGE"]);
    }
    host.run(&["crl", "nobody"]).failed(1, &["PAIR_NOT_FOUND"]);
}

#[test]
fn a_reset_revokes_everybody_and_asks_first() {
    let host = Host::with_data();
    let (one, two) = (Stranger::enrolled(&host), Stranger::enrolled(&host));
    host.run(&["reset"]).failed(2, &["USAGE"]);
    assert!(
        one.curl(&one.name(), &["--cert", "client"], "status")
            .good()
            .stdout
            .ends_with("200")
    );
    let ended = host.run(&["reset", "--yes"]).good().last();
    assert_eq!(ended["event"], "reset");
    assert_eq!(
        ended["revoked"].as_array().map(Vec::len),
        Some(2),
        "{ended}"
    );
    for stranger in [&one, &two] {
        let refused = stranger.curl(&stranger.name(), &["--cert", "client"], "status");
        assert_eq!(refused.exit, Some(56), "{refused:?}");
        assert!(
            refused.stderr.contains("certificate revoked"),
            "{refused:?}"
        );
    }
    for record in host.pairs() {
        assert_eq!(record["state"], "revoked");
        assert!(record["keyDigest"].is_string());
        // The other one never asked anything.
        let has_asked = record["pair"] == one.pair.to_string();
        assert_eq!(record["lastAddress"] == "127.0.0.1", has_asked, "{record}");
        assert_eq!(record["lastSeenAt"].is_string(), has_asked, "{record}");
    }
    let again = host.run(&["reset", "--yes"]).good().last();
    assert_eq!(again["revoked"].as_array().map(Vec::len), Some(0));
}

/// Only `start` opens the key store: the others ask it, or say so and touch nothing.
#[test]
fn without_a_server_nothing_is_revoked_and_nothing_is_signed() {
    let mut host = Host::with_data();
    let stranger = Stranger::enrolled(&host);
    host.kill();
    let before = crate::paths::tree(&host.path("server/keys"));
    assert!(!before.is_empty());
    let pair = stranger.pair.to_string();
    let list = host.path("pairs.crl");
    for words in [
        &["crl"][..],
        &["crl", "--output", list.to_str().expect("a plain path")],
        &["reset", "--yes"],
        &["revoke", &pair],
        &["allow", &pair, "--all"],
        &["pair"],
        &["approve", "123456"],
        &["pause"],
        &["audit", "verify"],
    ] {
        let outcome = host.run(words);
        outcome.failed(4, &["SERVER_NOT_RUNNING"]);
        let hint = outcome.last()["hint"].to_string();
        assert!(
            hint.contains("healthsync-server start"),
            "{words:?}: {hint}"
        );
    }
    assert!(!list.exists());
    assert_eq!(crate::paths::tree(&host.path("server/keys")), before);
    host.start();
    assert_eq!(host.pairs()[0]["state"], "active");
    stranger
        .curl(&stranger.name(), &["--cert", "client"], "status")
        .good();
}
