//! `crl [NAME]`: certificate revocation lists, for verifiers other than this server.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use healthsync_core::report::{Hint, inert};
use healthsync_pairing::certificate::crl_from_pem;
use serde_json::json;

use crate::{
    args,
    control::{
        ControlError, client,
        protocol::{CrlLine, Reply, Request},
    },
    error::{ExitStatus, ServerError},
    settings::Settings,
};

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CrlFileError {
    /// It is there already.
    #[error("{0:?} exists already")]
    Exists(PathBuf),
    /// Another reason.
    #[error("could not write {0:?}")]
    Write(PathBuf, #[source] io::Error),
}

impl Hint for CrlFileError {
    fn code(&self) -> &'static str {
        match self {
            Self::Exists(_) => "OUTPUT_EXISTS",
            Self::Write(..) => "OUTPUT_FAILED",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Exists(_) => "name another file, or replace this one with `--force`".to_owned(),
            Self::Write(..) => "check the folder, its owner and the free space".to_owned(),
        })
    }
}

/// Writes the list of one pair, or of all, as PEM; that of one pair also as DER.
pub(super) async fn crl(settings: &Settings, args: args::Crl) -> Result<ExitStatus, ServerError> {
    let request = Request::Crl { name: args.name };
    let mut conversation = client::ask(&settings.folder, &settings.socket_homes, &request).await?;
    let printer = settings.printer;
    let mut lists: Vec<CrlLine> = Vec::new();
    loop {
        match conversation.next().await? {
            Reply::Crl(list) => lists.push(list),
            Reply::CrlMissing(pair) => printer.warning(&format!(
                "there is no revocation list of '{}' ({}), and nobody can sign one any more",
                inert(&pair.name),
                pair.pair
            )),
            Reply::Done => break,
            _ => return Err(ControlError::Unexpected.into()),
        }
    }
    if let Some(path) = &args.output {
        let pem: String = lists.iter().map(|list| &*list.pem).collect();
        let bytes = if args.der {
            crl_from_pem(&pem).map_err(|_| ControlError::Unexpected)?
        } else {
            pem.into_bytes()
        };
        write(path, &bytes, args.force)?;
    }
    for list in &lists {
        let mut event = json!({
            "event": "crl", "pair": list.pair, "name": list.name, "state": list.state,
        });
        match (&args.output, event.as_object_mut()) {
            (Some(path), Some(event)) => {
                event.insert("file".to_owned(), json!(path.display().to_string()));
            }
            (None, Some(event)) => {
                event.insert("pem".to_owned(), json!(list.pem));
            }
            (_, None) => {}
        }
        printer.event(&event, || match &args.output {
            Some(_) => String::new(),
            None => list.pem.clone(),
        })?;
    }
    if let Some(path) = &args.output {
        let what = match lists.len() {
            1 => "one revocation list".to_owned(),
            count => format!("{count} revocation lists"),
        };
        printer.note(&format!("Wrote {what} to {}.", path.display()));
    }
    Ok(ExitStatus::Success)
}

/// A new file beside, then in the place of the old one: it appears complete or not at all, and what
/// others have open or linked is not written to.
fn write(path: &Path, bytes: &[u8], force: bool) -> Result<(), CrlFileError> {
    let failed = |error| CrlFileError::Write(path.to_owned(), error);
    let make = |path: &Path| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    if !force {
        return make(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => CrlFileError::Exists(path.to_owned()),
            _ => failed(error),
        });
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    make(&beside)
        .and_then(|()| fs::rename(&beside, path))
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_only_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.crl");
        write(&path, b"one", false).unwrap();
        let refused = write(&path, b"two", false).unwrap_err();
        assert_eq!(refused.code(), "OUTPUT_EXISTS");
        assert_eq!(fs::read(&path).unwrap(), b"one");
        // Not through a link either: what it leads to stays.
        let link = folder.path().join("link.crl");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(write(&link, b"two", false).is_err());
        write(&link, b"two", true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read(&link).unwrap(), b"two");
        let nowhere = write(&folder.path().join("no/where"), b"x", true).unwrap_err();
        assert_eq!(nowhere.code(), "OUTPUT_FAILED");
    }
}
