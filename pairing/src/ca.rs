//! The certificate authority of one pair: the only place that makes certificates (RFC 5280).
//!
//! No certificate request (CSR) is read anywhere: a CSR asks for a profile and an authority that
//! copies it issues what a stranger wants. Here a public key comes in and the profile is ours.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyUsagePurpose, NameConstraints,
    SanType, SerialNumber, SubjectPublicKeyInfo,
};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use crate::{
    defence::{Defence, holds},
    device::{DeviceKey, is_p256},
    environment::Environment,
    id::PairId,
};

/// Life of a pair's CA: five years.
pub const CA_SECONDS: i64 = 5 * 365 * DAY;
/// Life of a server leaf: 90 days; made anew when a third of it is left.
pub const SERVER_LEAF_SECONDS: i64 = 90 * DAY;
/// A client leaf lives so many days when nothing else is asked.
pub const CLIENT_LEAF_DAYS: u16 = 365;
/// Common name in every client leaf; the pair is named in its subjectAltName.
pub const CLIENT_SUBJECT: &str = "healthsync-client";
/// Clocks of two devices may differ: certificates start five minutes in the past.
pub const BACKDATED_SECONDS: i64 = 300;

const DAY: i64 = 86_400;

/// A key and the certificate made for it.
#[derive(Debug)]
pub struct Authority {
    /// The CA's key; it never leaves the host.
    pub key: DeviceKey,
    /// The CA's certificate, DER.
    pub certificate: Vec<u8>,
}

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The public key is not a P-256 key in its one DER form.
    #[error("the public key is not a P-256 key")]
    Key,
    /// A life outside 1..398 days, or after the end of the CA.
    #[error("the certificate's life is out of range")]
    Life,
    /// The encoder refused.
    #[error("the certificate cannot be made")]
    Encoding(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Makes the CA of one pair. It can sign for this pair's server names and for no other site: its
/// critical name constraints say so, which also holds where somebody trusts it by mistake.
pub fn authority(pair: &PairId, environment: &Environment) -> Result<Authority, IssueError> {
    let now = environment.clock.now();
    let mut wanted = profile(now, now + CA_SECONDS, environment)?;
    wanted
        .distinguished_name
        .push(DnType::CommonName, "healthsync-ca");
    let serial_number = pair.to_string().try_into().map_err(encoding)?;
    wanted.distinguished_name.push(
        DnType::CustomDnType(SERIAL_NUMBER.to_vec()),
        DnValue::PrintableString(serial_number),
    );
    wanted.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    wanted.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    wanted.name_constraints = Some(NameConstraints {
        permitted_subtrees: server_names(pair).map(GeneralSubtree::DnsName).to_vec(),
        excluded_subtrees: Vec::new(),
    });

    let key = DeviceKey::generate().map_err(encoding)?;
    let certificate = wanted.self_signed(&key).map_err(encoding)?;
    Ok(Authority {
        certificate: certificate.der().to_vec(),
        key,
    })
}

/// The certificate that the server shows to this pair's client: two names, no address.
pub fn server_leaf(
    ca_key: &DeviceKey,
    ca: &[u8],
    pair: &PairId,
    spki: &[u8],
    environment: &Environment,
) -> Result<Vec<u8>, IssueError> {
    let now = environment.clock.now();
    let mut wanted = leaf_profile(now, now + SERVER_LEAF_SECONDS, ca, environment)?;
    wanted
        .distinguished_name
        .push(DnType::CommonName, "healthsync-server");
    wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for name in server_names(pair) {
        wanted
            .subject_alt_names
            .push(SanType::DnsName(name.try_into().map_err(encoding)?));
    }
    sign(&wanted, spki, ca_key, ca)
}

/// The certificate of the pair's client, for a key that was born there; `days` from 1 to 398.
pub fn client_leaf(
    ca_key: &DeviceKey,
    ca: &[u8],
    pair: &PairId,
    spki: &[u8],
    days: u16,
    environment: &Environment,
) -> Result<Vec<u8>, IssueError> {
    if !(1..=398).contains(&days) {
        return Err(IssueError::Life);
    }
    let now = environment.clock.now();
    let mut wanted = leaf_profile(now, now + i64::from(days) * DAY, ca, environment)?;
    wanted
        .distinguished_name
        .push(DnType::CommonName, CLIENT_SUBJECT);
    if holds(Defence::LeafProfile) {
        wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    }
    let name = client_name(pair).try_into().map_err(encoding)?;
    wanted.subject_alt_names.push(SanType::URI(name));
    sign(&wanted, spki, ca_key, ca)
}

/// The self-signed certificate of a pairing window. Only its key counts: the invitation pins it.
pub fn window_certificate(
    key: &DeviceKey,
    environment: &Environment,
) -> Result<Vec<u8>, IssueError> {
    let now = environment.clock.now();
    let mut wanted = profile(now, now + DAY, environment)?;
    wanted
        .distinguished_name
        .push(DnType::CommonName, "healthsync-pairing");
    wanted.is_ca = IsCa::ExplicitNoCa;
    wanted.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = wanted.self_signed(key).map_err(encoding)?;
    Ok(certificate.der().to_vec())
}

/// The URI in a client leaf that names its pair.
pub fn client_name(pair: &PairId) -> String {
    format!("urn:healthsync:pair:{pair}")
}

/// The two DNS names in a server leaf, and in the CA's constraints.
pub fn server_names(pair: &PairId) -> [String; 2] {
    [pair.server_name(), pair.local_name()]
}

fn sign(
    wanted: &CertificateParams,
    spki: &[u8],
    ca_key: &DeviceKey,
    ca: &[u8],
) -> Result<Vec<u8>, IssueError> {
    if !is_p256(spki) {
        return Err(IssueError::Key);
    }
    let subject = SubjectPublicKeyInfo::from_der(spki).map_err(encoding)?;
    let issuer = Issuer::from_ca_cert_der(&CertificateDer::from(ca), ca_key).map_err(encoding)?;
    let certificate = wanted.signed_by(&subject, &issuer).map_err(encoding)?;
    Ok(certificate.der().to_vec())
}

/// A leaf ends no later than its CA, and a CA that has ended signs nothing.
fn leaf_profile(
    now: i64,
    not_after: i64,
    ca: &[u8],
    environment: &Environment,
) -> Result<CertificateParams, IssueError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(ca).map_err(encoding)?;
    let ca_not_after = parsed.validity().not_after.timestamp();
    if ca_not_after <= now && holds(Defence::CaChecked) {
        return Err(IssueError::Life);
    }
    let mut wanted = profile(now, not_after.min(ca_not_after), environment)?;
    wanted.is_ca = IsCa::ExplicitNoCa;
    wanted.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    Ok(wanted)
}

