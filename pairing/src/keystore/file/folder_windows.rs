//! The folder on disk. Windows protects it by the user's profile, in which it lies.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
};

use super::super::{KeyStoreError, StoreKind};

/// A folder in the user's profile.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens the folder, made if it is not there.
    pub(super) fn open(path: PathBuf) -> Result<Self, KeyStoreError> {
        fs::create_dir_all(&path).map_err(|error| failed(&path, &error))?;
        Ok(Self { path })
    }

    /// The file's content, or `None`.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, KeyStoreError> {
        let path = self.path.join(name);
        let mut content = Vec::new();
        match File::open(&path).and_then(|file| file.take(FILE_LIMIT).read_to_end(&mut content)) {
            Ok(_) => Ok(Some(content)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, &error)),
        }
    }

    /// Writes the file, in place of the one that is there.
    pub(super) fn replace(
        &self,
        name: &str,
        unique: [u8; 8],
        content: &[u8],
    ) -> Result<(), KeyStoreError> {
        let path = self.path.join(name);
        self.write_temporary(unique, content)
            .and_then(|temporary| fs::rename(temporary, &path))
            .map_err(|error| failed(&path, &error))
    }

    /// Writes the file; one that is there already stays.
    pub(super) fn create(
        &self,
        name: &str,
        unique: [u8; 8],
        content: &[u8],
    ) -> Result<(), KeyStoreError> {
        let path = self.path.join(name);
        let placed = self.write_temporary(unique, content).and_then(|temporary| {
            let linked = fs::hard_link(&temporary, &path);
            fs::remove_file(temporary)?;
            match linked {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                other => other,
            }
        });
        placed.map_err(|error| failed(&path, &error))
    }

    /// Deletes the file; `false` if there was none.
    pub(super) fn delete(&self, name: &str) -> Result<bool, KeyStoreError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(&path, &error)),
        }
    }

    /// The names of all files.
    pub(super) fn names(&self) -> Result<Vec<String>, KeyStoreError> {
        fs::read_dir(&self.path)
            .and_then(|folder| {
                folder
                    .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                    .collect()
            })
            .map_err(|error| failed(&self.path, &error))
    }

    fn write_temporary(&self, unique: [u8; 8], content: &[u8]) -> io::Result<PathBuf> {
        let name = format!(".new-{}", crate::id::hex(&unique));
        let path = self.path.join(name);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        if let Err(error) = file.write_all(content).and_then(|()| file.sync_all()) {
            drop(file);
            // The first error is the one to tell.
            let _ignored = fs::remove_file(&path);
            return Err(error);
        }
        Ok(path)
    }
}

fn failed(path: &Path, error: &io::Error) -> KeyStoreError {
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
