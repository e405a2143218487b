//! New keys for a paired computer, and what a copy of an old one is worth.

use std::process::Command;

use healthsync_pairing::{
    credentials::ClientCredentials,
    environment::Environment,
    keystore::{self, KeyStore, OpenOptions, StoreKind},
    secret::Secret,
};
use serde_json::Value;

use crate::{device::Device, host::Host};

fn record(host: &Host, pair: &str) -> Value {
    let pairs = host.pairs();
    let found = pairs.into_iter().find(|record| record["pair"] == *pair);
    found.expect("the pair is listed")
}

/// The file store of the device, as its commands open it.
fn store(device: &Device) -> Box<dyn KeyStore> {
    let options = OpenOptions {
        folder: device.path("home").join("keys"),
        passphrase: &mut || Ok(Secret::new(b"another passphrase".to_vec())),
        environment: Environment::system(),
    };
    keystore::open(StoreKind::File, options).expect("opens")
}

#[test]
fn a_new_key_takes_over_and_a_copy_of_the_old_one_suspends_the_pair() {
    let host = Host::with_data();
    let (device, pair) = Device::paired(&host, "Anna's laptop");
    let check = device.run(&["cert", "renew", "--check"]);
    assert_eq!((check.exit, &check.last()["due"]), (Some(1), &false.into()));
    let before = record(&host, &pair);

    let copy = device.path("copy");
    let copied = Command::new("cp")
        .arg("-r")
        .args([device.path("home"), copy.clone()])
        .status();
    assert!(copied.expect("cp runs").success());

    let renewed = device.run(&["cert", "renew"]).good().last();
    let after = record(&host, &pair);
    assert_eq!(renewed["event"], "renewed");
    assert_eq!(renewed["keyDigest"], after["keyDigest"]);
    assert_ne!(before["keyDigest"], after["keyDigest"]);
    device.run(&["fetch", "--types", "steps"]).good();
    device.run(&["cert", "renew"]).good();
    device.run(&["status"]).good();

    let thief = |words: &[&str]| {
        let output = device.command(words).env("HEALTHSYNC_HOME", &copy).output();
        output.expect("it runs").status.code()
    };
    assert_eq!(thief(&["status"]), Some(3));
    assert_eq!(record(&host, &pair)["state"], "suspended");
    let refused = device.run(&["status"]);
    assert_eq!(refused.exit, Some(3), "nobody knows who is the thief");
}

/// The new key was tried, and the computer failed before it replaced the old one.
#[test]
fn a_renewal_that_broke_off_is_finished_by_the_next_command() {
    let host = Host::with_data();
    let (device, pair) = Device::paired(&host, "Anna's laptop");
    let pair_id = pair.parse().expect("a pair id");
    let (item, next) = (
        ClientCredentials::item(&pair_id),
        ClientCredentials::next_item(&pair_id),
    );
    let read = |name: &str| store(&device).read(name).expect("reads");
    let old = read(&item).expect("an item");
    device.run(&["cert", "renew"]).good();
    let new = read(&item).expect("an item");
    assert!(old.expose() != new.expose() && read(&next).is_none());
    store(&device).write(&next, &new).expect("written");
    store(&device).write(&item, &old).expect("written");

    device.run(&["status"]).good();
    assert_eq!(record(&host, &pair)["state"], "active");
    assert!(read(&item).expect("an item").expose() == new.expose());
    assert!(read(&next).is_none());

    // Unpairing leaves neither behind.
    store(&device).write(&next, &new).expect("written");
    device.run(&["unpair"]).good();
    assert!(read(&item).is_none() && read(&next).is_none());
}

#[test]
fn without_a_certificate_the_answer_is_two() {
    let device = Device::new("nobody");
    for words in [&["cert", "renew", "--check"][..], &["cert", "renew"]] {
        let outcome = device.run(words);
        assert_eq!(outcome.exit, Some(2), "{words:?}");
        assert_eq!(outcome.last()["code"], "NOT_PAIRED", "{words:?}");
    }
}
