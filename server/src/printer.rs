//! The only place that prints: data on stdout, all else on stderr.

use std::{
    error::Error,
    io::{self, IsTerminal as _, Write as _},
    path::Path,
};

use healthsync_core::{api::Code, report};
use serde::Serialize;

use crate::error::ServerError;

/// How a command talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Printer {
    /// One JSON object a line.
    json: bool,
    /// Only data and errors.
    quiet: bool,
}

impl Printer {
    /// A printer; `json` wins over `quiet`.
    pub const fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// Whether data goes out as JSON.
    pub const fn is_json(self) -> bool {
        self.json
    }

    /// Whether notes and progress are wanted.
    pub const fn is_talkative(self) -> bool {
        !self.json && !self.quiet
    }

    /// Whether a person sits at the other end of standard input and output.
    pub fn is_interactive(self) -> bool {
        !self.json && io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// Whether a picture made of characters can be seen.
    pub fn shows_pictures(self) -> bool {
        !self.json && io::stdout().is_terminal()
    }

    /// One event: a line of JSON with `--json`, else the text that `human` makes (nothing if empty).
    pub fn event<T: Serialize>(
        self,
        event: &T,
        human: impl FnOnce() -> String,
    ) -> Result<(), ServerError> {
        let line = if self.json {
            serde_json::to_string(event)
                .map_err(io::Error::from)
                .map_err(ServerError::Output)?
        } else {
            human()
        };
        self.line(&line)
    }

    /// A line of data on stdout (nothing if empty).
    #[expect(clippy::unused_self, reason = "whoever prints has a printer")]
    pub fn line(self, line: &str) -> Result<(), ServerError> {
        if line.is_empty() {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(line.as_bytes())
            .and_then(|()| {
                if line.ends_with('\n') {
                    Ok(())
                } else {
                    out.write_all(b"\n")
                }
            })
            .and_then(|()| out.flush())
            .map_err(ServerError::Output)
    }

    /// Text on stdout without a line break: the prompt.
    #[expect(clippy::unused_self, reason = "whoever prints has a printer")]
    pub fn prompt(self, text: &str) -> Result<(), ServerError> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(ServerError::Output)
    }

    /// A remark on stderr; a lost one is no failure.
    pub fn note(self, text: &str) {
        if self.is_talkative() {
            warn_of(writeln!(io::stderr().lock(), "{text}"));
        }
    }

    /// A remark on stderr that also `--quiet` shows.
    pub fn warning(self, text: &str) {
        if !self.json {
            warn_of(writeln!(io::stderr().lock(), "warning: {text}"));
        }
    }

    /// The error that ends the command: with `--json` the last line of stdout, else on stderr.
    pub fn error(self, error: &ServerError) {
        use healthsync_core::report::Hint as _;

        let hint = error.hint();
        self.failure(error, error.stable_code(), hint.as_deref());
    }

    /// One of several files that could not be used; the others go on. With `--json` the event
    /// `failed`, else what would end the command, on stderr.
    pub fn failed_file<E: report::Hint>(self, file: &Path, error: &E) -> Result<(), ServerError> {
        let hint = error.hint();
        if !self.json {
            self.failure(error, error.code(), hint.as_deref());
            return Ok(());
        }
        let told = report::json(error, error.code(), hint.as_deref());
        let mut told: serde_json::Value = serde_json::from_str(&told)
            .map_err(io::Error::from)
            .map_err(ServerError::Output)?;
        if let Some(fields) = told.as_object_mut() {
            fields.insert("event".to_owned(), "failed".into());
            fields.insert("file".to_owned(), file.display().to_string().into());
        }
        self.line(&told.to_string())
    }

    /// A mistake on the command line.
    pub fn usage(self, message: &str, hint: &str) {
        let error = io::Error::other(message.to_owned());
        self.failure(&error, Code::Usage.as_str(), Some(hint));
    }

    fn failure(self, error: &dyn Error, code: &str, hint: Option<&str>) {
        if self.json {
            let line = report::json(error, code, hint);
            warn_of(writeln!(io::stdout().lock(), "{}", line.trim_end()));
        } else {
            let text = report::render(error, code, hint);
            warn_of(writeln!(io::stderr().lock(), "{}", text.trim_end()));
        }
    }
}

/// A message that cannot be shown has no better place to go.
fn warn_of(result: io::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "could not print");
    }
}
