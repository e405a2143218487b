//! The client with its keys in a real Secret Service: `scripts/with-secret-service cargo test ..`.

use std::process::{Command, Stdio};

use crate::{
    device::Device,
    host::Host,
    program::{self, Outcome, Running},
};

const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

fn command(device: &Device, words: &[&str]) -> Command {
    let mut command = device.command(&[words, &["--json"]].concat());
    // The private bus of the script; the files of the daemon are its own.
    command.env(BUS, std::env::var_os(BUS).unwrap_or_default());
    command
}

fn run(device: &Device, words: &[&str]) -> Outcome {
    program::run(&mut command(device, words), b"")
}

/// As a screen lock does.
fn lock() {
    let locked = Command::new("dbus-send")
        .args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
        ])
        .arg("/org/freedesktop/secrets")
        .arg("org.freedesktop.Secret.Service.Lock")
        .arg("array:objpath:/org/freedesktop/secrets/collection/login")
        .stdout(Stdio::null())
        .status();
    assert!(locked.expect("dbus-send runs").success());
}

#[test]
fn a_locked_keyring_is_told_with_its_cure() {
    if std::env::var_os("HEALTHSYNC_TEST_SECRET_SERVICE").is_none_or(|on| on != "1") {
        println!("skipped, run it with scripts/with-secret-service");
        return;
    }
    let host = Host::with_data();
    let device = Device::new("desk");
    let (mut window, text) = host.window(&[]);
    let scan = ["scan", "--text", "-", "--key-store", "secret-service"];
    let mut scanning = Running::start(&mut command(&device, &scan));
    scanning.say(&format!("{text}\n"));
    let digits = scanning.event("digits")["digits"]
        .as_str()
        .expect("digits")
        .to_owned();
    window.event("digits-wanted");
    host.run(&["approve", &digits]).good();
    assert_eq!(scanning.event("paired")["keyStore"], "secret-service");
    window.event("paired");
    drop(scanning.end().good());
    run(&device, &["status"]).good();
    assert!(!device.path("home/keys").exists(), "no key is in a file");

    lock();
    let (_next, text) = host.window(&[]);
    for words in [
        &["status"][..],
        &["fetch", "--all"],
        &["cert", "renew"],
        &["cert", "info"],
    ] {
        let outcome = run(&device, words);
        outcome.failed(1, &["KEY_STORE_LOCKED"]);
        let hint = outcome.last()["hint"].to_string();
        assert!(hint.contains("gnome-keyring-daemon --unlock"), "{hint}");
    }
    // The code is not used in vain: another device can still take it.
    let outcome = program::run(&mut command(&device, &scan), format!("{text}\n").as_bytes());
    outcome.failed(1, &["KEY_STORE_LOCKED"]);
    let other = Device::new("other");
    other.scan(&text).event("digits");
    let doctor = run(&device, &["doctor", "--no-mdns"]);
    assert_eq!(doctor.exit, Some(1), "{doctor:?}");
    assert!(doctor.stdout.contains("KEY_STORE_LOCKED"), "{doctor:?}");
}
