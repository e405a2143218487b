//! `server.json` in the data folder: what `start` decided once and later starts keep.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use healthsync_core::report::Hint;
use serde::{Deserialize, Serialize};

/// What the server remembers about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Name of the key store that holds the keys of the pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_store: Option<String>,
    /// Name of the server, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Nothing is read until `resume`, also after a restart.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

/// The data folder and what stands where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFolder {
    path: PathBuf,
}

/// Why the data folder or its configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The folder.
    #[error("could not make the data folder {0:?}")]
    Folder(PathBuf, #[source] io::Error),
    /// Another server works on it.
    #[error("a server is already running on {0:?}")]
    AlreadyRunning(PathBuf),
    /// The file cannot be read.
    #[error("could not read {0:?}")]
    Read(PathBuf, #[source] io::Error),
    /// The file is no configuration.
    #[error("{0:?} is not a configuration of healthsync-server")]
    Malformed(PathBuf, #[source] serde_json::Error),
    /// The file cannot be written.
    #[error("could not write {0:?}")]
    Write(PathBuf, #[source] io::Error),
    /// Pairs have their keys in another store.
    #[error(
        "the keys of {pairs} paired devices rest in the key store {recorded:?}, not in {named:?}"
    )]
    OtherKeyStore {
        /// How many.
        pairs: usize,
        /// Where they are.
        recorded: String,
        /// What was asked for.
        named: String,
    },
}

impl Hint for ConfigError {
    fn code(&self) -> &'static str {
        match self {
            Self::Folder(..) => "DATA_FOLDER_FAILED",
            Self::AlreadyRunning(_) => "ALREADY_RUNNING",
            Self::Read(..) | Self::Malformed(..) | Self::Write(..) => "CONFIG_FAILED",
            Self::OtherKeyStore { .. } => "KEY_STORE_DIFFERS",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Folder(..) => Some("name another folder with `--data-dir`".to_owned()),
            Self::AlreadyRunning(_) => Some(
                "use it (`healthsync-server status`), or name another folder with `--data-dir`"
                    .to_owned(),
            ),
            Self::Malformed(path, _) => Some(format!(
                "move {} away, then name the key store with `healthsync-server start --key-store`",
                path.display()
            )),
            Self::OtherKeyStore { recorded, .. } => Some(format!(
                "start with `--key-store {recorded}`, or revoke these devices first (`healthsync-server revoke`)"
            )),
            Self::Read(..) | Self::Write(..) => None,
        }
    }
}

/// Proof that this process alone serves the folder; ends with the process, however it ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl DataFolder {
    /// Names the folder, makes nothing.
    pub const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The samples.
    pub fn health_db(&self) -> PathBuf {
        self.path.join("health.db")
    }

    /// Batches of samples that are encoded already; never the only place of anything.
    pub fn packs_db(&self) -> PathBuf {
        self.path.join("packs.db")
    }

    /// The device records.
    pub fn trust_db(&self) -> PathBuf {
        self.path.join("trust.db")
    }

    /// Where the file key store keeps its items, if it was chosen.
    pub fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }

    /// Makes the folder (0700) if it is missing, and closes it to others if it is ours.
    pub fn prepare(&self) -> Result<(), ConfigError> {
        use std::os::unix::fs::DirBuilderExt as _;

        let failed = |error| ConfigError::Folder(self.path.clone(), error);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .map_err(failed)?;
        let metadata = fs::metadata(&self.path).map_err(failed)?;
        if !metadata.is_dir() {
            return Err(failed(io::Error::from(io::ErrorKind::NotADirectory)));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(&self.path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        }
        Ok(())
    }

    /// Takes the folder for one server.
    pub fn lock(&self) -> Result<FolderLock, ConfigError> {
        let path = self.path.join("server.lock");
        let failed = |error| ConfigError::Write(path.clone(), error);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock { _file: file }),
            Err(fs::TryLockError::WouldBlock) => {
                Err(ConfigError::AlreadyRunning(self.path.clone()))
            }
            Err(fs::TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Reads `server.json`; none yet is the empty configuration.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let path = self.config_path();
        match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| ConfigError::Malformed(path, error))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Config::default()),
            Err(error) => Err(ConfigError::Read(path, error)),
        }
    }

    /// Writes `server.json` whole: a new file takes the place of the old one.
    pub fn save(&self, config: &Config) -> Result<(), ConfigError> {
        let path = self.config_path();
        let failed = |error| ConfigError::Write(path.clone(), error);
        let mut text = serde_json::to_vec_pretty(config)
            .map_err(io::Error::from)
            .map_err(failed)?;
        text.push(b'\n');
        let temporary = self.path.join(".server.json.new");
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| {
                file.write_all(&text)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(failed)
    }

    fn config_path(&self) -> PathBuf {
        self.path.join("server.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_survives_and_is_private() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(home.path().join("a/b"));
        folder.prepare().unwrap();
        assert_eq!(folder.config().unwrap(), Config::default());
        let config = Config {
            key_store: Some("file".to_owned()),
            name: None,
            paused: true,
        };
        folder.save(&config).unwrap();
        folder.save(&config).unwrap();
        assert_eq!(folder.config().unwrap(), config);
        for path in [folder.path().to_owned(), folder.config_path()] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0);
        }
        fs::write(folder.config_path(), "{").unwrap();
        assert_eq!(folder.config().unwrap_err().code(), "CONFIG_FAILED");
    }

    #[test]
    fn folder_has_one_server() {
        let home = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(home.path().to_owned());
        let lock = folder.lock().unwrap();
        assert_eq!(folder.lock().unwrap_err().code(), "ALREADY_RUNNING");
        drop(lock);
        folder.lock().unwrap();
    }
}
