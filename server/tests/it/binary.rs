//! The real binary, as scripts drive it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::house::export;

pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let passphrase = folder.path().join("passphrase");
        fs::write(&passphrase, "correct horse\n").expect("written");
        fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).expect("private");
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_healthsync-server"));
        command
            .args(line.split_whitespace())
            .env_clear()
            .env("HEALTHSYNC_SERVER_HOME", self.path("data"))
            .env("HEALTHSYNC_PASSPHRASE_FILE", self.path("passphrase"))
            .env("TMPDIR", self.folder.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        self.command(line).output().expect("the binary runs")
    }

    pub(crate) fn start(&self, line: &str) -> Running {
        Running::of(&mut self.command(line))
    }
}

pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let lines = BufReader::new(child.stdout.take().expect("stdout"));
        Self { child, lines }
    }

    pub(crate) fn event(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).expect("JSON")
    }

    /// The exit code, or -1 for a process that was killed.
    pub(crate) fn signal(mut self, signal: Signal) -> i32 {
        let id = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process");
        kill_process(id, signal).expect("told");
        self.child.wait().expect("it ends").code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn last_event(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
}

fn import(home: &Home, content: &[u8], options: &str) -> (Option<i32>, Value) {
    let path = home.path("export.xml");
    fs::write(&path, content).expect("written");
    let output = home.run(&format!("import --json {} {options}", path.display()));
    (output.status.code(), last_event(&output))
}

#[test]
fn import_counts_and_repeats_nothing() {
    let home = Home::new();
    let (code, first) = import(&home, export(20).as_bytes(), "");
    assert_eq!(code, Some(0));
    assert_eq!(first["event"], "imported");
    assert_eq!(
        (&first["read"], &first["new"], &first["unchanged"]),
        (&21.into(), &21.into(), &0.into())
    );
    let (_, second) = import(&home, export(20).as_bytes(), "");
    assert_eq!(
        (&second["new"], &second["updated"], &second["unchanged"]),
        (&0.into(), &0.into(), &21.into())
    );
    let (_, other) = import(&home, export(20).as_bytes(), "--origin anna");
    assert_eq!(other["new"], 21);
    let mode = fs::metadata(home.path("data"))
        .expect("a folder")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(
        !home.path("data/keys").exists(),
        "an import opens no key store"
    );
}

#[test]
fn bad_imports_fail_whole() {
    let home = Home::new();
    let whole = export(2000);
    for (content, expected) in [
        (&b"not an export"[..], "NOT_AN_EXPORT"),
        (b"", "NOT_AN_EXPORT"),
        (
            b"<?xml version=\"1.0\"?><HealthData locale=\"en\"></HealthData>",
            "EMPTY_EXPORT",
        ),
        (&whole.as_bytes()[..whole.len() / 2], "TRUNCATED_EXPORT"),
    ] {
        let (code, event) = import(&home, content, "");
        assert_eq!(
            (code, &event["event"]),
            (Some(1), &"error".into()),
            "{expected}"
        );
        assert_eq!(event["code"], expected);
        assert!(event["hint"].is_string());
    }
    for (line, expected) in [
        ("import --json /dev/null", "NOT_AN_EXPORT"),
        ("import --json nowhere.zip", "READ_FAILED"),
        ("import --json --origin ../x nowhere.zip", "ORIGIN_INVALID"),
    ] {
        let output = home.run(line);
        assert_eq!(
            (output.status.code(), &last_event(&output)["code"]),
            (Some(1), &expected.into())
        );
    }
    let (_, good) = import(&home, whole.as_bytes(), "");
    assert_eq!(good["new"], 2001);
}

#[test]
fn one_bad_file_does_not_keep_the_others_out() {
    let home = Home::new();
    fs::write(home.path("bad.xml"), "not an export").expect("a file");
    fs::write(home.path("good.xml"), export(20)).expect("a file");
    let path = |name| home.path(name).display().to_string();
    let (bad, none, good) = (path("bad.xml"), path("none.zip"), path("good.xml"));
    let output = home.run(&format!("import --json {bad} {none} {good}"));
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event["event"].as_str(),
                event["file"].as_str(),
                event["code"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (Some("failed"), Some(&*bad), Some("NOT_AN_EXPORT")),
            (Some("failed"), Some(&*none), Some("READ_FAILED")),
            (Some("file"), Some(&*good), None),
            (Some("imported"), None, None),
            (Some("error"), None, Some("IMPORT_INCOMPLETE")),
        ]
    );
    assert_eq!(
        (&events[2]["new"], &events[3]["new"]),
        (&21.into(), &21.into())
    );
    assert_eq!(events[4]["message"], "2 of 3 files were not imported");
    // Nothing went in: there is no sum to tell.
    let output = home.run(&format!("import --json {bad} {none}"));
    assert_eq!(
        (output.status.code(), &last_event(&output)["code"]),
        (Some(1), &"IMPORT_INCOMPLETE".into())
    );
    assert!(!String::from_utf8_lossy(&output.stdout).contains("\"imported\""));
}

