//! What a person is told before it is too late, and what is left to do after the other end was away.

use std::fs;

use crate::{
    device::Device,
    expired::{DAY, away},
    host::Host,
    program,
};

/// Twenty days before the end of the certificate, with the key in use elsewhere, so that nothing renews it.
#[test]
fn a_certificate_that_ends_within_thirty_days_is_told_on_both_sides() {
    let (mut host, device, pair) = away((365 - 20) * DAY);
    let in_use = fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(device.path("home").join(format!("{pair}.lock")))
        .expect("a lock");
    in_use.lock_shared().expect("locked");
    for words in [&["cert", "info"][..], &["status"]] {
        let told = program::run(&mut device.command(words), b"").good();
        let warnings = told
            .stderr
            .lines()
            .filter(|line| line.starts_with("warning: this computer's certificate"));
        assert!(
            warnings.clone().count() >= 1 && warnings.clone().any(|line| line.contains("ends on")),
            "{words:?}: {told:?}"
        );
    }
    let log = host.stop().stderr;
    let told = log
        .lines()
        .filter(|line| line.contains("the certificate of a device ends soon"));
    let told: Vec<_> = told.collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(told[0].contains(&pair), "{told:?}");

    // Once it is renewed nobody says anything any more.
    drop(in_use);
    host.start();
    device.run(&["cert", "renew"]).good();
    for words in [&["cert", "info"][..], &["status"]] {
        let told = program::run(&mut device.command(words), b"").good();
        assert!(!told.stderr.contains("ends on"), "{words:?}: {told:?}");
    }
    host.stop();
    host.start();
    let log = host.stop().stderr;
    assert!(!log.contains("ends soon"), "{log}");
}

/// The key goes, and what is left to be done is said: the server does not know of it yet.
#[test]
fn unpairing_without_the_server_says_what_is_left_to_do() {
    let mut host = Host::with_data();
    let (device, pair) = Device::paired(&host, "Anna's laptop");
    let (other, _) = Device::paired(&host, "Ben's laptop");
    host.kill();
    let told = program::run(&mut device.command(&["unpair"]), b"").good();
    let rest = format!("healthsync-server revoke {pair}");
    assert!(
        told.stderr.contains("on this computer only") && told.stderr.contains(&rest),
        "{told:?}"
    );
    let told = other.run(&["unpair"]).good().last();
    assert_eq!(
        (&told["event"], &told["revoked"]),
        (&"unpaired".into(), &false.into())
    );
    // Nothing of the pair is left here.
    for device in [&device, &other] {
        device.run(&["status"]).failed(3, &["NOT_PAIRED"]);
        let keys = device.path("home/keys");
        let items = fs::read_dir(&keys).map_or(0, |items| items.flatten().count());
        assert_eq!(items, 0, "{keys:?}");
    }
    // There it is as it was, until the owner does what was said.
    host.start();
    let state = |host: &Host| {
        let pairs = host.pairs();
        let record = pairs.iter().find(|record| record["pair"] == *pair);
        record.expect("listed")["state"].clone()
    };
    assert_eq!(state(&host), "active");
    let words: Vec<&str> = rest.split(' ').skip(1).collect();
    host.run(&words).good();
    assert_eq!(state(&host), "revoked");
}
