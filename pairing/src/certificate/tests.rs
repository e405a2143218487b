use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P384_SHA384,
    PKCS_ED25519, SanType,
};

use super::*;
use crate::{
    ca::{self, Authority},
    device::DeviceKey,
    environment::{Clock, Environment, SystemEntropy},
    id::PairId,
};

#[derive(Debug)]
struct At(i64);

impl Clock for At {
    fn now(&self) -> i64 {
        self.0
    }
}

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;
const PAIR: PairId = PairId([7; 16]);

fn environment() -> Environment {
    Environment {
        clock: Arc::new(At(NOW)),
        entropy: Arc::new(SystemEntropy),
    }
}

fn authority() -> Authority {
    ca::authority(&PAIR, &environment()).unwrap()
}

fn key() -> DeviceKey {
    DeviceKey::generate().unwrap()
}

fn client_leaf(ca: &Authority, key: &DeviceKey) -> Vec<u8> {
    let spki = key.spki();
    ca::client_leaf(&ca.key, &ca.certificate, &PAIR, &spki, 365, &environment()).unwrap()
}

fn server_leaf(ca: &Authority, key: &DeviceKey) -> Vec<u8> {
    ca::server_leaf(&ca.key, &ca.certificate, &PAIR, &key.spki(), &environment()).unwrap()
}

fn untrusted(reason: &str) -> Validity {
    Validity::Untrusted(reason.to_owned())
}

#[test]
fn a_certificate_says_what_it_is() {
    let ca = authority();
    let key = key();
    let leaf = Certificate::from_der(&client_leaf(&ca, &key)).unwrap();
    assert_eq!(leaf.subject, "healthsync-client");
    assert_eq!(leaf.issuer, "healthsync-ca");
    assert_eq!(leaf.not_before, NOW - 300);
    assert_eq!(leaf.not_after, NOW + 365 * DAY);
    assert_eq!(leaf.san, [format!("URI:urn:healthsync:pair:{PAIR}")]);
    assert_eq!(leaf.key, key.digest());
    assert_eq!(leaf.serial.len(), 32);
    assert!(!leaf.is_ca);

    let server = Certificate::from_der(&server_leaf(&ca, &key)).unwrap();
    assert_eq!(
        server.san,
        [
            format!("DNS:{}", PAIR.server_name()),
            format!("DNS:{}", PAIR.local_name())
        ]
    );
    let own = Certificate::from_der(&ca.certificate).unwrap();
    assert_eq!((own.subject.as_str(), own.is_ca), ("healthsync-ca", true));
}

#[test]
fn what_is_no_certificate_is_refused() {
    let good = authority().certificate;
    for wrong in [
        &[][..],
        b"text",
        &good[..good.len() - 1],
        &[&good[..], &[0]].concat(),
    ] {
        assert!(Certificate::from_der(wrong).is_err());
        assert_eq!(check_ca(wrong, NOW), untrusted("not an X.509 certificate"));
    }
}

#[test]
fn names_in_a_certificate_are_inert() {
    let mut wanted = CertificateParams::default();
    wanted
        .distinguished_name
        .push(DnType::CommonName, "a\u{1b}[2J\u{202e}\u{e9}b c");
    let certificate = wanted.self_signed(&key()).unwrap();
    let read = Certificate::from_der(certificate.der()).unwrap();
    assert_eq!(read.subject, r"a\u{1b}[2J\u{202e}\u{e9}b c");
}

#[test]
fn each_leaf_holds_for_its_role_and_its_ca() {
    let (ours, other) = (authority(), authority());
    let key = key();
    let (client, server) = (client_leaf(&ours, &key), server_leaf(&ours, &key));
    for (leaf, ca, as_server, expected) in [
        (&client, &ours.certificate, false, Validity::Valid),
        (&server, &ours.certificate, true, Validity::Valid),
        (
            &client,
            &ours.certificate,
            true,
            untrusted("its extended key usage is not serverAuth alone"),
        ),
        (
            &server,
            &ours.certificate,
            false,
            untrusted("its extended key usage is not clientAuth alone"),
        ),
        // Another CA with the same subject: only the signature tells.
        (
            &client,
            &other.certificate,
            false,
            untrusted("its signature is not the CA's"),
        ),
        (
            &client,
            &client,
            false,
            untrusted("its issuer is not the pair's CA"),
        ),
        (
            &ours.certificate,
            &ours.certificate,
            false,
            untrusted("its key usage is not digitalSignature"),
        ),
    ] {
        assert_eq!(check_leaf(leaf, ca, as_server, NOW), expected);
    }
}

#[test]
fn every_changed_byte_of_a_leaf_is_seen() {
    let ca = authority();
    let good = client_leaf(&ca, &key());
    for position in 0..good.len() {
        let mut changed = good.clone();
        changed[position] ^= 1;
        let validity = check_leaf(&changed, &ca.certificate, false, NOW);
        assert!(matches!(validity, Validity::Untrusted(_)), "{position}");
    }
}

#[test]
fn dates_count_from_the_first_to_the_last_second() {
    let ca = authority();
    let leaf = client_leaf(&ca, &key());
    for (now, expected) in [
        (0, Validity::NotYetValid),
        (NOW - 301, Validity::NotYetValid),
        (NOW - 300, Validity::Valid),
        (NOW + 365 * DAY, Validity::Valid),
        (NOW + 365 * DAY + 1, Validity::Expired),
        (i64::MAX, Validity::Expired),
    ] {
        assert_eq!(check_leaf(&leaf, &ca.certificate, false, now), expected);
    }
    for (now, expected) in [
        (NOW - 301, Validity::NotYetValid),
        (NOW, Validity::Valid),
        (NOW + 5 * 365 * DAY, Validity::Valid),
        (NOW + 5 * 365 * DAY + 1, Validity::Expired),
    ] {
        assert_eq!(check_ca(&ca.certificate, now), expected);
    }
}

