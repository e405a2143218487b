//! What the real server refuses, as the real client tells it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::{device::Device, host::Host, program::Outcome};

#[track_caller]
fn failed(outcome: &Outcome, exit: i32, code: &str, cure: &str) {
    outcome.failed(exit, &[code]);
    let hint = outcome.last()["hint"].to_string();
    assert!(hint.contains(cure), "{cure:?} is not in {hint:?}");
}

#[test]
fn a_paused_server_a_forbidden_type_and_a_revoked_device() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    host.run(&["allow", "laptop", "--types", "steps"]).good();
    device.run(&["fetch", "--types", "steps", "--all"]).good();
    let outcome = device.run(&["fetch", "--types", "heartRate"]);
    failed(&outcome, 1, "TYPE_NOT_ALLOWED", "healthsync types");

    host.run(&["pause"]).good();
    for words in [&["fetch"][..], &["types"]] {
        failed(&device.run(words), 1, "LOCKED", "healthsync-server resume");
    }
    let verdict = device.run(&["doctor"]).last();
    assert_eq!(verdict["code"], "LOCKED", "{verdict}");
    assert_eq!(verdict["command"], "healthsync-server resume");
    host.run(&["resume"]).good();

    host.run(&["revoke", "laptop"]).good();
    for words in [&["status"][..], &["types"], &["fetch"], &["cert", "renew"]] {
        let outcome = device.run(words);
        failed(&outcome, 3, "CERT_REVOKED", "healthsync unpair");
        assert_eq!(outcome.last()["subject"], "client", "{words:?}");
    }
    let verdict = device.run(&["doctor"]).last();
    assert_eq!(verdict["code"], "CERT_REVOKED");
    assert_eq!(verdict["command"], "healthsync unpair");
}

#[test]
fn a_key_store_that_is_denied_or_gone() {
    let lab = crate::lab::Lab::new();
    let device = lab.at("127.0.0.1:9".parse().expect("an address"));
    let keys = device.path("home/keys");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o755)).expect("ours");
    let outcome = device.run(&["status"]);
    failed(&outcome, 1, "KEY_STORE_DENIED", "chmod 700");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o700)).expect("ours");
    fs::remove_dir_all(&keys).expect("ours");
    failed(
        &device.run(&["status"]),
        3,
        "KEY_MISSING",
        "healthsync unpair",
    );
}
