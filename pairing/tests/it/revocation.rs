//! Revoked devices: what they are told, and that no way leads back.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
};

use healthsync_pairing::{
    credentials::{ClientCredentials, HostCredentials},
    enroll::host::{Approval, HostEvent},
    keystore::KeyStore as _,
    trust::{Refusal, State, TrustError},
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{
    data_port::{DATA, alert, own, seen},
    expiry::{Late, renew_late},
    fake::client,
    host::{DAY, Host, peer},
    renewal::{record, renew},
};

/// What the host's key store holds of a pair.
fn stored(host: &Host, credentials: &ClientCredentials) -> HostCredentials {
    let item = HostCredentials::item(&credentials.pair);
    let item = host.keys.read(&item).expect("reads").expect("an item");
    HostCredentials::decode(&item).expect("decodes")
}

/// The serial numbers on a list.
fn serials(list: &[u8]) -> Vec<String> {
    use x509_parser::prelude::FromDer as _;
    let (rest, list) =
        x509_parser::revocation_list::CertificateRevocationList::from_der(list).expect("a list");
    assert!(rest.is_empty());
    let listed = list.iter_revoked_certificates();
    listed
        .map(|one| {
            format!(
                "{:032x}",
                u128::from_be_bytes(one.raw_serial().try_into().expect("16 bytes"),)
            )
        })
        .collect()
}

fn serial(der: &[u8]) -> String {
    let certificate = healthsync_pairing::certificate::Certificate::from_der(der).expect("one");
    certificate.serial
}

#[tokio::test]
async fn revoked_devices_are_told_so() {
    let host = Host::start().await;
    let credentials = host.paired("laptop").await;
    let other = host.paired("other").await;
    assert!(stored(&host, &credentials).ca_key.is_some());
    assert!(seen(&host, &credentials).await.is_ok());

    let mut revocations = host.trust.revocations();
    let record = host.trust.revoke("laptop").expect("revoked");
    assert_eq!(record.pair, credentials.pair);
    assert_eq!(revocations.recv().await, Ok(credentials.pair));
    assert_eq!(
        host.trust.authorize(&peer(&credentials)),
        Err(Refusal::Revoked)
    );
    assert!(host.acknowledge(&credentials).is_err());
    // The CA can sign nothing more; the server's own leaf stays, to say why.
    assert!(stored(&host, &credentials).ca_key.is_none());

    let check = async |host: &Host| {
        let failure = seen(host, &credentials).await.expect_err("refused");
        assert_eq!(failure.code, "CERT_REVOKED");
        assert_eq!(failure.alert.as_deref(), Some("certificate_revoked"));
    };
    check(&host).await;
    assert!(seen(&host, &other).await.is_ok());
    host.trust
        .revoke(&credentials.pair.to_string())
        .expect("again");

    // A restart revives nobody.
    let host = host.restart().await;
    check(&host).await;
    assert!(seen(&host, &other).await.is_ok());

    // When its server leaf has ended the pair is as good as unknown, and its item is swept.
    host.clock.turn(91 * DAY);
    let failure = seen(&host, &credentials).await.expect_err("refused");
    assert_eq!(failure.alert.as_deref(), Some("unrecognized_name"));
    let host = host.restart().await;
    assert_eq!(host.keys.of_pairs(), [HostCredentials::item(&other.pair)]);
    assert!(seen(&host, &other).await.is_ok());
}

#[tokio::test]
async fn revoked_cannot_resume() {
    let host = Host::start().await;
    let credentials = host.paired("device").await;
    // A client that would resume if it could.
    let configuration = Arc::new(client(DATA, Some(own(&credentials))));
    let name = ServerName::try_from(credentials.pair.server_name()).expect("a name");
    for _ in 0..2 {
        let tcp = TcpStream::connect(host.address).await.expect("connected");
        let connector = TlsConnector::from(Arc::clone(&configuration));
        let mut stream = connector
            .connect(name.clone(), tcp)
            .await
            .expect("a handshake");
        stream.write_all(b"x").await.expect("sent");
        stream.read_exact(&mut [0; 1]).await.expect("echoed");
        let connection = stream.get_ref().1;
        assert_eq!(
            connection.handshake_kind(),
            Some(rustls::HandshakeKind::Full)
        );
        assert_eq!(connection.tls13_tickets_received(), 0);
    }
    host.trust
        .revoke(&credentials.pair.to_string())
        .expect("revoked");
    let name = credentials.pair.server_name();
    let got = alert(host.address, ClientConfig::clone(&configuration), &name).await;
    assert_eq!(got.as_deref(), Some("certificate_revoked"));
}

#[tokio::test]
async fn revoked_cannot_renew() {
    let host = Host::start().await;
    let old = host.paired("device").await;
    let new = renew(&host, &old).expect("renewed");
    let open = peer(&old);
    host.trust.revoke("device").expect("revoked");
    match renew(&host, &old) {
        Err(TrustError::Refused(refusal)) => assert_eq!(refusal, Refusal::Revoked),
        other => panic!("{other:?}"),
    }
    assert_eq!(host.trust.authorize_late(&open), Err(Refusal::Revoked));
    // Not with what was issued before either, nor at the door for what has run out.
    for days in [0, 366, 30] {
        host.clock.turn(days * DAY);
        for credentials in [&new, &old] {
            let name = credentials.pair.server_name();
            for alpn in [DATA, &["healthsync-renew/1"]] {
                let configuration = client(alpn, Some(own(credentials)));
                let got = alert(host.address, configuration, &name).await;
                let expected = match (days, alpn) {
                    (0, _) => "certificate_revoked",
                    // The pair's server leaf has ended: there is nothing left to answer with.
                    _ => "unrecognized_name",
                };
                assert_eq!(got.as_deref(), Some(expected), "{days} {alpn:?}");
            }
        }
    }
    assert_eq!(record(&host).state, State::Revoked);
    assert_eq!(record(&host).key, old.key.digest());
}

/// The files of the database, as a backup takes them.
fn backup(folder: &Path) -> BTreeMap<std::ffi::OsString, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry"))
        .map(|entry| (entry.file_name(), fs::read(entry.path()).expect("readable")))
        .collect()
}

