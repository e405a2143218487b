//! The lines of the control socket: one request, then replies. Their field names are those that
//! `--json` prints.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use healthsync_core::api::ScopeInfo;
use healthsync_pairing::{enroll::host::Replaced, trust::DeviceRecord};
use serde::{Deserialize, Serialize};

use super::audit::{self, AuditLine, VerdictLine};
use crate::{args, error::Told, permit};

/// What a command asks the running server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "command",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Request {
    /// Open a pairing window; it lives as long as the connection.
    Pair {
        /// How long it may stay open.
        seconds: u16,
        /// Who decides.
        approval: WireApproval,
        /// What the new device may read.
        #[serde(default, skip_serializing_if = "Limits::are_none")]
        limits: Limits,
        /// How many days a certificate lives.
        days: u16,
    },
    /// List the pairs.
    Pairs,
    /// Approve the device that waits.
    Approve {
        /// Six digits.
        digits: String,
    },
    /// Refuse the device that waits.
    Refuse,
    /// Revoke a pair.
    Revoke {
        /// Name or id.
        name: String,
    },
    /// Sign or give out revocation lists.
    Crl {
        /// Name or id; all pairs if left out.
        name: Option<String>,
    },
    /// Revoke all pairs.
    Reset,
    /// Change what a device may read.
    Allow {
        /// Name or id.
        name: String,
        /// What is given replaces what was; the rest stays.
        limits: Limits,
        /// First lift all limits.
        all: bool,
    },
    /// Let nobody read.
    Pause,
    /// Let them read again.
    Resume,
    /// What the server does.
    Status,
    /// Entries of the audit log.
    Audit(audit::Wanted),
    /// Check the audit log.
    AuditVerify,
}

/// What a person wrote about types and origins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Only these types; none: no limit is named.
    pub types: Vec<String>,
    /// Only these origins; none: no limit is named.
    pub origins: Vec<String>,
}

impl Limits {
    /// Whether no limit is named.
    pub const fn are_none(&self) -> bool {
        self.types.is_empty() && self.origins.is_empty()
    }
}

/// Who decides about a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum WireApproval {
    /// Six digits.
    Digits,
    /// Exactly this key, `sha256:..`.
    ExpectKey(String),
    /// Nobody.
    None,
}

/// What the server answers.
#[derive(Serialize, Deserialize)]
#[serde(
    tag = "event",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum Reply {
    /// The window is open.
    Window {
        /// The invitation: whoever has it may try to pair.
        text: String,
        /// The code to type; none where typed codes are left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// Unix seconds.
        expires_at: i64,
    },
    /// A device waits for its digits.
    DigitsWanted(Waiting),
    /// A second device knows the code.
    AnotherDevice,
    /// Five wrong codes were typed somewhere: this is another one.
    Code {
        /// The new code.
        code: String,
    },
    /// There are no more codes to type in this window.
    CodeModeEnded,
    /// The digits were wrong.
    WrongDigits {
        /// Entries left.
        left: u8,
    },
    /// The pair is active.
    Paired {
        /// Its id.
        pair: String,
        /// Its name.
        name: String,
    },
    /// The window closed without a pair.
    Closed {
        /// Why.
        code: String,
    },
    /// One pair of the list.
    Pair(PairLine),
    /// What the server does.
    Status(StatusLine),
    /// The pair is revoked.
    Revoked(PairLine),
    /// A pair's revocation list.
    Crl(CrlLine),
    /// A pair has none.
    CrlMissing(PairLine),
    /// The pair may read this from now on.
    Allowed(PairLine),
    /// The pair was revoked before; nothing of it came back.
    AlreadyRevoked(PairLine),
    /// One entry of the audit log.
    Audit(Box<AuditLine>),
    /// What the check of the audit log found.
    AuditVerdict(VerdictLine),
    /// It is done.
    Done,
    /// It failed.
    Error(Failure),
}

