//! Which files of a folder are ready to be imported.
//!
//! ```text
//! list ─► Folder::look: unchanged since the last look? ─► Memory: not done yet? ─► import
//! ```
//!
//! A file is ready when two looks in a row see the same length and time of change: whoever copies
//! it has stopped. No look waits and none asks for the time, so a test can look as often as it
//! likes. The folder is looked at again and again instead of asking the system for notice: that
//! works on every file system, a network's included, and one look costs less than reading a page
//! of an export.

mod memory;

use std::{
    collections::HashMap,
    fs::{self, DirEntry},
    io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

pub use memory::{Done, Memory, MemoryError, Outcome};

/// What tells a file that changed from one that did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes.
    pub length: u64,
    /// When its content was changed, nanoseconds since 1970-01-01T00:00:00Z.
    pub changed_ns: i128,
}

impl Stamp {
    /// That of a file.
    pub fn of(metadata: &fs::Metadata) -> io::Result<Self> {
        let changed = metadata.modified()?;
        Ok(Self {
            length: metadata.len(),
            changed_ns: nanoseconds(changed),
        })
    }
}

fn nanoseconds(time: SystemTime) -> i128 {
    let signed =
        |duration: std::time::Duration| i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => signed(after),
        Err(before) => -signed(before.duration()),
    }
}

/// A folder that is looked at again and again.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    seen: HashMap<PathBuf, Stamp>,
}

impl Folder {
    /// This one.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            seen: HashMap::new(),
        }
    }

    /// The files that have stopped growing, the oldest first. Links, devices, pipes, folders,
    /// hidden files and those that a program marks as unfinished are passed over.
    pub fn look(&mut self) -> io::Result<Vec<(PathBuf, Stamp)>> {
        let mut now = HashMap::new();
        let mut ready = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            // A file that goes while it is looked at is no file any more.
            let Ok(Some((path, stamp))) = entry.and_then(|entry| candidate(&entry)) else {
                continue;
            };
            if self.seen.get(&path) == Some(&stamp) {
                ready.push((path.clone(), stamp));
            }
            now.insert(path, stamp);
        }
        self.seen = now;
        ready.sort_by(|(a, first), (b, second)| (first.changed_ns, a).cmp(&(second.changed_ns, b)));
        Ok(ready)
    }

    /// Forgets what was seen: the folder went away.
    pub fn forget(&mut self) {
        self.seen.clear();
    }
}

/// An ordinary file with a finished name.
fn candidate(entry: &DirEntry) -> io::Result<Option<(PathBuf, Stamp)>> {
    let name = entry.file_name();
    // Of the entry itself, never of what a link leads to.
    let metadata = entry.metadata()?;
    if !metadata.is_file() || metadata.len() == 0 || is_unfinished(&name.to_string_lossy()) {
        return Ok(None);
    }
    Ok(Some((entry.path(), Stamp::of(&metadata)?)))
}

/// Endings by which programs mark a file that they have not finished, or only stand for.
const UNFINISHED: &[&str] = &[
    "~",
    ".crdownload",
    ".download",
    ".filepart",
    ".icloud",
    ".opdownload",
    ".part",
    ".partial",
    ".swp",
    ".tmp",
];

fn is_unfinished(name: &str) -> bool {
    let name = name.to_lowercase();
    name.starts_with('.') || UNFINISHED.iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        place: tempfile::TempDir,
        folder: Folder,
    }

    impl Fixture {
        fn new() -> Self {
            let place = tempfile::tempdir().unwrap();
            let folder = Folder::new(place.path());
            Self { place, folder }
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.place.path().join(name), text).unwrap();
        }

        fn look(&mut self) -> Vec<String> {
            let ready = self.folder.look().unwrap();
            let name = |(path, _): (PathBuf, Stamp)| {
                path.file_name().unwrap().to_string_lossy().into_owned()
            };
            ready.into_iter().map(name).collect()
        }
    }

    #[test]
    fn a_file_is_ready_when_it_has_stopped_growing() {
        let mut fixture = Fixture::new();
        fixture.write("a.zip", "one");
        assert!(fixture.look().is_empty());
        fixture.write("a.zip", "one, two");
        assert!(fixture.look().is_empty(), "it grew");
        assert_eq!(fixture.look(), ["a.zip"]);
        assert_eq!(
            fixture.look(),
            ["a.zip"],
            "until somebody says that it is done"
        );
        fs::remove_file(fixture.place.path().join("a.zip")).unwrap();
        assert!(fixture.look().is_empty());
        fixture.write("a.zip", "one, two");
        assert!(fixture.look().is_empty(), "it is a new one");
        // Of the same length, but changed later.
        fixture.look();
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        let file = fs::File::options()
            .write(true)
            .open(fixture.place.path().join("a.zip"))
            .unwrap();
        file.set_modified(later).unwrap();
        assert!(fixture.look().is_empty());
        assert_eq!(fixture.look(), ["a.zip"]);
    }

    #[test]
    fn only_ordinary_files_with_finished_names() {
        let mut fixture = Fixture::new();
        for name in [
            ".hidden",
            "a.part",
            "a.zip.crdownload",
            ".b.zip.icloud",
            "c.zip~",
            "D.ZIP.PART",
            "empty",
        ] {
            fixture.write(name, if name == "empty" { "" } else { "text" });
        }
        fs::create_dir(fixture.place.path().join("folder")).unwrap();
        fixture.write("good.zip", "text");
        std::os::unix::fs::symlink(
            fixture.place.path().join("good.zip"),
            fixture.place.path().join("link.zip"),
        )
        .unwrap();
        fixture.look();
        assert_eq!(fixture.look(), ["good.zip"]);
    }

    #[test]
    fn the_oldest_comes_first_and_a_missing_folder_is_told() {
        let mut fixture = Fixture::new();
        for (name, age) in [("b.zip", 100), ("a.zip", 50), ("c.zip", 100)] {
            fixture.write(name, "text");
            let file = fs::File::options()
                .write(true)
                .open(fixture.place.path().join(name))
                .unwrap();
            let time = UNIX_EPOCH + std::time::Duration::from_secs(1_000_000 - age);
            file.set_modified(time).unwrap();
        }
        fixture.look();
        assert_eq!(fixture.look(), ["b.zip", "c.zip", "a.zip"]);
        let mut none = Folder::new(&fixture.place.path().join("none"));
        assert_eq!(none.look().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
