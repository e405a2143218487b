//! What `watch` has done, kept in the data folder, so that a restart does nothing twice.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Stamp;

/// Files that are remembered; the oldest are forgotten first. To import one again does no harm.
const REMEMBERED: usize = 10_000;

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It is in the store.
    Imported,
    /// It cannot be imported; that was told.
    Failed,
}

/// One file that is done with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Where it stood.
    pub path: PathBuf,
    /// Bytes.
    pub length: u64,
    /// When it was changed, nanoseconds since 1970-01-01T00:00:00Z.
    pub changed_ns: i128,
    /// SHA-256 of its content, hexadecimal.
    pub sha256: String,
    /// Whose data it was taken for; `None` if the file was to say so.
    pub origin: Option<String>,
    /// How it went.
    pub outcome: Outcome,
    /// The program that did it: a later one may understand what this one does not.
    pub version: String,
}

impl Done {
    /// Whether there is nothing left to do, for a program of this version and this origin.
    fn settles(&self, origin: Option<&str>, version: &str) -> bool {
        self.origin.as_deref() == origin
            && (self.outcome == Outcome::Imported || self.version == version)
    }
}

/// All of them, and the file they are kept in.
#[derive(Debug)]
pub struct Memory {
    file: PathBuf,
    done: Vec<Done>,
}

/// The memory cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// It cannot be read.
    #[error("could not read {0:?}")]
    Read(PathBuf, #[source] io::Error),
    /// It is not what was written.
    #[error("{0:?} is damaged")]
    Damaged(PathBuf, #[source] serde_json::Error),
    /// It cannot be written.
    #[error("could not write {0:?}")]
    Write(PathBuf, #[source] io::Error),
}

impl Memory {
    /// Reads the file; none is an empty memory.
    pub fn open(file: &Path) -> Result<Self, MemoryError> {
        let done = match fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| MemoryError::Damaged(file.to_owned(), error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(MemoryError::Read(file.to_owned(), error)),
        };
        Ok(Self {
            file: file.to_owned(),
            done,
        })
    }

    /// What became of this file, if it stands where it stood and has not changed since.
    pub fn recall(
        &self,
        path: &Path,
        stamp: Stamp,
        origin: Option<&str>,
        version: &str,
    ) -> Option<Outcome> {
        let same = |done: &&Done| {
            done.path == path
                && done.length == stamp.length
                && done.changed_ns == stamp.changed_ns
                && done.settles(origin, version)
        };
        self.done.iter().rev().find(same).map(|done| done.outcome)
    }

    /// What became of this content, wherever it stood.
    pub fn recall_content(
        &self,
        sha256: &str,
        origin: Option<&str>,
        version: &str,
    ) -> Option<Outcome> {
        let same = |done: &&Done| done.sha256 == sha256 && done.settles(origin, version);
        self.done.iter().rev().find(same).map(|done| done.outcome)
    }

    /// Remembers one, on the disk before this returns; the file appears whole or not at all.
    pub fn remember(&mut self, done: Done) -> Result<(), MemoryError> {
        self.done
            .retain(|known| known.path != done.path || known.origin != done.origin);
        self.done.push(done);
        let surplus = self.done.len().saturating_sub(REMEMBERED);
        self.done.drain(..surplus);
        self.write()
            .map_err(|error| MemoryError::Write(self.file.clone(), error))
    }

    fn write(&self) -> io::Result<()> {
        let beside = self.file.with_extension("new");
        let text = serde_json::to_vec(&self.done).map_err(io::Error::from)?;
        // Made anew, so that it is nobody's link and only the user's.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&beside, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp {
        length: 3,
        changed_ns: 7,
    };

    fn done(outcome: Outcome) -> Done {
        Done {
            path: "/in/a.zip".into(),
            length: STAMP.length,
            changed_ns: STAMP.changed_ns,
            sha256: "ab".to_owned(),
            origin: None,
            outcome,
            version: "1".to_owned(),
        }
    }

    #[test]
    fn what_was_done_is_known_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("watched.json");
        let mut memory = Memory::open(&file).unwrap();
        memory.remember(done(Outcome::Imported)).unwrap();
        let memory = Memory::open(&file).unwrap();
        let recall = |path: &str, stamp, origin| memory.recall(Path::new(path), stamp, origin, "1");
        let imported = Some(Outcome::Imported);
        assert_eq!(recall("/in/a.zip", STAMP, None), imported);
        assert_eq!(recall("/in/b.zip", STAMP, None), None);
        assert_eq!(recall("/in/a.zip", STAMP, Some("ana")), None);
        for stamp in [
            Stamp { length: 4, ..STAMP },
            Stamp {
                changed_ns: 8,
                ..STAMP
            },
        ] {
            assert_eq!(recall("/in/a.zip", stamp, None), None);
        }
        assert_eq!(memory.recall_content("ab", None, "2"), imported);
        assert_eq!(memory.recall_content("ab", Some("ana"), "1"), None);
        assert_eq!(memory.recall_content("cd", None, "1"), None);
        let mode = fs::metadata(&file).unwrap().permissions();
        let mode = std::os::unix::fs::PermissionsExt::mode(&mode);
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_later_program_tries_what_failed() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = Memory::open(&folder.path().join("watched.json")).unwrap();
        memory.remember(done(Outcome::Failed)).unwrap();
        let recall = |version| memory.recall(Path::new("/in/a.zip"), STAMP, None, version);
        assert_eq!(recall("1"), Some(Outcome::Failed));
        assert_eq!(recall("2"), None);
    }

    #[test]
    fn a_damaged_memory_is_told_and_a_long_one_forgets() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("watched.json");
        fs::write(&file, "[{").unwrap();
        assert!(matches!(Memory::open(&file), Err(MemoryError::Damaged(..))));
        let mut memory = Memory {
            file,
            done: (0..REMEMBERED)
                .map(|number| Done {
                    path: format!("/in/{number}").into(),
                    ..done(Outcome::Imported)
                })
                .collect(),
        };
        memory.remember(done(Outcome::Imported)).unwrap();
        assert_eq!(memory.done.len(), REMEMBERED);
        assert_eq!(memory.done[0].path, Path::new("/in/1"));
    }
}
