//! One record on its way into the store.

use crate::kind::Kind;

/// A value as an importer read it, in the kind's canonical unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number in the canonical unit of the kind.
    Quantity {
        /// The number after conversion.
        value: f64,
        /// Half of the last digit that the file printed, after conversion: values that differ by
        /// less are equal.
        tolerance: f64,
    },
    /// HealthKit's value name without its prefix (`asleepCore`).
    Category(String),
    /// The record carries neither.
    None,
}

/// One top-level record of an export.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What was measured.
    pub kind: Kind,
    /// Canonical unit; empty for categories.
    pub unit: String,
    /// The value.
    pub value: Value,
    /// Start, milliseconds since 1970-01-01T00:00:00Z.
    pub start_ms: i64,
    /// End, same unit.
    pub end_ms: i64,
    /// When the record was written on the phone, if the file says so.
    pub created_ms: Option<i64>,
    /// Name of the writing app or device as shown to people.
    pub source_name: String,
    /// Its version, if the file says so.
    pub source_version: Option<String>,
    /// The device without its memory address, if the file names one.
    pub device: Option<String>,
    /// Hardware identifier of that device (`Watch7,2`).
    pub hardware: Option<String>,
    /// The writer's own stable id, if there is one (`HKExternalUUID`, sync identifier).
    pub external_id: Option<String>,
    /// Metadata in file order; repeated keys are kept.
    pub metadata: Vec<(String, String)>,
}
