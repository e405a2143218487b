//! The whole exchange between our own two ends, over TCP and TLS.

use std::time::Duration;

use healthsync_pairing::{
    device::DeviceKey,
    enroll::host::{Approval, HostEvent},
    secret::Secret,
    tls,
    trust::{Refusal, State, TrustError},
};

use crate::host::{Host, peer, soon};

#[tokio::test]
async fn a_device_is_paired_with_its_digits() {
    let host = Host::start().await;
    let (mut window, invite) = host.window(Approval::Digits);
    let mut device = host.device(invite, "Anna-MacBook 123456");

    let wanted = window.events.recv().await.expect("an event");
    let HostEvent::DigitsWanted {
        name,
        key,
        seconds,
        replaces,
        ..
    } = wanted
    else {
        panic!("{wanted:?}");
    };
    assert_eq!(name, "Anna-MacBook ####");
    assert_eq!((key, seconds, replaces), (device.key, 60, None));
    assert!(matches!(
        host.trust.open_window(host.options(Approval::Digits)),
        Err(TrustError::WindowOpen)
    ));
    assert!(host.trust.pairs().expect("pairs").is_empty());

    let digits = device.digits().await;
    let spaced = format!("{} {}", &digits[..3], &digits[3..]);
    host.trust.approve(&spaced).expect("approved");
    let enrolled = device.outcome.await.expect("runs").expect("enrolled");
    assert_eq!(enrolled.server_name, "Home server");
    assert_eq!(enrolled.addresses, [host.address]);

    // PENDING reaches the ack only.
    let credentials = enrolled.credentials;
    let records = host.trust.pairs().expect("pairs");
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].state, records[0].key), (State::Pending, key));
    assert_eq!(records[0].pair, credentials.pair);
    assert_eq!(
        host.trust.authorize(&peer(&credentials)),
        Err(Refusal::Pending)
    );
    let configuration = tls::client::configuration(&credentials, &host.environment()).expect("one");
    let shown = tls::client::look(
        configuration,
        &credentials.pair,
        host.address,
        Duration::from_secs(5),
    );
    let shown = shown.await.expect("in");
    assert_eq!(shown.version, "TLSv1.3");
    assert_eq!(shown.group, "X25519MLKEM768");
    assert!(shown.client_authenticated);

    let record = host.acknowledge(&credentials).expect("acknowledged");
    assert_eq!(record.state, State::Active);
    assert_eq!(host.acknowledge(&credentials).expect("again"), record);
    assert_eq!(
        window.events.recv().await,
        Some(HostEvent::Paired {
            pair: credentials.pair,
            name
        })
    );
    assert_eq!(window.events.recv().await, None);
    assert!(host.trust.authorize(&peer(&credentials)).is_ok());
}

#[tokio::test]
async fn a_wrong_code_changes_nothing() {
    let host = Host::start().await;
    let (mut window, mut invite) = host.window(Approval::None);
    invite.secret = Secret::new(vec![0; 16]);
    assert_eq!(
        host.device(invite, "thief").failure().await,
        "PAIRING_WRONG_CODE"
    );

    let text = String::from_utf8(window.text.expose().to_vec()).expect("text");
    let parse = || healthsync_pairing::invite::Invite::parse(&text).expect("an invitation");
    let mut invite = parse();
    invite.session = [0; 8];
    assert_eq!(
        host.device(invite, "lost").failure().await,
        "PAIRING_WRONG_CODE"
    );

    assert!(window.events.try_recv().is_err());
    assert!(
        host.device(parse(), "owner")
            .outcome
            .await
            .expect("runs")
            .is_ok()
    );
}

#[tokio::test]
async fn two_clients_race() {
    let host = Host::start().await;
    let (mut window, invite) = host.window(Approval::Digits);
    let text = String::from_utf8(window.text.expose().to_vec()).expect("text");
    let mut first = host.device(invite, "first");
    let digits = first.digits().await;
    assert!(matches!(
        window.events.recv().await,
        Some(HostEvent::DigitsWanted { .. })
    ));

    for _ in 0..3 {
        let again = healthsync_pairing::invite::Invite::parse(&text).expect("an invitation");
        let mut second = host.device(again, "second");
        let outcome = soon(&mut second.outcome).await.expect("runs");
        assert_eq!(outcome.expect_err("used").code(), "PAIRING_USED");
        while let Ok(event) = second.events.try_recv() {
            assert!(matches!(
                event,
                healthsync_pairing::enroll::client::Event::Connected(_)
            ));
        }
    }
    let told = window.events.try_recv();
    assert_eq!(told, Ok(HostEvent::AnotherDevice));
    assert!(window.events.try_recv().is_err(), "told once");

    host.trust.approve(&digits).expect("approved");
    let enrolled = first.outcome.await.expect("runs").expect("enrolled");
    host.acknowledge(&enrolled.credentials)
        .expect("acknowledged");
    assert!(matches!(
        window.events.recv().await,
        Some(HostEvent::Paired { .. })
    ));
    assert_eq!(host.trust.pairs().expect("pairs").len(), 1);

    // Digits belong to one channel: those of the first open nothing to a third.
    let (mut window, invite) = host.window(Approval::Digits);
    let mut third = host.device(invite, "third");
    let own = third.digits().await;
    assert!(matches!(
        window.events.recv().await,
        Some(HostEvent::DigitsWanted { .. })
    ));
    let others = if own == digits { "000000" } else { &digits };
    assert!(matches!(
        host.trust.approve(others),
        Err(TrustError::WrongDigits { left: 2 })
    ));
    host.trust.approve(&own).expect("approved");
    assert!(third.outcome.await.expect("runs").is_ok());
}

