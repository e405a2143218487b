//! The data port: who comes in, and which alert the others get.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use healthsync_pairing::{
    credentials::{ClientCredentials, HostCredentials},
    device::DeviceKey,
    enroll::host::Approval,
    id::PairId,
    tls::{
        client::{Shown, configuration, look},
        failure::{Failure, cause},
    },
    trust::Refusal,
};
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    fake::{client, private},
    host::{DAY, Host, peer},
};

pub(crate) async fn seen(host: &Host, credentials: &ClientCredentials) -> Result<Shown, Failure> {
    let configuration = configuration(credentials, &host.environment()).expect("a configuration");
    look(
        configuration,
        &credentials.pair,
        host.address,
        Duration::from_secs(5),
    )
    .await
}

/// The alert that a client gets: in the handshake, or after it.
pub(crate) async fn alert(
    address: SocketAddr,
    configuration: ClientConfig,
    name: &str,
) -> Option<String> {
    let tcp = TcpStream::connect(address).await.expect("connected");
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let error = match TlsConnector::from(Arc::new(configuration))
        .connect(name, tcp)
        .await
    {
        Err(error) => error,
        Ok(mut stream) => {
            let read = timeout(Duration::from_millis(500), stream.read(&mut [0; 1])).await;
            match read {
                // Silence: we are in.
                Err(_) => return None,
                Ok(read) => read.expect_err("an alert"),
            }
        }
    };
    Some(cause(&error).expect("a cause").alert.expect("an alert"))
}

pub(crate) fn own(credentials: &ClientCredentials) -> (Vec<u8>, PrivateKeyDer<'static>) {
    (credentials.leaf.clone(), private(&credentials.key))
}

pub(crate) const DATA: &[&str] = &["h2", "http/1.1"];

#[tokio::test]
async fn a_pair_comes_in_with_its_own_certificate() {
    let mut host = Host::start().await;
    let credentials = host.paired("device").await;
    let shown = seen(&host, &credentials).await.expect("in");
    assert_eq!(shown.alpn.as_deref(), Some("h2"));
    let visit = host.visits.recv().await.expect("a visit");
    assert_eq!(visit, Ok(peer(&credentials)));

    // By the other name too, with HTTP/1.1 alone, or without any list.
    for (name, alpn) in [
        (credentials.pair.local_name(), DATA),
        (credentials.pair.server_name(), &["http/1.1"][..]),
        (credentials.pair.server_name(), &[]),
    ] {
        let configuration = client(alpn, Some(own(&credentials)));
        assert_eq!(
            alert(host.address, configuration, &name).await,
            None,
            "{name} {alpn:?}"
        );
    }
}

#[tokio::test]
async fn refused_clients_get_the_exact_alert() {
    let mut host = Host::start().await;
    let a = host.paired("a").await;
    let at_a = a.pair.server_name();
    let nobody = PairId([1; 16]).server_name();
    let stranger = DeviceKey::generate().expect("a key");
    let self_signed =
        healthsync_pairing::ca::window_certificate(&stranger, &host.environment()).expect("one");

    let cases = [
        (
            "no certificate",
            client(DATA, None),
            &at_a,
            "certificate_required",
        ),
        (
            "self-signed, for servers",
            client(DATA, Some((self_signed, private(&stranger)))),
            &at_a,
            "unsupported_certificate",
        ),
        (
            "unknown pair",
            client(DATA, Some(own(&a))),
            &nobody,
            "unrecognized_name",
        ),
        (
            "foreign name",
            client(DATA, Some(own(&a))),
            &"localhost".to_owned(),
            "unrecognized_name",
        ),
        (
            "no name",
            client(DATA, Some(own(&a))),
            &"127.0.0.1".to_owned(),
            "unrecognized_name",
        ),
        (
            "a mixed list",
            client(&["h2", "healthsync-pair/1"], Some(own(&a))),
            &at_a,
            "no_application_protocol",
        ),
        (
            "unknown protocol",
            client(&["h3"], Some(own(&a))),
            &at_a,
            "no_application_protocol",
        ),
        (
            "renewal without a certificate",
            client(&["healthsync-renew/1"], None),
            &at_a,
            "certificate_required",
        ),
        (
            "renewal under another name",
            client(&["healthsync-renew/1"], Some(own(&a))),
            &nobody,
            "unrecognized_name",
        ),
        (
            "no window",
            client(&["healthsync-pair/1"], None),
            &at_a,
            "no_application_protocol",
        ),
    ];
    for (what, configuration, name, expected) in cases {
        let got = alert(host.address, configuration, name).await;
        assert_eq!(got.as_deref(), Some(expected), "{what}");
        assert!(
            host.visits.recv().await.expect("a visit").is_err(),
            "{what}"
        );
    }

    // A window changes nothing for the others.
    let (_window, _invite) = host.window(Approval::Digits);
    let got = alert(host.address, client(DATA, None), &at_a).await;
    assert_eq!(got.as_deref(), Some("certificate_required"));
    let got = alert(
        host.address,
        client(&["h2", "healthsync-pair/1"], None),
        &at_a,
    )
    .await;
    assert_eq!(got.as_deref(), Some("no_application_protocol"));
    assert!(seen(&host, &a).await.is_ok());
}

