//! The folder on disk: private, no links, and each file complete or not there at all.

use std::{
    fs::{DirBuilder, File},
    io::{self, Read as _, Write as _},
    os::{fd::OwnedFd, unix::fs::DirBuilderExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, FileType, FlockOperation, Mode, OFlags},
    io::Errno,
};

use super::super::{KeyStoreError, StoreKind};
use crate::defence::{Defence, holds};

/// An open folder; all names in it are relative to the handle, so nothing can be moved in between.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    handle: OwnedFd,
}

impl Folder {
    /// Opens the folder, made 0700 if it is not there.
    pub(super) fn open(path: PathBuf) -> Result<Self, KeyStoreError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|error| failed(&path, error))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle =
            rustix::fs::open(&path, flags, Mode::empty()).map_err(|error| match error {
                // What Linux and macOS say of a link here.
                Errno::LOOP | Errno::NOTDIR => denied(format!("{} is a link", path.display())),
                other => failed(&path, other),
            })?;
        check_private(&path, &handle)?;
        Ok(Self { path, handle })
    }

    /// The file's content, or `None`.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, KeyStoreError> {
        let path = self.path.join(name);
        // Not blocking, so that a pipe in place of the file is seen and not waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.handle, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(denied(format!("{} is a link", path.display()))),
            Err(Errno::ACCESS) => {
                return Err(denied(format!("{} cannot be read", path.display())));
            }
            Err(error) => return Err(failed(&path, error)),
        };
        let kind = check_private(&path, &file)?;
        if kind != FileType::RegularFile {
            return Err(denied(format!("{} is not a file", path.display())));
        }
        let mut content = Vec::new();
        File::from(file)
            .take(FILE_LIMIT)
            .read_to_end(&mut content)
            .map_err(|error| failed(&path, error))?;
        Ok(Some(content))
    }

    /// Writes the file, in place of the one that is there.
    pub(super) fn replace(
        &self,
        name: &str,
        unique: [u8; 8],
        content: &[u8],
    ) -> Result<(), KeyStoreError> {
        self.write_temporary(unique, content, |temporary| {
            rustix::fs::renameat(&self.handle, temporary, &self.handle, name)
        })
        .map_err(|error| failed(&self.path.join(name), error))
    }

    /// Writes the file; one that is there already stays.
    pub(super) fn create(
        &self,
        name: &str,
        unique: [u8; 8],
        content: &[u8],
    ) -> Result<(), KeyStoreError> {
        self.write_temporary(unique, content, |temporary| {
            let linked = rustix::fs::linkat(
                &self.handle,
                temporary,
                &self.handle,
                name,
                AtFlags::empty(),
            );
            rustix::fs::unlinkat(&self.handle, temporary, AtFlags::empty())?;
            match linked {
                Err(Errno::EXIST) => Ok(()),
                other => other,
            }
        })
        .map_err(|error| failed(&self.path.join(name), error))
    }

    /// Deletes the file; `false` if there was none.
    pub(super) fn delete(&self, name: &str) -> Result<bool, KeyStoreError> {
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()) {
            Ok(()) => rustix::fs::fsync(&self.handle)
                .map(|()| true)
                .map_err(|error| failed(&self.path, error)),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(failed(&self.path.join(name), error)),
        }
    }

    /// The names of all files.
    pub(super) fn names(&self) -> Result<Vec<String>, KeyStoreError> {
        rustix::fs::Dir::read_from(&self.handle)
            .and_then(|folder| {
                folder
                    .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                    .collect()
            })
            .map_err(|error| failed(&self.path, error))
    }

    fn write_temporary(
        &self,
        unique: [u8; 8],
        content: &[u8],
        place: impl FnOnce(&str) -> rustix::io::Result<()>,
    ) -> io::Result<()> {
        self.sweep();
        // Held until the file has its name, so that nobody sweeps it away.
        let _shared = self.lock(FlockOperation::NonBlockingLockShared);
        let name = format!("{TEMPORARY}{}", crate::id::hex(&unique));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = if holds(Defence::KeyFilePrivate) {
            Mode::RUSR | Mode::WUSR
        } else {
            Mode::from_raw_mode(0o644)
        };
        let file = rustix::fs::openat(&self.handle, &name, flags, mode)?;
        let mut file = File::from(file);
        let placed = file
            .write_all(content)
            .and_then(|()| file.sync_all())
            .and_then(|()| Ok(place(&name)?));
        if placed.is_err() {
            // The first error is the one to tell; the rest is swept at the next write.
            let _ignored = rustix::fs::unlinkat(&self.handle, &name, AtFlags::empty());
        }
        placed?;
        Ok(rustix::fs::fsync(&self.handle)?)
    }

    /// Removes what a killed process left, if nobody writes now.
    fn sweep(&self) {
        let Some(_alone) = self.lock(FlockOperation::NonBlockingLockExclusive) else {
            return;
        };
        for name in self.names().unwrap_or_default() {
            if name.starts_with(TEMPORARY) {
                let _ignored = rustix::fs::unlinkat(&self.handle, &name, AtFlags::empty());
            }
        }
    }

    /// A lock on the folder until it is dropped; `None` if it is taken, or the file system has none.
    fn lock(&self, operation: FlockOperation) -> Option<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(&self.handle, ".", flags, Mode::empty()).ok()?;
        rustix::fs::flock(&handle, operation).ok()?;
        Some(handle)
    }
}

/// Ours, and nobody else may read or write it.
fn check_private(path: &Path, handle: &OwnedFd) -> Result<FileType, KeyStoreError> {
    let found = rustix::fs::fstat(handle).map_err(|error| failed(path, error))?;
    let mode = Mode::from_raw_mode(found.st_mode);
    if found.st_uid != rustix::process::geteuid().as_raw() {
        return Err(denied(format!(
            "{} belongs to another user",
            path.display()
        )));
    }
    if mode.intersects(Mode::RWXG | Mode::RWXO) {
        return Err(denied(format!(
            "{} is open to other users (mode {:o})",
            path.display(),
            mode.as_raw_mode() & 0o777
        )));
    }
    Ok(FileType::from_raw_mode(found.st_mode))
}

fn denied(reason: String) -> KeyStoreError {
    KeyStoreError::Denied {
        store: StoreKind::File,
        reason,
        source: None,
    }
}

fn failed(path: &Path, error: impl Into<io::Error>) -> KeyStoreError {
    let error = error.into();
    KeyStoreError::Failed {
        store: StoreKind::File,
        source: Box::new(io::Error::new(
            error.kind(),
            format!("{}: {error}", path.display()),
        )),
    }
}

/// No file of ours is larger.
const FILE_LIMIT: u64 = 64 * 1024;

/// How the names of unfinished files begin.
const TEMPORARY: &str = ".new-";
