//! Reading a pasted text of several lines from a terminal, unseen.
//!
//! A terminal hands over line after line, and whatever a program leaves behind goes to the shell,
//! which shows it and runs it. So the text is read byte by byte until nothing more comes, and the
//! terminal's queue is emptied before its settings come back.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use healthsync_pairing::{invite::Invite, secret::Secret};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr,
    tcsetattr,
};

/// How long nothing must come for a paste to be over, in the terminal's unit: tenths of a second.
const IDLE: u8 = 3;

/// A terminal that answers sooner with nothing is gone.
const TOO_SOON: Duration = Duration::from_millis(50);

/// No code is longer, however it was wrapped.
const LONGEST: usize = 4096;

/// What the rest of an overlong paste may take before the terminal is given back anyway.
const LONGEST_REST: usize = 1 << 20;

const END_OF_LINE: u8 = b'\n';
const INTERRUPT: u8 = 0x03;
const END_OF_INPUT: u8 = 0x04;
const ERASE_LINE: u8 = 0x15;

/// The lines up to the one with which they are a code; or up to one after which nothing comes at
/// once. `prompt` is called when nothing is shown any more: whoever waits for it types unseen. Ends
/// with `Interrupted` on Ctrl-C, Ctrl-D, or when `stop` is set.
pub(super) fn paste(
    terminal: impl AsFd,
    stop: &AtomicBool,
    prompt: impl FnOnce(),
) -> io::Result<Secret> {
    let unseen = Unseen::new(terminal.as_fd())?;
    prompt();
    let mut text = Vec::with_capacity(LONGEST);
    let outcome = lines(&unseen, stop, &mut text);
    let text = Secret::new(text);
    unseen.swallow();
    drop(unseen);
    outcome.map(|()| text)
}

fn lines(terminal: &Unseen<'_>, stop: &AtomicBool, text: &mut Vec<u8>) -> io::Result<()> {
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let Some(byte) = terminal.byte()? else {
            // A line that has not ended is waited for, and so is the first one.
            if text.last() == Some(&END_OF_LINE) {
                return Ok(());
            }
            continue;
        };
        match byte {
            INTERRUPT | END_OF_INPUT => return Err(io::ErrorKind::Interrupted.into()),
            ERASE_LINE => text.clear(),
            0x08 | 0x7f => drop(text.pop()),
            b'\r' | END_OF_LINE => {
                text.push(END_OF_LINE);
                if std::str::from_utf8(text).is_ok_and(|text| Invite::parse(text).is_ok()) {
                    return Ok(());
                }
            }
            byte => text.push(byte),
        }
        // So the text never moves in memory, which would leave a copy behind.
        if text.len() >= LONGEST {
            return Ok(());
        }
    }
}

