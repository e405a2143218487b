//! A device that is revoked while it reads.

use std::time::{Duration, Instant};

use crate::{
    device::Device,
    host::Host,
    interrupted::write_export,
    process::count,
    program::Running,
    relay::{Place, Relay, Speaker},
};

/// More than the buffers between the two programs hold.
const MANY: u32 = 150_000;

/// What the server says about itself.
#[track_caller]
fn connections(host: &Host) -> u64 {
    let status = host.run(&["status"]).good().last();
    status["connections"].as_u64().expect("a number")
}

#[test]
fn revoke_live() {
    let in_time = Duration::from_millis(count("HEALTHSYNC_REVOKE_MS", 10_000));
    let mut host = Host::new();
    let large = host.path("large.xml");
    write_export(&large, MANY);
    host.import(&large).good();
    host.start();
    let (device, pair) = Device::paired(&host, "lost laptop");
    let (other, _) = Device::paired(&host, "other");

    // The download stands still in its middle: the server waits for its client to take more.
    let place = Place {
        connection: 0,
        from: Speaker::Server,
        record: 12,
    };
    let relay = Relay::start(host.port, Some(place));
    let (file, at) = (device.path("out.csv"), format!("127.0.0.1:{}", relay.port));
    let output = file.to_str().expect("a plain path");
    let args = [
        "fetch", "--all", "--format", "csv", "--output", output, "--host", &at, "--json",
    ];
    let fetch = Running::start(&mut device.command(&args));
    assert!(relay.is_reached(Duration::from_secs(90)), "no download");
    assert_eq!(connections(&host), 1);

    let revoke = host.command(&["revoke", &pair]);
    let mut revoke = Running::start(&mut { revoke });
    revoke.event("revoked");
    let revoked = Instant::now();
    while connections(&host) > 0 {
        assert!(revoked.elapsed() < in_time, "still connected");
    }
    revoke.end().good();
    relay.release();
    let outcome = fetch.end();
    outcome.failed(3, &["CERT_REVOKED"]);
    assert!(!file.exists(), "half a file was left");

    // No way back: not over the old address, not by renewal, and the other is not concerned.
    device.run(&["status"]).failed(3, &["CERT_REVOKED"]);
    device.run(&["cert", "renew"]).failed(3, &["CERT_REVOKED"]);
    other.run(&["status"]).good();
}
