//! Pairing by the short code, with both programs.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::Stdio,
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::{
    device::Device,
    host::Host,
    program::{Outcome, Running},
    schema::assert_lines,
};

/// `pair` at this host, with what is piped in.
fn start(device: &Device, host: &Host, more: &[&str], typed: &str) -> Running {
    let address = format!("127.0.0.1:{}", host.port);
    let args = [
        "pair",
        "--host",
        &address,
        "--code",
        "-",
        "--key-store",
        "file",
        "--json",
    ];
    let mut pair = Running::start(&mut device.command(&[&args, more].concat()));
    pair.say(&format!("{typed}\n"));
    pair
}

fn run(device: &Device, host: &Host, typed: &str) -> Outcome {
    start(device, host, &[], typed).end()
}

/// The whole way with the code that the window shows; gives the pair id.
fn pair(device: &Device, host: &Host, more: &[&str]) -> String {
    let (mut window, opened) = host.opened(&[]);
    let code = opened["code"].as_str().expect("a code");
    let mut pair = start(device, host, more, &code.to_lowercase());
    let digits = pair.event("digits");
    window.event("digits-wanted");
    host.run(&["approve", digits["digits"].as_str().expect("digits")])
        .good();
    let there = window.event("paired");
    let here = pair.event("paired");
    assert_eq!(here["pair"], there["pair"]);
    pair.end().good();
    window.end().good();
    there["pair"].as_str().expect("an id").to_owned()
}

#[test]
fn a_piped_code_pairs() {
    let host = Host::with_data();
    let device = Device::new("typing");
    pair(&device, &host, &["--name", "typing"]);
    device.run(&["status"]).good();
}

#[test]
fn wrong_codes_are_counted_and_mistyped_ones_are_not() {
    let host = Host::with_data();
    let device = Device::new("x");
    let (mut window, opened) = host.opened(&[]);
    let code = opened["code"].as_str().expect("a code").to_owned();
    for mistyped in ["", "hello", &code[..9]] {
        run(&device, &host, mistyped).failed(1, &["CODE_MISTYPED"]);
    }
    let text = opened["text"].as_str().expect("a text");
    run(&device, &host, text).failed(1, &["INVITE_NOT_EXPECTED"]);

    // Well written, and another one than is shown.
    let wrong = if code == "K7QF-3M9X-5" {
        "0000-0000-8"
    } else {
        "K7QF-3M9X-5"
    };
    for _ in 0..5 {
        run(&device, &host, wrong).failed(3, &["PAIRING_WRONG_CODE"]);
    }
    let event = window.event("code");
    assert_lines("server-pair", std::slice::from_ref(&event));
    let new = event["code"].as_str().expect("a code").to_owned();
    assert_ne!(new, code);
    run(&device, &host, &code).failed(3, &["PAIRING_WRONG_CODE"]);
    let mut right = start(&device, &host, &[], &new);
    right.event("digits");
    window.event("digits-wanted");
    assert!(host.pairs().is_empty());
}

#[test]
fn without_a_window_or_a_server_there_is_nothing_to_type_for() {
    let host = Host::with_data();
    let device = Device::new("x");
    run(&device, &host, "K7QF-3M9X-5").failed(3, &["PAIRING_EXPIRED"]);
    let args = ["pair", "--code", "-", "--no-mdns"];
    device.run(&args).failed(2, &["USAGE"]);
    device.run(&["pair"]).failed(2, &["USAGE"]);
}

#[test]
fn a_short_code_among_the_arguments_is_refused() {
    let (host, device) = (Host::new(), Device::new("x"));
    for args in [
        &["pair", "--code", "K7QF-3M9X-5"][..],
        &["pair", "--code", "K7QF3M9X5"],
        &["pair", "k7qf-3m9x-5"],
        &["pair", "--code=k7qf-3m9x-5"],
        &["k7qf-3m9x-5"],
    ] {
        let outcome = device.run(args);
        assert_eq!(outcome.exit, Some(2), "{args:?}: {outcome:?}");
        let said = (outcome.stdout + &outcome.stderr).to_uppercase();
        assert!(
            said.contains("--CODE -"),
            "the right way is not named: {said}"
        );
        assert!(!said.contains("K7QF"), "the code is repeated: {said}");
    }
    let outcome = host.run(&["approve", "K7QF-3M9X-5"]);
    outcome.failed(2, &["SECRET_IN_ARGV"]);
    assert!(!outcome.stdout.contains("K7QF"));
}

#[test]
fn a_new_pair_takes_the_place_of_the_old_one() {
    let host = Host::with_data();
    let (device, old) = Device::paired(&host, "mine");
    let new = pair(&device, &host, &["--name", "mine", "--replace"]);
    assert_ne!(old, new);
    let states: Vec<_> = host
        .pairs()
        .into_iter()
        .map(|record| (record["pair"].clone(), record["state"].clone()))
        .collect();
    assert!(
        states.contains(&(old.into(), "revoked".into())),
        "{states:?}"
    );
    assert!(
        states.contains(&(new.into(), "active".into())),
        "{states:?}"
    );
    // There is one pair here, and it works.
    device.run(&["status"]).good();
}

/// Types at a terminal; gives all that it showed up to and with `wanted`.
fn shown(terminal: &mut File, wanted: &str) -> String {
    let mut text = String::new();
    let mut bytes = [0; 256];
    while !text.contains(wanted) {
        let count = terminal.read(&mut bytes).expect("the terminal is there");
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    text
}

#[test]
fn a_person_types_the_code_at_the_prompt() {
    let host = Host::with_data();
    let device = Device::new("typing");
    let (mut window, opened) = host.opened(&[]);
    let code = opened["code"].as_str().expect("a code");

    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&person).expect("ours");
    unlockpt(&person).expect("ours");
    let name = ptsname(&person, Vec::new()).expect("a name");
    let open = || -> Stdio {
        let mut options = File::options();
        let end = options.read(true).write(true);
        end.open(name.to_str().expect("plain"))
            .expect("it is there")
            .into()
    };
    let address = format!("127.0.0.1:{}", host.port);
    let args = ["pair", "--host", &address, "--key-store", "file"];
    let mut program = device
        .command(&args)
        .env("NO_COLOR", "1")
        .stdin(open())
        .stdout(Stdio::null())
        .stderr(open())
        .spawn()
        .expect("it runs");
    let mut terminal = File::from(person);
    let prompt = "then press Enter: ";
    shown(&mut terminal, prompt);
    // A symbol is missing: it says so, and asks again.
    let mistyped = &code[..code.len() - 1];
    writeln!(terminal, "{mistyped}").expect("it reads");
    assert!(shown(&mut terminal, prompt).contains("nine symbols"));
    writeln!(terminal, "{}", code.to_lowercase()).expect("it reads");
    let text = shown(&mut terminal, "type these there");
    let digits: String = text
        .lines()
        .map(str::trim)
        .find(|line| line.len() == 7 && line.bytes().all(|b| b.is_ascii_digit() || b == b' '))
        .unwrap_or_else(|| panic!("no digits: {text}"))
        .replace(' ', "");
    window.event("digits-wanted");
    host.run(&["approve", &digits]).good();
    window.event("paired");
    shown(&mut terminal, "The host must now say");
    assert!(program.wait().expect("it ran").success());
}
