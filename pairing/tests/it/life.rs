//! What becomes of a pair that stays half-made, and of what a crash leaves.

use std::time::Duration;

use healthsync_pairing::{
    credentials::HostCredentials,
    enroll::host::{Approval, HostEvent},
    id::KeyDigest,
    keystore::KeyStore as _,
    secret::Secret,
    trust::{Peer, Refusal, State, TrustError},
};

use crate::host::{Host, peer};

#[tokio::test]
async fn a_pair_that_nobody_acknowledges_is_rolled_back() {
    let host = Host::start().await;
    let (mut window, invite) = host.window(Approval::None);
    let enrolled = host
        .device(invite, "device")
        .outcome
        .await
        .expect("runs")
        .expect("enrolled");
    assert_eq!(host.keys.of_pairs().len(), 1);

    host.clock.turn(121);
    assert_eq!(
        host.trust.authorize(&peer(&enrolled.credentials)),
        Err(Refusal::Unknown)
    );
    assert!(matches!(
        host.acknowledge(&enrolled.credentials),
        Err(TrustError::Refused(Refusal::Unknown))
    ));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(121)).await;
    assert_eq!(
        window.events.recv().await,
        Some(HostEvent::Closed {
            code: "PAIRING_NOT_ACKNOWLEDGED"
        })
    );
    assert_eq!(window.events.recv().await, None);
    assert!(host.trust.pairs().expect("pairs").is_empty());
    tokio::time::resume();
    // The keys go in the background.
    while !host.keys.of_pairs().is_empty() {
        tokio::task::yield_now().await;
    }
    // The next pairing works.
    host.paired("device").await;
}

#[tokio::test]
async fn a_restart_finishes_what_was_left() {
    let host = Host::start().await;
    let kept = host.paired("kept").await;
    let (_window, invite) = host.window(Approval::None);
    let half = host
        .device(invite, "half")
        .outcome
        .await
        .expect("runs")
        .expect("enrolled");
    assert_eq!(host.keys.of_pairs().len(), 2);

    // In time the pending pair may still be acknowledged after a restart.
    let host = host.restart().await;
    assert_eq!(host.trust.pairs().expect("pairs").len(), 2);
    host.clock.turn(121);
    let host = host.restart().await;
    let records = host.trust.pairs().expect("pairs");
    assert_eq!(records.len(), 1);
    assert_eq!(
        (records[0].pair, records[0].state),
        (kept.pair, State::Active)
    );
    assert_eq!(host.keys.of_pairs(), [HostCredentials::item(&kept.pair)]);
    assert!(host.trust.authorize(&peer(&half.credentials)).is_err());
}

#[tokio::test]
async fn window_dies_with_process() {
    let host = Host::start().await;
    let (window, mut invite) = host.window(Approval::None);
    let code = window.code();
    let host = host.restart().await;
    invite.addresses = vec![host.address];
    let mut kept = invite.secret.expose().to_vec();
    assert_eq!(
        host.device(invite, "late").failure().await,
        "PAIRING_EXPIRED"
    );

    // Nor does the next window know anything of it.
    let (next, invite) = host.window(Approval::None);
    kept.extend(code.iter().flat_map(Secret::expose));
    for new in [Some(invite.secret), next.code()].into_iter().flatten() {
        let new = new.expose();
        assert!(!kept.windows(new.len()).any(|bytes| bytes == new));
    }
}

#[tokio::test]
async fn a_pair_is_named_by_its_id_or_by_a_name_of_its_own() {
    let host = Host::start().await;
    let first = host.paired("twin").await;
    let second = host.paired("twin").await;
    assert_ne!(first.pair, second.pair);
    assert_eq!(
        host.trust.revoke("twin").expect_err("two").code(),
        "PAIR_NAME_AMBIGUOUS"
    );
    assert_eq!(
        host.trust.revoke("nobody").expect_err("none").code(),
        "PAIR_NOT_FOUND"
    );
    host.trust.revoke(&first.pair.to_string()).expect("revoked");
    // Now the name means one.
    assert_eq!(
        host.trust.revoke("twin").expect("revoked").pair,
        second.pair
    );
}

#[tokio::test]
async fn a_peer_is_a_pair_and_its_key() {
    let host = Host::start().await;
    let credentials = host.paired("device").await;
    let right = peer(&credentials);
    assert!(host.trust.authorize(&right).is_ok());
    let wrong = [
        Peer {
            key: KeyDigest([0; 32]),
            ..right.clone()
        },
        Peer {
            pair: healthsync_pairing::id::PairId([0; 16]),
            ..right
        },
    ];
    for peer in wrong {
        assert_eq!(host.trust.authorize(&peer), Err(Refusal::Unknown));
        assert!(host.trust.acknowledge(&peer).is_err());
    }
}

#[tokio::test]
async fn last_seen_is_noted_once_a_minute() {
    let host = Host::start().await;
    let credentials = host.paired("device").await;
    let peer = peer(&credentials);
    let seen = |host: &Host| host.trust.pairs().expect("pairs")[0].last_seen_at;
    assert_eq!(seen(&host), None);
    host.trust.authorize(&peer).expect("in");
    let first = seen(&host);
    assert!(first.is_some());
    host.clock.turn(59);
    host.trust.authorize(&peer).expect("in");
    assert_eq!(seen(&host), first);
    host.clock.turn(1);
    host.trust.authorize(&peer).expect("in");
    assert_eq!(seen(&host), first.map(|seconds| seconds + 60));
    let host = host.restart().await;
    assert_eq!(seen(&host), first.map(|seconds| seconds + 60));
}

/// A damaged item is an error of that pair, and of no other.
#[tokio::test]
async fn a_damaged_item_harms_one_pair() {
    let host = Host::start().await;
    let good = host.paired("good").await;
    let bad = host.paired("bad").await;
    let item = HostCredentials::item(&bad.pair);
    host.keys
        .write(&item, &Secret::new(vec![1, 2, 3]))
        .expect("written");
    let host = host.restart().await;
    for (credentials, comes_in) in [(&good, true), (&bad, false)] {
        let configuration =
            healthsync_pairing::tls::client::configuration(credentials, &host.environment());
        let shown = healthsync_pairing::tls::client::look(
            configuration.expect("one"),
            &credentials.pair,
            host.address,
            Duration::from_secs(5),
        );
        assert_eq!(shown.await.is_ok(), comes_in);
    }
}
