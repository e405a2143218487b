//! The wire: paths, JSON shapes and codes, shared by both ends.
//!
//! Everything here is version [`VERSION`]. Fields are only ever added; a field that changes its
//! meaning gets a new path.

mod aggregates;
mod changes;
mod code;
mod collection;
mod collections;
mod samples;
mod status;
mod types;
mod whoami;

pub use self::{
    aggregates::{AggregatesParams, TotalRecord},
    changes::{CHANGES_LIMIT, CHANGES_WAIT, ChangesParams, SeriesBlock},
    code::{Code, UnknownCode},
    collection::{Collection, UnknownCollection},
    collections::{
        CollectionParams, CorrelationRecord, DocumentRecord, EventRecord, MemberRecord, PartRecord,
        PointRecord, StatisticRecord, WorkoutRecord,
    },
    samples::{DataRequest, DataResponse, SampleRecord, SamplesParams},
    status::{AuditHead, Status},
    types::{TypeInfo, Types},
    whoami::{CertificateInfo, ScopeInfo, WhoAmI},
};

use serde::{Deserialize, Serialize};

/// Version of everything under `/api/v1`.
pub const VERSION: u32 = 1;

/// `GET`: [`Status`].
pub const STATUS: &str = "/api/v1/status";
/// `GET`: [`Types`].
pub const TYPES: &str = "/api/v1/health/types";
/// `POST` [`DataRequest`]: [`DataResponse`] (the documented shape).
pub const DATA: &str = "/api/v1/health/data";
/// `GET` with [`SamplesParams`] as its query string: a stream by `Accept`.
pub const SAMPLES: &str = "/api/v1/samples";
/// `GET` with [`AggregatesParams`] as its query string: a stream by `Accept`.
pub const AGGREGATES: &str = "/api/v1/aggregates";
/// `GET` with [`ChangesParams`] as its query string: a page by `Accept`.
pub const CHANGES: &str = "/api/v1/changes";
/// `GET`: [`WhoAmI`].
pub const WHOAMI: &str = "/api/v1/whoami";
/// `POST`, empty: 204; makes a PENDING pair ACTIVE.
pub const PAIR_ACK: &str = "/api/v1/pair/ack";
/// `POST`, a new key and its signature (octets): a certificate for it (octets).
pub const PAIR_RENEW: &str = "/api/v1/pair/renew";
/// `DELETE`: 204; revokes the caller's own pair.
pub const PAIR: &str = "/api/v1/pair";
/// Response header of [`CHANGES`]: `true` or `false`.
pub const HAS_MORE: &str = "healthsync-has-more";
/// Response header of [`SAMPLES`]: present when a limit cut the answer; of [`CHANGES`]: always.
pub const NEXT_CURSOR: &str = "healthsync-next-cursor";

/// Request header: the place in the server's audit log that the client saw last.
pub const AUDIT_SEEN: &str = "healthsync-audit-seen";
/// Response header, if [`AUDIT_SEEN`] was sent: what stands at that place now.
pub const AUDIT_ENTRY: &str = "healthsync-audit-entry";
/// Response header of every answer to a paired device: the last entry of the audit log that is on
/// the disk; its place, its hash and its time.
pub const AUDIT_HEAD: &str = "healthsync-audit-head";

/// Every error answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// Stable; a [`Code`] where the reader knows it.
    pub code: String,
    /// For people, in the server's words.
    pub message: String,
    /// The server's words again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// To find the line in the server's log.
    pub request_id: String,
}
