//! What [`DATA`](super::DATA) and [`SAMPLES`](super::SAMPLES) take, and what the former answers.

use serde::{Deserialize, Serialize};

/// The query string of [`SAMPLES`](super::SAMPLES). Unknown names are refused: a misspelled filter
/// must not widen an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SamplesParams {
    /// Names, joined by commas; absent or `all` means every type that the caller may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<String>,
    /// RFC 3339: samples that start at or after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// RFC 3339: samples that start before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Skip so many first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Go on behind this position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Also origin, device, creationDate and metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<bool>,
    /// Origins, joined by commas; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// Body of [`DATA`](super::DATA).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataRequest {
    /// RFC 3339.
    pub start_date: String,
    /// RFC 3339.
    pub end_date: String,
    /// Names.
    pub types: Vec<String>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Skip so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Go on behind (`nextCursor` of the last answer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Answer of [`DATA`](super::DATA), and the JSON format everywhere. The server never builds one:
/// `format::json` streams the same shape. It is here for readers, and for the tests that hold the
/// two together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataResponse {
    /// `ok`.
    pub status: String,
    /// The samples.
    pub samples: Vec<SampleRecord>,
    /// How many they are.
    pub count: u64,
    /// Whether a limit cut the answer.
    pub has_more: bool,
    /// The same as `count`; both names are documented.
    pub returned_count: u64,
    /// Where to go on, if a limit cut the answer; else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One sample as JSON; one line of NDJSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SampleRecord {
    /// UUID of the sample; the same after every import.
    pub id: String,
    /// Name of the type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The number; null for categories.
    pub value: Option<f64>,
    /// Canonical unit; empty for categories.
    pub unit: String,
    /// RFC 3339 UTC.
    pub start_date: String,
    /// RFC 3339 UTC.
    pub end_date: String,
    /// Who wrote it.
    pub source_name: String,
    /// Name of the value; null for quantities.
    pub category: Option<String>,
    /// Whose data it is; only on demand, as all that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Which device measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// When the record was written on the phone, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_date: Option<String>,
    /// Names and values that HealthKit keeps beside the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
}
