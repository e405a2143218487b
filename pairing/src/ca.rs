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
        .push(DnType::CommonName, "healthsync-client");
    wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
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
    if ca_not_after <= now {
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
    wanted.serial_number = Some(SerialNumber::from_slice(&serial));
    wanted.not_before =
        OffsetDateTime::from_unix_timestamp(now - BACKDATED_SECONDS).map_err(encoding)?;
    wanted.not_after = OffsetDateTime::from_unix_timestamp(not_after).map_err(encoding)?;
    wanted.use_authority_key_identifier_extension = true;
    Ok(wanted)
}

fn encoding(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> IssueError {
    IssueError::Encoding(error.into())
}

/// id-at-serialNumber (X.520).
const SERIAL_NUMBER: [u64; 4] = [2, 5, 4, 5];

#[cfg(test)]
#[expect(clippy::unwrap_in_result, reason = "the result is what is tested")]
mod tests {
    use std::sync::Arc;

    use rustls::{
        CertificateError, Error, RootCertStore,
        client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
        pki_types::{ServerName, UnixTime},
        server::WebPkiClientVerifier,
    };
    use x509_parser::prelude::*;

    use super::*;
    use crate::environment::{Clock, SystemEntropy};

    #[derive(Debug)]
    struct At(i64);
    impl Clock for At {
        fn now(&self) -> i64 {
            self.0
        }
    }

    const NOW: i64 = 1_800_000_000;
    const PAIR: PairId = PairId([7; 16]);

    fn at(now: i64) -> Environment {
        Environment {
            clock: Arc::new(At(now)),
            entropy: Arc::new(SystemEntropy),
        }
    }

    fn roots(ca: &[u8]) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca.to_vec())).unwrap();
        Arc::new(roots)
    }

    fn unix(seconds: i64) -> UnixTime {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds.try_into().unwrap()))
    }

    fn as_server(ca: &[u8], leaf: &[u8], name: &str, now: i64) -> Result<(), Error> {
        WebPkiServerVerifier::builder_with_provider(roots(ca), crate::tls::provider())
            .build()
            .unwrap()
            .verify_server_cert(
                &CertificateDer::from(leaf),
                &[],
                &ServerName::try_from(name.to_owned()).unwrap(),
                &[],
                unix(now),
            )
            .map(|_| ())
    }

    fn as_client(ca: &[u8], leaf: &[u8], now: i64) -> Result<(), Error> {
        WebPkiClientVerifier::builder_with_provider(roots(ca), crate::tls::provider())
            .build()
            .unwrap()
            .verify_client_cert(&CertificateDer::from(leaf), &[], unix(now))
            .map(|_| ())
    }

    #[test]
    fn the_authority_has_the_profile() {
        let ca = authority(&PAIR, &at(NOW)).unwrap();
        let (rest, parsed) = parse_x509_certificate(&ca.certificate).unwrap();
        assert!(rest.is_empty());
        assert_eq!(
            parsed.subject().to_string(),
            format!("CN=healthsync-ca, serialNumber={PAIR}")
        );
        assert_eq!(parsed.issuer(), parsed.subject());
        assert_eq!(parsed.public_key().raw, ca.key.spki());
        assert_eq!(parsed.validity().not_before.timestamp(), NOW - 300);
        assert_eq!(parsed.validity().not_after.timestamp(), NOW + CA_SECONDS);
        let basic = parsed.basic_constraints().unwrap().unwrap();
        assert!(basic.critical && basic.value.ca);
        assert_eq!(basic.value.path_len_constraint, Some(0));
        let usage = parsed.key_usage().unwrap().unwrap();
        assert!(usage.critical);
        assert_eq!(usage.value.flags, 0b110_0000);
        let names = parsed.name_constraints().unwrap().unwrap();
        assert!(names.critical && names.value.excluded_subtrees.is_none());
        let permitted: Vec<_> = names
            .value
            .permitted_subtrees
            .as_ref()
            .unwrap()
            .iter()
            .map(|s| s.base.to_string())
            .collect();
        assert_eq!(
            permitted,
            server_names(&PAIR).map(|name| format!("DNSName({name})"))
        );
        assert_eq!(parsed.raw_serial().len(), 16);
    }

    #[test]
    fn serial_unique() {
        let key = DeviceKey::generate().unwrap();
        let ca = authority(&PAIR, &at(NOW)).unwrap();
        let issue = || client_leaf(&ca.key, &ca.certificate, &PAIR, &key.spki(), 365, &at(NOW));
        let (one, other) = (issue().unwrap(), issue().unwrap());
        let serial = |der: &[u8]| parse_x509_certificate(der).unwrap().1.raw_serial().to_vec();
        assert_ne!(serial(&one), serial(&other));
        assert_eq!(serial(&one).len(), 16);
    }

    #[test]
    fn leaves_serve_their_purpose_and_no_other() {
        let ca = authority(&PAIR, &at(NOW)).unwrap();
        let key = DeviceKey::generate().unwrap();
        let server = server_leaf(&ca.key, &ca.certificate, &PAIR, &key.spki(), &at(NOW)).unwrap();
        let client =
            client_leaf(&ca.key, &ca.certificate, &PAIR, &key.spki(), 30, &at(NOW)).unwrap();

        assert_eq!(
            as_server(&ca.certificate, &server, &PAIR.server_name(), NOW),
            Ok(())
        );
        assert_eq!(
            as_server(&ca.certificate, &server, &PAIR.local_name(), NOW),
            Ok(())
        );
        assert_eq!(as_client(&ca.certificate, &client, NOW), Ok(()));

        let other = authority(&PAIR, &at(NOW)).unwrap();
        let wrong = [
            as_server(&ca.certificate, &server, "health.example", NOW),
            as_server(
                &ca.certificate,
                &server,
                &PAIR.server_name(),
                NOW + 91 * DAY,
            ),
            as_server(&other.certificate, &server, &PAIR.server_name(), NOW),
            as_server(&ca.certificate, &client, &PAIR.server_name(), NOW),
            as_client(&ca.certificate, &server, NOW),
            as_client(&other.certificate, &client, NOW),
            as_client(&ca.certificate, &client, NOW - 301),
            as_client(&ca.certificate, &client, NOW + 30 * DAY + 1),
        ];
        for (row, outcome) in wrong.into_iter().enumerate() {
            assert!(
                matches!(outcome, Err(Error::InvalidCertificate(_))),
                "row {row}: {outcome:?}"
            );
        }

        let (_, parsed) = parse_x509_certificate(&client).unwrap();
        assert_eq!(parsed.subject().to_string(), "CN=healthsync-client");
        assert!(!parsed.basic_constraints().unwrap().unwrap().value.ca);
        let san = parsed.subject_alternative_name().unwrap().unwrap().value;
        assert_eq!(
            san.general_names,
            [GeneralName::URI(&format!("urn:healthsync:pair:{PAIR}"))]
        );
    }

    #[test]
    fn the_authority_signs_for_no_other_site() {
        let ca = authority(&PAIR, &at(NOW)).unwrap();
        let key = DeviceKey::generate().unwrap();
        let foreign = PairId([8; 16]);
        let leaf = server_leaf(&ca.key, &ca.certificate, &foreign, &key.spki(), &at(NOW)).unwrap();
        assert!(matches!(
            as_server(&ca.certificate, &leaf, &foreign.server_name(), NOW),
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
        ));
    }

    #[test]
    fn expired_ca_refused() {
        let ca = authority(&PAIR, &at(NOW)).unwrap();
        let key = DeviceKey::generate().unwrap();
        let issue =
            |days, now| client_leaf(&ca.key, &ca.certificate, &PAIR, &key.spki(), days, &at(now));
        let near_the_end = issue(365, NOW + CA_SECONDS - DAY).unwrap();
        let (_, parsed) = parse_x509_certificate(&near_the_end).unwrap();
        assert_eq!(parsed.validity().not_after.timestamp(), NOW + CA_SECONDS);
        assert!(matches!(
            issue(365, NOW + CA_SECONDS),
            Err(IssueError::Life)
        ));
        for days in [0, 399] {
            assert!(matches!(issue(days, NOW), Err(IssueError::Life)));
        }
    }

    #[test]
    fn only_p256_keys_are_certified() {
        let ca = authority(&PAIR, &at(NOW)).unwrap();
        let mut off_the_curve = DeviceKey::generate().unwrap().spki();
        off_the_curve[90] ^= 1;
        for spki in [&off_the_curve[..], &off_the_curve[..90], &[]] {
            assert!(matches!(
                client_leaf(&ca.key, &ca.certificate, &PAIR, spki, 365, &at(NOW)),
                Err(IssueError::Key)
            ));
        }
    }
}
