//! The life of a client's certificate: new keys, retired keys, dates.

use healthsync_pairing::{
    certificate::Certificate,
    credentials::ClientCredentials,
    enroll::host::Approval,
    renewal::{NewKey, Request},
    trust::{Peer, Refusal, State, TrustError},
};

use crate::{
    data_port::{alert, lenient, seen},
    host::{DAY, Host, peer},
};

/// Any channel: the tests of the server use real ones.
const CHANNEL: [u8; 32] = [1; 32];

#[expect(
    clippy::unwrap_in_result,
    reason = "only the host's refusal is an outcome; the rest is this test's own work"
)]
pub(crate) fn renew(
    host: &Host,
    present: &ClientCredentials,
) -> Result<ClientCredentials, TrustError> {
    let key = NewKey::generate().expect("a key");
    let body = key.request(&CHANNEL, &present.pair).expect("a request");
    let request = Request::read(&body).expect("a request");
    let answer = host.trust.renew(&peer(present), &request, &CHANNEL)?;
    let now = host.environment().clock.now();
    Ok(key
        .accept(&answer.write(), present, now)
        .expect("a certificate"))
}

fn refusal(outcome: Result<ClientCredentials, TrustError>) -> Refusal {
    match outcome {
        Err(TrustError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) fn record(host: &Host) -> healthsync_pairing::trust::DeviceRecord {
    let records = host.trust.pairs().expect("pairs").into_iter();
    let mut named = records.filter(|record| record.name == "device");
    named.next().expect("a record")
}

#[tokio::test]
async fn a_new_key_takes_over_when_it_is_first_used() {
    let host = Host::start().await;
    let old = host.paired("device").await;
    host.clock.turn(300 * DAY);
    let new = renew(&host, &old).expect("renewed");
    assert_ne!(new.key.digest(), old.key.digest());
    let end = Certificate::from_der(&new.leaf).expect("one").not_after;
    assert_eq!(end, host.environment().clock.now() + 365 * DAY);

    // Until then the old key stays good, also over a restart.
    assert!(seen(&host, &old).await.is_ok());
    let host = host.restart().await;
    assert!(seen(&host, &old).await.is_ok());
    assert_eq!(record(&host).key, old.key.digest());
    assert!(host.trust.authorize(&peer(&new)).is_err(), "not used yet");

    assert!(seen(&host, &new).await.is_ok());
    assert_eq!(record(&host).key, new.key.digest());
    assert_eq!(record(&host).leaf_not_after, end);
    assert!(host.trust.authorize(&peer(&new)).is_ok());
    // A connection that the old key opened earlier may ask nothing more.
    assert_eq!(host.trust.authorize(&peer(&old)), Err(Refusal::Unknown));
    let host = host.restart().await;
    assert!(seen(&host, &new).await.is_ok());
    assert_eq!(record(&host).state, State::Active);

    // And again: a chain of renewals is one pair.
    let third = renew(&host, &new).expect("renewed");
    assert!(seen(&host, &third).await.is_ok());
    assert_eq!(host.trust.pairs().expect("pairs").len(), 1);
}

/// An answer that was lost on its way costs nothing: the device asks again with the old key.
#[tokio::test]
async fn only_the_last_new_key_counts() {
    let host = Host::start().await;
    let old = host.paired("device").await;
    let lost = renew(&host, &old).expect("renewed");
    let new = renew(&host, &old).expect("renewed again");
    let failure = seen(&host, &lost).await.expect_err("forgotten");
    assert_eq!(failure.alert.as_deref(), Some("access_denied"));
    assert!(seen(&host, &old).await.is_ok());
    assert!(seen(&host, &new).await.is_ok());
    assert_eq!(record(&host).state, State::Active);
}

#[tokio::test]
async fn retired_key_suspends() {
    let host = Host::start().await;
    let old = host.paired("device").await;
    let other = host.paired("other").await;
    let new = renew(&host, &old).expect("renewed");
    assert!(seen(&host, &new).await.is_ok());

    // A copy of the old certificate is not enough: anybody who saw it could lock the device out.
    let name = old.pair.server_name();
    let configuration = lenient(old.leaf.clone(), &new.key);
    let got = alert(host.address, configuration, &name).await;
    assert_eq!(got.as_deref(), Some("decrypt_error"));
    assert_eq!(record(&host).state, State::Active);

    let host = host.restart().await;
    let mut cut = host.trust.revocations();
    let failure = seen(&host, &old).await.expect_err("refused");
    assert_eq!(failure.alert.as_deref(), Some("access_denied"));
    assert_eq!(cut.try_recv(), Ok(old.pair));
    assert_eq!(record(&host).state, State::Suspended);

    // Nobody knows which of the two is the thief: both are out, also after a restart.
    let host = host.restart().await;
    assert_eq!(record(&host).state, State::Suspended);
    for credentials in [&old, &new] {
        let failure = seen(&host, credentials).await.expect_err("refused");
        assert_eq!(failure.alert.as_deref(), Some("access_denied"));
    }
    assert_eq!(host.trust.authorize(&peer(&new)), Err(Refusal::Suspended));
    assert_eq!(refusal(renew(&host, &new)), Refusal::Suspended);
    assert!(seen(&host, &other).await.is_ok());
}

#[tokio::test]
async fn a_key_is_certified_once() {
    let host = Host::start().await;
    let first = host.paired("device").await;
    let other = host.paired("other").await;
    let second = renew(&host, &first).expect("renewed");
    assert!(seen(&host, &second).await.is_ok());
    let waiting = NewKey::generate().expect("a key");
    let ask = |key: &NewKey, who: &ClientCredentials| {
        let body = key.request(&CHANNEL, &who.pair).expect("a request");
        let request = Request::read(&body).expect("a request");
        host.trust
            .renew(&peer(who), &request, &CHANNEL)
            .map(drop)
            .map_err(|error| match error {
                TrustError::Refused(refusal) => refusal,
                other => panic!("{other}"),
            })
    };
    assert_eq!(ask(&waiting, &second), Ok(()));
    assert_eq!(ask(&waiting, &second), Err(Refusal::KeyUsed));
    assert_eq!(ask(&waiting, &other), Err(Refusal::KeyUsed));

    // Somebody else's, its own, and the one that was retired: enrolment takes none of them either.
    for key in [&other.key, &second.key, &first.key] {
        let again = healthsync_pairing::device::DeviceKey::from_pkcs8(
            healthsync_pairing::secret::Secret::new(key.pkcs8().expose().to_vec()),
        )
        .expect("a key");
        let (_window, invite) = host.window(Approval::None);
        let device = host.device_with(invite, "again", again);
        assert_eq!(device.failure().await, "PAIRING_REFUSED");
    }
}

#[tokio::test]
async fn renewal_is_for_active_pairs_on_their_own_channel() {
    let host = Host::start().await;
    let (_window, invite) = host.window(Approval::None);
    let enrolled = host.device(invite, "device").outcome.await.expect("runs");
    let pending = enrolled.expect("enrolled").credentials;
    assert_eq!(refusal(renew(&host, &pending)), Refusal::Pending);
    host.acknowledge(&pending).expect("acknowledged");

    let key = NewKey::generate().expect("a key");
    let body = key.request(&[2; 32], &pending.pair).expect("a request");
    let replayed = Request::read(&body).expect("a request");
    let outcome = host.trust.renew(&peer(&pending), &replayed, &CHANNEL);
    assert!(matches!(
        outcome,
        Err(TrustError::Refused(Refusal::NotProved))
    ));
    let stranger = Peer {
        key: key_digest(7),
        ..peer(&pending)
    };
    assert!(host.trust.renew(&stranger, &replayed, &[2; 32]).is_err());
    // A connection that outlives its certificate.
    host.clock.turn(366 * DAY);
    assert_eq!(refusal(renew(&host, &pending)), Refusal::Expired);
}

const fn key_digest(byte: u8) -> healthsync_pairing::id::KeyDigest {
    healthsync_pairing::id::KeyDigest([byte; 32])
}

#[tokio::test]
async fn the_host_knows_whose_certificate_ends_soon() {
    let host = Host::start().await;
    let old = host.paired("device").await;
    host.clock.turn(334 * DAY);
    assert!(host.trust.ending().is_empty());
    host.clock.turn(2 * DAY);
    assert_eq!(host.trust.ending(), [record(&host)]);
    let new = renew(&host, &old).expect("renewed");
    assert!(seen(&host, &new).await.is_ok());
    assert!(host.trust.ending().is_empty());
}
