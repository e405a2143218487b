use std::sync::Arc;

use super::*;
use crate::environment::{Clock, Environment, SystemEntropy};

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;
const PAIR: PairId = PairId([7; 16]);

#[derive(Debug)]
struct At(i64);
impl Clock for At {
    fn now(&self) -> i64 {
        self.0
    }
}

fn at(now: i64) -> Environment {
    Environment {
        clock: Arc::new(At(now)),
        entropy: Arc::new(SystemEntropy),
    }
}

#[test]
fn a_request_is_bound_to_its_channel_pair_and_key() {
    let key = NewKey::generate().unwrap();
    let body = key.request(&[1; 32], &PAIR).unwrap();
    assert_eq!(body.len(), REQUEST_LENGTH);
    let request = Request::read(&body).unwrap();
    assert_eq!(request.verify(&[1; 32], &PAIR), Ok(()));
    assert_eq!(request.key(), key.0.digest());
    assert_eq!(
        request.verify(&[2; 32], &PAIR),
        Err(Refusal::NotProved),
        "another channel"
    );
    assert_eq!(
        request.verify(&[1; 32], &PairId([8; 16])),
        Err(Refusal::NotProved),
        "another pair"
    );
    let other = NewKey::generate()
        .unwrap()
        .request(&[1; 32], &PAIR)
        .unwrap();
    let mixed = [&other[..SPKI_LENGTH], &body[SPKI_LENGTH..]].concat();
    assert!(
        Request::read(&mixed)
            .unwrap()
            .verify(&[1; 32], &PAIR)
            .is_err()
    );
    for length in [0, SPKI_LENGTH, REQUEST_LENGTH - 1] {
        assert!(Request::read(&body[..length]).is_err(), "{length} bytes");
    }
    assert!(Request::read(&[&body[..], &[0]].concat()).is_err());
}

#[test]
fn only_a_leaf_for_this_key_and_pair_is_taken() {
    type Make<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

    let ca = ca::authority(&PAIR, &at(NOW)).unwrap();
    let other_ca = ca::authority(&PAIR, &at(NOW)).unwrap();
    let leaf = |ca: &ca::Authority, pair: &PairId, spki: &[u8], now| {
        ca::client_leaf(&ca.key, &ca.certificate, pair, spki, 30, &at(now)).unwrap()
    };
    let present = || {
        let key = DeviceKey::generate().unwrap();
        ClientCredentials {
            pair: PAIR,
            leaf: leaf(&ca, &PAIR, &key.spki(), NOW),
            key,
            ca: ca.certificate.clone(),
            discovery_key: Secret::new(vec![9; 32]),
        }
    };
    let answers: [(&str, bool, Make<'_>); 9] = [
        ("a proper one", true, &|spki| leaf(&ca, &PAIR, spki, NOW)),
        ("another CA", false, &|spki| {
            leaf(&other_ca, &PAIR, spki, NOW)
        }),
        ("another pair", false, &|spki| {
            leaf(&ca, &PairId([8; 16]), spki, NOW)
        }),
        ("another key", false, &|_| {
            leaf(&ca, &PAIR, &DeviceKey::generate().unwrap().spki(), NOW)
        }),
        ("over", false, &|spki| {
            leaf(&ca, &PAIR, spki, NOW - 31 * DAY)
        }),
        ("of a clock ahead", true, &|spki| {
            leaf(&ca, &PAIR, spki, NOW + 7200)
        }),
        ("of a clock far ahead", false, &|spki| {
            leaf(&ca, &PAIR, spki, NOW + 20 * DAY)
        }),
        ("for a server", false, &|spki| {
            ca::server_leaf(&ca.key, &ca.certificate, &PAIR, spki, &at(NOW)).unwrap()
        }),
        ("no certificate", false, &|_| vec![1, 2, 3]),
    ];
    for (what, good, make) in answers {
        let key = NewKey::generate().unwrap();
        let (spki, digest) = (key.0.spki(), key.0.digest());
        let answer = Reissued {
            leaf: make(&spki),
            renew_after: 5,
        };
        assert_eq!(
            Reissued::read(&answer.write()),
            Ok(answer.clone()),
            "{what}"
        );
        let accepted = key.accept(&answer.write(), &present(), NOW);
        assert_eq!(accepted.is_ok(), good, "{what}: {accepted:?}");
        if let Ok(credentials) = accepted {
            assert_eq!(credentials.key.digest(), digest);
            assert!(credentials.encode().is_ok());
        }
    }
    let whole = Reissued {
        leaf: vec![1; 300],
        renew_after: 5,
    }
    .write();
    for wrong in [
        &[][..],
        &whole[..1],
        &whole[..300],
        &[&whole[..], &[0]].concat(),
    ] {
        assert!(Reissued::read(wrong).is_err());
    }
}

#[test]
fn a_third_before_the_end_is_time_to_renew() {
    let leaf = Certificate {
        subject: String::new(),
        issuer: String::new(),
        not_before: 0,
        not_after: 300 * DAY,
        serial: String::new(),
        san: Vec::new(),
        key: KeyDigest([0; 32]),
        is_ca: false,
    };
    // A twentieth of the life is 15 days.
    let latest = u64::try_from(15 * DAY - 1).unwrap();
    for (day, chance, due) in [
        (0, 0, false),
        (184, latest, false),
        (186, latest, true),
        (186, 0, false),
        (200, 0, false),
        (201, 0, true),
        (301, 0, true),
        (186, u64::MAX, false),
    ] {
        assert_eq!(is_due(&leaf, day * DAY, chance), due, "day {day}");
    }
    for (day, late) in [(0, false), (269, false), (271, true), (301, true)] {
        assert_eq!(is_late(&leaf, day * DAY), late, "day {day}");
    }
    let short = Certificate {
        not_after: 30 * DAY,
        ..leaf
    };
    for (day, late) in [(1, false), (19, false), (21, true)] {
        assert_eq!(is_late(&short, day * DAY), late, "day {day} of 30");
    }
}