/// A client that leaves the alert to find it: with a body on its way, the connection is not reset
/// before the alert is read.
#[tokio::test]
async fn the_alert_survives_a_request_on_its_way() {
    let host = Host::start().await;
    let credentials = host.paired("device").await;
    let name = ServerName::try_from(credentials.pair.server_name()).expect("a name");
    let request = vec![b'x'; 20_000];
    for _ in 0..20 {
        let tcp = TcpStream::connect(host.address).await.expect("connected");
        let connector = TlsConnector::from(Arc::new(client(DATA, None)));
        let mut stream = connector
            .connect(name.clone(), tcp)
            .await
            .expect("a handshake");
        let mut error = stream.write_all(&request).await.err();
        if error.is_none() {
            error = stream.read(&mut [0; 1]).await.err();
        }
        let failure = cause(&error.expect("refused")).expect("a cause");
        assert_eq!(failure.code, "NO_CLIENT_CERTIFICATE");
    }
}

/// Certificates that this pair's own CA signed, for every kind of key but the recorded one.
#[tokio::test]
async fn verifier_rejects_every_foreign_key() {
    use healthsync_pairing::keystore::KeyStore as _;
    let host = Host::start().await;
    let credentials = host.paired("device").await;
    let item = host
        .keys
        .read(&HostCredentials::item(&credentials.pair))
        .expect("reads");
    let authority = HostCredentials::decode(&item.expect("an item")).expect("decodes");
    let ca_key = authority.ca_key.as_ref().expect("a key");
    let issuer =
        rcgen::Issuer::from_ca_cert_der(&CertificateDer::from(authority.ca.as_slice()), ca_key);
    let issuer = issuer.expect("an issuer");
    let name = credentials.pair.server_name();

    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA256,
    ] {
        let key = rcgen::KeyPair::generate_for(algorithm).expect("a key");
        let mut wanted = rcgen::CertificateParams::default();
        wanted.not_before = rcgen::date_time_ymd(2020, 1, 1);
        wanted.not_after = rcgen::date_time_ymd(2030, 1, 1);
        wanted.is_ca = rcgen::IsCa::ExplicitNoCa;
        wanted.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
        wanted.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let san = format!("urn:healthsync:pair:{}", credentials.pair);
        wanted.subject_alt_names = vec![rcgen::SanType::URI(san.try_into().expect("a URI"))];
        let leaf = wanted.signed_by(&key, &issuer).expect("a certificate");
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let identity = Some((leaf.der().to_vec(), private));
        let got = alert(host.address, client(DATA, identity), &name).await;
        assert_eq!(got.as_deref(), Some("access_denied"), "{algorithm:?}");
    }
    // A key of a kind that nobody knows: the algorithm's name is changed, then the CA signs.
    let unknown = with_unknown_key(&credentials.leaf, ca_key);
    let configuration = lenient(unknown, &credentials.key);
    let got = alert(host.address, configuration, &name).await;
    assert_eq!(got.as_deref(), Some("access_denied"));
    // The right certificate, cut short or changed.
    let mut changed = credentials.leaf.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    for (leaf, expected) in [
        (credentials.leaf[..last].to_vec(), "bad_certificate"),
        (changed, "decrypt_error"),
    ] {
        let configuration = lenient(leaf, &credentials.key);
        let got = alert(host.address, configuration, &name).await;
        assert_eq!(got.as_deref(), Some(expected));
    }
    assert!(seen(&host, &credentials).await.is_ok());
}

