//! What went wrong, with its stable code, the exit code, and the next command to run.

use std::{error::Error as StdError, io};

use healthsync_core::{api::Code, report::Hint};
use healthsync_pairing::{
    code::CodeError, credentials::InvalidItem, enroll::client::EnrollError, invite::InviteError,
    keystore::KeyStoreError, tls::failure::Failure,
};

/// Any cause.
pub(crate) type Cause = Box<dyn StdError + Send + Sync>;

/// An error as a person or a script gets it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct CliError {
    message: String,
    code: &'static str,
    exit: u8,
    /// The exit code is the whole answer: nothing went wrong.
    answer: bool,
    hint: Option<String>,
    /// When the server says that trying again may help, in seconds.
    retry_after: Option<u64>,
    /// Whose side is at fault: `client`, `server` or `ca`.
    subject: Option<&'static str>,
    #[source]
    source: Option<Cause>,
}

impl CliError {
    /// An error of the common table, with its exit code and its advice.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: code.as_str(),
            exit: code.exit(),
            answer: false,
            hint: Some(code.advice().to_owned()),
            retry_after: None,
            subject: None,
            source: None,
        }
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// Adds why.
    pub(crate) fn because(mut self, cause: impl Into<Cause>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// An answer that is an exit code.
    pub(crate) fn answer(exit: u8) -> Self {
        Self {
            exit,
            answer: true,
            ..Self::new(Code::Usage, "")
        }
    }

    /// An answer that is the exit code of this error, which was told already; the record of what was
    /// done names its code.
    pub(crate) fn told(error: &Self) -> Self {
        Self {
            code: error.code,
            ..Self::answer(error.exit)
        }
    }

    /// The code to record; an answer that is an exit code alone has none.
    pub(crate) fn recorded(&self) -> Option<&'static str> {
        (!self.answer || self.code != Code::Usage.as_str()).then_some(self.code)
    }

    /// What answered knows no `healthsync-renew/1`.
    pub(crate) fn too_old_to_renew(failure: Failure) -> Self {
        Self::from(failure)
            .saying("the server does not renew certificates that have run out: it is older than this program, or another service answers at its address")
            .with_hint("update `healthsync-server` and run the command again; if it cannot be updated, pair again: `healthsync unpair`, then `healthsync scan`")
    }

    /// Whether there is nothing to tell.
    pub(crate) fn is_answer(&self) -> bool {
        self.answer
    }

    /// Replaces the exit code.
    pub(crate) fn exiting(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }

    /// Replaces the advice.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Replaces the message, where the common one is not about this.
    pub(crate) fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Adds when the server wants to be asked again.
    pub(crate) fn retrying_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Says what this error prevented; it becomes the first cause.
    pub(crate) fn within(self, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: self.code,
            exit: self.exit,
            answer: false,
            hint: self.hint.clone(),
            retry_after: self.retry_after,
            subject: self.subject,
            source: Some(Box::new(self)),
        }
    }

    /// Says whose side is at fault.
    fn about(mut self, subject: &'static str) -> Self {
        self.subject = Some(subject);
        self
    }

    /// The server refuses this computer's certificate as one that has run out.
    pub(crate) fn is_own_end(&self) -> bool {
        self.code == "CERT_HAS_EXPIRED" && self.subject == Some("client")
    }

    /// Whose side is at fault, if that is known: `client`, `server` or `ca`.
    pub(crate) fn subject(&self) -> Option<&'static str> {
        self.subject
    }

    /// The exit code of a command that ends with it.
    pub(crate) fn exit(&self) -> u8 {
        self.exit
    }

    /// In how many seconds the server wants to be asked again, if it said so.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// stdout was closed by its reader: nothing is wrong.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.source
            .as_deref()
            .and_then(|cause| cause.downcast_ref::<io::Error>())
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
            && self.code == Code::OutputFailed.as_str()
    }

    /// stdout could not be written.
    pub(crate) fn stdout(error: io::Error) -> Self {
        Self::new(Code::OutputFailed, "could not write to stdout").because(error)
    }

    /// Stopped by the person.
    pub(crate) fn interrupted() -> Self {
        Self::new(Code::Interrupted, "interrupted")
    }
}

impl Hint for CliError {
    fn code(&self) -> &'static str {
        self.code
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// Takes code and hint of an error of `pairing` over; its own message stays the first line.
fn passed_on(
    message: String,
    code: &'static str,
    hint: Option<String>,
    exit: u8,
    source: Option<Cause>,
) -> CliError {
    CliError {
        message,
        code,
        exit,
        answer: false,
        hint,
        retry_after: None,
        subject: None,
        source,
    }
}

/// An error whose text already stands in the line above: only its causes are told.
fn causes(error: &dyn StdError) -> Option<Cause> {
    let mut text = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let told = cause.to_string();
        // rustls explains a missing close_notify by an address of its own documentation.
        text.push(if told.contains("close_notify") {
            "the connection was closed".to_owned()
        } else {
            told
        });
        next = cause.source();
    }
    let mut chain: Option<Told> = None;
    for text in text.into_iter().rev() {
        chain = Some(Told {
            text,
            source: chain.map(Box::new),
        });
    }
    chain.map(Into::into)
}

/// One line of a chain, kept as text.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Told {
    text: String,
    #[source]
    source: Option<Box<Self>>,
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        let exit = if failure.is_unreachable() { 4 } else { 3 };
        passed_on(
            failure.message.clone(),
            failure.code,
            failure.hint(),
            exit,
            causes(&failure),
        )
        .about(failure.subject.as_str())
    }
}

impl From<EnrollError> for CliError {
    fn from(error: EnrollError) -> Self {
        let exit = if error.is_unreachable() { 4 } else { 3 };
        passed_on(
            error.to_string(),
            error.code(),
            error.hint(),
            exit,
            causes(&error),
        )
    }
}

impl From<InviteError> for CliError {
    fn from(error: InviteError) -> Self {
        passed_on(
            error.to_string(),
            error.code(),
            error.hint(),
            1,
            causes(&error),
        )
    }
}

impl From<CodeError> for CliError {
    fn from(error: CodeError) -> Self {
        passed_on(
            error.to_string(),
            error.code(),
            error.hint(),
            1,
            causes(&error),
        )
    }
}

impl From<KeyStoreError> for CliError {
    fn from(error: KeyStoreError) -> Self {
        let exit = if matches!(error, KeyStoreError::Unknown(_)) {
            2
        } else {
            1
        };
        passed_on(
            error.to_string(),
            error.code(),
            error.hint(),
            exit,
            causes(&error),
        )
    }
}

impl From<InvalidItem> for CliError {
    fn from(error: InvalidItem) -> Self {
        passed_on(
            error.to_string(),
            "KEY_STORE_DAMAGED",
            Some(Code::KeyMissing.advice().to_owned()),
            1,
            None,
        )
    }
}
