//! What [`WHOAMI`](super::WHOAMI) answers.

use serde::{Deserialize, Serialize};

/// Answer of [`WHOAMI`](super::WHOAMI): the caller as the server knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhoAmI {
    /// Id of the pair, 26 characters.
    pub pair: String,
    /// What the device called itself when it was paired.
    pub name: String,
    /// `read`, the only one so far.
    pub role: String,
    /// What it may read.
    pub scope: ScopeInfo,
    /// The certificate of this connection.
    pub certificate: CertificateInfo,
    /// Whole days until that certificate ends.
    pub days_left: i64,
}

/// What a device may read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeInfo {
    /// Names, of one category as `sleepAnalysis:asleepREM`; null means all.
    pub types: Option<Vec<String>>,
    /// Names; null means all.
    pub origins: Option<Vec<String>>,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateInfo {
    /// Its subject (`CN=healthsync-client`).
    pub subject: String,
    /// Its serial number, lower-case hex.
    pub serial: String,
    /// RFC 3339 UTC.
    pub not_after: String,
}