/// The certificate with id-ecPublicKey (1.2.840.10045.2.1) changed to 1.2.840.10045.2.99.
fn with_unknown_key(leaf: &[u8], ca_key: &DeviceKey) -> Vec<u8> {
    const EC: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    // SEQUENCE { tbs SEQUENCE { .. }, algorithm SEQUENCE, signature BIT STRING }, lengths in two bytes.
    let tbs_length = usize::from(u16::from_be_bytes([leaf[6], leaf[7]]));
    let mut tbs = leaf[4..8 + tbs_length].to_vec();
    let at = tbs.windows(EC.len()).position(|part| part == EC);
    tbs[at.expect("an EC key") + EC.len() - 1] = 99;
    let algorithm = &leaf[8 + tbs_length..8 + tbs_length + 12];
    let signature = ca_key.sign_der(&tbs).expect("a signature");
    let length = u8::try_from(signature.len() + 1).expect("short");
    let body = [&tbs[..], algorithm, &[3, length, 0], &signature].concat();
    let length = u16::try_from(body.len()).expect("short").to_be_bytes();
    [&[0x30, 0x82][..], &length, &body].concat()
}

/// The right certificate, signed for by another key.
#[tokio::test]
async fn cert_without_key() {
    let host = Host::start().await;
    let credentials = host.paired("device").await;
    let thief = DeviceKey::generate().expect("a key");
    for alpn in [DATA, &["healthsync-renew/1"]] {
        let mut configuration = lenient(credentials.leaf.clone(), &thief);
        configuration.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = credentials.pair.server_name();
        let got = alert(host.address, configuration, &name).await;
        assert_eq!(got.as_deref(), Some("decrypt_error"), "{alpn:?}");
    }
    assert!(seen(&host, &credentials).await.is_ok());
}

/// Eight pairs, each at the door of each: by certificate, by name, and as a peer.
#[tokio::test]
async fn pair_a_on_pair_b() {
    let host = Host::start().await;
    let mut pairs = Vec::new();
    for number in 0..8 {
        pairs.push(host.paired(&format!("device {number}")).await);
    }
    for (row, from) in pairs.iter().enumerate() {
        for (column, to) in pairs.iter().enumerate() {
            let own_door = row == column;
            for alpn in [DATA, &["healthsync-renew/1"]] {
                let configuration = client(alpn, Some(own(from)));
                let got = alert(host.address, configuration, &to.pair.server_name()).await;
                let expected = (!own_door).then_some("unknown_ca");
                assert_eq!(got.as_deref(), expected, "{row} at {column}, {alpn:?}");
            }
            // Our own client does not even take the other pair's server.
            let trusting = configuration(from, &host.environment()).expect("one");
            let shown = look(trusting, &to.pair, host.address, Duration::from_secs(5)).await;
            assert_eq!(shown.is_ok(), own_door, "{row} at {column}");
            // Nor is a key of one pair a peer of the other.
            let claimed = healthsync_pairing::trust::Peer {
                pair: to.pair,
                ..peer(from)
            };
            let known = host.trust.authorize(&claimed).map(|record| record.pair);
            let expected = if own_door {
                Ok(to.pair)
            } else {
                Err(Refusal::Unknown)
            };
            assert_eq!(known, expected, "{row} at {column}");
        }
    }
}

/// A client whose own library does not look at its certificate.
pub(crate) fn lenient(leaf: Vec<u8>, key: &DeviceKey) -> ClientConfig {
    let signer = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&private(key)).expect("a key");
    let certified = rustls::sign::CertifiedKey::new(vec![CertificateDer::from(leaf)], signer);
    let mut configuration = client(DATA, None);
    configuration.client_auth_cert_resolver =
        Arc::new(rustls::sign::SingleCertAndKey::from(certified));
    configuration
}

#[tokio::test]
async fn what_is_not_tls_is_turned_away() {
    let mut host = Host::start().await;
    let mut stream = TcpStream::connect(host.address).await.expect("connected");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an end");
    assert_eq!(host.visits.recv().await, Some(Err("not a TLS client")));

    // Nothing at all: the door waits five seconds and no longer.
    let _silent = TcpStream::connect(host.address).await.expect("connected");
    tokio::task::yield_now().await;
    tokio::time::pause();
    assert_eq!(
        host.visits.recv().await,
        Some(Err("no ClientHello in time"))
    );
}

#[tokio::test]
async fn a_server_leaf_is_made_anew_in_time() {
    let host = Host::start().await;
    let credentials = host.paired("device").await;
    let first = seen(&host, &credentials).await.expect("in").server_leaf;
    host.clock.turn(59 * DAY);
    assert_eq!(
        seen(&host, &credentials).await.expect("in").server_leaf,
        first
    );
    host.clock.turn(2 * DAY);
    let second = seen(&host, &credentials).await.expect("in").server_leaf;
    assert_ne!(second, first);
    assert_eq!(
        seen(&host, &credentials).await.expect("in").server_leaf,
        second
    );
    let host = host.restart().await;
    assert_eq!(
        seen(&host, &credentials).await.expect("in").server_leaf,
        second
    );
}