/// A device that waits for its digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// What it calls itself, made inert.
    pub name: String,
    /// `sha256:..`.
    pub key_digest: String,
    /// The digest's start as the device shows it.
    pub key_short: String,
    /// Where it comes from.
    pub from: SocketAddr,
    /// Seconds to decide.
    pub seconds: u8,
    /// The pair that it replaces, if it proved that.
    pub replaces: Option<ReplacedPair>,
    /// What it may then read.
    pub scope: ScopeInfo,
}

/// The pair that a device leaves for a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplacedPair {
    /// 26 characters.
    pub pair: String,
    /// What it calls itself, made inert.
    pub name: String,
    /// Unix seconds.
    pub paired_at: i64,
}

impl From<Replaced> for ReplacedPair {
    fn from(replaced: Replaced) -> Self {
        Self {
            pair: replaced.pair.to_string(),
            name: replaced.name,
            paired_at: replaced.paired_at,
        }
    }
}

/// One pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairLine {
    /// 26 characters.
    pub pair: String,
    /// What it calls itself, made inert.
    pub name: String,
    /// `pending`, `active`, `suspended`, `revoked`.
    pub state: String,
    /// `sha256:..`.
    pub key_digest: String,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub last_seen_at: Option<i64>,
    /// Where it was last seen.
    #[serde(default)]
    pub last_address: Option<IpAddr>,
    /// The key digest's start as the device shows it.
    #[serde(default)]
    pub key_short: String,
    /// What it may read.
    pub scope: ScopeInfo,
}

/// A pair's certificate revocation list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CrlLine {
    /// 26 characters.
    pub pair: String,
    /// What it calls itself, made inert.
    pub name: String,
    /// `pending`, `active`, `suspended`, `revoked`.
    pub state: String,
    /// The list.
    pub pem: String,
}

/// What the server does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusLine {
    /// Version of the running server.
    pub version: String,
    /// Its name.
    pub name: String,
    /// Process id.
    pub process: u32,
    /// Where it listens.
    pub addresses: Vec<String>,
    /// The data folder.
    pub data_folder: String,
    /// Name of the key store in use.
    pub key_store: String,
    /// Pairs that may read.
    pub active_pairs: u64,
    /// Connections of paired devices now.
    pub connections: u64,
    /// Whether a pairing window is open.
    pub window_open: bool,
    /// Whether nobody may read.
    #[serde(default)]
    pub paused: bool,
    /// Samples in the store.
    pub samples: u64,
    /// Types in the store.
    pub types: u64,
}

/// An error that crosses the socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Stable word.
    pub code: String,
    /// What failed.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Why, the outermost first.
    pub causes: Vec<String>,
}

impl From<args::Limits> for Limits {
    fn from(limits: args::Limits) -> Self {
        Self {
            types: limits.types,
            origins: limits.origin,
        }
    }
}

impl From<Told> for Failure {
    fn from(told: Told) -> Self {
        let causes = told.causes();
        Self {
            code: told.code,
            message: told.message,
            hint: told.hint,
            causes,
        }
    }
}

impl From<Failure> for Told {
    fn from(failure: Failure) -> Self {
        Self::from_parts(failure.code, failure.message, failure.hint, failure.causes)
    }
}

impl From<&DeviceRecord> for PairLine {
    fn from(record: &DeviceRecord) -> Self {
        Self {
            pair: record.pair.to_string(),
            name: record.name.clone(),
            state: record.state.as_str().to_owned(),
            key_digest: record.key.to_string(),
            created_at: record.created_at,
            last_seen_at: record.last_seen_at,
            last_address: record.last_address,
            key_short: record.key.short(),
            scope: permit::info(&record.scope),
        }
    }
}

