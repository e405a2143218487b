//! The file that a sync keeps: private, no link, and nobody else's at the moment.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use healthsync_core::{api::Code, replica::Mirror, report::Hint as _};

use crate::{
    config::make_private,
    error::CliError,
    output::{folder, is_regular_or_missing},
    settings::Settings,
};

/// A copy that is open, and the lock that keeps others away from it.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) path: PathBuf,
    pub(super) mirror: Mirror,
    _lock: fs::File,
}

impl Target {
    /// Opens the copy of a pair, or makes it.
    pub(super) fn open(
        to: Option<&Path>,
        pair: &str,
        settings: &Settings,
    ) -> Result<Self, CliError> {
        let path = if let Some(path) = to {
            path.to_owned()
        } else {
            let copies = settings.home.join("copies");
            make_private(&copies).map_err(|error| failed(&copies, error))?;
            copies.join(format!("{pair}.db"))
        };
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(CliError::usage(format!("{} names no file", path.display())));
        };
        if path.is_dir() {
            return Err(CliError::usage(format!("{} is a folder", path.display()))
                .with_hint("name a file: `healthsync sync --to FILE.db`"));
        }
        is_regular_or_missing(&path)?;
        let lock = folder(&path).join(format!(".{name}.lock"));
        is_regular_or_missing(&lock)?;
        let lock = private(&lock).map_err(|error| failed(&path, error))?;
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
        drop(private(&path).map_err(|error| failed(&path, error))?);
        let mirror = Mirror::open(&path).map_err(|error| {
            let code = error.code().parse().unwrap_or(Code::OutputFailed);
            CliError::new(code, format!("could not open {}", path.display())).because(error)
        })?;
        Ok(Self {
            path,
            mirror,
            _lock: lock,
        })
    }
}

/// Opens a file for its owner alone, or makes it.
fn private(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn failed(path: &Path, error: io::Error) -> CliError {
    CliError::new(
        Code::OutputFailed,
        format!("could not write {}", path.display()),
    )
    .because(error)
    .with_hint("check the folder and the free space, or name another file with `--to`")
}
