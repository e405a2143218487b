//! Servers that are found by mDNS: with the real programs, in a network of their own.
//!
//! `scripts/with-network-namespace` makes that network and sets `HEALTHSYNC_TEST_NETWORK`; without
//! it nothing is announced to whatever network this computer is in, and these tests say that they
//! did not run.

use std::{
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use healthsync_pairing::discovery::SERVICE;
use mdns_sd::{ServiceDaemon, ServiceEvent, ServiceInfo};
use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};
use serde_json::Value;

use crate::{
    device::Device,
    host::{Host, demo_export},
    program::Running,
    schema::assert_lines,
};

/// The network, for one test at a time; `None` where there is none.
pub(crate) fn network() -> Option<MutexGuard<'static, ()>> {
    static NETWORK: Mutex<()> = Mutex::new(());
    if std::env::var_os("HEALTHSYNC_TEST_NETWORK").is_none() {
        // Past the harness, which would swallow it.
        let notice = "SKIPPED: no network of its own (scripts/with-network-namespace makes one)\n";
        drop(std::io::stderr().write_all(notice.as_bytes()));
        return None;
    }
    Some(NETWORK.lock().unwrap_or_else(PoisonError::into_inner))
}

fn saved_addresses(device: &Device) -> Vec<String> {
    let text = std::fs::read_to_string(device.path("home/config.json")).expect("paired");
    let config: Value = serde_json::from_str(&text).expect("JSON");
    let addresses = config["servers"][0]["addresses"].as_array().expect("some");
    addresses
        .iter()
        .filter_map(|address| address.as_str().map(str::to_owned))
        .collect()
}

#[test]
fn found_after_address_and_port_changed() {
    let Some(_network) = network() else { return };
    let mut host = Host::new();
    host.start_announced("10.77.0.1");
    let (device, pair) = Device::paired(&host, "laptop");
    let before = saved_addresses(&device);
    assert_eq!(before, [format!("10.77.0.1:{}", host.port)]);
    host.kill();
    host.start_announced("10.77.0.2");
    let now = format!("10.77.0.2:{}", host.port);

    // Who does not look does not find, and nothing is saved.
    device
        .run(&["status", "--no-mdns"])
        .failed(4, &["ECONNREFUSED"]);
    device
        .run(&["status", "--host", &before[0]])
        .failed(4, &["ECONNREFUSED"]);
    assert_eq!(saved_addresses(&device), before);

    let began = Instant::now();
    device.run(&["status"]).good();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(saved_addresses(&device)[0], now);
    let listed = device.run(&["servers"]).good().last();
    assert_eq!(
        (&listed["pair"], &listed["addresses"][0]),
        (&Value::from(pair), &Value::from(now))
    );
    assert!(listed["lastUsed"].is_string() && listed["certificateExpires"].is_string());

    // For a revoked device the server is not marked any more.
    host.run(&["revoke", "laptop"]).good();
    host.kill();
    host.start_announced("10.77.0.1");
    device.run(&["status"]).failed(4, &["ECONNREFUSED"]);
}

/// 200 copies of the honest announcement, each with an address where somebody listens and is silent.
#[test]
fn discovery_poison() {
    let Some(_network) = network() else { return };
    let mut host = Host::new();
    host.start_announced("10.77.0.1");
    let (device, _) = Device::paired(&host, "laptop");
    host.kill();
    host.start_announced("10.77.0.2");
    let honest = format!("10.77.0.2:{}", host.port);

    let daemon = ServiceDaemon::new().expect("mDNS");
    let heard = daemon.browse(SERVICE).expect("mDNS");
    let end = Instant::now() + Duration::from_secs(20);
    let txt: Vec<(String, String)> = loop {
        let event = heard.recv_deadline(end).expect("the server is announced");
        if let ServiceEvent::ServiceResolved(service) = event
            && service.get_port() == host.port
        {
            let properties = service.get_properties().iter();
            break properties
                .map(|property| (property.key().to_owned(), property.val_str().to_owned()))
                .collect();
        }
    };
    let traps: Vec<TcpListener> = (0..200)
        .map(|_| TcpListener::bind("10.77.0.1:0").expect("a port"))
        .collect();
    for (number, trap) in traps.iter().enumerate() {
        let port = trap.local_addr().expect("bound").port();
        let mut service = ServiceInfo::new(
            SERVICE,
            &format!("fake{number}"),
            &format!("fake{number}.local."),
            "10.77.0.1",
            port,
            txt.as_slice(),
        )
        .expect("a service");
        service.set_requires_probe(false);
        // The daemon's queue is short.
        while daemon.register(service.clone()).is_err() {
            thread::yield_now();
        }
    }
    let mut fakes = std::collections::HashSet::new();
    let end = Instant::now() + Duration::from_secs(20);
    while fakes.len() < 200
        && let Ok(event) = heard.recv_deadline(end)
    {
        if let ServiceEvent::ServiceResolved(service) = event
            && service.get_fullname().starts_with("fake")
        {
            fakes.insert(service.get_port());
        }
    }
    assert!(fakes.len() > 150, "{} fakes stand", fakes.len());

    // The place of before: a trap may have got its port meanwhile.
    let before = saved_addresses(&device);
    device.run(&["status"]).good();
    let after = saved_addresses(&device);
    assert_eq!(after[0], honest);
    assert!(
        after[1..].iter().all(|address| before.contains(address)),
        "only a verified address is saved: {after:?}"
    );
    drop(daemon.shutdown());
}

