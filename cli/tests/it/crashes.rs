//! Either program is killed in the middle of a pairing; then both agree again, and the next pairing
//! works.

use std::time::Duration;

use healthsync_pairing::invite::Invite;

use crate::{
    device::Device,
    host::Host,
    process::count,
    program::Running,
    relay::{Place, Relay, Speaker},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Device,
    Host,
}

/// The code of a window, with the relay's address in it.
fn by_way_of(relay: &Relay, text: &str) -> String {
    let mut invite = Invite::parse(text).expect("a fresh code");
    invite.addresses = vec![([127, 0, 0, 1], relay.port).into()];
    let text = invite.to_text().expect("a code");
    String::from_utf8(text.expose().to_vec()).expect("text")
}

/// Pairs until the relay holds the conversation; `scan` still runs then, else it went to its end.
fn pair_until(host: &Host, device: &Device, relay: &Relay) -> (Option<Running>, Running) {
    let (mut window, text) = host.window(&[]);
    let scan = device.scan(&by_way_of(relay, &text));
    let Some(shown) = scan.event_unless("digits", || relay.is_reached(Duration::from_millis(20)))
    else {
        return (Some(scan), window);
    };
    window.event("digits-wanted");
    let digits = shown["digits"].as_str().expect("digits");
    host.run(&["approve", digits]).good();
    if scan
        .event_unless("paired", || relay.is_reached(Duration::from_millis(20)))
        .is_none()
    {
        return (Some(scan), window);
    }
    scan.end().good();
    window.event("paired");
    (None, window)
}

/// All records of a whole pairing, with their lengths.
fn places() -> Vec<(Place, usize)> {
    let mut host = Host::new();
    host.start();
    let device = Device::new("laptop");
    let relay = Relay::start(host.port, None);
    let (running, _window) = pair_until(&host, &device, &relay);
    assert!(running.is_none(), "nothing holds it");
    relay.passed()
}

/// Kills `victim` at `place`, lets everything start again, and sees that both agree.
fn check(place: Place, victim: Victim) {
    let mut host = Host::new();
    host.start();
    let device = Device::new("laptop");
    let relay = Relay::start(host.port, Some(place));
    let (running, window) = pair_until(&host, &device, &relay);
    let Some(scan) = running else {
        // The last words of a connection come or do not come.
        return;
    };
    match victim {
        Victim::Device => {
            scan.kill();
            relay.release();
        }
        Victim::Host => {
            host.kill();
            relay.release();
            drop(scan.end());
            host.start();
        }
    }
    drop(window);

    // What one end takes for a pair is one for the other, or becomes one now.
    let told = format!("{victim:?} killed at {place:?}");
    let status = device.run(&["status"]);
    let code = status.last()["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let states: Vec<String> = host
        .pairs()
        .iter()
        .map(|record| record["state"].as_str().expect("a state").to_lowercase())
        .collect();
    match status.exit {
        Some(0) => assert_eq!(states, ["active"], "{told}"),
        Some(3) if code == "NOT_PAIRED" => {
            assert!(!states.contains(&"active".to_owned()), "{told}: {states:?}");
        }
        // It stored what the other has forgotten: the error names the next command.
        Some(3) => {
            assert_ne!(code, "PAIR_PENDING", "{told}: nobody finishes it");
            device.run(&["unpair"]);
            assert!(!states.contains(&"active".to_owned()), "{told}: {states:?}");
        }
        _ => panic!("{told}: {status:?}"),
    }
    if status.exit != Some(0) {
        device.pair(&host);
    }
    device.run(&["status"]).good();
    let active = host
        .pairs()
        .iter()
        .filter(|record| {
            record["state"]
                .as_str()
                .is_some_and(|state| state.eq_ignore_ascii_case("active"))
        })
        .count();
    assert_eq!(active, 1, "{told}");
}

/// At each record of the whole conversation in `scripts/soak`; here where the certificates leave the
/// server (F7, its longest record after the handshake's first) and where they are acknowledged.
#[test]
fn crash_points() {
    let all = places();
    let chosen: Vec<Place> = if count("HEALTHSYNC_ALL_STEPS", 0) > 0 {
        all.iter().map(|(place, _)| *place).collect()
    } else {
        let certificates = all
            .iter()
            .filter(|(place, _)| {
                (place.connection, place.from) == (0, Speaker::Server) && place.record > 0
            })
            .max_by_key(|(_, length)| *length);
        let acknowledgement = Place {
            connection: 1,
            from: Speaker::Client,
            record: 0,
        };
        vec![certificates.expect("it spoke").0, acknowledgement]
    };
    for place in chosen {
        for victim in [Victim::Device, Victim::Host] {
            check(place, victim);
        }
    }
}
