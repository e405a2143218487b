//! What a sync keeps: private, no link, and nobody else's at the moment.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use healthsync_core::{api::Code, replica::Mirror, report::Hint as _};

use super::folder::Folder;
use crate::{
    args::Sync,
    config::make_private,
    error::CliError,
    output::{folder, is_regular_or_missing},
    settings::{Settings, Trial},
};

/// A copy that is open, and the lock that keeps others away from it.
#[derive(Debug)]
pub(super) struct Target {
    /// The file, or the folder.
    pub(super) path: PathBuf,
    pub(super) mirror: Mirror,
    folder: Option<Folder>,
    _lock: fs::File,
}

impl Target {
    /// Opens the copy of a pair, or makes it.
    pub(super) fn open(sync: &Sync, pair: &str, settings: &Settings) -> Result<Self, CliError> {
        let Some(to) = sync.to.as_deref() else {
            let copies = settings.home.join("copies");
            make_private(&copies).map_err(|error| failed(&copies, error))?;
            return Self::file(copies.join(format!("{pair}.db")));
        };
        if !Folder::is_meant(to, sync.format) {
            return Self::file(to.to_owned());
        }
        let path = Folder::make(to)?;
        let mut target = Self::file(Folder::copy(&path))?;
        target.folder = Some(Folder::open(&path, &mut target.mirror, sync.format)?);
        target.path = path;
        Ok(target)
    }

    /// Brings the files of a folder to what the rows are; gives how many were changed. `None`: it is
    /// no folder.
    pub(super) fn write_files(&mut self, trial: &mut Trial) -> Result<Option<u64>, CliError> {
        let folder = self.folder.as_ref();
        let files = folder.map(|folder| folder.write(&mut self.mirror, trial));
        files.transpose()
    }

    fn file(path: PathBuf) -> Result<Self, CliError> {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(CliError::usage(format!("{} names no file", path.display())));
        };
        is_regular_or_missing(&path)?;
        let lock = folder(&path).join(format!(".{name}.lock"));
        is_regular_or_missing(&lock)?;
        let lock = private(&lock).map_err(|error| failed(&path, error))?.file;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(CliError::new(
                    Code::SyncRunning,
                    format!("another process keeps {}", path.display()),
                ));
            }
            Err(fs::TryLockError::Error(error)) => return Err(failed(&path, error)),
        }
        // SQLite keeps what is not yet in the file beside it.
        let mut kept = vec![path.clone()];
        for suffix in ["-wal", "-shm", "-journal"] {
            let beside = path.with_file_name(format!("{name}{suffix}"));
            if is_regular_or_missing(&beside)? {
                kept.push(beside);
            }
        }
        let kept = kept.into_iter().map(|path| {
            let was = private(&path).map_err(|error| failed(&path, error))?.was;
            Ok((path, was))
        });
        let kept = kept.collect::<Result<Vec<_>, CliError>>()?;
        let mirror = Mirror::open(&path).map_err(|error| {
            // What is no copy is nothing of ours.
            for (path, was) in kept {
                if let Err(error) = set_back(&path, was) {
                    return failed(&path, error);
                }
            }
            let code = error.code().parse().unwrap_or(Code::OutputFailed);
            CliError::new(code, format!("could not open {}", path.display())).because(error)
        })?;
        Ok(Self {
            path,
            mirror,
            folder: None,
            _lock: lock,
        })
    }
}

/// A file that only its owner may open.
#[derive(Debug)]
struct Private {
    file: fs::File,
    /// Who might open it before.
    was: fs::Permissions,
}

/// Opens a file, or makes it, and keeps everybody but its owner out; never through a link.
fn private(path: &Path) -> io::Result<Private> {
    let mut options = no_link();
    options.write(true).create(true).truncate(false);
    let file = options.open(path)?;
    let was = file.metadata()?.permissions();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if was.mode() & 0o777 != 0o600 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(Private { file, was })
}

fn set_back(path: &Path, permissions: fs::Permissions) -> io::Result<()> {
    let file = match no_link().write(true).open(path) {
        // SQLite takes away what it needs no more.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    if file.metadata()?.permissions() == permissions {
        return Ok(());
    }
    file.set_permissions(permissions)
}

/// What is a link by now is not followed.
pub(super) fn no_link() -> fs::OpenOptions {
    let options = fs::File::options();
    #[cfg(unix)]
    let options = {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let mut options = options;
        options.mode(0o600);
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
        options
    };
    options
}

pub(super) fn failed(path: &Path, error: io::Error) -> CliError {
    CliError::new(
        Code::OutputFailed,
        format!("could not write {}", path.display()),
    )
    .because(error)
    .with_hint("check the folder and the free space, or name another file with `--to`")
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "mine").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        symlink(&file, &link).unwrap();
        assert!(private(&link).is_err());
        assert!(Mirror::open(&link).is_err());
        let was = private(&file).unwrap().was;
        let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        set_back(&file, was.clone()).unwrap();
        assert_eq!(mode(), 0o644);
        set_back(&folder.path().join("gone"), was).unwrap();
    }
}
