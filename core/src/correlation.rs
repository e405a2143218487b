//! Samples that belong together, on their way into the store.

use std::sync::Arc;

use crate::{
    kind::Kind,
    sample::{Metadata, Provenance, Sample},
};

/// A blood pressure or a meal. Its samples stand in an export a second time, as records of their
/// own; here they only say which ones are meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlation {
    /// `bloodPressure`, `food`.
    pub kind: Kind,
    /// Start, milliseconds since 1970-01-01T00:00:00Z.
    pub start_ms: i64,
    /// End, same unit.
    pub end_ms: i64,
    /// When it was written on the phone.
    pub created_ms: Option<i64>,
    /// Who wrote it.
    pub provenance: Arc<Provenance>,
    /// The writer's own stable id.
    pub external_id: Option<String>,
    /// What else the writer said.
    pub metadata: Metadata,
    /// The samples.
    pub members: Vec<Sample>,
}
