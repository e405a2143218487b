//! Certificates that have run out, clocks that are wrong, and the one door that is left then.

use std::{sync::Arc, time::Duration};

use healthsync_pairing::{
    ca,
    certificate::{Certificate, Validity, check_ca},
    credentials::{ClientCredentials, HostCredentials},
    device::DeviceKey,
    enroll::host::Approval,
    keystore::KeyStore as _,
    renewal::{self, NewKey},
    tls::{
        client::{configuration, connect, late_renewal, look},
        failure::{Failure, Subject, cause},
    },
    trust::{Peer, Refusal, State},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    data_port::{DATA, alert, own, seen},
    fake::client,
    host::{DAY, Host, START, TestClock, environment, peer},
    renewal::{record, renew},
};

/// What came of a renewal at the door for certificates that have run out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Late {
    Renewed(Vec<u8>),
    Refused(String),
    Alert(String),
}

/// Asks there with a new key.
pub(crate) async fn renew_late(host: &Host, present: &ClientCredentials) -> Late {
    renew_with(host, present, &NewKey::generate().expect("a key")).await
}

async fn renew_with(host: &Host, present: &ClientCredentials, key: &NewKey) -> Late {
    let configuration = late_renewal(present, &host.environment()).expect("a configuration");
    let wait = Duration::from_secs(5);
    let mut stream = connect(configuration, &present.pair, host.address, wait)
        .await
        .expect("a handshake");
    let exporter = renewal::exporter(stream.connection()).expect("an exporter");
    let request = key.request(&exporter, &present.pair).expect("a request");
    let mut answer = Vec::new();
    let read = match stream.write_all(&request).await {
        Ok(()) => stream.read_to_end(&mut answer).await,
        Err(error) => Err(error),
    };
    if let Err(error) = read {
        let failure = cause(&error).expect("a cause");
        return Late::Alert(failure.alert.expect("an alert"));
    }
    match answer.split_first() {
        Some((0, answer)) => Late::Renewed(answer.to_vec()),
        Some((1, why)) => Late::Refused(String::from_utf8_lossy(why).into_owned()),
        other => panic!("{other:?}"),
    }
}

/// The same, taken over by the device.
async fn renewed(host: &Host, present: &ClientCredentials) -> ClientCredentials {
    let key = NewKey::generate().expect("a key");
    let Late::Renewed(answer) = renew_with(host, present, &key).await else {
        panic!("not renewed");
    };
    let now = host.environment().clock.now();
    key.accept(&answer, present, now).expect("a certificate")
}

fn expired() -> Late {
    Late::Alert("certificate_expired".to_owned())
}

fn end(credentials: &ClientCredentials) -> i64 {
    let leaf = Certificate::from_der(&credentials.leaf).expect("a certificate");
    leaf.not_after
}

#[tokio::test]
async fn a_certificate_that_has_run_out_is_renewed_for_ninety_days() {
    for (late, is_renewed) in [(1, true), (90 * DAY, true), (90 * DAY + 1, false)] {
        let host = Host::start().await;
        let old = host.paired("device").await;
        host.clock.set(end(&old) + late);
        let failure = seen(&host, &old).await.expect_err("refused");
        assert_eq!(failure.alert.as_deref(), Some("certificate_expired"));
        assert_eq!(host.trust.authorize(&peer(&old)), Err(Refusal::Expired));
        if !is_renewed {
            assert_eq!(renew_late(&host, &old).await, expired());
            assert_eq!(
                host.trust.authorize_late(&peer(&old)),
                Err(Refusal::Expired)
            );
            continue;
        }
        let new = renewed(&host, &old).await;
        assert_eq!(end(&new), end(&old) + late + 365 * DAY);
        assert!(seen(&host, &new).await.is_ok());
        assert_eq!(record(&host).key, new.key.digest());
        // The old key is retired like any other.
        let got = renew_late(&host, &old).await;
        assert_eq!(got, Late::Alert("access_denied".to_owned()));
        assert_eq!(record(&host).state, State::Suspended);
    }
}

/// A client whose clock is fast comes a little early.
#[tokio::test]
async fn the_door_is_open_before_the_end_as_well() {
    let host = Host::start().await;
    let old = host.paired("device").await;
    let new = renewed(&host, &old).await;
    assert!(seen(&host, &new).await.is_ok());
}

