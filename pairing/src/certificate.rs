//! Reading certificates: what `cert info` shows, computed from the DER.

/// What one certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Common name of the subject.
    pub subject: String,
    /// Common name of the issuer.
    pub issuer: String,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
    /// Lower-case hex.
    pub serial: String,
    /// `DNS:..`, `URI:..` in order.
    pub san: Vec<String>,
    /// Digest of its key.
    pub key: crate::id::KeyDigest,
    /// Whether it is a CA.
    pub is_ca: bool,
}

impl Certificate {
    /// Reads DER.
    pub fn from_der(_der: &[u8]) -> Result<Self, InvalidCertificate> {
        todo!()
    }
}

/// Whether a certificate holds, computed now: dates, signature by the CA, profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validity {
    /// All checks passed.
    Valid,
    /// After its notAfter.
    Expired,
    /// Before its notBefore.
    NotYetValid,
    /// Signature or profile is wrong, with what.
    Untrusted(String),
}

/// Checks `leaf` against `ca` at `now` (seconds): signature, dates, EKU, CA:FALSE.
pub fn check_leaf(_leaf: &[u8], _ca: &[u8], _server: bool, _now: i64) -> Validity {
    todo!()
}

/// Checks the CA's own profile and dates (webpki does not).
pub fn check_ca(_ca: &[u8], _now: i64) -> Validity {
    todo!()
}

/// PEM text of one DER certificate.
pub fn to_pem(_der: &[u8]) -> String {
    todo!()
}

/// Not a certificate.
#[derive(Debug, thiserror::Error)]
#[error("not an X.509 certificate")]
pub struct InvalidCertificate;
