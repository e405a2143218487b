//! The passphrase of the file key store: from the file that the environment names, else from the
//! terminal, else an error. Never from the command line.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use healthsync_core::{api::Code, report::Hint};
use healthsync_pairing::{keystore::KeyStoreError, secret::Secret};

/// Longer than any passphrase; a mistaken file is noticed.
const LONGEST: u64 = 1024;

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// The file cannot be read.
    #[error("could not read the passphrase file {0:?}")]
    Read(std::path::PathBuf, #[source] io::Error),
    /// Others can read it, or it is no regular file.
    #[error("the passphrase file {0:?} must be a regular file that only you can read")]
    Open(std::path::PathBuf),
    /// Nothing in it, or far too much.
    #[error("the passphrase file {0:?} does not hold a passphrase")]
    Content(std::path::PathBuf),
    /// The two entries differ.
    #[error("the two passphrases differ")]
    Differ,
}

impl Hint for PassphraseError {
    fn code(&self) -> &'static str {
        match self {
            Self::Differ => "PASSPHRASES_DIFFER",
            Self::Read(..) | Self::Open(_) | Self::Content(_) => Code::PassphraseFile.as_str(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Differ => Some("run the command again".to_owned()),
            Self::Open(path) => Some(format!("run `chmod 600 {}`", path.display())),
            Self::Read(..) | Self::Content(_) => Some(Code::PassphraseFile.advice().to_owned()),
        }
    }
}

/// Reads the passphrase file.
pub fn from_file(path: &Path) -> Result<Secret, PassphraseError> {
    let failed = |error| PassphraseError::Read(path.to_owned(), error);
    let mut file = fs::OpenOptions::new()
        .read(true)
        // A pipe without a writer would wait for ever.
        .custom_flags(i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0))
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() || metadata.mode() & 0o077 != 0 {
        return Err(PassphraseError::Open(path.to_owned()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(LONGEST).unwrap_or(0));
    (&mut file)
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() > usize::try_from(LONGEST).unwrap_or(usize::MAX) {
        return Err(PassphraseError::Content(path.to_owned()));
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    if bytes.is_empty() {
        return Err(PassphraseError::Content(path.to_owned()));
    }
    Ok(Secret::new(bytes))
}

/// Asks on the terminal, twice for a new store.
pub fn from_terminal(is_new: bool) -> Result<Result<Secret, PassphraseError>, KeyStoreError> {
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt)
            .map(|text| Secret::new(text.into_bytes()))
            .map_err(|_| KeyStoreError::PassphraseNeeded)
    };
    if !is_new {
        return ask("Passphrase of the key store: ").map(Ok);
    }
    let first = ask("New passphrase for the key store: ")?;
    let second = ask("The same again: ")?;
    Ok(if first.expose() == second.expose() {
        Ok(first)
    } else {
        Err(PassphraseError::Differ)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// The passphrase in a file of this content and mode, or the code of the refusal.
    fn check(content: &[u8], mode: u32) -> (Vec<u8>, &'static str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        match from_file(&path) {
            Ok(secret) => (secret.expose().to_vec(), ""),
            Err(error) => (Vec::new(), error.code()),
        }
    }

    #[test]
    fn one_line_of_a_private_file_is_a_passphrase() {
        assert_eq!(
            check(b"secret words\n", 0o600),
            (b"secret words".to_vec(), "")
        );
        assert_eq!(
            check(b"secret words\r\n", 0o400),
            (b"secret words".to_vec(), "")
        );
        assert_eq!(
            check(b"secret words", 0o600),
            (b"secret words".to_vec(), "")
        );
        for (content, mode) in [
            (&b"\n"[..], 0o600),
            (b"", 0o600),
            (b"x", 0o640),
            (&[b'x'; 1025], 0o600),
        ] {
            assert_eq!(check(content, mode).1, "PASSPHRASE_FILE", "{mode:o}");
        }
        assert_eq!(
            from_file(Path::new("/dev/null")).unwrap_err().code(),
            "PASSPHRASE_FILE"
        );
    }
}