#[tokio::test]
async fn it_reaches_nothing_but_a_renewal() {
    let mut host = Host::start().await;
    let old = host.paired("device").await;
    host.clock.set(end(&old) + 1);
    // Its own protocol alone: no list that also names those of the data.
    for alpn in [
        DATA,
        &["healthsync-renew/1", "h2"],
        &["h2", "healthsync-renew/1"],
    ] {
        let configuration = client(alpn, Some(own(&old)));
        let got = alert(host.address, configuration, &old.pair.server_name()).await;
        let expected = if alpn == DATA {
            "certificate_expired"
        } else {
            "no_application_protocol"
        };
        assert_eq!(got.as_deref(), Some(expected), "{alpn:?}");
        assert!(host.visits.recv().await.expect("a visit").is_err());
    }
    // What comes in there is nobody who may read.
    assert!(matches!(renew_late(&host, &old).await, Late::Renewed(_)));
    let visitor = host.visits.recv().await.expect("a visit").expect("a peer");
    assert_eq!(visitor, peer(&old));
    assert_eq!(host.trust.authorize(&visitor), Err(Refusal::Expired));
}

#[tokio::test]
async fn once_an_hour_at_most() {
    let host = Host::start().await;
    let old = host.paired("device").await;
    host.clock.set(end(&old) + 1);
    assert!(matches!(renew_late(&host, &old).await, Late::Renewed(_)));
    // The answer was lost; the device asks again.
    host.clock.turn(3599);
    let wait = Refusal::TooSoon { wait: 1 };
    assert_eq!(
        renew_late(&host, &old).await,
        Late::Refused(wait.to_string())
    );
    host.clock.turn(1);
    let new = renewed(&host, &old).await;
    assert!(seen(&host, &new).await.is_ok());
    // A clock that was set back locks nobody out.
    host.clock.set(end(&new) + 1);
    assert!(matches!(renew_late(&host, &new).await, Late::Renewed(_)));
    host.clock.turn(-200);
    assert!(matches!(renew_late(&host, &new).await, Late::Renewed(_)));
}

/// Of two certificates for one key the one last issued counts, byte for byte.
#[tokio::test]
async fn only_the_certificate_last_issued_is_renewed() {
    let host = Host::start().await;
    let device = host.paired("device").await;
    let item = HostCredentials::item(&device.pair);
    let item = host.keys.read(&item).expect("reads").expect("an item");
    let authority = HostCredentials::decode(&item).expect("decodes");
    let ca_key = authority.ca_key.as_ref().expect("a key");
    let spki = device.key.spki();
    // Signed with the CA's own key, an hour later.
    let later = environment(&Arc::new(TestClock::at(START + 3600)));
    let leaf = ca::client_leaf(ca_key, &authority.ca, &device.pair, &spki, 365, &later);
    let copy = ClientCredentials {
        leaf: leaf.expect("a leaf"),
        key: DeviceKey::from_pkcs8(healthsync_pairing::secret::Secret::new(
            device.key.pkcs8().expose().to_vec(),
        ))
        .expect("a key"),
        pair: device.pair,
        ca: device.ca.clone(),
        discovery_key: healthsync_pairing::secret::Secret::new(vec![0; 32]),
    };
    host.clock.set(end(&copy) + 1);
    let refused = Late::Alert("access_denied".to_owned());
    assert_eq!(renew_late(&host, &copy).await, refused);
    // A renewal whose certificate was never used: both it and the present one are the last of
    // their keys.
    let next = renewed(&host, &device).await;
    host.clock.set(end(&next) - 300 * DAY);
    assert_eq!(renew_late(&host, &copy).await, refused);
    assert!(matches!(renew_late(&host, &device).await, Late::Renewed(_)));
}

#[tokio::test]
async fn pending_and_suspended_pairs_renew_nothing_late() {
    let host = Host::start().await;
    let refused = Late::Alert("access_denied".to_owned());
    let (_window, invite) = host.window(Approval::None);
    let pending = host.device(invite, "pending").outcome.await.expect("runs");
    let pending = pending.expect("enrolled").credentials;
    assert_eq!(renew_late(&host, &pending).await, refused);
    assert_eq!(
        host.trust.authorize_late(&peer(&pending)),
        Err(Refusal::Pending)
    );

    let old = host.paired("device").await;
    let new = renew(&host, &old).expect("renewed");
    assert!(seen(&host, &new).await.is_ok());
    // A copy of the retired key, long after its certificate ran out.
    host.clock.set(end(&old) + 89 * DAY);
    assert_eq!(renew_late(&host, &old).await, refused);
    assert_eq!(record(&host).state, State::Suspended);
    assert_eq!(renew_late(&host, &new).await, refused);
    assert_eq!(
        host.trust.authorize_late(&peer(&new)),
        Err(Refusal::Suspended)
    );
}

