//! The clipboard and the screen of a real X display: `scripts/with-x-display cargo test .. display`.

use std::{fs, net::TcpListener, process::Command};

use crate::{
    desk::{Desk, Poster},
    device::Device,
    host::Host,
    program::Running,
};

/// Carries the digits to the host.
fn approve(host: &Host, scan: &mut Running, window: &mut Running) {
    let digits = scan.event("digits")["digits"]
        .as_str()
        .expect("digits")
        .to_owned();
    window.event("digits-wanted");
    host.run(&["approve", &digits]).good();
    scan.event("paired");
    window.event("paired");
}

#[test]
fn a_text_in_the_clipboard_pairs_and_is_cleared() {
    let Some(desk) = Desk::new("a_text_in_the_clipboard_pairs_and_is_cleared") else {
        return;
    };
    let host = Host::with_data();
    for words in [&["scan"][..], &["scan", "--clipboard"]] {
        let device = Device::new("desk");
        let (mut window, text) = host.window(&[]);
        desk.copy_text(&format!("{text}\n"));
        let mut scan = Running::start(&mut desk.command(&device, words));
        approve(&host, &mut scan, &mut window);
        let outcome = scan.end().good();
        assert!(
            outcome.stderr.contains("cleared from the clipboard"),
            "{outcome:?}"
        );
        assert!(!outcome.stderr.contains(&text), "{outcome:?}");
        assert_eq!(desk.copied("UTF8_STRING"), None, "{words:?}");
    }
}

#[test]
fn a_picture_in_the_clipboard_pairs_and_is_cleared() {
    let Some(desk) = Desk::new("a_picture_in_the_clipboard_pairs_and_is_cleared") else {
        return;
    };
    let host = Host::with_data();
    for words in [&["scan"][..], &["scan", "--clipboard"]] {
        let device = Device::new("desk");
        let file = host.path("code.png");
        drop(fs::remove_file(&file));
        let (mut window, _) = host.window(&["--png", file.to_str().expect("a plain path")]);
        desk.copy_picture(&file);
        assert!(desk.copied("image/png").is_some());
        let mut scan = Running::start(&mut desk.command(&device, words));
        approve(&host, &mut scan, &mut window);
        scan.end().good();
        assert_eq!(desk.copied("image/png"), None, "{words:?}");
    }
}

#[test]
fn what_was_copied_meanwhile_is_not_cleared() {
    let Some(desk) = Desk::new("what_was_copied_meanwhile_is_not_cleared") else {
        return;
    };
    let host = Host::with_data();
    let device = Device::new("desk");
    let (mut window, text) = host.window(&[]);
    desk.copy_text(&text);
    let mut scan = Running::start(&mut desk.command(&device, &["scan"]));
    let digits = scan.event("digits")["digits"]
        .as_str()
        .expect("digits")
        .to_owned();
    desk.copy_text("milk and bread");
    window.event("digits-wanted");
    host.run(&["approve", &digits]).good();
    scan.event("paired");
    let outcome = scan.end().good();
    assert!(
        !outcome.stderr.contains("cleared from the clipboard"),
        "{outcome:?}"
    );
    let left = desk.copied("UTF8_STRING");
    assert_eq!(left.as_deref(), Some(&b"milk and bread"[..]));
}

#[test]
fn a_code_that_the_server_never_saw_is_kept_and_a_used_one_is_not() {
    let Some(desk) = Desk::new("a_code_that_the_server_never_saw_is_kept_and_a_used_one_is_not")
    else {
        return;
    };
    let mut host = Host::with_data();
    let device = Device::new("desk");
    let (mut window, text) = host.window(&[]);
    desk.copy_text(&text);

    // Stopped by Ctrl-C at the digits: the code is used.
    let mut scan = Running::start(&mut desk.command(&device, &["scan"]));
    scan.event("digits");
    window.event("digits-wanted");
    let killed = Command::new("kill")
        .args(["-INT", &scan.process().0.to_string()])
        .status();
    assert!(killed.expect("kill runs").success());
    assert_eq!(scan.end().exit, Some(130));
    assert_eq!(desk.copied("UTF8_STRING"), None);
    window.kill();

    let (window, text) = host.window(&[]);
    desk.copy_text(&text);
    host.kill();
    drop(window);
    desk.run(&device, &["scan", "--clipboard"])
        .failed(4, &["ECONNREFUSED"]);
    let left = desk.copied("UTF8_STRING");
    assert_eq!(left.as_deref(), Some(text.as_bytes()));
}

