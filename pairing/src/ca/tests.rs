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
    let client = client_leaf(&ca.key, &ca.certificate, &PAIR, &key.spki(), 30, &at(NOW)).unwrap();

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
fn a_ca_that_has_ended_signs_nothing() {
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
