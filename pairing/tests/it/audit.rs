//! Everything that happens to a pair stands in the audit log, and nothing that is secret.

use healthsync_pairing::{
    audit::{Audit, Entry, Verdict},
    device::DeviceKey,
    enroll::host::{Approval, HostEvent},
    renewal::{NewKey, Request},
    trust::Scope,
};

use crate::{
    data_port::{alert, lenient, seen},
    host::{Host, peer},
};

async fn entries(host: &Host) -> Vec<Entry> {
    let audit: &Audit = host.trust.audit();
    audit.settle().await.expect("written");
    audit.entries(0, 0, 1000).expect("entries")
}

/// Waits until the host is done with a connection that it refused.
async fn turned_away(host: &mut Host) {
    while host.visits.recv().await.expect("the host runs").is_ok() {}
}

/// The log as words, from `after` on: event, result if it is not `OK`, and how often.
async fn told(host: &Host, after: usize) -> Vec<String> {
    let told = entries(host).await.into_iter().skip(after).map(|entry| {
        let mut words = entry.event;
        if entry.result != "OK" {
            words = format!("{words} {}", entry.result);
        }
        match entry.count {
            Some(count) => format!("{words} {count}x"),
            None => words,
        }
    });
    told.collect()
}

#[tokio::test]
async fn every_event_of_a_pair_is_in_the_log() {
    let host = Host::start().await;

    // Digits, one of the entries wrong.
    let (mut window, invite) = host.window(Approval::Digits);
    let mut device = host.device(invite, "Canary name 777777");
    let digits = device.digits().await;
    let Some(HostEvent::DigitsWanted { .. }) = window.events.recv().await else {
        panic!("no question");
    };
    let wrong = if digits == "111111" {
        "222222"
    } else {
        "111111"
    };
    assert!(host.trust.approve(wrong).is_err());
    host.trust.approve(&digits).expect("approved");
    let key = device.key;
    let enrolled = device.outcome.await.expect("runs").expect("enrolled");
    let first = enrolled.credentials;
    host.acknowledge(&first).expect("acknowledged");
    host.acknowledge(&first)
        .expect("again, which is nothing new");
    assert_eq!(
        told(&host, 0).await,
        [
            "window-opened",
            "pairing-asked",
            "pairing-approved",
            "window-closed 1x",
            "pairing-acknowledged"
        ]
    );
    let log = entries(&host).await;
    assert_eq!((log[1].key, log[1].pair), (Some(key), None));
    assert_eq!((log[2].key, log[2].pair), (Some(key), Some(first.pair)));
    assert_eq!((log[4].key, log[4].pair), (Some(key), Some(first.pair)));
    assert_eq!(log[4].time, crate::host::START);

    // Refused by a person, and cancelled.
    let (_window, invite) = host.window(Approval::Digits);
    let mut refused = host.device(invite, "device");
    refused.digits().await;
    host.trust.refuse().expect("refused");
    refused.failure().await;
    let (window, _invite) = host.window(Approval::Digits);
    drop(window);
    // The refused exchange ends in a task of its own.
    loop {
        let mut words = told(&host, 5).await;
        if words.len() == 6 {
            words.sort();
            assert_eq!(
                words,
                [
                    "pairing-asked",
                    "pairing-refused PAIRING_REFUSED",
                    "window-closed PAIRING_CANCELLED 0x",
                    "window-closed PAIRING_REFUSED 0x",
                    "window-opened",
                    "window-opened"
                ]
            );
            break;
        }
        tokio::task::yield_now().await;
    }

    // Another scope, a new key, the new key used, the old one used again.
    let pair = first.pair.to_string();
    let limited = host.trust.allow(&pair, |scope| {
        scope.types = Some(vec!["steps".to_owned(), "heartRate".to_owned()]);
    });
    limited.expect("changed");
    let all = host.trust.allow(&pair, |scope| *scope = Scope::default());
    all.expect("changed");
    let next = NewKey::generate().expect("a key");
    let body = next.request(&[1; 32], &first.pair).expect("a request");
    let request = Request::read(&body).expect("a request");
    let answer = host.trust.renew(&peer(&first), &request, &[1; 32]);
    let answer = answer.expect("renewed").write();
    let now = host.environment().clock.now();
    let second = next.accept(&answer, &first, now).expect("a certificate");
    assert!(seen(&host, &second).await.is_ok());
    assert!(seen(&host, &first).await.is_err());
    // The host is done with the connection a little later than the device.
    while entries(&host).await.len() < 17 {
        tokio::task::yield_now().await;
    }
    let log = entries(&host).await;
    assert_eq!(
        told(&host, 11).await,
        [
            "scope-changed",
            "scope-changed",
            "renewed",
            "key-changed",
            "suspended",
            "handshake-failed CERT_NOT_TRUSTED 1x"
        ]
    );
    let types: Vec<_> = log[11..13]
        .iter()
        .map(|entry| entry.types.as_deref())
        .collect();
    assert_eq!(types, [Some("steps,heartRate"), Some("all")]);
    let keys: Vec<_> = log[13..16].iter().map(|entry| entry.key).collect();
    assert_eq!(
        keys,
        [
            Some(second.key.digest()),
            Some(second.key.digest()),
            Some(first.key.digest())
        ]
    );
    host.trust.revoke(&pair).expect("revoked");
    host.trust
        .revoke(&pair)
        .expect("again, which is nothing new");

    // One that nobody acknowledges, found at the next start; one that unpairs itself.
    let (_window, invite) = host.window(Approval::None);
    let half = host.device(invite, "half").outcome.await.expect("runs");
    half.expect("enrolled");
    let mark = entries(&host).await.len();
    host.clock.turn(121);
    let host = host.restart().await;
    let third = host.paired("third").await;
    host.trust.unpair(&peer(&third)).expect("unpaired");
    let words = told(&host, mark - 5).await;
    assert_eq!(
        words,
        [
            "revoked",
            "window-opened",
            "pairing-asked",
            "pairing-approved",
            "window-closed 0x",
            "pairing-rolled-back",
            "window-opened",
            "pairing-asked",
            "pairing-approved",
            "window-closed 0x",
            "pairing-acknowledged",
            "unpaired"
        ]
    );
}

