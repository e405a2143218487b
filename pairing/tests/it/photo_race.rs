//! The owner of a device and those who photographed its code, in every order.

use std::collections::BTreeSet;

use healthsync_pairing::{
    device::DeviceKey,
    enroll::{
        client::{Event, enroll},
        frame::{kind, write_proof},
        host::{Approval, HostEvent},
    },
    id::KeyDigest,
    invite::Invite,
    trust::TrustError,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::{JoinHandle, yield_now},
};

use crate::{
    fake::try_connect,
    host::{Device, Host, again, soon},
    seeded::{Seeded, rounds},
};

/// Of so many photographers one takes the slot and goes; the others pair as devices do.
const MANNERS: u64 = 4;

/// The person types what the device in their hand shows. When it shows nothing they press Enter, or,
/// half of the time, type the digits of the time before: a habit. The photographer never gets a
/// certificate.
#[tokio::test]
async fn photo_race() {
    let races = rounds("HEALTHSYNC_RACES", 100);
    let mut chance = Seeded(20_261_125);
    let mut host = Host::start().await;
    let (mut owners, mut thieves, mut told) = (0, 0, 0);
    let mut remembered = "000000".to_owned();
    let mut since = 0;
    for race in 0..races {
        if since == 500 {
            // As many pairs as a real host never has: begin anew.
            (host, since) = (Host::start().await, 0);
        }
        since += 1;
        let before: BTreeSet<_> = pairs(&host);
        let (mut window, invite) = host.window(Approval::Digits);
        let mut photographers = Vec::new();
        for _ in 0..=chance.below(2) {
            let (copy, wait) = (again(&window), chance.below(400));
            photographers.push(photographer(&host, copy, wait, chance.below(MANNERS)));
        }
        let wait = chance.below(400);
        let mut owner = late(&host, invite, wait);

        let mut has_typed = false;
        while let Some(event) = soon(window.events.recv()).await {
            match event {
                HostEvent::DigitsWanted { .. } => match soon(shown(&mut owner.events)).await {
                    Some(digits) => {
                        let approved = host.trust.approve(&digits);
                        assert!(
                            approved.is_ok(),
                            "race {race}: the owner's digits: {approved:?}"
                        );
                        (has_typed, remembered) = (true, digits);
                        break;
                    }
                    None if chance.below(2) == 0 => {
                        host.trust.refuse().expect("refused");
                    }
                    None => {
                        let typed = host.trust.approve(&remembered);
                        assert!(
                            matches!(typed, Err(TrustError::WrongDigits { left: 2 })),
                            "race {race}: the digits of another channel: {typed:?}"
                        );
                        host.trust.refuse().expect("refused");
                    }
                },
                HostEvent::AnotherDevice => told += 1,
                _ => {}
            }
        }
        let outcome = soon(owner.outcome).await.expect("runs");
        assert_eq!(outcome.is_ok(), has_typed, "race {race}: {outcome:?}");
        for photographer in photographers {
            thieves += usize::from(soon(photographer).await.expect("runs"));
        }
        // Whoever is on record now is the owner.
        let new: Vec<_> = pairs(&host).difference(&before).copied().collect();
        assert_eq!(
            new,
            outcome
                .is_ok()
                .then_some(owner.key)
                .into_iter()
                .collect::<Vec<_>>()
        );
        if let Ok(enrolled) = outcome {
            owners += 1;
            host.acknowledge(&enrolled.credentials)
                .expect("acknowledged");
        }
    }
    assert_eq!(
        thieves, 0,
        "certificates for photographers in {races} races"
    );
    // It was a race: both came first, and often enough together.
    assert!(
        owners * 10 >= races && owners * 10 <= 9 * races,
        "{owners} of {races}"
    );
    assert!(told > 0);
}

fn pairs(host: &Host) -> BTreeSet<KeyDigest> {
    let records = host.trust.pairs().expect("pairs").into_iter();
    records.map(|record| record.key).collect()
}

/// A device that begins a little later.
fn late(host: &Host, invite: Invite, wait: u64) -> Device {
    let (seen, events) = unbounded_channel();
    let environment = host.environment();
    let key = DeviceKey::generate().expect("a key");
    let digest = key.digest();
    let outcome = tokio::spawn(async move {
        for _ in 0..wait {
            yield_now().await;
        }
        enroll(&invite, key, "device", &environment, &mut |event| {
            seen.send(event).unwrap_or(());
        })
        .await
    });
    Device {
        key: digest,
        events,
        outcome,
    }
}

/// Whether it got a certificate.
fn photographer(host: &Host, invite: Invite, wait: u64, manner: u64) -> JoinHandle<bool> {
    if manner > 0 {
        let device = late(host, invite, wait);
        return tokio::spawn(async { device.outcome.await.expect("runs").is_ok() });
    }
    // By hand: takes the slot if it can, and goes.
    tokio::spawn(async move {
        for _ in 0..wait {
            yield_now().await;
        }
        let Some(mut device) = try_connect(&invite).await else {
            return false;
        };
        let hello = device.hello(&invite);
        if device.try_send(&hello).await && device.receive().await.is_some() {
            let proof = device.transcript.client_proof().expect("a proof");
            device
                .try_send(&write_proof(kind::PROOF, &proof).expect("F3"))
                .await;
        }
        false
    })
}

/// The digits that a device shows, or `None` when it ends without.
async fn shown(events: &mut UnboundedReceiver<Event>) -> Option<String> {
    while let Some(event) = events.recv().await {
        if let Event::Digits { digits, .. } = event {
            return Some(digits);
        }
    }
    None
}
