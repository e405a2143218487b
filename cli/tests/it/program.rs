//! Runs programs: ours, and the independent clients.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use serde_json::Value;

/// Longer than any step takes on a loaded machine; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(90);

/// One of our programs, as this build made it.
pub(crate) fn ours(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.ancestors().nth(2).expect("target/debug/deps/it");
    let program = folder
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.exists(),
        "{} is missing: run `cargo build --workspace --bins` first",
        program.display()
    );
    program
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// The lines of stdout as JSON.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
            .collect()
    }

    /// The last event.
    #[track_caller]
    pub(crate) fn last(&self) -> Value {
        self.events()
            .pop()
            .unwrap_or_else(|| panic!("no event: {self:?}"))
    }

    /// Nothing went wrong.
    #[track_caller]
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.exit, Some(0), "{self:#?}");
        self
    }

    /// It failed as it should: exit code, stable code, a message and the next command.
    #[track_caller]
    pub(crate) fn failed(&self, exit: i32, codes: &[&str]) {
        assert_eq!(self.exit, Some(exit), "{self:#?}");
        let error = self.last();
        assert_eq!(error["event"], "error", "{self:#?}");
        let code = error["code"].as_str().unwrap_or_default();
        assert!(
            codes.contains(&code),
            "{code} is none of {codes:?}: {self:#?}"
        );
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{error}"
        );
        assert!(
            error["hint"].as_str().is_some_and(|text| !text.is_empty()),
            "{error}"
        );
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}

/// Runs to the end, with this on stdin.
#[track_caller]
pub(crate) fn run(command: &mut Command, stdin: &[u8]) -> Outcome {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut pipe = child.stdin.take().expect("piped");
    let bytes = stdin.to_vec();
    // A program that ends early closes its stdin: that is its right.
    let feeder = thread::spawn(move || drop(pipe.write_all(&bytes)));
    let output = child.wait_with_output().expect("it ran");
    feeder.join().expect("the feeder ended");
    Outcome {
        exit: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A program that runs beside the test; killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: Option<thread::JoinHandle<String>>,
}

impl Running {
    /// Starts it.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut errors = child.stderr.take().expect("piped");
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let stderr = thread::spawn(move || {
            let mut bytes = Vec::new();
            drop(errors.read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Self {
            stdin: child.stdin.take(),
            child,
            lines,
            stderr: Some(stderr),
        }
    }

    /// Writes to its stdin and closes it.
    pub(crate) fn say(&mut self, text: &str) {
        let mut stdin = self.stdin.take().expect("said once");
        stdin.write_all(text.as_bytes()).expect("it reads");
    }

    /// The next event of this name; others before it are passed over.
    #[track_caller]
    pub(crate) fn event(&mut self, name: &str) -> Value {
        loop {
            let value = self.any_event(name);
            if value["event"] == name {
                return value;
            }
            assert_ne!(value["event"], "error", "waited for {name:?}: {value}");
        }
    }

    /// The next event of this name, unless `stop` says first that none will come.
    #[cfg(unix)]
    #[track_caller]
    pub(crate) fn event_unless(&self, name: &str, mut stop: impl FnMut() -> bool) -> Option<Value> {
        while !stop() {
            if let Ok(line) = self.lines.try_recv() {
                let value: Value =
                    serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
                if value["event"] == name {
                    return Some(value);
                }
                assert_ne!(value["event"], "error", "waited for {name:?}: {value}");
            }
        }
        None
    }

    /// The next event, whatever it is, while waiting for `name`.
    #[track_caller]
    pub(crate) fn any_event(&mut self, name: &str) -> Value {
        let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
            drop(self.child.kill());
            let exit = self.child.wait().ok();
            let stderr = self.stderr.take().map(thread::JoinHandle::join);
            panic!("no event {name:?}; it ended with {exit:?} and said {stderr:?}");
        };
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"))
    }

    /// Waits for its end; what it printed since the last event.
    pub(crate) fn end(mut self) -> Outcome {
        drop(self.stdin.take());
        let mut stdout = String::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            stdout.push_str(&line);
            stdout.push('\n');
        }
        let exit = self.child.wait().expect("it ran").code();
        let stderr = self.stderr.take().and_then(|thread| thread.join().ok());
        Outcome {
            exit,
            stdout,
            stderr: stderr.unwrap_or_default(),
        }
    }

    /// Asks it to end (SIGTERM).
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        use rustix::process::{Pid, Signal, kill_process};

        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(id.expect("a process"), Signal::TERM).expect("ours");
    }

    /// Ends it at once, without any chance to tidy up (SIGKILL).
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it ran");
        self.child.wait().expect("it ran");
    }

    /// Its process.
    #[cfg(target_os = "linux")]
    pub(crate) fn process(&self) -> crate::process::Process {
        crate::process::Process(self.child.id())
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it ran").is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