fn restore(folder: &Path, files: &BTreeMap<std::ffi::OsString, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        fs::remove_file(entry.expect("an entry").path()).expect("removed");
    }
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).expect("written");
    }
}

/// A backup of the records, or of the key store, from before the revocation: either alone revives
/// nobody.
#[tokio::test]
async fn restored_backup_stays_revoked() {
    let host = Host::start().await;
    let credentials = host.paired("device").await;
    let other = host.paired("other").await;
    let item = HostCredentials::item(&credentials.pair);
    let host = host.restart().await;
    let records = backup(host.folder.path());
    let key_item = host.keys.read(&item).expect("reads").expect("an item");
    let check = async |host: &Host| {
        let failure = seen(host, &credentials).await.expect_err("refused");
        assert_eq!(failure.alert.as_deref(), Some("certificate_revoked"));
        let late = renew_late(host, &credentials).await;
        assert_eq!(late, Late::Alert("certificate_revoked".to_owned()));
        assert!(seen(host, &other).await.is_ok());
        assert_eq!(record(host).state, State::Revoked);
        assert!(stored(host, &credentials).ca_key.is_none());
        let refused = host.trust.authorize(&peer(&credentials));
        assert_eq!(refused, Err(Refusal::Revoked));
    };
    host.trust.revoke("device").expect("revoked");
    check(&host).await;

    let host = host.restart_after(|folder| restore(folder, &records)).await;
    assert_eq!(
        record(&host).state,
        State::Active,
        "the record was restored"
    );
    check(&host).await;
    // And it is written down again.
    let host = host.restart().await;
    assert_eq!(record(&host).state, State::Revoked);

    host.keys.write(&item, &key_item).expect("written");
    let host = host.restart().await;
    assert!(
        stored(&host, &credentials).ca_key.is_some(),
        "the item was restored"
    );
    check(&host).await;
}