#[tokio::test]
async fn three_wrong_entries_close_the_window() {
    let host = Host::start().await;
    let (mut window, invite) = host.window(Approval::Digits);
    assert!(matches!(
        host.trust.approve("123456"),
        Err(TrustError::NotWaiting)
    ));
    let mut device = host.device(invite, "device");
    let digits = device.digits().await;
    let wrong = if digits == "000000" {
        "000001"
    } else {
        "000000"
    };
    assert!(matches!(
        window.events.recv().await,
        Some(HostEvent::DigitsWanted { .. })
    ));
    for left in [2, 1, 0] {
        match host.trust.approve(wrong) {
            Err(TrustError::WrongDigits { left: said }) => assert_eq!(said, left),
            other => panic!("{other:?}"),
        }
    }
    // limit_enforced_with_right_code_after
    assert!(matches!(
        host.trust.approve(&digits),
        Err(TrustError::NoWindow)
    ));
    assert_eq!(device.failure().await, "PAIRING_REFUSED");
    let mut events = Vec::new();
    while let Some(event) = window.events.recv().await {
        events.push(event);
    }
    assert_eq!(
        events,
        [
            HostEvent::WrongDigits { left: 2 },
            HostEvent::WrongDigits { left: 1 },
            HostEvent::Closed {
                code: "PAIRING_REFUSED"
            },
        ]
    );
    assert!(host.trust.pairs().expect("pairs").is_empty());
    assert!(host.keys.of_pairs().is_empty());
}

#[tokio::test]
async fn nothing_typed_refuses() {
    let host = Host::start().await;
    let (mut window, invite) = host.window(Approval::Digits);
    let mut device = host.device(invite, "device");
    device.digits().await;
    window.events.recv().await;
    host.trust.approve(" ").expect("refused");
    assert_eq!(device.failure().await, "PAIRING_REFUSED");
    assert_eq!(
        window.events.recv().await,
        Some(HostEvent::Closed {
            code: "PAIRING_REFUSED"
        })
    );
}

#[tokio::test]
async fn only_the_expected_key_needs_no_digits() {
    let host = Host::start().await;
    let expected = DeviceKey::generate().expect("a key");
    let (mut window, invite) = host.window(Approval::ExpectKey(expected.digest()));
    assert_eq!(
        host.device(invite, "other").failure().await,
        "PAIRING_REFUSED"
    );
    assert_eq!(
        window.events.recv().await,
        Some(HostEvent::Closed {
            code: "PAIRING_REFUSED"
        })
    );

    let (_window, invite) = host.window(Approval::ExpectKey(expected.digest()));
    let device = host.device_with(invite, "expected", expected);
    assert!(device.outcome.await.expect("runs").is_ok());
}

#[tokio::test]
async fn a_closed_window_answers_nobody() {
    let host = Host::start().await;
    let (mut window, invite) = host.window(Approval::None);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(299)).await;
    assert!(window.events.try_recv().is_err());
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(
        window.events.recv().await,
        Some(HostEvent::Closed {
            code: "PAIRING_EXPIRED"
        })
    );
    tokio::time::resume();
    assert_eq!(
        host.device(invite, "late").failure().await,
        "PAIRING_EXPIRED"
    );

    // Used: the same answer.
    let (window, invite) = host.window(Approval::None);
    let text = String::from_utf8(window.text.expose().to_vec()).expect("text");
    assert!(
        host.device(invite, "first")
            .outcome
            .await
            .expect("runs")
            .is_ok()
    );
    let again = healthsync_pairing::invite::Invite::parse(&text).expect("an invitation");
    assert_eq!(
        host.device(again, "second").failure().await,
        "PAIRING_EXPIRED"
    );

    // Dropped.
    let (window, invite) = host.window(Approval::None);
    drop(window);
    assert_eq!(
        host.device(invite, "late").failure().await,
        "PAIRING_EXPIRED"
    );
}

#[tokio::test]
async fn a_code_of_another_window_is_refused() {
    let host = Host::start().await;
    let (window, invite) = host.window(Approval::None);
    drop(window);
    let (_window, _) = host.window(Approval::None);
    assert_eq!(
        host.device(invite, "late").failure().await,
        "PAIRING_WRONG_SERVER"
    );
}

#[tokio::test]
async fn a_device_that_leaves_closes_the_window() {
    let host = Host::start().await;
    let (mut window, invite) = host.window(Approval::Digits);
    let mut device = host.device(invite, "device");
    device.digits().await;
    window.events.recv().await;
    device.outcome.abort();
    assert_eq!(
        window.events.recv().await,
        Some(HostEvent::Closed {
            code: "PAIRING_FAILED"
        })
    );
    assert!(matches!(
        host.trust.approve("123456"),
        Err(TrustError::NoWindow)
    ));
}

#[tokio::test]
async fn a_dead_address_does_not_hold_the_race_up() {
    let host = Host::start().await;
    let dead = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("one");
    let (_window, mut invite) = host.window(Approval::None);
    invite.addresses = vec![dead, host.address];
    let enrolled = host
        .device(invite, "device")
        .outcome
        .await
        .expect("runs")
        .expect("enrolled");
    assert_eq!(enrolled.addresses, [host.address]);

    let (_window, mut invite) = host.window(Approval::None);
    invite.addresses = vec![dead];
    let device = host.device(invite, "device");
    let error = device.outcome.await.expect("runs").expect_err("refused");
    assert_eq!(
        (error.code(), error.is_unreachable()),
        ("ECONNREFUSED", true)
    );
}
