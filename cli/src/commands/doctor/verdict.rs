//! The one thing that is wrong, and the one command that comes next.

use healthsync_core::report::Hint as _;
use serde_json::{Value, json};

use crate::error::CliError;

/// What `doctor` found.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    /// Nothing keeps this computer from its data.
    pub(super) healthy: bool,
    pub(super) code: &'static str,
    pub(super) subject: Option<&'static str>,
    pub(super) text: String,
    /// Empty: nothing is to be done.
    pub(super) command: &'static str,
    /// What it does, or where.
    pub(super) hint: Option<String>,
}

/// A check that passed and is worth a word.
#[derive(Clone, Debug)]
pub(super) struct Warning {
    pub(super) code: &'static str,
    pub(super) text: String,
    pub(super) command: &'static str,
}

impl Verdict {
    /// A check failed.
    pub(super) fn of(error: &CliError) -> Self {
        let mut told = vec![error.to_string()];
        let mut next = std::error::Error::source(error);
        while let Some(cause) = next {
            let cause_text = cause.to_string();
            if told.last() != Some(&cause_text) {
                told.push(cause_text);
            }
            next = cause.source();
        }
        let hint = error.hint();
        let is_late = hint
            .as_deref()
            .is_some_and(|hint| hint.starts_with("run `healthsync cert renew`"));
        Self {
            healthy: false,
            code: error.code(),
            subject: error.subject(),
            text: told.join(": "),
            command: if is_late {
                "healthsync cert renew"
            } else {
                command(error.code(), error.subject())
            },
            hint,
        }
    }

    /// Everything passed; the first warning counts.
    pub(super) fn of_warnings(first: Option<&Warning>) -> Self {
        match first {
            None => Self {
                healthy: true,
                code: "OK",
                subject: None,
                text: "everything works".to_owned(),
                command: "",
                hint: None,
            },
            Some(warning) => Self {
                healthy: true,
                code: warning.code,
                subject: None,
                text: warning.text.clone(),
                command: warning.command,
                hint: None,
            },
        }
    }

    /// For scripts.
    pub(super) fn json(&self) -> Value {
        json!({
            "event": "verdict",
            "healthy": self.healthy,
            "code": self.code,
            "subject": self.subject,
            "message": self.text,
            "command": self.command,
            "hint": self.hint,
        })
    }
}

/// One command for each cause.
fn command(code: &str, subject: Option<&str>) -> &'static str {
    match (code, subject) {
        ("ECONNREFUSED" | "ECONNRESET", _) | ("CERT_HAS_EXPIRED", Some("server")) => {
            "healthsync-server start"
        }
        ("ETIMEDOUT" | "EHOSTUNREACH", _) => "healthsync discover",
        ("ENOTFOUND" | "NOT_TLS" | "CERT_COMMON_NAME_INVALID" | "SELF_SIGNED_CERT_IN_CHAIN", _)
        | ("UNABLE_TO_VERIFY_LEAF_SIGNATURE", Some("server")) => "healthsync config show",
        ("CERT_NOT_YET_VALID", _) => "date",
        ("NOT_PAIRED", _) => "healthsync scan",
        ("CERT_REVOKED" | "PAIR_UNKNOWN" | "KEY_MISSING", _)
        | (
            "CERT_HAS_EXPIRED"
            | "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
            | "CERT_REJECTED"
            | "NO_CLIENT_CERTIFICATE",
            Some("client" | "ca"),
        ) => "healthsync unpair",
        ("PAIR_PENDING", _) => "healthsync-server pairs",
        ("LOCKED", _) => "healthsync-server resume",
        ("UNSUPPORTED_PROTOCOL" | "SERVER_ERROR" | "ANSWER_DAMAGED" | "NOT_FOUND", _) => {
            "healthsync-server --version"
        }
        ("CONFIG_DAMAGED", _) => "healthsync config reset",
        ("SERVER_AMBIGUOUS", _) => "healthsync servers",
        ("KEY_STORE_DAMAGED", _) => "healthsync keychain clear",
        ("CERT_REJECTED" | "TLS_FAILED", _) => "healthsync status --debug-tls",
        ("STORE_UNAVAILABLE" | "INTERNAL", _) => "healthsync-server status",
        // The hint says what has to be done first.
        _ => "healthsync doctor",
    }
}

#[cfg(test)]
mod tests {
    use healthsync_core::api::Code;

    use super::*;

    #[test]
    fn every_code_of_a_connection_has_one_command() {
        for code in Code::ALL {
            for subject in [None, Some("client"), Some("server"), Some("ca")] {
                let command = command(code.as_str(), subject);
                let is_ours = command.starts_with("healthsync") || command == "date";
                assert!(is_ours && !command.contains('`'), "{code}: {command}");
            }
        }
        assert_eq!(
            command("CERT_HAS_EXPIRED", Some("server")),
            "healthsync-server start"
        );
        assert_eq!(
            command("CERT_HAS_EXPIRED", Some("client")),
            "healthsync unpair"
        );
    }
}
