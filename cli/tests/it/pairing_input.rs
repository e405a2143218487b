//! Codes that are wrong, old, used, foreign, shown twice or said aloud.

use std::{fs, path::Path};

use image::{GrayImage, imageops};

use crate::{
    device::Device,
    host::Host,
    program::{self, Running},
};

/// Waits for the end of a `scan` that must fail.
#[track_caller]
fn refused(scan: Running, codes: &[&str]) {
    let outcome = scan.end();
    let exit = if codes.iter().any(|code| code.starts_with("INVITE")) {
        1
    } else {
        3
    };
    outcome.failed(exit, codes);
}

#[test]
fn damaged_texts_are_not_dialled() {
    let host = Host::with_data();
    let (_window, text) = host.window(&[]);
    let device = Device::new("x");
    for (wrong, code) in [
        (String::new(), "INVITE_NOT_FOUND"),
        ("hello".to_owned(), "INVITE_NOT_FOUND"),
        (text[..text.len() / 2].to_owned(), "INVITE_DAMAGED"),
        (format!("{text}AB"), "INVITE_DAMAGED"),
    ] {
        refused(device.scan(&wrong), &[code]);
    }
}

#[test]
fn a_code_of_a_closed_window_is_expired() {
    let host = Host::with_data();
    let (window, text) = host.window(&[]);
    window.kill();
    // The server notices that `pair` has gone: its next window shows another code.
    let (_next, other) = host.window(&[]);
    assert_ne!(text, other, "each window has a code of its own");
    let device = Device::new("x");
    let outcome = device.scan(&text).end();
    outcome.failed(3, &["PAIRING_EXPIRED", "PAIRING_WRONG_SERVER"]);
}

#[test]
fn a_used_code_is_refused_and_its_owner_warned() {
    let host = Host::with_data();
    let (mut window, text) = host.window(&[]);
    let (first, second) = (Device::new("first"), Device::new("second"));
    let mut scan = first.scan(&text);
    let digits = scan.event("digits")["digits"]
        .as_str()
        .expect("digits")
        .to_owned();
    window.event("digits-wanted");
    refused(second.scan(&text), &["PAIRING_USED"]);
    host.run(&["approve", &digits]).good();
    scan.event("paired");
    window.event("paired");
    drop(window.end());
    // Afterwards the window is closed for everybody.
    refused(second.scan(&text), &["PAIRING_EXPIRED"]);
    let active = host
        .pairs()
        .into_iter()
        .filter(|record| record["name"] == "second")
        .count();
    assert_eq!(active, 0);
}

#[test]
fn a_code_of_another_server_is_foreign() {
    let mut host = Host::with_data();
    let (_window, text) = host.window(&[]);
    // Another server takes the place of the first, at the same address.
    host.kill();
    let mut other = Host::new();
    other.port = host.port;
    other.start();
    let device = Device::new("x");
    refused(
        device.scan(&text),
        &["PAIRING_EXPIRED", "PAIRING_WRONG_SERVER"],
    );
    let (_own, _) = other.window(&[]);
    refused(device.scan(&text), &["PAIRING_WRONG_SERVER"]);
    assert!(other.pairs().is_empty());
}

#[test]
fn wrong_digits_three_times_end_it() {
    let host = Host::with_data();
    let (mut window, text) = host.window(&[]);
    let device = Device::new("x");
    let mut scan = device.scan(&text);
    let right: u32 = scan.event("digits")["digits"]
        .as_str()
        .expect("digits")
        .parse()
        .expect("six");
    window.event("digits-wanted");
    for miss in 1..=3 {
        let wrong = format!("{:06}", (right + miss) % 1_000_000);
        let outcome = host.run(&["approve", &wrong]);
        assert_ne!(outcome.exit, Some(0), "{outcome:?}");
    }
    let closed = window.event("closed");
    assert!(closed["code"].is_string(), "{closed}");
    refused(scan, &["PAIRING_REFUSED"]);
    assert_ne!(
        host.run(&["approve", &format!("{right:06}")]).exit,
        Some(0),
        "too late"
    );
    assert!(
        host.pairs()
            .iter()
            .all(|record| record["state"] != "active")
    );
}

