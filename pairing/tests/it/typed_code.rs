//! Pairing by typed code: between honest ends, and against each that is not.

use healthsync_pairing::{
    ca,
    code::TypedCode,
    device::DeviceKey,
    enroll::{
        client::{EnrollError, Event},
        frame::{Abort, HEADER, Hello, Issued, kind, write_proof},
        host::{Approval, HostEvent},
        pake::Side,
    },
    environment::Environment,
    id::PairId,
    secret::Secret,
    trust::State,
};

use crate::{
    fake::{FakeHost, connect_to},
    host::Host,
    misbehaving_server,
    relay::{kinds, relay},
    typed_ends::{again, another, code, hello, type_code},
};

const PAIRING: &[&str] = &["healthsync-pair/1"];

/// Runs a device against a host of the test's own making.
async fn run(code: &TypedCode, host: &FakeHost) -> (EnrollError, Vec<Event>) {
    let mut events = Vec::new();
    let key = DeviceKey::generate().expect("a key");
    let environment = Environment::system();
    let outcome = type_code(code, host.address, key, &environment, &mut |event| {
        events.push(event);
    })
    .await;
    (outcome.expect_err("not enrolled"), events)
}

fn shows_digits(events: &[Event]) -> bool {
    events
        .iter()
        .any(|event| matches!(event, Event::Digits { .. }))
}

#[tokio::test]
async fn a_device_is_paired_with_a_typed_code() {
    let host = Host::start().await;
    let (mut window, _) = host.window(Approval::Digits);
    let shown = window.code().expect("a code");
    let text = std::str::from_utf8(shown.expose()).expect("text");
    let typed = TypedCode::parse(&text.to_lowercase().replace('-', " ")).expect("a code");
    let mut device = host.typing_device(typed, host.address);
    let wanted = window.events.recv().await.expect("an event");
    assert!(matches!(wanted, HostEvent::DigitsWanted { key, .. } if key == device.key));
    let digits = device.digits().await;
    host.trust.approve(&digits).expect("approved");
    let enrolled = device.outcome.await.expect("runs").expect("enrolled");
    let record = host
        .acknowledge(&enrolled.credentials)
        .expect("acknowledged");
    assert_eq!(record.state, State::Active);
    assert!(matches!(
        window.events.recv().await,
        Some(HostEvent::Paired { .. })
    ));
    // It is wiped with the window, and was good for one device.
    assert!(window.code().is_none());
    let (again, _) = host.window(Approval::None);
    assert_ne!(
        code(&again).to_text().expose(),
        shown.expose(),
        "each window has codes of its own"
    );
    let late = TypedCode::parse(text).expect("a code");
    let late = host.typing_device(late, host.address);
    assert_eq!(late.failure().await, "PAIRING_WRONG_CODE");
}

#[tokio::test]
async fn without_a_window_a_code_leads_nowhere() {
    let host = Host::start().await;
    let device = host.typing_device(another(), host.address);
    assert_eq!(device.failure().await, "PAIRING_EXPIRED");
}

/// In the middle with certificates of its own: the names of SPAKE2 and every proof hold the channel,
/// and there are two.
#[tokio::test]
async fn pake_relay() {
    let host = Host::start().await;
    let (mut window, _) = host.window(Approval::None);
    let right = code(&window);
    for _ in 0..5 {
        assert!(window.events.try_recv().is_err());
        let (address, seen) = relay(host.address).await;
        let mut device = host.typing_device(again(&right), address);
        let outcome = (&mut device.outcome).await.expect("runs");
        assert_eq!(outcome.expect_err("refused").code(), "PAIRING_WRONG_CODE");
        let seen = seen.await.expect("runs");
        // Neither the device's name nor its key came through, and no digits were shown.
        assert_eq!(kinds(&seen.from_device), [kind::HELLO, kind::PROOF]);
        assert_eq!(kinds(&seen.from_host), [kind::SHARE, kind::ABORT]);
        while let Ok(event) = device.events.try_recv() {
            assert!(matches!(event, Event::Connected(_)));
        }
    }
    // For the host these were five wrong codes.
    assert_eq!(window.events.try_recv(), Ok(HostEvent::NewCode));
    assert!(host.trust.pairs().expect("pairs").is_empty());
    assert!(host.keys.of_pairs().is_empty());
}

