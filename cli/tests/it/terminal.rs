//! What a person sees at a terminal: a real one (a pty), with the real program in it.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    process::{Child, Command, Stdio},
};

use rustix::{
    fs::{Mode, OFlags},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::{
    binary::Home,
    device::Device,
    host::Host,
    lab::{Lab, serve, serve_tls},
    relay::{Place, Relay, Speaker},
};

/// A program at a terminal.
pub(crate) struct Seat {
    screen: File,
    child: Child,
    shown: String,
}

impl Seat {
    /// Starts it at a terminal of that many columns.
    pub(crate) fn take(mut command: Command, columns: u16) -> Self {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&screen).expect("granted");
        unlockpt(&screen).expect("unlocked");
        let name = ptsname(&screen, Vec::new()).expect("its name");
        let line: OwnedFd =
            rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("its line");
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(line.as_fd(), size).expect("set");
        let end = || Stdio::from(line.try_clone().expect("another end"));
        let child = command
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("it runs");
        // The command holds ends of the line, which must close when the child ends.
        drop(command);
        drop(line);
        Self {
            screen: File::from(screen),
            child,
            shown: String::new(),
        }
    }

    /// Reads on; false at the end. Linux reports a line that was closed as an error.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.screen.read(&mut bytes) {
            Ok(0) | Err(_) => false,
            Ok(length) => {
                self.shown
                    .push_str(&String::from_utf8_lossy(&bytes[..length]));
                true
            }
        }
    }

    /// Waits until that is shown.
    pub(crate) fn see(&mut self, text: &str) {
        while !self.shown.contains(text) {
            assert!(self.read(), "{text:?} never came: {}", self.shown);
        }
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.screen
            .write_all(text.as_bytes())
            .expect("somebody listens");
    }

    /// What Ctrl-C sends: the terminal of these tests is nobody's own, so no key does.
    fn interrupt(&self) {
        let process = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(process.expect("a process"), Signal::INT).expect("it runs");
    }

    /// Everything that was shown, and the exit code.
    pub(crate) fn end(mut self) -> (String, Option<i32>) {
        while self.read() {}
        let exit = self.child.wait().expect("it ended").code();
        (self.shown.replace("\r\n", "\n"), exit)
    }
}

fn at_terminal(
    home: &Home,
    words: &[&str],
    columns: u16,
    env: &[(&str, &str)],
) -> (String, Option<i32>) {
    let mut command = home.command(words);
    command.env("TERM", "xterm").envs(env.iter().copied());
    Seat::take(command, columns).end()
}

#[test]
fn tables_fit_and_colours_need_consent() {
    let home = Home::new();
    home.pair_with(&["A name that is far too long for any narrow terminal", "b"]);
    for columns in [60, 80, 200] {
        let (shown, exit) = at_terminal(&home, &["servers"], columns, &[("NO_COLOR", "1")]);
        assert_eq!(exit, Some(0), "{shown}");
        let widest = shown.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(usize::from(columns)), "{columns}: {shown}");
        assert_eq!(shown.lines().count(), 3, "{shown}");
        assert_eq!(shown.contains('…'), columns < 200, "{shown}");
    }
    let (plain, _) = at_terminal(&home, &["servers"], 80, &[]);
    assert!(plain.starts_with("\u{1b}[1mSERVER"), "{plain}");
    for (words, env) in [
        (&["servers"][..], &[("NO_COLOR", "1")][..]),
        (&["servers"], &[("TERM", "dumb")]),
        (&["servers", "--color", "never"], &[]),
        (&["servers", "--json"], &[]),
        (&["fetch", "--days", "x"], &[("NO_COLOR", "1")]),
    ] {
        let (shown, _) = at_terminal(&home, words, 80, env);
        assert!(!shown.contains('\u{1b}'), "{words:?} {env:?}: {shown:?}");
    }
    let piped = home.run(&["servers", "--color", "always"]);
    assert!(piped.out.contains("\u{1b}[1m"), "{}", piped.out);
}

#[test]
fn binary_data_does_not_go_to_a_terminal() {
    let home = Home::new();
    home.pair_with(&["a"]);
    for words in [
        &["fetch", "--format", "arrow"][..],
        &["fetch", "--format", "parquet"],
        &["cert", "export", "--der"],
    ] {
        let (shown, exit) = at_terminal(&home, words, 80, &[]);
        assert_eq!(exit, Some(2), "{shown}");
        assert!(shown.contains("garble the terminal"), "{shown}");
    }
}

/// A fetch into a file at a terminal; what was shown. One that is held up is released once it counts.
fn fetched(host: &Host, device: &Device, held: bool, env: &[(&str, &str)]) -> String {
    // In the middle of the answer.
    let place = Place {
        connection: 0,
        from: Speaker::Server,
        record: 8,
    };
    let relay = Relay::start(host.port, held.then_some(place));
    let address = format!("127.0.0.1:{}", relay.port);
    let file = device.path("all.csv").display().to_string();
    let words = [
        "fetch", "--all", "--host", &address, "--output", &file, "--force",
    ];
    let mut command = device.command(&words);
    command.env("TERM", "xterm").envs(env.iter().copied());
    let mut seat = Seat::take(command, 80);
    if held {
        seat.see("samples  ");
        relay.release();
    }
    let (shown, exit) = seat.end();
    assert_eq!(exit, Some(0), "{shown}");
    assert!(shown.contains("Saved 1,990 samples"), "{shown}");
    shown
}