#[test]
fn a_key_that_was_announced_needs_no_digits_and_no_other_key_will_do() {
    let host = Host::with_data();
    let device = Device::new("announced");
    let args = [
        "scan",
        "--new-key",
        "--text",
        "-",
        "--key-store",
        "file",
        "--json",
    ];
    let mut scan = Running::start(&mut device.command(&args));
    let digest = scan.event("key")["keyDigest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    let (mut window, text) = host.window(&["--expect-key", &digest]);
    scan.say(&format!("{text}\n"));
    scan.event("paired");
    assert!(window.event("paired")["pair"].is_string());
    scan.end().good();
    device.run(&["status"]).good();

    let wrong = format!("sha256:{}", "0".repeat(64));
    let (_window, text) = host.window(&["--expect-key", &wrong]);
    let other = Device::new("x");
    refused(other.scan(&text), &["PAIRING_REFUSED"]);
}

#[test]
fn approving_nobody_is_for_loopback_only() {
    let host = Host::with_data();
    let (mut window, text) = host.window(&["--approve", "none"]);
    let device = Device::new("x");
    let mut scan = device.scan(&text);
    scan.event("paired");
    window.event("paired");

    let open = Host::new();
    let args = [
        "start",
        "--listen",
        "0.0.0.0:0",
        "--key-store",
        "file",
        "--no-mdns",
    ];
    let mut server = Running::start(&mut open.command(&args));
    server.event("listening");
    let outcome = open.run(&["pair", "--approve", "none"]);
    assert_ne!(outcome.exit, Some(0), "{outcome:?}");
    assert_eq!(outcome.last()["event"], "error", "{outcome:?}");
}

#[test]
fn a_code_among_the_arguments_is_refused() {
    let (host, device) = (Host::new(), Device::new("x"));
    for args in [
        &["scan", "--text", "HS1:ABC"][..],
        &["scan", "HS1:ABC"],
        &["scan", "--text=HS1:ABC"],
    ] {
        let outcome = device.run(args);
        assert_eq!(outcome.exit, Some(2), "{args:?}: {outcome:?}");
        let said = outcome.stdout + &outcome.stderr;
        assert!(
            said.contains("--text -"),
            "the right way is not named: {said}"
        );
        assert!(!said.contains("HS1:ABC"), "the code is repeated: {said}");
    }
    assert_eq!(host.run(&["approve", "HS1:ABC"]).exit, Some(2));
}

/// `scan --file`.
fn scan_picture(device: &Device, file: &Path) -> program::Outcome {
    device.run(&[
        "scan",
        "--file",
        file.to_str().expect("a plain path"),
        "--key-store",
        "file",
    ])
}

#[test]
fn a_picture_holds_exactly_one_code() {
    let host = Host::with_data();
    let device = Device::new("x");
    let picture = |name: &str| {
        let file = host.path(name);
        let (window, _) = host.window(&["--png", file.to_str().expect("a plain path")]);
        window.kill();
        image::open(&file).expect("a picture").into_luma8()
    };
    let (one, other) = (picture("one.png"), picture("other.png"));

    let blank = host.path("blank.png");
    GrayImage::from_pixel(300, 300, image::Luma([255]))
        .save(&blank)
        .expect("room");
    scan_picture(&device, &blank).failed(1, &["INVITE_NOT_FOUND", "NO_CODE_IN_PICTURE"]);

    let both = host.path("both.png");
    let mut canvas = GrayImage::from_pixel(
        one.width() + other.width(),
        one.height().max(other.height()),
        image::Luma([255]),
    );
    imageops::overlay(&mut canvas, &one, 0, 0);
    imageops::overlay(&mut canvas, &other, i64::from(one.width()), 0);
    canvas.save(&both).expect("room");
    let outcome = scan_picture(&device, &both);
    assert_eq!(outcome.exit, Some(1), "{outcome:?}");
    assert_eq!(outcome.last()["event"], "error");

    let no_picture = host.path("no.png");
    fs::write(&no_picture, b"not a picture").expect("ours");
    assert_eq!(scan_picture(&device, &no_picture).exit, Some(1));
}

#[test]
fn a_picture_of_the_code_pairs_also_inverted() {
    let host = Host::with_data();
    for inverted in [false, true] {
        let device = Device::new("camera");
        let file = host.path(&format!("code-{inverted}.png"));
        let (mut window, _) = host.window(&["--png", file.to_str().expect("a plain path")]);
        if inverted {
            let mut picture = image::open(&file).expect("a picture").into_luma8();
            imageops::invert(&mut picture);
            picture.save(&file).expect("room");
        }
        let args = [
            "scan",
            "--file",
            file.to_str().expect("plain"),
            "--key-store",
            "file",
            "--json",
        ];
        let mut scan = Running::start(&mut device.command(&args));
        let digits = scan.event("digits")["digits"]
            .as_str()
            .expect("digits")
            .to_owned();
        window.event("digits-wanted");
        host.run(&["approve", &digits]).good();
        scan.event("paired");
        window.event("paired");
    }
}
