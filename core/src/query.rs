//! What a client may ask for, independent of how it asks.

use crate::kind::Selector;

/// Which samples, in the order (type, start, id).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The types; empty means all.
    pub types: Vec<Selector>,
    /// Only these origins; empty means all.
    pub origins: Vec<String>,
    /// Samples that start at or after this instant, milliseconds UTC.
    pub start_ms: Option<i64>,
    /// Samples that start before this instant.
    pub end_ms: Option<i64>,
    /// At most so many.
    pub limit: Option<u64>,
    /// Skip so many first (only for the documented `POST /api/v1/health/data`).
    pub offset: u64,
    /// Go on behind this position.
    pub cursor: Option<Cursor>,
    /// Also fill the columns origin, device, creationDate, metadata.
    pub include_metadata: bool,
}

/// A position in the order (type, start, id); opaque text to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Type name of the last sample that was sent.
    pub kind: String,
    /// Its start.
    pub start_ms: i64,
    /// Its id.
    pub id: [u8; 16],
}

// Display (text form, URL-safe) and FromStr (-> InvalidCursor) belong here.
