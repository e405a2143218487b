//! What the commands around `fetch` do, beside a running server: dry runs, waiting, groups, exported
//! certificates, the record of what was done.

use std::{
    fs,
    io::{BufRead as _, BufReader, ErrorKind, Read as _},
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, symlink},
    process::{Command, Stdio},
};

use crate::{
    binary::Home,
    device::Device,
    host::Host,
    program,
    rows::{self, Row},
};

fn fetch(device: &Device, args: &[&str]) -> Vec<Row> {
    rows::ndjson(&device.run(&[&["fetch"], args].concat()).good().stdout)
}

#[test]
fn a_dry_run_connects_nowhere_and_opens_no_key_store() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("set");
    let address = listener.local_addr().expect("bound").to_string();
    let home = Home::new();
    // Nobody has this pair's key: a command that opened the key store would say so.
    home.pair_with(&["Anna's Mac"]);
    let config = fs::read_to_string(home.config()).expect("written");
    home.write_config(&config.replace("127.0.0.1:9", &address));
    let name = format!("{}.healthsync.internal", "a".repeat(26));
    for (words, path) in [
        (&["status"][..], "/api/v1/status"),
        (&["ping"], "/api/v1/whoami"),
        (&["types"], "/api/v1/health/types"),
        (
            &["fetch", "--types", "steps", "--all", "--limit", "5"],
            "/api/v1/samples?types=steps&limit=5",
        ),
    ] {
        let ran = home.run(&[words, &["--dry-run", "--json"]].concat());
        assert_eq!(ran.code, Some(0), "{words:?}: {}{}", ran.out, ran.err);
        let request = ran.last();
        let port = listener.local_addr().expect("bound").port();
        assert_eq!(request["url"], format!("https://{name}:{port}{path}"));
        assert_eq!(request["serverName"], name);
        assert_eq!(request["addresses"], serde_json::json!([address]));
        let text = home.run(&[words, &["--dry-run"]].concat());
        assert!(
            text.out.contains(path) && text.out.contains(&address),
            "{}",
            text.out
        );
    }
    let ran = home.run(&["status", "--dry-run", "--json", "--host", "[::1]:99"]);
    assert_eq!(ran.last()["addresses"], serde_json::json!(["[::1]:99"]));
    let caller = listener.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(caller, Err(ErrorKind::WouldBlock), "somebody called");
}

#[test]
fn wait_outlasts_a_pause() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    host.run(&["pause"]).good();
    device.run(&["fetch", "--all"]).failed(1, &["LOCKED"]);
    let mut child = device
        .command(&["fetch", "--all", "--wait", "80"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut told = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    told.read_line(&mut line).expect("text");
    assert!(line.contains("[LOCKED]; trying again in 1 s"), "{line}");
    host.run(&["resume"]).good();
    let output = child.wait_with_output().expect("it ends");
    let mut rest = String::new();
    told.read_to_string(&mut rest).expect("text");
    assert!(output.status.success(), "{line}{rest}");
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(text.lines().count(), 1991, "{rest}");
}

#[test]
fn offset_skips_in_the_order_of_the_answer() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    let all = device.run(&["fetch", "--all"]).good().stdout;
    let all: Vec<&str> = all.lines().collect();
    let outcome = device.run(&["fetch", "--all", "--offset", "3", "--limit", "5"]);
    let some = outcome.good().stdout;
    assert_eq!(some.lines().collect::<Vec<_>>(), all[3..8]);
    let rest = device.run(&["fetch", "--all", "--offset", "1985"]).good();
    assert_eq!(rest.stdout.lines().collect::<Vec<_>>(), all[1985..]);
}

#[test]
fn a_group_gives_what_of_it_may_be_read() {
    let host = Host::with_data();
    let (device, pair) = Device::paired(&host, "laptop");
    let vitals = fetch(&device, &["--all", "--category", "vitals"]);
    let kinds: std::collections::BTreeSet<&str> =
        vitals.iter().map(|row| row.kind.as_str()).collect();
    assert!(kinds.contains("heartRate") && kinds.len() > 3, "{kinds:?}");
    assert!(!kinds.contains("steps"));
    host.run(&["allow", &pair, "--types", "heartRate,steps"])
        .good();
    let hearts: Vec<Row> = vitals
        .iter()
        .filter(|row| row.kind == "heartRate")
        .cloned()
        .collect();
    let found = fetch(&device, &["--all", "--category", "vitals"]);
    rows::assert_same("permitted", hearts, found);
    // Nothing of a group, or a type that was named itself: refused, never silently empty.
    for words in [
        &["--category", "body"][..],
        &["--category", "vitals", "--types", "weight"],
    ] {
        let outcome = device.run(&[&["fetch", "--all"], words].concat());
        outcome.failed(1, &["TYPE_NOT_ALLOWED"]);
    }
}

