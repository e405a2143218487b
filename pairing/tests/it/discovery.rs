//! Whose client an announcement's tags tell, and when no longer.

use std::fmt::Write as _;

use healthsync_pairing::{
    credentials::{ClientCredentials, HostCredentials},
    discovery::{Announcement, Recognizer, random_name},
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

/// What everybody in the network hears: the server's own program is heard in a network namespace.
#[tokio::test]
async fn mdns_leaks_nothing() {
    let host = Host::start().await;
    let mut clients = Vec::new();
    for name in ["Zoe-Laptop", "Ana-Phone", "heartRate"] {
        clients.push((name, host.paired(name).await));
        host.clock.turn(100);
    }
    let announced = |nonce, window| {
        let tags = host.trust.tags(nonce);
        let made = Announcement::new(nonce, tags, window, &host.environment()).expect("made");
        made.to_txt()
    };
    let tags = |txt: &[(String, String)]| -> Vec<String> {
        let strings = txt.iter().filter(|(key, _)| key.starts_with('t'));
        let hex: String = strings.map(|(_, value)| value.as_str()).collect();
        let tags = hex.as_bytes().chunks(16);
        tags.map(|tag| String::from_utf8_lossy(tag).into_owned())
            .collect()
    };

    // Hexadecimal digits, and nothing in them that has a meaning elsewhere.
    let txt = announced([1; 8], true);
    let heard = format!("{txt:?}");
    for (key, value) in &txt {
        assert!(["v", "n", "t0", "w"].contains(&key.as_str()), "{heard}");
        assert!(
            value.bytes().all(|digit| digit.is_ascii_hexdigit()),
            "{heard}"
        );
    }
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("written");
            text
        })
    };
    for (name, client) in &clients {
        for hidden in [
            (*name).to_owned(),
            hex(name.as_bytes()),
            client.pair.to_string(),
            hex(&client.pair.0[..8]),
            hex(&client.key.digest().0[..8]),
            hex(&client.discovery_key.expose()[..8]),
        ] {
            assert!(!heard.contains(&hidden), "{hidden} in {heard}");
        }
    }

    // Not how many, not which was there last, and nothing that stays the same.
    assert_eq!(tags(&txt).len(), 4, "three pairs");
    assert!(tags(&txt).is_sorted());
    let later = announced([2; 8], true);
    assert!(
        tags(&later).iter().all(|tag| !tags(&txt).contains(tag)),
        "{heard}"
    );
    for count in [0_u8, 1, 4, 7] {
        let tags = (1..=count).rev().map(|tag| [tag; 8]).collect();
        let environment = host.environment();
        let txt = Announcement::new([3; 8], tags, false, &environment)
            .expect("made")
            .to_txt();
        let heard: Vec<_> = txt.iter().filter(|(key, _)| key == "t0").collect();
        assert_eq!(heard[0].1.len() % (4 * 16), 0, "{count} pairs");
        let tags: Vec<_> = heard[0].1.as_bytes().chunks(16).collect();
        assert!(tags.is_sorted(), "{count} pairs");
    }
    let names: std::collections::BTreeSet<_> = (0..8)
        .map(|_| random_name(&host.environment()).expect("a name"))
        .collect();
    assert_eq!(names.len(), 8);
}
