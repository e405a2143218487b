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
}
