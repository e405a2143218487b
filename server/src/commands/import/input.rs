//! What is imported: a file, or a folder that somebody unpacked.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
    time::SystemTime,
};

use healthsync_core::{
    import::{Entry, Folder, ReadError},
    store::Settled,
};

use super::{ImportError, crash::step};

/// Folders in folders. An export has two levels.
const DEPTH: usize = 5;
/// Files of a folder. An export has some thousands.
const FILES: usize = 200_000;

/// Something to import, opened.
pub(super) enum Input {
    /// A file.
    File {
        /// Open for reading.
        file: File,
        /// Its length, bytes.
        length: u64,
        /// Where it is.
        path: PathBuf,
        /// What it was when it was opened.
        state: State,
    },
    /// A folder.
    Folder(Unpacked),
}

/// Length and time of the last change: whoever writes changes one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State(u64, Option<SystemTime>);

impl State {
    fn of(metadata: &Metadata) -> Self {
        Self(metadata.len(), metadata.modified().ok())
    }
}

/// A folder on the disk. Only files that a walk found are opened, never a name that a file says;
/// links are not followed.
pub(super) struct Unpacked {
    root: PathBuf,
    files: Vec<Found>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    name: String,
    path: PathBuf,
    state: State,
}

impl Input {
    /// An open file.
    pub(super) fn of(file: File, path: &Path) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self::File {
            file,
            length: metadata.len(),
            path: path.to_owned(),
            state: State::of(&metadata),
        })
    }

    /// Bytes to read.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::File { length, .. } => *length,
            Self::Folder(folder) => folder.files.iter().map(|file| file.state.0).sum(),
        }
    }

    /// Whether it is still what was opened.
    pub(super) fn settled(&self) -> Settled {
        match self {
            Self::File { path, state, .. } => {
                let (path, state) = (path.clone(), *state);
                Settled::new(move || {
                    step();
                    Ok(State::of(&fs::metadata(&path)?) == state)
                })
            }
            Self::Folder(Unpacked { root, files }) => {
                let (root, files) = (root.clone(), files.clone());
                Settled::new(move || Ok(walk(&root)? == files))
            }
        }
    }
}

/// Opens a file or a folder.
pub(super) fn open(path: &Path) -> Result<Input, ImportError> {
    let failed = |error| ImportError::Open(path.to_owned(), error);
    // Before opening: a pipe without a writer would wait for ever.
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Ok(Input::Folder(Unpacked {
            root: path.to_owned(),
            files: walk(path).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidInput => ImportError::TooMuch(path.to_owned()),
                _ => failed(error),
            })?,
        }));
    }
    if !metadata.is_file() {
        return Err(ImportError::NotAFile(path.to_owned()));
    }
    let file = File::open(path).map_err(failed)?;
    Input::of(file, path).map_err(failed)
}

/// All files of a folder, by name; `InvalidInput` if it holds more than an export does.
fn walk(root: &Path) -> io::Result<Vec<Found>> {
    let mut files = Vec::new();
    let mut folders = vec![(root.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type()?;
            if kind.is_dir() && depth < DEPTH {
                folders.push((entry.path(), format!("{name}/"), depth + 1));
            } else if kind.is_file() && files.len() < FILES {
                files.push(Found {
                    name,
                    path: entry.path(),
                    state: State::of(&entry.metadata()?),
                });
            } else if !kind.is_symlink() {
                return Err(io::ErrorKind::InvalidInput.into());
            }
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

impl Folder for Unpacked {
    fn entries(&mut self) -> Result<Vec<Entry>, ReadError> {
        let entry = |found: &Found| Entry {
            name: found.name.clone(),
            size: found.state.0,
        };
        Ok(self.files.iter().map(entry).collect())
    }

    fn open(&mut self, index: usize) -> Result<Box<dyn Read + Send + '_>, ReadError> {
        let found = self
            .files
            .get(index)
            .ok_or_else(|| ReadError::Read(io::Error::from(io::ErrorKind::NotFound)))?;
        let file = File::open(&found.path).map_err(ReadError::Read)?;
        Ok(Box::new(file))
    }
}

#[cfg(test)]
mod tests {
    use healthsync_core::report::Hint as _;

    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let files = walk(root).unwrap();
        files.into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn what_cannot_be_read_is_told_before_reading() {
        let folder = tempfile::tempdir().unwrap();
        let code = |path: &Path| open(path).err().unwrap().code();
        assert_eq!(code(&folder.path().join("none")), "READ_FAILED");
        #[cfg(unix)]
        assert_eq!(code(Path::new("/dev/null")), "NOT_AN_EXPORT");
    }

    #[test]
    fn a_folder_is_walked_without_following_links() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("b/c")).unwrap();
        fs::write(root.join("b/c/d.gpx"), "x").unwrap();
        fs::write(root.join("a.xml"), "yy").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc", root.join("etc")).unwrap();
        assert_eq!(names(root), ["a.xml", "b/c/d.gpx"]);
        let Ok(Input::Folder(mut unpacked)) = open(root) else {
            panic!("it is a folder");
        };
        let mut text = String::new();
        unpacked.open(0).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "yy");
        assert!(unpacked.open(2).is_err());
        let deep = root.join("1/2/3/4/5/6/7/8/9/10");
        fs::create_dir_all(deep).unwrap();
        assert_eq!(open(root).err().unwrap().code(), "NOT_AN_EXPORT");
    }

    #[test]
    fn whoever_writes_is_noticed() {
        use healthsync_core::store::{ImportOptions, Store};

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export.xml");
        let text = "<HealthData><ActivitySummary dateComponents=\"2024-06-15\" appleStandHours=\"12\"/>\
                    </HealthData>";
        let import = |root: &Path, change: bool| {
            fs::write(&path, text).unwrap();
            let input = open(root).unwrap();
            let options = ImportOptions {
                settled: Some(input.settled()),
                ..ImportOptions::default()
            };
            if change {
                fs::write(&path, format!("{text}\n")).unwrap();
            }
            let mut store = Store::in_memory().unwrap();
            let result = match input {
                Input::File { mut file, .. } => {
                    store.import("default", &mut file, None, &options, &mut |_| ())
                }
                Input::Folder(mut folder) => {
                    store.import_folder("default", &mut folder, &options, &mut |_| ())
                }
            };
            result.map_or_else(|failed| failed.code(), |_| "imported")
        };
        for root in [&*path, folder.path()] {
            assert_eq!(import(root, false), "imported");
            assert_eq!(import(root, true), "FILE_STILL_CHANGING");
        }
    }
}
