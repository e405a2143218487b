//! Certificate revocation lists (RFC 5280, section 5), for verifiers that do not ask our records.
//!
//! Our own server needs none: it looks every key up. A list tells others, `openssl verify
//! -crl_check` for one, which of a pair's certificates are not to be believed although their dates
//! are good.

use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, RevocationReason, RevokedCertParams,
    SerialNumber,
};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use crate::{
    ca::{BACKDATED_SECONDS, IssueError, encoding},
    device::DeviceKey,
};

/// Why a certificate is on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A newer one took its place.
    Superseded,
    /// Its pair is suspended.
    Hold,
    /// Its pair is revoked.
    Revoked,
}

/// One certificate on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) serial: [u8; 16],
    pub(crate) reason: Reason,
}

/// What a list says beside its certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Higher than that of any list before.
    pub(crate) number: u64,
    /// Unix seconds.
    pub(crate) now: i64,
    /// A newer list is there at that time, Unix seconds.
    pub(crate) next_update: i64,
}

/// Signs a list, DER.
pub(crate) fn sign(
    ca_key: &DeviceKey,
    ca: &[u8],
    head: Head,
    listed: &[Listed],
) -> Result<Vec<u8>, IssueError> {
    let time = |seconds| OffsetDateTime::from_unix_timestamp(seconds).map_err(encoding);
    let now = time(head.now)?;
    let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(ca), ca_key).map_err(encoding)?;
    let list = CertificateRevocationListParams {
        // The clocks of two computers may differ.
        this_update: time(head.now - BACKDATED_SECONDS)?,
        next_update: time(head.next_update)?,
        crl_number: SerialNumber::from(head.number),
        issuing_distribution_point: None,
        revoked_certs: listed
            .iter()
            .map(|one| RevokedCertParams {
                serial_number: SerialNumber::from_slice(&one.serial),
                revocation_time: now,
                reason_code: Some(match one.reason {
                    Reason::Superseded => RevocationReason::Superseded,
                    Reason::Hold => RevocationReason::CertificateHold,
                    Reason::Revoked => RevocationReason::CessationOfOperation,
                }),
                invalidity_date: None,
            })
            .collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    Ok(list.signed_by(&issuer).map_err(encoding)?.der().to_vec())
}