fn constrained(names: Vec<GeneralSubtree>) -> NameConstraints {
    NameConstraints {
        permitted_subtrees: names,
        excluded_subtrees: Vec::new(),
    }
}

/// The profile of a pair's CA, to be spoilt.
fn ca_profile() -> CertificateParams {
    let mut wanted = CertificateParams::default();
    wanted.distinguished_name.push(DnType::CommonName, "ca");
    wanted.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    wanted.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    wanted.name_constraints = Some(constrained(vec![GeneralSubtree::DnsName(
        "a.internal".into(),
    )]));
    wanted
}

#[test]
fn a_ca_must_have_the_profile() {
    type Spoil = fn(&mut CertificateParams);
    let cases: [(Spoil, Validity); 9] = [
        (|_| {}, Validity::Valid),
        (
            |wanted| wanted.is_ca = IsCa::ExplicitNoCa,
            untrusted("it is not a CA with a path length of 0"),
        ),
        (
            |wanted| wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            untrusted("it is not a CA with a path length of 0"),
        ),
        (
            |wanted| wanted.is_ca = IsCa::Ca(BasicConstraints::Constrained(1)),
            untrusted("it is not a CA with a path length of 0"),
        ),
        (
            |wanted| wanted.key_usages = vec![KeyUsagePurpose::CrlSign],
            untrusted("its key usage does not allow it to sign certificates"),
        ),
        (
            |wanted| wanted.key_usages.clear(),
            untrusted("its key usage does not allow it to sign certificates"),
        ),
        (
            |wanted| wanted.name_constraints = None,
            untrusted("it has no critical name constraints"),
        ),
        (
            |wanted| {
                wanted.name_constraints =
                    Some(constrained(vec![GeneralSubtree::DnsName(String::new())]));
            },
            untrusted("it has no critical name constraints"),
        ),
        (
            |wanted| {
                let mut unknown =
                    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![5, 0]);
                unknown.set_criticality(true);
                wanted.custom_extensions.push(unknown);
            },
            untrusted("it has an unknown critical extension"),
        ),
    ];
    for (spoil, expected) in cases {
        let mut wanted = ca_profile();
        spoil(&mut wanted);
        let certificate = wanted.self_signed(&key()).unwrap();
        assert_eq!(check_ca(certificate.der(), NOW), expected);
    }
}

#[test]
fn a_ca_must_have_signed_itself_with_p256() {
    for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let foreign = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let certificate = ca_profile().self_signed(&foreign).unwrap();
        assert_eq!(
            check_ca(certificate.der(), NOW),
            untrusted("its key is not a P-256 key")
        );
    }
    let issuer = Issuer::new(ca_profile(), key());
    let signed_by_another = ca_profile().signed_by(&key(), &issuer).unwrap();
    assert_eq!(
        check_ca(signed_by_another.der(), NOW),
        untrusted("its signature is not the CA's")
    );
}

/// The profile of a client leaf, to be spoilt.
fn leaf_profile() -> CertificateParams {
    let mut wanted = CertificateParams::default();
    wanted.is_ca = IsCa::ExplicitNoCa;
    wanted.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    wanted
        .subject_alt_names
        .push(SanType::URI("urn:x".try_into().unwrap()));
    wanted
}

#[test]
fn a_leaf_must_have_the_profile() {
    type Spoil = fn(&mut CertificateParams);
    let not_client = "its extended key usage is not clientAuth alone";
    let cases: [(Spoil, Validity); 8] = [
        (|_| {}, Validity::Valid),
        (
            |wanted| wanted.extended_key_usages.clear(),
            untrusted(not_client),
        ),
        (
            |wanted| {
                wanted
                    .extended_key_usages
                    .push(ExtendedKeyUsagePurpose::ServerAuth);
            },
            untrusted(not_client),
        ),
        (
            |wanted| {
                wanted
                    .extended_key_usages
                    .push(ExtendedKeyUsagePurpose::Any);
            },
            untrusted(not_client),
        ),
        (
            |wanted| wanted.is_ca = IsCa::NoCa,
            untrusted("it does not say CA:FALSE"),
        ),
        (
            |wanted| wanted.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)),
            untrusted("it does not say CA:FALSE"),
        ),
        (
            |wanted| wanted.key_usages.push(KeyUsagePurpose::KeyCertSign),
            untrusted("its key usage is not digitalSignature"),
        ),
        (
            |wanted| wanted.not_after = rcgen::date_time_ymd(2060, 1, 1),
            untrusted("it outlives its CA"),
        ),
    ];
    let mut profile = ca_profile();
    profile.not_after = rcgen::date_time_ymd(2050, 1, 1);
    let ca_key = key();
    let ca = profile.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(profile, ca_key);
    for (spoil, expected) in cases {
        let mut wanted = leaf_profile();
        wanted.not_after = rcgen::date_time_ymd(2040, 1, 1);
        spoil(&mut wanted);
        let leaf = wanted.signed_by(&key(), &issuer).unwrap();
        assert_eq!(check_leaf(leaf.der(), ca.der(), false, NOW), expected);
    }
}

#[test]
fn pem_is_base64_in_lines_of_64() {
    for (der, body) in [
        (&b""[..], ""),
        (b"f", "Zg==\n"),
        (b"fo", "Zm8=\n"),
        (b"foo", "Zm9v\n"),
        (
            &[0xff; 49],
            "////////////////////////////////////////////////////////////////\n/w==\n",
        ),
    ] {
        assert_eq!(
            to_pem(der),
            format!("-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n")
        );
    }
}
