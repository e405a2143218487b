//! What [`STATUS`](super::STATUS) answers.

use serde::{Deserialize, Serialize};

/// Answer of [`STATUS`](super::STATUS).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the name on the wire")]
pub struct Status {
    /// `ok`, or `paused` while the owner lets nobody read.
    pub status: String,
    /// Version of the server.
    pub version: String,
    /// The server's name.
    pub device_name: String,
    /// Types that this client may read and that hold samples.
    pub enabled_types: Vec<String>,
    /// RFC 3339 UTC.
    pub server_time: String,
    /// Samples that this client may read.
    pub samples: u64,
    /// Where the audit log ends; `None`: the server keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditHead>,
}

/// An entry of the server's audit log, as witnesses know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditHead {
    /// Its place.
    pub sequence: u64,
    /// Its place in the chain, 64 hex digits.
    pub hash: String,
    /// RFC 3339 UTC, by the server's clock.
    pub time: String,
}
