//! Servers that a paired client must not believe: somebody in the middle of the data connection.

use std::{sync::Arc, time::Duration};

use healthsync_pairing::{
    ca,
    credentials::ClientCredentials,
    device::DeviceKey,
    environment::Environment,
    id::PairId,
    secret::Secret,
    tls::client::{configuration, look},
};
use rustls::{ServerConfig, pki_types::CertificateDer};
use tokio::{io::AsyncReadExt as _, net::TcpListener};
use tokio_rustls::TlsAcceptor;

use crate::fake::{private, provider};

const PAIR: PairId = PairId([4; 16]);

/// A certificate and the key that signs for it, which need not fit.
struct Identity {
    leaf: Vec<u8>,
    key: DeviceKey,
}

fn key() -> DeviceKey {
    DeviceKey::generate().expect("a key")
}

fn server(authority: &ca::Authority, pair: &PairId) -> Identity {
    let key = key();
    let (signer, own) = (&authority.key, &authority.certificate);
    let leaf = ca::server_leaf(signer, own, pair, &key.spki(), &Environment::system());
    Identity {
        leaf: leaf.expect("a leaf"),
        key,
    }
}

/// A leaf of any form, by this CA.
fn other(
    authority: &ca::Authority,
    name: &str,
    change: impl FnOnce(&mut rcgen::CertificateParams),
) -> Identity {
    let der = CertificateDer::from(authority.certificate.as_slice());
    let issuer = rcgen::Issuer::from_ca_cert_der(&der, &authority.key).expect("an issuer");
    let mut wanted = rcgen::CertificateParams::new([name.to_owned()]).expect("a name");
    wanted.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    change(&mut wanted);
    let key = key();
    let subject = rcgen::SubjectPublicKeyInfo::from_der(&key.spki()).expect("a key");
    let leaf = wanted.signed_by(&subject, &issuer).expect("a leaf");
    Identity {
        leaf: leaf.der().to_vec(),
        key,
    }
}

/// What the client says of this server, and what the server got to read.
async fn meet(credentials: &ClientCredentials, server: Identity) -> (Option<&'static str>, usize) {
    let signer = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&private(&server.key));
    let chain = vec![CertificateDer::from(server.leaf)];
    let identity = rustls::sign::CertifiedKey::new(chain, signer.expect("a key"));
    let mut wanted = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(identity)));
    wanted.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let own = configuration(credentials, &Environment::system()).expect("a configuration");
    let client = look(own, &credentials.pair, address, Duration::from_secs(5));
    let (seen, read) = tokio::join!(client, async {
        let (tcp, _) = listener.accept().await.expect("a client");
        let acceptor = TlsAcceptor::from(Arc::new(wanted));
        let Ok(mut stream) = acceptor.accept(tcp).await else {
            return 0;
        };
        let mut read = Vec::new();
        drop(stream.read_to_end(&mut read).await);
        1 + read.len()
    });
    (seen.err().map(|failure| failure.code), read)
}

#[tokio::test]
async fn a_foreign_server_is_refused() {
    const UNTRUSTED: &str = "UNABLE_TO_VERIFY_LEAF_SIGNATURE";

    let environment = Environment::system();
    let own = ca::authority(&PAIR, &environment).expect("a CA");
    let stranger = ca::authority(&PAIR, &environment).expect("a CA");
    let credentials = |authority: &ca::Authority| {
        let key = key();
        let (signer, own) = (&authority.key, &authority.certificate);
        let leaf = ca::client_leaf(signer, own, &PAIR, &key.spki(), 30, &environment);
        ClientCredentials {
            pair: PAIR,
            key,
            leaf: leaf.expect("a leaf"),
            ca: authority.certificate.clone(),
            discovery_key: Secret::new(vec![0; 32]),
        }
    };
    let client = credentials(&own);
    assert_eq!(meet(&client, server(&own, &PAIR)).await, (None, 1));

    let posing = credentials(&own);
    let name = PAIR.server_name();
    let in_past = |wanted: &mut rcgen::CertificateParams| {
        wanted.not_before = rcgen::date_time_ymd(2020, 1, 1);
        wanted.not_after = rcgen::date_time_ymd(2021, 1, 1);
    };
    let for_clients = |wanted: &mut rcgen::CertificateParams| {
        wanted.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    };
    let cases = [
        (
            "another CA of the same name",
            server(&stranger, &PAIR),
            UNTRUSTED,
        ),
        (
            "the right certificate without its key",
            Identity {
                key: key(),
                ..server(&own, &PAIR)
            },
            UNTRUSTED,
        ),
        (
            "another name",
            other(&own, &PAIR.local_name(), |_| {}),
            "CERT_COMMON_NAME_INVALID",
        ),
        (
            "another pair",
            server(&own, &PairId([5; 16])),
            "CERT_COMMON_NAME_INVALID",
        ),
        ("over", other(&own, &name, in_past), "CERT_HAS_EXPIRED"),
        (
            "for clients",
            other(&own, &name, for_clients),
            "CERT_REJECTED",
        ),
        (
            "another client of this CA",
            Identity {
                leaf: posing.leaf,
                key: posing.key,
            },
            "CERT_REJECTED",
        ),
        (
            "the CA itself",
            Identity {
                leaf: own.certificate.clone(),
                key: DeviceKey::from_pkcs8(Secret::new(own.key.pkcs8().expose().to_vec()))
                    .expect("a key"),
            },
            "SELF_SIGNED_CERT_IN_CHAIN",
        ),
    ];
    for (what, server, expected) in cases {
        assert_eq!(meet(&client, server).await, (Some(expected), 0), "{what}");
    }

    // A CA that could sign for every site is none of ours, whoever stored it.
    let mut wanted = rcgen::CertificateParams::default();
    wanted.not_before = rcgen::date_time_ymd(2020, 1, 1);
    wanted.not_after = rcgen::date_time_ymd(2090, 1, 1);
    wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let unlimited_key = key();
    let unlimited = wanted.self_signed(&unlimited_key).expect("a CA");
    let unlimited = ca::Authority {
        key: unlimited_key,
        certificate: unlimited.der().to_vec(),
    };
    let (client, server) = (credentials(&unlimited), server(&unlimited, &PAIR));
    assert_eq!(meet(&client, server).await, (Some(UNTRUSTED), 0));
}
