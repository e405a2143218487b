//! A computer that was away for longer than its certificate lives.
//!
//! The pair is made by the library in this process, with a clock that stands in the past, in the
//! homes of the two programs; the programs themselves know the true time only.

use std::{fs, sync::Arc, time::Duration};

use healthsync_pairing::{
    certificate::Certificate,
    credentials::ClientCredentials,
    device::DeviceKey,
    enroll::{
        client::enroll,
        host::{Approval, WindowOptions},
    },
    environment::{Clock, Environment, SystemClock, SystemEntropy},
    invite::Invite,
    keystore::{self, KeyStore, OpenOptions, StoreKind},
    secret::Secret,
    tls::door::{self, Entered},
    trust::{Peer, Scope, Trust},
};
use tokio::net::TcpListener;

use crate::{
    device::Device,
    host::Host,
    lab::{Lab, http, serve_tls},
    program,
};

pub(crate) const DAY: i64 = 86_400;

/// The system's clock, so many seconds behind.
#[derive(Debug)]
pub(crate) struct Past(pub(crate) i64);

impl Clock for Past {
    fn now(&self) -> i64 {
        SystemClock.now() - self.0
    }
}

pub(crate) fn store(folder: std::path::PathBuf, passphrase: &str) -> Box<dyn KeyStore> {
    let options = OpenOptions {
        folder,
        passphrase: &mut || Ok(Secret::new(passphrase.as_bytes().to_vec())),
        environment: Environment::system(),
    };
    keystore::open(StoreKind::File, options).expect("opens")
}

/// Pairs in the homes of a host that does not run and of a device that is paired with it, so many
/// seconds ago and for a year; the new pair takes the old one's place on the device.
pub(crate) async fn pair_in_the_past(
    host: &Host,
    device: &Device,
    old: &str,
    seconds: i64,
) -> String {
    let environment = Environment {
        clock: Arc::new(Past(seconds)),
        entropy: Arc::new(SystemEntropy),
    };
    let keys = store(host.path("server/keys"), "correct horse battery staple");
    let trust = Trust::open(&host.path("server/trust.db"), keys, environment.clone());
    let trust = trust.expect("opens");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let window = trust
        .open_window(WindowOptions {
            seconds: 300,
            addresses: vec![address],
            server_name: "Test host".to_owned(),
            approval: Approval::None,
            leaf_days: 365,
            scope: Scope::default(),
        })
        .expect("a window");
    let served = tokio::spawn({
        let trust = Arc::clone(&trust);
        async move {
            let (stream, from) = listener.accept().await.expect("a connection");
            match door::enter(&trust, stream, from).await {
                Ok(Entered::Pairing(exchange)) => exchange.run().await,
                other => panic!("{other:?}"),
            }
        }
    });
    let text = String::from_utf8(window.text.expose().to_vec()).expect("text");
    let invite = Invite::parse(&text).expect("an invitation");
    let key = DeviceKey::generate().expect("a key");
    let enrolled = enroll(&invite, key, "Long away", &environment, &mut |_| {}).await;
    let credentials = enrolled.expect("enrolled").credentials;
    served.await.expect("it ran").expect("it was served");
    let leaf = Certificate::from_der(&credentials.leaf).expect("a certificate");
    trust
        .acknowledge(&Peer {
            pair: credentials.pair,
            key: leaf.key,
            not_after: leaf.not_after,
            serial: leaf.serial,
            address: address.ip(),
        })
        .expect("acknowledged");

    let item = credentials.encode().expect("an item");
    store(device.path("home/keys"), "another passphrase")
        .write(&ClientCredentials::item(&credentials.pair), &item)
        .expect("written");
    let config = device.path("home/config.json");
    let text = fs::read_to_string(&config).expect("a configuration");
    let pair = credentials.pair.to_string();
    fs::write(&config, text.replace(old, &pair)).expect("written");
    pair
}

/// A pair that was made so many seconds ago for a year, and a server that runs.
pub(crate) fn away(seconds: i64) -> (Host, Device, String) {
    let mut host = Host::with_data();
    let (device, old) = Device::paired(&host, "Anna's laptop");
    host.run(&["revoke", &old]).good();
    host.kill();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let pair = runtime.block_on(pair_in_the_past(&host, &device, &old, seconds));
    runtime.shutdown_timeout(Duration::from_secs(5));
    host.start();
    (host, device, pair)
}

#[test]
fn a_certificate_that_has_run_out_is_renewed_by_the_next_command() {
    let (host, device, pair) = away((365 + 30) * DAY);
    let due = device.run(&["cert", "renew", "--check"]).good().last();
    assert_eq!(due["due"], true);
    let asked = program::run(&mut device.command(&["types"]), b"").good();
    let start = "Renewed this computer's certificate, which had ended on";
    let told = asked.stderr.lines().filter(|line| line.starts_with(start));
    assert_eq!(told.count(), 1, "{asked:#?}");
    // From then on all is as ever, and nobody is suspended.
    device.run(&["fetch", "--types", "steps"]).good();
    let check = device.run(&["cert", "renew", "--check"]);
    assert_eq!((check.exit, &check.last()["due"]), (Some(1), &false.into()));
    let pairs = host.pairs();
    let record = pairs.iter().find(|record| record["pair"] == *pair);
    assert_eq!(record.expect("the pair is listed")["state"], "active");
}

#[test]
fn by_hand_as_well() {
    let (_host, device, pair) = away((365 + 89) * DAY);
    let renewed = device.run(&["cert", "renew"]).good().last();
    assert_eq!(
        (&renewed["event"], &renewed["pair"]),
        (&"renewed".into(), &pair.into())
    );
    device.run(&["status"]).good();
}

#[test]
fn after_ninety_days_the_answer_is_to_pair_again() {
    let (_host, device, _) = away((365 + 91) * DAY);
    for words in [&["types"][..], &["cert", "renew"]] {
        let outcome = device.run(words);
        outcome.failed(3, &["CERT_HAS_EXPIRED"]);
        let hint = outcome.last()["hint"].to_string();
        assert!(hint.contains("pair again"), "{hint}");
    }
    // Nor does a revoked pair come back: its server leaf has ended too, and no new one is signed.
    let (host, device, pair) = away((365 + 30) * DAY);
    host.run(&["revoke", &pair]).good();
    device.run(&["types"]).failed(3, &["PAIR_UNKNOWN"]);
}

#[test]
fn a_server_that_is_too_old_to_renew_is_told_from_another_service() {
    let lab = Lab::made(-400 * DAY, -400 * DAY);
    let tls = lab.tls(&[lab.leaf(0)], None, &["h2", "http/1.1"]);
    let address = serve_tls(tls, http("200 OK", &[], "{}"));
    for words in [&["status"][..], &["cert", "renew"]] {
        let outcome = lab.at(address).run(words);
        outcome.failed(3, &["UNSUPPORTED_PROTOCOL"]);
        let told = outcome.last();
        let (message, hint) = (told["message"].to_string(), told["hint"].to_string());
        assert!(
            message.contains("does not renew certificates that have run out"),
            "{message}"
        );
        assert!(hint.contains("update `healthsync-server`"), "{hint}");
    }
}
