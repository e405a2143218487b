//! What [`TYPES`](super::TYPES) answers.

use serde::{Deserialize, Serialize};

use crate::{store::TypeSummary, time};

/// Answer of [`TYPES`](super::TYPES).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Types {
    /// The names, as the documents have it.
    pub enabled_types: Vec<String>,
    /// The same with counts and dates.
    pub types: Vec<TypeInfo>,
}

/// One type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeInfo {
    /// Name (`steps`).
    #[serde(rename = "type")]
    pub name: String,
    /// Canonical unit; empty for categories.
    pub unit: String,
    /// Samples.
    pub count: u64,
    /// Earliest start, RFC 3339 UTC.
    pub first_date: String,
    /// Latest start, RFC 3339 UTC.
    pub last_date: String,
}

impl From<TypeSummary> for TypeInfo {
    fn from(summary: TypeSummary) -> Self {
        Self {
            name: summary.kind,
            unit: summary.unit,
            count: summary.count,
            first_date: time::rfc3339(summary.first_ms),
            last_date: time::rfc3339(summary.last_ms),
        }
    }
}

impl FromIterator<TypeSummary> for Types {
    fn from_iter<I: IntoIterator<Item = TypeSummary>>(summaries: I) -> Self {
        let types: Vec<TypeInfo> = summaries.into_iter().map(TypeInfo::from).collect();
        Self {
            enabled_types: types.iter().map(|info| info.name.clone()).collect(),
            types,
        }
    }
}
