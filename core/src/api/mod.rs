//! The wire: paths, JSON shapes and codes, shared by both ends.

use serde::{Deserialize, Serialize};

/// `GET`: [`Status`].
pub const STATUS: &str = "/api/v1/status";
/// `GET`: [`Types`].
pub const TYPES: &str = "/api/v1/health/types";
/// `POST` [`DataRequest`]: [`DataResponse`] (the documented shape).
pub const DATA: &str = "/api/v1/health/data";
/// `GET ?types=a,b&start=..&end=..&limit=..&cursor=..&metadata=true&origin=..`: a stream by `Accept`.
pub const SAMPLES: &str = "/api/v1/samples";
/// `POST`, empty: 204; makes a PENDING pair ACTIVE.
pub const PAIR_ACK: &str = "/api/v1/pair/ack";
/// `DELETE`: 204; revokes the caller's own pair.
pub const PAIR: &str = "/api/v1/pair";
/// Response header of [`SAMPLES`]: present when a limit cut the answer.
pub const NEXT_CURSOR: &str = "healthsync-next-cursor";

/// Answer of [`STATUS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// `ok`.
    pub status: String,
    /// Version of the server.
    pub version: String,
    /// The server's name.
    pub device_name: String,
    /// Types that this client may read and that hold samples.
    pub enabled_types: Vec<String>,
    /// RFC 3339 UTC.
    pub server_time: String,
    /// Samples in the store.
    pub samples: u64,
}

/// Answer of [`TYPES`].
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
    /// RFC 3339 UTC.
    pub first_date: String,
    /// RFC 3339 UTC.
    pub last_date: String,
}

/// Body of [`DATA`].
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

// Answer of DATA: {status, samples: [..], message: null, hasMore, returnedCount, nextCursor?}; the
// JSON encoder streams it: {status, samples: [..], count, hasMore, returnedCount, nextCursor}.

/// Every error answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// Stable.
    pub code: String,
    /// For people, in the server's words.
    pub message: String,
    /// The server's words again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// To find the line in the server's log.
    pub request_id: String,
}

/// The one vocabulary of codes of core, server and cli (pairing has its own enum, same style).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The body or the query string is malformed.
    BadRequest,
    /// Not a type.
    UnknownType,
    /// An end before its start.
    InvalidRange,
    // .. and so on; as_str() gives SCREAMING_SNAKE, status() the HTTP status where there is one.
}