#[tokio::test]
async fn wrong_code() {
    // A device with another code: told so, and no person is asked.
    let host = Host::start().await;
    let (mut window, _) = host.window(Approval::None);
    for _ in 0..3 {
        let device = host.typing_device(another(), host.address);
        let error = device.outcome.await.expect("runs").expect_err("refused");
        assert_eq!(error.code(), "PAIRING_WRONG_CODE");
        assert!(error.to_string().contains("counted"), "{error}");
    }
    assert!(window.events.try_recv().is_err());
    assert!(host.trust.pairs().expect("pairs").is_empty());
    let device = host.typing_device(code(&window), host.address);
    assert!(device.outcome.await.expect("runs").is_ok());

    // A host with another code: it gets neither name nor key, and has learnt nothing to try on.
    let pretender = FakeHost::new(PAIRING, &Environment::system()).await;
    let typed = another();
    let (outcome, ()) = tokio::join!(run(&typed, &pretender), async {
        let mut end = pretender.accept().await.expect("a device");
        end.share_typed(&another(), &[7; 32]).await;
        let proof = end.transcript.server_proof().expect("a proof");
        end.send(&write_proof(kind::CONFIRM, &proof).expect("F4"))
            .await;
        assert_eq!(end.abort().await, Some(Abort::Refused));
    });
    assert_eq!(outcome.0.code(), "PAIRING_WRONG_SERVER");
    assert!(!shows_digits(&outcome.1));
}

/// A host that does not know the code sends back what it got.
#[tokio::test]
async fn typed_messages_are_not_taken_back() {
    let host = FakeHost::new(PAIRING, &Environment::system()).await;
    let typed = another();
    for direction in [None, Some(0x42)] {
        let (outcome, ()) = tokio::join!(run(&typed, &host), async {
            let mut end = host.accept().await.expect("a device");
            let f1 = end.receive().await.expect("F1");
            let mut share = Hello::read(&f1[HEADER..]).expect("F1").share;
            if let Some(direction) = direction {
                share[0] = direction;
            }
            end.send_share(share, [7; 32]).await;
            if direction.is_some() {
                let f3 = end.receive().await.expect("F3");
                let proof = f3[HEADER..].try_into().expect("a proof");
                end.send(&write_proof(kind::CONFIRM, &proof).expect("F4"))
                    .await;
            }
            assert_eq!(end.abort().await, Some(Abort::Refused));
        });
        let code = match direction {
            None => "PAIRING_PROTOCOL",
            Some(_) => "PAIRING_WRONG_SERVER",
        };
        assert_eq!(outcome.0.code(), code);
        assert!(!shows_digits(&outcome.1));
    }
}

/// The identity and its kin would make the shared secret guessable: refused before any answer.
#[tokio::test]
async fn identity_element_share() {
    // y = 1, y = -1, y = 0: of order 1, 2 and 4; and the other encoding of the first.
    let mut points = [[0; 32], [0xff; 32], [0; 32], [0; 32]];
    points[0][0] = 1;
    (points[1][0], points[1][31]) = (0xec, 0x7f);
    (points[3][0], points[3][31]) = (1, 0x80);

    let host = Host::start().await;
    let (mut window, _) = host.window(Approval::None);
    for point in points {
        let mut device = connect_to(host.address, &Secret::new(Vec::new()))
            .await
            .expect("a handshake");
        device.send(&hello([&[0x41], &point[..]].concat())).await;
        assert_eq!(device.receive().await, None, "{point:?}");
    }
    // Nothing was counted.
    assert!(window.events.try_recv().is_err());

    let pretender = FakeHost::new(PAIRING, &Environment::system()).await;
    let typed = another();
    for point in points {
        let (outcome, ()) = tokio::join!(run(&typed, &pretender), async {
            let mut end = pretender.accept().await.expect("a device");
            end.receive().await.expect("F1");
            let share = [&[0x42], &point[..]].concat();
            end.send_share(share, [7; 32]).await;
            // Not even a proof, on which codes could be tried.
            assert_eq!(end.abort().await, Some(Abort::Refused));
        });
        assert_eq!(outcome.0.code(), "PAIRING_PROTOCOL");
    }
}

