//! The client's side: a home of its own, and the commands of the person who uses it.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    host::{Host, write_private},
    program::{self, Outcome, Running},
};

/// A computer with the client on it.
#[derive(Debug)]
pub(crate) struct Device {
    folder: TempDir,
    name: String,
}

impl Device {
    /// A new one, not paired.
    pub(crate) fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_private(&folder.path().join("passphrase"), "another passphrase\n");
        Self {
            folder,
            name: name.to_owned(),
        }
    }

    /// One that is paired with `host`; also the pair id.
    #[track_caller]
    pub(crate) fn paired(host: &Host, name: &str) -> (Self, String) {
        let device = Self::new(name);
        let pair = device.pair(host);
        (device, pair)
    }

    /// A path in the home.
    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// A command of `healthsync`, as a script would run it.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program::ours("healthsync"));
        command
            .args(args)
            .env("HOME", self.folder.path())
            .env("HEALTHSYNC_HOME", self.path("home"))
            .env("HEALTHSYNC_PASSPHRASE_FILE", self.path("passphrase"))
            .env("TZ", "UTC")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("DBUS_SESSION_BUS_ADDRESS");
        command
    }

    /// Runs one with `--json` to its end.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        program::run(self.command(args).arg("--json"), b"")
    }

    /// `scan --text -`, with the text on stdin, running.
    #[track_caller]
    pub(crate) fn scan(&self, text: &str) -> Running {
        let args = [
            "scan",
            "--text",
            "-",
            "--key-store",
            "file",
            "--name",
            &self.name,
            "--json",
        ];
        let mut scan = Running::start(&mut self.command(&args));
        scan.say(&format!("{text}\n"));
        scan
    }

    /// The whole way, with the digits carried from here to the host. Gives the pair id.
    #[track_caller]
    pub(crate) fn pair(&self, host: &Host) -> String {
        let (mut window, text) = host.window(&[]);
        let mut scan = self.scan(&text);
        let shown = scan.event("digits");
        let digits = shown["digits"]
            .as_str()
            .unwrap_or_else(|| panic!("{shown}"));
        assert!(
            digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit()),
            "{digits}"
        );
        let wanted = window.event("digits-wanted");
        assert_eq!(wanted["name"], *self.name);
        host.run(&["approve", digits]).good();
        let there = window.event("paired");
        let here = scan.event("paired");
        assert_eq!(here["server"], "Test host");
        window.end().good();
        scan.end().good();
        let pair = there["pair"]
            .as_str()
            .unwrap_or_else(|| panic!("{there}"))
            .to_owned();
        assert_eq!(pair.len(), 26, "{pair}");
        let listed = host.pairs();
        let record: &Value = listed
            .iter()
            .find(|record| record["pair"] == *pair)
            .unwrap_or_else(|| panic!("{pair} is not in {listed:?}"));
        assert_eq!(
            record["state"].as_str().map(str::to_lowercase).as_deref(),
            Some("active")
        );
        assert_eq!(record["keyDigest"], wanted["keyDigest"]);
        pair
    }
}
