//! Everything that can go wrong in a command, with its stable code, its next step and its exit code.

use std::{error::Error, fmt, io, path::PathBuf};

use healthsync_core::{
    api::Code, kind::UnknownKind, report::Hint, store::StoreError, time::InvalidTime,
};
use healthsync_pairing::{keystore::KeyStoreError, trust::TrustError};

use crate::{
    addresses::NoAddress, config::ConfigError, control::ControlError, listen::ListenError,
    passphrase::PassphraseError, present::PresentError, settings::SettingsError,
};

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Done.
    Success,
    /// It failed; the reason was told.
    Failed,
    /// The command line was wrong.
    Usage,
    /// No server could be reached.
    NotReachable,
    /// Interrupted by a person.
    Interrupted,
}

impl ExitStatus {
    /// The number for the system.
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotReachable => 4,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No address that a device could dial.
    #[error(transparent)]
    Address(#[from] NoAddress),
    /// The audit log can only be checked with its key.
    #[error("the audit log can only be checked with its key, which the running server holds")]
    AuditKeyNeeded,
    /// The server's own configuration file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A file could not be imported.
    #[error(transparent)]
    Import(#[from] crate::commands::import::ImportError),
    /// A folder could not be watched.
    #[error(transparent)]
    Watch(#[from] crate::commands::watch::WatchError),
    /// A revocation list could not be written.
    #[error(transparent)]
    CrlFile(#[from] crate::commands::crl::CrlFileError),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The key store.
    #[error(transparent)]
    KeyStore(#[from] KeyStoreError),
    /// The server could not listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A question that nobody can answer.
    #[error("nobody can be asked whether every device is to be revoked")]
    NobodyToAsk,
    /// Digits that are not six.
    #[error("that is not a number of six digits")]
    NotSixDigits,
    /// Standard output.
    #[error("could not write the output")]
    Output(#[source] io::Error),
    /// The passphrase of the file key store.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// A pairing code among the arguments.
    #[error("a pairing code on the command line is visible to every user of this computer")]
    PairingCodeInArguments,
    /// A passphrase among the arguments.
    #[error("a passphrase on the command line is visible to every user of this computer")]
    PassphraseInArguments,
    /// The pairing screen.
    #[error(transparent)]
    Present(#[from] PresentError),
    /// The running server refused.
    #[error(transparent)]
    Remote(#[from] Told),
    /// The runtime could not start.
    #[error("could not start the runtime")]
    Runtime(#[source] io::Error),
    /// Arguments and environment do not make settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The store.
    #[error("could not use the store {path:?}", path = .0)]
    Store(PathBuf, #[source] StoreError),
    /// Not a time.
    #[error(transparent)]
    Time(#[from] InvalidTime),
    /// Device records.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A type that nobody knows.
    #[error(transparent)]
    UnknownType(#[from] UnknownKind),
}

impl ServerError {
    /// What the process tells the system.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitStatus::Success,
            Self::Interrupted => ExitStatus::Interrupted,
            Self::KeyStore(KeyStoreError::Unknown(_))
            | Self::NobodyToAsk
            | Self::NotSixDigits
            | Self::PairingCodeInArguments
            | Self::PassphraseInArguments
            | Self::Settings(_)
            | Self::Time(_) => ExitStatus::Usage,
            Self::AuditKeyNeeded => ExitStatus::NotReachable,
            Self::Control(error) if error.is_unreachable() => ExitStatus::NotReachable,
            _ => ExitStatus::Failed,
        }
    }
}

impl Hint for ServerError {
    fn code(&self) -> &'static str {
        match self {
            Self::Address(error) => error.code(),
            Self::AuditKeyNeeded => "SERVER_NOT_RUNNING",
            Self::Config(error) => error.code(),
            Self::Control(error) => error.code(),
            Self::Import(error) => error.code(),
            Self::Watch(error) => error.code(),
            Self::CrlFile(error) => error.code(),
            Self::Interrupted => Code::Interrupted.as_str(),
            Self::KeyStore(error) => error.code(),
            Self::Listen(error) => error.code(),
            Self::NobodyToAsk | Self::NotSixDigits => Code::Usage.as_str(),
            Self::Output(_) => Code::OutputFailed.as_str(),
            Self::PairingCodeInArguments | Self::PassphraseInArguments => {
                Code::SecretInArgv.as_str()
            }
            Self::Passphrase(error) => error.code(),
            Self::Present(error) => error.code(),
            // Remote codes are kept as text; see `stable_code`.
            Self::Remote(_) => "REMOTE",
            Self::Runtime(_) => "RUNTIME_FAILED",
            Self::Settings(error) => error.code(),
            Self::Store(_, error) => error.code(),
            Self::Time(_) => Code::InvalidRange.as_str(),
            Self::Trust(error) => error.code(),
            Self::UnknownType(_) => Code::UnknownType.as_str(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Address(error) => error.hint(),
            Self::AuditKeyNeeded => Some(
                "start it with `healthsync-server start`; `healthsync-server audit` lists the entries \
                 without it"
                    .to_owned(),
            ),
            Self::Config(error) => error.hint(),
            Self::Control(error) => error.hint(),
            Self::CrlFile(error) => error.hint(),
            Self::Import(error) => error.hint(),
            Self::Watch(error) => error.hint(),
            Self::NobodyToAsk => Some("add `--yes`: `healthsync-server reset --yes`".to_owned()),
            Self::KeyStore(error) => error.hint(),
            Self::Listen(error) => error.hint(),
            Self::NotSixDigits => Some(
                "type them as the device shows them: `healthsync-server approve 123456`".to_owned(),
            ),
            Self::Passphrase(error) => error.hint(),
            Self::PairingCodeInArguments => Some(
                "give it to `healthsync scan` at its prompt, or by `healthsync scan --text -`"
                    .to_owned(),
            ),
            Self::PassphraseInArguments => Some(
                "type it at the prompt, or let `HEALTHSYNC_PASSPHRASE_FILE` name a file that only you can read"
                    .to_owned(),
            ),
            Self::Present(error) => error.hint(),
            Self::Remote(told) => told.hint.clone(),
            Self::Settings(error) => error.hint(),
            Self::Store(_, error) => error.hint(),
            Self::Time(_) => Some(
                "write it as 2026-01-07, 2026-01-07T10:00, `today` or `yesterday`".to_owned(),
            ),
            Self::Trust(error) => error.hint(),
            Self::UnknownType(unknown) => Some(match &unknown.nearest {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "name a type as `healthsync types` lists it".to_owned(),
            }),
            Self::Interrupted => Some(Code::Interrupted.advice().to_owned()),
            Self::Output(_) | Self::Runtime(_) => None,
        }
    }
}

impl ServerError {
    /// The stable code, the running server's own where the error came from it.
    pub fn stable_code(&self) -> &str {
        match self {
            Self::Remote(told) => &told.code,
            other => other.code(),
        }
    }
}

/// An error that crossed the control socket: its message, its causes, its code and its hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What failed.
    pub message: String,
    /// Stable word.
    pub code: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Why, as a chain.
    pub source: Option<Box<Self>>,
}

impl Told {
    /// Takes an error apart so that it can be sent.
    pub fn new(error: &dyn Error, code: &str, hint: Option<String>) -> Self {
        Self {
            message: error.to_string(),
            code: code.to_owned(),
            hint,
            source: error
                .source()
                .map(|source| Box::new(Self::new(source, code, None))),
        }
    }

    /// Messages of the chain, the outermost not included.
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = self.source.as_deref();
        while let Some(told) = next {
            causes.push(told.message.clone());
            next = told.source.as_deref();
        }
        causes
    }

    /// Puts an error together again.
    pub fn from_parts(
        code: String,
        message: String,
        hint: Option<String>,
        causes: Vec<String>,
    ) -> Self {
        let source = causes.into_iter().rev().fold(None, |source, message| {
            Some(Box::new(Self {
                message,
                code: code.clone(),
                hint: None,
                source,
            }))
        });
        Self {
            message,
            code,
            hint,
            source,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Told {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| {
            let source: &(dyn Error + 'static) = source;
            source
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_error_keeps_its_chain() {
        let told = Told::from_parts(
            "X".to_owned(),
            "outer".to_owned(),
            Some("do this".to_owned()),
            vec!["middle".to_owned(), "inner".to_owned()],
        );
        assert_eq!(told.causes(), ["middle", "inner"]);
        assert_eq!(Told::new(&told, "X", told.hint.clone()), told);
    }

    #[test]
    fn broken_pipe_is_success() {
        let error = ServerError::Output(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(error.exit_status().code(), 0);
        let error = ServerError::Output(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(error.exit_status().code(), 1);
        assert_eq!(ServerError::Interrupted.exit_status().code(), 130);
    }
}