/// A man in the middle draws once for each time that the person starts the client, in either mode.
#[tokio::test]
async fn a_run_says_one_hello() {
    let host = FakeHost::new(PAIRING, &Environment::system()).await;
    let (typed, invite) = (another(), host.invite());
    for (stage, is_typed) in [0, 1, 2, 3]
        .into_iter()
        .flat_map(|stage| [(stage, true), (stage, false)])
    {
        let running = async {
            if is_typed {
                run(&typed, &host).await
            } else {
                misbehaving_server::run(&invite).await
            }
        };
        let drawing = async {
            let mut end = host.accept().await.expect("a device");
            match (stage, is_typed) {
                (0, _) => {}
                (1, _) => drop(end.receive().await.expect("F1")),
                (2, true) => end.share_typed(&typed, &[7; 32]).await,
                (2, false) => {
                    end.receive().await.expect("F1");
                    end.share(&[7; 32]).await;
                }
                // The way to the digits, which are not the wanted ones.
                _ if is_typed => {
                    end.share_typed(&typed, &[7; 32]).await;
                    let proof = end.transcript.server_proof().expect("a proof");
                    let f4 = write_proof(kind::CONFIRM, &proof).expect("F4");
                    end.send(&f4).await;
                    end.receive().await.expect("F5");
                    end.pending([7; 32]).await;
                }
                _ => {
                    let nonce = end.up_to_enrol().await;
                    end.pending(nonce).await;
                }
            }
            drop(end);
            drop(host.accept().await);
        };
        let (error, events) = tokio::select! {
            ended = running => ended,
            () = drawing => panic!("another hello after {stage}"),
        };
        let expected = if stage <= 1 && !is_typed {
            "PAIRING_WRONG_CODE"
        } else {
            "PAIRING_BROKEN_OFF"
        };
        assert_eq!(error.code(), expected, "{stage} {is_typed}");
        assert_eq!(shows_digits(&events), stage == 3);
    }
}

/// A server that gives this device a pair id of its choice, with certificates to match: for
/// example that of a pair which the device has.
#[tokio::test]
async fn pair_id_collision() {
    let environment = Environment::system();
    let host = FakeHost::new(PAIRING, &environment).await;
    let typed = another();
    let chosen = PairId([7; 16]);
    let (outcome, ()) = tokio::join!(run(&typed, &host), async {
        let mut end = host.accept().await.expect("a device");
        let nonce = [7; 32];
        end.share_typed(&typed, &nonce).await;
        let proof = end.transcript.server_proof().expect("a proof");
        end.send(&write_proof(kind::CONFIRM, &proof).expect("F4"))
            .await;
        let f5 = end.receive().await.expect("F5");
        let spki: [u8; 91] = f5[HEADER + 32..][..91].try_into().expect("a key");
        end.pending(nonce).await;
        assert_ne!(end.transcript.pair_id().expect("an id"), chosen);
        let authority = ca::authority(&chosen, &environment).expect("a CA");
        let leaf = ca::client_leaf(
            &authority.key,
            &authority.certificate,
            &chosen,
            &spki,
            365,
            &environment,
        );
        let issued = Issued {
            leaf: leaf.expect("a leaf"),
            ca: authority.certificate,
            renew_after: 0,
            addresses: Vec::new(),
            server_name: b"server".to_vec(),
        };
        end.send(&issued.write().expect("F7")).await;
        end.receive().await;
    });
    assert_eq!(outcome.0.code(), "PAIRING_UNUSABLE");
}

/// Ends driven by hand agree when they do what they should.
#[tokio::test]
async fn the_honest_way_by_hand() {
    let host = Host::start().await;
    let (window, _) = host.window(Approval::None);
    let mut device = connect_to(host.address, &Secret::new(Vec::new()))
        .await
        .expect("a handshake");
    let (pake, share) = device.pake(Side::Client, &code(&window));
    let f1 = hello(share);
    device.send(&f1).await;
    let f2 = device.receive().await.expect("F2");
    let theirs = healthsync_pairing::enroll::frame::Share::read(&f2[HEADER..]).expect("F2");
    device.agree(pake, &theirs.share, &[&f1, &f2]);
    let proof = device.transcript.client_proof().expect("a proof");
    device
        .send(&write_proof(kind::PROOF, &proof).expect("F3"))
        .await;
    let expected = device.transcript.server_proof().expect("a proof");
    let f4 = device.receive().await.expect("F4");
    assert_eq!((f4[0], &f4[HEADER..]), (kind::CONFIRM, &expected[..]));
}
