//! Ways that lead nowhere: in a network of its own, as in [`crate::network`].

use std::net::SocketAddr;

use crate::{lab::Lab, network::network, program::Outcome};

#[track_caller]
fn unreachable(outcome: &Outcome, parts: &[&str]) {
    outcome.failed(4, &["EHOSTUNREACH"]);
    let error = outcome.last();
    assert_eq!(error["subject"], "server", "{error}");
    let message = error["message"].as_str().unwrap_or_default();
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    assert!(
        error["hint"].to_string().contains("same network"),
        "{error}"
    );
}

fn check(outcome: &Outcome, name: &str) -> String {
    let events = outcome.events();
    let found = events
        .into_iter()
        .find(|event| event["event"] == "check" && event["check"] == name);
    found.unwrap_or_else(|| panic!("no check {name}: {outcome:#?}"))["outcome"].to_string()
}

#[test]
fn no_route_and_nobody_there() {
    let Some(_network) = network() else { return };
    let lab = Lab::new();

    // Outside of every network that this computer is in.
    let far: SocketAddr = "10.99.0.1:8443".parse().expect("an address");
    let outcome = lab.at(far).run(&["status", "--no-mdns"]);
    unreachable(&outcome, &["there is no route to the server"]);
    assert!(!outcome.stdout.contains("suspected"), "{outcome:?}");
    let outcome = lab.at(far).run(&["doctor", "--no-mdns"]);
    assert_eq!(outcome.exit, Some(4));
    assert_eq!(outcome.last()["command"], "healthsync discover");
    assert_eq!(check(&outcome, "route"), "\"failed\"");

    // In this network, and nobody has the address: what isolation looks like, too.
    let near: SocketAddr = "10.77.0.99:8443".parse().expect("an address");
    let outcome = lab
        .at(near)
        .run(&["status", "--no-mdns", "--timeout", "20000"]);
    let parts = [
        "no computer answers there (ARP)",
        "suspected",
        "client isolation",
    ];
    unreachable(&outcome, &parts);
}