#[test]
fn other_things_in_the_clipboard_are_neither_told_nor_touched() {
    let Some(desk) = Desk::new("other_things_in_the_clipboard_are_neither_told_nor_touched") else {
        return;
    };
    let host = Host::with_data();
    let device = Device::new("desk");
    let clipboard = ["scan", "--clipboard"];
    let outcome = desk.run(&device, &clipboard);
    outcome.failed(1, &["INVITE_NOT_FOUND"]);
    assert!(outcome.stdout.contains("it is empty"), "{outcome:?}");

    desk.copy_text("my diary, page 4");
    let outcome = desk.run(&device, &clipboard);
    outcome.failed(1, &["INVITE_NOT_FOUND"]);
    assert!(outcome.stdout.contains("16 characters"), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("diary"), "{outcome:?}");
    // Without a terminal to ask at, that is the end of it.
    desk.run(&device, &["scan"]).failed(2, &["USAGE"]);
    assert!(desk.copied("UTF8_STRING").is_some());

    let (window, text) = host.window(&[]);
    window.kill();
    let half = &text[..text.len() / 2];
    desk.copy_text(half);
    desk.run(&device, &clipboard).failed(1, &["INVITE_DAMAGED"]);
    let outcome = desk.run(&device, &["scan"]);
    outcome.failed(2, &["USAGE"]);
    assert!(
        outcome.stderr.contains("pairing code that cannot be used"),
        "{outcome:?}"
    );
    assert!(!format!("{outcome:?}").contains(half), "{outcome:?}");

    let blank = host.path("blank.png");
    image::GrayImage::from_pixel(320, 200, image::Luma([200]))
        .save(&blank)
        .expect("room");
    desk.copy_picture(&blank);
    let outcome = desk.run(&device, &clipboard);
    outcome.failed(1, &["INVITE_NOT_FOUND"]);
    assert!(outcome.stdout.contains("320 x 200"), "{outcome:?}");
    assert!(desk.copied("image/png").is_some());
}

#[test]
fn a_code_on_the_screen_pairs() {
    let Some(desk) = Desk::new("a_code_on_the_screen_pairs") else {
        return;
    };
    let host = Host::with_data();
    let device = Device::new("desk");
    let screen = ["scan", "--screen"];
    desk.run(&device, &screen).failed(1, &["INVITE_NOT_FOUND"]);

    let (window, old) = host.window(&[]);
    window.kill();
    let (mut window, text) = host.window(&[]);
    // `--screen` looks at the screen alone.
    desk.copy_text(&old);
    let two = Poster::show(&[&old, &text]);
    let outcome = desk.run(&device, &screen);
    outcome.failed(1, &["INVITE_AMBIGUOUS"]);
    assert!(outcome.stdout.contains("on the screen"), "{outcome:?}");
    drop(two);

    let _one = Poster::show(&["https://example.org", &text]);
    let mut scan = Running::start(&mut desk.command(&device, &screen));
    approve(&host, &mut scan, &mut window);
    scan.end().good();
    let left = desk.copied("UTF8_STRING");
    assert_eq!(left.as_deref(), Some(old.as_bytes()));
}

#[test]
fn a_computer_without_a_display_names_the_other_ways() {
    let device = Device::new("server room");
    for option in ["--clipboard", "--screen"] {
        let outcome = device.run(&["scan", option]);
        outcome.failed(1, &["NO_DISPLAY"]);
        for way in ["the prompt", "--text -", "--file IMAGE"] {
            assert!(outcome.stdout.contains(way), "{option}: {outcome:?}");
        }
        let mut wayland = device.command(&["scan", option, "--json"]);
        let outcome = Running::start(wayland.env("WAYLAND_DISPLAY", "wayland-0")).end();
        outcome.failed(1, &["NO_DISPLAY"]);
        assert!(outcome.stdout.contains("Wayland"), "{outcome:?}");

        let mut nobody = device.command(&["scan", option, "--json"]);
        let outcome = Running::start(nobody.env("DISPLAY", "127.0.0.1:59000")).end();
        outcome.failed(1, &["NO_DISPLAY"]);
    }
    // Plain `scan` is silent about it.
    let outcome = device.run(&["scan"]);
    outcome.failed(2, &["USAGE"]);
    assert!(!format!("{outcome:?}").contains("display"), "{outcome:?}");
}

/// A display whose connections are made by the system, and nobody takes them; and its name.
pub(crate) fn silent() -> (TcpListener, String) {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        if let Some(number) = port.checked_sub(6000) {
            return (listener, format!("127.0.0.1:{number}"));
        }
    }
}

#[test]
fn a_display_that_never_answers_keeps_nobody_waiting() {
    let (silent, display) = silent();
    let device = Device::new("desk");
    for option in ["--clipboard", "--screen"] {
        let mut command = device.command(&["scan", option, "--timeout", "200", "--json"]);
        let outcome = Running::start(command.env("DISPLAY", &display)).end();
        outcome.failed(1, &["NO_DISPLAY"]);
        assert!(outcome.stdout.contains("200 ms"), "{outcome:?}");
    }
    drop(silent);
}