/// Somebody guesses: each code that this costs is in the log, and so is how many were tried.
#[cfg(feature = "typed-code")]
#[tokio::test]
async fn spent_codes_are_in_the_log() {
    let host = Host::start().await;
    let (window, _) = host.window(Approval::None);
    for _ in 0..17 {
        let device = host.typing_device(crate::typed_ends::another(), host.address);
        let failure = device.failure().await;
        assert!(failure.starts_with("PAIRING_"), "{failure}");
    }
    drop(window);
    while !told(&host, 0)
        .await
        .last()
        .expect("one")
        .contains("window-closed")
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        told(&host, 0).await,
        [
            "window-opened",
            "code-spent 5x",
            "code-spent 5x",
            "codes-ended 5x",
            "window-closed PAIRING_CANCELLED 15x"
        ]
    );
}

#[tokio::test]
async fn a_reset_names_each_pair_that_it_ends() {
    let host = Host::start().await;
    let pairs = [
        host.paired("first").await.pair,
        host.paired("second").await.pair,
    ];
    host.trust.revoke("first").expect("revoked");
    let before = entries(&host).await.len();
    host.trust.reset().expect("reset");
    host.trust.reset().expect("again, which ends nobody");
    let log = entries(&host).await;
    let told: Vec<_> = log[before - 1..]
        .iter()
        .map(|entry| (entry.event.as_str(), entry.result.as_str(), entry.pair))
        .collect();
    assert_eq!(
        told,
        [
            ("revoked", "OK", Some(pairs[0])),
            ("revoked", "RESET", Some(pairs[1]))
        ]
    );
}

/// An observer knows the name that a pair is dialled by.
#[tokio::test]
async fn failed_handshakes_are_counted_and_fill_no_disk() {
    let mut host = Host::start().await;
    let device = host.paired("device").await;
    let before = entries(&host).await.len();
    let name = device.pair.server_name();
    let stranger = DeviceKey::generate().expect("a key");
    for _ in 0..7 {
        let configuration = lenient(device.leaf.clone(), &stranger);
        alert(host.address, configuration, &name).await;
        turned_away(&mut host).await;
    }
    assert_eq!(
        told(&host, before).await,
        ["handshake-failed CERT_NOT_TRUSTED 1x"]
    );
    host.clock.turn(601);
    let configuration = lenient(device.leaf.clone(), &stranger);
    alert(host.address, configuration, &name).await;
    turned_away(&mut host).await;
    host.trust.revoke("device").expect("revoked");
    assert!(seen(&host, &device).await.is_err());
    turned_away(&mut host).await;
    host.trust.audit().note_counted();
    assert_eq!(
        told(&host, before + 1).await,
        [
            "handshake-failed CERT_NOT_TRUSTED 7x",
            "revoked",
            "handshake-failed CERT_REVOKED 1x"
        ]
    );
}

#[tokio::test]
async fn nothing_secret_and_no_name_is_in_the_log() {
    let host = Host::start().await;
    let (window, invite) = host.window(Approval::Digits);
    let mut device = host.device(invite, "Kanarienvogel");
    let digits = device.digits().await;
    host.trust.approve(&digits).expect("approved");
    let enrolled = device.outcome.await.expect("runs").expect("enrolled");
    host.acknowledge(&enrolled.credentials)
        .expect("acknowledged");
    host.trust.audit().settle().await.expect("written");
    let verdict = tokio::task::spawn_blocking({
        let audit = host.trust.audit().clone();
        move || audit.verify()
    });
    let verdict = verdict.await.expect("runs").expect("checked");
    assert!(
        matches!(verdict, Verdict::Intact { entries: 5, .. }),
        "{verdict:?}"
    );

    let code = String::from_utf8(window.text.expose().to_vec()).expect("text");
    let key = healthsync_pairing::keystore::KeyStore::read(&host.keys, "audit");
    let key = key.expect("read").expect("a key").expose()[1..].to_vec();
    let log = format!("{:?}", entries(&host).await).into_bytes();
    let mut file = Vec::new();
    for name in ["trust.db", "trust.db-wal"] {
        file.extend(std::fs::read(host.folder.path().join(name)).unwrap_or_default());
    }
    assert!(holds(&file, b"pairing-asked"), "the search sees nothing");
    for (what, canary, also_in_file) in [
        ("digits", digits.as_bytes(), false),
        ("invitation", code.as_bytes(), true),
        ("key of the chain", &key[..], true),
        // The device records have it, and are in the same file.
        ("name", b"Kanarienvogel", false),
    ] {
        assert!(!holds(&log, canary), "{what}");
        assert!(!also_in_file || !holds(&file, canary), "{what} in the file");
    }
}

fn holds(bytes: &[u8], canary: &[u8]) -> bool {
    bytes.windows(canary.len()).any(|part| part == canary)
}