#[test]
fn usage_errors_exit_with_2() {
    let home = Home::new();
    for line in [
        "",
        "stat --json",
        "pair --json --seconds 5",
        "approve --json 12",
        "pair HS1:ABCDEF --json",
        "pair --pngHS1:ABCDEF --json",
        "start --passphrase=ABCDEF --json",
        "start --passphrase ABCDEF",
        "start --json --listen 127.0.0.1:0 --listen [::1]:0",
    ] {
        let output = home.run(line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        if line.contains("--json") {
            assert_eq!(last_event(&output)["event"], "error", "{line}");
            assert!(output.stderr.is_empty(), "{line}");
        }
        for text in [&output.stdout, &output.stderr] {
            assert!(!String::from_utf8_lossy(text).contains("ABCDEF"), "{line}");
        }
    }
    let missing = last_event(&home.run("import --json"));
    assert_eq!(
        (&missing["code"], &missing["message"], &missing["hint"]),
        (
            &"USAGE".into(),
            &"the following required arguments were not provided: <FILE>...".into(),
            &"run `healthsync-server help import`".into()
        )
    );
    let told = home.run("import").stderr;
    let told = String::from_utf8_lossy(&told);
    for word in ["<FILE>...", "USAGE", "healthsync-server help import"] {
        assert!(told.contains(word), "{told}");
    }
    let secret = last_event(&home.run("start --json --passphrase ABCDEF"));
    assert_eq!(secret["code"], "SECRET_IN_ARGV");
    assert_eq!(home.run("--version").status.code(), Some(0));
    assert_eq!(
        last_event(&home.run("version --json"))["version"],
        env!("CARGO_PKG_VERSION")
    );
}

#[test]
fn commands_without_a_server_exit_with_4() {
    let home = Home::new();
    for line in ["pair", "pairs", "approve 123456", "revoke x", "status"] {
        let output = home.run(&format!("{line} --json"));
        assert_eq!(output.status.code(), Some(4), "{line}");
        let event = last_event(&output);
        assert_eq!(event["code"], "SERVER_NOT_RUNNING");
        assert!(
            event["hint"]
                .as_str()
                .expect("a hint")
                .contains("healthsync-server start")
        );
    }
}

#[test]
fn server_starts_answers_and_stops() {
    let home = Home::new();
    let start = "start --json --listen 127.0.0.1:0 --key-store file --no-mdns --name Haus";
    let mut server = home.start(start);
    let event = server.event();
    assert_eq!(event["event"], "listening");
    let port = event["port"].as_u64().expect("a port");
    assert_eq!(event["addresses"][0], format!("127.0.0.1:{port}"));

    let status = last_event(&home.run("status --json"));
    assert_eq!(
        (&status["name"], &status["keyStore"]),
        (&"Haus".into(), &"file".into())
    );
    assert_eq!(home.run("pairs --json").stdout, b"");
    let second = home.run(start);
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(last_event(&second)["code"], "ALREADY_RUNNING");
    let other = Home::new();
    let used = other.run(&format!(
        "start --json --listen 127.0.0.1:{port} --key-store file"
    ));
    assert_eq!(
        (used.status.code(), &last_event(&used)["code"]),
        (Some(1), &"PORT_IN_USE".into())
    );

    assert_eq!(pair_closes(&home), 130);
    assert_eq!(server.signal(Signal::TERM), 0);
    assert_eq!(home.run("status --json").status.code(), Some(4));

    // The key store is remembered; a kill leaves a socket behind that the next start replaces.
    let again = "start --json --listen 127.0.0.1:0 --no-mdns";
    let mut server = home.start(again);
    assert_eq!(server.event()["event"], "listening");
    assert_eq!(server.signal(Signal::KILL), -1);
    let mut server = home.start(again);
    assert_eq!(server.event()["event"], "listening");
    assert_eq!(last_event(&home.run("status --json"))["keyStore"], "file");
    assert_eq!(server.signal(Signal::INT), 0);
    assert!(sockets(home.folder.path()).is_empty(), "a socket was left");
}

/// Opens a window, interrupts the command, and sees that another window opens.
fn pair_closes(home: &Home) -> i32 {
    let mut pairing = home.start("pair --json --approve none");
    let event = pairing.event();
    assert_eq!(event["event"], "window");
    assert!(event["text"].as_str().expect("a text").starts_with("HS1:"));
    let png = home.path("code.png");
    let busy = home.run(&format!("pair --json --png {}", png.display()));
    assert_eq!(
        (busy.status.code(), &last_event(&busy)["code"]),
        (Some(1), &"WINDOW_OPEN".into())
    );
    assert!(!png.exists());
    pairing.signal(Signal::INT)
}

fn sockets(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .expect("a folder")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.is_dir()
                && path
                    .file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with("healthsync-"))
        })
        .flat_map(|path| {
            fs::read_dir(path)
                .expect("a folder")
                .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        })
        .collect()
}

#[test]
fn wrong_passphrase_and_open_file_are_clear_errors() {
    let home = Home::new();
    let start = "start --json --listen 127.0.0.1:0 --key-store file --no-mdns";
    let mut server = home.start(start);
    assert_eq!(server.event()["event"], "listening");
    assert_eq!(server.signal(Signal::TERM), 0);
    fs::write(home.path("passphrase"), "another\n").expect("written");
    let output = home.run(start);
    assert_eq!(
        (output.status.code(), &last_event(&output)["code"]),
        (Some(1), &"PASSPHRASE_WRONG".into())
    );
    fs::set_permissions(home.path("passphrase"), fs::Permissions::from_mode(0o644)).expect("open");
    assert_eq!(last_event(&home.run(start))["code"], "PASSPHRASE_FILE");
    let output = home
        .command(start)
        .env_remove("HEALTHSYNC_PASSPHRASE_FILE")
        .output()
        .expect("runs");
    assert_eq!(last_event(&output)["code"], "PASSPHRASE_NEEDED");
    assert_eq!(
        last_event(&home.run("start --json --key-store cloud"))["code"],
        "KEY_STORE_UNKNOWN"
    );
}
