//! Running `healthsync` in a folder of its own.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// A home for one test.
pub(crate) struct Home(TempDir);

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The last line of stdout, as JSON.
    pub(crate) fn last(&self) -> serde_json::Value {
        let line = self.out.lines().last().unwrap_or_default();
        serde_json::from_str(line).expect("the last line is JSON")
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("home")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("config.json")
    }

    /// A folder beside the home.
    pub(crate) fn beside(&self) -> &Path {
        self.0.path()
    }

    /// The binary with nothing of this machine's environment.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_healthsync"));
        command
            .args(words)
            .env_clear()
            .env("HEALTHSYNC_HOME", self.path())
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        ran(self.command(words).output().expect("the binary runs"))
    }

    pub(crate) fn write_config(&self, text: &str) {
        std::fs::create_dir_all(self.path()).expect("a home");
        std::fs::write(self.config(), text).expect("a configuration");
    }

    /// A pair whose key nobody has.
    pub(crate) fn pair_with(&self, names: &[&str]) {
        let servers: Vec<_> = names
            .iter()
            .zip('a'..)
            .map(|(name, letter)| {
                serde_json::json!({
                    "pair": letter.to_string().repeat(26),
                    "name": name,
                    "state": "active",
                    "addresses": ["127.0.0.1:9"],
                    "keyStore": "file",
                    "pairedAt": "2026-01-07T10:00:00Z",
                })
            })
            .collect();
        let config = serde_json::json!({"version": 1, "keyStore": "file", "servers": servers});
        self.write_config(&config.to_string());
    }
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}
