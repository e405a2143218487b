//! Whose client an announcement's tags tell, and when no longer.

use healthsync_pairing::{
    credentials::{ClientCredentials, HostCredentials},
    discovery::{Announcement, Recognizer},
    enroll::host::Approval,
    keystore::KeyStore as _,
    secret::Secret,
};

use crate::host::Host;

/// Whether the client finds its tag in what the server would announce now.
fn recognizes(host: &Host, client: &ClientCredentials) -> bool {
    let nonce = [5; 8];
    let tags = host.trust.tags(nonce);
    Announcement::new(nonce, tags, false, &host.environment())
        .expect("made")
        .is_for(&Recognizer::new(&client.discovery_key))
}

#[tokio::test]
async fn both_ends_know_the_mark_of_their_pair() {
    let host = Host::start().await;
    let changes = host.trust.tags_changed();
    let (first, second) = (host.paired("first").await, host.paired("second").await);
    assert!(changes.has_changed().expect("alive"), "told at once");
    assert!(recognizes(&host, &first) && recognizes(&host, &second));

    // After a start the keys are read when they are asked for.
    let host = host.restart().await;
    assert!(!recognizes(&host, &first));
    host.trust.recognize();
    assert!(recognizes(&host, &first) && recognizes(&host, &second));

    let changes = host.trust.tags_changed();
    host.trust.revoke("first").expect("revoked");
    assert!(changes.has_changed().expect("alive"));
    assert!(!recognizes(&host, &first) && recognizes(&host, &second));
    let host = host.restart().await;
    host.trust.recognize();
    assert!(!recognizes(&host, &first) && recognizes(&host, &second));
}

/// A client that was stopped before its acknowledgement must find the server again.
#[tokio::test]
async fn a_pending_pair_is_marked_until_its_deadline() {
    let host = Host::start().await;
    let (_window, invite) = host.window(Approval::None);
    let device = host.device(invite, "half").outcome.await.expect("runs");
    let client = device.expect("enrolled").credentials;
    assert!(recognizes(&host, &client));
    host.clock.turn(121);
    assert!(!recognizes(&host, &client));
}

#[tokio::test]
async fn a_damaged_item_unmarks_one_pair() {
    let host = Host::start().await;
    let (good, bad) = (host.paired("good").await, host.paired("bad").await);
    host.keys
        .write(&HostCredentials::item(&bad.pair), &Secret::new(vec![1, 2]))
        .expect("written");
    let host = host.restart().await;
    host.trust.recognize();
    assert!(recognizes(&host, &good) && !recognizes(&host, &bad));
}
