//! What [`AGGREGATES`](super::AGGREGATES) takes and answers.

use serde::{Deserialize, Serialize};

/// The query string of [`AGGREGATES`](super::AGGREGATES). Unknown names are refused: a misspelled
/// filter must not widen an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AggregatesParams {
    /// `hourly`, `daily`, `weekly`, `monthly` or `yearly`; absent means daily.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// IANA name of the zone whose days are meant; absent means that of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// `monday` (absent) or any other day, on which weeks begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub week_start: Option<String>,
    /// Names, joined by commas; absent or `all` means every type that the caller may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<String>,
    /// From the bucket that holds this instant on; a date without an offset is one of the zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Up to the bucket that ends at or behind this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// Origins, joined by commas; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// One total as JSON; one line of NDJSON. The server never builds one: it is here for readers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TotalRecord {
    /// Local date on which the bucket begins; for hours the local time with its offset.
    pub date: String,
    /// Name of the type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Sum of a cumulative type; minutes of a category value.
    pub total: Option<f64>,
    /// Of a discrete type, as `min` and `max`.
    pub average: Option<f64>,
    /// The smallest value.
    pub min: Option<f64>,
    /// The largest value.
    pub max: Option<f64>,
    /// Samples that contributed.
    pub count: u64,
    /// Unit of the numbers.
    pub unit: String,
    /// Name of the value; null for quantities.
    pub category: Option<String>,
    /// Whose data.
    pub origin: String,
    /// Begin of the bucket, RFC 3339 UTC.
    pub start_date: String,
    /// Its end.
    pub end_date: String,
}
