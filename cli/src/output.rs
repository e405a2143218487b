//! Where samples go: stdout, or a file that appears complete or not at all.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use healthsync_core::api::Code;
use healthsync_pairing::defence::{Defence, holds};
use tempfile::NamedTempFile;

use crate::error::CliError;

/// So many bytes are handed to the disk together.
const SHARE: u64 = 8 << 20;

/// An open destination. Dropped before [`Output::commit`], a file leaves nothing behind.
#[derive(Debug)]
pub(crate) enum Output {
    /// The process's stdout.
    Stdout,
    /// A file under a temporary name in the folder of its real one.
    File {
        /// The bytes so far.
        file: Box<NamedTempFile>,
        /// The name it gets.
        path: PathBuf,
        /// Whether it may replace a file.
        replace: bool,
        /// Bytes that were written.
        written: u64,
        /// Those of them that are on their way to the disk.
        begun: u64,
    },
}

impl Output {
    /// Opens the destination; `None` and `-` are stdout. Refuses what is there already unless
    /// `replace` says otherwise, and whatever is not a regular file in any case.
    pub(crate) fn open(path: Option<&Path>, replace: bool) -> Result<Self, CliError> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::Stdout);
        };
        let replace = replace || !holds(Defence::OutputNoClobber);
        if is_regular_or_missing(path)? && !replace {
            return Err(exists(path));
        }
        if path.file_name().is_none() {
            return Err(CliError::usage(format!("{} names no file", path.display())));
        }
        let file = tempfile::Builder::new()
            .prefix(".healthsync-")
            .suffix(".part")
            .tempfile_in(folder(path))
            .map_err(|error| failed(path, error))?;
        Ok(Self::File {
            file: Box::new(file),
            path: path.to_owned(),
            replace,
            written: 0,
            begun: 0,
        })
    }

    /// Where the file lies as long as it has not its name; `None` for stdout.
    pub(crate) fn file_path(&self) -> Option<&Path> {
        match self {
            Self::Stdout => None,
            Self::File { file, .. } => Some(file.path()),
        }
    }

    /// Adds bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        match self {
            Self::Stdout => io::stdout()
                .lock()
                .write_all(bytes)
                .map_err(CliError::stdout),
            Self::File {
                file,
                path,
                written,
                begun,
                ..
            } => {
                file.write_all(bytes).map_err(|error| failed(path, error))?;
                *written += u64::try_from(bytes.len()).unwrap_or_default();
                if *written - *begun >= SHARE {
                    begin_to_keep(file.as_file(), *begun, *written - *begun);
                    *begun = *written;
                }
                Ok(())
            }
        }
    }

    /// Makes the file appear under its name, with everything in it on the disk.
    pub(crate) fn commit(self) -> Result<(), CliError> {
        let (file, path, replace) = match self {
            Self::Stdout => return io::stdout().lock().flush().map_err(CliError::stdout),
            Self::File {
                file,
                path,
                replace,
                ..
            } => (file, path, replace),
        };
        file.as_file()
            .sync_all()
            .map_err(|error| failed(&path, error))?;
        let kept = if replace {
            file.persist(&path)
        } else {
            file.persist_noclobber(&path)
        };
        kept.map_err(|error| {
            if error.error.kind() == io::ErrorKind::AlreadyExists {
                exists(&path)
            } else {
                failed(&path, error.error)
            }
        })?;
        sync_folder(folder(&path));
        Ok(())
    }
}

/// Lets the system bring a part of the file to the disk meanwhile, so that the end, which waits for all of it, has
/// little to wait for. Whether it does is its own matter.
#[cfg(target_os = "linux")]
fn begin_to_keep(file: &fs::File, from: u64, length: u64) {
    use rustix::fs::{Advice, fadvise};

    // Pages that are on their way stay in memory; Linux begins to write them at this advice.
    let length = std::num::NonZeroU64::new(length);
    let _ = fadvise(file, from, length, Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
const fn begin_to_keep(_file: &fs::File, _from: u64, _length: u64) {}

/// Whether a regular file is there; what is neither that nor missing, as a link, is refused.
pub(crate) fn is_regular_or_missing(path: &Path) -> Result<bool, CliError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_file() && holds(Defence::OutputNoFollow) => {
            Err(CliError::new(
                Code::OutputExists,
                format!("{} is not a regular file", path.display()),
            )
            .with_hint("name a new file, or write to stdout: leave `--output` out"))
        }
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(path, error)),
    }
}

/// The folder in which `path` lies.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

/// Puts a rename on the disk; not every file system can, and then the rename has happened anyway.
pub(crate) fn sync_folder(folder: &Path) {
    if let Ok(folder) = fs::File::open(folder) {
        drop(folder.sync_all());
    }
}

fn exists(path: &Path) -> CliError {
    CliError::new(
        Code::OutputExists,
        format!("{} is there already", path.display()),
    )
    .with_hint("name another file with `--output`, or replace this one with `--force`")
}

fn failed(path: &Path, error: io::Error) -> CliError {
    CliError::new(
        Code::OutputFailed,
        format!("could not write {}", path.display()),
    )
    .because(error)
}

#[cfg(test)]
mod tests {
    use healthsync_core::report::Hint as _;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_at_the_end_or_never() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let mut output = Output::open(Some(&path), false).unwrap();
        output.write(b"half").unwrap();
        assert!(!path.exists());
        drop(output);
        assert!(names(folder.path()).is_empty());

        let mut output = Output::open(Some(&path), false).unwrap();
        output.write(b"whole").unwrap();
        output.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["a.csv"]);
    }

    #[test]
    fn nothing_is_overwritten_unless_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        // One that appears while the samples come in is as safe as one that was there before.
        let mut late = Output::open(Some(&path), false).unwrap();
        late.write(b"late").unwrap();
        fs::write(&path, "old").unwrap();
        assert_eq!(late.commit().unwrap_err().code(), "OUTPUT_EXISTS");
        assert_eq!(
            Output::open(Some(&path), false).unwrap_err().code(),
            "OUTPUT_EXISTS"
        );
        assert_eq!(fs::read(&path).unwrap(), b"old");

        let mut output = Output::open(Some(&path), true).unwrap();
        output.write(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        output.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a.csv"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_folders_are_refused_even_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::write(&target, "old").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let dangling = folder.path().join("dangling");
        std::os::unix::fs::symlink(folder.path().join("none"), &dangling).unwrap();
        for path in [&link, &dangling, &folder.path().to_owned()] {
            for replace in [false, true] {
                let error = Output::open(Some(path), replace).unwrap_err();
                assert_eq!(error.code(), "OUTPUT_EXISTS", "{path:?}");
            }
        }
        assert_eq!(fs::read(&target).unwrap(), b"old");
    }

    #[cfg(unix)]
    #[test]
    fn health_data_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        Output::open(Some(&path), false).unwrap().commit().unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_missing_folder_is_told_before_anything_is_fetched() {
        let folder = tempfile::tempdir().unwrap();
        let error = Output::open(Some(&folder.path().join("no/a.csv")), false).unwrap_err();
        assert_eq!(error.code(), "OUTPUT_FAILED");
    }
}