impl fmt::Debug for Reply {
    /// The invitation is a secret: only the kind of the reply is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Window { .. } => "Window",
            Self::DigitsWanted(_) => "DigitsWanted",
            Self::AnotherDevice => "AnotherDevice",
            Self::Code { .. } => "Code",
            Self::CodeModeEnded => "CodeModeEnded",
            Self::WrongDigits { .. } => "WrongDigits",
            Self::Paired { .. } => "Paired",
            Self::Closed { .. } => "Closed",
            Self::Pair(_) => "Pair",
            Self::Status(_) => "Status",
            Self::Revoked(_) => "Revoked",
            Self::Crl(_) => "Crl",
            Self::CrlMissing(_) => "CrlMissing",
            Self::Allowed(_) => "Allowed",
            Self::AlreadyRevoked(_) => "AlreadyRevoked",
            Self::Audit(_) => "Audit",
            Self::AuditVerdict(_) => "AuditVerdict",
            Self::Done => "Done",
            Self::Error(_) => "Error",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_these_lines() {
        for (request, line) in [
            (
                Request::Pair {
                    seconds: 300,
                    approval: WireApproval::Digits,
                    limits: Limits::default(),
                    days: 365,
                },
                r#"{"command":"pair","seconds":300,"approval":"digits","days":365}"#,
            ),
            (
                Request::Pair {
                    seconds: 30,
                    approval: WireApproval::ExpectKey("sha256:00".to_owned()),
                    limits: Limits {
                        types: vec!["steps".to_owned()],
                        origins: Vec::new(),
                    },
                    days: 1,
                },
                r#"{"command":"pair","seconds":30,"approval":{"expect-key":"sha256:00"},"limits":{"types":["steps"],"origins":[]},"days":1}"#,
            ),
            (Request::Pairs, r#"{"command":"pairs"}"#),
            (
                Request::Approve {
                    digits: "123456".to_owned(),
                },
                r#"{"command":"approve","digits":"123456"}"#,
            ),
            (Request::Refuse, r#"{"command":"refuse"}"#),
            (Request::Status, r#"{"command":"status"}"#),
            (
                Request::Audit(audit::Wanted {
                    since: Some(7),
                    pair: None,
                }),
                r#"{"command":"audit","since":7,"pair":null}"#,
            ),
            (Request::AuditVerify, r#"{"command":"audit-verify"}"#),
        ] {
            assert_eq!(serde_json::to_string(&request).unwrap(), line);
            assert_eq!(serde_json::from_str::<Request>(line).unwrap(), request);
        }
        assert!(serde_json::from_str::<Request>(r#"{"command":"stop"}"#).is_err());
    }

    #[test]
    fn replies_have_these_lines() {
        for (reply, line) in [
            (
                Reply::Window {
                    text: "HS1:X".to_owned(),
                    code: Some("K7QF-3M9X-5".to_owned()),
                    expires_at: 7,
                },
                r#"{"event":"window","text":"HS1:X","code":"K7QF-3M9X-5","expiresAt":7}"#,
            ),
            (
                Reply::Window {
                    text: "HS1:X".to_owned(),
                    code: None,
                    expires_at: 7,
                },
                r#"{"event":"window","text":"HS1:X","expiresAt":7}"#,
            ),
            (
                Reply::Code {
                    code: "K7QF-3M9X-5".to_owned(),
                },
                r#"{"event":"code","code":"K7QF-3M9X-5"}"#,
            ),
            (Reply::CodeModeEnded, r#"{"event":"code-mode-ended"}"#),
            (
                Reply::Closed {
                    code: "PAIRING_EXPIRED".to_owned(),
                },
                r#"{"event":"closed","code":"PAIRING_EXPIRED"}"#,
            ),
            (
                Reply::Paired {
                    pair: "p".to_owned(),
                    name: "n".to_owned(),
                },
                r#"{"event":"paired","pair":"p","name":"n"}"#,
            ),
            (
                Reply::WrongDigits { left: 2 },
                r#"{"event":"wrong-digits","left":2}"#,
            ),
            (Reply::Done, r#"{"event":"done"}"#),
        ] {
            assert_eq!(serde_json::to_string(&reply).unwrap(), line);
            let shown = format!("{reply:?}");
            assert!(!shown.contains("HS1") && !shown.contains("K7QF"), "{shown}");
        }
    }
}
