//! Names of what is measured, and the one table of canonical units.

use std::sync::Arc;

/// The stable name of a health type (`steps`, `heartRate`, `sleepAnalysis`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(Arc<str>);

impl Kind {
    /// The kind of a HealthKit identifier (`HKQuantityTypeIdentifierStepCount` is `steps`).
    pub fn from_healthkit(_identifier: &str) -> Self {
        todo!()
    }

    /// Reads what a person wrote: a name, an alias (`heart_rate`, `distance`) or an identifier.
    /// `Err` holds the nearest known name, if there is one. A name that a store holds but the
    /// table does not know is accepted when it has the form of one.
    pub fn parse(_text: &str) -> Result<Selector, UnknownKind> {
        todo!()
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What one word of `--types` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The kind.
    pub kind: Kind,
    /// Only samples of this category value (`sleepREM` is `sleepAnalysis` with `asleepREM`).
    pub category: Option<String>,
}

/// No type has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown type {name:?}")]
pub struct UnknownKind {
    /// What was written.
    pub name: String,
    /// The nearest known name.
    pub nearest: Option<String>,
}