#[test]
fn a_count_moves_on_a_terminal_if_a_fetch_takes_more_than_a_second() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    let slow = fetched(&host, &device, true, &[("NO_COLOR", "1")]);
    let colours = slow.split('\u{1b}').skip(1).any(|rest| {
        let end = rest.find(|c: char| c.is_ascii_alphabetic());
        end.is_some_and(|end| rest[end..].starts_with('m'))
    });
    assert!(!colours, "{slow:?}");
    // The line is gone at the end.
    let last = slow.rsplit("samples  ").next().expect("the rest");
    assert!(last.contains("\u{1b}[2K"), "{slow:?}");

    for (held, env) in [
        (false, &[][..]),
        // A terminal that cannot move its cursor.
        (false, &[("TERM", "dumb")]),
    ] {
        let quick = fetched(&host, &device, held, env);
        assert!(!quick.contains("samples  "), "{env:?}: {quick:?}");
    }
}

#[test]
fn what_is_waited_for_is_shown_after_a_second_and_gone_at_the_end() {
    let lab = Lab::new();
    let silent = serve(|_, mut tcp| {
        // Listens until the client gives up.
        drop(std::io::copy(&mut tcp, &mut std::io::sink()));
    });
    let mute = serve_tls(lab.good_tls(), "");
    for (server, waits, line) in [
        (silent, "1500", "Connecting to 127.0.0.1:"),
        (mute, "1500", "Waiting for the answer of 127.0.0.1:"),
        // Over before the line would come.
        (silent, "200", ""),
    ] {
        let address = server.to_string();
        let words = [
            "status",
            "--host",
            &address,
            "--no-mdns",
            "--timeout",
            waits,
        ];
        let mut command = lab.at(server).command(&words);
        command.env("TERM", "xterm").env("NO_COLOR", "1");
        let (shown, exit) = Seat::take(command, 80).end();
        assert_eq!(exit, Some(4), "{shown}");
        assert!(shown.contains("ETIMEDOUT"), "{shown}");
        if line.is_empty() {
            for never in ["Connecting", "Waiting"] {
                assert!(!shown.contains(never), "{shown:?}");
            }
        } else {
            let (before, _) = shown.split_once("error:").expect(&shown);
            assert!(before.contains(line), "{shown:?}");
            assert!(before.ends_with("\u{1b}[2K"), "{shown:?}");
        }
        // No terminal, no line.
        let piped = lab.at(server).run(&words);
        assert!(
            !piped.stderr.contains("Connecting to 127"),
            "{}",
            piped.stderr
        );
    }
}

#[test]
fn a_pasted_code_is_not_shown() {
    let home = Home::new();
    let mut seat = Seat::take(home.command(&["scan", "--key-store", "file"]), 80);
    seat.see("it stays hidden");
    seat.say("HS1:NOTACODEATALL\n");
    let (shown, exit) = seat.end();
    assert_eq!(exit, Some(1), "{shown}");
    assert!(shown.contains("INVITE_"), "{shown}");
    assert!(!shown.contains("NOTACODE"), "{shown}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_display_that_never_answers_does_not_keep_the_prompt_away() {
    let (_silent, display) = crate::display::silent();
    let home = Home::new();
    let mut command = home.command(&["scan", "--key-store", "file", "--timeout", "200"]);
    command.env("DISPLAY", display);
    let mut seat = Seat::take(command, 80);
    seat.see("it stays hidden");
    seat.say("\u{4}");
    let (shown, exit) = seat.end();
    assert_eq!(exit, Some(130), "{shown}");
    assert!(shown.contains("does not answer within 200 ms"), "{shown}");
}

#[test]
fn a_question_before_keys_are_deleted_is_asked_and_no_is_the_default() {
    let home = Home::new();
    home.pair_with(&["Anna's Mac"]);
    let mut seat = Seat::take(home.command(&["keychain", "clear"]), 80);
    seat.see("[y/N]");
    seat.say("\n");
    let (shown, exit) = seat.end();
    assert_eq!(exit, Some(0), "{shown}");
    assert!(shown.contains("Nothing was deleted"), "{shown}");
    assert!(home.config().exists());
}

#[test]
fn a_question_can_be_left_with_ctrl_c() {
    let home = Home::new();
    home.pair_with(&["Anna's Mac"]);
    let mut seat = Seat::take(home.command(&["keychain", "clear"]), 80);
    seat.see("[y/N]");
    seat.interrupt();
    let (shown, exit) = seat.end();
    assert_eq!(exit, Some(130), "{shown}");
    assert!(shown.contains("INTERRUPTED"), "{shown}");
    assert!(home.config().exists());
}
