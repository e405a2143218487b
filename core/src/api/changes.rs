//! What [`CHANGES`](super::CHANGES) takes.

use serde::{Deserialize, Serialize};

/// The query string of [`CHANGES`](super::CHANGES).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangesParams {
    /// The cursor of the page before; absent means from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many places of the sequence a page goes on at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Seconds to wait for a change, if there is none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<u32>,
}

/// Places of a page that names no limit, and the most that one may name.
pub const CHANGES_LIMIT: u32 = 20_000;
/// Longest wait, seconds.
pub const CHANGES_WAIT: u32 = 60;