/// Everything that goes over the network to the port of mDNS, until dropped.
struct Sniffer {
    stop: Arc<AtomicBool>,
    reader: thread::JoinHandle<Vec<u8>>,
}

impl Sniffer {
    fn start() -> Self {
        let fd = socket(AddressFamily::INET, SocketType::DGRAM, None).expect("a socket");
        sockopt::set_socket_reuseaddr(&fd, true).expect("shared");
        sockopt::set_socket_reuseport(&fd, true).expect("shared");
        bind(&fd, &SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5353))).expect("bound");
        let socket = UdpSocket::from(fd);
        let group = Ipv4Addr::new(224, 0, 0, 251);
        socket
            .join_multicast_v4(&group, &Ipv4Addr::new(10, 77, 0, 1))
            .expect("joined");
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .expect("set");
        let stop = Arc::new(AtomicBool::new(false));
        let reader = thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let (mut all, mut packet) = (Vec::new(), [0; 9000]);
                while !stop.load(Ordering::SeqCst) {
                    if let Ok((length, _)) = socket.recv_from(&mut packet) {
                        all.extend_from_slice(&packet[..length]);
                    }
                }
                all
            }
        });
        Self { stop, reader }
    }

    /// What was heard, in lower case.
    fn end(self) -> Vec<u8> {
        self.stop.store(true, Ordering::SeqCst);
        self.reader.join().expect("it ends").to_ascii_lowercase()
    }
}

#[test]
fn mdns_leaks_nothing() {
    let Some(_network) = network() else { return };
    let sniffer = Sniffer::start();
    let mut host = Host::new();
    host.import(&demo_export()).good();
    host.start_announced("10.77.0.1");
    let (device, pair) = Device::paired(&host, "device-of-zoe");
    let (window, _text) = host.window(&[]);

    // Once as the paired device, once as a stranger.
    let events = device.run(&["discover", "--duration", "2"]).good().events();
    assert_lines("discover", &events);
    let ours: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "server")
        .collect();
    assert_eq!(ours.len(), 1, "{events:?}");
    assert_eq!(
        (&ours[0]["server"], &ours[0]["pair"], &ours[0]["window"]),
        (&"Test host".into(), &pair.as_str().into(), &true.into())
    );
    assert_eq!(ours[0]["interfaces"], serde_json::json!(["lan0"]));
    assert_eq!(
        ours[0]["addresses"],
        serde_json::json!([format!("10.77.0.1:{}", host.port)])
    );
    window.kill();
    let stranger = Device::new("stranger");
    let events = stranger.run(&["discover", "--duration", "2"]).good();
    assert_lines("discover", &events.events());
    let seen = &events.events()[0];
    assert_eq!(
        (&seen["server"], &seen["pair"], &seen["window"]),
        (&Value::Null, &Value::Null, &false.into())
    );
    device.run(&["types"]).good();

    let heard = sniffer.end();
    let has = |text: &str| {
        let text = text.to_ascii_lowercase();
        heard
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(
        has("_healthsync") && has("v=1") && has("w=1"),
        "nothing was heard"
    );
    let own = rustix::system::uname();
    for name in [
        "test host",
        "test",
        "zoe",
        "device",
        "stranger",
        &pair,
        &own.nodename().to_string_lossy(),
        "heartrate",
        "stepcount",
        "sleep",
    ] {
        assert!(!has(name), "{name:?} went over the network");
    }
}

#[test]
fn nobody_there_is_no_error() {
    let Some(_network) = network() else { return };
    let device = Device::new("laptop");
    let outcome = device.run(&["discover", "--duration", "1"]).good();
    assert_eq!(outcome.last()["servers"], 0, "{outcome:?}");
    let text = crate::program::run(&mut device.command(&["discover", "--duration", "1"]), b"");
    let text = text.good().stderr;
    assert!(text.starts_with("No servers found."), "{text}");
    assert_eq!(text.lines().count(), 4, "{text}");
}

/// `healthsync pair` without an address: the server whose window is open, if there is one such.
#[test]
fn the_one_open_window_is_found() {
    let Some(_network) = network() else { return };
    let mut host = Host::new();
    host.start_announced("10.77.0.1");
    let device = Device::new("laptop");
    let args = ["pair", "--code", "-", "--key-store", "file", "--json"];
    let start = |code: &str| {
        let mut pair = Running::start(&mut device.command(&args));
        pair.say(&format!("{code}\n"));
        pair
    };
    start("K7QF-3M9X-5").end().failed(4, &["WINDOW_NOT_FOUND"]);

    let (mut window, opened) = host.opened(&[]);
    let mut pair = start(opened["code"].as_str().expect("a code"));
    let digits = pair.event("digits");
    window.event("digits-wanted");
    host.run(&["approve", digits["digits"].as_str().expect("digits")])
        .good();
    pair.event("paired");
    window.event("paired");

    // With a second one a person must say which.
    let mut other = Host::new();
    other.start_announced("10.77.0.2");
    let (_one, _) = host.window(&[]);
    let (_two, opened) = other.opened(&[]);
    let outcome = start(opened["code"].as_str().expect("a code")).end();
    outcome.failed(2, &["WINDOW_AMBIGUOUS"]);
    let said = outcome.last()["message"].to_string();
    for place in [
        format!("10.77.0.1:{}", host.port),
        format!("10.77.0.2:{}", other.port),
    ] {
        assert!(said.contains(&place), "{said}");
    }
}