#[test]
fn exported_certificates_are_good_for_openssl_and_hold_no_key() {
    let host = Host::with_data();
    let (device, pair) = Device::paired(&host, "laptop");
    let path = |name: &str| device.path(name).display().to_string();
    for (name, args) in [
        ("leaf.pem", &[][..]),
        ("ca.pem", &["--ca"]),
        ("chain.pem", &["--chain"]),
        ("leaf.der", &["--der", "--leaf"]),
        ("ca.der", &["--der", "--ca"]),
    ] {
        let file = path(name);
        let args = [&["cert", "export", "--output", &file], args].concat();
        let told = device.run(&args).good().last();
        assert_eq!(told["event"], "exported");
        let mode = fs::metadata(&file).expect("written").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        let bytes = fs::read(&file).expect("written");
        assert!(
            !String::from_utf8_lossy(&bytes).contains("PRIVATE"),
            "{name}"
        );
        device.run(&args).failed(1, &["OUTPUT_EXISTS"]);
        device.run(&[&args[..], &["--force"]].concat()).good();
        assert_eq!(fs::read(&file).expect("written"), bytes, "{name}");
    }
    let openssl = |args: &[&str]| program::run(Command::new("openssl").args(args), b"").good();
    let verified = openssl(&["verify", "-CAfile", &path("ca.pem"), &path("leaf.pem")]);
    assert!(verified.stdout.contains("OK"), "{verified:?}");
    for (der, pem) in [("leaf.der", "leaf.pem"), ("ca.der", "ca.pem")] {
        let from_der = openssl(&["x509", "-inform", "DER", "-in", &path(der)]);
        let from_pem = openssl(&["x509", "-in", &path(pem)]);
        assert_eq!(from_der.stdout, from_pem.stdout);
    }
    let chain = fs::read_to_string(path("chain.pem")).expect("written");
    let both =
        [path("leaf.pem"), path("ca.pem")].map(|file| fs::read_to_string(file).expect("PEM"));
    assert_eq!(chain, both.concat());
    let name = openssl(&["x509", "-in", &path("ca.pem"), "-noout", "-subject"]);
    assert!(name.stdout.contains("healthsync-ca"), "{name:?} {pair}");

    // Not through a link, whatever is said.
    let target = path("target");
    fs::write(&target, "mine").expect("written");
    let link = path("link");
    symlink(&target, &link).expect("made");
    for force in [&[][..], &["--force"]] {
        let args = [&["cert", "export", "--output", &link], force].concat();
        device.run(&args).failed(1, &["OUTPUT_EXISTS"]);
    }
    assert_eq!(fs::read(&target).expect("still there"), b"mine");
    // PEM may go down a pipe.
    let piped = program::run(&mut device.command(&["cert", "export"]), b"").good();
    assert_eq!(
        piped.stdout,
        fs::read_to_string(path("leaf.pem")).expect("PEM")
    );
}

#[test]
fn the_record_says_what_was_done_and_nothing_more() {
    let host = Host::with_data();
    let (device, pair) = Device::paired(&host, "name-of-zoe");
    device
        .run(&["fetch", "--types", "heartRate", "--all"])
        .good();
    host.run(&["pause"]).good();
    device
        .run(&["fetch", "--types", "bloodOxygen"])
        .failed(1, &["LOCKED"]);
    device.run(&["version"]).good();
    device.run(&["fetch", "--days", "x"]).failed(2, &["USAGE"]);
    let events = device.run(&["logs"]).good().events();
    let told: Vec<_> = events
        .iter()
        .map(|entry| {
            let word = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
            (
                word("command"),
                word("code"),
                entry["exit"].as_i64(),
                word("pair"),
            )
        })
        .collect();
    let line = |command: &str, code: &str, exit, pair: &str| {
        (
            command.to_owned(),
            code.to_owned(),
            Some(exit),
            pair.to_owned(),
        )
    };
    assert_eq!(
        told,
        [
            line("scan", "-", 0, "-"),
            line("fetch", "-", 0, &pair),
            line("fetch", "LOCKED", 1, &pair),
        ]
    );
    let file = device.path("home/commands.log");
    let text = fs::read_to_string(&file).expect("the record");
    for word in [
        "heartRate",
        "bloodOxygen",
        "zoe",
        "Test host",
        "HS1",
        "127.0.0.1",
    ] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    let mode = fs::metadata(&file).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        device.run(&["logs", "--tail", "1"]).good().events().len(),
        1
    );
}