#[tokio::test]
async fn the_last_list_names_all_that_is_not_past_its_end() {
    let host = Host::start().await;
    let first = host.paired("device").await;
    let servers_first = stored(&host, &first).leaf;
    let list = |host: &Host| host.trust.crl("device").expect("a list").der;
    assert!(serials(&list(&host)).is_empty());

    // A renewal whose answer was lost, then one that is used; a new server leaf.
    let lost = renew(&host, &first).expect("renewed");
    let second = renew(&host, &first).expect("renewed");
    assert_eq!(serials(&list(&host)), [serial(&lost.leaf)]);
    assert!(seen(&host, &second).await.is_ok());
    host.clock.turn(61 * DAY);
    assert!(seen(&host, &second).await.is_ok());
    let mut gone = vec![
        serial(&first.leaf),
        serial(&lost.leaf),
        serial(&servers_first),
    ];
    gone.sort();
    assert_eq!(serials(&list(&host)), gone);

    let servers_second = stored(&host, &first).leaf;
    host.trust.revoke("device").expect("revoked");
    let last = list(&host);
    gone.extend([serial(&second.leaf), serial(&servers_second)]);
    gone.sort();
    assert_eq!(serials(&last), gone);
    // It is kept as it is, also over a restart, and when all keys are long gone.
    let host = host.restart().await;
    host.clock.turn(3000 * DAY);
    let host = host.restart().await;
    assert!(host.keys.of_pairs().is_empty());
    assert_eq!(list(&host), last);
    assert_eq!(
        host.trust.crl("nobody").expect_err("none").code(),
        "PAIR_NOT_FOUND"
    );
}

/// Lists have numbers that rise, and the last one is good until the CA's own end.
#[tokio::test]
async fn lists_have_dates_and_rising_numbers() {
    use x509_parser::prelude::FromDer as _;
    let host = Host::start().await;
    let credentials = host.paired("device").await;
    let ca_end = healthsync_pairing::certificate::Certificate::from_der(&credentials.ca);
    let ca_end = ca_end.expect("a certificate").not_after;
    let now = host.environment().clock.now();
    let head = |host: &Host| {
        let der = host.trust.crl("device").expect("a list").der;
        let (_, list) = x509_parser::revocation_list::CertificateRevocationList::from_der(&der)
            .expect("a list");
        let number = list.crl_number().expect("a number").to_string();
        let next = list.next_update().expect("a time").timestamp();
        (list.last_update().timestamp(), next, number)
    };
    assert_eq!(head(&host), (now - 300, now + 7 * DAY, "1".to_owned()));
    assert_eq!(head(&host), (now - 300, now + 7 * DAY, "2".to_owned()));
    host.trust.revoke("device").expect("revoked");
    for _ in 0..2 {
        assert_eq!(head(&host), (now - 300, ca_end, "3".to_owned()));
    }
}

#[tokio::test]
async fn a_reset_ends_every_pair_and_the_window() {
    let host = Host::start().await;
    let active = host.paired("active").await;
    let revoked = host.paired("revoked").await;
    host.trust.revoke("revoked").expect("revoked");
    let (_first, invite) = host.window(Approval::None);
    let pending = host.device(invite, "pending").outcome.await.expect("runs");
    let pending = pending.expect("enrolled").credentials;
    let (mut window, invite) = host.window(Approval::Digits);
    let mut device = host.device(invite, "late");
    device.digits().await;
    window.events.recv().await.expect("digits are wanted");

    let mut cut = host.trust.revocations();
    let ended = host.trust.reset().expect("reset");
    let pairs: BTreeSet<_> = ended.iter().map(|record| record.pair).collect();
    assert_eq!(pairs, BTreeSet::from([active.pair, pending.pair]));
    let told = [cut.recv().await, cut.recv().await].map(|pair| pair.expect("a pair"));
    assert_eq!(BTreeSet::from(told), pairs);
    assert_eq!(
        window.events.recv().await,
        Some(HostEvent::Closed {
            code: "PAIRING_CANCELLED"
        })
    );
    assert_eq!(device.failure().await, "PAIRING_REFUSED");
    for credentials in [&active, &revoked, &pending] {
        let failure = seen(&host, credentials).await.expect_err("refused");
        assert_eq!(failure.alert.as_deref(), Some("certificate_revoked"));
        assert!(stored(&host, credentials).ca_key.is_none());
        assert!(host.trust.crl(&credentials.pair.to_string()).is_ok());
    }
    assert!(host.trust.reset().expect("again").is_empty());
    // It is no end: the next device can be paired.
    assert!(seen(&host, &host.paired("next").await).await.is_ok());
}