/// What all certificates have: both dates (rcgen's default is 1975 to 4096), a random serial (its
/// default repeats for the same key), the authority key identifier, no name yet.
fn profile(
    now: i64,
    not_after: i64,
    environment: &Environment,
) -> Result<CertificateParams, IssueError> {
    let mut serial = [0; 16];
    environment.entropy.fill(&mut serial).map_err(encoding)?;
    if let Some(first) = serial.first_mut() {
        // Positive, and always 16 bytes long in DER.
        *first = *first & 0x7f | 0x40;
    }
    let mut wanted = CertificateParams::default();
    wanted.distinguished_name = DistinguishedName::new();
    if holds(Defence::RandomSerial) {
        wanted.serial_number = Some(SerialNumber::from_slice(&serial));
    }
    wanted.not_before =
        OffsetDateTime::from_unix_timestamp(now - BACKDATED_SECONDS).map_err(encoding)?;
    wanted.not_after = OffsetDateTime::from_unix_timestamp(not_after).map_err(encoding)?;
    wanted.use_authority_key_identifier_extension = true;
    Ok(wanted)
}

/// An encoder's error.
pub(crate) fn encoding(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> IssueError {
    IssueError::Encoding(error.into())
}

/// id-at-serialNumber (X.520).
const SERIAL_NUMBER: [u64; 4] = [2, 5, 4, 5];

#[cfg(test)]
#[expect(clippy::unwrap_in_result, reason = "the result is what is tested")]
mod tests;
