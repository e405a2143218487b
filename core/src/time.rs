//! Instants: milliseconds since 1970-01-01T00:00:00Z.

/// RFC 3339 in UTC, milliseconds only when there are any (`2026-01-10T05:00:00Z`).
pub fn rfc3339(_ms: i64) -> String {
    todo!()
}

/// Reads RFC 3339, or a local date, or a local date-time without offset (in `zone`), or `now`,
/// `today`, `yesterday`. A bare date is its first instant.
pub fn parse(_text: &str, _zone: &jiff::tz::TimeZone, _now_ms: i64) -> Result<i64, InvalidTime> {
    todo!()
}

/// Not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a date or time: {text:?}")]
pub struct InvalidTime {
    /// What was written.
    pub text: String,
}
