//! Commands that cannot work: each says what, why and what next, with its exit code.

use std::{fs, net::TcpListener};

use crate::{
    device::Device,
    host::Host,
    program::{self},
};

#[test]
fn questions_that_make_no_sense_are_refused() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "Anna's laptop");
    for (args, code) in [
        (&["fetch", "--types", "stepz"][..], "UNKNOWN_TYPE"),
        (&["fetch", "--types", "steps,,nonsense"], "USAGE"),
        (
            &["fetch", "--start", "2026-02-01", "--end", "2026-01-01"],
            "INVALID_RANGE",
        ),
        (&["fetch", "--start", "yesterdayish"], "INVALID_RANGE"),
    ] {
        let outcome = device.run(args);
        outcome.failed(2, &[code]);
    }
}

#[test]
fn a_command_line_that_is_wrong_ends_with_2() {
    let (host, device) = (Host::new(), Device::new("x"));
    for args in [
        &["fetsch"][..],
        &["fetch", "--format", "xlsx"],
        &["fetch", "--limit", "-1"],
        &["fetch", "--days", "0"],
        &["cert"],
        &["scan", "--text"],
    ] {
        assert_eq!(device.run(args).exit, Some(2), "{args:?}");
    }
    for args in [
        &["strat"][..],
        &["import"],
        &["start", "--listen", "here"],
        &["approve"],
    ] {
        assert_eq!(host.run(args).exit, Some(2), "{args:?}");
    }
}

#[test]
fn without_a_pair_every_command_names_the_way_to_one() {
    let device = Device::new("Anna's laptop");
    for args in [&["status"][..], &["types"], &["fetch"], &["cert", "info"]] {
        device.run(args).failed(3, &["NOT_PAIRED"]);
    }
}

#[test]
fn without_a_server_every_command_names_start() {
    let host = Host::new();
    for args in [
        &["pair"][..],
        &["pairs"],
        &["status"],
        &["approve", "123456"],
        &["revoke", "x"],
    ] {
        let outcome = host.run(args);
        assert_eq!(outcome.exit, Some(4), "{args:?}: {outcome:?}");
        let hint = outcome.last()["hint"].to_string();
        assert!(hint.contains("healthsync-server start"), "{hint}");
    }
}

#[test]
fn a_server_that_is_down_is_told_apart_from_one_that_refuses() {
    let mut host = Host::with_data();
    let (device, _) = Device::paired(&host, "Anna's laptop");
    host.kill();
    // Tests do not leave loopback: no search by mDNS.
    for args in [&["status"][..], &["types"], &["fetch", "--all"]] {
        let outcome = device.run(&[args, &["--no-mdns"]].concat());
        outcome.failed(4, &["ECONNREFUSED"]);
    }
    // Something else listens there now: it takes the connection and never speaks.
    let _silent = TcpListener::bind(("127.0.0.1", host.port)).expect("the port is free again");
    device
        .run(&["status", "--no-mdns", "--timeout", "500"])
        .failed(4, &["ETIMEDOUT"]);
}

#[test]
fn a_port_in_use_is_named() {
    let host = Host::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound");
    let (port, address) = (address.port().to_string(), address.to_string());
    let outcome = host.run(&[
        "start",
        "--listen",
        &address,
        "--key-store",
        "file",
        "--no-mdns",
    ]);
    outcome.failed(1, &["PORT_IN_USE"]);
    assert!(
        outcome.last()["message"].to_string().contains(&port),
        "{outcome:?}"
    );
}

#[test]
fn a_key_store_that_is_missing_or_locked_is_an_error_and_no_other_is_taken() {
    let host = Host::new();
    let listen = ["start", "--listen", "127.0.0.1:0", "--no-mdns"];
    // No session bus here: the platform's store cannot be reached.
    if cfg!(target_os = "linux") {
        host.run(&listen).failed(1, &["KEY_STORE_MISSING"]);
        let outcome = host.run(&[&listen[..], &["--key-store", "secret-service"]].concat());
        outcome.failed(1, &["KEY_STORE_MISSING"]);
        let scan = Device::new("x");
        let outcome = scan.run(&[
            "scan",
            "--new-key",
            "--text",
            "-",
            "--key-store",
            "secret-service",
        ]);
        outcome.failed(1, &["KEY_STORE_MISSING"]);
    }
    host.run(&[&listen[..], &["--key-store", "vault"]].concat())
        .failed(2, &["KEY_STORE_UNKNOWN"]);

    let file = [&listen[..], &["--key-store", "file"]].concat();
    let none = program::run(
        host.command(&file).env_remove("HEALTHSYNC_PASSPHRASE_FILE"),
        b"",
    );
    none.failed(1, &["PASSPHRASE_NEEDED"]);
}

#[test]
fn the_wrong_passphrase_opens_nothing_and_harms_nothing() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "Anna's laptop");
    let right = fs::read(device.path("passphrase")).expect("ours");
    fs::write(device.path("passphrase"), "wrong\n").expect("ours");
    device.run(&["status"]).failed(1, &["PASSPHRASE_WRONG"]);
    fs::write(device.path("passphrase"), right).expect("ours");
    device.run(&["status"]).good();
}