/// The certificate ran out while the connection was open.
#[tokio::test]
async fn long_connection_expires() {
    let host = Host::start().await;
    let credentials = host.paired("device").await;
    let open: Peer = peer(&credentials);
    host.clock.turn(365 * DAY);
    assert!(host.trust.authorize(&open).is_ok());
    host.clock.turn(1);
    assert_eq!(host.trust.authorize(&open), Err(Refusal::Expired));
    // The same on the connection for renewals, 90 days later.
    host.clock.turn(90 * DAY - 1);
    assert!(host.trust.authorize_late(&open).is_ok());
    host.clock.turn(1);
    assert_eq!(host.trust.authorize_late(&open), Err(Refusal::Expired));
}

/// After its five years a CA signs nothing, and nothing that it signed is believed: by the host, at
/// both doors, and by the client.
#[tokio::test]
async fn expired_ca_refused() {
    let host = Host::start().await;
    let mut device = host.paired("device").await;
    let ca_end = Certificate::from_der(&device.ca)
        .expect("a certificate")
        .not_after;
    while end(&device) < ca_end {
        host.clock.set(end(&device) - DAY);
        device = renew(&host, &device).expect("renewed");
        assert!(seen(&host, &device).await.is_ok());
    }
    assert_eq!(end(&device), ca_end, "a leaf ends with its CA");
    assert!(seen(&host, &device).await.is_ok());

    host.clock.set(ca_end + 1);
    assert_eq!(check_ca(&device.ca, ca_end + 1), Validity::Expired);
    let failure = seen(&host, &device).await.expect_err("refused");
    assert_eq!(
        (failure.code, failure.subject),
        ("CERT_HAS_EXPIRED", Subject::Ca)
    );
    for alpn in [DATA, &["healthsync-renew/1"]] {
        let configuration = client(alpn, Some(own(&device)));
        let got = alert(host.address, configuration, &device.pair.server_name()).await;
        assert_eq!(got.as_deref(), Some("certificate_expired"), "{alpn:?}");
    }
}

/// What a client with this clock gets from a server with that one.
async fn meets(host: &Host, device: &ClientCredentials, here: i64) -> Result<(), Failure> {
    let environment = environment(&Arc::new(TestClock::at(here)));
    let configuration = configuration(device, &environment).expect("a configuration");
    let wait = Duration::from_secs(5);
    let shown = look(configuration, &device.pair, host.address, wait).await;
    shown.map(drop)
}

#[tokio::test]
async fn time_matrix() {
    const YEAR: i64 = 366 * DAY;
    let host = Host::start().await;
    let device = Arc::new(host.paired("device").await);
    let now = START + 2 * DAY;
    // (the client's clock, the server's clock, what the client finds: code and of whom)
    let expired = |subject| Some(("CERT_HAS_EXPIRED", subject));
    let early = |subject| Some(("CERT_NOT_YET_VALID", subject));
    for (here, there, expected) in [
        (now, now, None),
        (now + DAY, now, None),
        (now - DAY, now, None),
        (START - DAY, now, early(Subject::Ca)),
        (now + YEAR, now, expired(Subject::Server)),
        (now - YEAR, now, early(Subject::Ca)),
        (0, now, early(Subject::Ca)),
        (now, now + DAY, None),
        (now, now - DAY, None),
        // The server's own leaf is still good, and it says by its clock what it thinks of ours.
        (now, START - DAY, expired(Subject::Client)),
        (now, now - YEAR, expired(Subject::Client)),
        (now, 0, expired(Subject::Client)),
        (now + YEAR, now + YEAR, expired(Subject::Client)),
        (0, 0, early(Subject::Ca)),
        // Last, since it makes itself a server leaf that starts next year.
        (now, now + YEAR, early(Subject::Server)),
        (now, now, early(Subject::Server)),
        (now + YEAR, now + YEAR, expired(Subject::Client)),
    ] {
        host.clock.set(there);
        let got = meets(&host, &device, here).await.err();
        let got = got.map(|failure| (failure.code, failure.subject));
        assert_eq!(got, expected, "{} {}", here - now, there - now);
        assert_eq!(record(&host).state, State::Active);
    }
    // Nothing was lost: the certificate that ran out is renewed.
    host.clock.set(now + YEAR);
    let new = renewed(&host, &device).await;
    assert!(seen(&host, &new).await.is_ok());
}
