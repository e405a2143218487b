//! What this program did here, for `healthsync logs`: which command, how it ended, how long it took.
//!
//! No argument, no name of a person or a type, no health value and no secret stands in it: the
//! commands are words of our own, the outcomes are codes. Two files hold the last few thousand lines.
//! A client that was never paired has no folder, and none is made for this.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Instant,
};

use healthsync_core::{api::Code, time::rfc3339};
use serde::{Deserialize, Serialize};

use crate::{config::ConfigFile, error::CliError, settings::Settings};

/// When the file is as long as that, it becomes the older one.
const FULL: u64 = 256 << 10;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// Always `log`.
    pub(crate) event: String,
    /// When it began, RFC 3339 UTC.
    pub(crate) time: String,
    /// Which command.
    pub(crate) command: String,
    /// With which pair, if it was one.
    pub(crate) pair: Option<String>,
    /// Exit code.
    pub(crate) exit: u8,
    /// What went wrong, if anything.
    pub(crate) code: Option<String>,
    /// Milliseconds.
    pub(crate) ms: u64,
}

impl Entry {
    /// How long it took, for people.
    pub(crate) fn seconds(&self) -> String {
        format!("{}.{:03}", self.ms / 1000, self.ms % 1000)
    }
}

/// A command that runs.
#[derive(Debug)]
pub(crate) struct Begun {
    entry: Entry,
    at: Instant,
}

impl Begun {
    /// Notes what begins.
    pub(crate) fn new(command: &str, settings: &Settings) -> Self {
        let pair = ConfigFile::new(&settings.config)
            .load()
            .ok()
            .and_then(|config| {
                let server = config.select(settings.server.as_deref()).ok()?;
                Some(server.pair.clone())
            });
        Self {
            entry: Entry {
                event: "log".to_owned(),
                time: rfc3339(settings.now_ms()),
                command: command.to_owned(),
                pair,
                exit: 0,
                code: None,
                ms: 0,
            },
            at: Instant::now(),
        }
    }

    /// Records how it ended. A record that cannot be written stops nothing.
    pub(crate) fn end(mut self, outcome: &Result<(), CliError>, settings: &Settings) {
        self.entry.ms = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Err(error) = outcome
            && !error.is_broken_pipe()
        {
            self.entry.exit = error.exit();
            self.entry.code = error.recorded().map(str::to_owned);
        }
        let journal = Journal::new(&settings.home);
        if let Err(error) = journal.add(&self.entry) {
            tracing::debug!(%error, "not recorded");
        }
    }
}

/// The file.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
}

impl Journal {
    /// In the client's folder; nothing is made yet.
    pub(crate) fn new(home: &Path) -> Self {
        Self {
            path: home.join("commands.log"),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn older(&self) -> PathBuf {
        self.path.with_extension("log.1")
    }

    fn add(&self, entry: &Entry) -> io::Result<()> {
        let is_there = self.path.parent().is_some_and(Path::is_dir);
        if !is_there {
            return Ok(());
        }
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.len() >= FULL) {
            fs::rename(&self.path, self.older())?;
        }
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let mut options = fs::File::options();
        options.create(true).append(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        // One write: lines of commands that end together do not mix.
        options.open(&self.path)?.write_all(&line)
    }

    /// The last `count` entries, oldest first. A line that cannot be understood is left out.
    pub(crate) fn last(&self, count: usize) -> Result<Vec<Entry>, CliError> {
        let mut entries = Vec::new();
        for path in [self.older(), self.path.clone()] {
            let text = match fs::read(&path) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    return Err(CliError::new(
                        Code::ReadFailed,
                        format!("could not read {}", path.display()),
                    )
                    .because(error)
                    .with_hint("look at its permissions, or delete it"));
                }
            };
            entries.extend(
                text.lines()
                    .filter_map(|line| serde_json::from_str(line).ok()),
            );
        }
        let surplus = entries.len().saturating_sub(count);
        entries.drain(..surplus);
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64) -> Entry {
        Entry {
            event: "log".to_owned(),
            time: "2026-01-07T10:00:00Z".to_owned(),
            command: "fetch".to_owned(),
            pair: None,
            exit: 4,
            code: Some("ECONNREFUSED".to_owned()),
            ms: number,
        }
    }

    #[test]
    fn the_last_lines_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path());
        assert!(journal.last(5).unwrap().is_empty());
        for number in 0..7 {
            journal.add(&entry(number)).unwrap();
        }
        // A crash in the middle of a line costs that line only.
        let mut file = fs::File::options()
            .append(true)
            .open(journal.path())
            .unwrap();
        file.write_all(b"{\"event\":\"lo\n").unwrap();
        let last: Vec<u64> = journal
            .last(3)
            .unwrap()
            .iter()
            .map(|entry| entry.ms)
            .collect();
        assert_eq!(last, [4, 5, 6]);
        assert_eq!(journal.last(0).unwrap(), []);
        assert_eq!(entry(61_005).seconds(), "61.005");
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path());
        for number in 0..6000 {
            journal.add(&entry(number)).unwrap();
        }
        let size: u64 = fs::read_dir(folder.path())
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum();
        assert!(size < 2 * FULL + 4096, "{size}");
        assert_eq!(journal.last(1).unwrap(), [entry(5999)]);
        assert!(journal.last(usize::MAX).unwrap().len() > 1000);
    }

    #[test]
    fn no_folder_is_made_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("none");
        Journal::new(&home).add(&entry(1)).unwrap();
        assert!(!home.exists());
    }
}
