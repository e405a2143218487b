//! What [`CHANGES`](super::CHANGES) takes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

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
    /// Also the points of routes and the voltages of electrocardiograms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<bool>,
}

/// The `body` of a row that is a block of a series.
///
/// The numbers are texts on their own here: whoever reads them decides how exactly.
#[derive(Debug, Deserialize)]
pub struct SeriesBlock<'a> {
    /// The columns of the series by their names, equally long; one without a number is left out.
    #[serde(borrow)]
    pub columns: BTreeMap<&'a str, Vec<Option<&'a RawValue>>>,
    /// How many points of the series are before it.
    pub first: u64,
    /// How many points it has.
    pub points: usize,
}

/// Places of a page that names no limit, and the most that one may name.
pub const CHANGES_LIMIT: u32 = 20_000;
/// Longest wait, seconds.
pub const CHANGES_WAIT: u32 = 60;