/// A terminal that shows nothing and hands over each byte as it comes, until this is dropped.
struct Unseen<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Unseen<'a> {
    fn new(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut settings = before.clone();
        // Ctrl-C comes as a byte too: a signal would end us before the settings are back.
        settings
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        settings.special_codes[SpecialCodeIndex::VMIN] = 0;
        settings.special_codes[SpecialCodeIndex::VTIME] = IDLE;
        let unseen = Self { terminal, before };
        tcsetattr(terminal, OptionalActions::Now, &settings)?;
        Ok(unseen)
    }

    /// The next byte, or nothing for a while.
    fn byte(&self) -> io::Result<Option<u8>> {
        let asked = Instant::now();
        let mut byte = [0];
        match rustix::io::read(self.terminal, &mut byte) {
            Ok(0) if asked.elapsed() < TOO_SOON => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(0) | Err(rustix::io::Errno::INTR) => Ok(None),
            Ok(_) => Ok(byte.first().copied()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes away what is still on its way.
    fn swallow(&self) {
        for _ in 0..LONGEST_REST {
            if !matches!(self.byte(), Ok(Some(_))) {
                break;
            }
        }
    }
}

impl Drop for Unseen<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs neither.
        let _ = tcflush(self.terminal, QueueSelector::IFlush);
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::fd::OwnedFd, sync::mpsc, thread};

    use healthsync_pairing::id::KeyDigest;
    use rustix::{
        pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
        termios::InputModes,
    };

    use super::*;

    /// The end where a person types, and the end where the program reads.
    fn terminal() -> (OwnedFd, fs::File) {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let program = fs::File::options()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        (person, program)
    }

    fn code() -> String {
        let invite = Invite {
            session: [1; 8],
            key: KeyDigest([2; 32]),
            secret: Secret::new(vec![3; 16]),
            addresses: vec!["127.0.0.1:8443".parse().unwrap()],
            expires_at: 1_900_000_000,
        };
        let text = invite.to_text().unwrap();
        String::from_utf8(text.expose().to_vec()).unwrap()
    }

    /// Types `typed` as soon as the prompt is there; what was read, and what is left.
    fn typed(typed: &str) -> (Result<[u8; 8], String>, usize) {
        let (person, program) = terminal();
        let before = tcgetattr(&program).unwrap();
        let outcome = thread::scope(|scope| {
            let (prompted, wait) = mpsc::channel();
            let person = &person;
            scope.spawn(move || {
                // As a person who types as soon as the prompt stands there.
                wait.recv().unwrap();
                let mut rest = typed.as_bytes();
                while !rest.is_empty() {
                    let count = rustix::io::write(person, rest).unwrap();
                    rest = &rest[count..];
                }
            });
            paste(&program, &AtomicBool::new(false), || {
                prompted.send(()).unwrap();
            })
        });
        let after = tcgetattr(&program).unwrap();
        assert_eq!(after.local_modes, before.local_modes);
        assert!(after.input_modes.contains(InputModes::ICRNL));
        // What the terminal shows, and what it still holds for the shell.
        rustix::io::ioctl_fionbio(&person, true).unwrap();
        let mut shown = [0; 64];
        assert!(
            rustix::io::read(&person, &mut shown).is_err(),
            "shown: {shown:?}"
        );
        let mut settings = before;
        settings.local_modes.remove(LocalModes::ICANON);
        tcsetattr(&program, OptionalActions::Now, &settings).unwrap();
        let left = rustix::io::ioctl_fionread(&program).unwrap();
        let outcome = match outcome {
            Ok(text) => Invite::parse(std::str::from_utf8(text.expose()).unwrap())
                .map(|invite| invite.session)
                .map_err(|error| error.code().to_owned()),
            Err(error) => Err(error.kind().to_string()),
        };
        (outcome, usize::try_from(left).unwrap())
    }

    #[test]
    fn a_wrapped_code_is_read_whole_and_nothing_is_left_to_the_shell() {
        let code = code();
        let quarter = code.len() / 4;
        let pieces: Vec<String> = code
            .as_bytes()
            .chunks(quarter)
            .map(|piece| String::from_utf8(piece.to_vec()).unwrap())
            .collect();
        for good in [
            format!("{code}\n"),
            format!("{}\n", pieces.join("\n")),
            format!("{}\r", pieces.join("\r")),
            format!("\n{}\n\n", pieces.join("\n   ")),
            format!("{}\necho more\nls\n", pieces.join("\n")),
            format!("wrong\u{15}{code}x\u{7f}\n"),
        ] {
            assert_eq!(typed(&good), (Ok([1; 8]), 0), "{good:?}");
        }
        for (bad, error) in [
            (format!("{}\n{}\n", pieces[0], pieces[1]), "INVITE_DAMAGED"),
            ("hello\n".to_owned(), "INVITE_NOT_FOUND"),
            ("HS1:A\u{3}rest\nls\n".to_owned(), "operation interrupted"),
            ("\u{4}".to_owned(), "operation interrupted"),
            ("x\n".repeat(4000), "INVITE_NOT_FOUND"),
        ] {
            let (outcome, left) = typed(&bad);
            assert!(outcome.is_err(), "{bad:?}");
            if bad.len() < LONGEST {
                assert_eq!(outcome, Err(error.to_owned()), "{bad:?}");
            }
            assert_eq!(left, 0, "{bad:?}");
        }
    }

    #[test]
    fn whoever_stops_gets_the_terminal_back() {
        let (_person, program) = terminal();
        let outcome = paste(&program, &AtomicBool::new(true), || {});
        assert_eq!(
            outcome.err().map(|error| error.kind()),
            Some(io::ErrorKind::Interrupted)
        );
        let modes = tcgetattr(&program).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ECHO | LocalModes::ICANON));
    }
}
